"""Identity over HTTP, from the first link to the last revocation, over a real socket; and what a thief can do."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server.cli.proving import DpopAuth, Held
from server.federation.passphrases import CHARS_MAX
from sync.device.dpop import NOISE_BYTES, make_proof
from sync.device.keys import DeviceIdentity
from tests.server.api import client
from tests.server.people import Caller, person, program
from tests.server.running import Clock, Running, running

PASSPHRASE = "seven grey herons"
ANOTHER = "eleven brown otters"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server whose sockets too are let in by the authority."""
    async with running(tmp_path, real=True) as server:
        yield server


@pytest.fixture
async def administrator(server: Running) -> Caller:
    """The first administrator, by the link that the server printed."""
    code = await server.beatbook.authority.enrolling.first_link()
    identity = DeviceIdentity.generate("admin-01")
    body = {"code": code, "officer": "ADM1", "name": "Ada", "passphrase": PASSPHRASE, "device": "admin-01"}
    assert (await post(server, DpopAuth(identity, clock=server.clock), "/v1/setup", body)).status_code == 201
    return await signed_in(server, identity, "ADM1", PASSPHRASE)


async def post(server: Running, auth: httpx.Auth | None, path: str, body: object) -> httpx.Response:
    """One call."""
    async with httpx.AsyncClient(base_url=server.url, auth=auth, trust_env=False) as http:
        return await http.post(path, json=body)


async def get(server: Running, auth: httpx.Auth | None, path: str) -> httpx.Response:
    """One call."""
    async with httpx.AsyncClient(base_url=server.url, auth=auth, trust_env=False) as http:
        return await http.get(path)


async def sign_in(
    server: Running, identity: DeviceIdentity, officer: str, passphrase: str, **more: str
) -> httpx.Response:
    """Sign an officer in on a device."""
    body = {"device": identity.device, "officer": officer, "passphrase": passphrase, **more}
    return await post(server, DpopAuth(identity, clock=server.clock), "/v1/sign-in", body)


async def signed_in(server: Running, identity: DeviceIdentity, officer: str, passphrase: str, **more: str) -> Caller:
    """An officer who has signed in."""
    answer = await sign_in(server, identity, officer, passphrase, **more)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    held = Held(seat=told["seat"], token=told["token"], until=Millis(server.clock.now + told["lasts_ms"]))
    return Caller(officer, identity, DpopAuth(identity, held, clock=server.clock), told["seat"])


async def enrolled(server: Running, administrator: Caller, device: str) -> DeviceIdentity:
    """A device that was enrolled with a code."""
    identity = DeviceIdentity.generate(device)
    code = (await post(server, administrator.auth, "/v1/devices/codes", {"device": device})).json()["code"]
    answer = await post(server, DpopAuth(identity, clock=server.clock), "/v1/enrol", {"code": code})
    assert answer.status_code == 201, answer.text
    return identity


async def officer(server: Running, administrator: Caller, collar: str, *roles: Role) -> str:
    """Take an officer in, and give them a one-time passphrase."""
    added = {"acts": [{"t": "officer-added", "officer": collar, "name": collar}]}
    assert (await post(server, administrator.auth, "/v1/officers", added)).status_code == 201
    given = {"acts": [{"t": "role-given", "officer": collar, "role": role.value} for role in roles]}
    assert (await post(server, administrator.auth, "/v1/grants", given)).status_code == 201
    told = await post(server, administrator.auth, f"/v1/officers/{collar}/passphrase", {})
    assert told.status_code == 201
    passphrase: str = told.json()["passphrase"]
    return passphrase


# --- from the first link on ------------------------------------------------------------------------------------------


async def test_the_first_link_makes_one_administrator_and_no_second(server: Running, administrator: Caller) -> None:
    """They administer and see nothing; the link is used up, and no other is made while there is an administrator."""
    me = (await get(server, administrator.auth, "/v1/me")).json()
    assert (me["officer"], me["roles"], me["scopes"]) == ("ADM1", ["administrator"], [])
    assert await server.beatbook.authority.enrolling.first_link() is None
    assert (await get(server, administrator.auth, "/v1/devices")).status_code == 200
    assert (await get(server, administrator.auth, "/v1/records?kind=incident")).status_code == 403


