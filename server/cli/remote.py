"""How a program talks to a running server over HTTP: as whoever is signed in at an access folder.

The commands, the demo and integrators use the same `Remote`: proofs, the server's nonce, a wrong clock and new tokens
are its affair (`server.cli.proving`).
"""

import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import click
import httpx
import msgspec

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from server.cli.access import ACCESS, FOLDER, IDENTITY, Access, AccessFile
from server.cli.proving import DpopAuth, Held, wall_clock
from server.http.consulting import reason_headers
from server.http.identities import EnrolledBody, Enrolment, Setup, SignedInBody, SignInBody
from server.http.problems import Problem
from sync.device.keys import DeviceIdentity

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
TIMEOUT_S: Final = 60.0
PENDING: Final = "enrolling.json"
"""The key of a device whose enrolment is under way: the server may have taken it though no answer came."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Remote:
    """A running server, over HTTP. Use it in a `with` block, or close it."""

    def __init__(self, base: str, auth: DpopAuth | None, ca_file: str = "", why: str = "") -> None:
        """Bind it.

        Args:
            base: address of its HTTP side, as in https://beatbook.example.
            auth: who calls; None for what anybody may ask.
            ca_file: PEM file of the authority that vouches for its certificate; "" for the machine's own.
            why: why records are looked at, where somebody has to say so.

        Raises:
            UsageError: the address is none, or one to which a passphrase would travel in clear.
        """
        self._base = checked_address(base)
        # The machine's own authorities, and not those that the library brings along.
        verify = ssl.create_default_context(cafile=ca_file or None) if self._base.startswith("https") else True
        # No proxy from the environment: the proof names the server that is meant, and what is sent opens doors.
        self._client = httpx.Client(
            base_url=self._base,
            auth=auth,
            verify=verify,
            timeout=TIMEOUT_S,
            trust_env=False,
            headers=reason_headers(why),
        )

    @classmethod
    def open(cls, access: Access, why: str = "") -> "Remote":
        """As whoever is signed in at a folder; `why` as in the constructor.

        Raises:
            UsageError: nobody is.
        """
        return cls(access.file.server, access.auth(), access.file.ca_file, why)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def get(
        self,
        path: str,
        of: type[_T],
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _T:
        """What a route gives.

        Raises:
            UsageError: the server refused; the text is its own.
            StoreError: it cannot be reached, or failed.
        """
        return self._ask("GET", path, of, **({"params": dict(query)} if query else {}), headers=dict(headers or {}))

    def post(self, path: str, body: object, of: type[_T]) -> _T:
        """What a route gives for a body.

        Raises:
            UsageError: the server refused; the text is its own.
            StoreError: it cannot be reached, or failed.
        """
        headers = {"content-type": "application/json"}
        return self._ask("POST", path, of, content=msgspec.json.encode(body), headers=headers)

    def _ask(self, method: str, path: str, of: type[_T], **given: Any) -> _T:  # noqa: ANN401  httpx's own
        try:
            reply = self._client.request(method, path, **given)
        except httpx.HTTPError as error:
            raise StoreError(f"the server at {self._base} cannot be reached ({error}); is it running?") from None
        if reply.is_error:
            raise _told(reply)
        try:
            return msgspec.json.decode(reply.content, type=of)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise StoreError(
                f"what answers at {self._base} is no Beatbook server of this version; check the address"
            ) from None


def _told(reply: httpx.Response) -> UsageError | StoreError:
    """What the server says was wrong, as an error of this program."""
    try:
        detail = msgspec.json.decode(reply.content, type=Problem).detail
    except (msgspec.MsgspecError, UnicodeDecodeError):
        detail = f"the server answered {reply.status_code}"
    waits = reply.headers.get("retry-after")
    if waits is not None:
        detail = f"{detail} ({waits} s)"
    return StoreError(detail) if reply.is_server_error else UsageError(detail)


def checked_address(base: str) -> str:
    """The address of a server's HTTP side, without a slash at its end.

    Raises:
        UsageError: it is none; or it is in clear and not this machine's own.
    """
    try:
        parts = urllib.parse.urlsplit(base)
        host = parts.hostname
    except ValueError:
        host, parts = None, urllib.parse.urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise UsageError(f"--server {base!r}: give the server's HTTP address, as in https://beatbook.example")
    if parts.scheme == "http" and host not in _LOOPBACK and not host.startswith("127."):
        raise UsageError(f"--server {base!r}: what is sent there in clear can be read on the way; use https")
    return f"{parts.scheme}://{parts.netloc}"


# --- how somebody comes to have access -------------------------------------------------------------------------------


def set_up(folder: Path, server: str, code: str, body: Mapping[str, str], ca_file: str = "") -> Access:
    """Use the one-time link of the first start; the administrator is signed in afterwards.

    Args:
        folder: where the access is to be kept.
        server: address of its HTTP side.
        code: the link's secret.
        body: officer, name, passphrase and device, as `Setup` has them.
        ca_file: as in `Remote`.

    Raises:
        UsageError, StoreError: it was refused, or the server cannot be reached; the key is kept for another try.
    """
    asked = msgspec.convert({**body, "code": code}, Setup)
    identity = _pending(folder, asked.device)
    with Remote(server, DpopAuth(identity), ca_file) as remote:
        enrolled = remote.post("/v1/setup", asked, EnrolledBody)
    access = _enrolled(folder, identity, enrolled, server, ca_file)
    sign_in(access, asked.officer, asked.passphrase)
    return access


def enrol(folder: Path, server: str, code: str, ca_file: str = "") -> Access:
    """Enrol this device with a one-time code; its key is made here and leaves it never.

    Raises:
        UsageError, StoreError: it was refused, or the server cannot be reached; the key is kept for another try.
    """
    identity = _pending(folder, DeviceId("enrolling"))
    with Remote(server, DpopAuth(identity), ca_file) as remote:
        enrolled = remote.post("/v1/enrol", Enrolment(code=code), EnrolledBody)
    return _enrolled(folder, identity, enrolled, server, ca_file)


def sign_in(access: Access, officer: str, passphrase: str, new_passphrase: str | None = None) -> SignedInBody:
    """Sign an officer in at a folder's device, in place of whoever was.

    Raises:
        UsageError, StoreError: it was refused, or the server cannot be reached.
    """
    body = SignInBody(
        device=access.identity.device,
        officer=OfficerId(officer),
        passphrase=passphrase,
        new_passphrase=new_passphrase,
    )
    with Remote(access.file.server, DpopAuth(access.identity), access.file.ca_file) as remote:
        told = remote.post("/v1/sign-in", body, SignedInBody)
    held = Held(seat=told.seat, token=told.token, until=Millis(wall_clock() + told.lasts_ms))
    access.keep(
        msgspec.structs.replace(access.file, seat=held.seat, officer=told.officer, token=held.token, until=held.until)
    )
    return told


def use_seat(access: Access, seat: str, officer: str) -> None:
    """Use a program's own seat at this device: nobody signs in, and tokens are fetched with the key alone."""
    access.keep(msgspec.structs.replace(access.file, seat=DeviceId(seat), officer=officer, token="", until=Millis(0)))


