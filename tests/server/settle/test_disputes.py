"""What no rule settles: the commit that brings it about makes its inbox item, and later ones keep it true or end it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_down
from schemas.ids import DeviceId, FieldName, Millis, OpId, RecordId, ScopeName, Seq
from schemas.kinds import InboxItem
from schemas.limits import COMMIT_BYTES_SOFT_MAX, MESSAGE_BYTES_MAX, PAGE_BYTES_MAX, RECORD_BYTES_MAX
from schemas.wire import Batch
from server.commits import Submission
from sync import digest, inbox
from tests.server.settle.desk import (
    BOOKING,
    CELL,
    NOW,
    OLDBURY,
    SUITE,
    SUITE_INBOX,
    Desk,
    frame_of,
    name,
    op,
    record,
)

ADULT, RISK = FieldName("appropriate_adult"), FieldName("risk")


def booking(n: int, changes: dict[str, Any] | None = None, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """An op on the booking."""
    return op(n, 1, changes, kind="custody-booking", **more)


@pytest.fixture
def desk() -> Desk:
    """A store with one booking."""
    desk = Desk()
    desk.one(booking(1))
    return desk


def item_of(desk: Desk, field: str, decided: OpId | str = "") -> InboxItem:
    """The inbox item about a field of the booking, which is there."""
    found = desk.item(1, field, decided)
    assert found is not None
    return found


def differ_about_adult(desk: Desk) -> None:
    """Two people, without sight of each other, say whether the detainee needs an adult."""
    desk.one(booking(1, {ADULT: "needed"}, device="hh-2", saw={ADULT: ()}))
    desk.one(booking(1, {ADULT: "not-needed"}, device="hh-3", saw={ADULT: ()}))


# --- making and keeping up -------------------------------------------------------------------------------------------


def test_a_disagreement_is_asked_about_in_the_commit_that_brings_it(desk: Desk) -> None:
    """One commit, two records: no reader ever sees the one without the other."""
    desk.one(booking(1, {ADULT: "needed"}, device="hh-2", saw={ADULT: ()}, why="is 16", wall=Millis(NOW - 9)))
    assert desk.item(1, ADULT) is None
    second = booking(1, {ADULT: "not-needed"}, device="hh-3", saw={ADULT: ()}, base=Seq(1))
    settled = desk.submit(second, device="hh-3", now=NOW + 7)
    item = inbox.item_id(record(1), ADULT, "")
    assert {row.record for row in settled.rows} == {record(1), item}
    found = item_of(desk, ADULT)
    assert found.open
    assert (found.subject, found.subject_kind, found.field, found.policy) == (
        record(1),
        "custody-booking",
        ADULT,
        "judged",
    )
    assert (found.places, found.shown, found.opened_at) == (("suite:perry-barr",), "needed", NOW + 7)
    assert found.due_at == NOW + 7 + 30 * 60_000
    assert [role.value for role in found.roles] == ["custody-officer"]
    assert found.safe_because.startswith("An adult called in vain")
    assert [(one.value, one.why, one.wall, one.base) for one in found.candidates] == [
        ("needed", "is 16", NOW - 9, 0),
        ("not-needed", "", NOW, 1),
    ]
    said_by = [entry.stamp.op for entry in desk.held(item).cells[FieldName("candidates")].entries]
    assert said_by == [name("hh-2", 1), name("hh-3", 1)]
    assert [(act.field, act.met, act.item) for act in desk.acts("hh-3", 1)] == [(ADULT, (name("hh-2", 1),), item)]
    assert desk.lost() == []


def test_both_scopes_are_told_of_the_question_in_the_same_batch(desk: Desk) -> None:
    """Those who see the record and those who decide get it with the record's change; both heads are right."""
    desk.one(booking(2, {"arrested_at": 5}))
    before = desk.members(SUITE)
    settled = desk.submit(booking(3, {"arrested_at": 9}))
    item = inbox.item_id(record(1), FieldName("arrested_at"), "")
    suite, asked = settled.scopes
    assert (suite.scope, asked.scope) == (SUITE, SUITE_INBOX)
    assert set(suite.members) == {record(1), item}
    assert asked.members == (item,)
    assert suite.head.digest == digest.of([*(before | {record(1): settled.seq}).items(), (item, settled.seq)])
    assert (suite.head.count, asked.head.count) == (2, 1)
    assert asked.head.digest == digest.of([(item, settled.seq)])
    assert settled.results[0].scopes == (SUITE,), "a result tells where the op's own record is, not the question's"