async def test_a_link_that_was_used_or_never_given_is_refused(server: Running) -> None:
    """Each call is by a key of its own; no second administrator comes of it."""
    code = await server.beatbook.authority.enrolling.first_link()
    answers = []
    for n, text in ((1, code), (2, code), (3, "x" * 43), (4, "short")):
        identity = DeviceIdentity.generate(f"admin-{n}")
        body = {"code": text, "officer": f"ADM{n}", "name": "A", "passphrase": PASSPHRASE, "device": identity.device}
        answers.append(await post(server, DpopAuth(identity, clock=server.clock), "/v1/setup", body))
    assert [answer.status_code for answer in answers] == [201, 401, 401, 400]
    assert [answer.json().get("code") for answer in answers[1:]] == ["code_used", "code_unknown", "code_mistyped"]
    assert list(server.beatbook.authority.ledger.registry.officers) == ["ADM1"]


async def test_a_code_enrols_one_device_once(server: Running, administrator: Caller) -> None:
    """Asked again by the same key it tells the same, for an answer may be lost; by another key it is used up."""
    identity, thief = DeviceIdentity.generate("hh-01"), DeviceIdentity.generate("hh-01")
    told = (await post(server, administrator.auth, "/v1/devices/codes", {"device": "hh-01"})).json()
    answers = [
        await post(server, DpopAuth(key, clock=server.clock), "/v1/enrol", {"code": told["code"]})
        for key in (identity, identity, thief)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 401]
    assert answers[0].json() == answers[1].json()
    assert answers[2].json()["code"] == "code_used"
    assert server.beatbook.authority.ledger.registry.devices[DeviceId("hh-01")].public_key == identity.public_key


async def test_a_code_that_has_expired_enrols_nothing(server: Running, administrator: Caller) -> None:
    """The moment at which it ends is no longer good."""
    body = {"device": "hh-01", "lifetime_ms": 60_000}
    code = (await post(server, administrator.auth, "/v1/devices/codes", body)).json()["code"]
    server.clock.advance(60_000)
    answer = await post(
        server, DpopAuth(DeviceIdentity.generate("hh-01"), clock=server.clock), "/v1/enrol", {"code": code}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "code_expired")


async def test_a_one_time_passphrase_is_good_for_choosing_ones_own(server: Running, administrator: Caller) -> None:
    """Alone it signs nobody in; with a new one it does, once; and the new one is the officer's alone."""
    identity = await enrolled(server, administrator, "hh-01")
    once = await officer(server, administrator, "WM1", Role.OFFICER)
    alone = await sign_in(server, identity, "WM1", once)
    assert (alone.status_code, alone.json()["code"]) == (403, "passphrase_once")
    same = await sign_in(server, identity, "WM1", once, new_passphrase=once)
    assert same.status_code == 422
    weak = await sign_in(server, identity, "WM1", once, new_passphrase="password")
    assert weak.status_code == 422
    await signed_in(server, identity, "WM1", once, new_passphrase=PASSPHRASE)
    assert (await sign_in(server, identity, "WM1", once, new_passphrase=ANOTHER)).status_code == 401
    await signed_in(server, identity, "WM1", PASSPHRASE)


async def test_a_one_time_passphrase_ends_after_a_day(server: Running, administrator: Caller) -> None:
    """Told as a wrong one is."""
    identity = await enrolled(server, administrator, "hh-01")
    once = await officer(server, administrator, "WM1", Role.OFFICER)
    server.clock.advance(24 * 60 * 60_000)
    late = await sign_in(server, identity, "WM1", once, new_passphrase=PASSPHRASE)
    assert (late.status_code, late.json()["code"]) == (401, "sign_in_wrong")


