"""What acts about units, missions and compartments need, and what they change."""

from typing import assert_never

from schemas.errors import UsageError
from server.registry import lookups
from server.registry.acts import (
    CompartmentMade,
    MissionBegun,
    MissionEnded,
    OrganisationAct,
    UnitAdded,
    UnitEnded,
    UnitMerged,
    UnitRenamed,
)
from server.registry.state import Mission, State, Unit

NO_UNIT = "add it first"
NEW_NAME = "choose another name: names are for ever"


def check(state: State, act: OrganisationAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case UnitAdded():
            lookups.fresh(state.units, act.unit, "unit", NEW_NAME)
            lookups.places(act.places)
        case UnitRenamed():
            lookups.found(state.units, act.unit, "unit", NO_UNIT)
        case UnitMerged():
            _check_merge(state, act)
        case UnitEnded():
            unit = lookups.found(state.units, act.unit, "unit", NO_UNIT)
            _check_goes_on(unit)
            lookups.shorter(f"unit {act.unit!r}", unit.act.start, None, act.until)
        case MissionBegun():
            lookups.fresh(state.missions, act.mission, "mission", NEW_NAME)
            lookups.places(act.places)
            lookups.order(f"mission {act.mission!r}", act.start, act.until)
        case MissionEnded():
            mission = lookups.found(state.missions, act.mission, "mission", "begin it first")
            lookups.shorter(f"mission {act.mission!r}", mission.act.start, mission.until, act.until)
        case CompartmentMade():
            lookups.fresh(state.compartments, act.compartment, "compartment", NEW_NAME)
        case _:
            assert_never(act)


def apply(state: State, act: OrganisationAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case UnitAdded():
            unit = state.units[act.unit] = Unit(act, act.title)
            state.moments.add(act.start, unit)
        case UnitRenamed():
            state.units[act.unit].title = act.title
        case UnitMerged():
            unit, into = state.units[act.unit], state.units[act.into]
            unit.until, unit.into = act.start, into
            into.merged.append(unit)
            state.moments.add(act.start, unit)
        case UnitEnded():
            unit = state.units[act.unit]
            unit.until = act.until
            state.moments.add(act.until, unit)
        case MissionBegun():
            mission = state.missions[act.mission] = Mission(act, act.until)
            state.moments.add(act.start, mission)
            state.moments.add(act.until, mission)
        case MissionEnded():
            mission = state.missions[act.mission]
            state.moments.drop(mission.until, mission)
            mission.until = act.until
            state.moments.add(act.until, mission)
        case CompartmentMade():
            state.compartments[act.compartment] = act.title
        case _:
            assert_never(act)


def _check_merge(state: State, act: UnitMerged) -> None:
    unit = lookups.found(state.units, act.unit, "unit", NO_UNIT)
    into = lookups.found(state.units, act.into, "unit", NO_UNIT)
    _check_goes_on(unit)
    lookups.shorter(f"unit {act.unit!r}", unit.act.start, None, act.start)
    if act.start < into.act.start or (into.until is not None and into.until <= act.start):
        raise UsageError(f"unit {act.into!r} is not there at {act.start}; merge into one that is")
    later: Unit | None = into
    while later is not None:
        if later is unit:
            raise UsageError(f"unit {act.into!r} goes up in {act.unit!r} itself; merge into another one")
        later = later.into


def _check_goes_on(unit: Unit) -> None:
    if unit.into is not None:
        raise UsageError(f"unit {unit.act.unit!r} goes up in {unit.into.act.unit!r} already; act on that one")
    if unit.until is not None:
        raise UsageError(f"unit {unit.act.unit!r} ends already ({unit.until}); add a new one")
