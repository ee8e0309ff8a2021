"""A detention's clocks over HTTP: as a handheld shows them, and as they were believed before a late entry."""

from typing import Any

import httpx
import pytest

from schemas.kinds import CustodyBooking
from schemas.roles import Role
from schemas.settings import DEFAULTS
from sync.policing.custody.clocks import of_booking
from sync.policing.custody.words import lines
from tests.server.api import client, refusal
from tests.server.disputes import BOOKING, CELL, Disputes, item_state
from tests.server.people import program
from tests.server.running import Running

HOUR = 3_600_000
MINUTE = 60_000
PATH = f"/v1/records/{BOOKING}/clocks"


@pytest.fixture
async def arrived(server: Running, disputes: Disputes) -> int:
    """When the person came: their arrival and authorisation are recorded as they happen."""
    at = server.clock.now
    disputes.a.write(BOOKING, CustodyBooking, detention=[{"what": "arrival", "at": at}])
    await disputes.a.push()
    await write(disputes, {"what": "authorised", "at": at + 1_000, "reason": "To question them."})
    return at


async def write(disputes: Disputes, *steps: dict[str, Any], **more: Any) -> None:  # noqa: ANN401  plain values
    """Enter steps, with the reason for which each goes on that a rule asks about."""
    rules = ("custody-risk-not-assessed", "custody-interpreter-undetermined", "custody-return-without-leaving")
    reasons = [{"text": "As the paper record has it.", "overrides": rule} for rule in rules]
    entered: dict[str, Any] = {"detention": list(steps)} if steps else {}
    await disputes.a.pull(BOOKING)
    disputes.a.write(BOOKING, CustodyBooking, log=reasons, **entered, **more)
    assert [one.status for one in await disputes.a.push()] == ["durable"]


async def clocks(http: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    """What the route gives."""
    answer = await http.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_server_answers_as_a_handheld_does(http: httpx.AsyncClient, server: Running, arrived: int) -> None:
    """The same function over the same record: the words that a handheld shows, and the figures behind them."""
    server.clock.advance(2 * HOUR)
    found = await clocks(http)
    booking = (await item_state(server.store, BOOKING)).build()
    assert isinstance(booking, CustodyBooking)
    expected = of_booking(booking, DEFAULTS.custody, server.clock.now)
    assert found["words"] == list(lines(expected))
    assert (found["at"], found["relevant_at"], found["counted_ms"]) == (
        expected.now,
        expected.relevant.at,
        expected.counted_ms,
    )
    assert [one["binds"] for one in found["limits"]] == [True, False, False]
    assert found["review_at"] == arrived + 1_000 + 6 * HOUR
    assert [one["why"] for one in found["spans"]] == ["detained"]
    assert found["changed"] == found["checks"] == []


async def test_what_was_believed_before_a_late_entry_is_told(
    http: httpx.AsyncClient, server: Running, disputes: Disputes, arrived: int
) -> None:
    """By what had been recorded then; and what is known now of that moment, in words."""
    server.clock.advance(3 * HOUR)
    looked = server.clock.now
    server.clock.advance(HOUR)
    away = [
        {"what": "left-for-hospital", "at": arrived + HOUR},
        {"what": "back-from-hospital", "at": arrived + 2 * HOUR},
    ]
    await write(disputes, *away)
    then = await clocks(http, at=str(looked))
    assert then["counted_ms"] == looked - then["relevant_at"]
    assert [one["why"] for one in then["spans"]] == ["detained"]
    assert {one["what"] for one in then["changed"]} >= {"counted", "limit"}
    now = await clocks(http)
    assert [one["why"] for one in now["spans"]] == ["detained", "hospital", "detained"]
    before = await http.get(PATH, params={"at": "1"})
    refusal(before, 422, "nothing of this detention had been recorded by then")


async def test_a_time_that_was_corrected_is_told_as_it_stood(
    http: httpx.AsyncClient, server: Running, disputes: Disputes, arrived: int
) -> None:
    """It is in no record any more, and in the history: before the correction the clock ran from another time."""
    wrong, right = arrived - 2 * HOUR, arrived - 3 * HOUR
    await write(disputes, relevant_time=wrong)
    server.clock.advance(HOUR)
    looked = server.clock.now
    server.clock.advance(HOUR)
    await disputes.a.pull(BOOKING)
    disputes.a.correct(BOOKING, CustodyBooking, "relevant_time", right)
    assert [one.status for one in await disputes.a.push()] == ["durable"]
    assert (await clocks(http))["relevant_at"] == right
    then = await clocks(http, at=str(looked))
    assert then["relevant_at"] == wrong
    assert "relevant time" in {one["what"] for one in then["changed"]}


async def test_a_check_has_both_of_its_times(
    http: httpx.AsyncClient, server: Running, disputes: Disputes, arrived: int
) -> None:
    """When it was made, when it was recorded, and how late that was (IOPC 2020)."""
    server.clock.advance(2 * HOUR)
    check = {"checked_at": arrived + HOUR, "where": "M4", "response": "awake"}
    await write(disputes, checks=[check])
    (told,) = (await clocks(http))["checks"]
    assert (told["checked_at"], told["counts"], told["flags"]) == (arrived + HOUR, True, [])
    assert told["recorded_at"] > arrived + 2 * HOUR
    assert told["late_ms"] >= HOUR - MINUTE


@pytest.mark.parametrize("at", ["soon", "-1", "99999999999999"])
async def test_a_moment_that_cannot_be_is_refused(http: httpx.AsyncClient, arrived: int, at: str) -> None:
    """What is still to come was believed by nobody."""
    assert arrived
    refusal(await http.get(PATH, params={"at": at}), 422, "give a moment that has passed")


async def test_only_a_detention_has_clocks(http: httpx.AsyncClient, server: Running, arrived: int) -> None:
    """Another record has none, one that is not there neither; and who may not see the booking learns nothing."""
    assert arrived
    refusal(await http.get(f"/v1/records/{CELL}/clocks"), 404, "is no custody booking")
    refusal(await http.get("/v1/records/x/clocks"), 404)
    async with client(server, await program(server, "WM30012", [Role.OFFICER], ["area:solihull"])) as far:
        refusal(await far.get(PATH), 404)
