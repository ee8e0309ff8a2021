"""Administrators' security keys over the server's own socket: registering, signing in, removing; who must use one."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest

from schemas.ids import Millis, OfficerId
from schemas.roles import Role
from server.authority.credentials import KeyChange
from server.cli.proving import DpopAuth, Held
from server.federation.refusals import RefusedError
from server.federation.settings import SignInSettings, WebAuthnSettings
from server.logbook import ACT, SECURITY_KEY
from server.registry.acts import SERVER, SignInRefused, SpanEnded, decode
from tests.server.api import client
from tests.server.federation.authenticator import ORIGIN, RP_ID, SoftwareKey
from tests.server.people import Caller, another_key, person
from tests.server.running import Running, running

ADMIN: Final = "WM7001"
PASSPHRASE: Final = "seven grey herons"
KEYS: Final = "/v1/security-keys"
BEGIN: Final = "/v1/sign-in/webauthn/begin"
FINISH: Final = "/v1/sign-in/webauthn/finish"


@pytest.fixture(params=[False])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    """A server at which administrators may use security keys; the parameter is whether they must."""
    ways = SignInSettings(webauthn=WebAuthnSettings(rp_id=RP_ID, origins=(ORIGIN,), required=request.param))
    async with running(tmp_path, ways=ways) as server:
        yield server


@pytest.fixture
async def admin(server: Running) -> Caller:
    """An administrator who is signed in, with a passphrase."""
    caller = await person(server, ADMIN, [Role.ADMINISTRATOR])
    await server.beatbook.authority.passphrases.change(OfficerId(ADMIN), PASSPHRASE)
    return caller


@pytest.fixture
async def other(server: Running) -> Caller:
    """Another administrator, with another device."""
    return await person(server, "WM7002", [Role.ADMINISTRATOR])


async def post(server: Running, auth: httpx.Auth, path: str, **body: object) -> httpx.Response:
    """One call, held against the description."""
    async with client(server, None) as http:
        return await http.post(path, json=body, auth=auth)


def proof(server: Running, caller: Caller) -> DpopAuth:
    """Proves calls by the device's key, with no token."""
    return DpopAuth(caller.identity, clock=server.clock)


async def registered(server: Running, caller: Caller, key: SoftwareKey) -> httpx.Response:
    """A key that somebody registers for themselves."""
    begun = await post(server, caller.auth, f"{KEYS}/ceremonies", label=f"key {key.id[0]}")
    assert begun.status_code == 200, begun.text
    made = json.loads(key.register(begun.json()["options"]))
    return await post(server, caller.auth, KEYS, handle=begun.json()["handle"], response=made)


async def begun(server: Running, caller: Caller) -> dict[str, Any]:
    """A sign-in that a device has begun."""
    answer = await post(server, proof(server, caller), BEGIN, device=caller.identity.device)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def finish(server: Running, caller: Caller, told: dict[str, Any], key: SoftwareKey) -> httpx.Response:
    """The device's last call, with what the key says."""
    body = {"device": caller.identity.device, "handle": told["handle"]}
    return await post(server, proof(server, caller), FINISH, **body, response=json.loads(key.answer(told["options"])))


