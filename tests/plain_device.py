"""The device without a socket: bytes in, bytes out. Written from docs/protocol.md alone (see plain_client.py)."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import msgpack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.plain_evidence import Pin, ReadLog, receipt_words, wiped_words
from tests.plain_merge import RENUMBERED, digest
from tests.plain_outbox import ENDED, PENDING, SHUT, Message, Value, unpack
from tests.plain_sender import PlainSender

CREDIT_BYTES = 1_048_576
RANGES_MAX = 64
RANGE_RECORDS_MIN = 16
REPAIRS_MAX = 3
SCHEMA = 4
LIVE = {
    "batch", "snapshot", "results", "retract", "scope_add", "notice", "lease", "wipe", "reads_kept", "quarantined",
    "pong", "credit", "error",
}  # fmt: skip
EXPECTED = {"connected": {"challenge", "error"}, "greeted": {"welcome", "error"}, "live": LIVE, "closed": set[str]()}


class ProtocolError(Exception):
    """What this device tells the server before it closes: a code of the page's error table and its close code."""

    def __init__(self, code: str, close: int, recovery: str, detail: str = "") -> None:
        """Name the error."""
        super().__init__(code, detail)
        self.code, self.close, self.recovery, self.detail = code, close, recovery, detail


@dataclass
class Place:
    """Where the device stands in a scope; `after` is None when no snapshot is open."""

    gen: int
    seq: int
    after: str | None
    members: dict[str, int] = field(default_factory=dict)