async def test_ones_own_passphrase_is_changed_by_showing_it(server: Running, administrator: Caller) -> None:
    """A wrong old one changes nothing and counts as a try; afterwards only the new one signs in."""
    wrong = await post(server, administrator.auth, "/v1/passphrase", {"old": ANOTHER, "new": "nine tall poplars"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "sign_in_wrong")
    right = await post(server, administrator.auth, "/v1/passphrase", {"old": PASSPHRASE, "new": ANOTHER})
    assert right.status_code == 200
    assert (await sign_in(server, administrator.identity, "ADM1", PASSPHRASE)).status_code == 401
    await signed_in(server, administrator.identity, "ADM1", ANOTHER)


async def test_wrong_old_passphrases_are_limited_like_those_of_a_sign_in(
    server: Running, administrator: Caller
) -> None:
    """Whoever found a handheld unlocked cannot guess on; a right one begins the count anew."""

    async def change(old: str, new: str) -> str:
        answer = await post(server, administrator.auth, "/v1/passphrase", {"old": old, "new": new})
        return "" if answer.status_code == 200 else str(answer.json()["code"])

    assert [await change("x" * 12, ANOTHER) for _ in range(2)] == ["sign_in_wrong"] * 2
    assert await change(PASSPHRASE, ANOTHER) == ""
    assert [await change("x" * 12, PASSPHRASE) for _ in range(4)] == ["sign_in_wrong"] * 4
    assert await change(ANOTHER, PASSPHRASE) == "tries_wait"
    server.clock.advance(5_000)
    assert await change(ANOTHER, PASSPHRASE) == ""


# --- nobody learns who there is --------------------------------------------------------------------------------------


async def test_an_unknown_officer_is_told_what_a_known_one_is(server: Running, administrator: Caller) -> None:
    """The same bytes for a wrong passphrase, for nobody, for one who may not sign in there, and for one too long."""
    identity = await enrolled(server, administrator, "hh-01")
    await officer(server, administrator, "WM1", Role.OFFICER)
    tries = [("WM1", ANOTHER), ("WM404", ANOTHER), ("WM405", "x" * (CHARS_MAX + 1))]
    answers = [await sign_in(server, identity, collar, passphrase) for collar, passphrase in tries]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}


async def test_a_device_that_is_none_is_refused_before_anything_is_looked_at(server: Running) -> None:
    """Whether the device is unknown or its key is another: the same bytes, and no try is counted."""
    known = await person(server, "WM1", [Role.OFFICER])
    stranger = DeviceIdentity.generate("hh-404")
    forged = DeviceIdentity.generate(known.identity.device)
    answers = [await sign_in(server, each, "WM1", PASSPHRASE) for each in (stranger, forged)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}
    assert answers[0].json()["code"] == "proof_invalid"
    assert await server.store.secrets("tries/") == {}


async def test_too_many_tries_wait_and_then_lock_and_somebody_unlocks(server: Running, administrator: Caller) -> None:
    """The answer says how long; an administrator opens it again, and the right passphrase goes in."""
    identity = await enrolled(server, administrator, "hh-01")
    once = await officer(server, administrator, "WM1", Role.OFFICER)
    codes, waits = [], []
    for _ in range(40):
        answer = await sign_in(server, identity, "WM1", ANOTHER)
        codes.append(answer.json()["code"])
        if "retry-after" in answer.headers:
            waits.append(int(answer.headers["retry-after"]))
            server.clock.advance(waits[-1] * 1_000)
        if codes[-1] == "tries_locked":
            break
    assert codes[-1] == "tries_locked"
    assert waits == sorted(waits)
    assert waits[0] >= 1
    right = await sign_in(server, identity, "WM1", once, new_passphrase=PASSPHRASE)
    assert right.json()["code"] == "tries_locked"
    opened = await post(server, administrator.auth, "/v1/officers/WM1/unlock", {"why": "it was the officer"})
    assert opened.status_code == 200, opened.text


# --- tokens and proofs -----------------------------------------------------------------------------------------------


Sent = Callable[..., dict[str, str]]


@pytest.fixture
async def thief(server: Running) -> AsyncIterator[tuple[httpx.AsyncClient, str, Caller, str]]:
    """A client that sends what headers it likes; an officer's token, the officer, and the server's nonce."""
    victim = await person(server, "WM1", [Role.CONTROL_ROOM])
    assert (await get(server, victim.auth, "/v1/me")).status_code == 200
    assert victim.auth.held is not None
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        first = await http.get("/v1/me", headers=headers(server, victim.identity, victim.auth.held.token, nonce=None))
        assert first.json()["code"] == "proof_nonce"
        assert 'error="use_dpop_nonce"' in first.headers["www-authenticate"]
        yield http, victim.auth.held.token, victim, first.headers["dpop-nonce"]


