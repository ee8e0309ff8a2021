"""All routes together, each behind the check of the token unless it is open."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.http import briefings, devices, health, histories, inbox, records
from server.http.operations import Handler
from server.http.problems import require_token

OPERATIONS: Final = (
    *health.OPERATIONS,
    *briefings.OPERATIONS,
    *records.OPERATIONS,
    *histories.OPERATIONS,
    *inbox.OPERATIONS,
    *devices.OPERATIONS,
)


def all_routes() -> Sequence[BaseRoute]:
    """Starlette's routes for the operations: one for each path, so that a 405 names all its methods."""
    paths: dict[str, dict[str, Handler]] = {}
    for operation in OPERATIONS:
        handler = operation.handler if operation.open else _guarded(operation.handler)
        paths.setdefault(operation.path, {})[operation.method] = handler
    return [Route(path, _by_method(handlers), methods=list(handlers)) for path, handlers in paths.items()]


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    async def dispatch(request: Request) -> Response:
        # A HEAD is a GET whose body the server leaves out.
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        require_token(request)
        return await handler(request)

    return guarded
