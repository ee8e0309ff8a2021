"""Run the server on a data folder: open the folder and the door, serve, read its files again, go down gracefully."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec
import uvicorn

from schemas.errors import StoreError, UsageError
from server.app import SYNC_PATH, build
from server.authority import ServerKeys
from server.authority.keys import FOLDER as KEYS
from server.beatbook import Beatbook
from server.configuration import Configuration
from server.edge.addresses import Proxies
from server.edge.admission import Admissions
from server.edge.door import Door, Entry
from server.edge.http_protocol import BoundedHttpProtocol
from server.edge.listening import OrderlyServer, handed_over, in_url, listen
from server.edge.tls import Tls
from server.federation import links
from server.federation.settings import SignInSettings
from server.force_settings import bring_settings
from server.observing.names import Names
from server.observing.watching import Watch
from server.organisation.organising import organise
from server.redaction import IsName
from server.store.sqlite import SqliteStore
from server.supervised import READY, STOPPING, Supervisor
from server.websocket_protocol import BoundedWebSocketProtocol

_log = logging.getLogger(__name__)
SETUP_PAGE: Final = "setup"
"""Stands in the address of the first administrator's link, before the secret in its fragment."""
ADDRESS: Final = "address.json"
BACKLOG: Final = 2_048
"""Connections that wait to be accepted: of those who come back after a restart."""
FILES_RESERVED: Final = 256
"""Descriptors that are kept from connections: the store, its readers and writer, logs, what the process opens later."""
GOODBYE_S: Final = 5.0
"""How long devices may take to hear that the server is going down."""

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server of a data folder listens, while it runs.

    Attributes:
        http: base of the HTTP side.
        sync: address of the sync socket.
        pid: the server's process.
        metrics: base of the port for those who watch; "" where it has none.
    """

    http: str
    sync: str
    pid: int
    metrics: str = ""


def read_address(data: Path) -> Address | None:
    """Where the server of this data folder said that it listens; None when none did, or it went down in order."""
    try:
        return msgspec.json.decode((data / ADDRESS).read_bytes(), type=Address)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


Reread = Callable[[], Configuration]
"""Reads the configuration again, as it was read at the start.

Raises:
    UsageError: it cannot be; the text says why.
"""


class GracefulServer(OrderlyServer):
    """uvicorn behind our own door, and every device is told to come back before its socket is closed."""

    def __init__(  # noqa: PLR0917  what it serves, and with what
        self,
        config: uvicorn.Config,
        beatbook: Beatbook,
        configuration: Configuration,
        tls: Tls | None,
        ready: Callable[[], None],
        reread: Reread | None,
        supervisor: Supervisor,
    ) -> None:
        """Bind it to the running server; `ready` is called once it listens, `reread` at SIGHUP."""
        super().__init__(config)
        self.servers = []
        self._beatbook = beatbook
        self._configuration = configuration
        self._tls = tls
        self._ready = ready
        self._reread = reread
        self._supervisor = supervisor
        self._alive: asyncio.Task[None] | None = None
        self._rereading: asyncio.Task[None] | None = None
        self._told_again = False
        self._door: Door | None = None
        self.watch: Watch | None = None
        """Watches it from the moment that it listens; whoever made this closes it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, open the door, and say so. uvicorn would accept without bound."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise StoreError("the server could not start; its log says why")
        proxies = Proxies(self._configuration.listen.trusted_proxies)
        limits = self._configuration.door()
        room = _room_for(limits.connections_max)
        if room < limits.connections_max:
            _log.warning("takes %d connections, not %d: raise the limit of open files", room, limits.connections_max)
            limits = msgspec.structs.replace(limits, connections_max=room)
        self._door = Door(limits, proxies, self._protocol, self._context)
        self._door.open(list(sockets or ()))
        if self.watch is not None:
            await self.watch.open(self._door)
        if (self._tls is not None or self._reread is not None) and sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        self.started = True
        self._ready()
        self._supervisor.tell(READY)
        self._alive = asyncio.create_task(self._supervisor.keep_alive())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, say goodbye, then go on as the base does."""
        self._supervisor.tell(STOPPING)
        if self._alive is not None:
            self._alive.cancel()
        if self._rereading is not None:
            self._rereading.cancel()
            await asyncio.gather(self._rereading, return_exceptions=True)
        if self._door is not None:
            self._door.close()
            await self._door.closed()
        await self._beatbook.say_goodbye(GOODBYE_S)
        await super().shutdown(sockets)

    def _protocol(self, entry: Entry) -> BoundedHttpProtocol:
        return BoundedHttpProtocol(self.config, self.server_state, self.lifespan.state, entry=entry)

    def _context(self) -> ssl.SSLContext | None:
        return None if self._tls is None else self._tls.context

    def _hang_up(self) -> None:
        """SIGHUP: read again what can change while the server runs."""
        if self._tls is not None:
            self._renew(self._tls)
        if self._reread is not None:
            self._told_again = True
            if self._rereading is None or self._rereading.done():
                self._rereading = asyncio.create_task(self._read_again(self._reread))

    @staticmethod
    def _renew(tls: Tls) -> None:
        """Connections that begin from now on get the certificate as it is now."""
        try:
            tls.reload()
        except StoreError as error:
            _log.error("the certificate was not renewed, the old one stays in use: %s", error)
        else:
            _log.info("the certificate was read again")

    async def _read_again(self, reread: Reread) -> None:
        """The force's settings are those that the file has now; once more if it changed while they were written."""
        while self._told_again:
            self._told_again = False
            try:
                fresh = await asyncio.to_thread(reread)
                written = await bring_settings(self._beatbook.office, fresh.policing)
            except (UsageError, StoreError) as error:
                _log.error("the force's settings were not changed, the old ones stay in force: %s", error)
                continue
            _log.info("the force's settings were read again: they %s", "have changed" if written else "are the same")
            if fresh.organisation is not None:
                await organise(self._beatbook.organising, fresh.organisation)
            before = self._configuration
            if msgspec.structs.replace(fresh, policing=before.policing, organisation=before.organisation) != before:
                _log.warning("other keys than those of [policing] have changed: they count from the next start")


