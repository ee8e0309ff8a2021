"""The server's end of the writing process: starts it, asks it, and starts it again when it has died.

Asking again is harmless: an op that the dead process had made durable gives its stored result. `SqliteStore` tells the
rest of the server of commits whose answer was lost.
"""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from schemas.errors import StoreError
from schemas.ids import Epoch, Millis
from server.commits import Settled, Submission
from server.observing.measures import Took
from server.store.sqlite.folder import LOCK_WAIT_S
from server.store.sqlite.frames import HEAD, Answer, Ask, Done, Failed, Opened, pack, unpack_answer

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# -P: a folder `server` where the operator happens to stand is not the program.
COMMAND: Final = (sys.executable, "-P", "-m", "server.store.sqlite.child")
ATTEMPTS_MAX: Final = 5
"""How often a group is asked before the store gives up on it; a group that kills the process would kill it for ever."""
PAUSE_FIRST_S: Final = 0.05
"""Wait before the second attempt; it doubles with each further one."""
END_WAIT_S: Final = 30.0
"""How long a closing process may take to fold the WAL in before it is killed. Nothing is lost by that."""
_BUFFER_BYTES: Final = 1024 * 1024


async def unheard(asked: "asyncio.Future[_T]") -> _T:
    """Wait for something that goes on to its end when whoever waits is cancelled."""
    # Then nobody else looks at what became of it.
    asked.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(asked)


class _GoneError(Exception):
    """The process has died; what it was asked may or may not be done."""


