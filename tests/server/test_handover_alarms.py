"""What nobody answers or takes on: the server raises its alarm at the time, and ends it once somebody has."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.ids import FieldName, RecordId, named_record_id
from schemas.kinds import KINDS
from schemas.kinds.handover import HandedItem, handover_id
from server.office import Draft
from sync.policing import timetable
from tests.examples import LEAST
from tests.server.running import NOW
from tests.server.test_timers import SERGEANT, Post

MINUTE = 60_000
INCIDENT, REQUEST, UNIT = (named_record_id("handover alarms", name) for name in ("incident", "request", "unit"))
SHIFT = handover_id("team:response-a", NOW)
OFFER = {"step": "offered", "giver": "response-a", "to": "cid", "offered_at": NOW, "at": NOW, "why": "Done."}
ACCEPTED = OFFER | {"step": "accepted", "at": NOW + 1}
LOAN = {"area": "walsall", "until": NOW + 60 * MINUTE}
ASKED = {**LEAST["deployment-request"], "asked_at": NOW, "until": NOW + 600 * MINUTE}
ITEM: dict[str, Any] = {"record": INCIDENT, "kind": "incident", "part": "incident", "words": "Send a unit."}
TAKEN = {"item": HandedItem(**ITEM).ref(), "taken": True, "at": NOW}
CALM = {**LEAST["incident"], "opened_at": NOW, "grade": "no-deployment"}
CASES: dict[str, tuple[RecordId, str, dict[str, Any], int, dict[str, Any], str]] = {
    "an offer": (
        INCIDENT, "incident", {**CALM, "passing": [OFFER]}, 30, {"passing": [ACCEPTED]},
        "cid: accept the incident",
    ),
    "a shift's handover": (
        SHIFT, "handover", {"audience": "team:response-a", "ends_at": NOW, "items": [ITEM]}, 15, {"answers": [TAKEN]},
        "taken on by nobody",
    ),
    "a request": (
        REQUEST, "deployment-request", ASKED, 15, {"status": "refused"}, "coventry: agree or refuse",
    ),
    "a loan": (
        UNIT, "resource", {"category": "vehicle", "name": "Van 2", "home": "area:dudley", "loan": LOAN}, 30,
        {"loan": None}, "Van 2 is lent to walsall",
    ),
}  # fmt: skip
"""What -> its record, the minutes until the alarm, the answer to it, and words of the alarm."""


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A server's timers, with the whole timetable, on a clock that a test sets."""
    post = Post()
    post.timetable = timetable.TIMETABLE
    running = asyncio.create_task(post.committer.run())
    try:
        await post.start_again()
        yield post
    finally:
        await post.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def waiting(post: Post) -> list[str]:
    """The words of the alarms that wait for somebody."""
    return [alarm.words for alarm in (await post.all()).values() if alarm.open]


@pytest.mark.parametrize("case", CASES)
async def test_what_nobody_answers_is_told_at_its_time_until_somebody_has(post: Post, case: str) -> None:
    """Not before; once, also after a restart; and the answer ends it."""
    record, kind, values, minutes, answer, words = CASES[case]
    named = {FieldName(name): value for name, value in values.items()}
    await post.office.bring([Draft(record=record, kind=kind, values=named)], SERGEANT)
    await post.at(NOW + minutes * MINUTE - 1)
    assert await waiting(post) == []
    await post.at(NOW + minutes * MINUTE)
    (told,) = await waiting(post)
    assert words in told
    await post.start_again()
    assert len(await post.all()) == 1
    said = {FieldName(name): value for name, value in answer.items()}
    await post.office.by_rule(record, KINDS[kind], lambda _: said, SERGEANT)
    await post.at(NOW + minutes * MINUTE + 1)
    assert await waiting(post) == []
