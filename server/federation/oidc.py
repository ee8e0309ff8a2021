"""Signing in with a provider elsewhere: OpenID Connect's authorization code flow, hardened as RFC 9700 says.

PKCE with S256 (RFC 7636), a `state` and a `nonce` for every login, the issuer checked when the officer comes back
(RFC 9207) and in the token; the redirect address never varies. A login under way is known by a handle that only
whoever began it holds, so nobody can be made to finish somebody else's. Whatever comes of it, it is used up by
the first answer. The provider's access token is not looked at and not kept: who it is, is all that is asked.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt
import msgspec

from schemas.ids import OFFICER_PATTERN, Millis, OfficerId
from schemas.limits import INT_MAX
from server.federation.fetching import decode, fetch
from server.federation.provider import Document, Provider
from server.federation.refusals import RefusedError
from server.federation.settings import OidcSettings
from server.federation.verified import Method, VerifiedOfficer
from sync.device.dpop import base64url

LOGINS_MAX: Final = 10_000
"""Logins under way at once: more than a force has officers."""
VALUE_CHARS_MAX: Final = 2_048
"""One value of what the provider sends back with the officer."""
TOKEN_CHARS_MAX: Final = 64 * 1_024
GROUPS_MAX: Final = 1_000
_SECRET_BYTES: Final = 32
_OK: Final = 200
_MS: Final = 1_000
_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_JWS: Final = jwt.PyJWS()

_Moment = Annotated[float, msgspec.Meta(ge=0, le=INT_MAX / _MS)]


class _Pending(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    nonce: str
    code_verifier: str
    until: Millis


class _TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    id_token: Annotated[str, msgspec.Meta(max_length=TOKEN_CHARS_MAX)]
    token_type: Annotated[str, msgspec.Meta(max_length=32)]


class _ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    error: Annotated[str, msgspec.Meta(max_length=128)] = "unnamed"


class _IdClaims(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    aud: str | tuple[str, ...]
    exp: _Moment
    iat: _Moment
    nonce: str
    azp: str | None = None
    nbf: _Moment | None = None


class OidcLogin:
    """Logins with one provider, kept in memory: a restart asks whoever was in the middle of one to begin anew."""

    def __init__(
        self,
        settings: OidcSettings,
        client: httpx.AsyncClient,
        is_officer: Callable[[OfficerId], Awaitable[bool]],
        *,
        client_secret: str | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Bind them; nothing is fetched yet.

        Args:
            settings: which provider, and what its claims mean.
            client: from `fetching.new_client`.
            is_officer: whether an officer of that collar number exists and may sign in now.
            client_secret: what `client_secret_file` holds; None for a public client.
            random: gives so many random bytes.
        """
        self._settings = settings
        self._client = client
        self._is_officer = is_officer
        self._client_secret = client_secret
        self._random = random
        self._provider = Provider(settings, client)
        self._pending: dict[str, _Pending] = {}

    async def begin(self, now: Millis) -> tuple[str, str]:
        """Begin a login.

        Returns:
            Where to send the officer's browser, and the handle of the login: it is for whoever began, and nobody else.

        Raises:
            RefusedError: `oidc_unavailable`, `oidc_busy`.
        """
        document = await self._provider.document(now)
        self._pending = {handle: each for handle, each in self._pending.items() if now < each.until}
        if len(self._pending) >= LOGINS_MAX:
            raise RefusedError("oidc_busy", f"{LOGINS_MAX} logins are under way", self._settings.login_ms)
        handle, state, nonce, verifier = (base64url(self._random(_SECRET_BYTES)) for _ in range(4))
        self._pending[_key(handle)] = _Pending(
            state=state, nonce=nonce, code_verifier=verifier, until=Millis(now + self._settings.login_ms)
        )
        asked = {
            "response_type": "code",
            "response_mode": "query",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(document.authorization_endpoint).query else "?"
        return f"{document.authorization_endpoint}{joint}{urlencode(asked)}", handle

    def forget(self, handle: str) -> None:
        """End a login that nobody will finish; one that is none is left alone."""
        self._pending.pop(_key(handle), None)

    async def finish(self, handle: str, params: Sequence[tuple[str, str]], now: Millis) -> VerifiedOfficer:
        """Finish a login with what the provider sent back.

        Args:
            handle: what `begin` gave.
            params: the query of the redirect address, as it came, in pairs.
            now: the moment.

        Raises:
            RefusedError: `oidc_no_login`, `oidc_foreign_answer`, `oidc_denied`, `oidc_token_invalid`,
                `oidc_officer_unknown`, `oidc_unavailable`. The login is over in every case.
        """
        pending = self._pending.pop(_key(handle), None)
        if pending is None or now >= pending.until:
            raise RefusedError("oidc_no_login")
        document = await self._provider.document(now)
        code = self._code(pending, document, params)
        token = await self._exchange(document, code, pending.code_verifier)
        claims = await self._verified(token, pending, now)
        collar = await self._collar(claims)
        return VerifiedOfficer(collar=collar, method=Method.OIDC, at=now, roles=self._roles(claims))

    def _code(self, pending: _Pending, document: Document, params: Sequence[tuple[str, str]]) -> str:
        """The code in an answer that belongs to this login (RFC 6749 section 4.1.2, RFC 9207)."""
        given = dict(params)
        if len(given) != len(params) or any(len(value) > VALUE_CHARS_MAX for value in given.values()):
            raise RefusedError("oidc_foreign_answer", "a parameter comes twice or is too long")
        if not hmac.compare_digest(given.get("state", "").encode("utf-8", "replace"), pending.state.encode()):
            raise RefusedError("oidc_foreign_answer", "its state is not this login's")
        named = given.get("iss")
        if named is not None and named != self._settings.issuer:
            raise RefusedError("oidc_foreign_answer", f"it comes from {named[:128]!r}")
        if "error" in given:
            # Taken without the provider's name too: some leave it out here, and nobody is let in by it.
            raise RefusedError("oidc_denied", f"the provider says {given['error'][:128]!r}")
        if named is None and document.authorization_response_iss_parameter_supported:
            raise RefusedError("oidc_foreign_answer", "it does not name the provider, which says that it always does")
        if not given.get("code"):
            raise RefusedError("oidc_foreign_answer", "it has no code")
        return given["code"]

    async def _exchange(self, document: Document, code: str, verifier: str) -> str:
        """The ID token that a code stands for."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_uri,
            "code_verifier": verifier,
        }
        auth: httpx.Auth | None = None
        if self._client_secret is None:
            form["client_id"] = self._settings.client_id
        elif "client_secret_basic" in document.token_endpoint_auth_methods_supported:
            # Both are form-encoded first (RFC 6749 section 2.3.1).
            auth = httpx.BasicAuth(quote(self._settings.client_id, safe=""), quote(self._client_secret, safe=""))
        else:
            form |= {"client_id": self._settings.client_id, "client_secret": self._client_secret}
        status, body = await fetch(self._client, document.token_endpoint, form=form, auth=auth)
        if status in {_BAD_REQUEST, _UNAUTHORIZED}:
            error = decode(body, _ErrorAnswer, document.token_endpoint).error
            raise RefusedError("oidc_denied", f"the provider does not take the code: {error!r}")
        if status != _OK:
            raise RefusedError("oidc_unavailable", f"{document.token_endpoint} answers with status {status}")
        answer = decode(body, _TokenAnswer, document.token_endpoint)
        if answer.token_type.lower() != "bearer":
            raise RefusedError("oidc_unavailable", f"a token of type {answer.token_type!r}, not Bearer")
        return answer.id_token

    async def _verified(self, token: str, pending: _Pending, now: Millis) -> dict[str, Any]:
        """The claims of an ID token, once all that OpenID Connect Core section 3.1.3.7 asks of it holds."""
        try:
            key = await self._provider.key(_JWS.get_unverified_header(token), now)
            raw = _JWS.decode(token, key, self._settings.algorithms)
            everything: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
            claims = msgspec.convert(everything, _IdClaims)
        except (jwt.PyJWTError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise RefusedError("oidc_token_invalid", str(error)) from None
        wrong = self._problem(claims, pending, now)
        if wrong is not None:
            raise RefusedError("oidc_token_invalid", wrong)
        return everything

    def _problem(self, claims: _IdClaims, pending: _Pending, now: Millis) -> str | None:
        """Why an ID token with the provider's signature is not one for this login; None when it is."""
        settings = self._settings
        early, late = now - settings.skew_ms, now + settings.skew_ms
        aud = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
        checks = {
            f"it is of issuer {claims.iss!r}": claims.iss != settings.issuer,
            # One audience, us: with others in it, any of them could have been given it for us.
            f"it is meant for {aud}": aud != (settings.client_id,),
            f"it was asked for by {claims.azp!r}": claims.azp not in {None, settings.client_id},
            "its nonce is not this login's": not hmac.compare_digest(
                claims.nonce.encode("utf-8", "replace"), pending.nonce.encode()
            ),
            "it has expired": claims.exp * _MS <= early,
            "it is from the future": claims.iat * _MS > late or (claims.nbf or 0) * _MS > late,
            "it is older than the login": claims.iat * _MS < early - settings.login_ms,
        }
        return next((meaning for meaning, holds in checks.items() if holds), None)

    async def _collar(self, claims: dict[str, Any]) -> OfficerId:
        name, suffix = self._settings.collar_claim, self._settings.collar_suffix
        value = claims.get(name)
        if not isinstance(value, str) or not value.endswith(suffix):
            ending = f" that ends in {suffix!r}" if suffix else ""
            raise RefusedError("oidc_officer_unknown", f"the ID token has no text {name}{ending}")
        collar = value.removesuffix(suffix)
        if re.match(OFFICER_PATTERN, collar) and await self._is_officer(OfficerId(collar)):
            return OfficerId(collar)
        raise RefusedError("oidc_officer_unknown", f"its {name} is {value[:64]!r}")

    def _roles(self, claims: dict[str, Any]) -> frozenset[str]:
        meant = self._settings.group_roles
        groups = claims.get(self._settings.groups_claim) if meant else None
        if not isinstance(groups, list):
            return frozenset()
        return frozenset(meant[group] for group in groups[:GROUPS_MAX] if isinstance(group, str) and group in meant)


def _key(handle: str) -> str:
    """What a login is found by: a hash, so that the time of a look-up tells nothing of another's handle."""
    return hashlib.sha256(handle.encode("utf-8", "replace")).hexdigest()
