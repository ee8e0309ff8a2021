"""The server in this process, on a real loopback socket, over a store that can be held back and made to fail.

Its clock stands still until a test moves it.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from uvicorn.protocols.utils import get_remote_addr

from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq, new_record_id
from schemas.limits import CREDIT_BYTES, CREDIT_BYTES_TOTAL_MAX
from server.authority import ServerKeys
from server.beatbook import Beatbook
from server.commits import Settled, Submission
from server.edge.middleware import DevicePace
from server.federation.passphrases import Parameters
from server.federation.settings import SignInSettings
from server.office import Draft
from server.store import Changes, Page
from server.store.memory import MemoryStore
from server.websocket_protocol import BoundedWebSocketProtocol
from tests.server.listening import listen, port_of, shut_down
from tests.server.open_gate import OpenGate
from tests.server.rawsocket import HOST, RawSocket

CHEAP: Final = Parameters(memory_kib=8 * 1_024, passes=1)
"""The least that a passphrase's hash may cost: no test relies on what it costs."""
NOW: Final = Millis(1_700_000_000_000)


class Clock:
    """A server's clock that a test moves."""

    def __init__(self, now: Millis = NOW) -> None:
        """Start at `now` (ms since 1970)."""
        self.now = now

    def __call__(self) -> Millis:
        """Read it."""
        return self.now

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self.now = Millis(self.now + ms)


class GatedStore(MemoryStore):
    """A store whose commits can be held back, and that can be told to fail.

    Attributes:
        groups: the groups that `commit` was called with.
        commits: set while commits may pass.
        admits: set while `last_op` may answer.
        failing: what every call raises, or None.
        failing_reads: what reads of records raise, or None.
    """

    def __init__(self) -> None:
        """Begin with everything open."""
        super().__init__()
        self.groups: list[Sequence[Submission]] = []
        self.commits = asyncio.Event()
        self.commits.set()
        self.admits = asyncio.Event()
        self.admits.set()
        self.asked = asyncio.Event()
        self.failing: Exception | None = None
        self.failing_reads: Exception | None = None
        self.closed = False

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """As its base, once the gate is open."""
        self.groups.append(group)
        self.asked.set()
        await self.commits.wait()
        if self.failing is not None:
            raise self.failing
        return await super().commit(group, now)

    async def last_op(self, device: DeviceId) -> OpNumber:
        """As its base, once the gate is open."""
        self.asked.set()
        await self.admits.wait()
        if self.failing is not None:
            raise self.failing
        return await super().last_op(device)

    async def changes(self, scope: ScopeName, after: Seq) -> Changes:
        """As its base."""
        self._fail_read()
        return await super().changes(scope, after)

    async def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """As its base."""
        self._fail_read()
        return await super().page(scope, after, upto)

    async def record(self, record: RecordId) -> bytes | None:
        """As its base."""
        self._fail_read()
        return await super().record(record)

    def _fail_read(self) -> None:
        failure = self.failing_reads or self.failing
        if failure is not None:
            raise failure

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
        await super().close()


