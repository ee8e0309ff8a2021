"""Each policy alone: what concurrent changes lead to, that nothing said is lost, that a repetition changes nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import DeviceId, OfficerId, OpNumber
from schemas.ops import Stamp
from sync.policies import ENGINE, Cell, Entry, Said

DEVICES = [DeviceId("hh-0001"), DeviceId("hh-0002"), DeviceId("desk-1")]
Change = tuple[Stamp, Any]


def stamp(device: int, n: int, ms: int, tick: int = 0, occurred_at: int = 0) -> Stamp:
    """A stamp of one of the devices."""
    return Stamp(DEVICES[device], OpNumber(n), ms, tick, OfficerId("WM1"), occurred_at)


stamps = st.builds(
    stamp,
    st.integers(0, len(DEVICES) - 1),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(0, 2),
    st.integers(0, 4),
)


def changes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Change]]:
    """Changes by different ops, in an order of arrival that has nothing to do with their clocks."""
    return st.lists(st.tuples(stamps, values), max_size=7, unique_by=lambda change: change[0].op)


scalars = changes(st.none() | st.integers(0, 3))
entries = changes(st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
ANY = [("latest", scalars), ("once", scalars), ("grow", entries)]


def merged(policy: str, arriving: list[Change]) -> Cell | None:
    """The cell after these changes, in this order."""
    cell = None
    for made, value in arriving:
        cell = ENGINE[policy].merge(cell, value, made)
    return cell


@pytest.mark.parametrize("policy", sorted(ENGINE))
@given(data=st.data())
def test_a_repeated_change_changes_nothing(policy: str, data: st.DataObject) -> None:
    """Any change that is in the cell, merged again at any later time, leaves the cell as it is."""
    arriving = data.draw(dict(ANY)[policy])
    cell = None
    for at, (made, value) in enumerate(arriving):
        cell = ENGINE[policy].merge(cell, value, made)
        for again, before in arriving[: at + 1]:
            assert ENGINE[policy].merge(cell, before, again) == cell


@pytest.mark.parametrize("policy", ["latest", "grow"])
@given(data=st.data())
def test_the_order_of_arrival_does_not_decide(policy: str, data: st.DataObject) -> None:
    """Every permutation of the changes leads to the same cell (promise 5)."""
    arriving = data.draw(dict(ANY)[policy])
    assert merged(policy, data.draw(st.permutations(arriving))) == merged(policy, arriving)


@given(scalars)
def test_latest_keeps_the_latest(arriving: list[Change]) -> None:
    """The change of highest corrected time stands; ties break on the op's id; `stands` names it to every other."""
    cell = merged("latest", arriving)
    if cell is None:
        assert arriving == []
        return
    latest, value = max(arriving, key=lambda change: change[0].order)
    assert cell == Cell(said=Said(value, latest))
    assert ENGINE["latest"].value(cell) == value
    for made, _ in arriving:
        assert ENGINE["latest"].stands(cell, made) == (None if made == latest else latest)


def test_latest_breaks_ties_alike_everywhere() -> None:
    """Same time, same tick: the device's name decides, then the op's number as a number, not as text."""
    one, other = stamp(0, 9, 5), stamp(1, 1, 5)
    assert ENGINE["latest"].value(ENGINE["latest"].merge(Cell(said=Said("b", other)), "a", one)) == "b"
    ninth, tenth = stamp(0, 9, 5), stamp(0, 10, 5)
    assert ENGINE["latest"].value(ENGINE["latest"].merge(Cell(said=Said("9", ninth)), "10", tenth)) == "10"


@given(scalars)
def test_once_loses_nothing_that_was_said(arriving: list[Change]) -> None:
    """The first value stands; each different one is kept beside it with its op, once; the same value confirms."""
    cell = merged("once", arriving)
    said = [(made, value) for made, value in arriving if value is not None]
    if cell is None:
        assert arriving == []
        return
    if not said:
        assert ENGINE["once"].value(cell) is None
        assert cell.differing == ()
        return
    first, value = said[0]
    assert cell.said == Said(value, first)
    others = {made.op: other for made, other in said if other != value}
    assert {other.stamp.op: other.value for other in cell.differing} == others
    assert len(cell.differing) == len(others)
    for made, each in arriving:
        assert ENGINE["once"].stands(cell, made) == (first if made.op in others else None), each


@given(scalars, st.data())
def test_once_keeps_the_others_in_one_order(arriving: list[Change], data: st.DataObject) -> None:
    """After the first, the order of arrival does not decide what is kept nor how it is listed."""
    said = [change for change in arriving if change[1] is not None]
    shuffled = [*said[:1], *data.draw(st.permutations(said[1:]))]
    assert merged("once", shuffled) == merged("once", said)


def test_once_is_not_contested_by_silence() -> None:
    """Nothing, said before or after, neither takes the place of a value nor waits for a person to decide."""
    early, late = stamp(0, 1, 1), stamp(1, 1, 9)
    cell = merged("once", [(early, None), (late, 5)])
    assert cell == Cell(said=Said(5, late))
    assert merged("once", [(late, 5), (early, None)]) == cell
    assert ENGINE["once"].stands(cell, early) is None


@given(entries)
def test_grow_loses_no_entry(arriving: list[Change]) -> None:
    """Every entry of every op is there once, under its name, in order of when it happened."""
    cell = merged("grow", arriving)
    if cell is None:
        assert arriving == []
        return
    expected = {(made.device, made.n, k): one for made, value in arriving for k, one in enumerate(value)}
    assert {entry.name: entry.value for entry in cell.entries} == expected
    assert len(cell.entries) == len(expected)
    happened = [entry.stamp.occurred_at for entry in cell.entries]
    assert happened == sorted(happened)
    assert ENGINE["grow"].value(cell) == [entry.value for entry in cell.entries]
    assert all(ENGINE["grow"].stands(cell, made) is None for made, _ in arriving)


def test_grow_puts_late_news_in_its_place() -> None:
    """An entry about an earlier moment comes before what was recorded first; entries of one op keep their order."""
    first, late = stamp(0, 1, 100, occurred_at=100), stamp(1, 1, 200, occurred_at=50)
    cell = merged("grow", [(first, ["b", "a"]), (late, ["z"])])
    assert cell is not None
    assert ENGINE["grow"].value(cell) == ["z", "b", "a"]


def test_grow_knows_an_entry_by_its_op_not_by_its_words() -> None:
    """Two officers who write the same have written two entries; one op that comes with another stamp has not."""
    one, other = stamp(0, 1, 5), stamp(1, 1, 5)
    cell = merged("grow", [(one, ["Spoke."]), (other, ["Spoke."])])
    assert cell is not None
    assert len(cell.entries) == 2
    committed = Stamp(one.device, one.n, one.ms, one.tick, one.author, one.occurred_at, recorded_at=9, seq=3)
    assert ENGINE["grow"].merge(cell, ["Spoke."], committed) == cell


@pytest.mark.parametrize("policy", sorted(ENGINE))
def test_a_policy_bears_its_name(policy: str) -> None:
    """The engine finds a policy under the name that a field declares."""
    assert ENGINE[policy].name == policy


def test_a_cell_tells_all_its_stamps() -> None:
    """What stands, what differs and every entry: clocks and rows need each of them."""
    one, two, three = stamp(0, 1, 1), stamp(1, 2, 2), stamp(2, 3, 3)
    cell = Cell(said=Said(1, one), differing=(Said(2, two),), entries=(Entry("x", three, 0),))
    assert cell.stamps() == [one, two, three]
    assert Cell().stamps() == []