def headers(server: Running, signer: DeviceIdentity, token: str, /, **changes: object) -> dict[str, str]:
    """The headers of GET /v1/me; `changes` are what the proof is made with instead."""
    made: dict[str, Any] = {
        "method": "GET",
        "url": f"{server.url}/v1/me",
        "now": server.clock.now,
        "noise": os.urandom(NOISE_BYTES),
        "token": token,
        **changes,
    }
    return {"authorization": f"DPoP {token}", "dpop": make_proof(signer, **made)}


async def test_a_stolen_token_without_the_key_opens_nothing(
    server: Running, thief: tuple[httpx.AsyncClient, str, Caller, str]
) -> None:
    """Not with another key, not as a bearer token, not with a proof made for something else; the right one does."""
    http, token, victim, nonce = thief
    other = DeviceIdentity.generate("hh-thief")
    url = f"{server.url}/v1/me"
    forged = [
        headers(server, other, token, nonce=nonce),
        {"authorization": f"Bearer {token}"},
        {"authorization": f"DPoP {token}"},
        headers(server, victim.identity, token, nonce=nonce, method="POST"),
        headers(server, victim.identity, token, nonce=nonce, url=f"{server.url}/v1/devices"),
        headers(server, victim.identity, token, nonce=nonce, url=url.replace("http:", "https:")),
        headers(server, victim.identity, token, nonce=nonce, url=url.replace("127.0.0.1", "127.0.0.2")),
        headers(server, victim.identity, token, nonce=nonce) | {"authorization": f"DPoP {token}x"},
        {**headers(server, victim.identity, token, nonce=nonce, token=f"{token}x"), "authorization": f"DPoP {token}"},
        headers(server, victim.identity, token, nonce="another"),
        headers(server, victim.identity, token, nonce=nonce, now=Millis(server.clock.now - 3_600_000)),
        headers(server, victim.identity, token, nonce=nonce, now=Millis(server.clock.now + 3_600_000)),
    ]
    answers = [await http.get("/v1/me", headers=each) for each in forged]
    assert [answer.status_code for answer in answers] == [401] * len(forged)
    right = headers(server, victim.identity, token, nonce=nonce)
    assert (await http.get("/v1/me", headers=right)).status_code == 200
    again = await http.get("/v1/me", headers=right)
    assert (again.status_code, again.json()["code"]) == (401, "proof_reused")


async def test_two_of_a_header_are_none(server: Running, thief: tuple[httpx.AsyncClient, str, Caller, str]) -> None:
    """Which of them another program on the way has looked at cannot be known."""
    http, token, victim, nonce = thief
    right = headers(server, victim.identity, token, nonce=nonce)
    for name in ("authorization", "dpop"):
        doubled = [*right.items(), (name, right[name])]
        assert (await http.get("/v1/me", headers=doubled)).status_code == 401
    assert (await http.get("/v1/me", headers=right)).status_code == 200


