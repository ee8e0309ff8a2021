"""Who may call what: every operation against every role, over a real socket, held against a table written by hand."""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio

from schemas.roles import Role
from server.http.operations import ANYBODY, KEY_HOLDER, SIGNED_IN
from server.http.routes import OPERATIONS
from tests.server.people import Caller, program
from tests.server.running import Running, running

POLICE: Final = frozenset(
    {"officer", "supervisor", "custody-officer", "reviewing-officer", "superintendent", "control-room"}
)
READS: Final = POLICE | {"registrar"}
KEEPERS: Final = frozenset({"reviewing-officer", "superintendent", "registrar"})
SUPERVISING: Final = frozenset({"supervisor", "reviewing-officer", "superintendent", "control-room"})
ADMINISTERS: Final = frozenset({"administrator"})
TABLE: Final[dict[str, frozenset[str] | str]] = {
    "GET /livez": ANYBODY,
    "GET /readyz": ANYBODY,
    "POST /v1/setup": KEY_HOLDER,
    "POST /v1/enrol": KEY_HOLDER,
    "POST /v1/sign-in": KEY_HOLDER,
    "POST /v1/token": KEY_HOLDER,
    "POST /v1/orders": KEY_HOLDER,
    "POST /v1/orders/sealed": KEY_HOLDER,
    "POST /v1/orders/wiped": KEY_HOLDER,
    "POST /v1/sign-in/oidc/begin": KEY_HOLDER,
    "GET /setup": ANYBODY,
    "GET /v1/oidc/callback": ANYBODY,
    "POST /v1/sign-in/oidc/finish": KEY_HOLDER,
    "POST /v1/sign-in/webauthn/begin": KEY_HOLDER,
    "POST /v1/sign-in/webauthn/finish": KEY_HOLDER,
    "GET /v1/security-keys": ADMINISTERS,
    "POST /v1/security-keys": ADMINISTERS,
    "POST /v1/security-keys/ceremonies": ADMINISTERS,
    "POST /v1/security-keys/removals": ADMINISTERS,
    "GET /v1/me": SIGNED_IN,
    "POST /v1/sign-out": SIGNED_IN,
    "POST /v1/passphrase": SIGNED_IN,
    "POST /v1/briefings": SUPERVISING,
    "GET /v1/briefings/{record}/receipts": READS,
    "GET /v1/records": READS,
    "POST /v1/records": READS,
    "GET /v1/records/{record}": READS,
    "GET /v1/records/{record}/history": READS,
    "GET /v1/records/{record}/explanation": READS,
    "GET /v1/teams/{team}/briefing-pack": READS,
    "GET /v1/areas/{area}/neighbourhood-update": SUPERVISING,
    "POST /v1/import/cap": frozenset({"control-room"}),
    "POST /v1/import/eido": frozenset({"control-room"}),
    "GET /v1/export/stop-search": READS,
    "GET /v1/export/use-of-force": READS,
    "GET /v1/export/incidents.geojson": READS,
    "GET /v1/call-backs/{record}": frozenset({"superintendent", "registrar"}),
    "GET /v1/cancelled-crimes": frozenset({"superintendent", "registrar"}),
    "GET /v1/conflicts": frozenset({"auditor"}),
    "GET /v1/records/{record}/clocks": READS,
    "GET /v1/inbox": READS,
    "GET /v1/inbox/{item}": READS,
    "POST /v1/inbox/{item}/decision": READS,
    "GET /v1/devices": ADMINISTERS,
    "POST /v1/devices/codes": ADMINISTERS,
    "GET /v1/devices/{device}": ADMINISTERS,
    "POST /v1/devices/{device}/revocation": ADMINISTERS | {"control-room"},
    "POST /v1/devices/{device}/wipe": ADMINISTERS,
    "POST /v1/devices/{device}/hand-over": ADMINISTERS,
    "POST /v1/seats/{seat}/pardon": ADMINISTERS,
    "POST /v1/officers/{officer}/revocation": ADMINISTERS | {"control-room"},
    "GET /v1/organisation": ADMINISTERS,
    "POST /v1/organisation": ADMINISTERS,
    "POST /v1/organisation/plan": ADMINISTERS,
    "POST /v1/organisation/apply": ADMINISTERS,
    "GET /v1/officers": ADMINISTERS,
    "POST /v1/officers": ADMINISTERS,
    "POST /v1/grants": ADMINISTERS,
    "POST /v1/seats": ADMINISTERS,
    "POST /v1/officers/{officer}/passphrase": ADMINISTERS,
    "POST /v1/officers/{officer}/unlock": ADMINISTERS,
    "GET /v1/why/{record}/{device}": SUPERVISING | {"auditor", "administrator"},
    "GET /v1/quarantine": SUPERVISING,
    "POST /v1/quarantine/consultations": SUPERVISING,
    "POST /v1/quarantine/verdicts": SUPERVISING,
    "GET /v1/retention/due": KEEPERS,
    "POST /v1/records/{record}/reviews": KEEPERS,
    "POST /v1/records/{record}/erasure": KEEPERS,
    "GET /v1/due": READS,
    "GET /v1/handover": READS,
    "POST /v1/due/{alarm}/acknowledge": READS,
    "GET /v1/alarms": frozenset({"auditor", "administrator"}),
    "GET /v1/events": ADMINISTERS,
    "GET /v1/events/{webhook}/letters": ADMINISTERS,
    "POST /v1/events/{webhook}/retries": ADMINISTERS,
    "POST /v1/events/{webhook}/drops": ADMINISTERS,
    "POST /v1/events/{webhook}/turning-on": ADMINISTERS,
    "GET /v1/log/checkpoint": SIGNED_IN,
    "POST /v1/log/searches": frozenset({"auditor"}),
    "GET /v1/log/entries/{entry}/proof": frozenset({"auditor"}),
    "GET /v1/records/{record}/proof": frozenset({"superintendent", "registrar"}),
    "GET /v1/ops/{device}/{n}/proof": frozenset({"superintendent", "registrar"}),
    "POST /v1/records/{record}/disclosures": frozenset({"superintendent", "registrar"}),
    "POST /v1/incidents/{record}/status-token": POLICE,
    "POST /v1/incidents/{record}/status-token/revocation": POLICE,
    "GET /v1/public/status": ANYBODY,
    "GET /status": ANYBODY,
    "POST /status": ANYBODY,
}
"""Method and path -> the roles of which a caller needs one."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One server for all of them."""
    async with running(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(server: Running) -> dict[str, Caller]:
    """Somebody of each role alone, with every scope there is; and somebody of none."""
    found = {role.value: await program(server, f"R-{role.value}", [role]) for role in Role}
    return {**found, "nobody": await program(server, "R-nobody", [])}


def test_the_table_is_what_the_operations_declare() -> None:
    """An operation that is added, or whose roles change, must be looked at here."""
    declared = {
        f"{one.method} {one.path}": frozenset(role.value for role in one.who) if isinstance(one.who, tuple) else one.who
        for one in OPERATIONS
    }
    assert declared == TABLE


def test_who_administers_reads_nothing_and_who_audits_changes_nothing() -> None:
    """What both may do tells of grants and alarms alone; neither may read or write a record."""
    told = {"GET /v1/why/{record}/{device}", "GET /v1/alarms"}
    for name, who in TABLE.items():
        if isinstance(who, frozenset) and name not in told:
            assert not {"administrator", "auditor"} <= who, name
            # What is searched for is sent in a body: addresses end up in the logs of others.
            assert "auditor" not in who or name.startswith("GET ") or name == "POST /v1/log/searches", name
            assert who.isdisjoint({"administrator", "auditor"}) or who.isdisjoint(READS - {"control-room"}), name


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", TABLE)
async def test_each_role_is_let_in_or_refused_as_the_table_says(
    server: Running, callers: dict[str, Caller], name: str
) -> None:
    """Whoever may not is told who could, with 403; whoever may gets another answer, whatever else is wrong with it."""
    method, path = name.split(" ")
    who = TABLE[name]
    filled = re.sub(r"{\w+}", "01890000-0000-7000-8000-000000000001", path)
    for role, caller in callers.items():
        async with httpx.AsyncClient(base_url=server.url, auth=caller.auth, trust_env=False) as http:
            # A body that no route takes: nothing is done, and who may is asked before the body is read.
            answer = await http.request(method, filled, json=None if method == "GET" else {"nothing": "known"})
        if isinstance(who, frozenset):
            assert (answer.status_code == 403) == (role not in who), (role, answer.text)
            if answer.status_code == 403:
                detail = answer.json()["detail"]
                assert all(each.replace("-", " ") in detail for each in who), detail
        else:
            assert answer.status_code != 403, (role, answer.text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name, who in TABLE.items() if who != ANYBODY])
