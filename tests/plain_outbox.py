"""The officer's side of the device: what is shown, what is written, and what becomes of its own ops.

Written from docs/protocol.md alone (see plain_client.py).
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from tests.plain_evidence import first_link, link_behind, seal
from tests.plain_merge import FIELDS, RENUMBERED, Record, apply, record_of, sight

EARLIER_OFFSET, NEVER_SET, SET_BACK = 1, 2, 4
SET_BACK_MS = 2_000
PENDING = {"queued", "waiting", "durable", "held"}
SHUT = {"sealed", "quarantined", "erased"}
ENDED = {"mended", "withdrawn", "reissued"}

Value = Any
Message = dict[str, Any]


@dataclass
class OwnOp:
    """An op of this device, with the exact bytes that are pushed; `mono` when its time may be told better.

    `note` is "ever" or "here" when it is not taken. Once it is sealed, `body` is the sealed bytes; the rest stays.
    """

    body: bytes
    sha: bytes
    record: str
    wall: int
    state: str = "queued"
    mono: int | None = None
    result: Message = field(default_factory=dict)
    awaits: set[str] = field(default_factory=set)
    note: str = ""

    @property
    def op(self) -> Message:
        """The op's fields."""
        return unpack(self.body)


def unpack(data: bytes) -> Message:
    """One MessagePack map."""
    found: Message = msgpack.unpackb(data)
    return found


