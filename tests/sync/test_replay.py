"""What the officer sees: their own edits at once, over whatever the server has told, without a flicker."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import FieldName, Millis, OpNumber, Seq
from schemas.kinds import KINDS
from schemas.ops import Op, Row
from sync import merge, replay
from tests.example_ops import OPS
from tests.example_rows import ROWS
from tests.examples import BRIEFING, INCIDENT, T0, op

CREATE = op(
    1, INCIDENT, "incident", {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "x"}, create=True
)
KIND = KINDS["incident"]
ROW = merge.to_row(merge.apply(merge.new_state(CREATE, KIND), CREATE, Millis(T0), Seq(1)))

WAYS = ("add", "remove")
texts = st.sampled_from(["a", "b", "c"])
changes = st.fixed_dictionaries(
    {},
    optional={
        "summary": texts,
        "location": texts | st.none(),
        "source": texts,
        "grade": st.sampled_from(["scheduled", "p2", "p1"]),
        "status": st.sampled_from(["assigned", "attended"]),
        "markers": st.fixed_dictionaries(
            {}, optional={way: st.lists(texts.map(lambda text: {"warning": text}), min_size=1) for way in WAYS}
        ).filter(bool),
        "log": st.lists(texts.map(lambda text: {"text": text}), min_size=1, max_size=2),
    },
).filter(bool)
stories = st.lists(changes, min_size=1, max_size=6)


def pending_ops(story: list[dict[str, Any]], first: int = 2) -> list[Op]:
    """One device's edits in order, each seeing the ones before."""
    return [op(first + at, INCIDENT, "incident", changed) for at, changed in enumerate(story)]


def taken_in(row: Row | None, ops: list[Op]) -> Row:
    """The row after the server took these ops in."""
    state = None if row is None else merge.from_row(row)
    for made in ops:
        state = merge.new_state(made, KIND) if state is None else state
        state = merge.apply(state, made, Millis(T0 + 1), Seq(state.version + 1))
    assert state is not None
    return merge.to_row(state)


@given(stories)
def test_a_view_shows_the_pending_ops_over_the_row(story: list[dict[str, Any]]) -> None:
    """What an officer wrote last is what they see, server or not."""
    shown = replay.view(ROW, pending_ops(story))
    assert shown is not None
    last = {name: value for changed in story for name, value in changed.items()}
    for name in ("summary", "location"):
        if name in last:
            assert shown.values()[FieldName(name)] == last[name]
    logged = [entry for changed in story for entry in changed.get("log", [])]
    assert shown.values().get(FieldName("log"), []) == logged


@given(stories, st.data())
def test_an_edit_never_flickers(story: list[dict[str, Any]], data: st.DataObject) -> None:
    """The view is the same before and after the row with any of the device's ops comes, settled or still pending."""
    ops = pending_ops(story)
    before = replay.view(ROW, ops)
    assert before is not None
    count = data.draw(st.integers(0, len(ops)))
    row = taken_in(ROW, ops[:count])
    for still in (ops, ops[count:]):
        after = replay.view(row, still)
        assert after is not None
        assert after.values() == before.values()