def test_a_third_value_joins_the_same_question(desk: Desk) -> None:
    """One disagreement is one item, whoever joins it; the deadline stays where it was."""
    differ_about_adult(desk)
    desk.one(booking(1, {ADULT: None}, device="hh-4", saw={ADULT: ()}), now=NOW + 60_000)
    found = item_of(desk, ADULT)
    assert [one.value for one in found.candidates] == ["needed", "not-needed", None]
    assert found.opened_at == NOW
    assert desk.items() == [inbox.item_id(record(1), ADULT, "")]


def test_a_change_that_disputes_nothing_leaves_the_question_alone(desk: Desk) -> None:
    """An item's version moves only with what it says: devices are not sent it again for nothing."""
    differ_about_adult(desk)
    item = inbox.item_id(record(1), ADULT, "")
    before = desk.row(item)
    desk.one(booking(2, {RISK: "high", "log": [{"text": "x"}]}))
    assert desk.row(item) == before


def test_a_dispute_that_dissolves_ends_the_question(desk: Desk) -> None:
    """Somebody who saw only the odd value out puts it right: nothing differs any more, and nobody is asked."""
    differ_about_adult(desk)
    agreed = booking(2, {ADULT: "needed"}, device="hh-3", saw={ADULT: (name("hh-3", 1),)})
    settled = desk.submit(agreed, device="hh-3")
    found = item_of(desk, ADULT)
    assert (found.open, found.ended_by, found.decision) == (False, name("hh-3", 2), None)
    asked = next(change for change in settled.scopes if change.scope == SUITE_INBOX)
    assert (asked.gone, asked.head.count) == ((inbox.item_id(record(1), ADULT, ""),), 0)
    assert desk.lost() == []


def test_a_dispute_that_comes_back_opens_the_question_again(desk: Desk) -> None:
    """It is the same question as long as nobody has decided it: whoever looks finds what was said before."""
    differ_about_adult(desk)
    desk.one(booking(2, {ADULT: "needed"}, device="hh-3", saw={ADULT: (name("hh-3", 1),)}))
    desk.one(booking(1, {ADULT: "not-needed"}, device="hh-5", saw={ADULT: ()}, hlc=(NOW, 3)))
    found = item_of(desk, ADULT)
    assert (found.open, found.ended_by) == (True, None)
    assert [one.value for one in found.candidates] == ["needed", "not-needed", "needed", "not-needed"]
    assert inbox.item_id(record(1), ADULT, "") in desk.members(SUITE_INBOX)


def test_a_correction_ends_the_question(desk: Desk) -> None:
    """An entitled officer who saw all that was said settles it on the record itself."""
    desk.one(booking(2, {"arrested_at": 9}))
    both = {FieldName("arrested_at"): (name("hh-1", 1), name("hh-1", 2))}
    desk.one(booking(1, {"arrested_at": 7}, device="desk-1", correct=True, saw=both))
    found = item_of(desk, "arrested_at")
    assert (found.open, found.ended_by) == (False, name("desk-1", 1))
    assert desk.values(1)["arrested_at"] == 7
    assert desk.item(1, "arrested_at", name("desk-1", 1)) is None
    assert desk.lost() == []


def test_open_questions_move_with_their_record(desk: Desk) -> None:
    """A person taken to another suite takes the questions along: that suite's inbox has them, the old one's not."""
    differ_about_adult(desk)
    item = inbox.item_id(record(1), ADULT, "")
    settled = desk.submit(booking(2, {"suite": "oldbury"}))
    oldbury_inbox = ScopeName("suite:oldbury:inbox")
    assert {row.record for row in settled.rows} == {record(1), item}
    assert (item_of(desk, ADULT).places, item_of(desk, ADULT).open) == (("suite:oldbury",), True)
    gone = {change.scope: set(change.gone) for change in settled.scopes}
    assert gone[SUITE] == {record(1), item}
    assert gone[SUITE_INBOX] == {item}
    assert {record(1), item} == desk.members(OLDBURY).keys()
    assert {item} == desk.members(oldbury_inbox).keys()
    decision = op(3, item, {"decision": {"value": "needed", "reason": "x"}}, kind="inbox-item")
    assert desk.one(decision, scopes=frozenset({oldbury_inbox})).status == "durable"


# --- deciding --------------------------------------------------------------------------------------------------------


