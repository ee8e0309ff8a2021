"""What is to be recorded for a seat, when, and for whom: the difference between what it holds and what holds now.

Whoever keeps the registry evaluates a seat after each act that concerns it (`affected`) and when time passes a moment
at which something begins or ends (`next_change`, `due`), and commits what `plan` says. A scope that begins anew gets a
generation that the seat has never had of it, so that a late batch of an older grant is dropped.
"""

from collections.abc import Iterable

from schemas.ids import DeviceId, Generation, Millis, ScopeName
from schemas.limits import SCOPES_PER_DEVICE_MAX
from server.registry import grounds, lookups
from server.registry.acts import (
    SERVER,
    Act,
    DeviceEnrolled,
    DeviceRevoked,
    MissionBegun,
    MissionEnded,
    OfficerAdded,
    OfficerEnded,
    OfficerReturned,
    PersonSpan,
    ScopeGranted,
    SeatOpened,
    SpanEnded,
    UnitAdded,
    UnitEnded,
    UnitMerged,
    Wiped,
    WipeOrdered,
)
from server.registry.acts.devices import Began, Ended, SeatRights
from server.registry.people import holder
from server.registry.reasons import reason
from server.registry.state import Mission, Officer, Seat, State, Unit


def plan(state: State, seat: DeviceId, at: Millis) -> SeatRights | None:
    """The act that brings what is recorded for a seat to what holds at a moment; None when it is that already.

    What a seat holds already comes first where there is more than a seat may hold; the rest is told in `left_out`.

    Args:
        state: the registry.
        seat: its id.
        at: now (ms since 1970), never before a moment asked about earlier: time that goes back would give rights back.

    Raises:
        UsageError: there is no such seat.
    """
    one = lookups.found(state.seats, seat, "seat", "open one first")
    found = grounds.of_seat(state, one, at)
    held = one.grants()
    wanted = sorted(found, key=lambda scope: (scope not in held, scope))
    wanted, left_out = wanted[:SCOPES_PER_DEVICE_MAX], wanted[SCOPES_PER_DEVICE_MAX:]
    ended = [Ended(scope=scope, gen=gen) for scope, gen in sorted(held.items()) if scope not in found]
    began = [
        Began(
            scope=scope,
            gen=_next(one, scope),
            why=tuple(dict.fromkeys(reason(state, why, at).words for why in found[scope])),
        )
        for scope in wanted
        if scope not in held
    ]
    if not began and not ended:
        return None
    return SeatRights(by=SERVER, at=at, seat=seat, began=tuple(began), ended=tuple(ended), left_out=tuple(left_out))


def next_change(state: State, after: Millis) -> Millis | None:
    """The first moment behind `after` at which anybody's right may begin or end (ms since 1970); None for never.

    No right changes between two such moments but by an act.
    """
    return state.moments.after(after)


def due(state: State, after: Millis, upto: Millis) -> set[DeviceId]:
    """The seats whose rights may have changed in (after, upto] because time has passed."""
    return _seats(state, state.moments.between(after, upto))


def affected(state: State, act: Act) -> set[DeviceId]:
    """The seats whose rights an act may have changed. Ask once it is applied."""
    subjects: list[Unit | Mission | Officer | Seat] = []
    match act:
        case UnitAdded() | UnitMerged() | UnitEnded():
            subjects.append(state.units[act.unit])
        case MissionBegun() | MissionEnded():
            subjects.append(state.missions[act.mission])
        case OfficerAdded() | OfficerEnded() | OfficerReturned():
            subjects.append(state.officers[act.officer])
        case SpanEnded():
            subjects.append(holder(state, state.spans[act.span]))
        case SeatOpened() | ScopeGranted():
            subjects.append(state.seats[act.seat])
        case DeviceEnrolled() | DeviceRevoked() | WipeOrdered() | Wiped():
            subjects += state.devices[act.device].seats
        case _ if isinstance(act, PersonSpan):
            subjects.append(state.officers[act.officer])
        case _:
            pass
    return _seats(state, subjects)


def _seats(state: State, subjects: Iterable[Unit | Mission | Officer | Seat]) -> set[DeviceId]:
    officers: set[Officer] = set()
    seats: set[DeviceId] = set()
    overseers = False
    for subject in subjects:
        match subject:
            case Seat():
                seats.add(subject.seat)
            case Officer():
                officers.add(subject)
            case Mission():
                officers.update(state.officers[one] for one in subject.officers)
            case Unit():
                overseers = True
                officers.update(state.officers[one] for unit in _tree(subject) for one in unit.officers)
    if overseers:
        officers.update(state.officers[one] for one in state.overseers)
    return seats | {seat.seat for officer in officers for seat in officer.seats if not seat.retired}


def _tree(unit: Unit) -> list[Unit]:
    """Every unit that is or will be one with this one, at any time."""
    while unit.into is not None:
        unit = unit.into
    units = [unit]
    for one in units:
        units += one.merged
    return units


def _next(seat: Seat, scope: ScopeName) -> Generation:
    before = seat.held.get(scope)
    return Generation(1 if before is None else before.gen + 1)
