"""Why a value stands: the history of each kind of disagreement as data, and what of it an inspector reads."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from schemas.ids import FieldName, Millis, OfficerId, RecordId, named_record_id
from schemas.kinds import KINDS, CustodyBooking, InboxItem, Incident, Resource, Suspect
from schemas.policies import POLICIES
from server import dossier
from server.committer import Committer
from server.escalation import AUTHOR, missed
from server.office import Choice, Office
from server.store.memory import MemoryStore
from sync.explain import FieldHistory, Step, history, tell
from tests.server.api import client
from tests.server.disputes import BOOKING, CELL, MEDICAL, Desk, Disputes
from tests.server.people import Caller
from tests.server.running import NOW, Clock, Running
from tests.server.test_http import refusal

INCIDENT = named_record_id("test", "incident")


class Case(Disputes):
    """Two desks, an office, and what is told of their records."""

    def __init__(self) -> None:
        """Over a store in memory."""
        clock, store = Clock(), MemoryStore()
        committer = Committer(store, clock, lambda _: None)
        super().__init__(store, committer, clock)
        self.office = Office(store, committer, clock)

    async def told(self, record: RecordId, field: str) -> FieldHistory:
        """One field's history."""
        account = await dossier.account(self.store, record, self.clock.now)
        assert account is not None
        (one,) = history(account, FieldName(field)).fields
        return one

    async def words(self, record: RecordId, field: str) -> str:
        """One field's history in words."""
        account = await dossier.account(self.store, record, self.clock.now)
        assert account is not None
        (one,) = history(account, FieldName(field)).fields
        return "\n".join(tell(account.state.spec, one, account.now))

    async def each(self, *desks: Desk) -> None:
        """Push, in this order."""
        for desk in desks:
            await desk.push()

    async def share(self, *records: RecordId) -> None:
        """Both desks see the records as they stand."""
        for desk in (self.a, self.b):
            await desk.pull(*records)

    async def decide(self, item: RecordId, value: object, reason: str = "Looked.") -> str:
        """The op of a decision."""
        return (await self.office.decide(item, Choice(value=value, reason=reason, author=OfficerId("WM77")))).op


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    """A booking and a cell that both desks see."""
    case = Case()
    running = asyncio.create_task(case.committer.run())
    await case.office.start()
    await case.begin()
    yield case
    case.committer.close()
    await running


def fates(told: FieldHistory) -> list[tuple[str, str, str]]:
    """(way, op, fate) of each step."""
    return [(step.way, step.op, step.fate) for step in told.steps]


def step(told: FieldHistory, op: str) -> Step:
    """The step of an op."""
    return next(one for one in told.steps if one.op == op)


# --- one policy after another ----------------------------------------------------------------------------------------


async def test_a_value_that_was_never_said_is_told_as_that(case: Case) -> None:
    """Nothing is invented; what it counts as is said."""
    told = await case.told(BOOKING, "status")
    assert (told.said, told.value, told.stands, told.steps) == (False, "arrived", "", ())
    words = await case.words(BOOKING, "status")
    assert words.startswith(
        "status of this custody-booking: nobody has said anything. It counts as arrived.\nThe rule is"
    )
    assert (await case.words(BOOKING, "offence")).startswith(
        "offence of this custody-booking: nobody has said anything.\n"
    )