def decide(n: int, value: object, device: str = "desk-1", field: FieldName = ADULT, **more: Any) -> bytes:  # noqa: ANN401
    """A decision about a field of the booking."""
    item = inbox.item_id(record(1), field, "")
    return op(n, item, {"decision": {"value": value, "reason": "asked"}}, kind="inbox-item", device=device, **more)


def test_settled_questions_move_with_their_record_too(desk: Desk) -> None:
    """What was asked and decided goes on being nobody's business where the record no longer is."""
    differ_about_adult(desk)
    item = inbox.item_id(record(1), ADULT, "")
    decision = {"decision": {"value": "needed", "reason": "is 16"}}
    desk.one(op(2, item, decision, kind="inbox-item", device="hh-3"))
    assert not item_of(desk, ADULT).open
    moved = desk.submit(booking(2, {"suite": "oldbury"}, base=desk.held(1).version))
    assert item in {row.record for row in moved.rows}
    assert item not in desk.members(SUITE)
    assert item not in desk.members(SUITE_INBOX)
    assert item in desk.members(OLDBURY)


def test_a_decision_changes_two_records_in_one_commit(desk: Desk) -> None:
    """The item and the record it is about, in the batches of both their scopes; the decider is who stands there."""
    differ_about_adult(desk)
    settled = desk.submit(decide(1, "not-needed"), device="desk-1")
    item = inbox.item_id(record(1), ADULT, "")
    assert {row.record for row in settled.rows} == {record(1), item}
    changed = {change.scope: (set(change.members), set(change.gone)) for change in settled.scopes}
    assert changed == {SUITE: ({record(1), item}, set()), SUITE_INBOX: (set(), {item})}
    assert desk.members(SUITE) == {record(1): settled.seq, item: settled.seq}
    assert settled.scopes[0].head.digest == digest.of(list(desk.members(SUITE).items()))
    assert desk.values(1)[ADULT] == "not-needed"
    assert desk.stamp(1, ADULT).op == name("desk-1", 1)
    assert (item_of(desk, ADULT).open, item_of(desk, ADULT).ended_by) == (False, None)
    over = {(act.record, act.field): act.over for act in desk.acts("desk-1", 1)}
    assert over[record(1), ADULT] == (name("hh-2", 1), name("hh-3", 1))
    assert desk.lost() == []


def test_a_decision_settles_what_its_author_saw_and_no_more(desk: Desk) -> None:
    """A value that came while the desk was cut off is not decided away: it is asked about anew."""
    differ_about_adult(desk)
    seen = {FieldName("candidates"): (name("hh-2", 1), name("hh-3", 1))}
    desk.one(booking(1, {ADULT: None}, device="hh-4", saw={ADULT: ()}))
    desk.one(decide(1, "not-needed", saw=seen))
    again = item_of(desk, ADULT, name("desk-1", 1))
    assert again.open
    assert [one.value for one in again.candidates] == ["not-needed", None]
    assert not item_of(desk, ADULT).open
    assert desk.lost() == []


def test_a_decision_that_no_list_has_is_refused(desk: Desk) -> None:
    """A device of this version made a word up; what it would put into the record, the record could not hold."""
    desk.one(booking(2, {ADULT: "needed"}, device="hh-2"))
    desk.one(booking(1, {ADULT: "not-needed"}, device="hh-3", saw={ADULT: ()}))
    item = inbox.item_id(record(1), ADULT, "")
    made_up = op(9, item, {"decision": {"value": "perhaps", "reason": "Looked"}}, kind="inbox-item", device="hh-2")
    result = desk.one(made_up)
    assert (result.status, result.code) == ("refused", "op_value_wrong")
    assert desk.values(1)[ADULT] == "needed"


def test_of_two_decisions_made_apart_the_first_is_followed_and_the_second_asked_about(desk: Desk) -> None:
    """Neither desk is overruled in silence; the question about the decisions goes to those above."""
    differ_about_adult(desk)
    desk.one(decide(1, "needed"))
    result = desk.one(decide(1, "not-needed", device="desk-2"))
    assert result.stands == {"decision": "desk-1/1"}
    item = inbox.item_id(record(1), ADULT, "")
    above = desk.item(item, "decision")
    assert above is not None
    assert above.open
    assert [one.value["value"] for one in above.candidates] == ["needed", "not-needed"]
    assert desk.values(1)[ADULT] == "needed"
    on_top = {"decision": {"value": {"value": "not-needed", "reason": "x"}, "reason": "heard both"}}
    settled = desk.submit(op(2, inbox.item_id(item, FieldName("decision"), ""), on_top, kind="inbox-item"))
    assert settled.results[0].status == "durable"
    assert len(settled.rows) == 3, "the question about the decisions, the decision, and the booking"
    assert desk.values(1)[ADULT] == "not-needed"
    assert desk.lost() == []