class _Link:
    """One writing process and the socket to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        self.process = process
        self._source = source
        self._sink = sink

    @classmethod
    async def open(cls, command: Sequence[str], folder: Path, wait_s: float) -> "_Link":
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await _spawned(asyncio.to_thread(_spawn, command, folder, theirs, wait_s))
        except BaseException:
            ours.close()
            raise
        source, sink = await asyncio.open_unix_connection(sock=ours, limit=_BUFFER_BYTES)
        return cls(process, source, sink)

    async def send(self, message: Ask) -> None:
        try:
            self._sink.write(pack(message))
            await self._sink.drain()
        except OSError as error:
            raise _GoneError from error

    async def receive(self) -> Answer:
        try:
            (length,) = HEAD.unpack(await self._source.readexactly(HEAD.size))
            return unpack_answer(await self._source.readexactly(length))
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError) as error:
            raise _GoneError from error

    async def end(self, wait_s: float) -> int:
        """Close our end, and see the process off; returns its exit status."""
        self._sink.close()
        try:
            await self._sink.wait_closed()
        except OSError:
            _log.debug("the writing process had closed its end already")
        return await asyncio.to_thread(self._reap, wait_s)

    def _reap(self, wait_s: float) -> int:
        try:
            return self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class WriterProcess:
    """The writing process, as something that commits."""

    def __init__(
        self, folder: Path, wait_s: float, *, command: Sequence[str] = COMMAND, pause_s: float = PAUSE_FIRST_S
    ) -> None:
        """Use `open`."""
        self._folder = folder
        self._wait_s = wait_s
        self._command = command
        self._pause_s = pause_s
        self._link: _Link | None = None
        self._one_at_a_time = asyncio.Lock()
        self._closed = False
        self.epoch = Epoch("")
        """The database's unbroken history."""
        self.took: Callable[[Took], None] | None = None
        """Told how long the process worked on each group, by its own clock."""
        self.restarts = 0
        """How often the process was started again."""

    @classmethod
    async def open(
        cls,
        folder: Path,
        wait_s: float = LOCK_WAIT_S,
        *,
        command: Sequence[str] = COMMAND,
        pause_s: float = PAUSE_FIRST_S,
    ) -> "WriterProcess":
        """Start the process on a data folder.

        Args:
            folder: the data folder.
            wait_s: how long to wait for another process that holds it (seconds).
            command: what to start; folder, descriptor and wait_s follow it.
            pause_s: wait before the second attempt at anything (seconds).

        Raises:
            StoreError: the folder cannot be used, or the process does not start.
        """
        writer = cls(folder, wait_s, command=command, pause_s=pause_s)
        await writer._start()
        return writer

    @property
    def pid(self) -> int | None:
        """The process's id, while it runs."""
        return None if self._link is None else self._link.process.pid

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """See `server.store.port.Store.commit`. Cancelled, it goes on to its end unheard."""
        return await unheard(asyncio.ensure_future(self._commit(Ask(tuple(group), now))))

    async def close(self) -> None:
        """End, after what is being committed: the database is closed, the process has gone."""
        async with self._one_at_a_time:
            self._closed = True
            await self._drop(END_WAIT_S)

    async def _commit(self, ask: Ask) -> list[Settled]:
        async with self._one_at_a_time:
            if self._closed:
                raise StoreError(f"{self._folder}: the store is closed")
            for attempt in range(ATTEMPTS_MAX):
                if attempt:
                    await asyncio.sleep(self._pause_s * 2 ** (attempt - 1))
                try:
                    answer = await self._ask(ask)
                except _GoneError:
                    await self._drop(0)
                    continue
                if isinstance(answer, Done):
                    if self.took is not None:
                        self.took(answer.took)
                    return list(answer.settled)
                raise self._failure(answer)
        raise StoreError(
            f"{self._folder}: the writing process died {ATTEMPTS_MAX} times over the same ops; its words are in the log"
        )

    async def _ask(self, ask: Ask) -> Answer:
        if self._link is None:
            self.restarts += 1
            _log.warning("starting the writing process of %s again", self._folder)
            self._link = await self._start_once()
        await self._link.send(ask)
        return await self._link.receive()

    async def _start(self) -> None:
        try:
            self._link = await self._start_once()
        except _GoneError:
            raise StoreError(f"{self._folder}: the writing process does not start; its words are in the log") from None

    async def _start_once(self) -> _Link:
        try:
            link = await _Link.open(self._command, self._folder, self._wait_s)
        except OSError as error:
            raise StoreError(f"{self._folder}: the writing process does not start ({error.strerror})") from error
        try:
            self.epoch = self._opened(await link.receive())
        except BaseException:
            await link.end(END_WAIT_S)
            raise
        return link

    def _opened(self, answer: Answer) -> Epoch:
        """The epoch that a process which has just been started tells; another one than before is not gone on with."""
        if not isinstance(answer, Opened):
            raise self._failure(answer)
        if self.epoch not in ("", answer.epoch):
            raise StoreError(
                f"{self._folder}: another database lies in the data folder than the one being served; restart the "
                "server, so that devices learn of it"
            )
        return answer.epoch

    def _failure(self, answer: Answer) -> StoreError:
        return StoreError(answer.text if isinstance(answer, Failed) else f"{self._folder}: an answer out of turn")

    async def _drop(self, wait_s: float) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        status = await link.end(wait_s)
        if status != 0:
            _log.warning("the writing process of %s ended with status %d", self._folder, status)


async def _spawned(spawning: Coroutine[Any, Any, subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """The process, once it is started; a caller that is cancelled meanwhile leaves none behind."""
    task = asyncio.ensure_future(spawning)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        process = await task
        process.kill()
        await asyncio.to_thread(process.wait)
        raise


def _spawn(command: Sequence[str], folder: Path, theirs: socket.socket, wait_s: float) -> subprocess.Popen[bytes]:
    """Start the process with its end of the socketpair."""
    descriptor = theirs.fileno()
    return subprocess.Popen(
        [*command, str(folder), str(descriptor), str(wait_s)],
        pass_fds=(descriptor,),
        stdin=subprocess.DEVNULL,
        # Out of the terminal's group: Ctrl-C reaches it before it can have said that it ignores it.
        start_new_session=True,
    )
