"""Who may see what, be what, and sign in where, at a moment: pure functions of the registry."""

from schemas.ids import DeviceId, Millis, OfficerId, ScopeName
from schemas.roles import Role
from server.registry import grounds, lookups
from server.registry.acts import Posted, RoleGiven, ShiftSet
from server.registry.grounds import Grounds
from server.registry.reasons import Reason, reason
from server.registry.state import SignIn, State
from server.roles import Roles


def rights_of(state: State, seat: DeviceId, at: Millis) -> dict[ScopeName, tuple[Reason, ...]]:
    """What a seat may hold at a moment, and why: scope -> reasons, in the order of scopes.

    It is empty for a device that is revoked or to be wiped, and for an officer who has left. That the officer is signed
    in comes on top: without it there is no connection and no new lease.

    Args:
        state: the registry.
        seat: its id.
        at: the moment (ms since 1970).

    Raises:
        UsageError: there is no such seat.
    """
    return _told(state, grounds.of_seat(state, lookups.found(state.seats, seat, "seat", "open one first"), at), at)


def roles_of(state: State, officer: OfficerId, at: Millis) -> frozenset[Role]:
    """The roles that an officer has at a moment, wherever they count; none for who has left or was never there."""
    return held_roles(state, officer, at).every


def held_roles(state: State, officer: OfficerId, *moments: Millis) -> Roles:
    """The roles that an officer has at any of some moments, and for which records each counts.

    Args:
        state: the registry.
        officer: collar number.
        moments: when (ms since 1970).
    """
    known = state.officers.get(officer)
    served = () if known is None else tuple(at for at in moments if known.serves(at))
    if known is None or not served:
        return Roles()
    everywhere: set[Role] = set()
    bound: dict[Role, set[ScopeName]] = {}
    for span in known.roles:
        held = [at for at in served if span.holds(at)]
        if not held or not isinstance(span.act, RoleGiven):
            continue
        if span.act.unit is None:
            everywhere.add(span.act.role)
        else:
            covered = bound.setdefault(span.act.role, set())
            covered.update(place for at in held for place in _places(state, span.act.unit, at))
    return Roles(
        frozenset(everywhere), {role: frozenset(places) for role, places in bound.items() if role not in everywhere}
    )


def posted_at(state: State, officer: OfficerId, at: Millis) -> frozenset[ScopeName]:
    """The places of the units at which an officer is posted or on shift at a moment."""
    known = state.officers.get(officer)
    if known is None or not known.serves(at):
        return frozenset()
    units = {span.act.unit for span in known.spans if isinstance(span.act, Posted | ShiftSet) and span.holds(at)} - {
        None
    }
    return frozenset(place for unit in units if unit is not None for place in _places(state, unit, at))


def lease_ms(state: State, officer: OfficerId, at: Millis) -> Millis:
    """How long a replica of this officer opens without the server (ms): the shortest lease among their roles."""
    leases = {**state.rules.leases, **state.leases}
    own = [leases[role] for role in roles_of(state, officer, at) if role in leases]
    return min(own, default=leases[None])


def may_sign_in(state: State, officer: OfficerId, device: DeviceId, at: Millis) -> str | None:
    """Why an officer may not sign in on a device at a moment, or None when they may.

    The words are for the log and for whoever helps the officer. Whoever tries at the device is told no more than that
    it did not work: the words would say which collar numbers there are.
    """
    person, thing = state.officers.get(officer), state.devices.get(device)
    if person is None:
        return f"there is no officer {officer!r}; add the officer first"
    if not person.serves(at):
        return f"officer {officer!r} does not serve at this time; see when they began and left"
    if person.locked and (person.locked_until is None or at < person.locked_until):
        return f"the sign-in of officer {officer!r} is locked after too many tries; have somebody unlock it"
    if thing is None:
        return f"there is no device {device!r}; enrol it first"
    if thing.revoked is not None:
        return f"device {device!r} is revoked; enrol it again with a new code and a new key"
    if thing.wipe is not None:
        return f"device {device!r} is to be wiped; once it has been, enrol it again"
    return None


def live_sign_in(state: State, seat: DeviceId, at: Millis) -> SignIn | None:
    """The sign-in that is live at a seat at a moment, if any.

    Raises:
        UsageError: there is no such seat.
    """
    return grounds.live_sign_in(lookups.found(state.seats, seat, "seat", "open one first"), at)


def _told(state: State, found: Grounds, at: Millis) -> dict[ScopeName, tuple[Reason, ...]]:
    return {scope: tuple(dict.fromkeys(reason(state, one, at) for one in found[scope])) for scope in sorted(found)}


def _places(state: State, unit: str, at: Millis) -> set[ScopeName]:
    """The places of a unit and of every one that has gone up in it."""
    station = state.units[unit].at(at)
    return set() if station is None else {place for one in station.whole(at) for place in one.act.places}
