"""Every attack on signing in with a real provider that must fail: on the way back, and by the token.

The provider is django-oauth-toolkit in a process of its own. Attacks run over it end to end: the one thing that is
wrong is changed on the way, with the provider's own key where a signature must hold.
"""

import hashlib
import hmac
import json
import time
from functools import partial
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from schemas.ids import Millis
from server.federation import oidc
from server.federation.refusals import RefusedError
from sync.device.dpop import base64url
from tests.server.federation.browser import Browser, RunningProvider
from tests.server.federation.idp import CLIENT_ID, SHARED_CLIENT_ID
from tests.server.federation.station import MINUTE_MS, Station

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
