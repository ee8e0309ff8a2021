"""`Account`: a device's calls to its server over HTTP: being enrolled, signing in and out, tokens, the passphrase.

Every call is proved by the device's key (DPoP, RFC 9449; `sync.device.dpop`). The server's nonce and its clock are
learned from what it answers. Passphrases travel in bodies only, to a server whose certificate was checked, and nothing
of them, of tokens or of shares is ever logged.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from schemas import wire
from schemas.errors import LocalError, UsageError
from schemas.ids import DeviceId, DeviceText, Millis, OfficerId, OfficerText
from sync.device.clocks import Clock, SystemClock
from sync.device.dpop import NOISE_BYTES, make_proof
from sync.device.enrolment import Enrolment
from sync.device.keys import DeviceIdentity

TIMEOUT_S: Final = 15.0
"""Of each step of a call: connecting, sending, waiting for the answer. Hashing a passphrase is part of it."""
ANSWER_BYTES_MAX: Final = 64 * 1_024
_TRIES: Final = 3
"""A call, and once more for the server's nonce and once for its clock."""
_NONCE: Final = "dpop-nonce"
_TIME: Final = "beatbook-time"
_REFUSED: Final = 400
_BROKEN: Final = 500
_B = TypeVar("_B")


class UnreachableError(LocalError):
    """The server cannot be asked at this moment. Nothing says what it would have answered."""


class RefusedError(UsageError):
    """The server has refused a call.

    Attributes:
        code: the stable name of the refusal; "" where it has none.
    """

    def __init__(self, code: str, detail: str) -> None:
        """Say why, in the server's words."""
        super().__init__(f"{detail} [{code}]" if code else detail)
        self.code = code


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """An officer whom the server has signed in.

    Attributes:
        seat: the id of their store on this device.
        officer: collar number.
        until: when the sign-in ends, by the server's clock (ms since 1970).
        lease: for the replica, the token with it.
        hand_over: whether the device is trusted no more, and they were let in to hand over what was not sent, and for
            nothing else.
    """

    seat: DeviceId
    officer: OfficerId
    until: Millis
    lease: wire.Lease
    hand_over: bool = False


class ReadsPlace(msgspec.Struct, frozen=True):
    """Behind which entry a read log that was set back goes on: its number, and its SHA-256."""

    n: int
    link: bytes


class SeatOrders(msgspec.Struct, frozen=True):
    """What the server orders of one seat.

    Attributes:
        seat: which.
        wipe: why it is to be destroyed; None when it is not.
        hand_over: whether its officer may sign in to hand over what was not sent.
        reads: behind what its read log goes on; None where it simply goes on.
    """

    seat: DeviceText
    wipe: str | None = None
    hand_over: bool = False
    reads: ReadsPlace | None = None


class DeviceOrders(msgspec.Struct, frozen=True):
    """What the server orders of this device.

    Attributes:
        revoked: whether it is trusted no more.
        wipe: why all of it is to be destroyed; None when it is not.
        seats: the seats of which anything is ordered.
    """

    revoked: bool
    wipe: str | None = None
    seats: tuple[SeatOrders, ...] = ()


class _Answer(NamedTuple):
    status: int
    headers: httpx.Headers
    content: bytes


class _Problem(msgspec.Struct):
    detail: str = ""
    code: str = ""


class _Enrolled(msgspec.Struct):
    device: DeviceText
    certificate: bytes
    log_key: str
    seal_to: bytes


class _Lease(msgspec.Struct):
    until: int
    lasts_ms: int
    share: bytes
    share_no: int
    roles: tuple[str, ...]
    seal_to: bytes
    share_before: bytes = b""


class _SignedIn(msgspec.Struct):
    seat: DeviceText
    officer: OfficerText
    until: int
    token: str
    lasts_ms: int
    lease: _Lease
    hand_over: bool = False


class _Renewed(msgspec.Struct):
    token: str


class _Done(msgspec.Struct):
    done: bool


