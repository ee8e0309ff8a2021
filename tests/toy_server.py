"""A small server over real sockets for tests: the real session and a store in memory, and ways to misbehave.

It is no smaller copy of the product's server: it pumps one `ServerSession` per connection and decides nothing. What it
adds is what a test wants of a server: to cut, to go silent, to send bytes made by hand, to grant and to take away.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from schemas import wire
from schemas.codec import decode_up, encode
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import Kind, spec_of
from schemas.limits import MESSAGE_BYTES_MAX
from schemas.ops import Op
from schemas.wire import NONCE_BYTES, SUBPROTOCOL
from server.commits import Settled, Submission
from server.store.memory import MemoryStore
from sync import digest
from sync.check import changed_fields
from sync.device import DeviceIdentity
from sync.session import Admission, Grant, Head, ServerSession
from sync.session.steps import (
    CheckHello,
    Commit,
    Demand,
    KeepReads,
    KeepSealed,
    Receipt,
    Send,
    WantChanges,
    WantPage,
    WantRanges,
)

CONTROL_ROOM = DeviceId("control-room")
NOTHING = Head(Seq(0), digest.EMPTY, 0)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature fits."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def system_now() -> Millis:
    """The machine's clock."""
    return Millis(time.time_ns() // 1_000_000)


class Connection:
    """One device's socket.

    Attributes:
        session: the protocol's state.
        heard: every message of the device, decoded.
    """

    def __init__(self, socket: ServerConnection, toy: "ToyServer") -> None:
        """Begin: CHALLENGE waits to be sent."""
        self.session = ServerSession(secrets.token_bytes(NONCE_BYTES), verify, toy.now())
        self.heard: list[wire.Up] = []
        self._socket = socket
        self._toy = toy
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """There may be something to send."""
        self._awake.set()

    def cut(self) -> None:
        """Tear the connection, as a tunnel does: no closing handshake."""
        self._socket.transport.abort()

    async def say(self, data: bytes | str) -> None:
        """Send bytes made by hand."""
        await self._socket.send(data)

    async def run(self) -> None:
        """Serve it to its end."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, Exception) and not isinstance(failure, ConnectionClosed):
                self._toy.failures.append(failure)

    async def _read(self) -> None:
        while True:
            data = await self._socket.recv()
            assert isinstance(data, bytes)
            self._toy.heard(self, decode_up(data))
            await self._toy.obey(self, self.session.receive(data, self._toy.now()))
            self.wake()

    async def _write(self) -> None:
        while True:
            await self._toy.unmuted.wait()
            frame = await self._next_frame()
            if frame is not None:
                await self._socket.send(frame)
            elif self.session.ending is not None:
                await self._socket.close(self.session.ending.spec.close or 1000)
                return
            else:
                self._awake.clear()
                await self._awake.wait()

    async def _next_frame(self) -> bytes | None:
        store = self._toy.store
        while (step := self.session.next_step()) is not None:
            sent: bytes | None = None
            match step:
                case Send(frame):
                    return frame
                case WantChanges(scope, gen, after):
                    found = await store.changes(scope, after)
                    frame = encode(
                        wire.Batch(
                            scope=scope,
                            gen=gen,
                            frm=after,
                            to=found.to,
                            rows=tuple(map(msgspec.Raw, found.rows)),
                            gone=found.gone,
                            erased=found.erased,
                            digest=self._toy.told_digest(None if found.head is None else found.head.digest),
                            count=None if found.head is None else found.head.count,
                        )
                    )
                    sent = self.session.changes_read(step, found.to, frame)
                case WantPage(scope, after, upto):
                    page = await store.page(scope, after, upto)
                    sent = self.session.page_read(step, list(page.rows), page.upto, page.erased)
                case WantRanges(scope, ranges):
                    self.session.ranges_read(step, await store.ranges(scope, ranges))
            if sent is not None:
                return sent
        return None


class ToyServer:
    """A store in memory behind real sockets. Use `toy_server`.

    Attributes:
        store: what it keeps.
        connections: those that are open, the oldest first.
        failures: what went wrong in it; a test that does not expect any finds none.
        unmuted: cleared, it says nothing more, and the sockets stay open.
        now: its clock.
        told_digest: what it tells of a scope's digest, given the true one.
    """

    def __init__(self, now: Callable[[], Millis]) -> None:
        """Start empty, with nobody enrolled."""
        self.store = MemoryStore()
        self.connections: list[Connection] = []
        self.failures: list[Exception] = []
        self.unmuted = asyncio.Event()
        self.unmuted.set()
        self.now = now
        self.told_digest: Callable[[bytes | None], bytes | None] = lambda true: true
        self._keys: dict[DeviceId, bytes] = {}
        self._grants: dict[DeviceId, dict[ScopeName, Generation]] = {}
        self._watches: list[tuple[Callable[[Connection, wire.Up], bool], asyncio.Future[wire.Up]]] = []
        self._commits = asyncio.Lock()
        self._own_ops = 0
        self._listener: Server | None = None
        self._port = 0

    # --- standing ----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Take connections; at the same address as before, if there was one."""
        self._listener = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            ping_interval=None,
        )
        self._port = next(iter(self._listener.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Cut every connection and take no other."""
        if self._listener is None:
            return
        self.cut_all()
        self._listener.close()
        await self._listener.wait_closed()
        self._listener = None

    def cut_all(self) -> None:
        """Tear every connection."""
        for connection in self.connections:
            connection.cut()

    def enrol(self, identity: DeviceIdentity, *scopes: ScopeName) -> None:
        """Let a device in, with grants of generation 1."""
        self._keys[identity.device] = identity.public_key
        self._grants[identity.device] = dict.fromkeys(scopes, Generation(1))

    async def grant(self, device: DeviceId, scope: ScopeName) -> None:
        """Give a device another scope while it is connected, or while it is not."""
        gen = Generation(max([1, *self._grants[device].values()]) + 1)
        self._grants[device][scope] = gen
        heads = await self.store.heads()
        for connection in self._of(device):
            connection.session.regrant(scope, Grant(gen, heads.get(scope, NOTHING)))
            connection.wake()

    def take_away(self, device: DeviceId, scope: ScopeName) -> None:
        """End a grant."""
        del self._grants[device][scope]
        for connection in self._of(device):
            connection.session.regrant(scope, None)
            connection.wake()

    def _of(self, device: DeviceId) -> list[Connection]:
        return [connection for connection in self.connections if connection.session.device == device]

    # --- what a test watches and does --------------------------------------------------------------------------------

    def next_message(self, kind: type[wire.Up], device: DeviceId | None = None) -> "asyncio.Future[Any]":
        """The next message of a type, from now on."""
        future: asyncio.Future[wire.Up] = asyncio.get_running_loop().create_future()

        def fits(connection: Connection, message: wire.Up) -> bool:
            return isinstance(message, kind) and device in (None, connection.session.device)

        self._watches.append((fits, future))
        return future

    def heard(self, connection: Connection, message: wire.Up) -> None:
        """A device has said something."""
        connection.heard.append(message)
        for watch in list(self._watches):
            fits, future = watch
            if fits(connection, message):
                self._watches.remove(watch)
                if not future.done():
                    future.set_result(message)

    async def make(self, record: RecordId, value: Kind) -> None:
        """The control room makes a record."""
        spec = spec_of(type(value))
        changes = {
            field.name: getattr(value, field.name)
            for field in msgspec.structs.fields(value)
            if field.required or getattr(value, field.name) != field.default
        }
        await self.act(record, spec.name, changes, create=True)

    async def act(self, record: RecordId, kind: str, changes: dict[str, Any], *, create: bool = False) -> None:
        """The control room makes or changes a record."""
        self._own_ops += 1
        now = self.now()
        op = Op(
            device=CONTROL_ROOM,
            n=OpNumber(self._own_ops),
            record=record,
            kind=kind,
            author=OfficerId("CR001"),
            hlc=(now, self._own_ops),
            occurred_at=now,
            wall=now,
            changes=changed_fields(changes),  # type: ignore[arg-type]  # names of fields
            create=create,
        )
        (settled,) = await self._commit([Submission(CONTROL_ROOM, None, (encode(op),))])
        assert settled.results[0].status == "durable", settled.results
        self._tell(settled)

    async def _commit(self, group: Sequence[Submission]) -> list[Settled]:
        async with self._commits:
            return await self.store.commit(group, self.now())

    def _tell(self, settled: Settled) -> None:
        for change in settled.scopes:
            for connection in self.connections:
                if connection.session.head_moved(change.scope, change.head.seq):
                    connection.wake()

    # --- connections -------------------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        connection = Connection(socket, self)
        self.connections.append(connection)
        try:
            await connection.run()
        finally:
            self.connections.remove(connection)

    async def obey(self, connection: Connection, demand: Demand | None) -> None:
        """Do what a session wants done."""
        match demand:
            case CheckHello(device):
                await self._admit(connection, device)
            case Commit(ops, size, times):
                session = connection.session
                pusher = session.device
                assert pusher is not None
                group = [Submission(pusher, frozenset(session.scopes), ops, session.schema, times)]
                settled = await self._commit(group)
                results = tuple(result for each in settled for result in each.results)
                connection.session.committed(results, size)
                for each in settled:
                    self._tell(each)
            case KeepReads() | KeepSealed() | Receipt() | None:
                # Nobody here looks into what is kept beside the records.
                pass

    async def _admit(self, connection: Connection, device: DeviceId) -> None:
        if device not in self._keys:
            connection.session.fail(PeerError("unknown_device", device))
            return
        last_op = await self.store.last_op(device)
        heads = await self.store.heads()
        admission = Admission(
            public_key=self._keys[device],
            grants={scope: Grant(gen, heads.get(scope, NOTHING)) for scope, gen in self._grants[device].items()},
            epoch=self.store.epoch,
            last_op=last_op,
        )
        connection.session.admit(admission, self.now())


@asynccontextmanager
async def toy_server(
    enrolled: Iterable[tuple[DeviceIdentity, Sequence[ScopeName]]] = (), now: Callable[[], Millis] = system_now
) -> AsyncIterator[ToyServer]:
    """A running server; at the end, whatever went wrong inside it is raised."""
    toy = ToyServer(now)
    for identity, scopes in enrolled:
        toy.enrol(identity, *scopes)
    await toy.start()
    try:
        yield toy
    finally:
        with suppress(OSError):
            await toy.stop()
    if toy.failures:
        raise ExceptionGroup("the toy server failed", toy.failures)
