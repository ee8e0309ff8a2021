"""Promise 5: the order in which signal returns decides nothing, but for `claim` and `once`, where it must."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_row
from schemas.ids import RecordId
from tests.sim import model, mutants
from tests.sim.officers import KIND_NAMES
from tests.sim.oracles import Audit
from tests.sim.world import SCOPES, World

EVERYONE: Final = (0, 1, 2)
EDITS: Final = st.lists(
    st.tuples(st.sampled_from(EVERYONE), st.integers(0, 5), st.integers(0, 80), st.integers(0, 3)),
    min_size=2,
    max_size=12,
)
ORDERS: Final = st.permutations(EVERYONE)
DECIDED_BY_ORDER: Final = {"once", "claim"}

BOOKING: Final = KIND_NAMES[::-1].index("custody-booking")
"""`World.edit` counts back from the latest record."""
RELEVANT_TIME: Final = 2 * 6
"""Of `officers.change`: a booking's third choice."""

Edits = Sequence[tuple[int, int, int, int]]


class Outcome(NamedTuple):
    """What everybody's work has led to.

    Attributes:
        held: record -> field -> cell, for the fields that no order may decide.
        said: record -> field -> every value that stands or waits, for the fields that the order does decide.
        asked: (record, field) of the questions that wait for a person.
        states: device -> number -> what became of its op.
    """

    held: dict[RecordId, dict[str, Any]]
    said: dict[RecordId, dict[str, set[str]]]
    asked: set[tuple[RecordId, str]]
    states: dict[str, dict[int, str]]


def begin(world: World) -> None:
    """Give everyone every right and a record of each kind to share, and wrong clocks; all are in touch."""
    for who in EVERYONE:
        for which in range(len(SCOPES)):
            world.grant(who, which)
        world.skew(who, 50 + 7 * who)
    for kind in range(len(KIND_NAMES)):
        world.create(0, kind, kind)
    world.come_to_rest()


def work_apart(world: World, edits: Edits, restarted: Collection[int]) -> None:
    """Without any link, each officer makes their edits, moments apart; some no longer know the time."""
    for who in EVERYONE:
        world.cut(who, 1)
    for who in restarted:
        world.crash_device(who)
    for who, which, what, pause in edits:
        world.now += pause
        world.edit(who, which, what)


def outcome(edits: Edits, order: Sequence[int], restarted: Collection[int] = ()) -> Outcome:
    """What every record holds once all are back, in that order."""
    with World() as world:
        begin(world)
        work_apart(world, edits, restarted)
        for who in order:
            world.come_back(who)
        world.come_to_rest()
        told = world.audit.ledgers[world.server.store.epoch]
        held: dict[RecordId, dict[str, Any]] = {}
        said: dict[RecordId, dict[str, set[str]]] = {}
        for record, raw in world.server.store.rows.items():
            row = decode_row(raw)
            if row.kind in {model.ITEM, model.SERIES}:
                continue
            cells = model.of_row(row)
            free = {field for field in cells if model.policy(row.kind, field) not in DECIDED_BY_ORDER}
            held[record] = {field: cells[field] for field in free}
            said[record] = {field: _values(cells[field]) for field in cells.keys() - free}
        return Outcome(
            held,
            said,
            {(record, field) for record, field in told.open_items() if field in held[record]},
            {
                device.id: {n: kept.state.value for n in device.made if (kept := device.tables.op(n)) is not None}
                for device in world.devices
            },
        )


def _values(cell: model.One | model.Many) -> set[str]:
    return {repr(value) for value, _ in cell.standing} if isinstance(cell, model.One) else set()


@given(edits=EDITS, one=ORDERS, other=ORDERS, restarted=st.sets(st.sampled_from(EVERYONE)))
def test_the_order_of_return_does_not_decide(
    edits: Edits, one: Sequence[int], other: Sequence[int], restarted: Collection[int]
) -> None:
    """Two orders of return, the same records: values, authors, entries in their places, and open questions.

    Of `once` and `claim` another value may stand; who differs from it waits beside it in either order.
    """
    first, second = outcome(edits, one, restarted), outcome(edits, other, restarted)
    assert first.held == second.held
    assert first.asked == second.asked
    assert first.states == second.states


@pytest.mark.parametrize("values", [(0, 1, 2), (0, 1, 1), (2, 2, 2)])
def test_of_what_is_recorded_once_the_order_only_decides_which_stands(values: Sequence[int]) -> None:
    """Relevant times, each said by one officer with no signal: all are there, whoever comes back first and stands."""
    edits = [(who, BOOKING, RELEVANT_TIME + value, 1) for who, value in enumerate(values)]
    first, second = outcome(edits, EVERYONE), outcome(edits, EVERYONE[::-1])
    said = [found["relevant_time"] for found in first.said.values() if "relevant_time" in found]
    assert [len(values) for values in said] == [len(set(values))]
    assert first.said == second.said


def test_arrival_deciding_is_caught() -> None:
    """With `latest` by arrival planted, and the other oracles silenced, two orders of return tell it."""
    edits = [(1, 3, 0, 1), (2, 3, 0, 1)]
    silent = dict.fromkeys(("record", "_rows_and_views", "_no_flicker"), mock.DEFAULT)
    with mutants.last_to_arrive_wins(), mock.patch.multiple(Audit, **silent):
        assert outcome(edits, (0, 1, 2)) != outcome(edits, (0, 2, 1))
    assert outcome(edits, (0, 1, 2)) == outcome(edits, (0, 2, 1))
