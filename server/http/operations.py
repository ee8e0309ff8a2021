"""What a route is, what the OpenAPI description says of it, and how its path, query and body are read."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import UsageError
from schemas.ids import RecordId, is_record_id
from schemas.roles import Role

_Body = TypeVar("_Body")
Handler = Callable[[Request], Awaitable[Response]]
LIST_MAX: Final = 500
LIST_DEFAULT: Final = 100
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""A request's body: 500 drafts of 8 KiB."""
PLACE_DIGITS_MAX: Final = 15
LIMIT_MEANING: Final = f"How many, 1 to {LIST_MAX}; {LIST_DEFAULT} when absent."
AFTER_ID_MEANING: Final = "The id behind which to go on."
ANYBODY: Final = "anybody"
"""Whoever can reach the server."""
KEY_HOLDER: Final = "key-holder"
"""Whoever proves that they hold a device's key; no token is needed."""
SIGNED_IN: Final = "signed-in"
"""Whoever is signed in, or a program at its own seat, whatever their roles."""
Who = Literal["anybody", "key-holder", "signed-in"] | tuple[Role, ...]
"""Who may call an operation: one of the words above, or whoever has one of these roles."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes:
        method, path: where it is.
        handler: what answers.
        who: who may call it. There is no default: whoever adds an operation says it.
        takes, gives: body types; None for none. Who is given none is a browser, and gets a page.
        raw: the media type of a body in the format of others, which no type here describes; "" where it takes none.
        status: of success.
        also: other statuses of success, with what they mean.
        query: parameter -> meaning.
        holds: the security scheme of what whoever calls must hold, where that is no sign-in.
    """

    method: str
    path: str
    handler: Handler
    who: Who
    takes: Any = None
    gives: Any = None
    raw: str = ""
    status: int = 200
    also: Mapping[int, str] = {}
    query: Mapping[str, str] = {}
    holds: str = ""

    @property
    def summary(self) -> str:
        """What it does: its handler's docstring."""
        return self.handler.__doc__ or ""


async def read_bytes(request: Request, bytes_max: int) -> bytes:
    """The request's body as it came.

    Raises:
        HTTPException: 413 when it is longer than `bytes_max`.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise HTTPException(413, f"at most {bytes_max} bytes in one request")
        parts.append(part)
    return b"".join(parts)


async def read_body(request: Request, of: type[_Body]) -> _Body:
    """The request's body, decoded.

    Raises:
        HTTPException: 413 when it is too long.
        msgspec.DecodeError: it is not what the route takes.
    """
    body = await read_bytes(request, BODY_BYTES_MAX)
    try:
        return msgspec.json.decode(body, type=of)
    except (UnicodeDecodeError, RecursionError):
        raise msgspec.DecodeError("the body is not JSON in UTF-8, or is nested too deeply") from None


def record_in(request: Request, name: str = "record") -> RecordId:
    """The record id in the path.

    Raises:
        HTTPException: 404; no record has an id of that form.
    """
    text: str = request.path_params[name]
    if not is_record_id(text):
        raise HTTPException(404, f"there is no {name} {text!r}")
    return RecordId(text)


def limit_of(request: Request) -> int:
    """The parameter `limit`.

    Raises:
        UsageError: it is none.
    """
    limit = request.query_params.get("limit", str(LIST_DEFAULT))
    if re.fullmatch("[0-9]{1,3}", limit) is None or not 1 <= int(limit) <= LIST_MAX:
        raise UsageError(f"limit={limit!r}: give a number from 1 to {LIST_MAX}")
    return int(limit)


def after_id_of(request: Request) -> str:
    """The parameter `after` of a list of records; "" when absent.

    Raises:
        UsageError: it is none.
    """
    after = request.query_params.get("after", "")
    if after and not is_record_id(after):
        raise UsageError(f"after={after!r}: give the id that `next` of the page before says")
    return after


def after_place_of(request: Request) -> int:
    """The parameter `after` of a list of ops; 0 when absent.

    Raises:
        UsageError: it is none.
    """
    after = request.query_params.get("after", "0")
    if re.fullmatch(f"[0-9]{{1,{PLACE_DIGITS_MAX}}}", after) is None:
        raise UsageError(f"after={after!r}: give the number that `next` of the page before says")
    return int(after)


def choice_of(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """A parameter with a few values; the first of them when absent.

    Raises:
        UsageError: it is none of them.
    """
    given = request.query_params.get(name, choices[0])
    if given not in choices:
        raise UsageError(f"{name}={given!r}: give one of {', '.join(choices)}")
    return given
