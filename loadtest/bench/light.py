"""Devices that cost the load generator next to nothing: the real session and chain, and no replica behind it.

A handheld works out on a processor of its own what a change does; thousands of them in one process would measure that
process. These sign, number and chain their ops as every device does, take in every byte and give its credit back, and
look at no more of it than how far it leads.
"""

import asyncio
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from loadtest.bench.contact import SALT_BYTES, Contact, wall_clock
from schemas import wire
from schemas.codec import encode
from schemas.ids import Epoch, FieldName, OpNumber, RecordId, ScopeName, Seq, new_record_id
from schemas.limits import CREDIT_BYTES
from schemas.ops import Op
from schemas.reads import NO_LINK, Read
from sync.device.keys import DeviceIdentity
from sync.evidence.chain import ChainHead, genesis, link_after
from sync.session import HelloFacts
from sync.session.device import DownEvent

_ACK_BYTES: Final = CREDIT_BYTES // 4


class ReadsHead(msgspec.Struct, frozen=True):
    """Where a read log stands: the number of its last entry, and the SHA-256 of that."""

    n: int
    link: bytes


class _Head(msgspec.Struct):
    """What is read of a message while only the way to its end is of interest."""

    t: str
    to: int = 0
    scope: str = ""
    c: msgspec.Raw = msgspec.Raw(b"")


class _Place(msgspec.Struct, array_like=True):
    """The same of a batch that is told short."""

    scope: str
    gen: int
    frm: int
    to: int


_HEAD: Final = msgspec.msgpack.Decoder(_Head)
_PLACE: Final = msgspec.msgpack.Decoder(_Place)


class Arrivals:
    """Counts those whom a commit has reached.

    Attributes:
        all_there: set when as many have come as are expected.
        last_at: when the last one came (`time.perf_counter`).
    """

    def __init__(self, expected: int) -> None:
        """Expect so many."""
        self.all_there = asyncio.Event()
        self.last_at = 0.0
        self._missing = expected

    def came(self, at: float) -> None:
        """One more."""
        self.last_at = at
        self._missing -= 1
        if self._missing == 0:
            self.all_there.set()


