"""The device's end of a session, without a socket: bytes in, bytes out, and word to whoever listens.

States and messages are those of docs/protocol.md. What a load test has no use for is left out on purpose: no officer
looks at a NOTICE, nothing is sealed when a right ends (nobody's right ends during a run), and the log's checkpoint is
not pinned.
"""

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from loadtest.locust.chain import Key, Link, hello_words, receipt_words, wiped_words
from loadtest.locust.outbox import Outbox, Own
from loadtest.locust.replica import Place, Replica
from loadtest.locust.wire import (
    CREDIT_BYTES,
    MESSAGE_BYTES_MAX,
    OPS_PER_PUSH_MAX,
    REPAIRS_MAX,
    SCHEMA,
    Message,
    ProtocolError,
    decoded,
    packed,
)

_ACK_BYTES: Final = 131_072
"""So much dealt with is told at once: a page and a half, with four of them on the way."""
_ACK_S: Final = 0.05
"""Else positions are gathered this long: a desk that sees every area may hear of a hundred commits in a second."""
_READS_PER_MESSAGE: Final = 64


class Hearing(Protocol):
    """Who is told what the server said."""

    def answered(self, own: Own) -> None:
        """A result came for an op."""

    def heard(self, row: Message) -> None:
        """A change came to a device that was current."""

    def current(self) -> None:
        """All that there was at WELCOME is here, and nothing of one's own is unanswered."""

    def differed(self, scope: str) -> None:
        """A scope's digest was another one than the server's."""


