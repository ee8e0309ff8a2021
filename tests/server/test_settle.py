"""Settling: what a group of ops does to the records, decided without any store."""

from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec import decode_down
from schemas.ids import DeviceId, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import (
    COMMIT_BYTES_SOFT_MAX,
    MESSAGE_BYTES_MAX,
    OPS_PER_COMMIT_MAX,
    PAGE_BYTES_MAX,
    RECORD_BYTES_MAX,
)
from schemas.wire import Batch
from server.commits import Submission
from sync import digest
from tests.server.settle.desk import BOTH, NORTH, SOUTH, Desk, frame_of, op, record, statuses


@pytest.fixture
def desk() -> Desk:
    """An empty store."""
    return Desk()


# --- once, and only once ---------------------------------------------------------------------------------------------


def test_the_same_op_again_gives_the_stored_result_and_changes_nothing(desk: Desk) -> None:
    """A device that was cut off pushes again; the record's version does not move."""
    first = desk.submit(op(1, 1), op(2, 1, {"log": [{"text": "seen"}]}, after=OpNumber(1)))
    again = desk.submit(op(1, 1), op(2, 1, {"log": [{"text": "seen"}]}, after=OpNumber(1)))
    assert again.results == first.results
    assert (again.seq, again.ops, again.rows, again.scopes) == (first.seq, (), (), ())


def test_the_same_op_twice_in_one_group_is_applied_once(desk: Desk) -> None:
    """Two sessions of one device may both have pushed it before either was committed."""
    settled = desk.submit(op(1, 1), op(2, 1, {"log": [{"text": "seen"}]}), op(2, 1, {"log": [{"text": "seen"}]}))
    assert settled.results[1] == settled.results[2]
    assert len(settled.ops) == 2
    assert desk.values(1)["log"] == [{"text": "seen"}]


@pytest.mark.parametrize("together", [True, False])
def test_another_op_under_a_known_number_is_refused_and_leaves_the_first(desk: Desk, *, together: bool) -> None:
    """A replica that was set back gives a number twice: the op that came first is the one there is."""
    if together:
        settled = desk.submit(op(1, 1), op(1, 2))
        assert statuses(settled) == [("durable", ""), ("refused", "op_reused")]
    else:
        desk.submit(op(1, 1))
        assert statuses(desk.submit(op(1, 2))) == [("refused", "op_reused")]
    assert statuses(desk.submit(op(1, 1))) == [("durable", "")]
    assert desk.row(2) is None


def test_the_same_number_of_another_device_is_another_op(desk: Desk) -> None:
    """Numbers count per device."""
    desk.submit(op(1, 1))
    assert statuses(desk.submit(op(1, 2, device="hh-2"), device="hh-2")) == [("durable", "")]


def test_a_refusal_is_stored_and_given_again(desk: Desk) -> None:
    """A refused op does not become acceptable behind the officer's back: its answer is the same for ever."""
    unknown = op(1, 1, {"summary": "too early"})
    assert statuses(desk.submit(unknown)) == [("refused", "op_record_unknown")]
    desk.submit(op(1, 1, device="hh-2"), device="hh-2")
    assert statuses(desk.submit(unknown)) == [("refused", "op_record_unknown")]
    assert desk.values(1)["summary"] == "made"


# --- in order per record ---------------------------------------------------------------------------------------------


def test_an_op_behind_a_refused_one_waits_and_is_not_stored(desk: Desk) -> None:
    """It names the reason of the one before it, and everything else of the push goes on."""
    settled = desk.submit(
        op(1, 1, {"summary": "no such record"}), op(2, 1, {"summary": "nor then"}, after=OpNumber(1)), op(3, 2)
    )
    assert statuses(settled) == [("refused", "op_record_unknown"), ("waiting", "op_record_unknown"), ("durable", "")]
    assert [kept.n for kept in settled.ops] == [1, 3]


def test_an_op_behind_one_that_never_came_waits_until_it_does(desk: Desk) -> None:
    """A gap in what arrived holds up the op behind it, and only until the gap is closed."""
    desk.submit(op(1, 1))
    late, behind = op(2, 1, {"summary": "second"}), op(3, 1, {"summary": "third"}, after=OpNumber(2))
    assert statuses(desk.submit(behind)) == [("waiting", "")]
    assert statuses(desk.submit(late, behind)) == [("durable", ""), ("durable", "")]
    assert desk.values(1)["summary"] == "third"


