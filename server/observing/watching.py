"""Watching a running server: its port for scrapers and probes, and the heartbeat that tells how late its loop is."""

import asyncio
import contextlib
import importlib.metadata
import os
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from server.beatbook import Beatbook
from server.edge.door import Door
from server.observing.declared import Watched
from server.observing.exposition import exposed
from server.observing.listener import Answer, Listener
from server.observing.looking import Lags, look_at_files, look_at_processes
from server.observing.measures import Measures
from server.store.sqlite import SqliteStore

BEAT_S: Final = 0.05
"""How often the loop's heart beats: 20 callbacks a second, and a stall of 100 ms is seen as what it is."""


async def beat(
    measures: Measures,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Measure how late the loop calls back, until cancelled; `now` and `sleep` are in seconds."""
    while True:
        due = now() + BEAT_S
        await sleep(BEAT_S)
        measures.loop_lag.observe(max(0.0, now() - due))


class Watch:
    """One server, watched."""

    def __init__(self, beatbook: Beatbook, data: Path, certificate: Path | None, listening: socket.socket) -> None:
        """Bind it; `open` begins.

        Args:
            beatbook: the running server.
            data: its data folder.
            certificate: the file of its TLS certificate, where it has one.
            listening: where scrapers and probes call; it is closed with this.
        """
        self._beatbook = beatbook
        self._data = data
        self._certificate = certificate
        self._listening = listening
        self._lags = Lags(beatbook.hub, beatbook.now)
        self._one_at_a_time = asyncio.Lock()
        self._started_s = time.time()
        self._door: Door | None = None
        self._beating: asyncio.Task[None] | None = None
        self._listener = Listener({"/metrics": self._metrics, "/healthz": self._healthz, "/readyz": self._readyz})

    async def open(self, door: Door) -> None:
        """Begin to watch."""
        self._door = door
        self._beating = asyncio.create_task(beat(self._beatbook.measures))
        await self._listener.open(self._listening)

    async def close(self) -> None:
        """End."""
        await self._listener.close()
        self._listening.close()
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating

    async def look(self, door: Door) -> Watched:
        """The server as it is now."""
        store = self._beatbook.store
        writer = store.writer.pid if isinstance(store, SqliteStore) else None
        pids = (("server", os.getpid()), ("writer", writer))
        await self._lags.look()
        files = await asyncio.to_thread(look_at_files, self._data, self._certificate)
        return Watched(
            beatbook=self._beatbook,
            door=door,
            files=files,
            processes=await asyncio.to_thread(look_at_processes, pids),
            lags=self._lags.by_sort,
            connections_max=door.connections_max,
            version=importlib.metadata.version("beatbook"),
            started_s=self._started_s,
        )

    async def _metrics(self, accept: str) -> Answer:
        assert self._door is not None
        async with self._one_at_a_time:
            watched = await self.look(self._door)
        page, content_type = exposed(watched, accept)
        return Answer(HTTPStatus.OK, page, content_type)

    async def _healthz(self, _accept: str) -> Answer:
        return Answer(HTTPStatus.OK, b"the loop turns\n")

    async def _readyz(self, _accept: str) -> Answer:
        if not self._beatbook.ready:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"starting or stopping\n")
        if self._beatbook.committer.failing is not None:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"the store fails; the log says how\n")
        return Answer(HTTPStatus.OK, b"takes edits\n")
