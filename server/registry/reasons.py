"""Why somebody may see something, in words that an officer reads: `beatbook why RECORD DEVICE`.

A reason is told only to whoever asks about a scope that the seat holds. It names nothing beyond what gives that scope,
so the reasons of somebody who is not cleared for a compartment never say that there is one.
"""

from typing import assert_never

import msgspec

from schemas.ids import Millis
from server.registry.acts import (
    Assigned,
    Cleared,
    MissionJoined,
    NamedGrant,
    Posted,
    RoleGiven,
    ScopeGranted,
    ShiftSet,
    tag_of,
)
from server.registry.grounds import Ground
from server.registry.state import Span, State, Unit
from sync.explain.values import moment


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for which a scope is held at a moment.

    Attributes:
        acts: the acts that it rests on, each (tag, span); ("officer-added-1", collar number) for what every officer
            holds.
        since, until: the stretch of time in which it holds as far as is known now (ms since 1970); until None for
            until further notice. That the officer is signed in comes on top.
        words: the reason as a sentence without its full stop.
    """

    acts: tuple[tuple[str, str], ...]
    since: Millis
    until: Millis | None
    words: str


def reason(state: State, ground: Ground, at: Millis) -> Reason:
    """The reason that a ground is, which holds at a moment."""
    officer = ground.officer
    starts, ends = [officer.start], [officer.until]
    spans = ground.spans if ground.shift is None else (*ground.spans, ground.shift)
    starts += [span.act.start for span in spans]
    ends += [span.until for span in spans]
    if ground.mission is not None:
        starts.append(ground.mission.act.start)
        ends.append(ground.mission.until)
    if ground.station is not None:
        starts.append(ground.station.act.start)
        ends.append(ground.station.until if ground.station.into is None else None)
    named = _named(state, ground)
    for unit in (named, ground.source):
        if unit is not None:
            starts += _joined(unit, ground.station)
    for span in officer.spans:
        if isinstance(span.act, RoleGiven) and span.act.role in state.rules.outside and span.until != span.act.start:
            # It takes every operational scope away while it holds: it is over, or still to come.
            if span.until is not None and span.until <= at:
                starts.append(span.until)
            else:
                ends.append(span.act.start)
    until = min((end for end in ends if end is not None), default=None)
    acts = tuple((tag_of(span.act), span.act.span) for span in spans)
    return Reason(
        acts=acts or (("officer-added-1", officer.officer),),
        since=max(starts),
        until=until,
        words=f"{_what(state, ground)}, {_how_long(until)}{_by(spans)}",
    )


def _named(state: State, ground: Ground) -> Unit | None:
    """The unit that the last of the acts names, whatever has become of it; None when it names none."""
    act = ground.spans[-1].act if ground.spans else None
    return state.units[act.unit] if isinstance(act, RoleGiven | Posted | ShiftSet) and act.unit is not None else None


def _joined(unit: Unit, station: Unit | None) -> list[Millis]:
    """The moments from which a unit is one with the station: its own start, and each merge on the way."""
    found = [unit.act.start]
    while station is not None and unit is not station and unit.into is not None and unit.until is not None:
        found.append(unit.until)
        unit = unit.into
    return found


def _what(state: State, ground: Ground) -> str:
    if not ground.spans:
        return f"{ground.officer.officer} is an officer of the force"
    span = ground.spans[-1]
    match span.act:
        case RoleGiven(role=role):
            words = f"{role.value}{_reach(state, ground)}"
        case Posted():
            words = f"{_role(ground)} posted to {_place(state, ground)}"
        case ShiftSet():
            words = f"{_role(ground)} on shift at {_place(state, ground)}"
        case Assigned(why=why):
            words = f"assigned to it ({why})"
        case NamedGrant(why=why):
            words = f"named for it ({why})"
        case MissionJoined(mission=name):
            words = f"on mission {state.missions[name].act.title}"
        case Cleared(compartment=name, why=why):
            words = f"cleared for {state.compartments[name]} ({why})"
        case ScopeGranted(seat=seat, why=why):
            return f"seat {seat} was granted it ({why})"
        case _:
            assert_never(span.act)
    return f"{ground.officer.officer} is {words}{'' if ground.shift is None else ' while on shift'}"


def _reach(state: State, ground: Ground) -> str:
    """Where a role counts that needs no posting."""
    if ground.source is None:
        return ""
    return " for every unit of the force" if ground.station is None else f" of {_place(state, ground)}"


def _role(ground: Ground) -> str:
    act = ground.spans[0].act
    return act.role.value if isinstance(act, RoleGiven) else ""


def _place(state: State, ground: Ground) -> str:
    """The unit as the act named it, what has become of it, and which older unit's place this is."""
    named, station, source = _named(state, ground), ground.station, ground.source
    if named is None or station is None or source is None:
        return ""
    words = named.title if named is station else f"{named.title}, now {station.title}"
    return words if source in {station, named} else f"{words}, which took in {source.title}"


def _how_long(until: Millis | None) -> str:
    return "until further notice" if until is None else f"until {moment(until)}"


def _by(spans: tuple[Span, ...]) -> str:
    authors = sorted({span.act.by for span in spans})
    return f" (by {', '.join(authors)})" if authors else ""
