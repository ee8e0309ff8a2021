"""Signing in with a real provider, and every attack on it that must fail.

The provider is django-oauth-toolkit in a process of its own. Attacks run over it end to end: the one thing that is
wrong is changed on the way, with the provider's own key where a signature must hold.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from schemas.ids import Millis, OfficerId
from server.federation import oidc
from server.federation.fetching import BODY_BYTES_MAX, fetch, new_client
from server.federation.oidc import OidcLogin
from server.federation.provider import KEYS_AGAIN_MS
from server.federation.refusals import RefusedError
from server.federation.settings import OidcSettings
from server.federation.verified import Method, VerifiedOfficer
from sync.device.dpop import base64url
from tests.server.federation.browser import REDIRECT_URI, Browser, Network, RunningProvider, answer
from tests.server.federation.idp import CLIENT_ID, CLIENT_SECRET, PUBLIC_CLIENT_ID, SHARED_CLIENT_ID

OFFICERS = {"WM21877", "WM1"}
MINUTE_MS = 60_000


async def is_officer(collar: OfficerId) -> bool:
    """Who is registered here."""
    return collar in OFFICERS


class Station:
    """A server that signs officers in with the provider.

    Attributes:
        network: what is between the two.
        now: the moment; the provider has the machine's clock.
    """

    def __init__(self, provider: RunningProvider, **changed: object) -> None:
        self.provider = provider
        self.network = Network()
        self.client = new_client(self.network)
        self.now = Millis(time.time_ns() // 1_000_000)
        given: dict[str, Any] = {
            "issuer": provider.issuer,
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "collar_suffix": "@force.example",
        }
        self.settings = OidcSettings(**(given | changed))
        secret = None if self.settings.client_id == PUBLIC_CLIENT_ID else CLIENT_SECRET
        self.login = OidcLogin(self.settings, self.client, is_officer, client_secret=secret)

    async def sign_in(self, officer: str = "WM21877@force.example") -> VerifiedOfficer:
        """A whole login."""
        url, handle = await self.login.begin(self.now)
        return await self.login.finish(handle, await Browser(officer).visit(url), self.now)

    async def refusal(self, officer: str = "WM21877@force.example") -> RefusedError:
        """The refusal that a whole login ends in."""
        with pytest.raises(RefusedError) as caught:
            await self.sign_in(officer)
        return caught.value


@pytest.fixture
async def station(provider: RunningProvider) -> AsyncIterator[Station]:
    """A server that has not asked the provider for anything yet."""
    made = Station(provider)
    yield made
    await made.client.aclose()


# --- what holds -----------------------------------------------------------------------------------------


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


# --- the way back ---------------------------------------------------------------------------------------


async def returned(station: Station) -> tuple[str, list[tuple[str, str]]]:
    """A login whose officer has come back with a good answer."""
    url, handle = await station.login.begin(station.now)
    return handle, await Browser().visit(url)


async def refused(station: Station, handle: str, params: list[tuple[str, str]]) -> str:
    """The code of the refusal that an answer meets."""
    with pytest.raises(RefusedError) as caught:
        await station.login.finish(handle, params, station.now)
    return caught.value.spec.code


def other(params: list[tuple[str, str]], **changed: str | None) -> list[tuple[str, str]]:
    """The same parameters, but for these."""
    return [(name, value) for name, value in (dict(params) | changed).items() if value is not None]


async def test_an_answer_counts_once(station: Station) -> None:
    """The same code a second time, in the same browser: there is no such login any more."""
    handle, params = await returned(station)
    assert (await station.login.finish(handle, params, station.now)).collar == "WM21877"
    assert await refused(station, handle, params) == "oidc_no_login"


async def test_a_login_is_over_after_one_wrong_answer(station: Station) -> None:
    """Whoever guesses at `state` has one guess."""
    handle, params = await returned(station)
    assert await refused(station, handle, other(params, state="x")) == "oidc_foreign_answer"
    assert await refused(station, handle, params) == "oidc_no_login"


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "guessed"},
        {"state": ""},
        {"state": None},
        {"state": "\ud800"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"code": None},
        {"code": ""},
        {"code": "x" * 3_000},
    ],
)
async def test_an_answer_that_is_not_of_this_login_is_refused(station: Station, changed: dict[str, str | None]) -> None:
    """Another state or none; another provider, or one that does not say who it is (mix-up, RFC 9207); no code."""
    handle, params = await returned(station)
    assert await refused(station, handle, other(params, **changed)) == "oidc_foreign_answer"
    assert "/o/token/" not in station.network.calls


async def test_a_parameter_that_comes_twice_is_refused(station: Station) -> None:
    """Two readers of one address could each see another one."""
    handle, params = await returned(station)
    assert await refused(station, handle, [*params, ("code", "another")]) == "oidc_foreign_answer"


async def test_another_browsers_answer_is_refused(station: Station) -> None:
    """Without the cookie there is no login; with one's own cookie, the other's answer is foreign."""
    handle, _ = await returned(station)
    _, theirs = await returned(station)
    assert await refused(station, "guessed", theirs) == "oidc_no_login"
    assert await refused(station, handle, theirs) == "oidc_foreign_answer"


async def test_a_stolen_code_put_into_another_login_is_refused_by_pkce(station: Station) -> None:
    """Code injection: everything fits but the verifier, and the provider says so."""
    handle, own = await returned(station)
    _, theirs = await returned(station)
    injected = other(own, code=dict(theirs)["code"])
    assert await refused(station, handle, injected) == "oidc_denied"


async def test_a_code_counts_once_at_the_provider(station: Station, provider: RunningProvider) -> None:
    """Two servers of ours with one verifier: the second exchange is refused."""
    handle, params = await returned(station)
    twin = Station(provider)
    async with twin.client:
        twin.login._pending = dict(station.login._pending)
        await station.login.finish(handle, params, station.now)
        assert await refused(twin, handle, params) == "oidc_denied"


async def test_a_login_expires(station: Station) -> None:
    """An answer that comes too late finds no login, and what expired takes no room."""
    handle, params = await returned(station)
    station.now = Millis(station.now + station.settings.login_ms)
    assert await refused(station, handle, params) == "oidc_no_login"
    for _ in range(3):
        await station.login.begin(station.now)
    await station.login.begin(Millis(station.now + station.settings.login_ms))
    assert len(station.login._pending) == 1


async def test_logins_under_way_are_bounded(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is asked to wait; those under way go on."""
    monkeypatch.setattr(oidc, "LOGINS_MAX", 2)
    handle, params = await returned(station)
    await station.login.begin(station.now)
    with pytest.raises(RefusedError) as caught:
        await station.login.begin(station.now)
    assert (caught.value.spec.code, caught.value.retry_after_ms) == ("oidc_busy", station.settings.login_ms)
    assert (await station.login.finish(handle, params, station.now)).collar == "WM21877"


