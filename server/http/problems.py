"""Errors over HTTP as problem details (RFC 9457), and the check of the bearer token (RFC 6750)."""

import hmac
import logging

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import StoreError, UsageError
from server.beatbook import Beatbook
from server.office import NotFoundError, SettledError

_log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem detail.

    Attributes:
        title: what kind of problem it is.
        status: the HTTP status.
        detail: what, where, and what to do.
    """

    title: str
    status: int
    detail: str


def problem(status: int, title: str, detail: str) -> Response:
    """The response that tells of a problem."""
    body = msgspec.json.encode(Problem(title=title, status=status, detail=detail))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004  RFC 6750 asks for it
    return Response(body, status, headers, media_type="application/problem+json")


def reply(value: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def beatbook_of(request: Request) -> Beatbook:
    """The running server behind a request."""
    found: Beatbook = request.app.state.beatbook
    return found


def require_token(request: Request) -> None:
    """Let only those pass who show the token.

    Raises:
        HTTPException: 401.
    """
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    expected = beatbook_of(request).token
    if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), expected.encode()):
        raise HTTPException(
            401, "send the header Authorization: Bearer with the token in the data folder's control.token"
        )


async def on_http_error(_request: Request, error: Exception) -> Response:
    """A route that is none, a method that is none, or a refusal."""
    assert isinstance(error, HTTPException)
    titles = {401: "not identified", 404: "not found", 405: "method not allowed"}
    response = problem(error.status_code, titles.get(error.status_code, "refused"), error.detail)
    response.headers.update(error.headers or {})
    return response


async def on_usage_error(_request: Request, error: Exception) -> Response:
    """Something was asked for that cannot be."""
    return problem(422, "cannot be done", str(error))


async def on_not_found(_request: Request, error: Exception) -> Response:
    """What was asked about is not there."""
    return problem(404, "not found", str(error))


async def on_settled(_request: Request, error: Exception) -> Response:
    """A decision on what is decided."""
    return problem(409, "settled already", str(error))


async def on_invalid(_request: Request, error: Exception) -> Response:
    """A body that is not what the route takes."""
    return problem(400, "body not understood", str(error))


async def on_store_error(_request: Request, error: Exception) -> Response:
    """The store failed; asking again is safe."""
    _log.error("store failed: %s", error)
    return problem(503, "store not available", "nothing was lost; ask again")


async def on_defect(_request: Request, _error: Exception) -> Response:
    """What nobody foresaw; the server's log has it."""
    return problem(500, "defect", "the server failed at this request; its log says how")


HANDLERS = {
    HTTPException: on_http_error,
    UsageError: on_usage_error,
    NotFoundError: on_not_found,
    SettledError: on_settled,
    msgspec.DecodeError: on_invalid,
    StoreError: on_store_error,
    Exception: on_defect,
}
