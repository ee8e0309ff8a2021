"""`SyncClient`: when there is a connection, and what follows when there is none. Errors never end the loop."""

import asyncio
import logging
import random
import ssl
from typing import Final
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from schemas.errors import BeatbookError, LocalError, PeerError, Recovery, UsageError
from schemas.limits import MESSAGE_BYTES_MAX
from schemas.wire import SUBPROTOCOL
from sync.device.applier import Applier
from sync.device.backoff import Backoff, BackoffLimits
from sync.device.clocks import Clock
from sync.device.keys import DeviceIdentity
from sync.device.link import LAST_WORDS_S, Link
from sync.device.status import StatusBoard
from sync.session import DeviceSession

_log = logging.getLogger(__name__)

SYNC_PATH: Final = "/v1/sync"
"""Where a server takes connections, unless the address names another path."""
OPEN_TIMEOUT_S: Final = 10.0
"""From the first packet to the end of the WebSocket handshake; several round trips on the worst link."""


def sync_url(server: str) -> str:
    """The address to connect to.

    Args:
        server: `ws://host:port` or `wss://…`, with or without a path.

    Raises:
        UsageError: it is no such address.
    """
    wrong = f"{server!r} is no server address: expected ws://host:port or wss://host:port"
    try:
        parts = urlsplit(server)
        usable = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UsageError(wrong) from None
    if not usable:
        raise UsageError(wrong)
    return server.rstrip("/") + SYNC_PATH if parts.path in {"", "/"} and not parts.query else server


class _Ended(msgspec.Struct, frozen=True):
    """How an attempt ended: in words for `SyncStatus.last_error`, and the coded error, if there was one."""

    text: str
    error: PeerError | None


