"""What is told of a field whatever its policy: decisions, refusals, doubt, reasons, and nothing by half."""

from typing import Any

import pytest

from schemas.ids import RecordId
from schemas.kinds import KINDS, CustodyBooking, InboxItem, Incident
from schemas.kinds.admission import Risk
from schemas.kinds.leaving import PreRelease
from schemas.policies import POLICIES
from server import dossier
from tests.server.disputes import BOOKING, CELL
from tests.server.explaining.telling import INCIDENT, Case, fates, row, step
from tests.server.running import NOW


async def test_a_decision_that_differs_is_told_with_the_question_about_it(case: Case) -> None:
    """The one that is followed, the one that waits, and once that is settled, which was."""
    item = await case.over_time()
    await case.share(item)
    case.a.write(item, InboxItem, decision={"value": NOW - 100_000, "reason": "CCTV."})
    case.b.write(item, InboxItem, decision={"value": NOW - 200_000, "reason": "Log book."})
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "relevant_time")
    assert fates(told)[2:] == [("decided", "desk-a/4", "shown"), ("decided", "desk-b/2", "waits")]
    first, second = told.questions
    assert (first.about, first.state, second.about, second.state) == ("relevant_time", "decided", "decision", "open")
    assert step(told, "desk-b/2").value == NOW - 200_000
    words = await case.words(BOOKING, "relevant_time")
    assert "about an earlier decision was opened at" in words
    op = await case.decide(second.item, {"value": NOW - 200_000, "reason": "The log book is right."})
    told = await case.told(BOOKING, "relevant_time")
    assert (told.stands, told.value, step(told, op).value) == (op, NOW - 200_000, NOW - 200_000)
    assert fates(told)[2:] == [
        ("decided", "desk-a/4", "superseded"),
        ("decided", "desk-b/2", "superseded"),
        ("decided", op, "shown"),
    ]
    assert [question.state for question in told.questions] == ["decided", "decided"]


async def test_a_new_question_after_a_decision_is_told_beside_the_old(case: Case) -> None:
    """What differs after a decision is asked about anew; both questions belong to the field's history."""
    item = await case.over_time()
    late = case.late("desk-c", BOOKING)
    late.write(BOOKING, CustodyBooking, relevant_time=NOW - 300_000)
    await case.decide(item, NOW - 100_000)
    await late.push()
    told = await case.told(BOOKING, "relevant_time")
    assert [question.state for question in told.questions] == ["decided", "open"]
    await case.decide(told.questions[1].item, NOW - 300_000)
    told = await case.told(BOOKING, "relevant_time")
    assert [question.state for question in told.questions] == ["decided", "decided"]
    assert told.value == NOW - 300_000


async def test_refused_ops_are_told_with_the_reason(case: Case) -> None:
    """Who wanted what, and why it could not be; it changes nothing of what stands."""
    assessed = [PreRelease(at=NOW, level=Risk.STANDARD, plan="Home by bus.")]
    steps: tuple[dict[str, Any], ...] = (
        {"status": "detained"},
        {"status": "released", "release_assessments": assessed},
    )
    for changes in steps:
        case.a.write(BOOKING, CustodyBooking, **changes)
        await case.a.push()
        await case.a.pull(BOOKING)
    stale = case.late("desk-c", BOOKING)
    stale.learn(await row(case, BOOKING))
    op = stale.refused(BOOKING, CustodyBooking, status="detained")
    assert [result.code for result in await stale.push()] == ["op_transition"]
    told = await case.told(BOOKING, "status")
    tried = step(told, op.id)
    assert (told.value, tried.fate, tried.code) == ("released", "refused", "op_transition")
    words = await case.words(BOOKING, "status")
    assert "DESK-C on device desk-c wanted this: detained; it happened at" in words
    assert "and was refused at" in words
    assert "It was refused:" in words
    assert "[op_transition]." in words


async def test_a_doubtful_clock_is_told_beside_the_time(case: Case) -> None:
    """A device whose clock ran a day ahead: its change is kept, and the doubt and its own clock are told."""
    ahead = case.late("desk-c", BOOKING)
    ahead.write(BOOKING, CustodyBooking, ahead_ms=86_400_000, offence="Theft")
    await ahead.push()
    told = await case.told(BOOKING, "offence")
    assert told.steps[0].corrected - told.steps[0].recorded_at > 86_000_000
    words = await case.words(BOOKING, "offence")
    assert "The time is doubtful: the time lay ahead of the server's clock when the change was recorded." in words
    await case.a.pull(BOOKING)
    case.a.write(BOOKING, CustodyBooking, offence="Robbery")
    await case.a.push()
    told = await case.told(BOOKING, "offence")
    assert (told.steps[0].fate, told.steps[0].doubt) == ("superseded", 16)


async def test_a_reason_is_told(case: Case) -> None:
    """As its author gave it."""
    case.a.write(BOOKING, CustodyBooking, why="Shouting.", risk="high")
    await case.a.push()
    assert "The reason given: “Shouting.”" in await case.words(BOOKING, "risk")


async def test_a_retired_field_says_what_to_do_instead(case: Case) -> None:
    """What older programs wrote is told, with the words that its declaration has."""
    assert "The field is no longer written: claim the cell's own record" in await case.words(BOOKING, "cell")


async def test_an_inbox_item_has_a_history_of_its_own(case: Case) -> None:
    """It is a record like any other: who decided it can be asked of itself."""
    item = await case.over_time()
    op = await case.decide(item, NOW - 100_000, "CCTV.")
    told = await case.told(item, "decision")
    assert (told.stands, told.value) == (op, {"value": NOW - 100_000, "reason": "CCTV."})
    assert (await case.told(item, "shown")).said


async def test_every_field_of_every_kind_can_be_told(case: Case) -> None:
    """No declaration is without words, whether anything was said there or not; all policies are among them."""
    given = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Fight"}
    case.a.write(INCIDENT, Incident, create=True, **given)  # type: ignore[arg-type]  # fields of the record
    await case.a.push()
    item = await case.over_time()
    seen = set()
    for record in (BOOKING, CELL, INCIDENT, item):
        account = await dossier.account(case.store, record, case.clock.now)
        assert account is not None
        for name, field in account.state.spec.fields.items():
            seen.add(field.policy.name)
            assert len((await case.words(record, name)).splitlines()) >= 2
    assert seen == {policy.name for policy in POLICIES}
    assert {"incident", "custody-booking", "resource"} <= KINDS.keys()


async def test_what_is_committed_between_the_reads_is_not_told_by_half(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An op that came after the record was read is left for the next time."""
    stale = await row(case, BOOKING)
    case.a.write(BOOKING, CustodyBooking, detainee="Ann Sample")
    await case.a.push()
    reads = case.store.record

    async def record(wanted: RecordId) -> bytes | None:
        return stale if wanted == BOOKING else await reads(wanted)

    monkeypatch.setattr(case.store, "record", record)
    told = await case.told(BOOKING, "detainee")
    assert (told.value, told.stands, fates(told)) == ("Ann Example", "desk-a/2", [("said", "desk-a/2", "shown")])
