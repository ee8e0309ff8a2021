"""What is known of an OpenID provider: its document (OpenID Connect Discovery, RFC 8414), its signing keys (RFC 7517).

Both are fetched when they are first needed and again after an hour. A token signed by a key that is not known fetches
the keys anew, so that a provider may change them at any time, but at most once a minute: forged key names make no
traffic.
"""

import asyncio
from typing import Annotated, Any, Final

import httpx
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from schemas.ids import Millis
from server.federation.fetching import decode, fetch
from server.federation.refusals import RefusedError
from server.federation.settings import OidcSettings, address_problem

FRESH_MS: Final = 60 * 60_000
KEYS_AGAIN_MS: Final = 60_000
KEYS_MAX: Final = 32
RSA_BITS_MIN: Final = 2_048
_OK: Final = 200
_KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}

_Url = Annotated[str, msgspec.Meta(max_length=1_024)]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself; the members that matter here.

    Attributes:
        issuer: its name, the same characters as in the settings.
        authorization_endpoint, token_endpoint, jwks_uri: where it does what.
        code_challenge_methods_supported: of PKCE; empty where it does not say.
        token_endpoint_auth_methods_supported: how a client shows its secret; basic where it does not say.
        authorization_response_iss_parameter_supported: whether it names itself when it sends somebody back (RFC 9207).
    """

    issuer: _Url
    authorization_endpoint: _Url
    token_endpoint: _Url
    jwks_uri: _Url
    code_challenge_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _KeySet(msgspec.Struct, frozen=True):
    keys: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(max_length=KEYS_MAX)]


class Provider:
    """One provider, as far as it is known."""

    def __init__(self, settings: OidcSettings, client: httpx.AsyncClient) -> None:
        """Bind it; nothing is fetched yet.

        Args:
            settings: which one.
            client: from `fetching.new_client`.
        """
        self._settings = settings
        self._client = client
        self._document: Document | None = None
        self._document_at = Millis(0)
        self._keys: tuple[dict[str, Any], ...] = ()
        self._keys_at: Millis | None = None
        self._fetching = asyncio.Lock()

    async def document(self, now: Millis) -> Document:
        """What it says of itself.

        Raises:
            RefusedError: `oidc_unavailable`: it cannot be had, is another's, or leads to where nothing may be sent.
        """
        async with self._fetching:
            known = self._document
            if known is None or not 0 <= now - self._document_at < FRESH_MS:
                known = await self._fetch_document()
                self._document, self._document_at = known, now
            return known

    async def key(self, header: dict[str, Any], now: Millis) -> jwt.PyJWK:
        """The key that a token's header names, bound to the algorithm that it names.

        Args:
            header: the token's, not verified: its algorithm is taken only where the settings allow it, and its key only
                where the provider has it.
            now: the moment.

        Raises:
            RefusedError: `oidc_token_invalid`, `oidc_unavailable`.
        """
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._settings.algorithms:
            raise RefusedError("oidc_token_invalid", f"signed with {algorithm!r}, which the settings do not allow")
        document = await self.document(now)
        async with self._fetching:
            age = None if self._keys_at is None else now - self._keys_at
            found = None
            if age is not None and 0 <= age < FRESH_MS:
                found = _pick(self._keys, algorithm, kid)
            if found is None and (age is None or not 0 <= age < KEYS_AGAIN_MS):
                self._keys = await self._fetch_keys(document.jwks_uri)
                self._keys_at = now
                found = _pick(self._keys, algorithm, kid)
        if found is None:
            raise RefusedError("oidc_token_invalid", f"signed by no key of the provider (kid {kid!r})")
        return found

    async def _fetch_document(self) -> Document:
        # Appended to the issuer's path (OpenID Connect Discovery section 4.1), not put before it (RFC 8414 section 3):
        # every OpenID provider has it there.
        url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, body = await fetch(self._client, url)
        if status != _OK:
            raise RefusedError("oidc_unavailable", f"{url} answers with status {status}")
        document = decode(body, Document, url)
        if document.issuer != self._settings.issuer:
            raise RefusedError(
                "oidc_unavailable", f"{url} is of issuer {document.issuer!r}; the setting is {self._settings.issuer!r}"
            )
        for endpoint in (document.authorization_endpoint, document.token_endpoint, document.jwks_uri):
            wrong = address_problem(endpoint)
            if wrong is not None:
                raise RefusedError("oidc_unavailable", f"{url}: {wrong}")
        methods = document.code_challenge_methods_supported
        if methods and "S256" not in methods:
            raise RefusedError("oidc_unavailable", f"{url}: the provider cannot do PKCE with S256")
        return document

    async def _fetch_keys(self, url: str) -> tuple[dict[str, Any], ...]:
        status, body = await fetch(self._client, url)
        if status != _OK:
            raise RefusedError("oidc_unavailable", f"{url} answers with status {status}")
        return decode(body, _KeySet, url).keys


def _pick(keys: tuple[dict[str, Any], ...], algorithm: str, kid: object) -> jwt.PyJWK | None:
    """The one key for signatures with `algorithm` and of that name; without a name, the only one there is."""
    fitting = [
        key
        for key in keys
        if key.get("kty") == _KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:
        return None
    try:
        # The public members alone: a provider that shows a private key is not helped in using it.
        members = {name: value for name, value in fitting[0].items() if name in {"kty", "crv", "x", "y", "n", "e"}}
        key = jwt.PyJWK(members, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < RSA_BITS_MIN:
        return None
    return key
