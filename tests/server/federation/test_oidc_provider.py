"""Signing in with a real provider: what holds, who may, and a provider that is another, or gone, or wrong."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from schemas.ids import Millis, OfficerId
from server.federation.fetching import BODY_BYTES_MAX, fetch
from server.federation.provider import KEYS_AGAIN_MS
from server.federation.refusals import RefusedError
from server.federation.verified import Method, VerifiedOfficer
from tests.server.federation.browser import REDIRECT_URI, RunningProvider, answer
from tests.server.federation.idp import CLIENT_ID, PUBLIC_CLIENT_ID
from tests.server.federation.station import MINUTE_MS, Station


async def test_an_officer_signs_in_with_the_provider(station: Station) -> None:
    """The form is filled in, the code exchanged, the token checked; groups mean nothing."""
    assert await station.sign_in() == VerifiedOfficer(
        collar=OfficerId("WM21877"), method=Method.OIDC, at=station.now, roles=frozenset()
    )


async def test_documents_and_keys_are_fetched_once(station: Station) -> None:
    """A second login asks the provider for nothing but its token; an hour later both are fetched anew."""
    await station.sign_in()
    before = len(station.network.calls)
    await station.sign_in()
    assert station.network.calls[before:] == ["/o/token/"]
    await station.login.begin(Millis(station.now + 61 * MINUTE_MS))
    assert station.network.calls[-1] == "/o/.well-known/openid-configuration"


@pytest.mark.parametrize("changed", [{"client_id": PUBLIC_CLIENT_ID}])
async def test_a_public_client_signs_in_by_pkce_alone(provider: RunningProvider, changed: dict[str, Any]) -> None:
    """No secret is configured, and none is sent."""
    station = Station(provider, **changed)
    async with station.client:
        assert (await station.sign_in()).collar == "WM21877"


async def test_a_provider_that_takes_secrets_in_the_form_only_gets_it_there(station: Station) -> None:
    """What its document says is what is done."""
    station.network.answers["openid-configuration"] = lambda body: (
        body | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    )
    assert (await station.sign_in()).collar == "WM21877"


async def test_groups_mean_what_is_configured_and_nothing_else(provider: RunningProvider) -> None:
    """Of two groups one has a role here."""
    station = Station(provider, group_roles={"sergeants": "supervisor", "chiefs": "superintendent"})
    async with station.client:
        assert (await station.sign_in()).roles == {"supervisor"}
        station.network.resign(provider.key, lambda claims: claims | {"groups": "sergeants"})
        assert (await station.sign_in()).roles == frozenset()
        station.network.resign(provider.key, lambda claims: claims | {"groups": [7, ["sergeants"], None]})
        assert (await station.sign_in()).roles == frozenset()


async def test_a_new_key_of_the_provider_is_found(station: Station) -> None:
    """Once a minute has passed since the keys were fetched, a token of an unknown key fetches them anew."""
    fresh = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    await station.sign_in()
    station.network.retoken(lambda _, claims: jwt.encode(claims, fresh, "RS256", {"kid": "fresh"}))
    public = jwt.algorithms.RSAAlgorithm.to_jwk(fresh.public_key(), as_dict=True) | {"kid": "fresh"}
    station.network.answers["jwks.json"] = lambda body: {"keys": [*body["keys"], public]}
    assert (await station.refusal()).spec.code == "oidc_token_invalid"
    fetched = station.network.calls.count("/o/.well-known/jwks.json")
    assert fetched == 1
    station.now = Millis(station.now + KEYS_AGAIN_MS)
    assert (await station.sign_in()).collar == "WM21877"
    assert station.network.calls.count("/o/.well-known/jwks.json") == fetched + 1


async def test_a_key_that_the_provider_withdrew_is_not_used_for_longer_than_an_hour(station: Station) -> None:
    """The keys of before are gone with the fetch that does not name them."""
    await station.sign_in()
    station.network.answers["jwks.json"] = lambda _: {"keys": []}
    station.now = Millis(station.now + 61 * MINUTE_MS)
    station.network.resign(
        station.provider.key, lambda claims: claims | {"iat": station.now // 1_000, "exp": station.now // 1_000 + 60}
    )
    assert "no key of the provider" in (await station.refusal()).detail


# --- who may --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("officer", ["stranger@force.example", "WM1@other.example"])
async def test_only_officers_who_exist_are_let_in(station: Station, officer: str) -> None:
    """The provider knows them; here there is no such officer, or the account is of another force."""
    assert (await station.refusal(officer)).spec.code == "oidc_officer_unknown"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        7,
        ["WM21877@force.example"],
        "@force.example",
        "WM21877\n@force.example",
        "../x@force.example",
        "WM21877",
    ],
)
async def test_a_claim_that_holds_no_collar_number_lets_nobody_in(station: Station, value: object) -> None:
    """Absent, of another type, empty, or what is no collar number."""
    station.network.resign(station.provider.key, lambda claims: claims | {"preferred_username": value})
    assert (await station.refusal()).spec.code == "oidc_officer_unknown"


async def unavailable(station: Station) -> str:
    """Why a login cannot even begin."""
    with pytest.raises(RefusedError) as caught:
        await station.login.begin(station.now)
    assert caught.value.spec.code == "oidc_unavailable"
    return caught.value.detail


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"issuer": "https://elsewhere.example"}, "is of issuer 'https://elsewhere.example'"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "is not encrypted"),
        ({"jwks_uri": "file:///etc/keys"}, "is no address"),
        ({"authorization_endpoint": "https://u@elsewhere.example/"}, "names a user"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE with S256"),
        ({"token_endpoint": None}, "something else"),
    ],
)
async def test_a_document_that_leads_elsewhere_is_refused(station: Station, change: dict[str, Any], why: str) -> None:
    """Another issuer, an address in clear, one that is none, a provider without PKCE."""
    station.network.answers["openid-configuration"] = lambda body: body | change
    assert why in await unavailable(station)
    station.network.answers.clear()
    assert (await station.sign_in()).collar == "WM21877"


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (lambda: answer(b"", 302, location="https://elsewhere.example/"), "redirect"),
        (lambda: answer(b"", 500), "status 500"),
        (lambda: answer(b"<html>"), "something else"),
        (lambda: answer(b'{"x":' + b"[" * 100_000), "something else"),
        (lambda: answer(b"\xff"), "something else"),
        (lambda: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"")), "compressed"),
        (lambda: answer(b"x" * (BODY_BYTES_MAX + 1)), "more than"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_refused(
    station: Station, response: Callable[[], httpx.Response], why: str
) -> None:
    """Redirects, errors, no JSON, too deep, compressed, too long: each is said, none is followed."""
    station.network.instead["openid-configuration"] = response
    assert why in await unavailable(station)
    station.network.instead = {"/token/": response}
    refusal = await station.refusal()
    assert refusal.spec.code == "oidc_unavailable"
    assert why in refusal.detail
    assert not any("elsewhere" in call for call in station.network.calls)


async def test_a_provider_that_is_gone_is_said_to_be(station: Station) -> None:
    """No connection, and one that says nothing for too long."""

    def fail() -> httpx.Response:
        raise httpx.ConnectError("no route")

    station.network.instead["openid-configuration"] = fail
    assert "could not be reached (ConnectError)" in await unavailable(station)
    with pytest.raises(RefusedError, match="did not answer within 0 s"):
        await fetch(station.client, f"{station.provider.issuer}/login/", call_s_max=0)


async def test_a_token_of_another_type_is_refused(station: Station) -> None:
    """Only Bearer was asked for."""
    station.network.answers["/token/"] = lambda body: body | {"token_type": "mac"}
    assert (await station.refusal()).spec.code == "oidc_unavailable"


async def test_what_is_asked_of_the_provider_is_what_the_standards_say(station: Station) -> None:
    """Every login has a state, a nonce and a challenge of its own; the redirect address is the one that is set."""
    url, handle = await station.login.begin(station.now)
    asked = dict(httpx.URL(url).params)
    pending = next(iter(station.login._pending.values()))
    assert asked == {
        "response_type": "code",
        "response_mode": "query",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "openid profile",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(pending.code_verifier.encode()).digest())
        .rstrip(b"=")
        .decode(),
        "code_challenge_method": "S256",
    }
    secrets = {handle, pending.state, pending.nonce, pending.code_verifier}
    assert len(secrets) == 4
    assert handle not in station.login._pending
    assert pending.code_verifier not in url
