"""A subscriber on a real socket: a small HTTP server that keeps what came and answers with the bytes that a test gives.

It checks signatures with code of its own, from RFC 9421's text, and takes structured and binary events apart.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from urllib.parse import unquote

ATTRIBUTE: Final = re.compile(r"[a-z0-9]{1,20}")
PATH: Final = "/hook/planted-Zq81"
"""Of an address, a part may be a secret."""
NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"


class Call:
    """One request.

    Attributes:
        line: its first line.
        headers: name in lower case -> value.
        body: its bytes.
    """

    def __init__(self, line: str, headers: dict[str, str], body: bytes) -> None:
        """Keep it."""
        self.line = line
        self.headers = headers
        self.body = body

    @property
    def event(self) -> dict[str, Any]:
        """Its event, from whichever form it has, held against what CloudEvents 1.0 asks for."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        found: dict[str, Any]
        if kind == "application/cloudevents+json":
            found = json.loads(self.body)
        else:
            found = {name[3:]: unquote(value) for name, value in self.headers.items() if name.startswith("ce-")}
            if self.body:
                found |= {"datacontenttype": kind, "data": json.loads(self.body)}
        check_event(found)
        return found


def check_event(event: dict[str, Any]) -> None:
    """Fail where an event is not what the specification asks for.

    CloudEvents 1.0.2: the required attributes are non-empty text; the names are lower-case letters and digits, at most
    20 of them; `time` is a timestamp of RFC 3339, `source` a URI reference, `dataschema` an absolute URI.
    """
    assert event["specversion"] == "1.0"
    for name in ("id", "source", "type", "subject"):
        assert isinstance(event[name], str), name
    for name, value in event.items():
        assert ATTRIBUTE.fullmatch(name), name
        if name != "data":
            assert isinstance(value, str), name
            assert value, name
            assert not re.search(r"[\x00-\x1f\x7f-\x9f]", value), name
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["time"])
    assert re.match(r"[a-z][a-z0-9+.-]*:", event["source"])
    if "data" in event:
        assert event["datacontenttype"] == "application/json"
        assert re.match(r"[a-z][a-z0-9+.-]*:", event["dataschema"])
    else:
        assert "dataschema" not in event
        assert "datacontenttype" not in event


def verified(call: Call, url: str, secret: str) -> list[str]:
    """The components that the signature covers, once it has been found true.

    RFC 9421 section 3.2: the covered components and the parameters are read from Signature-Input, the base is built
    from the message as it came, and the digest of the body (RFC 9530) is among what is covered.
    """
    label, _, parameters = call.headers["signature-input"].partition("=")
    names = re.findall(r'"([^"]+)"', parameters.partition(")")[0])
    values = {"@method": call.line.split(" ")[0], "@target-uri": url}
    lines = [f'"{name}": {values.get(name) or call.headers[name]}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": {parameters}']).encode()
    made = base64.b64encode(hmac.new(secret.encode(), base, hashlib.sha256).digest()).decode()
    assert call.headers["signature"] == f"{label}=:{made}:"
    digest = base64.b64encode(hashlib.sha256(call.body).digest()).decode()
    assert call.headers["content-digest"] == f"sha-256=:{digest}:"
    assert "content-digest" in names
    return names


class Receiver:
    """See the module's text.

    Attributes:
        calls: what came.
        answer: the bytes with which to answer a call; None leaves it without an answer.
    """

    def __init__(self) -> None:
        """Take everything; `listening` opens it."""
        self.calls: list[Call] = []
        self.connections = 0
        self.answer: Callable[[Call], bytes | None] = lambda _call: NO_CONTENT
        self.port = 0
        self._arrived = asyncio.Condition()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    async def until(self, holds: Callable[[list[Call]], bool]) -> None:
        """Wait until that holds of the calls."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: holds(self.calls))

    def hang_up(self) -> None:
        """Close every connection, whatever is under way; what was written goes out before."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                call = Call(line, headers, body)
                answer = self.answer(call)
                async with self._arrived:
                    self.calls.append(call)
                    self._arrived.notify_all()
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def listening(port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on the loopback."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