async def test_latest_tells_the_chain_back_to_the_first_value(case: Case) -> None:
    """Each value with what replaced it, and whether the author of that had seen it."""
    case.a.write(BOOKING, CustodyBooking, detainee="Ann Sample")
    case.b.write(BOOKING, CustodyBooking, detainee="Anne Sample")
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "detainee")
    assert (told.value, told.stands) == ("Anne Sample", "desk-b/1")
    assert told.chain == ("desk-b/1", "desk-a/3", "desk-a/2")
    assert fates(told) == [
        ("said", "desk-a/2", "superseded"),
        ("said", "desk-a/3", "superseded"),
        ("said", "desk-b/1", "shown"),
    ]
    assert (step(told, "desk-a/2").by, step(told, "desk-a/2").seen_by) == (("desk-a/3",), ("desk-a/3", "desk-b/1"))
    assert (step(told, "desk-a/3").by, step(told, "desk-a/3").seen_by) == (("desk-b/1",), ())
    assert (step(told, "desk-b/1").over, step(told, "desk-b/1").unseen) == (("desk-a/3",), ("desk-a/3",))
    words = await case.words(BOOKING, "detainee")
    assert (
        "“Anne Sample”. DESK-B on device desk-b said so: it happened at 2023-11-14T22:12:25Z and was recorded" in words
    )
    assert "(desk-a/2), the first value." in words
    assert "It was replaced by DESK-A (desk-a/3), who had seen it." in words
    assert "It was replaced by DESK-B (desk-b/1), who had not seen it." in words


async def test_latest_tells_of_a_change_that_came_too_late_to_stand(case: Case) -> None:
    """It never stood; the one that did is named, with what its author had not seen."""
    case.a.write(BOOKING, CustodyBooking, detainee="Ann Sample")
    case.b.write(BOOKING, CustodyBooking, detainee="Anne Sample")
    await case.each(case.b, case.a)
    told = await case.told(BOOKING, "detainee")
    late = step(told, "desk-a/3")
    assert (late.fate, late.instead, late.met) == ("passed-over", "desk-b/1", ("desk-b/1",))
    words = await case.words(BOOKING, "detainee")
    assert "It never stood. What stood instead: “Anne Sample”, from DESK-B on device desk-b (desk-b/1)." in words


async def test_once_tells_what_waits_what_confirms_and_what_was_decided(case: Case) -> None:
    """From the question to the decision with its reason, and the entitled correction after it."""
    item = await case.over_time()
    confirming = case.late("desk-c", BOOKING)
    confirming.write(BOOKING, CustodyBooking, relevant_time=NOW - 200_000)
    await confirming.push()
    told = await case.told(BOOKING, "relevant_time")
    assert fates(told) == [
        ("said", "desk-b/1", "shown"),
        ("said", "desk-a/3", "waits"),
        ("said", "desk-c/1", "confirmed"),
    ]
    assert step(told, "desk-a/3").item == item
    (question,) = told.questions
    assert (question.state, question.roles, question.escalated) == ("open", ("custody-officer",), ())
    words = await case.words(BOOKING, "relevant_time")
    assert f"Inbox item {item} was opened at" in words
    assert "is not decided. It asks custody officer, by" in words
    assert "That stood already, so it changed nothing." in words

    case.clock.advance(31 * 60_000)
    await case.office.escalate(item, lambda about: missed(about, case.clock.now), AUTHOR)
    op = await case.decide(item, NOW - 100_000, "CCTV")
    told = await case.told(BOOKING, "relevant_time")
    assert (told.value, told.stands, told.chain) == (NOW - 100_000, op, (op, "desk-a/3", "desk-b/1"))
    decided = step(told, op)
    assert (decided.way, decided.fate, decided.item, decided.why) == ("decided", "shown", item, "CCTV")
    assert set(decided.over) == {"desk-a/3", "desk-b/1"}
    assert decided.unseen == ()
    assert [one.way for one in told.steps] == ["said", "said", "said", "asked", "decided"]
    words = await case.words(BOOKING, "relevant_time")
    assert "WM77 on device control-room decided so" in words
    assert "Asked as well, at" in words
    assert "and was decided by WM77 at" in words
    assert "The reason: “CCTV”." in words

    await case.b.pull(BOOKING)
    case.b.correct(BOOKING, CustodyBooking, "relevant_time", NOW - 50_000)
    await case.b.push()
    told = await case.told(BOOKING, "relevant_time")
    assert fates(told)[-1] == ("corrected", "desk-b/2", "shown")
    assert told.chain[:2] == ("desk-b/2", op)
    assert "DESK-B on device desk-b corrected it to that" in await case.words(BOOKING, "relevant_time")


