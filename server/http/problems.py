"""Errors over HTTP as problem details (RFC 9457), those of who may call with the challenge that RFC 9449 asks for."""

import logging
import math

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import StoreError, UsageError
from server.beatbook import Beatbook
from server.federation.refusals import RefusedError
from server.federation.tokens import NonceError
from server.http.callers import NONCE, TIME, NotEntitledError, TooFastError, challenge
from server.http.wording import in_words
from server.rule_writer import ForbiddenError, NotFoundError, SettledError

_log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem detail.

    Attributes:
        title: what kind of problem it is.
        status: the HTTP status.
        detail: what, where, and what to do.
        code: the stable name of a refusal to let somebody in; absent from other problems.
    """

    title: str
    status: int
    detail: str
    code: str = ""


def problem(status: int, title: str, detail: str, code: str = "") -> Response:
    """The response that tells of a problem."""
    body = msgspec.json.encode(Problem(title=title, status=status, detail=detail, code=code))
    headers = {"WWW-Authenticate": challenge(None)} if status == 401 else {}  # noqa: PLR2004  RFC 9110 asks for it
    return Response(body, status, headers, media_type="application/problem+json")


def reply(value: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def beatbook_of(request: Request) -> Beatbook:
    """The running server behind a request."""
    found: Beatbook = request.app.state.beatbook
    return found


async def on_http_error(_request: Request, error: Exception) -> Response:
    """A route that is none, a method that is none, or a refusal."""
    assert isinstance(error, HTTPException)
    titles = {401: "not identified", 404: "not found", 410: "erased", 405: "method not allowed"}
    response = problem(error.status_code, titles.get(error.status_code, "refused"), error.detail)
    response.headers.update(error.headers or {})
    return response


async def on_refused(request: Request, error: Exception) -> Response:
    """Somebody is not let in. They are told what happened, never the particulars: those are for the log."""
    assert isinstance(error, RefusedError)
    spec = error.spec
    if not isinstance(error, NonceError):
        _log.info("not let in: %s", error)
    response = problem(spec.status, "not let in", f"{spec.meaning} {spec.action}", spec.code)
    if "WWW-Authenticate" in response.headers:
        response.headers["WWW-Authenticate"] = challenge(error)
    if isinstance(error, NonceError):
        response.headers[NONCE] = error.nonce
    if spec.code in {"proof_nonce", "proof_invalid"}:
        # A device's clock may be wrong, and a proof bears a time: with this it can make the next one.
        response.headers[TIME] = str(beatbook_of(request).now())
    _wait(response, error.retry_after_ms)
    return response


async def on_not_entitled(_request: Request, error: Exception) -> Response:
    """Somebody may not do this; they are told who could."""
    return problem(403, "not entitled", str(error))


async def on_too_fast(_request: Request, error: Exception) -> Response:
    """A device has to slow down."""
    assert isinstance(error, TooFastError)
    response = problem(429, "too many requests", str(error))
    _wait(response, error.retry_after_ms)
    return response


def _wait(response: Response, retry_after_ms: int | None) -> None:
    if retry_after_ms is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after_ms / 1_000))


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
    return problem(400, "body not understood", in_words(error))


async def on_store_error(_request: Request, error: Exception) -> Response:
    """The store failed; asking again is safe."""
    _log.error("store failed: %s", error)
    return problem(503, "store not available", "nothing was lost; ask again")


async def on_defect(_request: Request, _error: Exception) -> Response:
    """What nobody foresaw; the server's log has it."""
    return problem(500, "defect", "the server failed at this request; its log says how")


HANDLERS = {
    HTTPException: on_http_error,
    RefusedError: on_refused,
    NotEntitledError: on_not_entitled,
    ForbiddenError: on_not_entitled,
    TooFastError: on_too_fast,
    UsageError: on_usage_error,
    NotFoundError: on_not_found,
    SettledError: on_settled,
    msgspec.DecodeError: on_invalid,
    StoreError: on_store_error,
    Exception: on_defect,
}
