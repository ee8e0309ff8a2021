"""What acts about officers and what entitles them need, and what they change."""

from typing import assert_never

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import Millis
from schemas.roles import Role
from server.registry import lookups
from server.registry.acts import (
    SERVER,
    Assigned,
    Cleared,
    LeaseSet,
    MissionJoined,
    NamedGrant,
    OfficerAdded,
    OfficerEnded,
    OfficerReturned,
    PassphraseChanged,
    PeopleAct,
    PersonSpan,
    Posted,
    RoleGiven,
    ScopeGranted,
    ShiftSet,
    SpanEnded,
)
from server.registry.ends import end_sign_in
from server.registry.state import Officer, Seat, Span, State

NO_OFFICER = "add the officer first"
NEW_SPAN = "choose another name: what ended keeps its own"


def check(state: State, act: PeopleAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case OfficerAdded():
            _check_new(state, act)
        case OfficerEnded():
            officer = lookups.found(state.officers, act.officer, "officer", NO_OFFICER)
            lookups.shorter(f"officer {act.officer!r}", officer.start, officer.until, act.until)
            _check_last(state, officer, [span for span in officer.roles if _administers(span)])
        case OfficerReturned():
            officer = lookups.found(state.officers, act.officer, "officer", NO_OFFICER)
            if officer.until is None or act.start < officer.until:
                raise UsageError(f"officer {act.officer!r} has not left by {act.start}; nobody returns who is there")
        case SpanEnded():
            span = lookups.found(state.spans, act.span, "role, posting, shift or grant", "give the name it began with")
            lookups.shorter(f"{act.span!r}", span.act.start, span.until, act.until)
            if _administers(span):
                _check_last(state, holder(state, span), [span])
        case PassphraseChanged():
            lookups.found(state.officers, act.officer, "officer", NO_OFFICER)
        case LeaseSet():
            if act.role is not None:
                _check_known(act.role)
            if act.lease_ms == 0:
                raise UsageError("a lease lasts at least 1 ms; to close a device revoke it")
        case _:
            _check_span(state, act)


def apply(state: State, act: PeopleAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case OfficerAdded():
            officer = state.officers[act.officer] = Officer(act.officer, act.name, act.start)
            state.own_scopes[scopes.officer(act.officer)] = act.officer
            state.moments.add(act.start, officer)
        case OfficerEnded():
            officer = state.officers[act.officer]
            state.moments.drop(officer.until, officer)
            officer.until = act.until
            state.moments.add(act.until, officer)
        case OfficerReturned():
            _return(state, state.officers[act.officer], act.start)
        case SpanEnded():
            _end(state, state.spans[act.span], act.until)
        case PassphraseChanged():
            state.officers[act.officer].passphrase_at = act.at
        case LeaseSet():
            state.leases[act.role] = act.lease_ms
        case _:
            _begin(state, act)


def holder(state: State, span: Span) -> Officer | Seat:
    """Whom a span entitles."""
    match span.act:
        case ScopeGranted():
            return state.seats[span.act.seat]
        case _:
            return state.officers[span.act.officer]


def _end(state: State, span: Span, until: Millis) -> None:
    whose = holder(state, span)
    state.moments.drop(span.until, whose)
    span.until = until
    state.moments.add(until, whose)


def _return(state: State, officer: Officer, start: Millis) -> None:
    """Begin the officer's time anew; nothing that they left behind comes to life again."""
    left = officer.until if officer.until is not None else start
    for span in (*officer.spans, *(span for seat in officer.seats for span in seat.spans)):
        if span.act.start < left and (span.until is None or span.until > left):
            _end(state, span, left)
    for seat in officer.seats:
        end_sign_in(seat)
    state.moments.drop(officer.start, officer)
    state.moments.drop(officer.until, officer)
    officer.start, officer.until = start, None
    state.moments.add(start, officer)


def _begin(state: State, act: PersonSpan) -> None:
    officer = state.officers[act.officer]
    span = state.spans[act.span] = Span(act, act.until)
    officer.spans.append(span)
    state.moments.add(act.start, officer)
    state.moments.add(act.until, officer)
    match act:
        case MissionJoined():
            state.missions[act.mission].officers.add(act.officer)
        case RoleGiven() | Posted() | ShiftSet():
            if isinstance(act, RoleGiven):
                officer.roles.append(span)
            if act.unit is not None:
                state.units[act.unit].officers.add(act.officer)
            if isinstance(act, RoleGiven) and act.role in state.rules.reaching:
                state.overseers.add(act.officer)
        case _:
            pass


def _check_new(state: State, act: OfficerAdded) -> None:
    lookups.fresh(state.officers, act.officer, "officer", "a collar number is one person's for ever")
    if act.officer == SERVER:
        raise UsageError(f"{SERVER!r} is the server's own name for what it does; give the officer another one")
    alike = state.own_scopes.get(scopes.officer(act.officer))
    if alike is not None:
        raise UsageError(
            f"{act.officer!r} cannot be told from officer {alike!r} in the name of a scope; spell it apart"
        )


def _check_span(state: State, act: PersonSpan) -> None:
    lookups.fresh(state.spans, act.span, "role, posting, shift or grant", NEW_SPAN)
    officer = lookups.found(state.officers, act.officer, "officer", NO_OFFICER)
    lookups.order(f"{act.span!r}", act.start, act.until)
    match act:
        case RoleGiven():
            _check_known(act.role)
            _check_other_hands(act)
            _check_apart(state, officer, act)
            if act.unit is not None:
                lookups.found(state.units, act.unit, "unit", "add it first")
        case Posted():
            lookups.found(state.units, act.unit, "unit", "add it first")
        case ShiftSet():
            if act.unit is not None:
                lookups.found(state.units, act.unit, "unit", "add it first")
        case Assigned():
            lookups.grantable(act.scope)
        case MissionJoined():
            lookups.found(state.missions, act.mission, "mission", "begin it first")
        case NamedGrant():
            if act.record is not None or act.scope is None:
                raise UsageError(
                    f"{act.span!r}: give a scope; one record is shared by its own field `named`, which an incident "
                    "has: whom it names has it in the scope that is theirs alone, and nobody gets more than that"
                )
            lookups.grantable(act.scope)
        case Cleared():
            _check_other_hands(act)
            lookups.found(state.compartments, act.compartment, "compartment", "make it first")
        case _:
            assert_never(act)


def _administers(span: Span) -> bool:
    """Whether it makes somebody administrator until further notice."""
    return span.until is None and isinstance(span.act, RoleGiven) and span.act.role is Role.ADMINISTRATOR


def _check_last(state: State, whose: Officer | Seat, ending: list[Span]) -> None:
    """Refuse the end of what makes somebody administrator, where nobody else is that until further notice.

    A force in which nobody administers can take nobody's rights away any more.
    """
    if not ending:
        return
    staying = (
        span
        for officer in state.officers.values()
        for span in officer.roles
        if officer.until is None and _administers(span) and span not in ending
    )
    if next(staying, None) is None:
        name = whose.officer if isinstance(whose, Officer) else whose.seat
        raise UsageError(
            f"officer {name!r} is the last who administers until further notice; make somebody else administrator first"
        )


def _check_known(role: Role) -> None:
    if not role.known:
        known = ", ".join(one.value for one in Role)
        raise UsageError(f"there is no role {role.value!r}; there are {known}")


def _check_other_hands(act: RoleGiven | Cleared) -> None:
    """Nobody raises themselves: a role or a clearance comes from somebody else."""
    if act.by == act.officer:
        raise UsageError(f"officer {act.officer!r} cannot give this to themselves; have somebody else do it")


def _check_apart(state: State, officer: Officer, act: RoleGiven) -> None:
    """Refuse a role beside one that the same person must not have, at any moment of its time."""
    against = {one for pair in state.rules.apart if act.role in pair for one in pair} - {act.role}
    for span in officer.spans:
        held = span.act
        if isinstance(held, RoleGiven) and held.role in against and _overlap(act, span):
            raise UsageError(
                f"officer {act.officer!r} is {held.role.value} ({held.span!r}) and cannot be {act.role.value} at the "
                "same time; end that role first, or choose another person"
            )


def _overlap(act: RoleGiven, span: Span) -> bool:
    begins = span.act.start
    empty = span.until == begins
    return not empty and (span.until is None or act.start < span.until) and (act.until is None or begins < act.until)