def _pending(folder: Path, device: DeviceId) -> DeviceIdentity:
    """The key to enrol: the one of an enrolment that was broken off, or a new one, which is kept first.

    Raises:
        UsageError: the folder has a device's key already.
    """
    if (folder / IDENTITY).exists():
        raise UsageError(f"{folder} holds the key of a device already: name another folder with --folder")
    path = folder / PENDING
    if not path.exists():
        DeviceIdentity.generate(device).save(path)
    return DeviceIdentity.load(path)


def _enrolled(folder: Path, pending: DeviceIdentity, enrolled: EnrolledBody, server: str, ca_file: str) -> Access:
    identity = pending.named(enrolled.device)
    file = AccessFile(server=checked_address(server), ca_file=ca_file, log_key=enrolled.log_key)
    access = Access.make(folder, identity, file)
    (folder / PENDING).unlink()
    return access


# --- options of commands ---------------------------------------------------------------------------------------------


def folder_option(command: _F) -> _F:
    """The option `--folder`: where the caller's access is kept."""
    return click.option(
        "--folder", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default=True,
        envvar="BEATBOOK_ACCESS", help=f"Folder of your access to a server ({IDENTITY}, {ACCESS}).",
    )(command)  # fmt: skip


def why_option(command: _F) -> _F:
    """The option `--why`: why records are looked at."""
    return click.option(
        "--why", default="", help="Why you look at it. It is kept, and asked once for each incident or booking."
    )(command)


def open_remote(folder: Path, why: str = "") -> Remote:
    """The server of an access folder, as whoever is signed in there; `why` as in `Remote`.

    Raises:
        UsageError: there is no access there, or nobody is signed in.
        ReplicaError: its files cannot be used.
    """
    return Remote.open(Access.open(folder), why)
