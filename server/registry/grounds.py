"""What a scope rests on: the one walk over everything that can entitle an officer or a seat at a moment.

`rights` says it in words, `plans` records what it comes to. Both see the same grounds, so that no device holds a scope
for which nobody can say why.
"""

from functools import lru_cache
from typing import TypeAlias

import msgspec

from schemas import scopes
from schemas.ids import Millis, ScopeName
from schemas.limits import INT_MAX
from server.registry.acts import (
    Assigned,
    Cleared,
    MissionJoined,
    NamedGrant,
    Posted,
    RoleGiven,
    ScopeGranted,
    ShiftSet,
    within,
)
from server.registry.rules import RoleRule, expand
from server.registry.state import Mission, Officer, Seat, SignIn, Span, State, Unit


class Ground(msgspec.Struct, frozen=True, eq=False):
    """One way in which a scope is held.

    Attributes:
        officer: whose right it is.
        spans: the spans that must all hold, the role first; none for what every officer holds.
        station: the unit at which the role is held, as it is at the moment.
        source: the unit whose place it is: the station itself, one that went up in it, or for a role that reaches
            everywhere any unit.
        mission: the mission that it comes from.
        shift: the shift that a role hangs on, where the rules bind it to one.
    """

    officer: Officer
    spans: tuple[Span, ...] = ()
    station: Unit | None = None
    source: Unit | None = None
    mission: Mission | None = None
    shift: Span | None = None


Grounds: TypeAlias = dict[ScopeName, list[Ground]]
_Stations: TypeAlias = list[tuple[Span | None, Unit]]


def of_seat(state: State, seat: Seat, at: Millis) -> Grounds:
    """What a seat may hold at a moment: what its officer is entitled to, and nothing on a device that is not trusted.

    Whether the officer is signed in is not asked: that opens the connection and the lease. Else the end of every shift
    would take from a handheld what the next sign-in sends again, whole. That a device was revoked counts for every
    moment asked about, so that a clock set back brings no right back.
    """
    device = seat.device
    gone = seat.retired or device.revoked is not None or device.wipe is not None or seat.wipe is not None
    if gone or not _operational(state, seat.officer, at):
        return {}
    found = {} if seat.unattended else of_officer(state, seat.officer, at)
    for span in seat.spans:
        if isinstance(span.act, ScopeGranted) and span.holds(at):
            _add(found, span.act.scope, Ground(seat.officer, (span,)))
    return found


def of_officer(state: State, officer: Officer, at: Millis) -> Grounds:
    """What an officer is entitled to at a moment, on whatever device."""
    if not _operational(state, officer, at):
        return {}
    walk = _Walk(state, officer, at)
    walk.everybody()
    held = [span for span in officer.spans if span.holds(at)]
    walk.roles(held)
    for span in held:
        walk.direct(span)
    return walk.found


def live_sign_in(seat: Seat, at: Millis) -> SignIn | None:
    """Who is signed in at the seat, if anybody is at that moment."""
    sign_in = seat.sign_in
    return None if sign_in is None or sign_in.ended or sign_in.until <= at else sign_in


def _operational(state: State, officer: Officer, at: Millis) -> bool:
    """Whether the officer serves, and has no role that stands outside operations."""
    return officer.serves(at) and not any(
        isinstance(span.act, RoleGiven) and span.act.role in state.rules.outside and span.holds(at)
        for span in officer.spans
    )


