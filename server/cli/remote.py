"""How a command talks to a running server: over HTTP, found by its data folder or by its address."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from schemas.errors import StoreError, UsageError
from server.http.problems import Problem
from server.serving import TOKEN, read_address

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
TIMEOUT_S: Final = 60.0


class Remote:
    """A running server, over HTTP."""

    def __init__(self, base: str, token: str) -> None:
        """Bind it.

        Args:
            base: address of its HTTP side, as in http://127.0.0.1:8700.
            token: the bearer token.
        """
        self._base = base.rstrip("/")
        self._token = token

    def get(self, path: str, of: type[_T], query: Mapping[str, str] | None = None) -> _T:
        """What a route gives.

        Raises:
            UsageError: the server refused; the text is its own.
            StoreError: it cannot be reached, or failed.
        """
        asked = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        return self._ask(urllib.request.Request(self._base + asked), of)  # noqa: S310  the form is checked by `of`

    def post(self, path: str, body: object, of: type[_T]) -> _T:
        """What a route gives for a body.

        Raises:
            UsageError: the server refused; the text is its own.
            StoreError: it cannot be reached, or failed.
        """
        raw = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self._base + path, raw, headers), of)  # noqa: S310  as above

    def _ask(self, request: urllib.request.Request, of: type[_T]) -> _T:
        request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310  as above
                return msgspec.json.decode(reply.read(), type=of)
        except urllib.error.HTTPError as error:
            raise _told(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"the server at {self._base} cannot be reached ({error}); is it running?") from None
        except msgspec.MsgspecError:
            raise StoreError(
                f"what answers at {self._base} is no Beatbook server of this version; check the address"
            ) from None


def _told(error: urllib.error.HTTPError) -> UsageError | StoreError:
    """What the server says was wrong, as an error of this program."""
    with error:
        raw = error.read()
    try:
        detail = msgspec.json.decode(raw, type=Problem).detail
    except msgspec.MsgspecError:
        detail = f"the server answered {error.code}"
    if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return StoreError(detail)
    return UsageError(detail)


def remote_options(command: _F) -> _F:
    """The options `--data`, `--server` and `--token-file`, for `open_remote`."""
    options = (
        click.option(
            "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"),
            show_default=True, help="Data folder of a server that runs on this machine.",
        ),
        click.option("--server", help="Address of a server elsewhere, as in http://10.0.0.5:8700."),
        click.option(
            "--token-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="File of the server's token.  [default: control.token in the data folder]",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def open_remote(data: Path, server: str | None, token_file: Path | None) -> Remote:
    """The server that the options name.

    Raises:
        UsageError: none can be found by them.
        StoreError: the token cannot be read.
    """
    if server is not None and urllib.parse.urlsplit(server).scheme not in {"http", "https"}:
        raise UsageError(f"--server {server!r}: give its HTTP address, as in http://127.0.0.1:8700")
    if server is None:
        address = read_address(data)
        if address is None:
            raise UsageError(
                f"no server runs on {data}: start `beatbook serve --data {data}`, or name one with --server"
            )
        server = address.http
    path = data / TOKEN if token_file is None else token_file
    try:
        return Remote(server, path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such token; name the server's with --token-file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); check its permissions") from None
