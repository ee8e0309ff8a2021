"""A well-behaved device: the protocol core over a raw socket, with a replica in memory."""

import itertools
from collections.abc import Callable

from schemas import wire
from schemas.codec import decode_down
from schemas.ids import DeviceId, OfficerId, RecordId
from schemas.kinds import Kind, spec_of
from sync.check import changed_fields
from sync.replica import MemoryTables, Replica, WriteFacts
from sync.session import DeviceSession, HelloFacts
from sync.session.table import DeviceState
from tests.server.rawsocket import BINARY, RawSocket, frame
from tests.server.running import Running


class Handheld:
    """A well-behaved device: the protocol core over a raw socket, with a replica in memory."""

    def __init__(self, server: Running, device: str) -> None:
        """Bind it to the server that has enrolled it."""
        self._server = server
        self.device = DeviceId(device)
        self.replica = Replica(MemoryTables(), self.device)
        self._raw: RawSocket | None = None
        self._session: DeviceSession | None = None
        self._pings = itertools.count(1)
        self._pongs: set[int] = set()
        self.retracted: list[wire.Retract] = []
        self.ended: wire.Error | None = None

    @property
    def session(self) -> DeviceSession:
        """The open session."""
        assert self._session is not None
        return self._session

    @property
    def raw(self) -> RawSocket:
        """The open socket."""
        assert self._raw is not None
        return self._raw

    async def connect(self) -> None:
        """Open a session and take in all that is there."""
        facts = HelloFacts(
            device=self.device,
            epoch=self.replica.epoch,
            positions=self.replica.positions(),
            next_op=self.replica.next_op,
            chain=self.replica.chain,
        )
        self._session = DeviceSession(facts, self._server.key(self.device).sign, 0)
        self._raw = await self._server.raw()
        self.ended = None
        await self.until(lambda: self.session.state is DeviceState.LIVE)
        await self.until(lambda: all(held.after is None for held in self.replica.positions()))

    def disconnect(self) -> None:
        """Go, with no word."""
        self.raw.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Take in messages until something holds."""
        while not condition():
            await self.step()

    async def step(self) -> None:
        """Take in one message and answer as a device does."""
        found = await self.raw.frame()
        assert found is not None, f"{self.device}: the socket has ended"
        opcode, data = found
        assert opcode == BINARY, f"{self.device}: closed, {data!r} after {self.ended}"
        message = decode_down(data)
        if isinstance(message, wire.Pong):
            self._pongs.add(message.id)
        event = self.session.receive(data, 0, int(self._server.clock.now))
        match event:
            case wire.Welcome():
                self.replica.welcome(event)
            case wire.Snapshot() | wire.Batch():
                outcome = self.replica.page(event) if isinstance(event, wire.Snapshot) else self.replica.batch(event)
                assert outcome.differ == []
                self.session.applied(outcome.positions, len(data))
            case wire.Results():
                self.replica.results(event)
            case wire.Retract():
                for removed in self.replica.retract(event).removed:
                    self.session.retracted(*removed, self._server.clock.now)
                self.retracted.append(event)
            case wire.ScopeAdd():
                self.replica.scope_add(event)
            case wire.Error():
                self.ended = event
            case _:
                pass
        assert self.session.ending is None or self.ended is not None, self.session.ending
        await self._flush()

    async def _flush(self) -> None:
        for payload in self.session.outgoing():
            assert await self.raw.send(frame(BINARY, payload))

    async def ping(self) -> None:
        """Send a heartbeat and wait for its answer."""
        number = next(self._pings)
        assert await self.raw.send_message(wire.Ping(id=number))
        await self.until(lambda: number in self._pongs)

    async def write(self, record: RecordId, kind: Kind) -> None:
        """Make a record, push it, and wait until it is durable."""
        now = self._server.clock.now
        facts = WriteFacts(author=OfficerId("WM1234"), now=now, wall=now, occurred_at=now)
        spec = spec_of(type(kind))
        values = {name: getattr(kind, name) for name in spec.fields if getattr(kind, name) not in (None, ())}
        self.replica.write(record, spec, changed_fields(values), facts, create=True)
        queued = self.replica.queued(self.session.pushed_upto, 128)
        assert self.session.chained_upto is not None
        digests = self.replica.digests(self.session.chained_upto, queued[-1].n)
        assert self.session.push([(op.n, op.body) for op in queued], {}, digests) == len(queued)
        await self._flush()
        await self.until(lambda: not self.replica.queued(queued[0].n - 1, 1))  # type: ignore[arg-type]

    def holds(self, record: RecordId) -> bool:
        """Whether the record is in the replica."""
        return self.replica.view(record) is not None
