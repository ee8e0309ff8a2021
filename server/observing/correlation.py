"""Ids that tie the lines of a log together: of a connection from its acceptance on, and of each HTTP request.

They are random and say nothing of who it is. Both live in context variables: a task keeps those under which it was
made, and so does what the loop calls back for a socket. What one task does for many (a commit) names the ids of all.
"""

import secrets
from contextvars import ContextVar
from typing import Final

_ID_BITS: Final = 48
"""Twelve digits: of a million ids, hardly ever are two the same."""
_CONNECTION: Final[ContextVar[str]] = ContextVar("beatbook_connection", default="")
_REQUEST: Final[ContextVar[str]] = ContextVar("beatbook_request", default="")
REQUEST_HEADER: Final = b"x-request-id"


def _new() -> str:
    return f"{secrets.randbits(_ID_BITS):0{_ID_BITS // 4}x}"


def begin_connection() -> str:
    """Give this context, and all that is begun in it, a new connection's id."""
    name = _new()
    _CONNECTION.set(name)
    return name


def begin_request() -> str:
    """Give this context, and all that is begun in it, a new request's id."""
    name = _new()
    _REQUEST.set(name)
    return name


def current() -> str:
    """The id of the request, else of the connection, that this is done for; "" for what the server does by itself."""
    return _REQUEST.get() or _CONNECTION.get()


def connection() -> str:
    """The id of the connection that this is done for; "" where there is none."""
    return _CONNECTION.get()