class Light(Contact):
    """One device without a replica.

    Attributes:
        upto: the commit up to which it has been told.
        messages: how many batches came while it only listened.
        records: the incidents that it reported, in order.
    """

    def __init__(self, identity: DeviceIdentity, officer: str, area: str) -> None:
        """Begin with nothing."""
        super().__init__(identity, officer, area)
        self.upto = 0
        self.messages = 0
        self.records: list[RecordId] = []
        self._versions: dict[RecordId, Seq] = {}
        self._epoch: Epoch | None = None
        self._positions: dict[ScopeName, wire.Position] = {}
        self._n = OpNumber(0)
        self._link = genesis(identity.device).link
        self._digests: dict[OpNumber, bytes] = {}
        self._waiting: dict[OpNumber, tuple[RecordId, asyncio.Future[float]]] = {}
        self._listening = False
        self._heeded: ScopeName | None = None
        self._reads = ReadsHead(0, NO_LINK)
        self._reads_waiting: dict[int, asyncio.Future[float]] = {}
        self._owed = 0
        self._awaited: deque[tuple[int, Arrivals]] = deque()
        """Commits that it is to be reached by, in order: of a slow server the next is expected before the last came."""

    def facts(self) -> HelloFacts:
        """It comes as one that holds what it was told of."""
        return HelloFacts(
            device=self.name,
            epoch=self._epoch,
            positions=tuple(self._positions.values()),
            next_op=OpNumber(self._n + 1),
            chain=ChainHead(self._n, self._link),
            next_read=self._reads.n + 1,
        )

    def lost(self, error: ConnectionError) -> None:
        """Nobody waits any longer for what would have come."""
        for _, waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
        self._waiting.clear()
        for reading in self._reads_waiting.values():
            if not reading.done():
                reading.set_exception(error)
        self._reads_waiting.clear()

    # --- what comes --------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """It holds nothing: what it says when it comes next. What it wrote, and its chain, are as they were."""
        self._positions.clear()
        self._listening = False

    def listen(self, scope: ScopeName | None = None) -> None:
        """From now on look only at how far a batch leads; with a scope, only at those of it."""
        self._listening = True
        self._heeded = scope
        self.upto = 0 if scope is not None else self.upto

    def expect(self, seq: int, arrivals: Arrivals) -> None:
        """Have it counted once it has been told of a commit; call it in the order of commits."""
        if self.upto >= seq:
            arrivals.came(self.wire.heard_at)
        else:
            self._awaited.append((seq, arrivals))

    def took(self, frame: bytes) -> None:
        """Take in one message."""
        head = _HEAD.decode(frame) if self._listening else None
        if head is None or head.t not in {"batch", "d"}:
            super().took(frame)
            return
        place = head if head.t == "batch" else _PLACE.decode(head.c)
        self.messages += 1
        if self._heeded is None or place.scope == self._heeded:
            self._led(place.to)
        self._owed += len(frame)
        if self._owed >= _ACK_BYTES:
            self.wire.send(encode(wire.Ack(scopes={}, credit=self._owed)))
            self._owed = 0

    def _led(self, to: int) -> None:
        self.upto = max(self.upto, to)
        while self._awaited and self.upto >= self._awaited[0][0]:
            _, arrivals = self._awaited.popleft()
            arrivals.came(self.wire.heard_at)

    def heard(self, event: DownEvent, frame: bytes) -> None:
        """Give credit back, and take answers in."""
        match event:
            case wire.Welcome():
                self._epoch = event.epoch
                self._positions = {
                    plan.scope: wire.Position(scope=plan.scope, gen=plan.gen, seq=plan.seq)
                    for plan in event.scopes
                    if plan.action != "drop"
                }
            case wire.Batch():
                self._led(event.to)
                self._positions[event.scope] = wire.Position(scope=event.scope, gen=event.gen, seq=event.to)
                self.session.applied({event.scope: event.to}, len(frame))
            case wire.Snapshot():
                self.session.applied({}, len(frame))
            case wire.Results():
                for result in event.results:
                    self._answered(result)
            case wire.ReadsKept():
                for n in [n for n in self._reads_waiting if n <= event.upto]:
                    self._reads_waiting.pop(n).set_result(self.wire.heard_at)
            case _:
                pass

    def _answered(self, result: wire.Result) -> None:
        record, waiting = self._waiting.pop(result.n, (None, None))
        if record is None or waiting is None or waiting.done():
            return
        if result.status == "durable":
            self._versions[record] = Seq(result.seq or 0)
            waiting.set_result(self.wire.heard_at)
        else:
            waiting.set_exception(ValueError(f"op {result.n} of {self.name}: {result.code} {result.detail}"))

    # --- what it does ------------------------------------------------------------------------------------------------

    async def report(self, count: int, summary: str = "Glass breaking") -> float:
        """Report incidents, in one push; when the last of them was answered (`time.perf_counter`)."""
        now = wall_clock()
        ops = []
        for _ in range(count):
            record = new_record_id(now, os.urandom(10))
            self.records.append(record)
            values = {"opened_at": now, "area": self.area, "category": "public-safety", "summary": summary}
            ops.append(self._op(record, values, create=True))
        return await self._push(ops)

    async def change(self, records: Iterable[RecordId], summary: str, began: float | None = None) -> tuple[float, Seq]:
        """Change incidents of its own, in one push.

        Args:
            records: which.
            summary: to what.
            began: from when on it counts (`time.perf_counter`), when that is not now.

        Returns:
            How long until all were durable (s), and the last of their commits.
        """
        chosen = list(records)
        began = time.perf_counter() if began is None else began
        last = await self._push([self._op(record, {"summary": summary}) for record in chosen])
        return last - began, max(self._versions[record] for record in chosen)

    async def brief(self, title: str, audience: ScopeName) -> tuple[RecordId, Seq]:
        """Issue a briefing; its record and its commit."""
        now = wall_clock()
        record = new_record_id(now, os.urandom(10))
        values = {"title": title, "body": "See the log.", "audience": [audience], "issued_at": now}
        await self._push([self._op(record, values, kind="briefing", create=True)])
        return record, self._versions[record]

    async def consult(self, record: RecordId, *, search: bool) -> float:
        """Log that its officer looks at a record, or found it in a search; when that was durable (`perf_counter`)."""
        now = wall_clock()
        n = self._reads.n + 1
        body = msgspec.msgpack.encode(
            Read(
                n=n,
                link=self._reads.link,
                what="combination" if search else "consultation",
                author=self.officer,
                records=(record,),
                at=now,
                wall=now,
                why="bench",
                words="glass" if search else "",
            )
        )
        kept: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if not self.session.reads(n, [body]):
            raise ConnectionError(f"{self.name}: an entry of its read log does not fit in what may be sent at once")
        self._reads = ReadsHead(n, hashlib.sha256(body).digest())
        self._reads_waiting[n] = kept
        self.flush()
        return await kept

    def is_settled(self, record: RecordId) -> bool:
        """Whether a record that it made is on the server."""
        return record in self._versions

    @property
    def versions(self) -> Mapping[RecordId, Seq]:
        """The commit of each of its records' last acknowledged change."""
        return self._versions

    @property
    def acknowledged(self) -> int:
        """The number of its last op: once nothing waits, so many of its ops were answered as durable."""
        return self._n

    def _op(
        self, record: RecordId, values: dict[str, Any], *, kind: str = "incident", create: bool = False
    ) -> tuple[RecordId, bytes]:
        now = wall_clock()
        self._n = OpNumber(self._n + 1)
        op = Op(
            device=self.name,
            n=self._n,
            record=record,
            kind=kind,
            author=self.officer,
            hlc=(now, self._n),
            occurred_at=now,
            wall=now,
            changes={FieldName(name): value for name, value in values.items()},
            create=create,
            base=self._versions.get(record, Seq(0)),
            link=self._link,
            salt=os.urandom(SALT_BYTES),
        )
        body = encode(op)
        self._digests[self._n] = hashlib.sha256(body).digest()
        self._link = link_after(self._link, self._n, self._digests[self._n])
        return record, body

    async def _push(self, ops: Sequence[tuple[RecordId, bytes]]) -> float:
        """Send ops; when the last of them was answered (`time.perf_counter`)."""
        loop = asyncio.get_running_loop()
        first = self._n - len(ops) + 1
        numbered = [(OpNumber(first + i), body) for i, (_, body) in enumerate(ops)]
        answers = []
        for (n, _), (record, _) in zip(numbered, ops, strict=True):
            answers.append(loop.create_future())
            self._waiting[n] = (record, answers[-1])
        taken = self.session.push(numbered, digests=self._digests)
        if taken < len(ops):
            raise ConnectionError(f"{self.name}: only {taken} of {len(ops)} ops fit in what may be sent at once")
        self._digests.clear()
        self.flush()
        found: list[float] = await asyncio.gather(*answers)
        return max(found)
