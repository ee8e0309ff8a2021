"""Many devices in one process: the real session and replica of each, over a socket that costs next to nothing."""

import asyncio
import os
import time
from typing import Final

import msgspec

from loadtest.bench.wire import Wire, connect
from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, ScopeName, new_record_id
from schemas.kinds import KINDS
from sync.device.keys import DeviceIdentity
from sync.replica import MemoryTables, Replica, WriteFacts
from sync.session import DeviceSession, HelloFacts
from sync.session.table import DeviceState

SYNC_PATH: Final = "/v1/sync"
SALT_BYTES: Final = 16


def wall_clock() -> Millis:
    """This machine's clock (ms since 1970)."""
    return Millis(time.time_ns() // 1_000_000)


def mono_ms() -> int:
    """A clock that only runs forward."""
    return time.monotonic_ns() // 1_000_000


class Device:
    """One device in contact.

    Attributes:
        identity, officer, area: whose it is, and where it works.
        retracts: when each RETRACT came (`time.perf_counter`), by scope.
        retract_bytes: how many bytes those were.
        ended: the code of the ERROR with which it was sent away.
    """

    def __init__(self, identity: DeviceIdentity, officer: str, area: str) -> None:
        """Begin with nothing."""
        self.identity = identity
        self.officer = OfficerId(officer)
        self.area = area
        self.replica = Replica(MemoryTables(), identity.device)
        self.retracts: dict[ScopeName, float] = {}
        self.retract_bytes = 0
        self.ended: str | None = None
        self._receipts: dict[ScopeName, bytes] = {}
        self._behind: set[ScopeName] = set()
        self._changed = asyncio.Event()
        self._waiting: dict[OpNumber, asyncio.Future[float]] = {}
        self._wire: Wire | None = None
        self._session: DeviceSession | None = None

    @property
    def name(self) -> DeviceId:
        """Its id."""
        return self.identity.device

    @property
    def closed(self) -> "asyncio.Future[str]":
        """Done once its connection is over."""
        assert self._wire is not None
        return self._wire.closed

    async def come(self, host: str, port: int) -> None:
        """Connect, and take in all that is there."""
        facts = HelloFacts(
            device=self.name,
            epoch=self.replica.epoch,
            positions=self.replica.positions(),
            next_op=self.replica.next_op,
            chain=self.replica.chain,
        )
        self._session = DeviceSession(facts, self.identity.sign, mono_ms())
        self._wire = Wire(f"{host}:{port}", SYNC_PATH, self._took)
        self._wire.closed.add_done_callback(self._lost)
        await connect(self._wire, host, port)
        while not self._is_current():
            self._changed.clear()
            await self._changed.wait()
            if self._wire.closed.done():
                raise ConnectionError(f"{self.name} was sent away: {self.ended or self._wire.closed.result()}")

    def _is_current(self) -> bool:
        assert self._session is not None
        return self._session.state is DeviceState.LIVE and bool(self.replica.positions()) and not self._behind

    def _lost(self, closed: "asyncio.Future[str]") -> None:
        """The connection is over: nobody waits any longer for what would have come."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(f"{self.name} was sent away: {self.ended or closed.result()}"))
        self._waiting.clear()
        self._changed.set()

    def beat(self) -> None:
        """Say that it is there, when it has heard nothing for a while: who is silent is taken for one that is gone."""
        if self._wire is not None and self._session is not None and not self.closed.done():
            self._session.tick(mono_ms())
            self._flush()

    def go(self) -> None:
        """Cut the connection."""
        if self._wire is not None:
            self._wire.close()

    # --- what comes --------------------------------------------------------------------------------------------------

    def _took(self, frame: bytes) -> None:
        assert self._wire is not None
        assert self._session is not None
        session = self._session
        event = session.receive(frame, mono_ms(), wall_clock())
        match event:
            case wire.Retract():
                self.retracts[event.scope] = self._wire.heard_at
                self.retract_bytes += len(frame)
                receipt = self._receipts.get(event.scope)
                if receipt is not None:
                    self._wire.send(receipt)
            case wire.Welcome():
                self._behind = {plan.scope for plan in event.scopes if plan.action != "drop"}
                self.replica.welcome(event)
            case wire.Batch():
                outcome = self.replica.batch(event)
                if event.digest is not None:
                    self._behind.discard(event.scope)
                session.applied(outcome.positions, len(frame))
            case wire.Snapshot():
                session.applied(self.replica.page(event).positions, len(frame))
            case wire.Results():
                self._answered(event)
            case wire.Error():
                self.ended = event.code
            case _:
                pass
        self._flush()
        self._changed.set()

    def _answered(self, results: wire.Results) -> None:
        assert self._wire is not None
        self.replica.results(results)
        for result in results.results:
            waiting = self._waiting.pop(result.n, None)
            if waiting is not None and not waiting.done():
                if result.status == "durable":
                    waiting.set_result(self._wire.heard_at)
                else:
                    waiting.set_exception(ValueError(f"op {result.n} of {self.name}: {result.code} {result.detail}"))

    def _flush(self) -> None:
        assert self._wire is not None
        assert self._session is not None
        for frame in self._session.outgoing():
            self._wire.send(frame)

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
        assert self._session is not None
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
        queued = self.replica.queued(self._session.pushed_upto, 1)
        after = self._session.chained_upto
        digests = {} if after is None else self.replica.digests(after, op.n)
        self._session.push([(each.n, each.body) for each in queued], digests=digests)
        self._flush()
        durable: float = await waiting
        return durable - began
