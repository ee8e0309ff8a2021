"""The opening handshake of a WebSocket (RFC 6455 section 4), and what the application is told of it.

The parser and the checks are the websockets library's; they are let go of with the answer.
"""

import asyncio
import email.utils
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

_parser_log = logging.getLogger(f"{__name__}.parser")
_parser_log.setLevel(logging.CRITICAL + 1)  # it logs headers, tokens included
_HEAD_END: Final = b"\r\n\r\n"
_BEFORE_END: Final = len(_HEAD_END) - 1


class Handshake:
    """One opening handshake. No extensions, so no compression."""

    __slots__ = ("_parser", "_response", "_seen")

    def __init__(self) -> None:
        """Before the first byte."""
        self._parser = ServerProtocol(extensions=[], logger=_parser_log)
        self._response: Response | None = None
        self._seen = b""

    def take(self, data: bytes) -> Request | HTTPStatus | None:
        """Take what came.

        Returns:
            The request, once it is there and can be answered; the status with which it is refused; None while more is
            to come. More behind it than its end is a client that does not wait for the answer, and refused.
        """
        whole = self._seen + data
        self._seen = whole[-_BEFORE_END:]
        behind = not whole.endswith(_HEAD_END) and _HEAD_END in whole
        self._parser.receive_data(data)
        for event in self._parser.events_received():
            request = cast("Request", event)
            response = self._parser.accept(request)
            if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
                return HTTPStatus(response.status_code)
            self._response = response
            return HTTPStatus.BAD_REQUEST if behind else request
        return None if self._parser.handshake_exc is None else HTTPStatus.BAD_REQUEST

    def answer(self, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The response that opens the WebSocket."""
        assert self._response is not None
        response = self._response
        for name, value in headers:
            response.headers[name.decode("latin-1")] = value.decode("latin-1")
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        return response.serialize()


def scope_of(
    request: Request,
    config: Config,
    state: dict[str, Any],
    transport: asyncio.Transport,
) -> dict[str, Any]:
    """The ASGI scope of a WebSocket (ASGI 2.4).

    Args:
        request: the handshake.
        config: uvicorn's.
        state: of the application.
        transport: of the connection.
    """
    raw_path, _, query = request.path.partition("?")
    offered = [part.strip() for each in request.headers.get_all("Sec-WebSocket-Protocol") for part in each.split(",")]
    return {
        "type": "websocket",
        "asgi": {"version": config.asgi_version, "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws" if transport.get_extra_info("sslcontext") is None else "wss",
        "server": get_local_addr(transport),
        "client": get_remote_addr(transport),
        "root_path": config.root_path,
        "path": config.root_path + unquote(raw_path),
        "raw_path": (config.root_path + raw_path).encode("ascii"),
        "query_string": query.encode("ascii"),
        "headers": [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers.raw_items()],
        "subprotocols": offered,
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }


def denied(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """An HTTP response instead of a WebSocket; the connection ends behind it."""
    ours = {b"date": email.utils.formatdate(usegmt=True).encode(), b"content-length": str(len(body)).encode()}
    told = [(name.lower(), value) for name, value in headers if name.lower() not in {*ours, b"connection"}]
    told += [*ours.items(), (b"connection", b"close")]
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [name + b": " + value for name, value in told]
    return b"\r\n".join(lines) + _HEAD_END + body