async def test_highest_tells_what_stands_beside(case: Case) -> None:
    """A lowering that had not seen the raise is kept beside it."""
    case.a.write(BOOKING, CustodyBooking, risk="high")
    case.b.write(BOOKING, CustodyBooking, risk="standard")
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "risk")
    assert fates(told) == [("said", "desk-a/3", "shown"), ("said", "desk-b/1", "beside")]
    assert step(told, "desk-b/1").met == ("desk-a/3",)
    words = await case.words(BOOKING, "risk")
    assert "Its author had not seen what differed: high, from DESK-A on device desk-a (desk-a/3)." in words
    await case.share(BOOKING)
    case.b.write(BOOKING, CustodyBooking, risk="medium")
    await case.b.push()
    told = await case.told(BOOKING, "risk")
    assert [fate for *_, fate in fates(told)] == ["superseded", "superseded", "shown"]
    assert set(told.chain) == {"desk-b/2", "desk-b/1", "desk-a/3"}


async def test_grow_tells_every_entry(case: Case) -> None:
    """Each stands; none replaces another."""
    case.a.write(BOOKING, CustodyBooking, log=[{"text": "Meal."}, {"text": "Rest."}])
    case.b.write(BOOKING, CustodyBooking, log=[{"text": "Doctor called."}])
    await case.each(case.a, case.b)
    told = await case.told(BOOKING, "log")
    assert fates(told) == [("added", op, "shown") for op in ("desk-a/3", "desk-a/3", "desk-b/1")]
    words = await case.words(BOOKING, "log")
    assert words.startswith("log of this custody-booking: 3 entries.")
    assert "DESK-B on device desk-b added “Doctor called.”" in words


async def test_tags_tell_who_removed_what_and_what_stays_unseen(case: Case) -> None:
    """A removal with its author; a warning that was added unseen meanwhile stays, and it is said why."""
    violent, drugs = {"warning": "violent"}, {"warning": "drugs"}
    case.a.write(BOOKING, CustodyBooking, markers={"add": [violent, drugs]})
    await case.a.push()
    await case.share(BOOKING)
    case.a.write(BOOKING, CustodyBooking, markers={"remove": [violent, drugs]})
    case.b.write(BOOKING, CustodyBooking, markers={"add": [violent]})
    await case.each(case.b, case.a)
    told = await case.told(BOOKING, "markers")
    assert told.value == [violent]
    assert fates(told) == [
        ("added", "desk-a/3", "superseded"),
        ("added", "desk-a/3", "superseded"),
        ("added", "desk-b/1", "shown"),
        ("removed", "desk-a/4", "done"),
        ("removed", "desk-a/4", "done"),
    ]
    assert [one.by for one in told.steps[:3]] == [("desk-a/4",), ("desk-a/4",), ()]
    assert (told.steps[3].over, told.steps[3].met) == (("desk-a/3",), ("desk-b/1",))
    words = await case.words(BOOKING, "markers")
    assert "DESK-A on device desk-a added drugs" in words
    assert "It was taken away by DESK-A (desk-a/4), who had seen it." in words
    assert "DESK-A on device desk-a took violent away" in words
    assert "It stays all the same, because its author had not seen that it was added too: violent, from DESK-B" in words


async def test_state_tells_a_contested_ending_in_either_order(case: Case) -> None:
    """The closing, what it had not seen, who added that, and what is shown until somebody decides."""
    given = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Fight"}
    for first in (False, True):
        record = named_record_id("incident", str(first))
        case.a.write(record, Incident, create=True, **given)  # type: ignore[arg-type]  # fields of the record
        await case.a.push()
        await case.share(record)
        closing = case.a.write(record, Incident, status="closed")
        arrest = case.b.write(record, Incident, arrests=[{"person": "Bo Example", "arrested_at": int(NOW)}])
        await case.each(*((case.a, case.b) if first else (case.b, case.a)))
        told = await case.told(record, "status")
        assert (told.value, told.stands, fates(told)) == ("attended", "", [("said", closing.id, "waits")])
        (question,) = told.questions
        (against,) = question.against
        assert (against.ending, against.entry, against.author, against.field) == (
            closing.id,
            arrest.id,
            "DESK-B",
            "arrests",
        )
        words = await case.words(record, "status")
        assert "attended. People differ, so this is the safe choice until somebody decides." in words
        assert f"had not seen what DESK-B added to arrests ({arrest.id})." in words
        op = await case.decide(question.item, "closed", "The arrest was at another address.")
        told = await case.told(record, "status")
        assert (told.value, told.stands) == ("closed", op)


