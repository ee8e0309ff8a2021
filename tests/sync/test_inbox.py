"""The inbox: what is asked, what a decision does and does not, two who decide at once, and that every question ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, OpId, RecordId, Seq
from schemas.kinds import KINDS, InboxItem
from sync import inbox, merge
from tests import examples
from tests.example_rows import ROWS
from tests.sync.policies import conftest
from tests.sync.policies.drawing import Drawn, one_dispute
from tests.sync.policies.oracles import check_again, look, require
from tests.sync.policies.people import apart
from tests.sync.policies.world import MINUTE_MS, RECORD, SECOND_MS, T0, Desk, Server, begin, in_touch

ROUNDS = 12
"""More decisions than any case of this module needs until nothing is open."""
without_rules = conftest.without_rules
"""As in the tests of the policies, whose cases these are."""


def differ(count: int = 2, field: str = "disposal", values: tuple[Any, ...] = ("bail", "caution")) -> tuple[Any, ...]:
    """A server and devices; the first two differ about a field, and everyone knows."""
    server, people = begin("custody-booking", count)
    for desk, value in zip(people, values, strict=False):
        desk.say({field: value})
    in_touch(server, *people)
    return server, people


def only(server: Server) -> tuple[InboxItem, RecordId]:
    """The one question that is open."""
    [question] = server.questions()
    return question


def decide_all(server: Server, desk: Desk) -> int:
    """One person decides whatever is asked, the last candidate each time, until nothing is. Returns how many."""
    for count in range(ROUNDS):
        desk.push(server)
        desk.pull(server)
        questions = desk.questions()
        if not questions:
            return count
        item, record = questions[0]
        desk.decide(record, item.candidates[-1].value)
    raise AssertionError(f"after {ROUNDS} decisions there is still something to decide")


@given(st.sampled_from(["once", "state", "judged", "claim"]).flatmap(one_dispute))
def test_every_question_comes_to_an_end(what: Drawn) -> None:
    """However people have differed and decided, one who sees everything can settle all of it, and nothing is lost."""
    case = apart(what)
    for device, op in case.ops:
        case.server.push(device, op)
    check_again(case)
    decide_all(case.server, Desk(DeviceId("scribe-1"), what.spec))
    look(case.server)
    require(not case.server.questions(), "something is still open")


def test_an_item_says_who_what_and_why() -> None:
    """Field, policy, who decides and by when, what is shown and why; each candidate with what its author had seen."""
    server, (one, other) = begin("custody-booking", disposal="bail")
    first = one.say(disposal="charged-bailed", now=T0 + 1)
    second = other.say(disposal="caution", now=T0 + 2)
    in_touch(server, one, other)
    item, record = only(server)
    assert record == inbox.item_id(RECORD, FieldName("disposal"), "")
    assert (item.subject, item.subject_kind, item.field, item.policy) == (
        RECORD,
        "custody-booking",
        "disposal",
        "judged",
    )
    assert [role.value for role in item.roles] == ["custody-officer"]
    assert item.due_at == item.opened_at + 30 * MINUTE_MS
    assert item.shown is None
    assert "neither released nor charged" in item.safe_because
    assert [(each.value, each.saw, each.wall) for each in item.candidates] == [
        ("charged-bailed", first.saw[FieldName("disposal")], T0 + 1),
        ("caution", second.saw[FieldName("disposal")], T0 + 2),
    ]
    assert scopes.inbox(scopes.suite("birmingham")) in item.scopes()


def test_a_decision_made_offline_shows_at_once_and_settles_on_arrival() -> None:
    """The device shows the item decided; the record follows with the commit, and the item leaves the inbox."""
    server, (one, other) = differ()
    _, record = only(server)
    decision = one.decide(record, "caution")
    assert one.questions() == []
    one.push(server)
    assert server.shows("disposal") == "caution"
    assert server.whose("disposal") == [decision.id]
    assert server.questions() == []
    other.pull(server)
    assert other.shows("disposal") == "caution"
    look(server)


def test_questions_are_decided_in_any_order() -> None:
    """Two questions about one record do not stand in each other's way."""
    ends = []
    for turn in (1, -1):
        server, (one, other) = begin("custody-booking")
        one.say(disposal="bail", appropriate_adult="needed")
        other.say(disposal="caution", appropriate_adult="not-needed")
        in_touch(server, one, other)
        for item, record in sorted(server.questions(), key=lambda each: each[0].field)[::turn]:
            one.decide(record, {"disposal": "court", "appropriate_adult": "needed"}[item.field])
            one.push(server)
            look(server)
        ends.append((server.shows("disposal"), server.shows("appropriate_adult"), server.questions()))
    assert ends == [("court", "needed", [])] * 2