def test_an_op_behind_a_waiting_one_waits_too(desk: Desk) -> None:
    """A chain stands or falls together."""
    chain = [op(n, 1, {"summary": "x"}, after=OpNumber(n - 1)) for n in (2, 3, 4)]
    assert [status for status, _ in statuses(desk.submit(*chain))] == ["waiting"] * 3


@pytest.mark.parametrize("code", ["op_record_unknown", "op_not_permitted"])
def test_an_op_made_on_a_version_that_a_restored_server_lost_waits(desk: Desk, code: str) -> None:
    """What led to that version is offered again too: the order in which devices return must not refuse it for good."""
    if code == "op_not_permitted":
        desk.submit(op(1, 1, device="hh-2"), device="hh-2")
    edit = op(1, 1, {"summary": "later"}, base=Seq(9))
    assert statuses(desk.submit(edit, scopes=frozenset({SOUTH}))) == [("waiting", code)]
    desk.submit(*([op(1, 1, device="hh-2")] if code == "op_record_unknown" else []), device="hh-2")
    desk.submit(op(2, 1, {"area": "south"}, device="hh-2"), device="hh-2")
    assert statuses(desk.submit(edit, scopes=frozenset({SOUTH}))) == [("durable", "")]


# --- rights ----------------------------------------------------------------------------------------------------------


def test_a_record_outside_the_grants_cannot_be_changed(desk: Desk) -> None:
    """The device learns nothing but the code, and the record stays as it was."""
    desk.submit(op(1, 1))
    settled = desk.submit(op(1, 1, {"summary": "x"}, device="hh-2"), device="hh-2", scopes=frozenset({SOUTH}))
    assert statuses(settled) == [("refused", "op_not_permitted")]
    assert settled.results[0].detail == ""
    assert desk.values(1)["summary"] == "made"


def test_one_granted_scope_of_a_record_is_enough(desk: Desk) -> None:
    """A briefing to two areas may be receipted in either."""
    briefing = {"title": "t", "body": "b", "audience": ["area:north", "area:south"], "issued_at": 1}
    desk.submit(op(1, 1, briefing, kind="briefing", create=True), scopes=frozenset())
    receipt = op(1, 1, {"receipts": [{"read_at": 1}]}, device="hh-2", kind="briefing")
    settled = desk.submit(receipt, device="hh-2", scopes=frozenset({ScopeName("area:south:briefing")}))
    assert statuses(settled) == [("durable", "")]


def test_anyone_may_make_a_record_anywhere_and_the_server_may_change_all(desk: Desk) -> None:
    """An officer reports what happened in another area; the server's own acts need no grant."""
    assert statuses(desk.submit(op(1, 1), scopes=frozenset())) == [("durable", "")]
    settled = desk.submit(op(1, 1, {"summary": "x"}, device="server"), device="server", scopes=None)
    assert statuses(settled) == [("durable", "")]


def test_a_record_moved_within_the_group_is_judged_where_it_is_then(desk: Desk) -> None:
    """The second op meets the record in the scope into which the first has moved it."""
    desk.submit(op(1, 1))
    settled = desk.submit(op(2, 1, {"area": "south"}), op(3, 1, {"summary": "x"}), scopes=frozenset({NORTH}))
    assert statuses(settled) == [("durable", ""), ("refused", "op_not_permitted")]


# --- what a commit does to the scopes --------------------------------------------------------------------------------


def test_a_record_that_moves_is_gone_from_one_scope_and_comes_in_the_other(desk: Desk) -> None:
    """Both logs tell of it in the same commit, and both heads are right."""
    desk.submit(op(1, 1), op(2, 2))
    settled = desk.submit(op(3, 1, {"area": "south"}))
    north, south = settled.scopes
    assert (north.scope, north.frm, north.members, north.gone) == (NORTH, 1, (), (record(1),))
    assert (south.scope, south.frm, south.members, south.gone) == (SOUTH, 0, (record(1),), ())
    assert (north.head.digest, north.head.count) == (digest.of([(record(2), Seq(1))]), 1)
    assert (south.head.digest, south.head.count) == (digest.of([(record(1), Seq(2))]), 1)


def test_a_scope_that_a_record_only_passed_through_is_not_told_of(desk: Desk) -> None:
    """Neither as a change of that scope nor in a result: a device would wait there for a row that never comes."""
    settled = desk.submit(op(1, 1), op(2, 1, {"area": "south"}, after=OpNumber(1)))
    assert [change.scope for change in settled.scopes] == [SOUTH]
    assert [result.scopes for result in settled.results] == [(SOUTH,), (SOUTH,)]
    assert [kept.result for kept in settled.ops] == list(settled.results)


