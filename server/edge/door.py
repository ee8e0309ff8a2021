"""Accepts connections, and keeps those who only sit there from taking the place of those who speak.

uvicorn would accept without bound, wait a minute for a TLS handshake, and for ever for a request. Here every
connection is counted by its source from the moment it is accepted, before TLS. A connection is *pending* until its
first request head is whole; when there is no room, the one that has been pending longest is cut, so that a newcomer who
speaks at once always gets through. Deadlines on what is pending are kept by TLS and by `server.edge.http_protocol`.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from server.edge.addresses import Proxies, source_of
from server.edge.bounds import (
    ADDRESSES_MAX,
    OVERFLOW_PER_ADDRESS_MAX,
    PENDING_MAX,
    PENDING_PER_ADDRESS_MAX,
    TLS_GOODBYE_TIMEOUT_MS,
    TLS_HANDSHAKE_TIMEOUT_MS,
)
from server.edge.buckets import Buckets, Rate
from server.observing import correlation

_log = logging.getLogger(__name__)
_ACCEPTS_AT_ONCE: Final = 64
"""Connections accepted in one turn of the loop, so that a flood of them does not keep it from everything else."""
_PAUSE_S: Final = 1.0
"""How long nothing is accepted when the machine has no descriptor or memory left for it."""
_NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


REFUSALS: Final = {
    "too_fast": "its address opens connections faster than it may",
    "too_many": "its address has as many as are still answered",
    "crowded": "its address has as many as it may: it is told so",
    "no_room": "as many are open as may be, and none of them is silent",
    "silent": "cut to make room: of those that had not sent a request, it had waited longest",
    "no_descriptor": "the process has no open file, or the machine no memory, left for it; it waits in the queue",
}
"""Why a connection is refused."""


class DoorLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many may be inside.

    Attributes:
        connections_max: of all together.
        connections_per_address_max: of one source; a listed proxy has no bound of its own, it speaks for many.
        pending_max, pending_per_address_max: of those who have not sent a request yet.
        overflow_max: of one source, how many beyond its limit are still answered.
        connects: the pace at which one source may open connections: a TLS handshake costs this side a signature. None
            for any.
        tls_handshake_ms: how long the handshake may take.
    """

    connections_max: int
    connections_per_address_max: int
    pending_max: int = PENDING_MAX
    pending_per_address_max: int = PENDING_PER_ADDRESS_MAX
    overflow_max: int = OVERFLOW_PER_ADDRESS_MAX
    connects: Rate | None = None
    tls_handshake_ms: int = TLS_HANDSHAKE_TIMEOUT_MS


