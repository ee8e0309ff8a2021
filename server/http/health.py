"""Routes: whether the server runs, and whether it takes edits."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from server.http import bodies
from server.http.operations import ANYBODY, Operation
from server.http.problems import beatbook_of, problem, reply


async def livez(_request: Request) -> Response:
    """The process runs and its loop turns."""
    return reply(bodies.Health(status="ok"))


async def readyz(request: Request) -> Response:
    """The server takes edits: store open, committer not failing, not stopping."""
    beatbook = beatbook_of(request)
    if not beatbook.ready:
        return problem(503, "not ready", "the server is starting or stopping")
    if beatbook.committer.failing is not None:
        return problem(503, "not ready", "the store fails; see the server's log")
    return reply(bodies.Health(status="ok", sockets=len(beatbook.hub), epoch=beatbook.store.epoch))


OPERATIONS: Final = (
    Operation(method="GET", path="/livez", handler=livez, gives=bodies.Health, who=ANYBODY),
    Operation(method="GET", path="/readyz", handler=readyz, gives=bodies.Health, who=ANYBODY),
)
