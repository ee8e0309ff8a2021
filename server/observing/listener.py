"""The port for those who watch: `/metrics`, `/healthz`, `/readyz`, and nothing else.

A port of its own, so that the public one tells nothing about the server, and so that a scrape is answered while the
door is full. It speaks just enough HTTP/1.1 for a scraper and a probe: GET and HEAD, no body, one request to a
connection, few connections, and little time for each.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec

HEAD_BYTES_MAX: Final = 8 * 1_024
HEAD_S_MAX: Final = 5.0
"""How long a request may take to come, and its answer to go."""
CALLERS_MAX: Final = 16
"""Connections at once: a few scrapers and probes. One more is closed."""
_PLAIN: Final = "text/plain; charset=utf-8"
_PARTS: Final = 3
"""Of a request line: method, target, version."""


class Answer(msgspec.Struct, frozen=True):
    """What is said to a request."""

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN


Route = Callable[[str], Awaitable[Answer]]
"""Answers a request, given its Accept header."""


class Listener:
    """Answers a few paths on one listening socket."""

    def __init__(self, routes: dict[str, Route]) -> None:
        """Bind it.

        Args:
            routes: path -> who answers there.
        """
        self._routes = routes
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def open(self, listening: socket.socket) -> None:
        """Begin to answer on a socket that listens; `close` closes it."""
        self._server = await asyncio.start_server(self._serve, sock=listening, limit=HEAD_BYTES_MAX)

    async def close(self) -> None:
        """Answer no more."""
        if self._server is None:
            return
        self._server.close()
        for task in self._callers:
            task.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._callers) < CALLERS_MAX:
                self._callers.add(task)
                # A caller that is slow, has gone or sends something else is nobody's concern but its own.
                with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    async with asyncio.timeout(HEAD_S_MAX):
                        await self._talk(reader, writer)
        finally:
            self._callers.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, answer = await self._answer(head)
        lines = [
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: GET, HEAD")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else answer.body))
        await writer.drain()

    async def _answer(self, head: str) -> tuple[str, Answer]:
        first, *fields = head.split("\r\n")
        parts = first.split(" ")
        if len(parts) != _PARTS or not parts[2].startswith("HTTP/1."):
            return "", Answer(HTTPStatus.BAD_REQUEST, b"this port speaks HTTP/1.1\n")
        method, target, _ = parts
        route = self._routes.get(target.partition("?")[0])
        if route is None:
            known = ", ".join(sorted(self._routes))
            return method, Answer(HTTPStatus.NOT_FOUND, f"there is only {known} here\n".encode())
        if method not in {"GET", "HEAD"}:
            return method, Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD\n")
        named = (field.partition(":") for field in fields)
        accept = ",".join(value.strip() for name, _, value in named if name.lower() == "accept")
        return method, await route(accept)