async def test_a_proof_used_twice_at_once_counts_once(
    server: Running, thief: tuple[httpx.AsyncClient, str, Caller, str]
) -> None:
    """Of ten copies in flight exactly one is let in."""
    http, token, victim, nonce = thief
    right = headers(server, victim.identity, token, nonce=nonce)
    answers = await asyncio.gather(*(http.get("/v1/me", headers=right) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 9]


async def test_a_token_that_has_ended_is_renewed_by_the_key_alone(server: Running) -> None:
    """While the sign-in lives; another key gets none; and when the sign-in has ended nobody does."""
    caller = await person(server, "WM1", [Role.OFFICER])
    assert (await get(server, caller.auth, "/v1/me")).status_code == 200
    server.clock.advance(16 * 60_000)
    assert (await get(server, caller.auth, "/v1/me")).status_code == 200
    thief = DpopAuth(DeviceIdentity.generate("hh-thief"), clock=server.clock)
    assert (await post(server, thief, "/v1/token", {"seat": caller.seat})).json()["code"] == "proof_invalid"
    server.clock.advance(12 * 60 * 60_000)
    ended = await post(server, DpopAuth(caller.identity, clock=server.clock), "/v1/token", {"seat": caller.seat})
    assert (ended.status_code, ended.json()["code"]) == (401, "sign_in_ended")
    assert (await get(server, caller.auth, "/v1/me")).status_code == 401


async def test_a_device_whose_clock_is_wrong_is_let_in_all_the_same(server: Running) -> None:
    """It learns the server's time from the first refusal; the nonce is what makes a proof fresh."""
    caller = await person(server, "WM1", [Role.OFFICER])
    for off_ms in (-86_400_000, 86_400_000):
        wrong = Clock(Millis(server.clock.now + off_ms))
        auth = DpopAuth(caller.identity, Held(seat=caller.seat), clock=wrong)
        assert (await get(server, auth, "/v1/me")).status_code == 200


# --- what ends, ends at once -----------------------------------------------------------------------------------------


async def test_a_revocation_ends_http_at_once(server: Running, administrator: Caller) -> None:
    """Of one device, or of all devices of an officer; a new sign-in there is refused too."""
    one, two = await person(server, "WM1", [Role.OFFICER]), await person(server, "WM1", [Role.OFFICER])
    bystander = await person(server, "WM2", [Role.OFFICER])
    for each in (one, two, bystander):
        assert (await get(server, each.auth, "/v1/me")).status_code == 200
    path = f"/v1/devices/{one.identity.device}/revocation"
    assert (await post(server, administrator.auth, path, {"why": "lost"})).status_code == 200
    refused = await get(server, one.auth, "/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "device_revoked")
    assert (await get(server, two.auth, "/v1/me")).status_code == 200
    told = await post(server, administrator.auth, "/v1/officers/WM1/revocation", {"why": "left the bag on the tram"})
    assert told.json() == {"devices": [two.identity.device]}
    assert (await get(server, two.auth, "/v1/me")).status_code == 403
    assert (await get(server, bystander.auth, "/v1/me")).status_code == 200


async def test_a_revocation_ends_a_program_too(server: Running, administrator: Caller) -> None:
    """Where nobody signs in no sign-in ends: the device itself is trusted no more, and gets no new token."""
    feed = await program(server, "FEED", [Role.CONTROL_ROOM], ["force"])
    assert (await get(server, feed.auth, "/v1/me")).status_code == 200
    path = f"/v1/devices/{feed.identity.device}/revocation"
    assert (await post(server, administrator.auth, path, {"why": "the contract ended"})).status_code == 200
    assert (await get(server, feed.auth, "/v1/me")).status_code == 403
    renewal = await post(server, DpopAuth(feed.identity, clock=server.clock), "/v1/token", {"seat": feed.seat})
    assert (renewal.status_code, renewal.json()["code"]) == (403, "device_revoked")


async def test_what_has_become_of_a_device_is_told_to_its_key_alone(server: Running, administrator: Caller) -> None:
    """Whoever asks in a device's name with a key of their own learns nothing of it, whatever the route."""
    one, other = await person(server, "WM1", [Role.OFFICER]), await person(server, "WM2", [Role.OFFICER])
    path = f"/v1/devices/{one.identity.device}/revocation"
    assert (await post(server, administrator.auth, path, {"why": "lost"})).status_code == 200
    stranger = DpopAuth(other.identity, clock=server.clock)
    sign_in = {"device": one.identity.device, "officer": "WM1", "passphrase": "x"}
    asked = (
        ("/v1/sign-in", sign_in),
        ("/v1/token", {"seat": one.seat}),
        ("/v1/orders", {"device": one.identity.device}),
    )
    for path, body in asked:
        refused = await post(server, stranger, path, body)
        assert (refused.status_code, refused.json()["code"]) == (401, "proof_invalid"), path


async def test_a_wipe_ends_http_and_destroys_the_share(server: Running, administrator: Caller) -> None:
    """Whatever becomes of the device, nothing opens its replica any more."""
    caller = await person(server, "WM1", [Role.OFFICER])
    assert (await server.beatbook.authority.gatekeeper.share(caller.seat)).share
    path = f"/v1/devices/{caller.identity.device}/wipe"
    assert (await post(server, administrator.auth, path, {"why": "stolen"})).status_code == 200
    assert (await get(server, caller.auth, "/v1/me")).status_code == 401
    assert not (await server.beatbook.authority.gatekeeper.share(caller.seat)).share


async def test_whoever_signs_out_is_out(server: Running) -> None:
    """The token is worth nothing from then on, though it has not ended, and the key gets no other."""
    caller = await person(server, "WM1", [Role.OFFICER])
    assert (await post(server, caller.auth, "/v1/sign-out", {})).status_code == 200
    answer = await get(server, caller.auth, "/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_ended")


async def test_a_role_that_ends_takes_its_routes_along(server: Running, administrator: Caller) -> None:
    """With the same token: what somebody may is looked up at each call."""
    caller = await person(server, "WM1", [Role.OFFICER])
    assert (await get(server, caller.auth, "/v1/records?kind=incident")).status_code == 200
    end = {"t": "span-ended", "span": "wm1-officer", "until": server.clock.now, "why": "moved on"}
    assert (await post(server, administrator.auth, "/v1/grants", {"acts": [end]})).status_code == 201
    assert (await get(server, caller.auth, "/v1/records?kind=incident")).status_code == 403


async def test_nobody_changes_their_own_rights(server: Running, administrator: Caller) -> None:
    """Also an administrator needs another one for that; all acts of the call are left undone."""
    acts = [
        {"t": "role-given", "officer": "WM9", "role": "officer"},
        {"t": "role-given", "officer": "ADM1", "role": "officer"},
    ]
    await officer(server, administrator, "WM9", Role.OFFICER)
    before = len(server.beatbook.authority.ledger.registry.spans)
    assert (await post(server, administrator.auth, "/v1/grants", {"acts": acts})).status_code == 403
    assert (await post(server, administrator.auth, "/v1/officers/ADM1/passphrase", {})).status_code == 403
    assert len(server.beatbook.authority.ledger.registry.spans) == before


async def test_nobody_ends_or_extends_their_own_rights_by_another_name(server: Running, administrator: Caller) -> None:
    """Neither by the name of the span, nor by a seat of theirs; another administrator may end them."""
    (span,) = server.beatbook.authority.ledger.registry.officers[OfficerId("ADM1")].roles
    ended = {"t": "span-ended", "span": span.act.span, "why": "enough"}
    granted = {"t": "scope-granted", "seat": administrator.seat, "scope": "area:birmingham", "why": "curious"}
    for act in (ended, granted):
        answer = await post(server, administrator.auth, "/v1/grants", {"acts": [act]})
        assert answer.status_code == 403
        assert "another administrator" in answer.json()["detail"]
    other = await person(server, "ADM2", [Role.ADMINISTRATOR])
    assert (await post(server, other.auth, "/v1/grants", {"acts": [ended]})).status_code == 201
    assert (await get(server, administrator.auth, "/v1/devices")).status_code == 403


async def test_nobody_revokes_or_wipes_the_device_that_they_call_from(server: Running, administrator: Caller) -> None:
    """Alone or with all of an officer's: after that call they could make no other."""
    device, why = administrator.identity.device, {"why": "to see what happens"}
    for path in (f"/v1/devices/{device}/revocation", f"/v1/devices/{device}/wipe", "/v1/officers/ADM1/revocation"):
        answer = await post(server, administrator.auth, path, why)
        assert answer.status_code == 403, path
        assert "from another one" in answer.json()["detail"]
    other = await person(server, "ADM2", [Role.ADMINISTRATOR])
    assert (await post(server, other.auth, f"/v1/devices/{device}/revocation", why)).status_code == 200


async def test_auditor_and_administrator_are_never_one_person(server: Running, administrator: Caller) -> None:
    """The registry refuses the second of the two roles, in words."""
    await officer(server, administrator, "WM9", Role.AUDITOR)
    act = {"t": "role-given", "officer": "WM9", "role": "administrator"}
    answer = await post(server, administrator.auth, "/v1/grants", {"acts": [act]})
    assert answer.status_code == 422
    assert "auditor" in answer.json()["detail"]


# --- an integrator's program -----------------------------------------------------------------------------------------


async def test_a_program_sees_what_it_was_granted_and_signs_nobody_in(server: Running, administrator: Caller) -> None:
    """Enrolled, seated and granted over HTTP alone; it has tokens for its key, and nothing to sign out of."""
    identity = await enrolled(server, administrator, "feed-01")
    await officer(server, administrator, "FEED", Role.CONTROL_ROOM)
    seat = {"t": "seat-opened", "seat": "feed-01", "device": "feed-01", "officer": "FEED", "unattended": True}
    assert (await post(server, administrator.auth, "/v1/seats", {"acts": [seat]})).status_code == 201
    grant = {"t": "scope-granted", "seat": "feed-01", "scope": "area:dudley", "why": "the council's screen"}
    done = (await post(server, administrator.auth, "/v1/grants", {"acts": [grant]})).json()["acts"]
    auth = DpopAuth(identity, Held(seat=DeviceId("feed-01")), clock=server.clock)
    assert (await get(server, auth, "/v1/me")).json()["scopes"] == [
        "area:dudley",
        "area:dudley:briefing",
        "area:dudley:safety",
    ]
    assert (await post(server, auth, "/v1/sign-out", {})).status_code == 422
    end = {"t": "span-ended", "span": done[0]["span"], "until": server.clock.now, "why": "the contract ended"}
    assert (await post(server, administrator.auth, "/v1/grants", {"acts": [end]})).status_code == 201
    assert (await get(server, auth, "/v1/me")).json()["scopes"] == []


async def test_what_is_administered_is_told_as_it_stands(server: Running, administrator: Caller) -> None:
    """Units, officers and devices, each answer as the description has it."""
    acts = [
        {"t": "unit-added", "unit": "dudley", "title": "Dudley", "places": ["area:dudley"]},
        {"t": "mission-begun", "mission": "castle", "title": "Castle", "places": ["area:dudley"]},
        {"t": "compartment-made", "compartment": "larch", "title": "Larch"},
    ]
    async with client(server, administrator) as http:
        assert (await http.post("/v1/organisation", json={"acts": acts})).status_code == 201
        caller = await person(server, "WM1", [Role.OFFICER], "dudley")
        organisation = (await http.get("/v1/organisation")).json()
        assert [unit["unit"] for unit in organisation["units"]] == ["dudley"]
        assert organisation["compartments"] == {"larch": "Larch"}
        officers = {one["officer"]: one for one in (await http.get("/v1/officers")).json()["officers"]}
        assert officers["WM1"]["roles"] == ["officer"]
        assert {span["t"] for span in officers["WM1"]["spans"]} == {"role-given", "posted"}
        device = (await http.get(f"/v1/devices/{caller.identity.device}")).json()
        assert "area:dudley" in device["seats"][0]["scopes"]
        assert (await http.get("/v1/devices/hh-404")).status_code == 404
        assert len((await http.get("/v1/devices")).json()["devices"]) == 2


async def test_a_second_officer_on_a_device_takes_the_first_ones_place(server: Running, administrator: Caller) -> None:
    """Each has a seat of their own, and only one is signed in."""
    identity = await enrolled(server, administrator, "hh-01")
    callers = []
    for collar in ("WM1", "WM2"):
        once = await officer(server, administrator, collar, Role.OFFICER)
        callers.append(await signed_in(server, identity, collar, once, new_passphrase=PASSPHRASE))
    assert [caller.seat for caller in callers] == ["hh-01", "hh-01-2"]
    assert (await get(server, callers[0].auth, "/v1/me")).status_code == 401
    assert (await get(server, callers[1].auth, "/v1/me")).json()["officer"] == OfficerId("WM2")


async def test_a_program_of_somebody_without_a_role_may_only_ask_who_it_is(server: Running) -> None:
    """Scopes alone open no route."""
    caller = await program(server, "NOBODY", [])
    assert (await get(server, caller.auth, "/v1/me")).status_code == 200
    assert (await get(server, caller.auth, "/v1/records?kind=incident")).status_code == 403