class _Walk:
    """One evaluation of one officer at one moment."""

    __slots__ = ("_at", "_officer", "_state", "found")

    def __init__(self, state: State, officer: Officer, at: Millis) -> None:
        self._state, self._officer, self._at = state, officer, at
        self.found: Grounds = {}

    def everybody(self) -> None:
        """What every officer holds, and what is theirs alone, unless their collar number cannot stand in a scope."""
        own = scopes.officer(self._officer.officer)
        for scope in (*self._state.rules.everyone, *(() if scopes.problem(own) else (own,))):
            _add(self.found, scope, Ground(self._officer))

    def roles(self, held: list[Span]) -> None:
        """What the officer's roles give, at the units where they are held."""
        rules = self._state.rules
        posts = self._posts(held)
        duty = _longest([span for span in held if isinstance(span.act, ShiftSet)])
        for span in held:
            if not isinstance(span.act, RoleGiven):
                continue
            # A role that gives no place is an audience all the same.
            rule = rules.roles.get(span.act.role, RoleRule())
            bound = span.act.role in rules.on_shift
            if bound and duty is None:
                continue
            ground = Ground(self._officer, (span,), shift=duty if bound else None)
            audience = scopes.role(span.act.role)
            addressed = (scopes.briefing(audience), scopes.safety(audience)) if span.act.role.known else ()
            for scope in (*addressed, *rule.always):
                _add(self.found, scope, ground)
            self._everywhere(ground, rule)
            self._here(ground, rule, posts if span.act.unit is None else self._covered(span.act.unit))

    def direct(self, span: Span) -> None:
        """What a span gives by itself, whatever the role."""
        ground = Ground(self._officer, (span,))
        match span.act:
            case Assigned(scope=scope):
                _add(self.found, scope, ground)
            case NamedGrant(scope=named) if named is not None:
                _add(self.found, named, ground)
            case Cleared(compartment=name, decides=decides):
                self._circle(scopes.compartment(name), ground, decides=decides)
            case MissionJoined(mission=name, decides=decides):
                mission = self._state.missions[name]
                if within(self._at, mission.act.start, mission.until):
                    ground = Ground(self._officer, (span,), mission=mission)
                    self._circle(scopes.mission(name), ground, decides=decides)
                    for place in mission.act.places:
                        _add(self.found, place, ground)
            case _:
                pass

    def _posts(self, held: list[Span]) -> _Stations:
        found: _Stations = []
        for span in held:
            if isinstance(span.act, Posted | ShiftSet) and span.act.unit is not None:
                unit = self._state.units[span.act.unit].at(self._at)
                if unit is not None:
                    found.append((span, unit))
        return found

    def _covered(self, unit: str) -> _Stations:
        station = self._state.units[unit].at(self._at)
        return [] if station is None else [(None, station)]

    def _everywhere(self, role: Ground, rule: RoleRule) -> None:
        if not rule.everywhere:
            return
        for unit in self._state.units.values():
            if unit.act.start <= self._at:
                ground = msgspec.structs.replace(role, source=unit)
                for place in unit.act.places:
                    for scope in expand(rule.everywhere, place):
                        _add(self.found, scope, ground)

    def _here(self, role: Ground, rule: RoleRule, stations: _Stations) -> None:
        for post, station in stations:
            for source in station.whole(self._at):
                spans = role.spans if post is None else (*role.spans, post)
                ground = Ground(self._officer, spans, station, source, shift=role.shift)
                for place in source.act.places:
                    for scope in expand(rule.here, place):
                        _add(self.found, scope, ground)

    def _circle(self, scope: ScopeName, ground: Ground, *, decides: bool) -> None:
        _add(self.found, scope, ground)
        if decides:
            _add(self.found, scopes.inbox(scope), ground)


def _longest(spans: list[Span]) -> Span | None:
    """The span that ends last, of those that hold at one moment."""
    return max(spans, key=lambda span: INT_MAX if span.until is None else span.until, default=None)


def _add(found: Grounds, scope: ScopeName, ground: Ground) -> None:
    for given in _given(scope):
        found.setdefault(given, []).append(ground)
    if scopes.closed(scope) and scopes.audience(scope) == scope:
        # What the officer says of what is closed goes with the right to it.
        own = scopes.personal(ground.officer.officer, scope)
        if own is not None:
            found.setdefault(own, []).append(ground)


@lru_cache(maxsize=4_096)
def _given(scope: ScopeName) -> tuple[ScopeName, ...]:
    """The scope and what comes along with it."""
    return tuple(sorted(scopes.with_briefings(frozenset({scope}))))