async def test_a_question_that_no_change_of_the_field_led_to_is_told(case: Case) -> None:
    """A closing that was decided is contested by an arrest: no act names the item, and it is found all the same."""
    given = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Fight"}
    case.a.write(INCIDENT, Incident, create=True, **given)  # type: ignore[arg-type]  # fields of the record
    await case.a.push()
    await case.share(INCIDENT)
    case.a.write(INCIDENT, Incident, status="closed")
    case.b.write(INCIDENT, Incident, arrests=[{"person": "Bo Example", "arrested_at": int(NOW)}])
    case.b.write(INCIDENT, Incident, arrests=[{"person": "Di Example", "arrested_at": int(NOW)}])
    waiting = case.b.hold_back()
    await case.each(case.a, case.b)
    (first,) = (await case.told(INCIDENT, "status")).questions
    await case.decide(first.item, "closed", "No further action.")
    case.b.send(waiting)
    await case.b.push()
    told = await case.told(INCIDENT, "status")
    assert [(question.state, len(question.against)) for question in told.questions] == [("decided", 0), ("open", 1)]


async def test_judged_tells_that_the_safe_choice_is_shown(case: Case) -> None:
    """Nobody's word stands while people differ; each of them waits."""
    await case.care("medication", ["aspirin"], ["insulin"])
    told = await case.told(MEDICAL, "medication")
    assert (told.value, told.stands, told.chain) == (["aspirin", "insulin"], "", ())
    assert [fate for *_, fate in fates(told)] == ["waits", "waits"]
    words = await case.words(MEDICAL, "medication")
    assert words.startswith("medication of this medical: aspirin and insulin. People differ")
    assert "care is given as if all of it were true." in words


async def test_claim_tells_who_holds_who_is_displaced_and_until_when(case: Case) -> None:
    """Held, displaced, given up, reserved, and a reservation whose time has passed."""
    await case.over_cell()
    told = await case.told(CELL, "hold")
    assert fates(told) == [("said", "desk-b/1", "shown"), ("said", "desk-a/3", "waits")]
    words = await case.words(CELL, "hold")
    assert "hold of this resource: held for booking-b. DESK-B on device desk-b said so" in words
    assert "DESK-A on device desk-a claimed it for booking-a" in words

    other = named_record_id("cell", "M2")
    until = case.clock.now + 3_600_000
    given = {"category": "cell", "name": "M2", "home": "suite:perry-barr", "hold": {"holder": "desk", "until": until}}
    case.a.write(other, Resource, create=True, **given)  # type: ignore[arg-type]  # fields of the record
    await case.a.push()
    words = await case.words(other, "hold")
    assert "reserved for desk until 2023-11-14T23:" in words
    assert "reserved it for desk until" in words
    assert "nobody has it now" not in words
    case.clock.now = Millis(until)
    assert "So nobody has it now." in await case.words(other, "hold")
    await case.a.pull(other)
    case.a.write(other, Resource, hold={"holder": "booking-z"})
    await case.a.push()
    await case.a.pull(other)
    case.a.write(other, Resource, hold=None)
    await case.a.push()
    told = await case.told(other, "hold")
    assert (told.value, len(told.chain)) == (None, 3)
    words = await case.words(other, "hold")
    assert "gave it up" in words
    assert "So nobody has it now." in words