async def test_an_officer_whom_the_provider_sends_back_with_an_error_is_told(station: Station) -> None:
    """Its error is for the log; and a login without PKCE is one that this provider refuses itself."""
    url, handle = await station.login.begin(station.now)
    bare = str(httpx.URL(url).copy_remove_param("code_challenge").copy_remove_param("code_challenge_method"))
    params = await Browser().visit(bare)
    assert dict(params)["error"] == "invalid_request"
    assert await refused(station, handle, params) == "oidc_denied"


# --- the token ------------------------------------------------------------------------------------------


SHIFTED: dict[str, dict[str, int]] = {
    "expired": {"exp": -2 * MINUTE_MS},
    "from the future": {"iat": 3 * MINUTE_MS},
    "not yet": {"nbf": 3 * MINUTE_MS},
    "old": {"iat": -30 * MINUTE_MS},
}
"""Claims that are so far from the moment of the test (ms): a whole run of tests takes longer than some of these."""
LYING: dict[str, dict[str, Any]] = {
    "other nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "other audience": {"aud": "another"},
    "more audiences": {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
    "no audience": {"aud": []},
    "other azp": {"azp": "another"},
    "other issuer": {"iss": "https://elsewhere.example"},
    "issuer with a slash": {"iss": "/"},
    "nobody": {"sub": ""},
    "end as text": {"exp": "9999999999"},
    "no end": {"exp": None},
    "no beginning": {"iat": None},
    "end beyond all bounds": {"exp": 1e300},
}


@pytest.mark.parametrize("how", [*LYING, *SHIFTED])
async def test_a_token_with_another_claim_is_refused_whoever_signed_it(station: Station, how: str) -> None:
    """Signed by the provider's own key, and wrong in one claim."""
    now_s = time.time_ns() // 1_000_000_000
    shifted = {name: now_s + ms // 1_000 for name, ms in SHIFTED.get(how, {}).items()}
    change = LYING.get(how, shifted)
    if how == "issuer with a slash":
        change = {"iss": station.provider.issuer + "/"}
    station.network.resign(station.provider.key, lambda claims: claims | change)
    assert (await station.refusal()).spec.code == "oidc_token_invalid"


async def test_the_forger_of_these_tests_signs_what_is_taken(station: Station) -> None:
    """With no claim changed, the resigned token holds; so does one with a list of one audience and our `azp`."""
    station.network.resign(station.provider.key, lambda claims: claims)
    assert (await station.sign_in()).collar == "WM21877"
    station.network.resign(station.provider.key, lambda claims: claims | {"aud": [CLIENT_ID], "azp": CLIENT_ID})
    assert (await station.sign_in()).collar == "WM21877"


async def test_a_clock_that_is_a_little_off_is_borne(station: Station) -> None:
    """Half a minute either way is inside the minute that is allowed."""
    now_s = time.time_ns() // 1_000_000_000
    for change in ({"exp": now_s - 30}, {"iat": now_s + 30}):
        station.network.resign(station.provider.key, change.__ror__)
        assert (await station.sign_in()).collar == "WM21877"


def _part(content: object) -> str:
    return base64url(json.dumps(content).encode())


def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_part(header | {'alg': 'none'})}.{_part(claims)}."


def _stripped(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_part(header)}.{_part(claims)}."


def _by_another(header: dict[str, Any], claims: dict[str, Any]) -> str:
    other_key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return jwt.encode(claims, other_key, "RS256", {"kid": header["kid"]})


def _with_own_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    own = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    return jwt.encode(claims, own, "RS256", {"jwk": jwk, "jku": "https://elsewhere.example/keys"})


def _critical(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_part(header | {'crit': ['x'], 'x': 1})}.{_part(claims)}.AAAA"


FORGERS = {
    "alg none": _unsigned,
    "no signature": _stripped,
    "another's signature": _by_another,
    "brings its own key": _with_own_key,
    "critical extension": _critical,
    "not a token": lambda _header, _claims: "a.b.c",
    "empty": lambda _header, _claims: "",
    "deep": lambda _, claims: f"{base64url(b'[' * 30_000)}.{_part(claims)}.AAAA",
    "unknown key": lambda header, claims: f"{_part(header | {'kid': 'x'})}.{_part(claims)}.AAAA",
    "key's name is a list": lambda header, claims: f"{_part(header | {'kid': ['x']})}.{_part(claims)}.AAAA",
    "algorithm is a list": lambda header, claims: f"{_part(header | {'alg': ['RS256']})}.{_part(claims)}.AAAA",
}


@pytest.mark.parametrize("how", FORGERS)
async def test_a_forged_token_is_refused(station: Station, how: str) -> None:
    """Unsigned, signed by others, or no token at all: the claims are the provider's own, and it does not help."""
    station.network.retoken(FORGERS[how])
    assert (await station.refusal()).spec.code == "oidc_token_invalid"


@pytest.mark.parametrize("form", ["pem", "der", "modulus"])
async def test_the_public_key_is_no_shared_secret(station: Station, form: str) -> None:
    """HMAC with each spelling of the provider's public key: the classic confusion."""
    public = station.provider.key.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    modulus = public.public_numbers().n
    secret = {
        "pem": public.public_bytes(serialization.Encoding.PEM, spki),
        "der": public.public_bytes(serialization.Encoding.DER, spki),
        "modulus": modulus.to_bytes(256, "big"),
    }[form]

    def forge(header: dict[str, Any], claims: dict[str, Any]) -> str:
        text = f"{_part(header | {'alg': 'HS256'})}.{_part(claims)}"
        return f"{text}.{base64url(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    station.network.retoken(forge)
    assert "do not allow" in (await station.refusal()).detail


async def test_a_provider_that_signs_with_the_clients_secret_is_refused(provider: RunningProvider) -> None:
    """Its tokens are real and their HMAC is right; whoever knows the secret could make them, so they prove nothing."""
    station = Station(provider, client_id=SHARED_CLIENT_ID)
    async with station.client:
        assert "HS256" in (await station.refusal()).detail


def _with_key(change: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    return {"keys": [body["keys"][0] | change]}


async def test_a_keys_algorithm_is_the_keys(station: Station) -> None:
    """A key set that calls an RSA key one of EC, one for encryption, or a small one: no key fits."""
    small = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505  what must be refused
    weak = jwt.algorithms.RSAAlgorithm.to_jwk(small.public_key(), as_dict=True)
    for change in ({"alg": "ES256"}, {"use": "enc"}, {"kty": "oct", "k": "AAAA"}, {"n": weak["n"]}, {"n": 7}):
        station.network.answers["jwks.json"] = partial(_with_key, change)
        station.login._provider._keys_at = None
        assert "no key of the provider" in (await station.refusal()).detail


# --- the provider itself --------------------------------------------------------------------------------


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
