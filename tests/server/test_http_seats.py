"""Where somebody was who wrote over HTTP: the seat stands beside the author in everything that is told of a record."""

import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator

import httpx
import pytest

from schemas.ids import OfficerId, RecordId
from schemas.roles import Role
from server.logbook import OFFICE, QUARANTINE
from server.office import Draft
from server.quarantine import OPENED
from server.registry import acts as a
from server.retention import DAY_MS
from tests.server.api import ID, client, incident
from tests.server.people import Caller, person, program
from tests.server.running import Running
from tests.server.test_http_oversight import quarantined, values

RECORD = ID.format(1)
PERIOD_MS = 40 * 366 * DAY_MS


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who works with every record, and has made one incident."""
    async with client(server, caller) as http:
        made = await http.post("/v1/records", json={"records": [incident(1)]})
        assert made.status_code == 200, made.text
        yield http


async def audited(server: Running, *kinds: str) -> list[tuple[str, str, str]]:
    """(kind, officer, seat) of what a search of the log finds about the record."""
    auditor = await person(server, "WM7777", [Role.AUDITOR])
    async with client(server, auditor) as http:
        body = {"why": "complaint", "query": {"record": RECORD, "kinds": kinds}}
        found = (await http.post("/v1/log/searches", json=body)).json()["events"]
    return [(event["kind"], event["officer"], event["seat"]) for event in found]


async def test_history_explanation_and_log_name_the_seat(
    server: Running, http: httpx.AsyncClient, caller: Caller
) -> None:
    """Author and seat, though the op is numbered among the server's own."""
    (op,) = (await http.get(f"/v1/records/{RECORD}/history")).json()["ops"]
    assert (op["author"], op["seat"], op["device"]) == ("WM1", caller.seat, OFFICE)
    told = (await http.get(f"/v1/records/{RECORD}/explanation?field=summary")).json()["fields"][0]
    assert f"WM1 on device {caller.seat}" in " ".join(told["words"])
    assert await audited(server, "collection") == [("collection", "WM1", caller.seat)]


async def test_what_the_server_writes_for_nobody_names_no_seat(server: Running, http: httpx.AsyncClient) -> None:
    """An import by the program itself is the server's own, and says so."""
    draft = Draft(record=RecordId(ID.format(2)), kind="incident", values=values())
    await server.beatbook.office.bring([draft], OfficerId("WM5"))
    (op,) = (await http.get(f"/v1/records/{ID.format(2)}/history")).json()["ops"]
    assert (op["author"], op["seat"], op["device"]) == ("WM5", OFFICE, OFFICE)


async def test_a_disclosure_names_the_seats_and_who_enrolled_them(
    server: Running, http: httpx.AsyncClient, caller: Caller
) -> None:
    """The page says at which device each change was written; the acts that tell whose that is come along."""
    giving = {"recipients": ["Aston Law Chambers"], "why": "asked for by the defence"}
    await http.post(f"/v1/records/{RECORD}/disclosures", json=giving)
    again = (await http.post(f"/v1/records/{RECORD}/disclosures", json=giving)).json()
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(again["export"]))) as archive:
        page = archive.read("index.html").decode()
        acts = json.loads(archive.read("evidence.json"))["acts"]
    assert f"on device {caller.seat}, through the server" in page
    assert f"WM1 (WM1) at {caller.seat}" in page
    told = [a.decode(base64.b64decode(act["body"])) for act in acts]
    assert caller.seat in {act.seat for act in told if isinstance(act, a.SeatOpened)}
    assert caller.identity.device in {act.device for act in told if isinstance(act, a.DeviceEnrolled)}
    assert await audited(server, "disclosure") == [("disclosure", "WM1", caller.seat)] * 2


async def test_an_erasure_names_the_seat(server: Running, http: httpx.AsyncClient) -> None:
    """Of the officer who carried it out."""
    one, other = [await program(server, officer, [Role.REGISTRAR], ["area:birmingham"]) for officer in ("WM8", "WM9")]
    server.clock.advance(PERIOD_MS)
    async with client(server, one) as first, client(server, other) as second:
        said = {"outcome": "erase", "why": "kept long enough"}
        assert (await first.post(f"/v1/records/{RECORD}/reviews", json=said)).status_code == 200
        assert (await second.post(f"/v1/records/{RECORD}/erasure", json={"why": "rule 4"})).status_code == 200
    assert await audited(server, "erasure") == [("erasure", "WM9", other.seat)]


async def test_what_is_adopted_from_quarantine_names_where_it_was_written(
    server: Running, http: httpx.AsyncClient, caller: Caller
) -> None:
    """Its author and their device; who looked into it and who adopted it are in the log with theirs."""
    await quarantined(server, 1, RECORD, summary="Theft of a bicycle")
    (kept,) = await server.store.journal(QUARANTINE, 0, 10)
    key = kept.key
    await http.post("/v1/quarantine/consultations", json={"key": key, "why": "what is it"})
    done = await http.post("/v1/quarantine/verdicts", json={"key": key, "why": "it is true", "adopt": True})
    assert done.status_code == 200, done.text
    ops = (await http.get(f"/v1/records/{RECORD}/history")).json()["ops"]
    assert (ops[-1]["author"], ops[-1]["seat"]) == ("WM7", "hh-7")
    assert len(await server.store.journal(OPENED, 0, 10)) == 1
    assert ("consultation", "WM1", caller.seat) in await audited(server, "consultation")
