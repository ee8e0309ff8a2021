"""The handover of a shift over HTTP: all that waits for a team, an area or a suite, and who took on what."""

from typing import Any

import httpx
import msgspec
import pytest

from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Handover, Incident
from schemas.kinds.handover import HandedItem, handover_id
from server.evidence.consulted import Consulted
from server.http import handover
from tests.examples import LEAST
from tests.server.api import client, refusal
from tests.server.disputes import BOOKING, Disputes
from tests.server.people import program
from tests.server.running import NOW, Running

ENDS = Millis(NOW - 3_600_000)
SHIFT = handover_id("area:birmingham", ENDS)
SPILL = named_record_id("handover tests", "spill")
ITEM = HandedItem(record=SPILL, kind="incident", part="incident", words="Send a unit.", note="Caller rang twice.")
OTHER = HandedItem(record=BOOKING, kind="custody-booking", part="booking", words="Held.")


async def report(disputes: Disputes, record: RecordId = SPILL, **more: object) -> None:
    """An incident in Birmingham."""
    values: dict[str, Any] = {
        "opened_at": NOW - 60_000, "area": "birmingham", "category": "transport", "summary": "A spill.",
    }  # fmt: skip
    disputes.a.write(record, Incident, create=True, **(values | more))
    assert [one.status for one in await disputes.a.push()] == ["durable"]


@pytest.fixture
async def shift(disputes: Disputes) -> RecordId:
    """A shift of Birmingham handed two matters over; a colleague took one on after somebody had refused it."""
    await report(disputes)
    disputes.a.write(
        SHIFT,
        Handover,
        create=True,
        audience="area:birmingham",
        ends_at=ENDS,
        items=[msgspec.to_builtins(ITEM), msgspec.to_builtins(OTHER)],
    )
    await disputes.a.push()
    for desk, taken, note in ((disputes.a, False, "No unit."), (disputes.b, True, "Ours.")):
        await desk.pull(SHIFT)
        answer = {"item": ITEM.ref(), "taken": taken, "at": NOW, "note": note}
        desk.write(SHIFT, Handover, answers=[answer])
        assert [one.status for one in await desk.push()] == ["durable"]
    return SHIFT