class SyncClient:
    """Keeps one connection to one server, for as long as it is told to."""

    def __init__(
        self,
        url: str,
        *,
        identity: DeviceIdentity,
        applier: Applier,
        board: StatusBoard,
        clock: Clock,
        rng: random.Random,
        backoff: BackoffLimits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Bind them; `start` begins.

        Args:
            url: as `sync_url` gives it.
            identity: the device's key, under the seat's id.
            applier, board, clock, rng, backoff: the engine's.
            tls: what is trusted under `wss`; by default what the machine trusts.
        """
        self._url = url
        self._identity = identity
        # Named here: the library refuses "none" for an address that wants it.
        self._tls = (tls or ssl.create_default_context()) if url.startswith("wss:") else None
        self._renewed = False
        self._applier = applier
        self._board = board
        self._clock = clock
        self._rng = rng
        self._backoff = Backoff(rng, backoff)
        self._online = asyncio.Event()
        self._online.set()
        self._nudge = asyncio.Event()
        self._link: Link | None = None
        self._attempt: asyncio.Task[_Ended] | None = None
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._loop = asyncio.create_task(self._run(), name=f"sync of {self._identity.device}")

    def wake(self) -> None:
        """There may be ops to push."""
        if self._link is not None:
            self._link.wake()

    def network_returned(self) -> None:
        """The network may be back: do not wait any longer before the next attempt."""
        self._nudge.set()

    async def go_offline(self) -> None:
        """Close the connection, if there is one, and make no other until `go_online`."""
        self._online.clear()
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait({self._attempt})
        self._nudge.set()

    def go_online(self) -> None:
        """Connect again."""
        self._backoff.reset()
        self._renewed = False
        self._online.set()
        self._nudge.set()

    async def close(self) -> None:
        """End the connection and the loop. Again: nothing."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._online.wait()
            self._nudge.clear()
            self._attempt = asyncio.create_task(self._try())
            try:
                await asyncio.wait({self._attempt})
            finally:
                self._attempt.cancel()
                await asyncio.wait({self._attempt})
            if self._attempt.cancelled():
                # Told to go offline.
                continue
            ended = self._attempt.result()
            if self._applier.wiped:
                self._board.update(last_error=ended.text)
                return
            if ended.error is not None and ended.error.spec.code == "bad_token" and await self._renew():
                continue
            self._board.update(last_error=ended.text)
            error = ended.error
            if error is not None and error.spec.code == "device_revoked":
                await self._dismissed()
                if self._hands_over:
                    # It has not come to its end in the time that one session has for it.
                    error = None
            await self._pause(self._backoff.next_ms(error))

    @property
    def _hands_over(self) -> bool:
        officer = self._applier.officer
        return officer is not None and officer.hands_over

    async def _dismissed(self) -> None:
        """The server trusts this device no more: what it orders of the rest of the device is done too."""
        officer = self._applier.officer
        if officer is not None:
            self._board.update(lease_ended=True)
            try:
                await officer.dismissed()
            except (LocalError, UsageError) as error:
                # The next contact carries on.
                _log.warning("%s: %s", self._identity.device, error)

    async def _renew(self) -> bool:
        """Get another token by the device's key, once between two welcomes; False when that does not help."""
        officer = self._applier.officer
        if officer is None or self._renewed:
            self._board.update(sign_in_needed=True)
            return False
        self._renewed = True
        try:
            await officer.renew()
        except UsageError as error:
            _log.warning("%s: %s", self._identity.device, error)
            self._board.update(sign_in_needed=True)
            return False
        except LocalError as error:
            # Nobody has said no: it is tried again with the next connection.
            _log.warning("%s: %s", self._identity.device, error)
            self._renewed = False
            return False
        return True

    async def _pause(self, wait_ms: int) -> None:
        _log.info("%s: next attempt in %d ms", self._identity.device, wait_ms)
        waits = [asyncio.ensure_future(self._clock.sleep(wait_ms)), asyncio.ensure_future(self._nudge.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)
        self._nudge.clear()

    async def _try(self) -> _Ended:
        """One attempt, to its end. Everything that goes wrong is told in what it returns."""
        try:
            try:
                await self._connect()
            finally:
                self._link = None
                await self._applier.end()
        except (OSError, WebSocketException, BeatbookError) as error:
            text = _in_words(error, self._url)
            _log.warning("%s: %s", self._identity.device, text)
            return _Ended(text, error if isinstance(error, PeerError) else None)
        except Exception as error:  # noqa: BLE001  a defect of ours: told, logged whole, and the loop goes on
            _log.exception("%s: a defect ended the connection", self._identity.device)
            return _Ended(f"a defect ended the connection: {type(error).__name__}", None)
        return _Ended("the connection ended", None)

    async def _connect(self) -> None:
        """Connect and run the session, to whatever ends it."""
        facts = await self._applier.begin()
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            socket = await connect(
                self._url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_size=MESSAGE_BYTES_MAX,
                # The protocol has a heartbeat of its own, which also notices a server that only answers pings.
                ping_interval=None,
                open_timeout=None,
                close_timeout=LAST_WORDS_S,
                proxy=None,
                ssl=self._tls,
            )
        if socket.subprotocol != SUBPROTOCOL:
            await socket.close()
            raise PeerError("upgrade_required", f"{self._url} does not speak {SUBPROTOCOL}")
        session = DeviceSession(facts, self._identity.sign, self._clock.mono_ms())
        link = self._link = Link(socket, session, self._applier, self._clock, self._rng)
        try:
            await link.run()
        finally:
            if self._applier.welcomed:
                self._renewed = False
            if self._applier.welcomed and not link.found_fault:
                self._backoff.reset()
            words = link.last_words
            if words is not None and words.recovery == Recovery.RESNAPSHOT.value and words.scope is not None:
                await self._applier.resnapshot(words.scope)


def _in_words(error: Exception, url: str) -> str:
    match error:
        case PeerError():
            return str(error)
        case InvalidStatus():
            return f"{url} answered with HTTP {error.response.status_code} instead of a WebSocket"
        case ConnectionClosed():
            return f"the connection to {url} was lost"
        case TimeoutError():
            return f"{url} did not answer"
        case OSError() | WebSocketException():
            return f"cannot connect to {url}: {error}"
        case _:
            return str(error)