def test_of_two_decisions_the_first_is_followed_and_a_person_asked_which_holds() -> None:
    """The second becomes a question of its own about the first question; deciding that settles the record."""
    server, (one, other) = differ()
    _, record = only(server)
    followed, second = one.decide(record, "bail"), other.decide(record, "caution")
    in_touch(server, one, other)
    assert server.whose("disposal") == [followed.id]
    item, about_it = only(server)
    assert (item.subject, item.field, item.policy) == (record, "decision", "once")
    [other_answer] = [each.value for each in item.candidates if each.value["value"] == "caution"]
    last = other.decide(about_it, other_answer)
    other.push(server)
    assert server.shows("disposal") == "caution"
    assert server.whose("disposal") == [last.id]
    assert server.questions() == []
    assert second.id != last.id
    look(server)


def test_two_who_decide_the_same_agree() -> None:
    """Other words for the reason are no other decision."""
    server, (one, other) = differ()
    _, record = only(server)
    one.decide(record, "bail")
    other.decide(record, "bail")
    in_touch(server, one, other)
    assert server.questions() == []
    assert server.shows("disposal") == "bail"
    look(server)


def test_questions_about_questions_end() -> None:
    """Two also differ about which decision holds: that is a third question, and its answer reaches the record."""
    server, (one, other) = differ()
    _, record = only(server)
    one.decide(record, "bail")
    other.decide(record, "caution")
    in_touch(server, one, other)
    item, second = only(server)
    one.decide(second, item.candidates[0].value)
    other.decide(second, item.candidates[1].value)
    in_touch(server, one, other)
    item, third = only(server)
    assert item.subject == second
    chosen = item.candidates[1].value
    last = one.decide(third, chosen)
    one.push(server)
    assert server.questions() == []
    assert server.whose("disposal") == [last.id]
    assert server.shows("disposal") == chosen["value"]["value"]
    look(server)


@pytest.mark.parametrize("decided_first", [True, False])
def test_a_value_that_the_decider_had_not_seen_is_asked_about_anew(*, decided_first: bool) -> None:
    """In either order the decision and the late value stand beside each other, in a new question."""
    server, (one, other, late) = begin("custody-booking", 3)
    one.say(disposal="bail")
    other.say(disposal="caution")
    in_touch(server, one, other)
    _, record = only(server)
    decision, value = one.decide(record, "bail"), late.say(disposal="court")
    for desk in (one, late) if decided_first else (late, one):
        desk.push(server)
    item, new = only(server)
    assert new == inbox.item_id(RECORD, FieldName("disposal"), decision.id)
    assert {each.value for each in item.candidates} == {"bail", "court"}
    assert set(server.whose("disposal")) == {decision.id, value.id}
    look(server)


@pytest.mark.parametrize("decided_first", [True, False])
def test_a_decision_to_close_ends_no_work_that_its_author_did_not_know_of(*, decided_first: bool) -> None:
    """An arrest made meanwhile contests it in either order; the one that the question was about does not."""
    server, (one, other, late) = begin("incident", 3)
    one.say(status="closed")
    other.say(arrests=[{"person": "Sam Example", "arrested_at": T0}])
    in_touch(server, one, other)
    _, record = only(server)
    decision = one.decide(record, "closed")
    late.say(arrests=[{"person": "Kim Example", "arrested_at": T0}])
    for desk in (one, late) if decided_first else (late, one):
        desk.push(server)
    assert server.shows("status") == "attended"
    item, again = only(server)
    assert again == inbox.item_id(RECORD, FieldName("status"), decision.id)
    assert item.shown == "attended"
    look(server)
    in_touch(server, one)
    one.decide(again, "closed")
    one.push(server)
    assert server.shows("status") == "closed"
    assert server.questions() == []
    look(server)


def test_a_decision_between_decisions_takes_no_value_that_nobody_had_seen() -> None:
    """A late value, unseen by either decider, outlives the decision on which of theirs holds."""
    server, (one, other, late) = begin("custody-booking", 3)
    one.say(disposal="bail")
    other.say(disposal="caution")
    in_touch(server, one, other)
    _, record = only(server)
    one.decide(record, "bail")
    other.decide(record, "caution")
    value = late.say(disposal="court")
    in_touch(server, late, one, other)
    [about_decisions] = [each for each in server.questions() if each[0].subject == record]
    one.decide(about_decisions[1], about_decisions[0].candidates[1].value)
    one.push(server)
    assert value.id in server.whose("disposal")
    assert [item.subject for item, _ in server.questions()] == [RECORD]
    look(server)