def test_a_displaced_claim_is_decided_on_the_thing_itself() -> None:
    """A cell's item is decided and the cell's record changes hands, in the suite's scope and all custody desks'."""
    desk = Desk()
    desk.one(op(1, 1, CELL, kind="resource", create=True))
    hold = FieldName("hold")
    desk.one(op(2, 1, {hold: {"holder": "a"}}, kind="resource", saw={hold: ()}))
    result = desk.one(op(1, 1, {hold: {"holder": "b"}}, kind="resource", device="hh-2", saw={hold: ()}))
    assert result.stands == {"hold": "hh-1/2"}
    item = inbox.item_id(record(1), hold, "")
    chosen = {"decision": {"value": {"holder": "b"}, "reason": "younger"}}
    settled = desk.submit(op(1, item, chosen, kind="inbox-item", device="desk-1"), device="desk-1")
    assert desk.values(1)["hold"] == {"holder": "b"}
    assert {change.scope for change in settled.scopes} == {
        SUITE,
        SUITE_INBOX,
        ScopeName("custody"),
        ScopeName("custody:inbox"),
    }
    assert desk.lost() == []


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_all_rows_of_one_op_fit_where_one_record_would(desk: Desk) -> None:
    """A question about a record that is nearly full would not fit in one page with it: the op is refused, whole."""
    full, n = "x" * 4_000, 1
    while len(desk.row(1) or b"") < RECORD_BYTES_MAX - 9_000:
        n += 1
        desk.one(booking(n, {"log": [{"text": full}]}))
    wide = [f"{at:03}" + "x" * 190 for at in range(20)]
    desk.one(booking(n + 1, {"medication": wide[:10]}, saw={FieldName("medication"): ()}))
    before = (desk.row(1), desk.members(SUITE))
    result = desk.one(booking(1, {"medication": wide[10:]}, device="hh-2", saw={FieldName("medication"): ()}))
    assert (result.status, result.code) == ("refused", "op_record_full")
    assert "differ" in result.detail
    assert (desk.row(1), desk.members(SUITE)) == before
    assert desk.item(1, "medication") is None


_VALUES: dict[str, list[Any]] = {
    "arrested_at": [5, 6, 7],
    ADULT: ["needed", "not-needed", None],
    "medication": [["a" * 200] * 90, ["b" * 200] * 30, []],
    "allergies": [["nuts"], ["c" * 200] * 90],
    "suite": ["perry-barr", "oldbury"],
    "log": [[{"text": "界" * 4_000}], [{"text": "x"}]],
    "status": ["detained", "released", "hospital"],
}
_steps = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(sorted(_VALUES)), st.integers(0, 2), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(_steps)
def test_every_batch_with_its_questions_fits_in_a_message_and_every_head_is_right(
    steps: list[tuple[int, str, int, bool]],
) -> None:
    """Whatever people differ about at once; and after every commit nothing accepted is unaccounted for (promise 3)."""
    desk, raws = Desk(), [op(on, on, BOOKING, kind="custody-booking", create=True) for on in (1, 2, 3)]
    for n, (on, field, pick, blind) in enumerate(steps, 4):
        values = _VALUES[field]
        saw = {FieldName(field): () if blind else (name("hh-1", on),)}
        raws.append(op(n, on, {field: values[pick % len(values)]}, kind="custody-booking", saw=saw))
    submission, done = Submission(DeviceId("hh-1"), None, tuple(raws)), 0
    members: dict[ScopeName, dict[RecordId, Seq]] = {}
    while done < len(raws):
        settled = desk.decide(submission, skip=done)
        done += settled.taken
        assert sum(len(row.body) for row in settled.rows) <= COMMIT_BYTES_SOFT_MAX + RECORD_BYTES_MAX
        for change in settled.scopes:
            frame = frame_of(change)
            assert sum(map(len, change.rows)) <= PAGE_BYTES_MAX
            assert len(frame) <= MESSAGE_BYTES_MAX
            assert isinstance(decode_down(frame), Batch)
            held = members.setdefault(change.scope, {})
            held.update(dict.fromkeys(change.members, settled.seq))
            for gone in change.gone:
                del held[gone]
            assert (change.head.digest, change.head.count) == (digest.of(held.items()), len(held))
        assert desk.lost() == []