def server_base(server: str) -> str:
    """The base of a server's HTTP side.

    Args:
        server: `https://beatbook.example`; `http` only for a server on this machine, since passphrases travel.

    Raises:
        UsageError: it is no such address.
    """
    wrong = f"{server!r} is no server address: expected https://host or https://host:port"
    try:
        parts = urlsplit(server)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UsageError(wrong) from None
    if not usable or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(wrong)
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise UsageError(f"{server!r}: passphrases travel there, so it must be https")
    return f"{parts.scheme}://{parts.netloc}"


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Account:
    """One device at one server. Use it in `async with`, or `close` it."""

    def __init__(self, server: str, identity: DeviceIdentity, *, ca_file: str = "", clock: Clock | None = None) -> None:
        """Bind it; nothing is sent yet.

        Args:
            server: as `server_base` takes it.
            identity: the device's key.
            ca_file: PEM file of the authority that vouches for the server's certificate; "" for the machine's own.
            clock: this machine's; that it is wrong is learned from the server.

        Raises:
            UsageError: the address is none, or the file holds no certificates.
        """
        self.server = server_base(server)
        self._identity = identity
        self._ca_file = ca_file
        self._clock = clock or SystemClock()
        self._nonce: str | None = None
        self._ahead_ms = 0
        try:
            tls = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError):
            raise UsageError(f"{ca_file} holds no certificates that can be read: name another file") from None
        # The environment has no say: a proxy that it names would see passphrases.
        self._http = httpx.AsyncClient(
            base_url=self.server, verify=tls, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End its connections. Again: nothing."""
        await self._http.aclose()

    # --- calls -------------------------------------------------------------------------------------------------------

    async def enrol(self, code: str) -> Enrolment:
        """Enrol the device whose key this is. The same call again, after an answer that was lost, gets the same one.

        Args:
            code: the one-time code, as it was typed.

        Raises:
            RefusedError: the code is mistyped, unknown, used or has expired, or there were too many tries.
            UnreachableError: the server cannot be asked.
        """
        told = await self._post("/v1/enrol", {"code": code}, _Enrolled)
        try:
            return Enrolment(
                device=told.device,
                server=self.server,
                certificate=told.certificate,
                log_key=told.log_key,
                seal_to=told.seal_to,
                ca_file=self._ca_file,
            )
        except (TypeError, ValueError):
            raise _not_understood("/v1/enrol") from None

    async def sign_in(self, officer: OfficerId, passphrase: str, new_passphrase: str | None = None) -> SignIn:
        """Sign an officer in on this device.

        Args:
            officer: collar number.
            passphrase: theirs, or the one-time one that they were given.
            new_passphrase: what they choose in its place; a one-time one asks for it.

        Raises:
            RefusedError: `sign_in_wrong`, `passphrase_once`, `tries_wait`, `tries_locked`, or the new one may not be
                chosen.
            UnreachableError: the server cannot be asked.
        """
        body = {"device": self._identity.device, "officer": officer, "passphrase": passphrase}
        if new_passphrase is not None:
            body["new_passphrase"] = new_passphrase
        told = await self._post("/v1/sign-in", body, _SignedIn)
        return SignIn(
            seat=told.seat,
            officer=told.officer,
            until=Millis(told.until),
            lease=wire.Lease(
                until=Millis(told.lease.until),
                lasts_ms=told.lease.lasts_ms,
                token=told.token,
                token_lasts_ms=told.lasts_ms,
                share_no=told.lease.share_no,
                roles=told.lease.roles,
                share=told.lease.share,
                share_before=told.lease.share_before,
                seal_to=told.lease.seal_to,
            ),
            hand_over=told.hand_over,
        )

    async def orders(self) -> DeviceOrders:
        """What the server orders of what rests on this device, by the device's key alone.

        Raises:
            RefusedError: the key is none that the server knows, or one of an earlier enrolment.
            UnreachableError: the server cannot be asked.
        """
        return await self._post("/v1/orders", {"device": self._identity.device}, DeviceOrders)

    async def hand_in(self, seat: DeviceId, edits: Sequence[tuple[int, bytes]]) -> None:
        """Hand in what a closed seat holds sealed to the server. When this returns the server keeps it.

        Args:
            seat: its id.
            edits: (own id, sealed bytes), at most OPS_PER_PUSH_MAX.

        Raises:
            RefusedError, UnreachableError: it does not, as far as is known.
        """
        sealed = [{"id": id_, "sealed": body} for id_, body in edits]
        body = {"device": self._identity.device, "seat": seat, "edits": sealed}
        await self._post("/v1/orders/sealed", body, _Done)

    async def say_wiped(self, seats: Iterable[DeviceId], at: Millis) -> None:
        """Tell the server, signed, that nothing is left of these seats here, as it has ordered.

        Args:
            seats: which.
            at: since when (ms since 1970).

        Raises:
            RefusedError, UnreachableError: it has not heard it, as far as is known.
        """
        at = Millis(at + self._ahead_ms)
        said = ((seat, wire.WIPED_CONTEXT + msgspec.msgpack.encode([seat, at])) for seat in seats)
        told = [{"seat": seat, "at": at, "receipt": self._identity.sign(words)} for seat, words in said]
        await self._post("/v1/orders/wiped", {"device": self._identity.device, "seats": told}, _Done)

    async def renew(self, seat: DeviceId) -> str:
        """Another token for whoever is signed in at a seat, by the device's key alone.

        Raises:
            RefusedError: nobody is signed in there any more.
            UnreachableError: the server cannot be asked.
        """
        return (await self._post("/v1/token", {"seat": seat}, _Renewed)).token

    async def sign_out(self, token: str) -> None:
        """End the sign-in that a token is of.

        Raises:
            RefusedError: it has ended already.
            UnreachableError: the server cannot be asked.
        """
        await self._post("/v1/sign-out", {}, _Done, token)

    async def change_passphrase(self, token: str, old: str, new: str) -> None:
        """Change the passphrase of whoever a token is of.

        Raises:
            RefusedError: the old one is wrong, there were too many tries, or the new one may not be chosen.
            UnreachableError: the server cannot be asked. It may have changed it.
        """
        await self._post("/v1/passphrase", {"old": old, "new": new}, _Done, token)

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _post(self, path: str, body: Mapping[str, object], gives: type[_B], token: str | None = None) -> _B:
        raw = msgspec.json.encode(body)
        answer = await self._send(path, raw, token)
        for _ in range(_TRIES - 1):
            if answer.status != httpx.codes.UNAUTHORIZED or _TIME not in answer.headers:
                break
            # The proof lacked the nonce, or was made by a clock that is wrong. Now both are known.
            answer = await self._send(path, raw, token)
        if answer.status >= _REFUSED:
            raise _refusal(path, answer)
        try:
            return msgspec.json.decode(answer.content, type=gives)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _not_understood(path) from None

    async def _send(self, path: str, raw: bytes, token: str | None) -> _Answer:
        proof = make_proof(
            self._identity,
            method="POST",
            url=self.server + path,
            now=Millis(self._clock.wall_ms() + self._ahead_ms),
            noise=os.urandom(NOISE_BYTES),
            token=token,
            nonce=self._nonce,
        )
        headers = {"content-type": "application/json", "dpop": proof}
        if token is not None:
            headers["authorization"] = f"DPoP {token}"
        try:
            async with self._http.stream("POST", path, content=raw, headers=headers) as response:
                answer = _Answer(response.status_code, response.headers, await _read(response))
        except httpx.TimeoutException:
            raise UnreachableError(f"{self.server} did not answer within {TIMEOUT_S:g} s: try again") from None
        except httpx.HTTPError as error:
            raise UnreachableError(f"{self.server} cannot be reached: {error}") from None
        self._learn(answer.headers)
        return answer

    def _learn(self, headers: httpx.Headers) -> None:
        self._nonce = headers.get(_NONCE, self._nonce)
        time = headers.get(_TIME, "")
        if time.isascii() and time.isdecimal():
            self._ahead_ms = int(time) - self._clock.wall_ms()


async def _read(response: httpx.Response) -> bytes:
    """The answer's body, so far as it has the length of one."""
    found = b""
    async for part in response.aiter_bytes():
        found += part
        if len(found) > ANSWER_BYTES_MAX:
            raise httpx.DecodingError("its answer is too long")
    return found


def _refusal(path: str, answer: _Answer) -> LocalError:
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = _Problem()
    if answer.status >= _BROKEN:
        return UnreachableError(f"{path}: the server failed ({answer.status}). {problem.detail}".rstrip())
    if not problem.detail:
        return RefusedError("", f"{path} was refused with HTTP {answer.status}: is this the right server?")
    wait = answer.headers.get("retry-after", "")
    later = f" Come back in {wait} s." if wait.isdecimal() else ""
    return RefusedError(problem.code, problem.detail + later)


def _not_understood(path: str) -> UnreachableError:
    return UnreachableError(f"{path}: the server's answer is none that this program knows: update this program")
