"""Access tokens, and the check that whoever shows one holds the device's key.

A token is a JWT in the manner of RFC 9068 (`typ` at+jwt), signed by the server with Ed25519 and bound by `cnf.jkt` to
the device's key (RFC 7800, RFC 9449 section 6). It says who signed in, where, and until when; it does not say what
they may see, so that a right that ends does so at once and not when the token does. Two of RFC 9068's claims differ:
there is no `client_id`, for there is no OAuth client; `aud` is the issuer itself.

The other half of RFC 9449 is checked here: each call's proof names the method, the address, the token, the moment and
the server's nonce, and counts once. Used proofs are remembered *per nonce*: when a nonce is retired its proofs are
void, so what is remembered of them can be forgotten. A restart begins with a nonce nobody has seen, and a server's
clock that is set back brings no old proof to life.
"""

import base64
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.errors import UsageError
from schemas.ids import DeviceId, DeviceText, Millis, OfficerId, OfficerText
from schemas.limits import INT_MAX
from server.federation.refusals import RefusedError
from sync.device.dpop import ALGORITHM, base64url, target, thumbprint, token_hash

TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  a media type (RFC 9068 section 2.1)
TOKEN_LIFETIME_MS: Final = 15 * 60_000
"""How long a token holds. Its renewal needs the device's key, so a lost device loses it within this time at most."""
TOKEN_CHARS_MAX: Final = 2_048
"""A token as text; ours are under 700 characters."""
PROOF_CHARS_MAX: Final = 2_048
"""A proof as text; with the longest address that a route has it is under 1,000."""
SIGN_IN_CHARS_MAX: Final = 64
NONCE_LIFETIME_MS: Final = 2 * 60_000
"""A nonce is the present one for this long, and is taken for as long again after that."""
PROOF_WINDOW_MS: Final = 5 * 60_000
"""How far a proof's moment may be from the server's, either way. The nonce is what limits its age; this only tells a
device with a wrong clock so, before its log entries bear wrong times as well."""
CLOCK_STEP_MS: Final = 60_000
"""How far ahead of the server's clock its own token may be: the clock may have been set back since."""
PROOFS_PER_KEY_MAX: Final = 2_400
"""Calls of one device under one nonce: 20 a second."""
PROOFS_MAX: Final = 200_000
"""Proofs remembered under one nonce, some 30 MB. When they are so many the nonce is changed early."""