Ready = Callable[[Address, str | None], None]
"""Called once when the server listens: its address, and the link for an administrator where one is to be made."""


def run(
    configuration: Configuration,
    ready: Ready,
    hide: Callable[[str], None],
    *,
    name: Callable[[IsName, bytes], None] | None = None,
    recover: bool = False,
    reread: Reread | None = None,
) -> None:
    """`serve` on the fastest event loop there is, until it returns."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(configuration, ready, hide, name=name, recover=recover, reread=reread))


async def serve(
    configuration: Configuration,
    ready: Ready,
    hide: Callable[[str], None],
    *,
    name: Callable[[IsName, bytes], None] | None = None,
    recover: bool = False,
    reread: Reread | None = None,
) -> None:
    """Serve a data folder until a signal says to stop.

    Args:
        configuration: what the server is told; its data folder is made when it is not there.
        ready: see `Ready`.
        hide: called with each secret that must not come into the log.
        name: called with what tells that a word names somebody, and with the key under which the log hides it.
        recover: make a link for an administrator although there are some.
        reread: how SIGHUP reads the configuration again; None where it stands in no file.

    Raises:
        UsageError: the force's settings cannot be written, or to listen where a supervisor does would be unsafe.
        StoreError: the folder or a TLS file cannot be used, or the address is taken.
    """
    supervisor = Supervisor.found(os.environ)
    handed = handed_over(os.environ)
    if handed:
        configuration, reread = _where_handed(configuration, reread, handed)
    tls = None if configuration.tls_files is None else Tls(*configuration.tls_files)
    ways = SignInSettings(
        oidc=configuration.oidc,
        oidc_client_secret=configuration.oidc_client_secret(os.environ),
        webauthn=configuration.webauthn,
    )
    subscriptions = configuration.subscriptions(os.environ)
    data = configuration.data
    watching: socket.socket | None = None
    tracing = None if configuration.tracing is None else configuration.tracing.begin()
    store = await SqliteStore.open(data)
    try:
        keys = ServerKeys.open(data / KEYS)
        watching = None if configuration.metrics is None else configuration.metrics.listen()
        listening = handed or [listen(configuration.listen.host, configuration.listen.port, BACKLOG)]
    except StoreError:
        await store.close()
        if watching is not None:
            watching.close()
        raise
    beatbook = Beatbook(
        store,
        keys,
        ways=ways,
        schedule=configuration.schedule(),
        witnesses=configuration.witness_addresses(),
        settings=configuration.policing,
        subscriptions=subscriptions,
        returning=configuration.returning(),
        admissions=Admissions(configuration.limits.admissions_per_s),
    )
    beatbook.measures.spans = tracing
    watch = None if watching is None else Watch(beatbook, data, configuration.tls.certificate_file, watching)
    try:
        await beatbook.start()
        if name is not None:
            name(Names(lambda: beatbook.authority.ledger.registry), keys.log_names)
        # Before anybody is let in: of a server that runs on a backup, numbers must be other ones from the first on.
        await beatbook.restores.look_at(data)
        if configuration.organisation is not None:
            # Files that are bad keep nobody from their work: what was applied before stands.
            await organise(beatbook.organising, configuration.organisation)
        code = await beatbook.authority.enrolling.first_link(recover=recover)
        if code is not None:
            hide(code)

        def announce() -> None:
            address = _announce(configuration, listening[0], watching)
            ready(address, None if code is None else links.address(f"{address.http}/{SETUP_PAGE}", code))

        await _serve(beatbook, configuration, tls, listening, announce, reread, supervisor, watch)
    finally:
        for each in listening:
            each.close()
        await beatbook.stop()
        if tracing is not None:
            # On a thread: it waits for the collector.
            await asyncio.to_thread(tracing.close)
        if watch is not None:
            # Last: until the end it can be asked how it stands.
            await watch.close()
        (data / ADDRESS).unlink(missing_ok=True)


async def _serve(  # noqa: PLR0917  as the class
    beatbook: Beatbook,
    configuration: Configuration,
    tls: Tls | None,
    listening: list[socket.socket],
    ready: Callable[[], None],
    reread: Reread | None,
    supervisor: Supervisor,
    watch: Watch | None,
) -> None:
    @contextlib.asynccontextmanager
    async def open_beatbook() -> AsyncIterator[Beatbook]:
        yield beatbook

    config = uvicorn.Config(
        build(open_beatbook, configuration.edge()),
        http=BoundedHttpProtocol,
        ws=BoundedWebSocketProtocol,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        # The edge decides whom to believe; uvicorn would believe everything on the loopback.
        proxy_headers=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(GOODBYE_S),
    )
    server = GracefulServer(config, beatbook, configuration, tls, ready, reread, supervisor)
    server.watch = watch
    await server.serve(listening)


def _where_handed(
    configuration: Configuration, reread: Reread | None, handed: list[socket.socket]
) -> tuple[Configuration, Reread | None]:
    """The configuration, and how it is read again, for sockets that were handed over: they say where it listens."""
    addresses = [each.getsockname()[:2] for each in handed]
    try:
        found = configuration.listening_at(addresses)
    except UsageError:
        for each in handed:
            each.close()
        raise
    if reread is None:
        return found, None
    told = reread
    return found, lambda: told().listening_at(addresses)


def _room_for(connections: int) -> int:
    """How many connections this process has descriptors for, at most `connections`.

    The soft limit is raised as far as the hard one lets it. Some descriptors stay free: a store that cannot open its
    files because strangers hold all of them would be as good as down.
    """
    if sys.platform == "win32":
        return connections
    import resource  # noqa: PLC0415  only there where it is used

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_RESERVED
    if resource.RLIM_INFINITY != soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - FILES_RESERVED))


def _announce(configuration: Configuration, listening: socket.socket, watching: socket.socket | None) -> Address:
    """Keep in the data folder where the server listens, and where it is watched."""
    data = configuration.data
    port = listening.getsockname()[1]
    secure = "" if configuration.tls_files is None else "s"
    # A certificate is for a name; in clear, the address is what this machine's own commands call.
    shown = configuration.host_names[0] if secure else in_url(configuration.listen.host)
    watched = ""
    if watching is not None and configuration.metrics is not None:
        watched = f"http://{in_url(configuration.metrics.host)}:{watching.getsockname()[1]}"
    address = Address(
        http=f"http{secure}://{shown}:{port}",
        sync=f"ws{secure}://{shown}:{port}{SYNC_PATH}",
        pid=os.getpid(),
        metrics=watched,
    )
    beside = data / f"{ADDRESS}.new"
    beside.write_bytes(msgspec.json.encode(address))
    beside.replace(data / ADDRESS)
    return address
