"""Signing in with a real provider over the server's own socket, and what others than the officer can make of it."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server.cli.proving import DpopAuth, Held
from server.edge.refusals import DATA_POLICY
from server.federation.settings import CALLBACK_PATH, OidcSettings, SignInSettings
from server.registry import live_sign_in
from server.registry.acts import SERVER, DeviceRevoked, OfficerEnded, SignInLocked
from server.secret_files import Secret
from sync.device.keys import DeviceIdentity
from tests.server.api import client
from tests.server.federation.browser import REDIRECT_URI, Browser, RunningProvider
from tests.server.federation.idp import CLIENT_ID, CLIENT_SECRET
from tests.server.people import Caller, another_key, person
from tests.server.running import Running, running

OFFICER: Final = "WM21877"
BEGIN: Final = "/v1/sign-in/oidc/begin"
FINISH: Final = "/v1/sign-in/oidc/finish"
Params = list[tuple[str, str]]


@pytest.fixture
async def server(tmp_path: Path, provider: RunningProvider) -> AsyncIterator[Running]:
    """A server that signs officers in with the provider, at whose clock it looks."""
    settings = OidcSettings(
        issuer=provider.issuer,
        client_id=CLIENT_ID,
        redirect_uri=REDIRECT_URI,
        collar_suffix="@force.example",
        groups_claim="groups",
        group_roles={"sergeants": "supervisor", "station-4": "officer"},
    )
    ways = SignInSettings(oidc=settings, oidc_client_secret=Secret(CLIENT_SECRET, "a test"))
    async with running(tmp_path, ways=ways) as server:
        server.clock.now = Millis(time.time_ns() // 1_000_000)
        yield server


@pytest.fixture
async def officer(server: Running) -> Caller:
    """The officer whom the provider knows too, with a device."""
    return await person(server, OFFICER, [Role.OFFICER], "birmingham")


@pytest.fixture
async def other(server: Running) -> Caller:
    """Another officer, with another device."""
    return await person(server, "WM5", [Role.OFFICER], "birmingham")


async def post(server: Running, identity: DeviceIdentity, path: str, **body: object) -> httpx.Response:
    """One call, proved by a device's key and held against the description."""
    async with client(server, None) as http:
        return await http.post(path, json=body, auth=DpopAuth(identity, clock=server.clock))


async def begun(server: Running, caller: Caller) -> dict[str, Any]:
    """A login that a device has begun."""
    answer = await post(server, caller.identity, BEGIN, device=caller.identity.device)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def back(server: Running, params: Params) -> httpx.Response:
    """A browser that comes back to the server, which knows nothing of it."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        return await http.get(CALLBACK_PATH, params=[*params])


def number_on(page: httpx.Response) -> str:
    """What the page asks the officer to type."""
    assert page.status_code == 200, page.text
    (number,) = re.findall(r"<strong>([0-9]{3} [0-9]{3})</strong>", page.text)
    return str(number).replace(" ", "")


async def finish(server: Running, caller: Caller, handle: str, check: str) -> httpx.Response:
    """The device's last call."""
    return await post(server, caller.identity, FINISH, device=caller.identity.device, handle=handle, check=check)


async def ready(server: Running, caller: Caller) -> tuple[str, str]:
    """A login whose browser has come back: (handle, number)."""
    told = await begun(server, caller)
    return told["handle"], number_on(await back(server, await Browser().visit(told["address"])))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Why somebody was not let in."""
    return answer.status_code, answer.json().get("code", "")


def sign_ins(server: Running) -> list[tuple[str, str, str]]:
    """(officer, device, method) of every sign-in that there was by provider."""
    found = server.beatbook.authority.ledger.registry.sign_ins.values()
    return [
        (each.seat.officer.officer, each.seat.device.device, each.method) for each in found if each.method == "oidc"
    ]


# --- what holds ------------------------------------------------------------------------------------------------------


async def test_an_officer_signs_in_with_the_provider_and_the_token_works(server: Running, officer: Caller) -> None:
    """Begin, the provider's own form, the page, finish: the answer is that of any sign-in, and names the method."""
    handle, number = await ready(server, officer)
    answer = await finish(server, officer, handle, number)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["officer"], told["seat"]) == (OFFICER, officer.seat)
    held = Held(seat=told["seat"], token=told["token"], until=Millis(server.clock.now + told["lasts_ms"]))
    async with client(server, None) as http:
        me = await http.get("/v1/me", auth=DpopAuth(officer.identity, held, clock=server.clock))
    assert (me.status_code, me.json()["officer"]) == (200, OFFICER)
    live = live_sign_in(server.beatbook.authority.ledger.registry, DeviceId(told["seat"]), server.clock.now)
    assert live is not None
    assert live.method == "oidc"