_MS: Final = 1_000
_Bytes = Callable[[int], bytes]
_Moment = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX // _MS)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_JOSE: Final = jwt.PyJWS(algorithms=[ALGORITHM])


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a token that holds says.

    Attributes:
        officer: who signed in (`sub`).
        seat: the officer's store on the device (`seat`).
        sign_in: which sign-in it stems from (`sid`); it can be ended by that name.
        jkt: RFC 7638 thumbprint of the device's key, 43 characters.
        issued_at, expires_at: whole seconds, in milliseconds since 1970. It holds before `expires_at`, not at it.
    """

    officer: OfficerId
    seat: DeviceId
    sign_in: str
    jkt: str
    issued_at: Millis
    expires_at: Millis


class _Confirmation(msgspec.Struct, frozen=True):
    jkt: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    iss: _Text
    aud: _Text
    sub: OfficerText
    seat: DeviceText
    sid: Annotated[str, msgspec.Meta(min_length=1, max_length=SIGN_IN_CHARS_MAX)]
    iat: _Moment
    exp: _Moment
    jti: _Text
    cnf: _Confirmation


class _TokenHeader(msgspec.Struct, frozen=True, kw_only=True):
    typ: Literal["at+jwt"]
    alg: Literal["EdDSA"]
    kid: _Text


class TokenIssuer:
    """Issues access tokens and knows its own again.

    Attributes:
        lifetime_ms: how long a new one holds.
    """

    def __init__(
        self,
        key: Ed25519PrivateKey,
        issuer: str,
        *,
        lifetime_ms: int = TOKEN_LIFETIME_MS,
        earlier: Iterable[Ed25519PublicKey] = (),
        random: _Bytes = secrets.token_bytes,
    ) -> None:
        """Take the key.

        Args:
            key: signs what is issued from now on.
            issuer: the server's public address; `iss` and `aud` of every token.
            lifetime_ms: how long a token holds; whole seconds.
            earlier: keys of before, whose tokens hold until they end: a change of key signs nobody out.
            random: gives so many random bytes.

        Raises:
            UsageError: `lifetime_ms` is not one second or more, or `issuer` is empty.
        """
        if lifetime_ms < _MS or not issuer:
            raise UsageError("a token issuer needs its server's address, and a lifetime of at least one second")
        self.lifetime_ms = lifetime_ms - lifetime_ms % _MS
        self._key = key
        self._issuer = issuer
        self._random = random
        known = [key.public_key(), *earlier]
        self._known = {thumbprint(each.public_bytes_raw()): each for each in known}
        self._kid = thumbprint(known[0].public_bytes_raw())

    def __repr__(self) -> str:
        return f"TokenIssuer({self._issuer!r})"

    def issue(self, officer: OfficerId, seat: DeviceId, *, sign_in: str, jkt: str, now: Millis) -> str:
        """A new token.

        Args:
            officer: who has signed in.
            seat: the officer's store on the device.
            sign_in: the name of that sign-in.
            jkt: thumbprint of the device's key (`sync.device.dpop.thumbprint`). Whoever calls has seen a proof of it.
            now: the moment.

        Raises:
            UsageError: a claim has not its form.
        """
        second = now // _MS
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": officer,
            "seat": seat,
            "sid": sign_in,
            "iat": second,
            "exp": second + self.lifetime_ms // _MS,
            "jti": base64url(self._random(16)),
            "cnf": {"jkt": jkt},
        }
        try:
            msgspec.convert(claims, _Claims)
        except msgspec.ValidationError as error:
            raise UsageError(f"no token for officer {officer!r} at seat {seat!r}: {error}") from None
        header = {"typ": TOKEN_TYPE, "kid": self._kid}
        return _JOSE.encode(msgspec.json.encode(claims), self._key, ALGORITHM, header)

    def verify(self, token: str, now: Millis) -> AccessToken:
        """What a token says, if it is this server's and holds at `now`.

        That its bearer holds the key it is bound to is for `DpopVerifier.check`, or for HELLO's proof.

        Raises:
            RefusedError: `token_invalid`.
        """
        claims = self._read(token)
        if claims.iss != self._issuer or claims.aud != self._issuer:
            raise RefusedError("token_invalid", "another server's token")
        issued_at, expires_at = Millis(claims.iat * _MS), Millis(claims.exp * _MS)
        # Both bounds: a lifetime that was made shorter holds for the tokens of before as well.
        if now >= min(expires_at, issued_at + self.lifetime_ms):
            raise RefusedError("token_invalid", f"the token of {claims.sub} at {claims.seat} has ended")
        if issued_at > now + CLOCK_STEP_MS:
            raise RefusedError("token_invalid", f"the token of {claims.sub} at {claims.seat} is from the future")
        return AccessToken(
            officer=claims.sub,
            seat=claims.seat,
            sign_in=claims.sid,
            jkt=claims.cnf.jkt,
            issued_at=issued_at,
            expires_at=expires_at,
        )

    def _read(self, token: str) -> _Claims:
        if len(token) > TOKEN_CHARS_MAX:
            raise RefusedError("token_invalid", f"{len(token)} characters: longer than any token")
        try:
            header = msgspec.convert(_JOSE.get_unverified_header(token), _TokenHeader)
            key = self._known.get(header.kid)
            if key is None:
                raise RefusedError("token_invalid", "signed by no key of this server")
            return msgspec.json.decode(_JOSE.decode(token, key, [ALGORITHM]), type=_Claims)
        except (jwt.PyJWTError, msgspec.MsgspecError, UnicodeError) as error:
            raise RefusedError("token_invalid", f"not a token of this server: {error}") from None


class _Jwk(msgspec.Struct, frozen=True, kw_only=True):
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]
    d: str | msgspec.UnsetType = msgspec.UNSET


class _ProofHeader(msgspec.Struct, frozen=True, kw_only=True):
    typ: Literal["dpop+jwt"]
    alg: Literal["EdDSA"]
    jwk: _Jwk


class _ProofClaims(msgspec.Struct, frozen=True, kw_only=True):
    jti: Annotated[str, msgspec.Meta(min_length=16, max_length=128)]
    htm: Annotated[str, msgspec.Meta(max_length=16)]
    htu: Annotated[str, msgspec.Meta(max_length=1_024)]
    iat: Annotated[float, msgspec.Meta(ge=0, le=INT_MAX / _MS)]
    ath: str | None = None
    nonce: str | None = None


class NonceError(RefusedError):
    """A proof without the present nonce (RFC 9449 section 8).

    Attributes:
        nonce: the one to use; it goes into the answer's `DPoP-Nonce` header.
    """

    def __init__(self, nonce: str) -> None:
        """Name the present nonce."""
        super().__init__("proof_nonce")
        self.nonce = nonce


class _Round:
    """The time of one nonce, and the proofs that were used under it."""

    def __init__(self, nonce: str, since: Millis) -> None:
        self.nonce = nonce
        self.since = since
        self.used: dict[str, set[str]] = {}
        self.count = 0


class DpopVerifier:
    """Checks the proofs of calls, and lets each count once.

    It remembers only proofs that held in every other respect. Where `jkt` is given those are of devices that are known;
    calls that anybody may make (enrolment) want a verifier of their own, so that nobody can crowd out the others.
    """

    def __init__(
        self,
        *,
        window_ms: int = PROOF_WINDOW_MS,
        nonce_lifetime_ms: int = NONCE_LIFETIME_MS,
        per_key_max: int = PROOFS_PER_KEY_MAX,
        total_max: int = PROOFS_MAX,
        random: _Bytes = secrets.token_bytes,
    ) -> None:
        """Begin with no nonce: the first call of all makes one."""
        self._window_ms = window_ms
        self._nonce_lifetime_ms = nonce_lifetime_ms
        self._per_key_max = per_key_max
        self._total_max = total_max
        self._random = random
        self._rounds: list[_Round] = []

    def nonce(self, now: Millis) -> str:
        """The present nonce, for the `DPoP-Nonce` header of any answer."""
        return self._turn(now).nonce

    def _turn(self, now: Millis) -> _Round:
        """The present round, once those that have ended are retired."""
        lifetime = self._nonce_lifetime_ms
        standing = [each for each in self._rounds if -CLOCK_STEP_MS <= now - each.since < 2 * lifetime]
        if not standing or now >= standing[0].since + lifetime or standing[0].count >= self._total_max:
            standing.insert(0, _Round(base64url(self._random(16)), now))
        self._rounds = standing[:2]
        return self._rounds[0]

    def check(
        self,
        proofs: Sequence[str],
        *,
        method: str,
        url: str,
        now: Millis,
        token: str | None = None,
        jkt: str | None = None,
    ) -> str:
        """Check one call's proof, and count it as used (RFC 9449 section 4.3).

        Args:
            proofs: the values of all `DPoP` headers of the call; exactly one must be there.
            method, url: the call's, the address as the outside names it.
            now: the moment.
            token: the access token that the call bears, already verified; None where it bears none.
            jkt: the key it must be: the token's `jkt`, or the thumbprint of the device that signs in. None where the
                key is not known yet (enrolment).

        Returns:
            The thumbprint of the key that made the proof.

        Raises:
            RefusedError: `proof_invalid`, `proof_reused`, `proof_too_many`.
            NonceError: `proof_nonce`; the exception holds the nonce to repeat the call with.
        """
        if len(proofs) != 1:
            raise RefusedError("proof_invalid", f"{len(proofs)} DPoP headers; a call has exactly one")
        if token is not None and jkt is None:
            raise UsageError("a token is bound to a key: pass the token's jkt along with it")
        signer, claims = _read_proof(proofs[0])
        if jkt is not None and signer != jkt:
            raise RefusedError("proof_invalid", "made by another key than the one asked for")
        self._check_call(claims, method, url, token)
        self._check_moment(claims.iat, now)
        self._use(signer, claims, now)
        return signer

    @staticmethod
    def _check_call(claims: _ProofClaims, method: str, url: str, token: str | None) -> None:
        try:
            meant = target(claims.htu)
        except UsageError:
            raise RefusedError("proof_invalid", "its htu is no address") from None
        if claims.htm != method or meant != target(url):
            raise RefusedError(
                "proof_invalid", f"made for {claims.htm!r} {meant!r}, sent with {method} {target(url)!r}"
            )
        if claims.ath != (None if token is None else token_hash(token)):
            raise RefusedError("proof_invalid", "made for another token, for none, or with one where none is")

    def _check_moment(self, iat: float, now: Millis) -> None:
        ahead_ms = round(iat * _MS) - now
        if abs(ahead_ms) > self._window_ms:
            raise RefusedError("proof_invalid", f"its moment is {ahead_ms / _MS:+.0f} s off the server's clock")

    def _use(self, signer: str, claims: _ProofClaims, now: Millis) -> None:
        present = self._turn(now)
        found = next((each for each in self._rounds if each.nonce == claims.nonce), None)
        if found is None:
            raise NonceError(present.nonce)
        used = found.used.setdefault(signer, set())
        if claims.jti in used:
            raise RefusedError("proof_reused", f"jti {claims.jti!r} of key {signer}")
        if len(used) >= self._per_key_max:
            raise RefusedError("proof_too_many", f"key {signer}", self._nonce_lifetime_ms)
        used.add(claims.jti)
        found.count += 1


def _read_proof(proof: str) -> tuple[str, _ProofClaims]:
    """A proof's key, as a thumbprint, and its claims; its signature has been checked."""
    if len(proof) > PROOF_CHARS_MAX:
        raise RefusedError("proof_invalid", f"{len(proof)} characters: longer than any proof")
    try:
        jwk = msgspec.convert(_JOSE.get_unverified_header(proof), _ProofHeader).jwk
        if jwk.d is not msgspec.UNSET:
            raise RefusedError(
                "proof_invalid", "its header holds a private key: that key is lost, enrol the device anew"
            )
        key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{jwk.x}="))
        claims = msgspec.json.decode(_JOSE.decode(proof, key, [ALGORITHM]), type=_ProofClaims)
    except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        # The signature says nothing here yet: whoever wrote this chose the key as well.
        raise RefusedError("proof_invalid", f"not a proof: {error}") from None
    return thumbprint(key.public_bytes_raw()), claims
