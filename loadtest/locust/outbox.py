"""What a device writes: ops in their chain, from the moment they are written until the server has them on disk.

"What goes up", "The chain" and "The head" of docs/protocol.md. Of an officer who mends or withdraws what was refused,
there is nobody here: a refused op counts as a failure of the run and is given up, and what was built on it with it.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from loadtest.locust.chain import Key, Link, first_link, head_words
from loadtest.locust.wire import MESSAGE_BYTES_MAX, OP_BYTES_MAX, OPS_PER_PUSH_MAX, Message, packed

SIGHT: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "incident": {
        "status": ("status", "arrests", "abuse_victims", "assessments"),
        "grade": ("grade",),
        "arrests": ("status",),
    },
    "custody-booking": {"status": ("status",), "risk": ("risk",), "observation": ("observation",)},
    "briefing": {},
}
"""kind -> changed field -> fields of which the op says what its author saw. Only what the users here change; the test
holds
it to "Fields" of the page."""
GROWING: Final = frozenset(
    {"arrests", "abuse_victims", "assessments", "log", "deployments", "checks", "care", "detention"}
)
_SALT_BYTES: Final = 16
_AFTER_BYTES: Final = 16
_PENDING: Final = frozenset({"queued", "waiting", "durable"})
_PUSH_FRAME_BYTES: Final = 128
_PER_OP_BYTES: Final = 5


@dataclass(slots=True)
class Own:
    """One op of this device.

    Attributes:
        n, record, kind: which it is, about what.
        body, sha: its bytes, and their SHA-256.
        link: where the chain stands behind it.
        clock: its `hlc`.
        saw: field -> the ops that its author saw there.
        fields: what it changes. `create`: it makes the record.
        state: `queued`, `waiting`, `durable`, `settled` or `withdrawn`.
        result: what the server said last.
        pushed_at: when it was last sent (s, monotonic); 0.0 before. `live`: it was written while the link was up.
    """

    n: int
    record: str
    kind: str
    body: bytes
    sha: bytes
    link: Link
    clock: tuple[int, int]
    saw: dict[str, list[str]]
    fields: tuple[str, ...]
    create: bool = False
    state: str = "queued"
    result: Message = field(default_factory=dict)
    pushed_at: float = 0.0
    live: bool = True


class Outbox:
    """All ops of one device.

    Attributes:
        seat: whose they are.
        head: where the chain stands.
        ops: number -> op, in order.
    """

    def __init__(self, seat: str, key: Key, head: Link | None = None) -> None:
        """Go on behind `head`, or begin."""
        self.seat = seat
        self.head = first_link(seat) if head is None else head
        self.ops: dict[int, Own] = {}
        self._key = key
        self._kept = self.head
        self._next = self.head.n + 1
        self._chained: int | None = None
        self._unpushed: list[int] = []
        self._pending: dict[str, list[Own]] = {}

    @property
    def next_op(self) -> int:
        """The number that the next op gets."""
        return self._next

    @property
    def unanswered(self) -> int:
        """How many ops the server has said nothing final of."""
        return sum(own.state in {"queued", "waiting"} for owns in self._pending.values() for own in owns)

    def safe_head(self) -> Link:
        """Behind the last op before which nothing is unanswered: where another program may go on."""
        found = self._kept
        for own in self.ops.values():
            if own.state in {"queued", "waiting"}:
                break
            found = own.link
        return found

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, change: Message, row: Message | None, now: int, *, live: bool) -> Own:
        """Make an op.

        Args:
            change: `record`, `kind`, `author`, `occurred_at`, `wall`, `changes`, and `create` where it makes the
            record. row: the record as the server last told of it. now: the corrected clock (ms since 1970). live:
            whether the link is up.

        Raises:
            ValueError: it is longer than an op may be.
        """
        record, kind, n = change["record"], change["kind"], self._next
        pending = self._shown_over(record, row)
        clock = self._clock(row, pending, now)
        saw: dict[str, list[str]] = {}
        if row is not None or any(own.create for own in pending):
            # Of a record that is not shown nobody has seen anything.
            told = dict.fromkeys(each for name in change["changes"] for each in SIGHT.get(kind, {}).get(name, ()))
            saw = {name: sorted(self._seen(name, row, pending)) for name in told}
        after = next((own for own in reversed(self._pending.get(record, [])) if own.state != "durable"), None)
        op: Message = {"device": self.seat, "n": n, "record": record, "kind": kind, "author": change["author"]}
        op |= {"hlc": clock, "occurred_at": change["occurred_at"], "wall": change["wall"], "changes": change["changes"]}
        optional = {
            "create": change.get("create", False),
            "base": 0 if row is None else row["v"],
            "after": 0 if after is None else after.n,
            "after_digest": b"" if after is None else after.sha[:_AFTER_BYTES],
            "saw": saw,
        }
        op |= {name: value for name, value in optional.items() if value}
        op |= {"link": self.head.link, "salt": secrets.token_bytes(_SALT_BYTES)}
        body = packed(op)
        if len(body) > OP_BYTES_MAX:
            raise ValueError(f"an op of {len(body)} bytes: no more than {OP_BYTES_MAX} are taken")
        sha = hashlib.sha256(body).digest()
        own = Own(n, record, kind, body, sha, self.head.behind(n, sha), clock, saw, tuple(change["changes"]), live=live)
        own.create = bool(change.get("create"))
        self.head, self._next = own.link, n + 1
        self.ops[n] = own
        self._pending.setdefault(record, []).append(own)
        self._unpushed.append(n)
        return own

    def _shown_over(self, record: str, row: Message | None) -> list[Own]:
        """The pending ops that the row does not hold yet."""
        held = 0 if row is None else row.get("upto", {}).get(self.seat, 0)
        return [own for own in self._pending.get(record, ()) if own.n > held]

    @staticmethod
    def _clock(row: Message | None, pending: list[Own], now: int) -> tuple[int, int]:
        stamps = [] if row is None else [(stamp[2], stamp[3]) for stamp in row["stamps"]]
        seen = max([*stamps, *(own.clock for own in pending)], default=(0, 0))
        return (now, 0) if now > seen[0] else (seen[0], seen[1] + 1)

    def _seen(self, name: str, row: Message | None, pending: list[Own]) -> set[str]:
        """The ops whose values stand in a field as it is shown."""
        found = set() if row is None else set(_ops_of(name, row))
        for own in pending:
            if name in own.fields:
                if name not in GROWING:
                    found -= set(own.saw.get(name, ()))
                found.add(f"{self.seat}/{own.n}")
        return found

    # --- sending -----------------------------------------------------------------------------------------------------

    def begin(self, last_op: int, chain: Message | None) -> bool:
        """A session begins: everything unanswered is offered anew, behind the chain that the server holds.

        Returns:
            Whether the chain was the one that this device has. It is not after another program had used the seat, and
            what was unanswered is given up then.
        """
        own_chain = True
        self._chained = None if chain is None else chain["n"]
        if chain is not None and chain["n"] != self._kept.n and chain["n"] not in self.ops:
            own_chain = False
        elif chain is not None:
            here = self.ops[chain["n"]].link if chain["n"] in self.ops else self._kept
            own_chain = here.link == chain["link"]
        if not own_chain and chain is not None:
            for own in [each for each in self.ops.values() if each.state in _PENDING]:
                self._end(own, "withdrawn")
            self.head = self._kept = Link(chain["n"], chain["link"])
        for owns in self._pending.values():
            for own in owns:
                own.state = "queued" if own.state == "waiting" else own.state
        self._unpushed = sorted(own.n for owns in self._pending.values() for own in owns if own.state == "queued")
        self._next = max(self._next, last_op + 1, self.head.n + 1)
        return own_chain

    def offer_again(self) -> None:
        """The server was set back: what it had taken is offered anew with the rest."""
        for own in self.ops.values():
            if own.state in {"durable", "settled"}:
                if own.state == "settled":
                    self._pending.setdefault(own.record, []).append(own)
                own.state = "queued"
        self._unpushed = sorted(own.n for owns in self._pending.values() for own in owns if own.state == "queued")

    def push(self, credit: int, now_s: float) -> bytes | None:
        """The next PUSH that the credit allows; None when there is none."""
        room = min(MESSAGE_BYTES_MAX, credit) - _PUSH_FRAME_BYTES
        taken: list[Own] = []
        for n in self._unpushed[:OPS_PER_PUSH_MAX]:
            own = self.ops[n]
            room -= len(own.body) + _PER_OP_BYTES
            if room < 0:
                break
            taken.append(own)
        if not taken:
            return None
        del self._unpushed[: len(taken)]
        for own in taken:
            own.pushed_at = now_s
        message: Message = {"t": "push", "ops": [own.body for own in taken]}
        last = taken[-1]
        if self._chained is not None and last.n > self._chained:
            sent = {own.n for own in taken}
            unsent = [[n, self.ops[n].sha] for n in range(self._chained + 1, last.n) if n in self.ops and n not in sent]
            message["head"] = self._key.sign(head_words(self.seat, last.link))
            if unsent:
                message["unsent"] = unsent
            self._chained = last.n
        return packed(message)

    # --- what the server says ----------------------------------------------------------------------------------------

    def take_result(self, result: Message) -> Own | None:
        """What became of an op; None of one that this program did not write, or that has ended."""
        own = self.ops.get(result["n"])
        if own is None or own.state == "withdrawn":
            return None
        own.result = result
        match result["status"]:
            case "durable":
                own.state = "durable" if own.state != "settled" else own.state
            case "waiting" if not self._in_vain(result):
                own.state = "waiting"
            case _:
                self._end(own, "withdrawn")
        return own

    def _in_vain(self, result: Message) -> bool:
        """Whether an op waits for one that was given up."""
        return result.get("code", "") not in {"", "op_saw_unknown", "op_kind_unknown", "op_value_newer"}

    def settle(self, record: str, row: Message | None) -> None:
        """A row, or its going: what it holds is laid over it no more, and what waited for it is offered again."""
        for own in list(self._pending.get(record, ())):
            if own.state == "durable" and (row is None or row["v"] >= own.result["seq"]):
                self._end(own, "settled")
            elif own.state == "waiting":
                own.state = "queued"
                self._unpushed = sorted({*self._unpushed, own.n})

    def _end(self, own: Own, state: str) -> None:
        own.state = state
        rest = [each for each in self._pending.get(own.record, ()) if each is not own]
        if rest:
            self._pending[own.record] = rest
        else:
            self._pending.pop(own.record, None)


def _ops_of(name: str, row: Message) -> Iterator[str]:
    """The ops of all stamps in one field's cell."""
    cell = row["cells"].get(name)
    if cell is None:
        return
    numbers = (
        [entry[1] for entry in cell] if name in GROWING else [cell[1], *(each[1] for each in (cell[2:3] or [[]])[0])]
    )
    for number in numbers:
        stamp = row["stamps"][number]
        yield f"{stamp[0]}/{stamp[1]}"
