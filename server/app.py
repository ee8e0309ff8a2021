"""The ASGI application: the sync socket and the HTTP side over a running server."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Scope
from starlette.websockets import WebSocket

from server.beatbook import Beatbook
from server.edge.middleware import Edge, EdgeSettings
from server.http import openapi, routes
from server.http.callers import Callers
from server.http.problems import HANDLERS
from server.http.status import StatusDesk
from server.observing.measures import Measures
from server.observing.requests import Observed

SYNC_PATH: Final = "/v1/sync"


class _Guarded(Starlette):
    """Starlette with the edge around all of it: a middleware of Starlette's own would not see its last error page."""

    edge: EdgeSettings = EdgeSettings()

    def build_middleware_stack(self) -> ASGIApp:
        """As its base, with the edge around it, and what watches around both."""
        return Observed(Edge(super().build_middleware_stack(), self.edge), _measures)


def _measures(scope: Scope) -> Measures | None:
    """Where requests are counted, while the application runs."""
    beatbook: Beatbook | None = getattr(scope["app"].state, "beatbook", None)
    return None if beatbook is None else beatbook.measures


def build(
    open_beatbook: Callable[[], contextlib.AbstractAsyncContextManager[Beatbook]], edge: EdgeSettings | None = None
) -> Starlette:
    """The ASGI application.

    Args:
        open_beatbook: opens what the application serves; entered at start, left at the end.
        edge: who may call it and how; by default whoever calls it by a name of the loopback.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_beatbook() as beatbook:
            app.state.beatbook = beatbook
            app.state.callers = Callers(beatbook)
            app.state.status = StatusDesk(beatbook)
            yield

    async def sync(socket: WebSocket) -> None:
        await socket.app.state.beatbook.socket(socket)

    app = _Guarded(
        routes=[WebSocketRoute(SYNC_PATH, sync), openapi.ROUTE, *routes.all_routes()],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.edge = edge or EdgeSettings()
    app.router.redirect_slashes = False  # a path with a slash too many is not one of the description's
    return app