@given(stories, stories)
def test_others_edits_come_in_beneath(story: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """A row with another device's changes shows both, as the server will have them once it has both."""
    mine = pending_ops(story)
    others = [
        op(9, INCIDENT, "incident", changed, hlc=(T0 + at, 0), occurred_at=T0 + at, wall=T0)
        for at, changed in enumerate(theirs)
    ]
    others = [_by_another(made, at) for at, made in enumerate(others)]
    row = taken_in(ROW, others)
    shown = replay.view(row, mine)
    assert shown is not None
    assert shown.values() == merge.from_row(taken_in(row, mine)).values()


def _by_another(made: Op, at: int) -> Op:
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return Op(**fields | {"device": "desk-1", "n": OpNumber(at + 1)})


def test_a_record_made_here_is_seen_before_any_server() -> None:
    """A pending op that makes the record shows it whole, with the edits behind it."""
    shown = replay.view(None, [CREATE, *pending_ops([{"summary": "b"}])])
    assert shown is not None
    assert shown.version == 0
    assert shown.values()[FieldName("summary")] == "b"
    assert shown.scopes() == {"area:birmingham"}


def test_nothing_shows_nothing() -> None:
    """No row and no op, or only edits of a record that was taken from this device: nothing of it is shown."""
    assert replay.view(None, []) is None
    assert replay.view(None, pending_ops([{"summary": "b"}, {"log": [{"text": "x"}]}])) is None


def test_a_row_alone_is_shown_as_it_is() -> None:
    """Without pending ops the view is the row."""
    shown = replay.view(ROWS["row-grow"], [])
    assert shown is not None
    assert merge.to_row(shown) == ROWS["row-grow"]


def test_an_op_that_the_row_holds_is_not_laid_over_it_again() -> None:
    """Laid over it, it would bring back what others have superseded since with sight of it: a raise, a tag, a step."""
    raised = {"grade": "p1", "status": "attended", "markers": {"add": [{"warning": "dog at address"}]}}
    mine = op(2, INCIDENT, "incident", raised)
    ops_seen = {FieldName(name): (mine.id,) for name in raised}
    lowered = {"grade": "p2", "status": "closed", "markers": {"remove": [{"warning": "dog at address"}]}}
    theirs = _by_another(op(3, INCIDENT, "incident", lowered, saw=ops_seen), 0)
    row = taken_in(ROW, [mine, theirs])
    assert merge.from_row(row).holds(mine)
    before = merge.from_row(row)
    shown = replay.view(row, [mine])
    assert shown == before
    assert shown.values()[FieldName("grade")] == "p2"
    further = op(4, INCIDENT, "incident", {"summary": "c"})
    assert not before.holds(further)
    laid = replay.view(row, [mine, further])
    assert laid is not None
    assert laid.values() == before.values() | {FieldName("summary"): "c"}


def test_an_op_that_was_not_taken_in_is_shown_whatever_the_row_holds() -> None:
    """A copy of this device made the later ops that the row tells of: the officer's own change is not theirs."""
    mine, of_the_copy = (
        op(2, INCIDENT, "incident", {"location": "mine"}),
        op(5, INCIDENT, "incident", {"source": "copy"}),
    )
    row = taken_in(ROW, [of_the_copy])
    hidden = replay.view(row, [mine])
    assert hidden is not None
    assert hidden.values().get(FieldName("location")) is None
    shown = replay.view(row, [mine], not_taken={mine.n})
    assert shown is not None
    assert (shown.values()[FieldName("location")], shown.values()[FieldName("source")]) == ("mine", "copy")


def test_a_row_of_a_kind_that_only_a_newer_program_knows_shows_nothing() -> None:
    """It is kept for that program; neither it nor an op on it breaks the view."""
    newer = Row(id=INCIDENT, kind="drone-flight", v=Seq(3), stamps=ROW.stamps, cells={FieldName("pilot"): ["x", 0]})
    assert replay.view(newer, []) is None
    assert replay.view(newer, pending_ops([{"summary": "b"}])) is None


def test_an_op_of_another_device_with_the_same_number_is_no_reason_to_hide_mine() -> None:
    """What a row holds is told by device."""
    mine = op(2, INCIDENT, "incident", {"summary": "mine"})
    row = taken_in(ROW, [_by_another(op(9, INCIDENT, "incident", {"location": "theirs"}), 8)])
    shown = replay.view(row, [mine])
    assert shown is not None
    assert shown.values()[FieldName("summary")] == "mine"


def test_an_op_that_cannot_be_shown_hides_nothing_else() -> None:
    """An op of another version's fields, of an unknown kind or on a record of another kind is passed over."""
    newer = op(2, INCIDENT, "incident", {"colour": "red"})
    unknown = op(3, INCIDENT, "horse", {"name": "x"})
    other_kind = op(4, INCIDENT, "briefing", {"title": "x"})
    good = op(5, INCIDENT, "incident", {"summary": "b"})
    shown = replay.view(ROW, [newer, unknown, other_kind, good])
    assert shown is not None
    assert shown.values() == merge.from_row(ROW).values() | {FieldName("summary"): "b"}
    assert replay.view(None, [op(1, BRIEFING, "horse", {}, create=True)]) is None


def test_the_same_id_made_twice_shows_the_servers_record() -> None:
    """A record that this device made under an id that the server has for another kind stays the server's."""
    made = OPS["op-briefing-create"]
    clash = op(made.n, INCIDENT, "briefing", {str(name): value for name, value in made.changes.items()}, create=True)
    shown = replay.view(ROW, [clash])
    assert shown is not None
    assert merge.to_row(shown) == ROW
