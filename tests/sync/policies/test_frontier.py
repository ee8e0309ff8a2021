"""The frontier alone: what stands is a function of the set of changes and of what each saw."""

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import DeviceId, OfficerId, OpId, OpNumber, Seq
from schemas.ops import Stamp
from sync.policies import Cell, Change, Said
from sync.policies.frontier import join


def stamp(n: int, ms: int, seq: int = 0) -> Stamp:
    """The stamp of one of a device's ops."""
    return Stamp(DeviceId("hh-0042"), OpNumber(n), ms, 0, OfficerId("WM1"), ms, 0, seq)


def latest(standing: Sequence[Said]) -> Said:
    """Some choice: the frontier leaves it to the policy."""
    return max(standing, key=lambda one: one.stamp.order)


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes of which each saw some of those before it, on clocks that have nothing to do with that."""
    made: list[Change] = []
    for n in range(1, draw(st.integers(1, 5)) + 1):
        saw = draw(st.sets(st.sampled_from([one.stamp.op for one in made]))) if made else set()
        made.append(Change(value=draw(st.integers(0, 2)), stamp=stamp(n, draw(st.integers(0, 3))), saw=frozenset(saw)))
    return made


@given(histories())
def test_every_causal_order_leads_to_one_cell(made: list[Change]) -> None:
    """Whatever comes first, as long as what a change saw is there: the same values stand, in the same places."""
    cells = []
    for order in itertools.permutations(made):
        here: set[OpId] = set()
        cell: Cell | None = None
        for change in order:
            assert change.saw is not None
            if not change.saw <= here:
                break
            here.add(change.stamp.op)
            cell = join(cell, change, latest)
        else:
            cells.append(cell)
    assert all(cell == cells[0] for cell in cells)
    seen = {op for change in made for op in change.saw or ()}
    assert cells[0] is not None
    assert {one.stamp.op for one in cells[0].standing()} == {one.stamp.op for one in made} - seen


@given(histories())
def test_a_change_that_stands_merged_again_changes_nothing(made: list[Change]) -> None:
    """The cell stays as it is."""
    cell: Cell | None = None
    for change in made:
        cell = join(cell, change, latest)
    assert cell is not None
    for change in made:
        if any(one.stamp.op == change.stamp.op for one in cell.standing()):
            assert join(cell, change, latest) == cell


def test_an_older_program_saw_what_its_base_held_and_its_own() -> None:
    """An op that names nothing supersedes the commits up to its base and its device's earlier ops, and nothing else."""
    other = Stamp(DeviceId("desk-1"), OpNumber(1), 1, 0, OfficerId("WM2"), 1, 0, 7)
    newer = Stamp(DeviceId("desk-1"), OpNumber(2), 1, 0, OfficerId("WM2"), 1, 0, 8)
    cell = Cell(said=Said("a", other), beside=(Said("b", newer), Said("c", stamp(1, 1))))
    after = join(cell, Change(value="d", stamp=stamp(2, 0), base=Seq(7)), latest)
    assert {one.value for one in after.standing()} == {"b", "d"}


def test_what_contested_an_ending_goes_with_it() -> None:
    """Once an ending is superseded, nothing is kept of what it had not seen."""
    ending = stamp(1, 1)
    cell = Cell(said=Said("closed", ending), against=((ending.op, OpId("desk-1/1")),))
    after = join(cell, Change(value="open", stamp=stamp(2, 2), saw=frozenset({ending.op})), latest)
    assert after.against == ()