async def test_nobody_is_let_in_without_token_and_proof(server: Running, name: str) -> None:
    """Without any header, and with others than are asked for: 401, with the challenge of RFC 9449, and nothing done."""
    method, path = name.split(" ")
    filled = re.sub(r"{\w+}", "01890000-0000-7000-8000-000000000001", path)
    server.store.groups.clear()
    body = {"code": "x", "officer": "A", "name": "A", "passphrase": "p", "device": "dd", "seat": "dd"}
    answers = body | {"handle": "h", "check": "123456", "response": {}, "edits": [], "seats": []}
    takes = {
        "POST /v1/setup": ("code", "officer", "name", "passphrase", "device"),
        "POST /v1/enrol": ("code",),
        "POST /v1/sign-in": ("device", "officer", "passphrase"),
        "POST /v1/token": ("seat",),
        "POST /v1/orders": ("device",),
        "POST /v1/orders/sealed": ("device", "seat", "edits"),
        "POST /v1/orders/wiped": ("device", "seats"),
        "POST /v1/sign-in/oidc/begin": ("device",),
        "POST /v1/sign-in/webauthn/begin": ("device",),
        "POST /v1/sign-in/webauthn/finish": ("device", "handle", "response"),
        "POST /v1/sign-in/oidc/finish": ("device", "handle", "check"),
    }.get(name, ())
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        for authorization in (None, "", "DPoP", "DPoP x", "Bearer x", "Basic eDp5", "DPoP eyJhbGciOiJub25lIn0.e30.x"):
            headers = {} if authorization is None else {"authorization": authorization}
            answer = await http.request(method, filled, headers=headers, json={each: answers[each] for each in takes})
            assert answer.status_code == 401, answer.text
            assert answer.headers["www-authenticate"].startswith("DPoP ")
            assert 'algs="EdDSA"' in answer.headers["www-authenticate"]
    assert server.store.groups == []
