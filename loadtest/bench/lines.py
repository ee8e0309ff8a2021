"""HTTP/1.1 over connections that are kept, with as little work as can be: what is measured is the server.

A general client spends more time on a call than the server that answers it. This one knows POST alone, and answers that
tell their length, as the server's do.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from schemas.errors import StoreError

_TIMEOUT_S: Final = 120.0
_CLIENT_ERROR: Final = 400


class Answer(msgspec.Struct, frozen=True):
    """What the server answered.

    Attributes:
        status: its code.
        headers: by name, in lower case.
        body: its bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def refused(self) -> bool:
        """Whether it is no success."""
        return self.status >= _CLIENT_ERROR

    @property
    def nonce(self) -> str | None:
        """What the server wants in the next proof, if it says so."""
        return self.headers.get("dpop-nonce")

    def json(self) -> dict[str, Any]:
        """Its body."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Lines:
    """Kept connections to one server. Use it as a context.

    Attributes:
        base: address of its HTTP side.
        nonces: path -> what the server last asked to be put into proofs there: the same for every caller.
    """

    def __init__(self, base: str) -> None:
        """Bind it; nothing is connected yet."""
        self.base = base.rstrip("/")
        self.nonces: dict[str, str] = {}
        place = urlsplit(base)
        self._host, self._port = place.hostname or "", place.port or 80
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Self:
        """Ready."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        while self._free:
            self._free.pop()[1].close()

    async def post(self, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """Call.

        Args:
            path: where, with the slash before it.
            body: sent as JSON.
            headers: besides those that every call has.

        Raises:
            StoreError: there is no answer, or none that this can read.
        """
        data = msgspec.json.encode(body)
        told = {"host": f"{self._host}:{self._port}", "content-type": "application/json", "content-length": len(data)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**told, **headers}.items())
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await self._line()
                writer.write(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + data)
                try:
                    answer = await _answer(reader)
                except BaseException:
                    writer.close()
                    raise
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            raise StoreError(f"{path}: the server gave no answer: {error}") from None
        # A call that was let in tells the nonce of those who are known, which is not that of those who enrol.
        if answer.nonce is not None and answer.refused:
            self.nonces[path] = answer.nonce
        if answer.headers.get("connection") == "close":
            writer.close()
        else:
            self._free.append((reader, writer))
        return answer

    async def _line(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._free:
            reader, writer = self._free.pop()
            # One that was quiet for long has been closed by the server.
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._host, self._port)


async def _answer(reader: asyncio.StreamReader) -> Answer:
    """Read one answer.

    Raises:
        OSError, asyncio.IncompleteReadError: the connection ended.
        ValueError: it tells no length, or is no HTTP.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if "content-length" not in headers:
        raise ValueError(f"an answer without a length: {first}")
    return Answer(int(first.split(" ", 2)[1]), headers, await reader.readexactly(int(headers["content-length"])))