async def by_passphrase(server: Running, caller: Caller) -> httpx.Response:
    """A sign-in with collar number and passphrase."""
    body = {"device": caller.identity.device, "officer": caller.officer, "passphrase": PASSPHRASE}
    return await post(server, proof(server, caller), "/v1/sign-in", **body)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Why somebody was not let in."""
    return answer.status_code, answer.json().get("code", "")


def by_key(server: Running) -> list[str]:
    """Who has signed in with a security key, each time."""
    found = server.beatbook.authority.ledger.registry.sign_ins.values()
    return [each.seat.officer.officer for each in found if each.method == "webauthn"]


async def changes(server: Running) -> list[tuple[str, str, str, str]]:
    """(what, whose, by whom, why) of every journal entry about a key."""
    kept = await server.store.journal(SECURITY_KEY, 0, 100)
    told = [msgspec.msgpack.decode(each.body or b"", type=KeyChange) for each in kept]
    return [(each.change, each.officer, each.by, each.why) for each in told]


# --- what holds ------------------------------------------------------------------------------------------------------


async def test_an_administrator_registers_a_key_and_signs_in_with_it(server: Running, admin: Caller) -> None:
    """The answer is that of any sign-in, its token works, and the journal tells of the key."""
    key = SoftwareKey()
    assert (await registered(server, admin, key)).status_code == 201
    answer = await finish(server, admin, await begun(server, admin), key)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    held = Held(seat=told["seat"], token=told["token"], until=Millis(server.clock.now + told["lasts_ms"]))
    async with client(server, None) as http:
        me = await http.get("/v1/me", auth=DpopAuth(admin.identity, held, clock=server.clock))
    assert (me.status_code, me.json()["officer"]) == (200, ADMIN)
    assert by_key(server) == [ADMIN]
    assert await changes(server) == [("added", ADMIN, ADMIN, "")]


async def test_keys_are_listed_and_removed(server: Running, admin: Caller, other: Caller) -> None:
    """By whoever administers; a key that is removed opens nothing, and who did it and why is in the journal."""
    key = SoftwareKey()
    told = (await registered(server, admin, key)).json()
    assert base64.b64decode(told["id"]) == key.id
    async with client(server, other) as http:
        assert (await http.get(KEYS)).json() == {"keys": [told]}
    removal = {"id": told["id"], "why": "lost on a train"}
    assert (await post(server, other.auth, f"{KEYS}/removals", **removal)).status_code == 200
    assert code_of(await finish(server, admin, await begun(server, admin), key)) == (401, "webauthn_invalid")
    assert (await post(server, other.auth, f"{KEYS}/removals", **removal)).status_code == 422
    assert (await changes(server))[1:] == [("removed", ADMIN, "WM7002", "lost on a train")]
    assert by_key(server) == []


async def test_a_passphrase_still_does_where_no_key_is_asked_for(server: Running, admin: Caller) -> None:
    """By default a key is another way in, not the only one."""
    await registered(server, admin, SoftwareKey())
    assert (await by_passphrase(server, admin)).status_code == 200


@pytest.mark.parametrize("server", [True], indirect=True)
async def test_who_has_a_key_must_use_it_where_that_is_asked_for(server: Running, admin: Caller) -> None:
    """Until there is one the passphrase does, so that one can be registered; then neither it nor a provider does."""
    assert (await by_passphrase(server, admin)).status_code == 200
    key = SoftwareKey()
    assert (await registered(server, admin, key)).status_code == 201
    assert code_of(await by_passphrase(server, admin)) == (403, "webauthn_needed")
    told = [decode(each.body or b"") for each in await server.store.journal(ACT, 0, 100)]
    refused = [(act.officer, act.device) for act in told if isinstance(act, SignInRefused)]
    assert refused == [(ADMIN, admin.identity.device)]
    with pytest.raises(RefusedError, match="webauthn_needed"):
        await server.beatbook.authority.signing.admit(admin.identity.device, OfficerId(ADMIN), "oidc")
    assert (await finish(server, admin, await begun(server, admin), key)).status_code == 200
    officer = await person(server, "WM5", [Role.OFFICER])
    await server.beatbook.authority.passphrases.change(OfficerId("WM5"), PASSPHRASE)
    assert (await by_passphrase(server, officer)).status_code == 200


# --- what others try -------------------------------------------------------------------------------------------------


async def test_another_device_cannot_finish(server: Running, admin: Caller, other: Caller) -> None:
    """Neither with its own key, nor in the name of the one that began; and that one still can."""
    key = SoftwareKey()
    await registered(server, admin, key)
    told = await begun(server, admin)
    answer = json.loads(key.answer(told["options"]))
    stolen = {"handle": told["handle"], "response": answer}
    for caller, device, expected in (
        (other, other.identity.device, (400, "webauthn_no_ceremony")),
        (other, admin.identity.device, (401, "proof_invalid")),
    ):
        assert code_of(await post(server, proof(server, caller), FINISH, device=device, **stolen)) == expected
    stranger = DpopAuth(another_key(), clock=server.clock)
    assert (await post(server, stranger, FINISH, device=admin.identity.device, **stolen)).status_code == 401
    await begun(server, other)
    body = {"device": other.identity.device, **stolen}
    assert code_of(await post(server, proof(server, other), FINISH, **body)) == (400, "webauthn_no_ceremony")
    assert by_key(server) == []
    body = {"device": admin.identity.device, **stolen}
    assert (await post(server, proof(server, admin), FINISH, **body)).status_code == 200


async def test_an_answer_is_used_once_and_for_its_own_challenge(server: Running, admin: Caller) -> None:
    """A handle ends with its first answer; an answer to an earlier challenge is none to a later one."""
    key = SoftwareKey()
    await registered(server, admin, key)
    first = await begun(server, admin)
    old = json.loads(key.answer(first["options"]))
    second = await begun(server, admin)
    body = {"device": admin.identity.device, "response": old}
    auth = proof(server, admin)
    assert code_of(await post(server, auth, FINISH, handle=first["handle"], **body)) == (400, "webauthn_no_ceremony")
    assert code_of(await post(server, auth, FINISH, handle=second["handle"], **body)) == (401, "webauthn_invalid")
    assert code_of(await finish(server, admin, second, key)) == (400, "webauthn_no_ceremony")
    assert by_key(server) == []


async def test_a_key_that_was_copied_opens_nothing_and_is_in_the_journal(server: Running, admin: Caller) -> None:
    """Its counter goes back: both are out from then on."""
    key = SoftwareKey()
    await registered(server, admin, key)
    key.counter = 0
    assert code_of(await finish(server, admin, await begun(server, admin), key)) == (403, "webauthn_cloned")
    key.counter = 50
    assert code_of(await finish(server, admin, await begun(server, admin), key)) == (403, "webauthn_cloned")
    assert [each[0] for each in await changes(server)] == ["added", "cloned"]


async def test_who_administers_no_more_is_not_let_in_by_a_key(server: Running, admin: Caller) -> None:
    """The key stays registered; the role is asked about at each sign-in."""
    key = SoftwareKey()
    await registered(server, admin, key)
    # The last who administers could not be removed.
    await person(server, "WM7003", [Role.ADMINISTRATOR])
    ended = SpanEnded(by=SERVER, at=server.clock.now, span="wm7001-administrator", until=server.clock.now, why="moved")
    await server.beatbook.authority.ledger.perform(ended)
    assert code_of(await finish(server, admin, await begun(server, admin), key)) == (401, "webauthn_invalid")


async def test_nobody_registers_a_key_for_another(server: Running, admin: Caller, other: Caller) -> None:
    """A ceremony is its beginner's; the same key is registered once; who does not administer registers none."""
    key = SoftwareKey()
    told = (await post(server, admin.auth, f"{KEYS}/ceremonies", label="mine")).json()
    made = json.loads(key.register(told["options"]))
    taken = await post(server, other.auth, KEYS, handle=told["handle"], response=made)
    assert code_of(taken) == (400, "webauthn_no_ceremony")
    assert (await registered(server, admin, key)).status_code == 201
    assert code_of(await registered(server, other, key)) == (409, "webauthn_known")
    officer = await person(server, "WM5", [Role.OFFICER])
    assert (await post(server, officer.auth, f"{KEYS}/ceremonies", label="x")).status_code == 403
    assert await changes(server) == [("added", ADMIN, ADMIN, "")]


async def test_an_answer_that_is_none_lets_nobody_in(server: Running, admin: Caller) -> None:
    """Whatever JSON it is, and however long."""
    for response in ({}, {"id": 1}, {"rawId": "AA", "response": None}, {"x": "y" * 40_000}):
        told = await begun(server, admin)
        body = {"device": admin.identity.device, "handle": told["handle"], "response": response}
        assert code_of(await post(server, proof(server, admin), FINISH, **body)) == (401, "webauthn_invalid")


async def test_without_the_section_there_is_no_such_way(tmp_path: Path) -> None:
    """Each route answers 404 to whoever may call it."""
    async with running(tmp_path) as plain:
        caller = await person(plain, ADMIN, [Role.ADMINISTRATOR])
        device, auth = caller.identity.device, proof(plain, caller)
        body = {"device": device, "handle": "x", "response": {}}
        assert (await post(plain, auth, BEGIN, device=device)).status_code == 404
        assert (await post(plain, auth, FINISH, **body)).status_code == 404
        assert (await post(plain, caller.auth, f"{KEYS}/ceremonies", label="x")).status_code == 404
        async with client(plain, caller) as http:
            assert (await http.get(KEYS)).status_code == 404