class Entry:
    """One connection, from its acceptance to its end.

    Attributes:
        source: what it is counted under; "" for a listed proxy.
        transport: set by its protocol once there is one.
        crowded: whether it is beyond the limit of its source: it is told so, and nothing else.
    """

    __slots__ = ("_door", "_opening", "crowded", "source", "transport")

    def __init__(self, door: "Door", source: str, *, crowded: bool) -> None:
        """A connection that was just accepted."""
        self._door = door
        self._opening: asyncio.Task[None] | None = None
        self.source = source
        self.crowded = crowded
        self.transport: asyncio.Transport | None = None

    def heard(self) -> None:
        """Its first request head is whole: it is pending no more."""
        self._door.forget_pending(self)

    def refused(self, code: str) -> None:
        """A frame of it was refused before any session saw it; `code` is of the error registry."""
        self._door.refused_frames[code] += 1

    def left(self) -> None:
        """It has ended. Again: nothing."""
        self._door.forget(self)

    def cut(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abort()
        elif self._opening is not None:
            self._opening.cancel()
        self.left()

    def opening_in(self, task: "asyncio.Task[None]") -> None:
        """The task that carries it through the TLS handshake."""
        self._opening = task


class Door:
    """The listening sockets of a server."""

    def __init__(
        self,
        limits: DoorLimits,
        proxies: Proxies,
        make: Callable[[Entry], asyncio.BaseProtocol],
        tls: Callable[[], ssl.SSLContext | None],
    ) -> None:
        """Bind it; `open` begins.

        Args:
            limits: how many may be inside.
            proxies: the listed ones.
            make: the protocol of a connection.
            tls: the context for a connection that begins now; None for plain HTTP.
        """
        self._limits = limits
        self._proxies = proxies
        self._make = make
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        paced = limits.connects
        self._connects = None if paced is None else Buckets(paced, ADDRESSES_MAX, self._loop.time)
        self._listening: list[socket.socket] = []
        self._resume: dict[socket.socket, asyncio.TimerHandle] = {}
        self._openings: set[asyncio.Task[None]] = set()
        self._entries: set[Entry] = set()
        self._inside: Counter[str] = Counter()
        # Insertion order is the order of arrival.
        self._pending: dict[Entry, None] = {}
        self._pending_of: dict[str, dict[Entry, None]] = {}
        self.cut_pending = 0
        """How many pending connections were cut to make room."""
        self.turned_away = 0
        """How many connections were closed without a word."""
        self.refusals: Counter[str] = Counter()
        """Connections that were refused, by reason (`REFUSALS`)."""
        self.refused_frames: Counter[str] = Counter()
        """Frames that were refused before any session saw them, by error."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def connections_max(self) -> int:
        """How many connections may be open."""
        return self._limits.connections_max

    @property
    def pending(self) -> int:
        """Connections that have not sent a whole request head yet."""
        return len(self._pending)

    def open(self, listening: list[socket.socket]) -> None:
        """Begin to accept on sockets that listen."""
        for each in listening:
            each.setblocking(False)
            self._listening.append(each)
            self._loop.add_reader(each.fileno(), self._accept, each)

    def close(self) -> None:
        """Accept no more, and let go of those that are still in their TLS handshake."""
        for each in self._listening:
            if each in self._resume:
                self._resume.pop(each).cancel()
            self._loop.remove_reader(each.fileno())
            each.close()
        self._listening = []
        for task in list(self._openings):
            task.cancel()

    async def closed(self) -> None:
        """Wait until nothing is in its TLS handshake any more."""
        await asyncio.gather(*self._openings, return_exceptions=True)

    # --- accepting ---------------------------------------------------------------------------------------------------

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._pause(listening, error)
                return
            connection.setblocking(False)
            self._admit(connection, str(address[0]))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Wait for room; whoever knocks meanwhile waits in the kernel's queue."""
        self.refusals["no_descriptor"] += 1
        _log.error("cannot accept a connection (%s): raise the limit of open files", error.strerror)
        self._loop.remove_reader(listening.fileno())
        self._resume[listening] = self._loop.call_later(_PAUSE_S, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        del self._resume[listening]
        self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _admit(self, connection: socket.socket, peer: str) -> None:
        limits = self._limits
        source = "" if peer in self._proxies else source_of(peer)
        crowded = bool(source) and self._inside[source] >= limits.connections_per_address_max
        too_many = bool(source) and self._inside[source] >= limits.connections_per_address_max + limits.overflow_max
        too_fast = bool(source) and self._connects is not None and self._connects.take(source) is not None
        if too_fast or too_many or not self._make_room(source):
            self.turned_away += 1
            self.refusals["too_fast" if too_fast else "too_many" if too_many else "no_room"] += 1
            connection.close()
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if crowded:
            self.refusals["crowded"] += 1
        entry = Entry(self, source, crowded=crowded)
        self._entries.add(entry)
        self._inside[source] += 1
        self._pending[entry] = None
        self._pending_of.setdefault(source, {})[entry] = None
        task = self._loop.create_task(self._begin(entry, connection))
        entry.opening_in(task)
        self._openings.add(task)
        task.add_done_callback(self._openings.discard)

    def _make_room(self, source: str) -> bool:
        """Whether one more may come in; whoever has been pending longest makes place for it."""
        limits = self._limits
        of_source = self._pending_of.get(source, {})
        if source and len(of_source) >= limits.pending_per_address_max:
            self._cut_first(of_source)
        elif len(self._pending) >= limits.pending_max:
            self._cut_first(self._pending)
        if len(self._entries) < limits.connections_max:
            return True
        if not self._pending:
            return False
        self._cut_first(self._pending)
        return True

    def _cut_first(self, waiting: dict[Entry, None]) -> None:
        self.cut_pending += 1
        self.refusals["silent"] += 1
        next(iter(waiting)).cut()

    async def _begin(self, entry: Entry, connection: socket.socket) -> None:
        # Here, before there is a transport: whatever the loop calls for it has this id.
        correlation.begin_connection()
        context = self._tls()
        handshake_s = self._limits.tls_handshake_ms / 1_000
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._make(entry),
                connection,
                ssl=context,
                ssl_handshake_timeout=None if context is None else handshake_s,
                ssl_shutdown_timeout=None if context is None else TLS_GOODBYE_TIMEOUT_MS / 1_000,
            )
        except OSError as error:
            # The handshake failed, took too long, or the other side has gone.
            _log.debug("a connection ended before its first request: %s", error)
            entry.left()
        except asyncio.CancelledError:
            entry.left()
            connection.close()
            raise

    # --- leaving -----------------------------------------------------------------------------------------------------

    def forget_pending(self, entry: Entry) -> None:
        """It has sent a request."""
        if entry not in self._pending:
            return
        del self._pending[entry]
        of_source = self._pending_of[entry.source]
        del of_source[entry]
        if not of_source:
            del self._pending_of[entry.source]

    def forget(self, entry: Entry) -> None:
        """It has ended."""
        self.forget_pending(entry)
        if entry not in self._entries:
            return
        self._entries.discard(entry)
        self._inside[entry.source] -= 1
        if not self._inside[entry.source]:
            del self._inside[entry.source]