class PlainDevice(PlainSender):
    """One device: its replica, its outbox and its end of the session."""

    def __init__(
        self,
        name: str,
        key: Ed25519PrivateKey,
        wall: Callable[[], int],
        mono: Callable[[], int],
        kept_offset: int | None = None,
    ) -> None:
        """Begin with an empty replica.

        Args:
            name, key: who it is.
            wall, mono: give milliseconds.
            kept_offset: server's clock minus wall clock, kept from an earlier run.
        """
        super().__init__(name, key, wall, mono, kept_offset)
        self.schema = SCHEMA
        self.epoch: str | None = None
        self.places: dict[str, Place] = {}
        self.lease: Message | None = None
        self.token = ""
        self.pin: Pin | None = None
        self.opened()

    def opened(self) -> None:
        """A new socket is open: everything that belongs to a connection begins anew."""
        self.state = "connected"
        self.welcomed = False
        self.error: Message | None = None
        self.failed: ProtocolError | None = None
        self._out: list[bytes] = []
        self._credit = 0
        self._pushed = set()
        self._dealt_with = 0
        self._reached: dict[str, int] = {}
        self._repairs: dict[str, int] = {}
        self._chained: int | None = None
        self._handed: set[int] = set()
        self._read_upto = 0

    # --- the session -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take in one message of the server; a faulty one fails the session."""
        try:
            self._take(unpack(data), len(data))
        except ProtocolError as error:
            self.fail(error)

    def _take(self, message: Message, size: int) -> None:
        tag = message["t"]
        if tag not in EXPECTED[self.state]:
            raise ProtocolError("out_of_order", 4410, "stop", f"{tag} while {self.state}")
        getattr(self, f"_on_{tag}")(message)
        if tag in {"batch", "snapshot"}:
            self._dealt_with += size

    def fail(self, error: ProtocolError) -> None:
        """End the session from this side."""
        self.state, self.failed = "closed", error
        self._send(t="error", code=error.code, recovery=error.recovery, detail=error.detail)

    def outgoing(self) -> list[bytes]:
        """Frames to send now: answers, one ACK for what is in the replica, and ops as far as the credit goes."""
        if self.state == "live" and (self._reached or self._dealt_with):
            ack = {"scopes": self._reached, "credit": self._dealt_with}
            self._send(t="ack", **{name: value for name, value in ack.items() if value})
            self._reached, self._dealt_with = {}, 0
        while self.state == "live" and (self._push() or self._hand_over() or self._tell_reads()):
            pass
        frames, self._out = self._out, []
        return frames

    def ping(self, number: int) -> None:
        """Send a heartbeat."""
        self._send(t="ping", id=number)

    # --- what the server says ----------------------------------------------------------------------------------------

    def _on_challenge(self, message: Message) -> None:
        if not message["proto_min"] <= 1 <= message["proto_max"]:
            raise ProtocolError("upgrade_required", 4423, "upgrade")
        positions = []
        for scope, place in sorted(self.places.items()):
            position: Message = {"scope": scope, "gen": place.gen, "seq": place.seq}
            position |= {"digest": digest(place.members.items())} if place.after is None else {"after": place.after}
            positions.append(position)
        body: Message = {"proto": 1, "schema": self.schema, "device": self.name}
        body |= {} if self.epoch is None else {"epoch": self.epoch}
        body |= {"scopes": positions} if positions else {}
        body |= {"next_op": self.next_op, "wall": self._wall(), "mono": self._mono(), "credit": CREDIT_BYTES}
        last = max(self.links)
        extra: Message = {"token": self.token, "chain": {"n": last, "link": self.links[last]}}
        extra |= {"pinned": self.pin.size if self.pin else 0, "sealed": len(self._sealed())}
        body |= {name: value for name, value in extra.items() if value} | {"next_read": self.reads.next}
        raw = msgpack.packb(body)
        self.state = "greeted"
        self._send(t="hello", body=raw, proof=self._key.sign(b"beatbook.v1 hello\x00" + message["nonce"] + raw))

    def _on_welcome(self, message: Message) -> None:
        self.state, self.welcomed = "live", True
        self._offset = (message["server_time"], self._mono())
        self._credit = message["credit"]
        set_back = self.epoch not in {None, message["epoch"]}
        plans = sorted(message["scopes"], key=lambda plan: plan["action"] != "drop")
        for plan in plans:
            place = self.places.get(plan["scope"])
            set_back = set_back or (
                plan["action"] == "snapshot"
                and place is not None
                and place.after is None
                and place.seq > plan.get("seq", 0)
            )
            self._take_plan(plan, same_epoch=self.epoch == message["epoch"])
        if self.epoch not in {None, message["epoch"]}:
            self._note_lost(message["last_op"])
            self._distrusted = set(self.rows)
        for own in self.ops.values():
            if own.state == "waiting" or (set_back and own.state in PENDING | {"settled"}):
                own.state = "queued"
        for own in self.ops.values():
            if own.state == "quarantined" and set_back:
                own.state = "sealed"
        self.epoch = message["epoch"]
        self.next_op = max(self.next_op, message["last_op"] + 1)
        if message.get("chain") is not None:
            self._chained = message["chain"]["n"]
            self._follow(message["chain"])
        self.reads.kept(message.get("reads_kept", 0))
        self._on_lease(message)

    def _note_lost(self, last_op: int) -> None:
        """Another history: what the one before had not taken is not in it, nor what is above its last op."""
        for n, own in self.ops.items():
            if own.note and own.record not in self._distrusted:
                own.note = "ever"
            elif not own.note and n > last_op and own.state in PENDING | {"settled"}:
                own.note = "here"

    def _take_plan(self, plan: Message, *, same_epoch: bool) -> None:
        scope, gen, seq = plan["scope"], plan["gen"], plan.get("seq", 0)
        place = self.places.get(scope)
        if plan["action"] == "drop":
            self._drop(scope, gen)
        elif plan["action"] == "resume":
            if place is None or place.gen != gen or place.after is not None:
                raise ProtocolError("not_welcome", 4441, "stop", f"nothing to resume in {scope}")
            if place.seq == seq:
                self._compare(scope, place, plan)
        else:
            members = {} if place is None else place.members
            goes_on = (
                same_epoch and place is not None and place.after is not None and (place.gen, place.seq) == (gen, seq)
            )
            if not goes_on:
                self.places[scope] = Place(gen, seq, "", members)

    def _on_scope_add(self, message: Message) -> None:
        self._take_plan(message["plan"], same_epoch=True)

    def _on_retract(self, message: Message) -> None:
        self._drop(message["scope"], message["gen"])

    def _drop(self, scope: str, gen: int) -> None:
        place = self.places.pop(scope, None)
        before = set(self.rows)
        for record in [] if place is None else list(place.members):
            self._left(record)
        gone = before - self.rows.keys()
        for record in gone:
            self._seal_up(record)
        self._reached.pop(scope, None)
        self._settle()
        at, removed = self._now()[0], len(gone)
        receipt = self._key.sign(receipt_words(self.name, scope, gen, removed, at))
        more = {"sealed": sealed} if (sealed := len(self._sealed())) else {}
        self._send(t="retracted", scope=scope, gen=gen, removed=removed, at=at, receipt=receipt, **more)

    def _on_batch(self, message: Message) -> None:
        place = self.places.get(message["scope"])
        if place is None or place.gen != message["gen"]:
            return
        if place.after is not None or place.seq != message["from"] or message["to"] < message["from"]:
            raise ProtocolError("gap", 4440, "retry", message["scope"])
        for row in message.get("rows", []):
            self._take_row(place, row, replace=self._version(row["id"]) < row["v"])
        for record in message.get("erased", []):
            self._erase(record)
        for record in message.get("gone", []):
            place.members.pop(record, None)
            self._left(record)
        place.seq = self._reached[message["scope"]] = message["to"]
        if message.get("digest") is not None:
            self._compare(message["scope"], place, message)
        self._settle()

    def _on_snapshot(self, message: Message) -> None:
        place = self.places.get(message["scope"])
        if place is None or place.gen != message["gen"]:
            return
        repair = message.get("repair", False)
        if repair != (place.after is None) or (
            not repair and (place.after, place.seq) != (message["after"], message["at"])
        ):
            raise ProtocolError("gap", 4440, "retry", message["scope"])
        for record in message.get("erased", []):
            self._erase(record)
        rows = {row["id"]: row for row in message.get("rows", [])}
        for record in list(place.members):
            inside = message["after"] < record and (message["upto"] == "" or record <= message["upto"])
            if inside and record not in rows:
                del place.members[record]
                self._left(record)
        for row in rows.values():
            self._take_row(place, row, replace=True)
        if not repair:
            place.after = None if message.get("last", False) else message["upto"]
            if place.after is None:
                self._reached[message["scope"]] = place.seq
        self._settle()

    def _take_row(self, place: Place, row: Message, *, replace: bool) -> None:
        place.members[row["id"]] = row["v"]
        if replace:
            self.rows[row["id"]] = row
            self._distrusted.discard(row["id"])
            self._let_go_on(row["id"])

    def _left(self, record: str) -> None:
        if all(record not in place.members for place in self.places.values()):
            self.rows.pop(record, None)
            self._without_right(record)

    def _without_right(self, record: str) -> None:
        """Seal what was refused for want of a right, once its record is not here."""
        held = [own for own in self.ops.values() if own.record == record and own.state == "held"]
        if record not in self.rows and any(own.result["code"] == "op_not_permitted" for own in held):
            self._seal_up(record)

    def _compare(self, scope: str, place: Place, theirs: Message) -> None:
        ours = (digest(place.members.items()), len(place.members))
        if ours == (theirs["digest"], theirs.get("count", 0)):
            self._repairs.pop(scope, None)
            return
        self._repairs[scope] = self._repairs.get(scope, 0) + 1
        if self._repairs[scope] > REPAIRS_MAX:
            raise ProtocolError("not_welcome", 4441, "stop", f"no repair makes {scope} whole")
        ids = sorted(place.members)
        size = max(RANGE_RECORDS_MIN, -(-len(ids) // RANGES_MAX))
        cuts = ["", *ids[size - 1 : -1 : size], ""]
        ranges = []
        for after, upto in itertools.pairwise(cuts):
            part = [(each, place.members[each]) for each in ids if after < each and (upto == "" or each <= upto)]
            ranges.append({"after": after, "upto": upto, "digest": digest(part), "count": len(part)})
        self._send(t="repair", scope=scope, gen=place.gen, ranges=ranges)

    def _on_results(self, message: Message) -> None:
        self._credit += message.get("credit", 0)
        for result in message["results"]:
            own = self.ops.get(result["n"])
            if own is None:
                raise ProtocolError("not_welcome", 4441, "stop", f"a result for op {result['n']}")
            if own.state in ENDED | SHUT:
                if own.state == "sealed" and result["status"] == "durable":
                    own.state = "quarantined"
                continue
            own.result = result
            if result["status"] != "durable" and own.note != "ever":
                own.note = "here" if own.record in self._distrusted & self.rows.keys() else "ever"
            if result["status"] == "durable":
                if own.state in {"queued", "waiting"}:
                    own.state = "durable"
                    holding = {scope for scope, place in self.places.items() if own.record in place.members}
                    own.awaits = holding | set(result.get("scopes", []))
                    self._let_go_on(own.record)
            elif result["status"] == "waiting":
                own.state = "waiting"
            elif result["code"] == "op_reused":
                self._reissue([result["n"], *self._behind(result["n"])], RENUMBERED, {})
            elif result["code"] == "op_record_erased" and own.record not in self.rows:
                self._erase(own.record)
            else:
                own.state = "held"
                self._without_right(own.record)
        self._settle()

    def _settle(self) -> None:
        """Durable ops that the row holds, or whose row can no longer come, are no longer laid over."""
        earlier: set[str] = set()
        for own in self.ops.values():
            if own.state != "durable":
                continue
            record, seq = own.record, own.result["seq"]
            places = [self.places[scope] for scope in own.awaits if scope in self.places]
            passed = all(place.after is None and place.seq >= seq for place in places)
            if self._version(record) >= seq or (passed and record not in earlier):
                own.state, own.note = "settled", ""
            else:
                earlier.add(record)

    def _on_credit(self, message: Message) -> None:
        self._credit += message["bytes"]

    def _on_pong(self, message: Message) -> None:
        self._offset = (message["server_time"], self._mono())

    def _on_notice(self, message: Message) -> None:
        """Only for the person at the device."""

    def _on_error(self, message: Message) -> None:
        self.state, self.error = "closed", message

    def _on_lease(self, message: Message) -> None:
        if message.get("lease") is not None:
            self.lease = message["lease"]
            self.token = self.lease["token"]
            self.seal_to = self.lease.get("seal_to", b"")
        if self.pin is not None and message.get("checkpoint"):
            self.pin.take(message["checkpoint"], message.get("consistency", []))

    def _on_wipe(self, message: Message) -> None:
        self.rows, self.ops, self.places = {}, {}, {}
        self.lease, self.token, self.reads = None, "", ReadLog()
        at = self._now()[0]
        self._send(t="wiped", at=at, receipt=self._key.sign(wiped_words(self.name, at)))

    def _on_reads_kept(self, message: Message) -> None:
        self.reads.kept(message["upto"])

    def _on_quarantined(self, message: Message) -> None:
        for n in message["ids"]:
            if n in self.ops and self.ops[n].state == "sealed":
                self.ops[n].state = "quarantined"

    def consult(self, author: str, records: list[str], **more: Value) -> None:
        """Note that an officer looked at records, and why."""
        self.reads.note(author, records, self._now()[0], self._wall(), **more)
