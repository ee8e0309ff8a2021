"""Many devices in one process: the real session and replica of each."""

import asyncio
import os
import time

import msgspec

from loadtest.bench.contact import SALT_BYTES, Contact, wall_clock
from schemas import wire
from schemas.codec import encode
from schemas.ids import FieldName, Millis, OpNumber, ScopeName, new_record_id
from schemas.kinds import KINDS
from sync.device.keys import DeviceIdentity
from sync.replica import MemoryTables, Replica, WriteFacts
from sync.session import HelloFacts
from sync.session.device import DownEvent


class Device(Contact):
    """One device with a replica in memory.

    Attributes:
        retracts: when each RETRACT came (`time.perf_counter`), by scope.
        retract_bytes: how many bytes those were.
    """

    def __init__(self, identity: DeviceIdentity, officer: str, area: str) -> None:
        """Begin with nothing."""
        super().__init__(identity, officer, area)
        self.replica = Replica(MemoryTables(), identity.device)
        self.retracts: dict[ScopeName, float] = {}
        self.retract_bytes = 0
        self._receipts: dict[ScopeName, bytes] = {}
        self._waiting: dict[OpNumber, asyncio.Future[float]] = {}

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
            case wire.Batch():
                self.session.applied(self.replica.batch(event).positions, len(frame))
            case wire.Snapshot():
                self.session.applied(self.replica.page(event).positions, len(frame))
            case wire.Results():
                self._answered(event)
            case _:
                pass

    def _answered(self, results: wire.Results) -> None:
        self.replica.results(results)
        for result in results.results:
            waiting = self._waiting.pop(result.n, None)
            if waiting is not None and not waiting.done():
                if result.status == "durable":
                    waiting.set_result(self.wire.heard_at)
                else:
                    waiting.set_exception(ValueError(f"op {result.n} of {self.name}: {result.code} {result.detail}"))

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
        now = wall_clock()
        record = new_record_id(now, n.to_bytes(10, "big"))
        values: dict[str, object] = {
            "opened_at": now, "area": self.area, "category": "public-safety", "summary": f"Glass breaking, call {n}"
        }  # fmt: skip
        changes = {FieldName(name): value for name, value in values.items()}
        facts = WriteFacts(author=self.officer, now=now, wall=now, occurred_at=now, salt=os.urandom(SALT_BYTES))
        op = self.replica.write(record, KINDS["incident"], changes, facts, create=True)
        waiting = self._waiting[op.n] = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        queued = self.replica.queued(self.session.pushed_upto, 1)
        after = self.session.chained_upto
        digests = {} if after is None else self.replica.digests(after, op.n)
        self.session.push([(each.n, each.body) for each in queued], digests=digests)
        self.flush()
        durable: float = await waiting
        return durable - began
