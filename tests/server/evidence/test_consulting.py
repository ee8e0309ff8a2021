"""Records read over HTTP: who looked at what and why is in the journal before the answer; a reason is asked once."""

import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from schemas.errors import StoreError
from schemas.roles import Role
from server.evidence.consulted import CONSULTED, Consulted, consultations
from server.http.consulting import MATTER, PROGRAM, REASON, WAITING
from tests.server.api import ID, client, incident
from tests.server.disputes import BOOKING, Disputes
from tests.server.evidence.test_routes import run
from tests.server.people import Caller, person
from tests.server.running import Running

RECORD, OTHER = ID.format(1), ID.format(2)
WHY = "Enquiry into “sheds”, 7%"


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A program's client, with two incidents made."""
    async with client(server, caller) as http:
        made = await http.post("/v1/records", json={"records": [incident(1), incident(2)]})
        assert made.status_code == 200, made.text
        yield http


@pytest.fixture
async def officer(server: Running, http: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """An officer who is signed in."""
    async with client(server, await person(server, "WM5", [Role.OFFICER, Role.SUPERVISOR], "birmingham")) as found:
        yield found


async def looks(server: Running) -> list[Consulted]:
    """What was noted."""
    return [look for kept in await server.store.journal(CONSULTED, 0, 100) for look in consultations(kept)]


def why(words: str = WHY) -> dict[str, str]:
    """The header that says why."""
    return {REASON: urllib.parse.quote(words)}


@pytest.mark.parametrize("path", ["", "/history", "/explanation"])
async def test_a_look_without_a_reason_is_refused(server: Running, officer: httpx.AsyncClient, path: str) -> None:
    """Every way to a record's content asks, and what is refused is not noted as if it had been shown."""
    refused = await officer.get(f"/v1/records/{RECORD}{path}")
    assert refused.status_code == 428
    assert "say why you look" in refused.json()["detail"]
    assert REASON in refused.json()["detail"]
    assert await looks(server) == []
    assert (await officer.get(f"/v1/records/{RECORD}{path}", headers=why())).status_code == 200
    (look,) = await looks(server)
    assert (look.what, look.officer, look.records, look.matter, look.why) == (
        "consultation", "WM5", (RECORD,), RECORD, WHY,
    )  # fmt: skip


async def test_the_reason_is_asked_once_for_each_record_or_matter(server: Running, officer: httpx.AsyncClient) -> None:
    """The same incident again needs none, another one does, unless it is looked at for the sake of the first."""
    assert (await officer.get(f"/v1/records/{RECORD}", headers=why())).status_code == 200
    assert (await officer.get(f"/v1/records/{RECORD}/history")).status_code == 200
    assert (await officer.get(f"/v1/records/{OTHER}")).status_code == 428
    assert (await officer.get(f"/v1/records/{OTHER}", headers={MATTER: RECORD})).status_code == 200
    assert [(look.records, look.matter, look.why) for look in await looks(server)] == [
        ((RECORD,), RECORD, WHY),
        ((RECORD,), RECORD, WHY),
        ((OTHER,), RECORD, WHY),
    ]
    assert (await officer.get(f"/v1/records/{OTHER}", headers={MATTER: "42", **why()})).status_code == 422


async def test_a_list_is_a_combination_of_what_is_in_it(server: Running, officer: httpx.AsyncClient) -> None:
    """Whoever lists says why each time, and the log names what they were given; nothing given is nothing noted."""
    assert (await officer.get("/v1/records?kind=incident")).status_code == 428
    assert (await officer.get("/v1/records?kind=incident", headers=why())).status_code == 200
    assert (await officer.get("/v1/records?kind=briefing")).status_code == 200
    assert [(look.what, look.records, look.why) for look in await looks(server)] == [
        ("combination", (RECORD, OTHER), WHY)
    ]


async def test_what_one_may_not_see_is_neither_shown_nor_noted(server: Running, http: httpx.AsyncClient) -> None:
    """A guess at an id leaves no consultation that never was."""
    async with client(server, await person(server, "WM6", [Role.OFFICER], "coventry")) as other:
        assert (await other.get(f"/v1/records/{RECORD}", headers=why())).status_code == 404
    assert await looks(server) == []


async def test_a_program_is_noted_and_not_asked(server: Running, http: httpx.AsyncClient) -> None:
    """Its seat is there for one purpose; what it reads is in the log like everybody's."""
    assert (await http.get(f"/v1/records/{RECORD}")).status_code == 200
    (look,) = await looks(server)
    assert (look.officer, look.why) == ("WM1", PROGRAM)


async def test_the_inbox_is_noted_with_its_purpose(
    server: Running, http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """Looking what waits needs no reason; looking into a question does, for the sake of its booking."""
    item = await disputes.over_time()
    await http.get("/v1/inbox")
    await http.get(f"/v1/inbox/{item}")
    listed, looked = await looks(server)
    assert (listed.what, listed.records, listed.why) == ("combination", (item,), WAITING)
    assert (looked.records, looked.matter) == ((item,), BOOKING)


async def test_nothing_is_shown_that_cannot_be_noted(server: Running, officer: httpx.AsyncClient) -> None:
    """While the disk is full, records are not read without trace."""
    server.store.failing = StoreError("disk is full")
    assert (await officer.get(f"/v1/records/{RECORD}", headers=why())).status_code == 503
    server.store.failing = None
    assert (await officer.get(f"/v1/records/{RECORD}", headers=why())).status_code == 200


async def test_commands_say_why(server: Running, http: httpx.AsyncClient, tmp_path: Path) -> None:
    """`beatbook explain --why` sends it; without it the command tells what is missing."""
    who = await person(server, "WM5", [Role.OFFICER], "birmingham")
    refused = await run(server, who, tmp_path / "access", "explain", RECORD)
    assert refused.exit_code == 1
    assert "say why you look" in refused.output
    told = await run(server, who, tmp_path / "access", "explain", RECORD, "--why", WHY)
    assert told.exit_code == 0, told.output
    assert [look.why for look in await looks(server)] == [WHY]
