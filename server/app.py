"""The ASGI application: the sync socket and the HTTP side over a running server."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from server.beatbook import Beatbook
from server.http import openapi, routes
from server.http.problems import HANDLERS

SYNC_PATH: Final = "/v1/sync"


def build(open_beatbook: Callable[[], contextlib.AbstractAsyncContextManager[Beatbook]]) -> Starlette:
    """The ASGI application.

    Args:
        open_beatbook: opens what the application serves; entered at start, left at the end.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_beatbook() as beatbook:
            app.state.beatbook = beatbook
            yield

    async def sync(socket: WebSocket) -> None:
        await socket.app.state.beatbook.socket(socket)

    app = Starlette(
        routes=[WebSocketRoute(SYNC_PATH, sync), openapi.ROUTE, *routes.all_routes()],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a path with a slash too many is not one of the description's
    return app
