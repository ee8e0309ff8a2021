"""What is kept of each op: its links to what it superseded and to what stands instead; and that a gap is noticed."""

from typing import Any

import msgspec
import pytest

from schemas.codec import reread_op
from schemas.ids import FieldName, OpId
from schemas.ops import Op
from sync import history, inbox, merge
from sync.history import Act
from sync.policies import Cell
from tests.sync.policies.world import DAY_MS, RECORD, T0, Desk, Server, begin, in_touch

RISK = FieldName("risk")
MARKERS = FieldName("markers")
DISPOSAL = FieldName("disposal")
VIOLENT = {"warning": "violent"}


def acts_of(server: Server, op: Op) -> list[Act]:
    """What is kept of an op."""
    [kept] = [one for one in server.kept() if reread_op(one.body).id == op.id]
    return list(kept.acts)


def all_acts(server: Server) -> dict[OpId, list[Act]]:
    """What every op did to the case's record."""
    ops = [(reread_op(one.body), one.acts) for one in server.kept()]
    return {op.id: history.acts_on(RECORD, op, acts) for op, acts in ops}


def state_of(server: Server) -> merge.RecordState:
    """The case's record as it stands."""
    [row] = [row for row in server.rows() if row.id == RECORD]
    return merge.from_row(row)


def two(**made: Any) -> tuple[Server, Desk, Desk]:  # noqa: ANN401  values of any field
    """A server and two devices that have a booking."""
    server, (one, other) = begin("custody-booking", 2, made)
    return server, one, other


def test_a_change_that_met_nothing_leaves_no_act() -> None:
    """The first value of a field needs no story: the op itself tells it."""
    server, one, _ = two()
    first = one.say(risk="medium")
    one.push(server)
    assert acts_of(server, first) == []
    assert history.acts_on(RECORD, first, []) == [Act(record=RECORD, field=RISK)]


def test_what_is_superseded_links_to_what_superseded_it() -> None:
    """With sight of the old value: the new op names it, and was in conflict with nobody."""
    server, one, other = two(risk="medium")
    later = other.say(risk="high", now=T0 - DAY_MS)
    other.push(server)
    made = reread_op(server.kept()[0].body).id
    assert acts_of(server, later) == [Act(record=RECORD, field=RISK, over=(made,))]
    assert one.name != other.name


def test_what_does_not_take_effect_links_to_what_stands() -> None:
    """Without sight of the other: the lower risk names the one that is shown, and whom it met."""
    server, one, other = two()
    high, low = one.say(risk="high"), other.say(risk="standard")
    in_touch(server, one, other)
    [act] = acts_of(server, low)
    assert act == Act(record=RECORD, field=RISK, stands=high.id, met=(high.id,))


def test_what_is_asked_about_names_its_item() -> None:
    """The act of the op that brought the question about leads to the inbox item."""
    server, one, other = two()
    first, second = one.say(disposal="bail"), other.say(disposal="caution")
    in_touch(server, one, other)
    [act] = acts_of(server, second)
    assert (act.item, act.met) == (inbox.item_id(RECORD, DISPOSAL, ""), (first.id,))


def test_a_decision_acts_on_the_record_that_it_is_about() -> None:
    """Besides the item's own field it names what it superseded there."""
    server, one, other = two()
    first, second = one.say(disposal="bail"), other.say(disposal="caution")
    in_touch(server, one, other)
    [(_, item)] = server.questions()
    decision = one.decide(item, "bail")
    one.push(server)
    [act] = [each for each in acts_of(server, decision) if each.record == RECORD]
    assert act == Act(record=RECORD, field=DISPOSAL, over=tuple(sorted((first.id, second.id))))
    assert history.unaccounted(state_of(server), all_acts(server)) == []


def test_a_removal_links_to_what_it_took_away() -> None:
    """The op that had given the tag is superseded by the one that removed it."""
    server, one, other = two()
    given = one.say(markers={"add": [VIOLENT]})
    in_touch(server, one, other)
    removed = other.say(markers={"remove": [VIOLENT]})
    other.push(server)
    assert acts_of(server, removed) == [Act(record=RECORD, field=MARKERS, over=(given.id,))]


def test_removing_what_was_not_there_is_no_loss() -> None:
    """It said nothing that could be lost, so it need not be accounted for."""
    server, one, _ = two()
    nothing = one.say(markers={"remove": [VIOLENT]})
    one.push(server)
    assert history.acts_on(RECORD, nothing, acts_of(server, nothing)) == []
    assert history.unaccounted(state_of(server), all_acts(server)) == []


def test_an_op_on_another_record_did_nothing_here() -> None:
    """Only what touched the record is listed."""
    server, one, _ = two()
    op = one.say(risk="medium")
    assert history.acts_on(inbox.item_id(RECORD, RISK, ""), op, []) == []
    assert one.push(server)[0].status == "durable"


@pytest.fixture
def with_a_conflict() -> tuple[merge.RecordState, dict[OpId, list[Act]]]:
    """A booking on which two differ, and what each op did."""
    server, one, other = two()
    one.say(risk="high", disposal="bail")
    other.say(risk="standard", disposal="caution")
    in_touch(server, one, other)
    return state_of(server), all_acts(server)


def test_everything_is_accounted_for(with_a_conflict: tuple[merge.RecordState, dict[OpId, list[Act]]]) -> None:
    """Current, superseded or asked about: nothing is reported."""
    assert history.unaccounted(*with_a_conflict) == []


def test_a_value_that_is_gone_is_reported(with_a_conflict: tuple[merge.RecordState, dict[OpId, list[Act]]]) -> None:
    """A cell that no longer holds one of the two, with no link to what superseded it, is a broken promise."""
    state, acts = with_a_conflict
    cell = state.cells[DISPOSAL]
    assert cell.said is not None
    [beside] = cell.beside
    kept = msgspec.structs.replace(state, cells={**state.cells, DISPOSAL: Cell(said=cell.said)})
    bare = {op: [Act(record=one.record, field=one.field) for one in done] for op, done in acts.items()}
    assert history.unaccounted(kept, bare) == [(beside.stamp.op, DISPOSAL)]


def test_a_field_that_is_gone_is_reported(with_a_conflict: tuple[merge.RecordState, dict[OpId, list[Act]]]) -> None:
    """So is a field that is missing from the record altogether."""
    state, acts = with_a_conflict
    less = {name: cell for name, cell in state.cells.items() if name != RISK}
    lost = history.unaccounted(msgspec.structs.replace(state, cells=less), acts)
    assert {field for _, field in lost} == {RISK}
