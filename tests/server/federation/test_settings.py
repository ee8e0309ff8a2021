"""The settings of signing in elsewhere: what force IT may write, and what is said of the rest."""

from typing import Any

import msgspec
import pytest

from server.federation.settings import ALGORITHMS, OidcSettings, WebAuthnSettings

OIDC: dict[str, Any] = {
    "issuer": "https://id.force.example/realm",
    "client_id": "beatbook",
    "redirect_uri": "https://beatbook.example/oidc/back",
}
WEBAUTHN: dict[str, Any] = {"rp_id": "force.example", "origins": ["https://beatbook.force.example"]}


def test_three_lines_are_enough_for_a_provider() -> None:
    """All else has a default that lets in no more than it must."""
    settings = msgspec.convert(OIDC, OidcSettings)
    assert settings.algorithms == ALGORITHMS
    assert settings.group_roles == {}
    assert settings.client_secret_file == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "http://id.force.example"}, "issuer: .* is not encrypted"),
        ({"issuer": "id.force.example"}, "issuer: .* is no address"),
        ({"issuer": "https://id.force.example:x"}, "issuer: .* is no address"),
        ({"issuer": "https://id.force.example/?x"}, "has a query"),
        ({"issuer": "https://id.force.example/#x"}, "fragment"),
        ({"redirect_uri": "https://a:b@beatbook.example/"}, "redirect_uri: .* names a user"),
        ({"scopes": ["profile"]}, "'openid' must be among them"),
        ({"algorithms": ["RS256", "HS256"]}, r"\['HS256'\] cannot be had"),
        ({"algorithms": ["none"]}, r"\['none'\] cannot be had"),
        ({"algorithms": []}, "cannot be had"),
        ({"skew_ms": 600_000}, "skew_ms"),
        ({"clientid": "x"}, "clientid"),
    ],
)
def test_a_wrong_setting_of_a_provider_is_said(change: dict[str, Any], why: str) -> None:
    """In words that name the setting; nothing insecure can be set."""
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(OIDC | change, OidcSettings)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080"])
def test_this_machine_may_be_asked_in_clear(host: str) -> None:
    """For trying it out: what goes over loopback nobody else can read."""
    assert msgspec.convert(OIDC | {"issuer": f"http://{host}/o"}, OidcSettings).issuer == f"http://{host}/o"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"origins": []}, "origins"),
        ({"origins": ["http://beatbook.force.example"]}, "is not encrypted"),
        ({"origins": ["https://beatbook.force.example/"]}, "is no origin"),
        ({"origins": ["https://Beatbook.force.example"]}, "is no origin"),
        ({"origins": ["https://notforce.example"]}, "is not under the domain 'force.example'"),
        ({"origins": ["https://force.example.elsewhere.example"]}, "is not under the domain"),
        ({"rp_id": "https://force.example"}, "rp_id"),
        ({"challenge_ms": 1}, "challenge_ms"),
    ],
)
def test_a_wrong_setting_of_security_keys_is_said(change: dict[str, Any], why: str) -> None:
    """In words that name the setting."""
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(WEBAUTHN | change, WebAuthnSettings)


def test_two_lines_are_enough_for_security_keys() -> None:
    """The domain and where the pages are."""
    assert msgspec.convert(WEBAUTHN, WebAuthnSettings).origins == ("https://beatbook.force.example",)
