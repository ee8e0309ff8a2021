"""Who is calling: the token and the proof that every call bears (RFC 9449), and whether they may call this.

A token alone is worth nothing: each call bears a proof by the device's key, made for this method, this address, this
token and the server's present nonce, and it counts once. Whoever has no token yet (setting up, enrolling, signing in,
renewing) shows the proof alone.
"""

import base64
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

from schemas.errors import BeatbookError
from schemas.ids import DeviceId, ScopeName
from schemas.rights import in_words
from schemas.roles import Role
from server.authority import Admitted
from server.beatbook import Beatbook
from server.federation.refusals import RefusedError
from server.federation.tokens import DpopVerifier
from server.own_ops import Standing
from sync.device.dpop import thumbprint

NONCE: Final = "dpop-nonce"
TIME: Final = "beatbook-time"
"""The server's clock (ms since 1970), beside a refused proof."""
NO_KEY: Final = "-"
"""Where a proof must be by a certain key and there is none: no thumbprint looks like this."""


class TooFastError(BeatbookError):
    """A device calls faster than it may.

    Attributes:
        retry_after_ms: how long to wait.
    """

    def __init__(self, retry_after_ms: int) -> None:
        """Say how long to wait."""
        super().__init__("this device calls faster than it may; come back after the time in Retry-After")
        self.retry_after_ms = retry_after_ms


class NotEntitledError(BeatbookError):
    """Whoever calls may not do this, whatever they send."""


class _Jwk(msgspec.Struct):
    x: str


class _Header(msgspec.Struct):
    jwk: _Jwk


class Callers:
    """Identifies the callers of one running server."""

    def __init__(self, beatbook: Beatbook) -> None:
        """Bind it; no nonce has been given out."""
        self._beatbook = beatbook
        self._known = DpopVerifier()
        # Anybody may call with a key of their own: what is remembered of them must not crowd out the devices.
        self._unknown = DpopVerifier()

    def identify(self, request: Request) -> Admitted:
        """Who calls, by token and proof.

        Raises:
            RefusedError: they are not let in; `NonceError` tells the nonce to call again with.
            TooFastError: the device has to wait.
        """
        token, admission = _token(request), self._beatbook.authority.admission
        said = admission.read(token)
        # First the proof: what has become of a device or a sign-in is told to nobody else.
        self._check(self._known, request, token=token, jkt=said.jkt)
        admitted = admission.look(said)
        wait_ms = self._beatbook.pace.call(admitted.device)
        if wait_ms is not None:
            raise TooFastError(wait_ms)
        return admitted

    def prove_seat(self, request: Request, seat: DeviceId) -> None:
        """Check the proof of a call that bears no token, by the key of a seat's device, whatever has become of that.

        Raises:
            RefusedError: it does not hold; or it is by a key that the device had before it was enrolled anew.
        """
        self.prove_key(request, self._beatbook.authority.admission.device_of(seat) or seat)

    def prove_device(self, request: Request, device: DeviceId) -> str:
        """Check the proof of a call that bears no token, by the key of a device that is trusted: its thumbprint.

        Raises:
            RefusedError: it does not hold; or, once it does, the device is trusted no more.
        """
        jkt = self.prove_key(request, device)
        self._beatbook.authority.admission.require_trusted(device)
        return jkt

    def prove_key(self, request: Request, device: DeviceId) -> str:
        """Check the proof of a call that bears no token, by a device's key, whatever has become of it: its thumbprint.

        Raises:
            RefusedError: it does not hold. `device_revoked`: it is by a key that the device had before it was enrolled
                anew: what calls is not what bears that name now.
        """
        admission = self._beatbook.authority.admission
        key, shown = admission.key_of(device), _shown(request)
        if shown is not None and shown != key and admission.had_key(device, shown):
            self._check(self._known, request, jkt=thumbprint(shown))
            raise RefusedError("device_revoked", f"{device}: by the key of an earlier enrolment")
        jkt = NO_KEY if key is None else thumbprint(key)
        self._check(self._known, request, jkt=jkt)
        return jkt

    def new_key(self, request: Request) -> bytes:
        """The key by which a call is proved that bears no token and whose key nobody knows yet: 32 bytes.

        Raises:
            RefusedError: the proof does not hold.
        """
        self._check(self._unknown, request)
        shown = _shown(request)
        assert shown is not None, "a proof that holds has this form"
        return shown

    def nonce(self) -> str:
        """The present nonce of those who are known."""
        return self._known.nonce(self._beatbook.now())

    def _check(
        self, verifier: DpopVerifier, request: Request, *, token: str | None = None, jkt: str | None = None
    ) -> None:
        verifier.check(
            request.headers.getlist("dpop"),
            method=request.method,
            url=called(request),
            now=self._beatbook.now(),
            token=token,
            jkt=jkt,
        )


