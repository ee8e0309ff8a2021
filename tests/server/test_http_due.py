"""What falls due, over HTTP: listed for those who may see it, and taken up by one of those who are warned."""

from typing import Any

import httpx
import pytest

from schemas.ids import RecordId
from schemas.kinds.alarm import alarm_id
from server.falling_due import AUTHOR
from sync.check import changed_fields
from sync.policing import alarms
from tests.server.api import refusal
from tests.server.disputes import BOOKING, Disputes
from tests.server.running import NOW, Running

ALARM = alarm_id(BOOKING, "review", "", NOW, 0, ("custody-officer",))
SAID: dict[str, Any] = {
    "subject": BOOKING,
    "subject_kind": "custody-booking",
    "what": "review",
    "key": "",
    "due_at": NOW,
    "warn_ms": 0,
    "roles": ["custody-officer"],
    "then": ["superintendent"],
    "within_ms": 900_000,
    "words": "Review the detention.",
    "source": "an invented rule",
    "places": ["suite:perry-barr"],
    "raised_at": NOW,
}


@pytest.fixture
async def alarm(server: Running, disputes: Disputes) -> RecordId:
    """The server has raised one."""
    assert await disputes.value(BOOKING, "detainee") == "Ann Example"
    values = changed_fields(SAID)  # type: ignore[arg-type]  # names of fields
    await server.beatbook.office.by_rule(ALARM, alarms.SPEC, lambda _: values, AUTHOR)
    return ALARM


async def waiting(http: httpx.AsyncClient, **query: str | int) -> list[dict[str, Any]]:
    """What a list gives."""
    answer = await http.get("/v1/due", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["alarms"]
    return found


async def test_what_falls_due_is_listed_with_what_to_do(http: httpx.AsyncClient, alarm: RecordId) -> None:
    """What, in which record, by when, who is warned, why; and that it waits."""
    (line,) = [one for one in await waiting(http) if one["alarm"] == alarm]
    assert line.pop("overdue") is True
    assert line == {
        "alarm": alarm,
        "subject": BOOKING,
        "subject_kind": "custody-booking",
        "about": "Ann Example",
        "what": "review",
        "key": "",
        "due_at": NOW,
        "warn_ms": 0,
        "raised_at": NOW,
        "roles": ["custody-officer"],
        "escalated": [],
        "words": "Review the detention.",
        "source": "an invented rule",
        "places": ["suite:perry-barr"],
        "acknowledged": [],
        "over_at": None,
        "open": True,
    }
    assert alarm not in [one["alarm"] for one in await waiting(http, open="false")]
    assert alarm in [one["alarm"] for one in await waiting(http, open="all")]
    assert (await http.get("/v1/due", params={"open": "perhaps"})).status_code == 422


async def test_whoever_takes_one_up_is_told_by_it(http: httpx.AsyncClient, alarm: RecordId) -> None:
    """It no longer waits, and says who has it and what they do; a second one is told so."""
    done = await http.post(f"/v1/due/{alarm}/acknowledge", json={"note": "On my way."})
    assert done.status_code == 200, done.text
    assert done.json()["alarm"] == alarm
    (line,) = [one for one in await waiting(http, open="false") if one["alarm"] == alarm]
    (taken,) = line["acknowledged"]
    assert (taken["note"], line["open"], line["overdue"]) == ("On my way.", False, False)
    again = await http.post(f"/v1/due/{alarm}/acknowledge", json={})
    refusal(again, 409, "is taken up already")


async def test_what_is_no_alarm_is_not_there(http: httpx.AsyncClient, alarm: RecordId) -> None:
    """A record of another kind is told as one that is not there."""
    assert alarm
    for name in (BOOKING, "nothing"):
        assert (await http.post(f"/v1/due/{name}/acknowledge", json={})).status_code == 404