def test_a_question_that_settles_itself_says_by_what() -> None:
    """When nothing differs any more the item names the op after which nothing was left to decide."""
    server, (one, other) = begin("custody-booking")
    one.say(disposal="bail")
    other.say(disposal="caution")
    in_touch(server, one)
    gives_way = other.say(disposal="bail")
    other.push(server)
    items = [row for row in server.rows() if row.kind == "inbox-item"]
    assert [row.cells[FieldName("ended_by")][0] for row in items] == [gives_way.id] * len(items)
    assert server.questions() == []


def test_a_correction_ends_the_question() -> None:
    """An entitled correction by someone who saw both values leaves nothing to decide."""
    server, (one, _) = differ(field="relevant_time", values=(T0, T0 + SECOND_MS))
    _, record = only(server)
    right = one.say(relevant_time=T0 + MINUTE_MS, correct=True)
    one.push(server)
    assert server.questions() == []
    assert server.whose("relevant_time") == [right.id]
    [row] = [each for each in server.rows() if each.id == record]
    assert row.cells[FieldName("ended_by")][0] == right.id
    look(server)


def test_a_decision_that_comes_after_a_correction_asks_anew() -> None:
    """Who decided the old question had not seen the correction: neither is dropped."""
    server, (one, other) = differ(field="relevant_time", values=(T0, T0 + SECOND_MS))
    _, record = only(server)
    right = one.say(relevant_time=T0 + MINUTE_MS, correct=True)
    late = other.decide(record, T0 + SECOND_MS)
    in_touch(server, one, other)
    assert server.whose("relevant_time") == [right.id, late.id]
    assert only(server)[1] == inbox.item_id(RECORD, FieldName("relevant_time"), late.id)
    look(server)


def test_what_is_decided_must_be_a_value_of_the_field() -> None:
    """The device refuses a decision that the record could not hold."""
    server, (one, _) = differ()
    _, record = only(server)
    with pytest.raises(UsageError, match="decision for disposal"):
        one.decide(record, 7)


def test_an_item_is_one_for_a_field_since_a_decision() -> None:
    """Its id follows from the record, the field and the decision that last settled it, and from nothing else."""
    ids = {
        inbox.item_id(RECORD, FieldName(field), decided)
        for field in ("disposal", "status")
        for decided in ("", OpId("desk-1/4"), OpId("desk-1/5"))
    }
    assert len(ids) == 6
    assert inbox.item_id(RECORD, FieldName("disposal"), "") in ids


def incident_in(**where: object) -> merge.RecordState:
    """An incident with these fields besides those that it must have."""
    plain = {"opened_at": 1, "area": "birmingham", "category": "crime", "summary": "A break-in.", **where}
    made = examples.op(1, examples.INCIDENT, "incident", plain, create=True)
    return merge.apply(merge.new_state(made, KINDS["incident"]), made, examples.T0, Seq(9))


@pytest.mark.parametrize("name", ["row-inbox-item", "row-inbox-item-decided"])
def test_an_item_goes_where_its_subject_goes(name: str) -> None:
    """Open or settled: what was said of a record is told to nobody who may no longer see the record."""
    item = merge.from_row(ROWS[name])
    stamp = examples.stamp(examples.OTHER, 30, 80)
    after = inbox.moved(item, incident_in(compartment="larch", teams={"add": ["operations"]}), stamp)
    assert after is not None
    built = after.build()
    assert isinstance(built, InboxItem)
    larch = scopes.compartment("larch")
    assert after.scopes() == ({larch, scopes.inbox(larch)} if built.open else {larch})
    assert (after.id, after.version, built.candidates) == (item.id, 80, item.build().candidates)  # type: ignore[attr-defined]
    assert inbox.moved(after, incident_in(compartment="larch"), stamp) is None


def test_an_item_of_an_opened_record_is_everywhere_the_record_is() -> None:
    """A record that leaves its compartment takes its questions with it."""
    item = merge.from_row(ROWS["row-inbox-item"])
    after = inbox.moved(item, incident_in(missions={"add": ["castle"]}), examples.stamp(examples.OTHER, 30, 80))
    assert after is not None
    assert after.build().writing_scopes() == {"area:birmingham:inbox", "mission:castle:inbox"}