async def test_groups_give_no_role_and_the_log_tells_where_they_differ(
    server: Running, officer: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever the provider calls a sergeant is none here until an act says so."""
    assert (await finish(server, officer, *await ready(server, officer))).status_code == 200
    async with client(server, officer) as http:
        assert (await http.get("/v1/me")).json()["roles"] == ["officer"]
    assert "officer WM21877 has no role supervisor, " in caplog.text


async def test_the_page_runs_nothing_and_names_the_device(server: Running, officer: Caller) -> None:
    """No script, no form, no address that leads elsewhere; framed, kept and referred to by nobody."""
    told = await begun(server, officer)
    page = await back(server, await Browser().visit(told["address"]))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == DATA_POLICY.decode()
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == ("no-referrer", "no-store")
    assert officer.identity.device in page.text
    assert "Go back to the handheld" in page.text
    assert re.findall(r"<(script|form|a|img|link|iframe)\b|\bon\w+=|https?:", page.text) == []
    assert told["handle"] not in page.text


async def test_a_device_may_ask_before_the_browser_is_back(server: Running, officer: Caller) -> None:
    """It is told to wait, and the login goes on."""
    told = await begun(server, officer)
    assert code_of(await finish(server, officer, told["handle"], "123456")) == (409, "oidc_waiting")
    number = number_on(await back(server, await Browser().visit(told["address"])))
    assert (await finish(server, officer, told["handle"], number)).status_code == 200


# --- what others try -------------------------------------------------------------------------------------------------


async def test_another_device_cannot_finish(server: Running, officer: Caller, other: Caller) -> None:
    """Not with its own key in its own name, nor in the name of the one that began; and that one still can."""
    handle, number = await ready(server, officer)
    assert code_of(await finish(server, other, handle, number)) == (400, "oidc_no_login")
    named = {"device": officer.identity.device, "handle": handle, "check": number}
    assert code_of(await post(server, other.identity, FINISH, **named)) == (401, "proof_invalid")
    assert code_of(await post(server, another_key(), FINISH, **named)) == (401, "proof_invalid")
    assert sign_ins(server) == []
    assert (await finish(server, officer, handle, number)).status_code == 200


async def test_another_device_s_own_login_does_not_take_the_officer_s(
    server: Running, officer: Caller, other: Caller
) -> None:
    """Handle and number go together with one device: mixed, nobody is signed in."""
    handle, number = await ready(server, officer)
    own, own_number = await ready(server, other)
    assert code_of(await finish(server, other, handle, number)) == (400, "oidc_no_login")
    if number != own_number:
        assert code_of(await finish(server, other, own, number)) == (401, "oidc_foreign_answer")
    assert sign_ins(server) == []


async def test_a_handle_is_used_once(server: Running, officer: Caller) -> None:
    """Whatever came of it."""
    handle, number = await ready(server, officer)
    answers = [await finish(server, officer, handle, number) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[1].json()["code"] == "oidc_no_login"
    assert len(sign_ins(server)) == 1


async def test_whoever_sends_the_address_to_somebody_needs_the_number(
    server: Running, officer: Caller, other: Caller
) -> None:
    """A rogue's device began, the officer signed in there: one wrong guess ends it, and the right one is too late."""
    handle, number = await ready(server, other)
    wrong = f"{(int(number) + 1) % 1_000_000:06}"
    assert code_of(await finish(server, other, handle, wrong)) == (401, "oidc_foreign_answer")
    assert code_of(await finish(server, other, handle, number)) == (400, "oidc_no_login")
    assert sign_ins(server) == []


async def test_a_browser_comes_back_once(server: Running, officer: Caller) -> None:
    """The second answer of the same state changes nothing, and shows no number."""
    told = await begun(server, officer)
    params = await Browser().visit(told["address"])
    number = number_on(await back(server, params))
    forged = [(name, "forged" if name == "code" else value) for name, value in params]
    assert code_of(await back(server, forged)) == (400, "oidc_no_login")
    assert code_of(await back(server, params)) == (400, "oidc_no_login")
    assert (await finish(server, officer, told["handle"], number)).status_code == 200


async def test_what_is_no_answer_of_a_login_is_refused(server: Running, officer: Caller) -> None:
    """Another state, none, a parameter twice, too long or too many of them: none touches the login under way."""
    told = await begun(server, officer)
    good = await Browser().visit(told["address"])
    state = dict(good)["state"]
    bad: list[tuple[Params, str]] = [
        ([("code", "x"), ("state", "another")], "oidc_no_login"),
        ([("code", "x")], "oidc_no_login"),
        ([("state", state)], "oidc_foreign_answer"),
        ([], "oidc_foreign_answer"),
        ([*good, ("state", state)], "oidc_foreign_answer"),
        ([*good, ("error", "access_denied")], "oidc_foreign_answer"),
        ([*good, ("more", "x" * 2_049)], "oidc_foreign_answer"),
        ([*good, *((f"more-{n}", "x") for n in range(16))], "oidc_foreign_answer"),
    ]
    for params, code in bad:
        answer = await back(server, params)
        assert answer.json()["code"] == code, params
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await finish(server, officer, told["handle"], number_on(await back(server, good)))).status_code == 200


