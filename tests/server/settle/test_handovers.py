"""One end of a shift, written by several devices without sight of each other: one record, and nothing of it is lost."""

import itertools
from typing import Any

import pytest

from schemas.ids import ScopeName
from schemas.kinds import Handover
from schemas.kinds.handover import HandedItem, handover_id
from tests.server.settle.desk import NOW, Desk, op, record

TEAM = ScopeName("team:response-a")
SHIFT = handover_id(TEAM, NOW)
SPILL: dict[str, Any] = {"record": record(1), "kind": "incident", "part": "incident", "words": "Send a unit."}
FIRE: dict[str, Any] = SPILL | {"record": record(2)}


def handed(device: str, n: int, *items: dict[str, Any]) -> tuple[bytes, str]:
    """Somebody hands over; they know of no record of that shift."""
    changes = {"audience": TEAM, "ends_at": NOW, "items": list(items)}
    return op(n, SHIFT, changes, kind="handover", create=True, device=device), device


def answered(device: str, n: int, item: dict[str, Any], *, taken: bool) -> tuple[bytes, str]:
    """Somebody of the next shift answers, on the record as they got it."""
    answer = {"item": HandedItem(**item).ref(), "taken": taken, "at": NOW + n, "note": "x"}
    return op(n, SHIFT, {"answers": [answer]}, kind="handover", device=device), device


def held(desk: Desk) -> Handover:
    """The record as it stands."""
    built = desk.held(SHIFT).build()
    assert isinstance(built, Handover)
    return built


@pytest.mark.parametrize("order", range(12))
def test_two_who_hand_over_without_signal_write_in_one_record(order: int) -> None:
    """In whichever order they arrive: what both named is there once, who took it on has it, and nobody is asked."""
    made = [handed("hh-1", 1, SPILL, FIRE), handed("hh-2", 1, SPILL)]
    later = [answered("hh-3", 1, SPILL, taken=True), answered("hh-4", 1, SPILL, taken=False)]
    # An answer was written on a record that its author had: one of the two came first.
    orders = [each for each in itertools.permutations([*made, *later]) if each[0] in made]
    desk = Desk()
    for raw, device in orders[order]:
        result = desk.one(raw, device=device, scopes=frozenset({TEAM}))
        assert (result.status, result.detail) == ("durable", "")
    shift = held(desk)
    assert {one.record for one in shift.items} == {record(1), record(2)}
    assert [one.record for one in shift.waiting()] == [record(2)]
    assert (desk.items(), desk.lost()) == ([], [])


def test_a_record_of_another_shift_is_not_written_under_that_name() -> None:
    """Its id follows from whose shift it is and when it ends."""
    desk = Desk()
    strange = {"audience": "team:cid", "ends_at": NOW, "items": [SPILL]}
    raw = op(1, SHIFT, strange, kind="handover", create=True)
    result = desk.one(raw, scopes=frozenset({TEAM}))
    assert (result.status, result.code) == ("refused", "op_value_wrong")