async def test_the_claim_on_a_suspect_is_told_like_every_other(case: Case) -> None:
    """A kind of another module, without a word about it here."""
    record = named_record_id("suspect")
    case.a.write(record, Suspect, create=True, name="Cy Example", wanted_for="Robbery", area="birmingham")
    await case.a.push()
    await case.share(record)
    await case.differ(record, Suspect, "claimed", {"holder": "WM1"}, {"holder": "WM2"})
    words = await case.words(record, "claimed")
    assert "held for WM1" in words
    assert "so that two teams do not go in unaware." in words


# --- what goes across policies ---------------------------------------------------------------------------------------


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
    for status in ("detained", "released"):
        case.a.write(BOOKING, CustodyBooking, status=status)
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


async def row(case: Case, record: RecordId) -> bytes:
    """A record's row."""
    found = await case.store.record(record)
    assert found is not None
    return found


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


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who works with every record."""
    async with client(server, caller) as http:
        yield http


async def test_an_explanation_is_given_as_words_and_as_data(server: Running, http: httpx.AsyncClient) -> None:
    """Of one field, or of all of which anything was said; what cannot be is named."""
    disputes = Disputes(server.store, server.beatbook.committer, server.clock)
    await disputes.begin()
    await disputes.over_time()
    path = f"/v1/records/{BOOKING}/explanation"
    one = (await http.get(path, params={"field": "relevant_time"})).json()
    (field,) = one["fields"]
    assert field["history"]["stands"] == "desk-b/1"
    assert field["words"][0].startswith("relevant time of this custody-booking: 2023-11-14T22:10:00Z. DESK-B on device")
    every = (await http.get(path)).json()
    assert [each["history"]["field"] for each in every["fields"]] == [
        "suite",
        "detainee",
        "arrested_at",
        "relevant_time",
    ]
    assert refusal(await http.get(path, params={"field": "colour"}), 422, "field='colour': a custody-booking has suite")
    refusal(await http.get(f"/v1/records/{named_record_id('nobody')}/explanation"), 404)
    refusal(await http.get("/v1/records/x/explanation"), 404)


async def test_a_history_has_every_op_with_its_result(server: Running, http: httpx.AsyncClient) -> None:
    """Refused ones too, both times, what each did; and pages leave nothing out."""
    disputes = Disputes(server.store, server.beatbook.committer, server.clock)
    await disputes.begin()
    item = await disputes.over_time()
    late = disputes.late("desk-c")
    late.write(
        BOOKING, CustodyBooking, create=True, suite="perry-barr", detainee="Ann Example", arrested_at=NOW, why="Again."
    )
    await late.push()
    path = f"/v1/records/{BOOKING}/history"
    made, first, second, refused = (await http.get(path)).json()["ops"]
    assert (made["op"], made["create"], made["acts"], made["status"]) == ("desk-a/2", True, [], "durable")
    assert (first["author"], first["changes"]) == ("DESK-B", {"relevant_time": NOW - 200_000})
    assert first["recorded_at"] > first["clock"] > first["wall"] > first["occurred_at"]
    assert second["acts"] == [
        {
            "record": BOOKING,
            "field": "relevant_time",
            "stands": "desk-b/1",
            "met": ["desk-b/1"],
            "item": item,
        }
    ]
    assert second["stands"] == {"relevant_time": "desk-b/1"}
    assert (refused["status"], refused["code"], refused["why"]) == ("refused", "op_record_exists", "Again.")
    paged: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (await http.get(path, params={"after": after, "limit": 1})).json()
        paged += [op["place"] for op in page["ops"]]
        after = page["next"]
    assert paged == [op["place"] for op in (made, first, second, refused)]
    assert paged == sorted(set(paged))


@pytest.mark.parametrize(
    ("query", "words"), [("limit=0", "limit='0'"), ("after=x", "after='x'"), ("after=-1", "after='-1'")]
)
async def test_a_query_of_a_history_that_cannot_be_is_refused(
    server: Running, http: httpx.AsyncClient, query: str, words: str
) -> None:
    """The parameter at fault is named; a record that is not there is told as that."""
    path = f"/v1/records/{named_record_id('nobody')}/history"
    refusal(await http.get(f"{path}?{query}"), 422, words)
    refusal(await http.get(path), 404)
