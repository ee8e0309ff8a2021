"""The ASGI application around the edge: each HTTP request gets an id, and is counted with its time and status.

Outside of everything, so that what the edge refuses is counted too and bears its id. The id is always our own: what a
caller sends as one could be anything, and would stand in every log line.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.observing import correlation
from server.observing.measures import Measures
from server.observing.tracing import Requested

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What is counted by name; whatever else a caller thinks of is `OTHER`."""
OTHER: Final = "other"
_NO_ANSWER: Final = 499
"""The status that is counted where the caller had left before there was an answer."""


class Observed:
    """An ASGI application, watched."""

    def __init__(self, app: ASGIApp, measures: Callable[[Scope], Measures | None]) -> None:
        """Wrap it.

        Args:
            app: what is inside.
            measures: where a request of that scope is counted; None for nowhere.
        """
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one WebSocket, or the application's life."""
        if scope["type"] != "http":
            if scope["type"] == "websocket" and not correlation.connection():
                correlation.begin_connection()
            await self._app(scope, receive, send)
            return
        name, began, status = correlation.begin_request(), perf_counter(), _NO_ANSWER

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (correlation.REQUEST_HEADER, name.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            measures = self._measures(scope)
            if measures is not None:
                method = scope["method"] if scope["method"] in METHODS else OTHER
                measures.requests[method, status] += 1
                ended = perf_counter()
                measures.request_s.observe(ended - began)
                if measures.spans is not None and measures.spans.chosen():
                    route = getattr(scope.get("route"), "path", "")
                    measures.spans.requested(Requested(name, method, route, status, began, ended))