class Device:
    """One device: what it holds, and its end of the present session.

    Attributes:
        seat, officer: who it is; whose it is.
        replica, outbox: what it holds.
        state: `connected`, `greeted`, `live` or `closed`.
        error: the ERROR with which the server ended the session, or that this end sent.
        token: the session token; a newer one comes with each lease.
        repairs: how many repairs were asked for.
    """

    def __init__(
        self, seat: str, officer: str, key: Key, hearing: Hearing, *, wall: Callable[[], int], mono: Callable[[], float]
    ) -> None:
        """Begin with nothing.

        Args:
            seat, officer, key: who.
            hearing: is told.
            wall: ms since 1970, uncorrected.
            mono: s, only forward.
        """
        self.seat, self.officer, self._key = seat, officer, key
        self._wall, self._mono, self._hearing = wall, mono, hearing
        self.replica = Replica()
        self.outbox = Outbox(seat, key)
        self.token = ""
        self.repairs = 0
        self.reads_next, self.reads_link = 1, bytes(32)
        self._reads: dict[int, bytes] = {}
        self._reads_refused = False
        self._offset: tuple[int, float] | None = None
        self.opened()

    def remember(self, head: Link, reads_next: int, reads_link: bytes) -> None:
        """Go on where another program left this seat."""
        self.outbox = Outbox(self.seat, self._key, head)
        self.reads_next, self.reads_link = reads_next, reads_link

    def opened(self) -> None:
        """A new socket is open: everything that belongs to a connection begins anew."""
        self.state = "connected"
        self.error: Message | None = None
        self.caught_up = False
        self._out: list[bytes] = []
        self._credit = 0
        self._reached: dict[str, int] = {}
        self._dealt_with = 0
        self._acked_at = self._mono()
        self._read_upto = 0

    def lost(self) -> None:
        """The link is gone: what is written from now on goes once it is back."""
        self.state = "closed"

    # --- what the officer does ---------------------------------------------------------------------------------------

    def now(self) -> int:
        """The corrected clock (ms since 1970).

        Raises:
            ValueError: the device has never met a server.
        """
        if self._offset is None:
            raise ValueError(f"{self.seat} has met no server yet, so it does not know the time")
        return self._offset[0] + round((self._mono() - self._offset[1]) * 1_000)

    def write(self, record: str, kind: str, changes: Message, *, create: bool = False, author: str = "") -> Own:
        """Write an op; it goes with the next `outgoing`, or once the link is back."""
        now = self.now()
        change: Message = {"record": record, "kind": kind, "author": author or self.officer, "occurred_at": now}
        change |= {"wall": self._wall(), "changes": changes, "create": create}
        return self.outbox.write(change, self.replica.rows.get(record), now, live=self.state == "live")

    def consult(self, record: str, why: str) -> None:
        """Note that the officer looked at a record."""
        entry = {"n": self.reads_next, "link": self.reads_link, "what": "consultation", "author": self.officer}
        entry |= {"records": [record], "at": self.now(), "wall": self._wall(), "matter": record, "why": why}
        body = packed(entry)
        self._reads[self.reads_next] = body
        self.reads_next, self.reads_link = self.reads_next + 1, hashlib.sha256(body).digest()

    def ping(self, number: int) -> None:
        """Send a heartbeat."""
        self._send({"t": "ping", "id": number})

    # --- the session -------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take in one message; a faulty one ends the session."""
        try:
            message = decoded(data)
            self._take(message)
        except ProtocolError as error:
            self.fail(error)
            return
        if message["t"] in {"batch", "snapshot"}:
            self._dealt_with += len(data)
        if self.state == "live" and not self.caught_up and self._is_current():
            self.caught_up = True
            self._hearing.current()

    def fail(self, error: ProtocolError) -> None:
        """End the session from this side."""
        self.state = "closed"
        self.error = {"code": error.code, "recovery": error.recovery, "detail": error.detail, "close": error.close}
        self._send({"t": "error", "code": error.code, "recovery": error.recovery, "detail": error.detail[:500]})

    def outgoing(self) -> list[bytes]:
        """Frames to send now."""
        if self.state == "live":
            if self._dealt_with >= _ACK_BYTES or (self.owes_ack() and self._mono() - self._acked_at >= _ACK_S):
                self.acknowledge()
            while (push := self.outbox.push(self._credit, self._mono())) is not None:
                self._credit -= len(push)
                self._out.append(push)
            self._tell_reads()
        frames, self._out = self._out, []
        return frames

    def owes_ack(self) -> bool:
        """Whether positions or credit wait to be told."""
        return self.state == "live" and bool(self._reached or self._dealt_with)

    def acknowledge(self) -> None:
        """Tell what is in the replica."""
        ack: Message = {"t": "ack"}
        ack |= {"scopes": self._reached} if self._reached else {}
        ack |= {"credit": self._dealt_with} if self._dealt_with else {}
        self._send(ack)
        self._reached, self._dealt_with, self._acked_at = {}, 0, self._mono()

    def _send(self, message: Message) -> None:
        self._out.append(packed(message))

    def _tell_reads(self) -> None:
        waiting = [n for n in self._reads if n > self._read_upto]
        if not waiting or self._reads_refused:
            return
        some = waiting[: min(_READS_PER_MESSAGE, OPS_PER_PUSH_MAX)]
        raw = packed({"t": "reads", "first": some[0], "entries": [self._reads[n] for n in some]})
        if len(raw) <= min(MESSAGE_BYTES_MAX, self._credit):
            self._credit -= len(raw)
            self._read_upto = some[-1]
            self._out.append(raw)

    def _is_current(self) -> bool:
        return all(place.current for place in self.replica.places.values()) and not self.outbox.unanswered

    # --- what the server says ----------------------------------------------------------------------------------------

    def _take(self, message: Message) -> None:  # noqa: C901, PLR0912  one arm for each message of the page
        tag = message["t"]
        expected = {"connected": {"challenge", "error"}, "greeted": {"welcome", "error"}}.get(self.state)
        if self.state == "closed" or (expected is not None and tag not in expected):
            raise ProtocolError("out_of_order", f"{tag} while {self.state}")
        match tag:
            case "challenge":
                self._challenge(message)
            case "welcome" if self.state == "greeted":
                self._welcome(message)
            case "batch":
                self._batch(message)
            case "snapshot":
                self._snapshot(message)
            case "results":
                self._results(message)
            case "retract":
                removed = self.replica.drop(message["scope"])
                self._retracted(message["scope"], message["gen"], removed)
            case "scope_add":
                self.replica.take_plan(message["plan"])
                self.caught_up = False
            case "lease":
                self._lease(message["lease"])
            case "wipe":
                self._wipe()
            case "reads_kept":
                self._reads = {n: body for n, body in self._reads.items() if n > message["upto"]}
            case "pong":
                self._offset = (message["server_time"], self._mono())
            case "credit":
                self._credit += message["bytes"]
            case "notice":
                self._reads_refused = self._reads_refused or message["code"] == "reads_missing"
            case "error":
                self.state, self.error = "closed", message
            case "quarantined":
                pass
            case _:
                raise ProtocolError("unknown_type", str(tag))

    def _challenge(self, message: Message) -> None:
        if not message["proto_min"] <= 1 <= message["proto_max"]:
            raise ProtocolError("upgrade_required")
        head = self.outbox.head
        body: Message = {"proto": 1, "schema": SCHEMA, "device": self.seat}
        body |= {} if self.replica.epoch is None else {"epoch": self.replica.epoch}
        positions = self.replica.positions()
        body |= {"scopes": positions} if positions else {}
        body |= {"next_op": self.outbox.next_op, "wall": self._wall(), "mono": round(self._mono() * 1_000)}
        body |= {"credit": CREDIT_BYTES} | ({"token": self.token} if self.token else {})
        body |= {"chain": {"n": head.n, "link": head.link}, "next_read": self.reads_next}
        raw = packed(body)
        self.state = "greeted"
        self._send({"t": "hello", "body": raw, "proof": self._key.sign(hello_words(message["nonce"], raw))})

    def _welcome(self, message: Message) -> None:
        self.state = "live"
        self._offset = (message["server_time"], self._mono())
        self._credit = message["credit"]
        dropped, set_back = self.replica.take_welcome(message["epoch"], message["scopes"])
        if set_back:
            self.outbox.offer_again()
        self.outbox.begin(message["last_op"], message.get("chain"))
        for plan in dropped:
            self._retracted(plan["scope"], plan["gen"], plan["removed"])
        for plan in message["scopes"]:
            place = self.replica.places.get(plan["scope"])
            if plan["action"] == "resume" and place is not None and place.seq == plan.get("seq", 0):
                self._compare(plan["scope"], place, plan)
        if message.get("lease") is not None:
            self._lease(message["lease"])

    def _batch(self, message: Message) -> None:
        place = self.replica.take_batch(message)
        if place is None:
            return
        scope = message["scope"]
        self._reached[scope] = place.seq
        for record in (*message.get("gone", ()), *(row["id"] for row in message.get("rows", ()))):
            self.outbox.settle(record, self.replica.rows.get(record))
        if message.get("digest") is not None:
            self._compare(scope, place, message)
        if self.caught_up:
            for row in message.get("rows", ()):
                self._hearing.heard(row)

    def _snapshot(self, message: Message) -> None:
        place = self.replica.take_page(message)
        if place is None:
            return
        if place.after is None and not message.get("repair", False):
            self._reached[message["scope"]] = place.seq
        for row in message.get("rows", ()):
            self.outbox.settle(row["id"], self.replica.rows.get(row["id"]))

    def _compare(self, scope: str, place: Place, theirs: Message) -> None:
        if (place.digest(), len(place.members)) == (theirs["digest"], theirs.get("count", 0)):
            place.agreed, place.repairs = True, 0
            return
        self._hearing.differed(scope)
        place.repairs += 1
        self.repairs += 1
        if place.repairs > REPAIRS_MAX:
            raise ProtocolError("not_welcome", f"no repair makes {scope} whole")
        self._send({"t": "repair", "scope": scope, "gen": place.gen, "ranges": place.ranges()})

    def _results(self, message: Message) -> None:
        self._credit += message.get("credit", 0)
        for result in message["results"]:
            own = self.outbox.take_result(result)
            if own is None:
                continue
            row = self.replica.rows.get(own.record)
            held = any(scope in self.replica.places for scope in result.get("scopes", ()))
            if own.state == "durable" and (row is not None or not held):
                self.outbox.settle(own.record, row)
            self._hearing.answered(own)

    def _retracted(self, scope: str, gen: int, removed: int) -> None:
        self._reached.pop(scope, None)
        at = self.now()
        receipt = self._key.sign(receipt_words(self.seat, scope, gen, removed, at))
        self._send({"t": "retracted", "scope": scope, "gen": gen, "removed": removed, "at": at, "receipt": receipt})

    def _lease(self, lease: Message) -> None:
        self.token = lease["token"]

    def _wipe(self) -> None:
        self.replica = Replica()
        self.outbox = Outbox(self.seat, self._key)
        self.token, at = "", self.now()
        self._send({"t": "wiped", "at": at, "receipt": self._key.sign(wiped_words(self.seat, at))})