def test_a_replayed_result_tells_where_the_record_is_now(desk: Desk) -> None:
    """A device that comes back is told of the scope in which it will find the record, not of the one it has left."""
    desk.submit(op(1, 1))
    desk.submit(op(2, 1, {"area": "south"}))
    assert desk.submit(op(1, 1)).results[0].scopes == (SOUTH,)


def test_there_and_back_within_a_commit_is_one_change(desk: Desk) -> None:
    """A record that ends where it began is changed there, and gone from nowhere."""
    desk.submit(op(1, 1))
    settled = desk.submit(op(2, 1, {"area": "south"}), op(3, 1, {"area": "north"}))
    assert [(change.scope, change.gone) for change in settled.scopes] == [(NORTH, ())]


def test_a_commit_that_changes_nothing_has_no_place_in_the_order(desk: Desk) -> None:
    """Refusals and replays take no seq, or scopes would seem to have changed."""
    desk.submit(op(1, 1))
    settled = desk.submit(op(1, 1), op(2, 9, {"summary": "x"}))
    assert (settled.seq, settled.scopes) == (1, ())
    assert desk.submit(op(3, 2)).seq == 2


def test_what_stands_instead_is_told(desk: Desk) -> None:
    """An op that lost says to whom, field by field (promise 3)."""
    desk.submit(op(9, 1, device="hh-2"), device="hh-2")
    settled = desk.submit(op(1, 1, {"summary": "older", "opened_at": 2, "grade": "p1"}))
    assert settled.results[0].stands == {"summary": "hh-2/9", "opened_at": "hh-2/9"}


def test_a_refused_outcome_leaves_the_record_as_it_was(desk: Desk) -> None:
    """An op that would make a record too large is refused whole, and later ops meet the record without it."""
    desk.submit(op(1, 1))
    entries = [{"text": "x" * 4_000}] * 8
    grown = [op(n, 1, {"log": entries, "outcome": f"at {n}"}) for n in range(2, 8)]
    codes = [code for each in grown for _, code in statuses(desk.submit(each))]
    assert codes == ["", "", "", "", "op_record_full", "op_record_full"]
    assert desk.values(1)["outcome"] == "at 5"
    assert len(desk.row(1) or b"") <= RECORD_BYTES_MAX


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_commit_takes_a_bounded_number_of_ops(desk: Desk) -> None:
    """What is left comes next; nothing is skipped."""
    made = tuple(op(n, n, kind="resource") for n in range(1, OPS_PER_COMMIT_MAX + 3))
    submission = Submission(DeviceId("hh-1"), BOTH, made)
    settled = desk.decide(submission)
    assert settled.taken == OPS_PER_COMMIT_MAX
    rest = desk.decide(submission, skip=settled.taken)
    assert [kept.n for kept in rest.ops] == [OPS_PER_COMMIT_MAX + 1, OPS_PER_COMMIT_MAX + 2]


_SIZES: Final = st.sampled_from([1, 300, 9_000, 19_000])
_STEPS: Final = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["new", "body", "receipt", "move"]), _SIZES), min_size=1, max_size=40
)


@given(steps=_STEPS, wide=st.booleans())
@example(steps=[(n, "new", 19_000) for n in range(30)], wide=False)
def test_every_scopes_batch_of_every_commit_fits_in_a_message(
    steps: list[tuple[int, str, int]],
    wide: bool,  # noqa: FBT001  Hypothesis passes by name
) -> None:
    """Whatever is pushed at once, each batch can be encoded, is inside the bounds, and is read again."""
    desk, raws, made = Desk(), [], set[int]()
    letter = "界" if wide else "x"
    for n, (on, what, size) in enumerate(steps, 1):
        text = letter * (size // 3 if wide else size)
        audience = ["area:north", "area:south", "force"][: 1 + n % 3]
        match what:
            case _ if on not in made:
                changes: dict[str, Any] = {"title": "t", "body": text or "x", "audience": audience, "issued_at": 1}
            case "receipt":
                changes = {"receipts": [{"read_at": k} for k in range(64)]}
            case "move":
                changes = {"audience": audience}
            case _:
                changes = {"body": text or "x"}
        raws.append(op(n, on, changes, kind="briefing", create=on not in made))
        made.add(on)
    submission, done = Submission(DeviceId("hh-1"), None, tuple(raws)), 0
    members: dict[ScopeName, dict[RecordId, Seq]] = {}
    while done < len(raws):
        settled = desk.decide(submission, skip=done)
        assert settled.taken > 0
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