async def test_a_code_of_somebody_else_s_making_signs_nobody_in(server: Running, officer: Caller) -> None:
    """The provider is asked, and does not take it; an answer in another provider's name is not even shown to it."""
    for changed in ({"code": "of somebody's making"}, {"iss": "https://id.evil.example"}):
        told = await begun(server, officer)
        params = dict(await Browser().visit(told["address"])) | changed
        number = number_on(await back(server, list(params.items())))
        assert (await finish(server, officer, told["handle"], number)).status_code == 401
    assert sign_ins(server) == []


async def test_a_login_ends_by_itself_and_when_another_begins(server: Running, officer: Caller) -> None:
    """The older of two of one device, and what nobody finished in time."""
    handle, number = await ready(server, officer)
    await begun(server, officer)
    assert code_of(await finish(server, officer, handle, number)) == (400, "oidc_no_login")
    told = await begun(server, officer)
    params = await Browser().visit(told["address"])
    server.clock.advance(told["until"] - server.clock.now)
    assert code_of(await back(server, params)) == (400, "oidc_no_login")
    assert code_of(await finish(server, officer, told["handle"], "123456")) == (400, "oidc_no_login")


async def test_who_does_not_serve_or_is_a_stranger_here_is_not_let_in(server: Running, officer: Caller) -> None:
    """What the provider says of somebody opens nothing by itself."""
    handle, number = await ready(server, officer)
    acts = OfficerEnded(by=SERVER, at=server.clock.now, officer=OfficerId(OFFICER), until=server.clock.now, why="left")
    await server.beatbook.authority.ledger.perform(acts)
    assert code_of(await finish(server, officer, handle, number)) == (403, "oidc_officer_unknown")
    told = await begun(server, officer)
    page = await back(server, await Browser("stranger@force.example").visit(told["address"]))
    assert code_of(await finish(server, officer, told["handle"], number_on(page))) == (403, "oidc_officer_unknown")


async def test_who_is_locked_here_is_not_let_in_by_the_provider(server: Running, officer: Caller) -> None:
    """Too many wrong tries at the passphrase close every way, until somebody unlocks it."""
    locked = SignInLocked(by=SERVER, at=server.clock.now, officer=OfficerId(OFFICER))
    await server.beatbook.authority.ledger.perform(locked)
    answer = await finish(server, officer, *await ready(server, officer))
    assert (answer.status_code, answer.json()["title"]) == (422, "cannot be done")
    assert "locked" in answer.json()["detail"]
    assert sign_ins(server) == []


async def test_a_device_that_is_revoked_meanwhile_does_not_finish(server: Running, officer: Caller) -> None:
    """Once its key has proved who calls, it is told that it is trusted no more."""
    handle, number = await ready(server, officer)
    device = officer.identity.device
    await server.beatbook.authority.ledger.perform(
        DeviceRevoked(by=SERVER, at=server.clock.now, device=device, why="lost")
    )
    assert code_of(await finish(server, officer, handle, number)) == (403, "device_revoked")
    assert code_of(await post(server, officer.identity, BEGIN, device=device)) == (403, "device_revoked")
    stranger = DeviceIdentity.generate(device)
    assert code_of(await post(server, stranger, BEGIN, device=device)) == (401, "proof_invalid")


@pytest.mark.parametrize(
    "changed",
    [{"check": "12345"}, {"check": "123 456"}, {"handle": ""}, {"handle": "x" * 129}, {"more": 1}],
)
async def test_a_body_that_is_none_is_told_as_such(server: Running, officer: Caller, changed: dict[str, Any]) -> None:
    """And leaves the login as it is."""
    handle, number = await ready(server, officer)
    body = {"device": officer.identity.device, "handle": handle, "check": number}
    assert (await post(server, officer.identity, FINISH, **(body | changed))).status_code == 400
    assert (await post(server, officer.identity, FINISH, **body)).status_code == 200


async def test_without_the_section_there_is_no_such_way(tmp_path: Path) -> None:
    """Whoever proves a device's key is told so with 404; a stranger learns nothing but that the proof does not hold."""
    async with running(tmp_path) as plain:
        caller = await person(plain, OFFICER, [Role.OFFICER])
        device = caller.identity.device
        body = {"device": device, "handle": "x", "check": "123456"}
        assert (await post(plain, caller.identity, BEGIN, device=device)).status_code == 404
        assert (await post(plain, caller.identity, FINISH, **body)).status_code == 404
        assert (await post(plain, another_key(), BEGIN, device=device)).status_code == 401
        assert (await back(plain, [("code", "x"), ("state", "y")])).status_code == 404


def test_the_secret_is_not_shown_with_the_settings() -> None:
    """Whoever logs what a server was told logs no secret."""
    ways = SignInSettings(oidc_client_secret=Secret(CLIENT_SECRET, "a test"))
    assert CLIENT_SECRET not in repr(ways)
    assert msgspec.structs.asdict(ways)["oidc_client_secret"].reveal() == CLIENT_SECRET
