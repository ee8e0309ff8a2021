"""Files of other systems over HTTP: the same records as by the commands, and nothing of a file that is not sound."""

from pathlib import Path

import httpx
import pytest

from schemas.roles import Role
from server.importing import cap, eido
from tests.server.api import client, refusal
from tests.server.importing.test_cap import alert
from tests.server.importing.test_eido import incident, raw
from tests.server.people import program
from tests.server.running import Running

CAP, EIDO = "/v1/import/cap", "/v1/import/eido"
REAL = Path(__file__).resolve().parents[2].parent / "shared/data"


async def kinds(http: httpx.AsyncClient, kind: str) -> list[str]:
    """The ids of all records of a kind."""
    return [one["id"] for one in (await http.get("/v1/records", params={"kind": kind})).json()["records"]]


async def test_an_alert_becomes_a_briefing_once(http: httpx.AsyncClient) -> None:
    """The same alert again is the same record, and is not written again."""
    first = (await http.post(CAP, content=alert())).json()
    assert [one["outcome"] for one in first["records"]] == ["created"]
    again = (await http.post(CAP, content=alert())).json()
    assert [(one["id"], one["outcome"]) for one in again["records"]] == [(first["records"][0]["id"], "same")]
    told = (await http.get(f"/v1/records/{first['records'][0]['id']}")).json()
    assert told["values"]["title"] == "Large fire at a paint works"
    assert told["values"]["audience"] == ["area:birmingham"]
    assert await kinds(http, "briefing") == [first["records"][0]["id"]]


async def test_incidents_of_another_control_room_come_in_once(http: httpx.AsyncClient) -> None:
    """With their number at once, and the call-taker's questions told as asked elsewhere."""
    first = (await http.post(EIDO, content=raw(incident()))).json()
    assert [one["outcome"] for one in first["records"]] == ["created"]
    again = (await http.post(EIDO, content=raw(incident()))).json()
    assert [one["outcome"] for one in again["records"]] == ["same"]
    told = (await http.get(f"/v1/records/{first['records'][0]['id']}")).json()
    assert told["values"]["area"] == "birmingham"
    assert told["values"]["urn"].endswith("-0001")


async def test_a_notification_brings_each_incident_once(http: httpx.AsyncClient) -> None:
    """Also where it holds the same one twice."""
    other = incident() | {"$id": "urn:emergency:uid:incidentid:2:fire.example"}
    message = {"event": {"notification": [incident(), other, incident()]}}
    assert len((await http.post(EIDO, content=raw(message))).json()["records"]) == 2


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (CAP, b"", "no XML"),
        (CAP, alert()[:-20], "no XML"),
        (CAP, alert(sent="yesterday"), "<sent>"),
        (CAP, alert(scope="Everybody"), "<scope>"),
        (CAP, b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + alert()[22:], "document type"),
        (EIDO, b"", "no JSON"),
        (EIDO, b"[1]", "a JSON object is expected"),
        (EIDO, b'{"terminate": 1}', "holds no EIDO, but terminate"),
        (EIDO, raw(incident(eidoVersion="2.0")), "eidoVersion"),
        (EIDO, raw(incident(locationComponent=[])), "?area="),
    ],
)
async def test_a_file_that_is_not_sound_is_refused_whole(
    http: httpx.AsyncClient, path: str, body: bytes, words: str
) -> None:
    """What, where, and nothing written."""
    told = refusal(await http.post(path, content=body), 422, words)
    assert told.startswith("the body")
    assert (await kinds(http, "briefing"), await kinds(http, "incident")) == ([], [])


async def test_one_unsound_incident_keeps_the_others_out(http: httpx.AsyncClient) -> None:
    """Of a notification nothing is taken, so that it can be sent again as it should be."""
    message = {"event": {"notification": [incident(), incident(eidoVersion="9")]}}
    refusal(await http.post(EIDO, content=raw(message)), 422, "eidoVersion")
    assert await kinds(http, "incident") == []


async def test_what_nobody_is_to_act_on_makes_no_briefing(http: httpx.AsyncClient) -> None:
    """A test is no error: the reason is told."""
    told = (await http.post(CAP, content=alert(status="Test"))).json()
    assert told == {"records": [], "reason": "it is a test, and nobody is to act on it"}


async def test_the_area_is_said_where_the_place_names_none(http: httpx.AsyncClient) -> None:
    """By the caller; one that is no area is refused."""
    body = raw(incident(locationComponent=[]))
    refusal(await http.post(EIDO, params={"area": "Over There"}, content=body), 422, "write it as in birmingham")
    record = (await http.post(EIDO, params={"area": "coventry"}, content=body)).json()["records"][0]["id"]
    assert (await http.get(f"/v1/records/{record}")).json()["values"]["area"] == "coventry"


@pytest.mark.parametrize(("path", "most"), [(CAP, cap.FILE_BYTES_MAX), (EIDO, eido.FILE_BYTES_MAX)])
async def test_a_file_that_is_too_long_is_not_read(http: httpx.AsyncClient, path: str, most: int) -> None:
    """The bound is the format's own, below that of other bodies."""
    refusal(await http.post(path, content=b" " * (most + 1)), 413, f"at most {most} bytes")


async def test_nobody_changes_by_an_import_what_they_may_not_see(server: Running, http: httpx.AsyncClient) -> None:
    """The desk of another area hears that the id is taken, and not by what; the record stays as it was."""
    record = (await http.post(EIDO, content=raw(incident()))).json()["records"][0]["id"]
    desk = await program(server, "WM7", [Role.CONTROL_ROOM], ["area:coventry"])
    async with client(server, desk) as other:
        told = refusal(await other.post(EIDO, content=raw(incident())), 422, "op_record_exists")
        assert "birmingham" not in told
        assert (await other.get(f"/v1/records/{record}")).status_code == 404
    assert (await http.get(f"/v1/records/{record}")).json()["version"] == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not beside this checkout")
async def test_real_files_are_taken_and_the_invalid_one_is_refused(http: httpx.AsyncClient) -> None:
    """The published examples of both formats, one of them invalid on purpose."""
    told = {}
    for file in sorted((REAL / "cap").iterdir()):
        told[file.name] = (await http.post(CAP, content=file.read_bytes())).status_code
    assert told.pop("invalid.cap") == 422
    assert set(told.values()) == {200}
    body = (REAL / "eido/SampleCallTransferEido.json").read_bytes()
    made = (await http.post(EIDO, params={"area": "birmingham"}, content=body)).json()["records"]
    assert [one["outcome"] for one in made] == ["created"]