def called(request: Request) -> str:
    """The address of a call as the outside names it. The edge has settled the scheme and checked the host."""
    scope = request.scope
    path = (scope.get("raw_path") or b"/").decode("latin-1").partition("?")[0]
    return f"{scope['scheme']}://{request.headers.get('host', '')}{path}"


def callers_of(request: Request) -> Callers:
    """What identifies a request's caller."""
    found: Callers = request.app.state.callers
    return found


def caller_of(request: Request) -> Admitted:
    """Who sent a request that has passed the guard."""
    found: Admitted = request.state.caller
    return found


def address_of(request: Request) -> str | None:
    """Where a request came from, for counting tries."""
    return None if request.client is None else request.client.host


def check_roles(admitted: Admitted, roles: tuple[Role, ...], held_in: Iterable[ScopeName] | None = None) -> None:
    """Let only those pass who have one of these roles.

    Args:
        admitted: who calls.
        roles: any of them.
        held_in: where the record is that it is about; None where it is about none.

    Raises:
        NotEntitledError: they have none, or none that counts there; the text says who could.
    """
    if admitted.roles.isdisjoint(roles):
        raise NotEntitledError(f"this is for whoever is {in_words(roles)}")
    if held_in is not None and admitted.held.among(held_in).isdisjoint(roles):
        raise NotEntitledError(f"this is for whoever is {in_words(roles)} where the record is; you are so elsewhere")


def sees(admitted: Admitted, scopes: Iterable[ScopeName]) -> bool:
    """Whether a caller may see what is in these scopes."""
    return not admitted.scopes.isdisjoint(scopes)


def standing_of(admitted: Admitted) -> Standing:
    """By what right a caller writes: what they are, to what they may see; and where they are."""
    return Standing(scopes=admitted.scopes, roles=admitted.held, seat=admitted.seat)


def _token(request: Request) -> str:
    """The token that a call bears.

    Raises:
        HTTPException: 401.
    """
    shown = request.headers.getlist("authorization")
    scheme, _, token = shown[0].partition(" ") if len(shown) == 1 else ("", "", "")
    if scheme.lower() != "dpop" or not token.strip():
        raise HTTPException(
            401, "sign in; then send the header Authorization: DPoP with the token, and DPoP with a proof"
        )
    return token.strip()


def _shown(request: Request) -> bytes | None:
    """The key that a call's proof says it is by; nothing is checked."""
    header = request.headers.get("dpop", "").partition(".")[0]
    try:
        return _decoded(msgspec.json.decode(_decoded(header), type=_Header).jwk.x)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


Challenge = Literal["invalid_token", "use_dpop_nonce", "invalid_dpop_proof"]
_ERRORS: Final[dict[str, Challenge]] = {
    "token_invalid": "invalid_token",
    "sign_in_ended": "invalid_token",
    "proof_nonce": "use_dpop_nonce",
    "proof_invalid": "invalid_dpop_proof",
    "proof_reused": "invalid_dpop_proof",
}


def challenge(refused: RefusedError | None) -> str:
    """The value of WWW-Authenticate that goes with a 401 (RFC 9449 section 7.1)."""
    error = None if refused is None else _ERRORS.get(refused.spec.code)
    return 'DPoP algs="EdDSA"' if error is None else f'DPoP error="{error}", algs="EdDSA"'