class PlainOutbox:
    """The replica's rows and this device's ops over them."""

    def __init__(self, name: str, wall: Callable[[], int], mono: Callable[[], int], kept_offset: int | None) -> None:
        """Begin with nothing. See `PlainDevice`."""
        self.salt: Callable[[], bytes] = lambda: secrets.token_bytes(16)
        self.links = {0: first_link(name)}
        self.seal_to = b""
        self.name, self._wall, self._mono = name, wall, mono
        self.rows: dict[str, Message] = {}
        self.ops: dict[int, OwnOp] = {}
        self.next_op = 1
        self._kept_offset = kept_offset
        self._offset: tuple[int, int] | None = None
        self._pushed: set[int] = set()
        self._distrusted: set[str] = set()

    # --- the officer -------------------------------------------------------------------------------------------------

    def create(self, record: str, kind: str, author: str, changes: Message) -> int:
        """Make a record; returns the op's number."""
        return self._write(record, kind, author, changes, create=True)

    def edit(
        self, record: str, author: str, changes: Message, kind: str | None = None, *, correct: bool = False
    ) -> int:
        """Change a record; returns the op's number. `kind` is needed only for one that this device does not show."""
        shown = self.shown(record)
        if kind is None and shown is None:
            raise KeyError(record)
        return self._write(record, kind or shown.kind, author, changes, correct=correct)  # type: ignore[union-attr]

    def decide(self, item: str, author: str, value: Value, reason: str) -> int:
        """Decide an inbox item."""
        return self.edit(item, author, {"decision": {"value": value, "reason": reason}})

    def mend(self, n: int, changes: Message) -> int:
        """Put a refused op right: another takes its place, and what builds on it is issued again behind that."""
        own = self.ops[n]
        behind = self._behind(n)
        own.state = "mended"
        laid_aside = {each: self.ops[each].state for each in behind}
        for each in behind:
            self.ops[each].state = "reissued"
        op = own.op
        made = op.get("create", False) and op["record"] not in self.rows
        new = self._write(op["record"], op["kind"], op["author"], op["changes"] | changes, create=made, replaces=n)
        for each, state in laid_aside.items():
            self.ops[each].state = state
        self._reissue(behind, 0, {n: new})
        return new

    def _write(
        self, record: str, kind: str, author: str, changes: Message, *,
        create: bool = False, correct: bool = False, replaces: int = 0,
    ) -> int:  # fmt: skip
        n, wall = self.next_op, self._wall()
        now, doubt = self._now()
        shown = self.shown(record)
        stamps = [stamp for cell in shown.cells.values() for stamp in cell.stamps] if shown else []
        ms, tick = max(((stamp[2], stamp[3]) for stamp in stamps), default=(0, 0))
        if n - 1 in self.ops and wall < self.ops[n - 1].wall - SET_BACK_MS:
            doubt |= SET_BACK
        after = max((each for each in self._pending(record) if self.ops[each].state != "durable"), default=0)
        op = {
            "device": self.name,
            "n": n,
            "record": record,
            "kind": kind,
            "author": author,
            "hlc": [now, 0] if now > ms else [ms, tick + 1],
            "occurred_at": now,
            "wall": wall,
            "changes": changes,
        }
        extra = {
            "create": create,
            "base": self.rows.get(record, {}).get("v", 0),
            "after": after,
            "saw": sight(shown, kind, changes),
            "after_digest": self._digest(after),
            "correct": correct,
            "doubt": doubt,
            "replaces": replaces,
            "link": self.links[max(self.links)],
            "salt": self.salt(),
        }
        op |= {name: value for name, value in extra.items() if value}
        lifted = ms >= now
        self._keep(op, self._mono() if doubt or lifted else None)
        return n

    def _keep(self, op: Message, mono: int | None) -> None:
        n, body = op["n"], msgpack.packb(op)
        own = self.ops[n] = OwnOp(body, hashlib.sha256(body).digest(), op["record"], op["wall"], mono=mono)
        self.links[n] = link_behind(self.links[max(self.links)], n, own.sha)
        self.next_op = n + 1

    def _digest(self, n: int) -> bytes:
        return self.ops[n].sha[:16] if n in self.ops else b""

    def _follow(self, chain: Message) -> None:
        """See that the next op follows the chain as the server holds it."""
        n, link = chain["n"], chain["link"]
        self.next_op = max(self.next_op, n + 1)
        if self.links.get(n) == link:
            return
        beyond = sorted(each for each in self.ops if each > n)
        self.links = {n: link}
        for each in beyond:
            self.links[each] = link_behind(self.links[max(self.links)], each, self.ops[each].sha)
        self._reissue([each for each in beyond if self.ops[each].state in {"queued", "waiting"}], RENUMBERED, {})

    def _seal_up(self, record: str) -> None:
        """The officer's right to a record has ended: what they wrote on it is sealed to the server."""
        if not self.seal_to:
            return
        for own in self.ops.values():
            if own.record == record and own.state in ENDED:
                own.body = b""
            elif own.record == record and own.state not in SHUT:
                own.body, own.note = seal(own.body, self.seal_to), ""
                own.state = "quarantined" if own.state in {"durable", "settled"} else "sealed"

    def _erase(self, record: str) -> None:
        """The record was erased: of what was written on it here only the hashes stay."""
        for own in self.ops.values():
            if own.record == record:
                own.body, own.note, own.result = b"", "", {}
                own.state = own.state if own.state in ENDED else "erased"

    def _now(self) -> tuple[int, int]:
        """The corrected clock, and what is doubtful about it."""
        if self._offset is not None:
            return self._true_time(self._mono()), 0
        if self._kept_offset is not None:
            return max(0, self._wall() + self._kept_offset), EARLIER_OFFSET
        return self._wall(), NEVER_SET

    def _true_time(self, mono: int) -> int:
        server_ms, mono_ms = self._offset or (0, 0)
        return server_ms + mono - mono_ms

    def _pending(self, record: str) -> list[int]:
        return [n for n, own in self.ops.items() if own.state in PENDING and own.record == record]

    def _behind(self, n: int) -> list[int]:
        """The pending ops that build on one which the server does not take in."""
        found = [n]
        for each in self._pending(self.ops[n].record):
            if each > n and self.ops[each].state != "durable" and self.ops[each].op.get("after", 0) in found:
                found.append(each)
        return found[1:]

    def _reissue(self, numbers: list[int], doubt: int, became: dict[int, int]) -> None:
        """Issue ops again, in order, with new numbers in all that names one of them."""
        for old in numbers:
            own = self.ops[old]
            op = own.op
            became[old] = op["n"] = self.next_op
            names = {f"{self.name}/{one}": f"{self.name}/{other}" for one, other in became.items()}
            op["link"] = self.links[max(self.links)]
            if op.get("after", 0) in became:
                op["after"] = became[op["after"]]
                op["after_digest"] = self._digest(op["after"])
            if "saw" in op:
                op["saw"] = {each: sorted({names.get(one, one) for one in saw}) for each, saw in op["saw"].items()}
            for value in op["changes"].values():
                for entry in value if isinstance(value, list) else []:
                    if isinstance(entry, dict) and entry.get("corrects"):
                        entry["corrects"][0] = names.get(entry["corrects"][0], entry["corrects"][0])
            if op.get("doubt", 0) | doubt:
                op["doubt"] = op.get("doubt", 0) | doubt
            own.state = "reissued"
            self._keep(op, own.mono)

    def shown(self, record: str) -> Record | None:
        """What the device shows: the server's row with its pending ops laid over it; None when there is nothing."""
        row = self.rows.get(record)
        found = None if row is None else record_of(row)
        pending = [self.ops[n] for n in self._pending(record)]
        left_out = set() if found is None else self._held(record, found, pending)
        for own in pending:
            op = own.op
            if found is None and op.get("create", False):
                found = Record(op["kind"])
            if found is not None and found.kind in FIELDS and op["n"] not in left_out:
                apply(found, op, not_taken=True)
        return found

    def _held(self, record: str, row: Record, pending: list[OwnOp]) -> set[int]:
        """The pending ops that the row holds."""
        held: set[int] = set()
        for own in reversed(pending):
            op, noted = own.op, self._noted(record, own)
            if op["n"] > row.upto.get(self.name, 0) or (noted and (own.state != "queued" or op["n"] not in held)):
                held.discard(op["n"])
                continue
            seen = [name.split("/") for names in op.get("saw", {}).values() for name in names]
            held |= {op["n"], op.get("after", 0), *(int(n) for device, n in seen if device == self.name)}
        return held

    def _noted(self, record: str, own: OwnOp) -> bool:
        """Whether the device knows that the row does not hold the op."""
        if own.state == "durable" and self._version(record) >= own.result["seq"]:
            return False
        return own.note == "ever" or (own.note == "here" and record not in self._distrusted)

    def _version(self, record: str) -> int:
        """The version of the kept row; 0 without one, and of one that another history's commits count."""
        return 0 if record in self._distrusted else self.rows.get(record, {}).get("v", 0)

    def values(self, record: str) -> Message:
        """Field -> plain value; empty when there is nothing to show."""
        found = self.shown(record)
        return {} if found is None else found.values()

    def provisional(self, record: str, name: str) -> bool:
        """Whether a claim that this device shows is its own and not yet confirmed."""
        found = self.shown(record)
        if found is None or name not in found.cells:
            return False
        device, n = found.cells[name].said[0][1][:2]
        return device == self.name and n in self.ops and self.ops[n].state not in {"durable", "settled"}

    def open_items(self) -> list[str]:
        """The inbox items that wait for a decision."""
        items = [record for record, row in self.rows.items() if row["kind"] == "inbox-item"]
        shown = {record: self.values(record) for record in items}
        return [each for each, item in shown.items() if item.get("decision") is None and item.get("ended_by") is None]

    def _let_go_on(self, record: str) -> None:
        """Something of the record has come: offer again what waits, but for what waits behind a refused op."""
        for n in self._pending(record):
            if self.ops[n].state == "held":
                return
            if self.ops[n].state == "waiting":
                self.ops[n].state = "queued"
                self._pushed.discard(n)
