"""Promise 5: the order in which signal returns does not decide the outcome; and a restore decides nothing either."""

from collections.abc import Sequence
from typing import Any, Final
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_row
from schemas.ids import RecordId
from tests.sim import model, mutants
from tests.sim.world import SCOPES, World

EVERYONE: Final = (0, 1, 2)
EDITS: Final = st.lists(
    st.tuples(st.sampled_from(EVERYONE), st.integers(0, 3), st.integers(0, 40), st.integers(0, 3)),
    min_size=2,
    max_size=12,
)
ORDERS: Final = st.permutations(EVERYONE)

Edits = Sequence[tuple[int, int, int, int]]


def begin(world: World) -> None:
    """Give everyone every right and four records to share, and wrong clocks; all are in touch."""
    for who in EVERYONE:
        for which in range(len(SCOPES)):
            world.grant(who, which)
        world.skew(who, 50 + 7 * who)
    for kind in (0, 1, 2, 2):
        world.create(0, kind, kind)
    world.come_to_rest()


def work_apart(world: World, edits: Edits) -> None:
    """Without any link, each officer makes their edits, moments apart."""
    for who in EVERYONE:
        world.cut(who, 1)
    for who, which, what, pause in edits:
        world.now += pause
        world.edit(who, which, what)


def outcome(edits: Edits, order: Sequence[int]) -> dict[RecordId, dict[str, Any]]:
    """What every record holds once all are back, in that order; `once` is left out, where the order must decide."""
    with World() as world:
        begin(world)
        work_apart(world, edits)
        for who in order:
            world.come_back(who)
        world.come_to_rest()
        return {
            record: {name: cell for name, cell in model.of_row(decode_row(row)).items() if name not in model.ONCE}
            for record, row in world.server.store.rows.items()
        }


@given(edits=EDITS, one=ORDERS, other=ORDERS)
def test_the_order_of_return_does_not_decide(edits: Edits, one: Sequence[int], other: Sequence[int]) -> None:
    """Two orders of return, the same records: values, their authors, and every entry in its place."""
    assert outcome(edits, one) == outcome(edits, other)


def test_arrival_deciding_is_caught() -> None:
    """With `latest` by arrival planted, and the other oracles silenced, two orders of return tell it."""
    edits = [(1, 0, 0, 1), (2, 0, 0, 1)]
    with mutants.last_to_arrive_wins(), mock.patch("tests.sim.oracles.require"):
        assert outcome(edits, (0, 1, 2)) != outcome(edits, (0, 2, 1))
    assert outcome(edits, (0, 1, 2)) == outcome(edits, (0, 2, 1))


@given(before=EDITS, after=EDITS, order=ORDERS)
def test_a_restored_server_gets_everything_back(before: Edits, after: Edits, order: Sequence[int]) -> None:
    """What was durable after the backup is offered again and taken in, whoever comes back first (promise 1)."""
    with World() as world:
        begin(world)
        for who, which, what, _ in before:
            world.edit(who, which, what)
        world.back_up()
        world.create(1, 2, 1)
        for who, which, what, _ in after:
            world.edit(who, which, what)
        world.come_to_rest()
        durable = {accepted.op.id for accepted in world.server.store.history}
        for who in EVERYONE:
            world.cut(who, 1)
        world.restore()
        for who in order:
            world.come_back(who)
        world.come_to_rest()
        assert {accepted.op.id for accepted in world.server.store.history} >= durable
