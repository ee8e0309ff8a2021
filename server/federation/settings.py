"""What force IT writes down to let people sign in elsewhere. By default neither is there: no table, no door.

A wrong setting is a `ValueError` in words when the Struct is made, so that whoever decodes the file with msgspec can
say where in it that was.
"""

import ipaddress
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from server.secret_files import Secret

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""What an ID token may be signed with. No `none`, and no HMAC: whoever knows a shared secret could make tokens."""

CALLBACK_PATH: Final = "/v1/oidc/callback"
"""Where this server takes an officer's browser back from the provider."""
_Url = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signing in with OpenID Connect (authorization code with PKCE).

    Attributes:
        issuer: the provider's issuer identifier, exactly as it names itself.
        client_id: what the provider knows this server as.
        redirect_uri: where it sends the officer back, `https://HOST/v1/oidc/callback`; registered there in these very
            characters.
        client_secret_file: the file with the client's secret, readable by its owner alone; empty for a public client.
        scopes: what is asked for; `openid` is always among it.
        collar_claim: the claim of the ID token that holds the collar number.
        collar_suffix: what that claim must end in, and what is cut off: `@force.example`. Empty for nothing.
        groups_claim: the claim that lists groups.
        group_roles: group -> role. Nobody gets a role by it: the server's log says where somebody's groups stand for a
            role that they have not been given here.
        algorithms: what ID tokens may be signed with, of `ALGORITHMS`.
        skew_ms: how far the provider's clock may be off.
        login_ms: how long an officer may take to sign in there.
    """

    issuer: _Url
    client_id: _Name
    redirect_uri: _Url
    client_secret_file: Annotated[str, msgspec.Meta(max_length=1_024)] = ""
    scopes: tuple[_Name, ...] = ("openid", "profile")
    collar_claim: _Name = "preferred_username"
    collar_suffix: Annotated[str, msgspec.Meta(max_length=128)] = ""
    groups_claim: _Name = "groups"
    group_roles: dict[_Name, _Name] = {}
    algorithms: tuple[_Name, ...] = ALGORITHMS
    skew_ms: Annotated[int, msgspec.Meta(ge=0, le=5 * 60_000)] = 60_000
    login_ms: Annotated[int, msgspec.Meta(ge=30_000, le=60 * 60_000)] = 10 * 60_000

    def __post_init__(self) -> None:
        for name, url in (("issuer", self.issuer), ("redirect_uri", self.redirect_uri)):
            wrong = address_problem(url)
            if wrong is not None:
                raise ValueError(f"{name}: {wrong}")
        if urlsplit(self.issuer).query:
            raise ValueError(f"issuer: {self.issuer!r} has a query; an issuer has none")
        if "openid" not in self.scopes:
            raise ValueError("scopes: 'openid' must be among them")
        wrong_algorithms = sorted(set(self.algorithms) - set(ALGORITHMS))
        if wrong_algorithms or not self.algorithms:
            raise ValueError(f"algorithms: {wrong_algorithms} cannot be had; choose of {', '.join(ALGORITHMS)}")


class WebAuthnSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signing administrators in with security keys (W3C WebAuthn level 2).

    Attributes:
        rp_id: the domain that credentials belong to: the host of every origin, or a domain above it.
        rp_name: what the authenticator shows.
        origins: where the pages are served from: `https://beatbook.example`, with the port where it is not 443.
        challenge_ms: how long one ceremony may take.
        required: whether an administrator who has registered a key signs in with one, and in no other way.
    """

    rp_id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$(?!\n)")]
    rp_name: _Name = "Beatbook"
    origins: Annotated[tuple[_Url, ...], msgspec.Meta(min_length=1, max_length=16)]
    challenge_ms: Annotated[int, msgspec.Meta(ge=30_000, le=30 * 60_000)] = 5 * 60_000
    required: bool = False

    def __post_init__(self) -> None:
        for origin in self.origins:
            wrong = address_problem(origin)
            if wrong is not None:
                raise ValueError(f"origins: {wrong}")
            parts = urlsplit(origin)
            if origin != f"{parts.scheme}://{parts.netloc}".lower():
                raise ValueError(f"origins: {origin!r} is no origin; expected https://host or https://host:port")
            host = parts.hostname or ""
            if host != self.rp_id and not host.endswith(f".{self.rp_id}"):
                raise ValueError(f"origins: {origin!r} is not under the domain {self.rp_id!r}")


class SignInSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How officers may sign in beside collar number and passphrase.

    Attributes:
        oidc: with which provider; None for none.
        oidc_client_secret: what it knows this server by; None for a public client.
        webauthn: administrators' security keys; None for none.
    """

    oidc: OidcSettings | None = None
    oidc_client_secret: Secret | None = None
    webauthn: WebAuthnSettings | None = None


def address_problem(url: str) -> str | None:
    """Why `url` may not be called or named; None when it may: https, or http to this machine alone."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"{url!r} is no address; expected https://host/path"
    if parts.scheme not in {"https", "http"} or not host:
        return f"{url!r} is no address; expected https://host/path"
    if "@" in parts.netloc or parts.fragment:
        return f"{url!r} names a user or has a fragment; leave both out"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"{url!r} is not encrypted; use https"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
