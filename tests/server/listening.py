"""The whole application on a free port of the loopback, without signals and without uvicorn's own main loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import uvicorn

from server.app import build
from server.beatbook import Beatbook
from server.websocket_protocol import BoundedWebSocketProtocol
from tests.server.rawsocket import HOST, PATIENCE_S


async def listen(beatbook: Beatbook) -> uvicorn.Server:
    """Start it; whoever does ends it with `shut_down`, once nothing of theirs holds a connection back."""

    @contextlib.asynccontextmanager
    async def open_beatbook() -> AsyncIterator[Beatbook]:
        await beatbook.start()
        try:
            yield beatbook
        finally:
            await beatbook.stop()

    config = uvicorn.Config(
        build(open_beatbook),
        host=HOST,
        port=0,
        ws=BoundedWebSocketProtocol,
        ws_ping_interval=None,
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    return server


def port_of(server: uvicorn.Server) -> int:
    """The port that it was given."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


async def shut_down(server: uvicorn.Server) -> None:
    """As uvicorn does it, but led by events instead of polling."""
    state = server.server_state
    for listening in server.servers:
        listening.close()
    for connection in list(state.connections):
        connection.shutdown()
    async with asyncio.timeout(PATIENCE_S):
        while state.tasks:
            await asyncio.wait(state.tasks)
    await server.lifespan.shutdown()