async def page(http: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    """What the route gives."""
    answer = await http.get("/v1/handover", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_all_that_waits_is_given_with_what_to_do(http: httpx.AsyncClient, shift: RecordId) -> None:
    """The open incident and the item that nobody has taken on; of another area nothing."""
    found = await page(http, area="birmingham", hours="8")
    assert (found["audience"], found["next"]) == ("area:birmingham", None)
    assert found["until"] >= NOW + 8 * 3_600_000
    assert {(one["part"], one["record"], one["key"]) for one in found["matters"]} >= {
        ("incident", SPILL, ""),
        ("handed", shift, OTHER.ref()),
    }
    (lying,) = [one for one in found["matters"] if one["part"] == "handed"]
    assert (lying["overdue"], "taken on by nobody" in lying["words"]) == (True, True)
    other = await page(http, area="solihull")
    assert (other["matters"], other["shifts"]) == ([], [])


async def test_it_tells_who_took_what(http: httpx.AsyncClient, shift: RecordId) -> None:
    """Each matter once, with who gave it, who refused it and why, and who has it."""
    (told,) = (await page(http, area="birmingham"))["shifts"]
    assert (told["handover"], told["ends_at"]) == (shift, ENDS)
    taken, lying = sorted(told["items"], key=lambda one: one["record"] != SPILL)
    assert (taken["given_by"], taken["taken"], taken["note"]) == ("DESK-A", True, "Caller rang twice.")
    assert {(one["by"], one["taken"], one["note"]) for one in taken["answers"]} == {
        ("DESK-A", False, "No unit."),
        ("DESK-B", True, "Ours."),
    }
    assert (lying["record"], lying["taken"], lying["answers"]) == (BOOKING, False, [])


async def test_a_closed_incident_and_an_old_shift_are_not_there(
    http: httpx.AsyncClient, disputes: Disputes, server: Running
) -> None:
    """What is done leaves the view; a shift of which something waits stays in it, however old."""
    await report(disputes, status="closed")
    days = [Millis(NOW - n * 24 * 3_600_000) for n in (2, 3)]
    for ends, taken in zip(days, (True, False), strict=True):
        answers: dict[str, Any] = {"answers": [{"item": ITEM.ref(), "taken": True, "at": NOW}]} if taken else {}
        disputes.a.write(
            handover_id("area:birmingham", ends),
            Handover,
            create=True,
            audience="area:birmingham",
            ends_at=ends,
            items=[msgspec.to_builtins(ITEM)],
            **answers,
        )
    await disputes.a.push()
    found = await page(http, area="birmingham")
    assert [one["ends_at"] for one in found["shifts"]] == [days[1]]
    # The server may have raised its alarm of it meanwhile.
    assert [one["part"] for one in found["matters"] if one["part"] != "alarm"] == ["handed"]
    assert server.clock.now >= NOW


async def test_a_suite_hands_over_who_is_held(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """The same view as the handheld has, of the same rules."""
    assert await disputes.value(BOOKING, "detainee") == "Ann Example"
    parts = {one["part"] for one in (await page(http, suite="perry-barr"))["matters"]}
    assert "booking" in parts


async def test_whoever_is_not_of_the_area_is_given_nothing(server: Running, shift: RecordId) -> None:
    """Nor told whether there is anything; nothing is logged of what was not given."""
    assert shift
    async with client(server, await program(server, "WM2", scopes=["area:solihull"])) as http:
        found = await page(http, area="birmingham")
    assert (found["matters"], found["shifts"], found["next"]) == ([], [], None)


async def test_reading_it_is_logged_as_what_it_is(http: httpx.AsyncClient, server: Running, shift: RecordId) -> None:
    """Every record that is told of, before it is told; why is the handover, so that nobody has to say it."""
    looked: list[Consulted] = []
    keep = server.beatbook.consultations.note

    async def note(look: Consulted) -> None:
        looked.append(look)
        await keep(look)

    server.beatbook.consultations.note = note  # type: ignore[method-assign]  # looked at on its way
    await page(http, area="birmingham")
    (look,) = looked
    assert set(look.records) >= {SPILL, shift}
    assert (look.what, look.officer) == ("combination", "WM1")
    assert look.why == "the handover of a shift"


async def test_it_is_read_in_bounded_parts(
    http: httpx.AsyncClient, disputes: Disputes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many records an area has: the pages together give each matter once."""
    records = [named_record_id("handover tests", str(n)) for n in range(5)]
    for record in records:
        await report(disputes, record)
    await report(disputes, RecordId(SPILL))
    monkeypatch.setattr(handover, "LOOKED_AT_MAX", 2)
    found: list[str] = []
    pages, after = 0, ""
    while True:
        part = await page(http, area="birmingham", **({"after": after} if after else {}))
        found += [one["record"] for one in part["matters"] if one["part"] == "incident"]
        pages += 1
        if part["next"] is None:
            break
        after = part["next"]
    assert sorted(found) == sorted([*records, SPILL])
    assert pages > 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "say for whom"),
        ({"team": "a", "area": "b"}, "say for whom"),
        ({"area": "Perry Barr"}, "lower-case letters"),
        ({"suite": "perry-barr:medical"}, "its name alone"),
        ({"area": "birmingham", "hours": "25"}, "1 to 24"),
        ({"area": "birmingham", "hours": "ten"}, "1 to 24"),
        ({"area": "birmingham", "after": "incident:x"}, "`next` of the page before"),
        ({"area": "birmingham", "after": "briefings:1"}, "`next` of the page before"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_what_to_write(
    http: httpx.AsyncClient, query: dict[str, str], words: str
) -> None:
    """In one answer, and nothing was read."""
    refusal(await http.get("/v1/handover", params=query), 422, words)


async def test_a_program_of_one_area_does_not_answer_for_the_other(server: Running, http: httpx.AsyncClient) -> None:
    """Over HTTP as on a handheld: the area that asks cannot answer its own request, the one that lends can."""
    request = named_record_id("handover tests", "request")
    asked = {**LEAST["deployment-request"], "until": NOW + 600_000_000}
    made = await http.post(
        "/v1/records", json={"records": [{"id": request, "kind": "deployment-request", "values": asked}]}
    )
    assert made.status_code == 200, made.text
    said = {"status": "refused", "refused_because": "Both are at the ground."}
    body = {"records": [{"id": request, "kind": "deployment-request", "values": said}]}
    async with client(server, await program(server, "WM2", scopes=["area:birmingham"])) as asking:
        refusal(await asking.post("/v1/records", json=body), 403, "somebody of area:coventry")
    async with client(server, await program(server, "WM3", scopes=["area:coventry"])) as lending:
        refused = await lending.post("/v1/records", json=body)
        assert refused.status_code == 200, refused.text
