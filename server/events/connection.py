"""Connections to one subscriber: HTTP/1.1, one POST at a time on each, kept open between them.

httpx costs 2 ms of the server's only loop for each call, and handhelds wait for that loop; this costs a tenth of it. It
does the little that is needed: it writes a request whole, and of the answer reads status, Retry-After and no more body
than a bound. llhttp, which httptools wraps, reads the answer; nothing here follows a redirect or unpacks anything.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httptools

ANSWER_BYTES_MAX: Final = 16 * 1024
"""What is read of an answer, head and body; a longer one costs its connection, and its status counts."""
_PIECE_BYTES: Final = 4_096
_FINAL: Final = 200
"""Below are the statuses behind which another one follows (RFC 9110 section 15.2)."""


class UnreachableError(Exception):
    """Nobody is there, or they cannot show who they are."""


class BrokenError(Exception):
    """The connection ended before an answer, what came is none, or none came in time.

    Attributes:
        before_all: whether it ended before anything came.
    """

    def __init__(self, words: str, *, before_all: bool = False) -> None:
        """Say what happened."""
        super().__init__(words)
        self.before_all = before_all


class Answer:
    """One answer while it is read: what the parser calls back."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.status = 0
        self.retry_after: str | None = None
        self.whole = False
        """Whether it has come to its end."""
        self._more = False
        """Whether something came behind it, where nothing was asked for."""
        self._lasting = False
        self._parser = httptools.HttpResponseParser(self)
        self._told = ""

    def feed(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            BrokenError: it is no answer.
        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise BrokenError("what came is no HTTP answer") from None

    @property
    def keeps_open(self) -> bool:
        """Whether the connection can be used again."""
        return self.whole and not self._more and self._lasting

    def on_message_begin(self) -> None:
        """It begins; or another one does."""
        self._more = self.whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        if name.lower() == b"retry-after":
            self._told = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head has come."""
        status = self._parser.get_status_code()
        if status >= _FINAL and not self.whole:
            self.status, self.retry_after = status, self._told or None
            # Behind its end the parser does not know any more.
            self._lasting = self._parser.should_keep_alive()
        self._told = ""

    def on_message_complete(self) -> None:
        """It has come to its end; one that says that another one follows does not count."""
        self.whole = self.status >= _FINAL


class Connections:
    """See the module's text."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: where to post to, http or https; it has been checked.
            tls: whom to believe about its certificate; None is the machine's own authorities.
            timeout_s: for one call, its connection and its answer included.
        """
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._tls = None
        if parts.scheme == "https":
            self._tls = tls or ssl.create_default_context()
        self._port = parts.port or (443 if self._tls else 80)
        self._timeout_s = timeout_s
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._head = f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._open: set[asyncio.StreamWriter] = set()

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """One call.

        Raises:
            UnreachableError: no connection could be made.
            BrokenError: none came of it.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{self._head}{lines}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        until = asyncio.get_running_loop().time() + self._timeout_s
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                try:
                    return await self._ask(reader, writer, request, until)
                except BrokenError as error:
                    # It may have been closed at its other end just then: once more, on a new one.
                    if not error.before_all:
                        raise
            self._close(writer)
        try:
            async with asyncio.timeout_at(until):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, limit=ANSWER_BYTES_MAX
                )
        except OSError as error:
            # A certificate that is not believed, and a time that is over, are OSErrors too.
            raise UnreachableError(f"cannot be reached ({type(error).__name__})") from None
        self._open.add(writer)
        return await self._ask(reader, writer, request, until)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, until: float
    ) -> Answer:
        answer, read = Answer(), 0
        try:
            async with asyncio.timeout_at(until):
                writer.write(request)
                while not answer.whole and read <= ANSWER_BYTES_MAX:
                    piece = await reader.read(_PIECE_BYTES)
                    if not piece:
                        break
                    read += len(piece)
                    answer.feed(piece)
        except TimeoutError:
            raise BrokenError(f"no answer within {self._timeout_s:g} s") from None
        except OSError:
            raise BrokenError("the connection broke off", before_all=not read) from None
        finally:
            if answer.keeps_open:
                self._idle.append((reader, writer))
            else:
                self._close(writer)
        if not answer.status:
            raise BrokenError("the connection ended before an answer", before_all=not read)
        return answer

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.transport.abort()

    def close(self) -> None:
        """Close every connection."""
        self._idle.clear()
        for writer in list(self._open):
            self._close(writer)
