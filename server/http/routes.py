"""All routes together, each behind the check of who calls and whether they may."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.http import (
    administration,
    briefings,
    detentions,
    devices,
    due,
    events,
    evidence,
    exports,
    federation,
    handover,
    health,
    histories,
    importing,
    inbox,
    orders,
    organisation,
    oversight,
    packs,
    quality,
    records,
    retention,
    security_keys,
    signing,
    status,
)
from server.http.callers import NONCE, callers_of, check_roles
from server.http.operations import ANYBODY, KEY_HOLDER, Handler, Operation

OPERATIONS: Final = (
    *health.OPERATIONS,
    *signing.OPERATIONS,
    *federation.OPERATIONS,
    *security_keys.OPERATIONS,
    *briefings.OPERATIONS,
    *records.OPERATIONS,
    *histories.OPERATIONS,
    *detentions.OPERATIONS,
    *inbox.OPERATIONS,
    *orders.OPERATIONS,
    *due.OPERATIONS,
    *handover.OPERATIONS,
    *exports.OPERATIONS,
    *importing.OPERATIONS,
    *packs.OPERATIONS,
    *devices.OPERATIONS,
    *administration.OPERATIONS,
    *organisation.OPERATIONS,
    *oversight.OPERATIONS,
    *quality.OPERATIONS,
    *retention.OPERATIONS,
    *evidence.OPERATIONS,
    *events.OPERATIONS,
    *status.OPERATIONS,
)


def all_routes() -> Sequence[BaseRoute]:
    """Starlette's routes for the operations: one for each path, so that a 405 names all its methods."""
    paths: dict[str, dict[str, Handler]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _guarded(operation)
    return [Route(path, _by_method(handlers), methods=list(handlers)) for path, handlers in paths.items()]


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    async def dispatch(request: Request) -> Response:
        # A HEAD is a GET whose body the server leaves out.
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


def _guarded(operation: Operation) -> Handler:
    if operation.who in {ANYBODY, KEY_HOLDER}:
        return operation.handler  # of a key's holder the handler itself asks whose key it must be
    roles = operation.who if isinstance(operation.who, tuple) else None

    async def guarded(request: Request) -> Response:
        callers = callers_of(request)
        request.state.caller = caller = callers.identify(request)
        if roles is not None:
            check_roles(caller, roles)
        response = await operation.handler(request)
        # So that the next call need not be refused first (RFC 9449 section 8.2).
        response.headers[NONCE] = callers.nonce()
        return response

    return guarded
