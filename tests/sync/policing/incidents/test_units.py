"""Who was sent and when they arrived, as they say it."""

from typing import Any

import pytest

from schemas.kinds import Resource
from schemas.settings import DEFAULTS
from sync.policing.incidents import units
from tests.sync.policing.incidents.cases import MINUTE, SIX, T0, incident, made, number

SETTINGS = DEFAULTS.incidents


def sent(unit: str, step: str, minute: int) -> dict[str, Any]:
    """A step of a unit, so many minutes after the report."""
    return {"call_sign": unit, "step": step, "at": T0 + minute * MINUTE}


def graded(grade: str, minute: int, why: str | None = None) -> dict[str, Any]:
    """A grading, so many minutes after the report."""
    return {**SIX, "grade": grade, "graded_at": T0 + minute * MINUTE, **({} if why is None else {"why": why})}


def test_attendance_is_the_declared_arrival() -> None:
    """Of two units the first to say that it was there, in whatever order it was recorded."""
    held = incident(
        deployments=[
            sent("BW31", "assigned", 1),
            sent("BW32", "at-scene", 12),
            sent("BW31", "at-scene", 9),
            sent("BW31", "clear", 40),
        ]
    )
    assert units.arrived_at(held) == T0 + 9 * MINUTE
    line = units.timelines(held)["BW31"]
    assert (line.assigned, line.en_route, line.at_scene, line.clear) == (
        T0 + MINUTE,
        None,
        T0 + 9 * MINUTE,
        T0 + 40 * MINUTE,
    )
    last = units.last_step(held, "BW31")
    assert last is not None
    assert last.step.value == "clear"
    assert units.last_step(held, "BW99") is None


def test_a_mistaken_time_is_put_right_by_another_entry() -> None:
    """Of one step told twice the last entry holds."""
    held = incident(deployments=[sent("BW31", "at-scene", 4), sent("BW31", "at-scene", 9)])
    assert units.arrived_at(held) == T0 + 9 * MINUTE


@pytest.mark.parametrize(
    ("values", "minutes"),
    [
        ({"grade": "p1"}, 15),
        ({"grade": "p2", "status": "assigned"}, 60),
        ({"grade": "scheduled"}, 2 * 24 * 60),
        ({"grade": "no-deployment"}, None),
        ({"grade": "p1", "status": "attended"}, None),
        ({"grade": "p1", "status": "closed"}, None),
        ({"grade": "p1", "deployments": [sent("BW31", "at-scene", 9)]}, None),
        ({"grade": "p1", "deployments": [sent("BW31", "en-route", 9)]}, 15),
        ({"grade": "graver-than-all"}, None),
        ({"grade": "p1", "gradings": [graded("p1", 4)]}, 15),
        ({"grade": "p1", "gradings": [graded("scheduled", 2), graded("p1", 600)]}, 615),
        ({"grade": "p1", "gradings": [graded("p1", 600), graded("scheduled", 2)]}, 615),
        ({"grade": "p1", "gradings": [graded("p1", 600, why="They have come back.")]}, 615),
        ({"grade": "p1", "gradings": [graded("p1", 4), graded("p2", 300), graded("p1", 600)]}, 15),
        ({"grade": "p2", "gradings": [graded("scheduled", 2), graded("p1", 300), graded("p2", 600)]}, 360),
        ({"grade": "p1", "gradings": [graded("scheduled", -9), graded("p1", -5)]}, 15),
    ],
)
def test_the_grade_says_by_when(values: dict[str, Any], minutes: int | None) -> None:
    """From the report, or since it was first graded so urgent, until a unit has declared its arrival."""
    expected = None if minutes is None else T0 + minutes * MINUTE
    assert units.attend_by(incident(**values), SETTINGS) == expected


@pytest.mark.parametrize("code", range(12))
def test_each_status_says_whether_a_unit_can_be_sent(code: int) -> None:
    """The list of DOMAIN: on duty, on patrol, at the station, and committed but deployable."""
    plain = {"category": "call-sign", "name": "BW31", "home": "area:birmingham", "duty": {"code": code, "at": T0}}
    held = {number(1): made(Resource, plain), number(2): made(Resource, {**plain, "service": "out-of-service"})}
    assert units.deployable(held, SETTINGS) == ([number(1)] if code in {1, 2, 3, 7} else [])


def test_what_has_said_nothing_is_not_sent() -> None:
    """Nor a status that is not in the list, nor a cell."""
    plain = {"category": "call-sign", "name": "BW31", "home": "area:birmingham"}
    silent, odd = made(Resource, plain), made(Resource, plain | {"duty": {"code": 77, "at": T0}})
    cell = made(Resource, plain | {"category": "cell", "duty": {"code": 2, "at": T0}})
    assert units.deployable({number(1): silent, number(2): odd, number(3): cell}, SETTINGS) == []
    assert units.code_of(silent, SETTINGS) is None