class Running:
    """A server that runs, and whom it knows."""

    def __init__(
        self, beatbook: Beatbook, store: GatedStore, gate: OpenGate, clock: Clock, server: uvicorn.Server
    ) -> None:
        """Bind them."""
        self._server = server
        self._raws: list[RawSocket] = []
        self.beatbook = beatbook
        self.store = store
        self.gate = gate
        self.clock = clock
        self.port = port_of(server)
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._ids = itertools.count(1)

    @property
    def url(self) -> str:
        """Base of the HTTP side."""
        return f"http://{HOST}:{self.port}"

    def enrol(self, device: str, *audiences: str) -> DeviceId:
        """Enrol a device with a fresh key."""
        key = self._keys[device] = Ed25519PrivateKey.generate()
        self.gate.enrol(
            DeviceId(device), "WM1234", key.public_key().public_bytes_raw(), [ScopeName(each) for each in audiences]
        )
        return DeviceId(device)

    def regrant(self, device: str, *audiences: str) -> None:
        """Change what a device of the open gate may see, and tell its session."""
        name = DeviceId(device)
        self.beatbook.hub.regrant(name, self.gate.regrant(name, [ScopeName(each) for each in audiences]))

    def key(self, device: str) -> Ed25519PrivateKey:
        """The device's private key."""
        return self._keys[device]

    async def open(self) -> RawSocket:
        """A TCP connection; nothing has been sent."""
        raw = await RawSocket.open(self.port)
        self._raws.append(raw)
        return raw

    async def raw(self) -> RawSocket:
        """A socket behind its handshake; nothing has been read."""
        raw = await self.open()
        status, _ = await raw.handshake()
        assert status == 101
        return raw

    def close_sockets(self, keep: RawSocket | None = None) -> None:
        """Close what the tests left open."""
        for raw in self._raws:
            if raw is not keep:
                raw.close()
        self._raws = [] if keep is None else [keep]

    def protocol_of(self, raw: RawSocket) -> BoundedWebSocketProtocol:
        """The server's end of a socket."""
        found = (each for each in self._server.server_state.connections if isinstance(each, BoundedWebSocketProtocol))
        return next(each for each in found if get_remote_addr(each.transport) == raw.address)

    async def narrow(self, device: str) -> tuple[RawSocket, BoundedWebSocketProtocol]:
        """A live device on a link that holds almost nothing: (socket, the server's end). It reads nothing more."""
        raw = await RawSocket.open(self.port, receive_buffer=4_096)
        self._raws.append(raw)
        await raw.handshake()
        challenge = await raw.message()
        assert isinstance(challenge, wire.Challenge)
        protocol = self.protocol_of(raw)
        protocol.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        protocol.transport.set_write_buffer_limits(1_024)
        await raw.send_message(self.hello(device, challenge.nonce, credit=CREDIT_BYTES_TOTAL_MAX))
        await raw.until(wire.Welcome)
        return raw, protocol

    async def challenged(self) -> tuple[RawSocket, bytes]:
        """A socket that has read its CHALLENGE: (socket, nonce)."""
        raw = await self.raw()
        challenge = await raw.message()
        assert isinstance(challenge, wire.Challenge)
        return raw, challenge.nonce

    async def live(self, device: str, credit: int = CREDIT_BYTES, schema: int = wire.SCHEMA) -> RawSocket:
        """A socket of an enrolled device that has read its WELCOME, of a device that holds nothing yet."""
        raw, nonce = await self.challenged()
        await raw.send_message(self.hello(device, nonce, credit=credit, schema=schema))
        assert isinstance(await raw.message(), wire.Welcome)
        return raw

    def hello(self, device: str, nonce: bytes, **changes: object) -> wire.Hello:
        """A proven HELLO; `changes` replace fields of its body."""
        versions = {"proto": wire.PROTO, "schema": wire.SCHEMA}
        fields = {**versions, "device": device, "next_op": 1, "wall": self.clock.now, "mono": 0}
        body = encode(msgspec.convert({**fields, "credit": CREDIT_BYTES, **changes}, wire.HelloBody))
        return self.prove(body, nonce, self.key(device))

    @staticmethod
    def prove(body: bytes, nonce: bytes, key: Ed25519PrivateKey) -> wire.Hello:
        """A HELLO with the proof that the key gives."""
        return wire.Hello(body=body, proof=key.sign(wire.PROOF_CONTEXT + nonce + body))

    async def brief(self, audience: str = "force", title: str = "All units", body: str = "See log.") -> RecordId:
        """Have the control room issue a briefing; returns once it is durable."""
        record = new_record_id(self.clock.now, next(self._ids).to_bytes(10, "big"))
        values = {"title": title, "body": body, "audience": [audience], "issued_at": int(self.clock.now)}
        draft = Draft(record=record, kind="briefing", values=values)  # type: ignore[arg-type]  # plain field names
        await self.beatbook.office.bring([draft], OfficerId("WM1"))
        return record


@contextlib.asynccontextmanager
async def running(folder: Path, *, real: bool = False, ways: SignInSettings | None = None) -> AsyncIterator[Running]:
    """Run the application on a free port of the loopback, without signals and without uvicorn's own main loop.

    Args:
        folder: for the server's keys.
        real: whether sync sockets too are let in by the authority, and not by the open gate.
        ways: how officers may sign in beside collar number and passphrase.
    """
    clock, store, gate = Clock(), GatedStore(), OpenGate()
    # An hour lies between any two calls of a device: how often one may come has tests of its own.
    pace = DevicePace(itertools.count(0.0, 3_600.0).__next__)
    keys = ServerKeys.open(folder / "keys")
    beatbook = Beatbook(store, keys, clock, gate=None if real else gate, hashing=CHEAP, pace=pace, ways=ways)
    server = await listen(beatbook)
    served = Running(beatbook, store, gate, clock, server)
    try:
        yield served
    finally:
        served.close_sockets()
        store.commits.set()
        store.admits.set()
        await shut_down(server)
