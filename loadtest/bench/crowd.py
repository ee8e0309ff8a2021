"""Many devices in one process: the real session and replica of each.

A handheld reads while its database works, and takes in together what has come meanwhile (`sync.device.link`). Here all
share one processor, so they take turns: what is to be read is read first, then one of them takes in what it has.
"""

import asyncio
import os
import time
from typing import Final

import msgspec

from loadtest.bench.contact import SALT_BYTES, Contact, wall_clock
from schemas import wire
from schemas.codec import encode
from schemas.ids import FieldName, Millis, OpNumber, ScopeName, Seq, new_record_id
from schemas.kinds import KINDS
from schemas.limits import OPS_PER_PUSH_MAX
from schemas.ops import Op
from sync.device.keys import DeviceIdentity
from sync.replica import MemoryTables, Replica, WriteFacts
from sync.session import HelloFacts
from sync.session.device import DownEvent


class _Turns:
    """Whose turn it is to take rows in: one device in each turn of the loop, those that wait longest first."""

    def __init__(self) -> None:
        self._waiting: dict[Device, None] = {}

    def wanted_by(self, device: "Device") -> None:
        """A device has something to take in; again: nothing."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting[device] = None

    def _next(self) -> None:
        device = next(iter(self._waiting))
        del self._waiting[device]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        device.take_in()


_TURNS: Final = _Turns()


class Device(Contact):
    """One device with a replica in memory.

    Attributes:
        retracts: when each RETRACT came (`time.perf_counter`), by scope.
        retract_bytes: how many bytes those were.
        durable_at, told_at: when it had last taken in what became of own ops, and records (`time.perf_counter`).
    """

    def __init__(self, identity: DeviceIdentity, officer: str, area: str) -> None:
        """Begin with nothing."""
        super().__init__(identity, officer, area)
        self._tables = MemoryTables()
        self.replica = Replica(self._tables, identity.device)
        self.retracts: dict[ScopeName, float] = {}
        self.retract_bytes = 0
        self.durable_at = self.told_at = 0.0
        self._receipts: dict[ScopeName, bytes] = {}
        self._waiting: dict[OpNumber, asyncio.Future[float]] = {}
        self._inbox: list[tuple[wire.Batch | wire.Snapshot, int]] = []

    def facts(self) -> HelloFacts:
        """As its replica stands."""
        return HelloFacts(
            device=self.name,
            epoch=self.replica.epoch,
            positions=self.replica.positions(),
            next_op=self.replica.next_op,
            chain=self.replica.chain,
        )

    def lost(self, error: ConnectionError) -> None:
        """Nobody waits any longer for what would have come."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
        self._waiting.clear()

    # --- what comes --------------------------------------------------------------------------------------------------

    def heard(self, event: DownEvent, frame: bytes) -> None:
        """Take it into the replica."""
        match event:
            case wire.Retract():
                self.retracts[event.scope] = self.wire.heard_at
                self.retract_bytes += len(frame)
                receipt = self._receipts.get(event.scope)
                if receipt is not None:
                    self.wire.send(receipt)
            case wire.Welcome():
                self.replica.welcome(event)
                self._push()
            case wire.Batch() | wire.Snapshot():
                self._inbox.append((event, len(frame)))
                _TURNS.wanted_by(self)
            case wire.Results():
                self._answered(event)
            case _:
                pass

    def take_in(self) -> None:
        """Take into the replica the rows that have come, and acknowledge them once."""
        came, self._inbox = self._inbox, []
        positions: dict[ScopeName, Seq] = {}
        for message, _ in came:
            outcome = self.replica.batch(message) if isinstance(message, wire.Batch) else self.replica.page(message)
            positions |= outcome.positions
        if came:
            self.told_at = time.perf_counter()
            self.session.applied(positions, sum(size for _, size in came))
            self.flush()
            self._changed.set()

    def _forget(self) -> None:
        """What was not taken in is told again on the next connection."""
        super()._forget()
        self._inbox.clear()

    def _is_current(self) -> bool:
        return super()._is_current() and not self._inbox

    def _push(self) -> None:
        """Send what is queued, as much as may be sent at once."""
        queued = self.replica.queued(self.session.pushed_upto, OPS_PER_PUSH_MAX)
        if queued:
            after = self.session.chained_upto
            digests = {} if after is None else self.replica.digests(after, queued[-1].n)
            self.session.push([(each.n, each.body) for each in queued], digests=digests)
            self.flush()

    def _answered(self, results: wire.Results) -> None:
        self.replica.results(results)
        self.durable_at = time.perf_counter()
        self._push()
        for result in results.results:
            waiting = self._waiting.pop(result.n, None)
            if waiting is not None and not waiting.done():
                if result.status == "durable":
                    waiting.set_result(self.wire.heard_at)
                else:
                    waiting.set_exception(ValueError(f"op {result.n} of {self.name}: {result.code} {result.detail}"))

    def held(self, scope: ScopeName) -> int:
        """How many records of a scope it holds."""
        position = self._tables.position(scope)
        return 0 if position is None else position.count

    def digest(self, scope: ScopeName) -> bytes | None:
        """Of a scope's records, once all of it is there."""
        return next((one.digest for one in self.replica.positions() if one.scope == scope), None)

    # --- what it does ------------------------------------------------------------------------------------------------

    def sign_ahead(self, at: Millis) -> None:
        """Make the receipts for everything that it holds.

        A handheld signs on a processor of its own; here all of them share one, and signing at the moment would measure
        the load generator.
        """
        for position in self.replica.positions():
            removed = 0
            said = [self.name, position.scope, position.gen, removed, at]
            signature = self.identity.sign(wire.RECEIPT_CONTEXT + msgspec.msgpack.encode(said))
            message = wire.Retracted(scope=position.scope, gen=position.gen, removed=removed, at=at, receipt=signature)
            self._receipts[position.scope] = encode(message)

    async def edit(self, n: int) -> float:
        """Report an incident; how long until it was durable (s).

        Args:
            n: what tells it from every other.
        """
        began = time.perf_counter()
        op = self.write(n)
        waiting = self._waiting[op.n] = asyncio.get_running_loop().create_future()
        self._push()
        durable: float = await waiting
        return durable - began

    def write(self, n: int) -> Op:
        """Report an incident on the device alone: it goes out with the next push, or when it comes.

        Args:
            n: what tells it from every other.
        """
        now = wall_clock()
        record = new_record_id(now, n.to_bytes(10, "big"))
        values: dict[str, object] = {
            "opened_at": now, "area": self.area, "category": "public-safety", "summary": f"Glass breaking, call {n}"
        }  # fmt: skip
        changes = {FieldName(name): value for name, value in values.items()}
        facts = WriteFacts(author=self.officer, now=now, wall=now, occurred_at=now, salt=os.urandom(SALT_BYTES))
        return self.replica.write(record, KINDS["incident"], changes, facts, create=True)
