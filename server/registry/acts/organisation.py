"""Acts about how the force is made up: units with their history, missions that cut across them, compartments."""

from typing import Annotated, TypeAlias

import msgspec

from schemas.ids import MillisInt, ScopeText, SlugText
from server.registry.acts.base import BaseAct, Title, Why

Places = Annotated[tuple[ScopeText, ...], msgspec.Meta(max_length=32)]


class UnitAdded(BaseAct, frozen=True, kw_only=True, tag="unit-added-1"):
    """A unit of the force begins.

    Attributes:
        unit: its name for ever; it is not used again after the unit has ended.
        title: what people call it.
        places: the areas, suites and teams it serves: (`area:birmingham`,). Never an inbox: who decides is a role.
        start: from when (ms since 1970).
    """

    unit: SlugText
    title: Title
    places: Places
    start: MillisInt


class UnitRenamed(BaseAct, frozen=True, kw_only=True, tag="unit-renamed-1"):
    """A unit is called something else from now on; what it is stays."""

    unit: SlugText
    title: Title


class UnitMerged(BaseAct, frozen=True, kw_only=True, tag="unit-merged-1"):
    """A unit goes up in another one.

    From `start`, who is posted to either is posted to the other, and holds the places of both: a record of the old unit
    rolls up to the new one.

    Attributes:
        unit: the one that ends.
        into: the one that goes on.
        start: from when (ms since 1970).
    """

    unit: SlugText
    into: SlugText
    start: MillisInt


class UnitEnded(BaseAct, frozen=True, kw_only=True, tag="unit-ended-1"):
    """A unit ends, and no other takes its work over: a posting to it gives nothing from `until` on."""

    unit: SlugText
    until: MillisInt
    why: Why


class MissionBegun(BaseAct, frozen=True, kw_only=True, tag="mission-begun-1"):
    """A mission team, across areas.

    Attributes:
        mission: its name for ever.
        title: what people call it.
        places: the areas, suites and teams that its members see besides the mission's own records.
        start, until: when it runs (ms since 1970); until None for until further notice.
    """

    mission: SlugText
    title: Title
    places: Places
    start: MillisInt
    until: MillisInt | None = None


class MissionEnded(BaseAct, frozen=True, kw_only=True, tag="mission-ended-1"):
    """A mission ends, for all its members at once."""

    mission: SlugText
    until: MillisInt
    why: Why


class CompartmentMade(BaseAct, frozen=True, kw_only=True, tag="compartment-made-1"):
    """A compartment: only who is cleared for it by name learns that it is there."""

    compartment: SlugText
    title: Title


OrganisationAct: TypeAlias = (
    UnitAdded | UnitRenamed | UnitMerged | UnitEnded | MissionBegun | MissionEnded | CompartmentMade
)
