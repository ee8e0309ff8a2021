"""Routes: administrative acts, by family, and the registry as it stands.

What a call sends are the registry's own acts (`server.http.act_drafts`). All acts of a call are done, or none.
"""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import OfficerId, OfficerText, SlugText
from schemas.roles import Role
from server.http.act_drafts import acts_of, family, word_for
from server.http.callers import NotEntitledError, caller_of
from server.http.identities import Done
from server.http.operations import Operation, read_body
from server.http.problems import beatbook_of, reply
from server.registry.acts import (
    Act,
    Assigned,
    Cleared,
    CompartmentMade,
    LeaseSet,
    MissionBegun,
    MissionEnded,
    MissionJoined,
    NamedGrant,
    OfficerAdded,
    OfficerEnded,
    OfficerReturned,
    Posted,
    RoleGiven,
    ScopeGranted,
    SeatOpened,
    ShiftSet,
    SpanAct,
    SpanEnded,
    UnitAdded,
    UnitEnded,
    UnitMerged,
    UnitRenamed,
)
from server.registry.acts.base import Why
from server.registry.state import Officer, Span, State

ADMINISTRATION: Final = (Role.ADMINISTRATOR,)
ACTS_MAX: Final = 256
"""Acts in one call: a shift's rota."""
OrganisationActs: Final = family(
    "OrganisationActs",
    UnitAdded,
    UnitRenamed,
    UnitMerged,
    UnitEnded,
    MissionBegun,
    MissionEnded,
    CompartmentMade,
    at_most=ACTS_MAX,
)
PeopleActs: Final = family("PeopleActs", OfficerAdded, OfficerEnded, OfficerReturned, LeaseSet, at_most=ACTS_MAX)
GrantActs: Final = family(
    "GrantActs",
    RoleGiven,
    Posted,
    ShiftSet,
    Assigned,
    MissionJoined,
    NamedGrant,
    Cleared,
    ScopeGranted,
    SpanEnded,
    at_most=ACTS_MAX,
)
SeatActs: Final = family("SeatActs", SeatOpened, at_most=ACTS_MAX)


class DoneAct(msgspec.Struct, frozen=True, kw_only=True):
    """An act that is done.

    Attributes:
        t: which.
        span: the name under which it can be ended; null for an act that cannot.
    """

    t: str
    span: str | None


class ActsDone(msgspec.Struct, frozen=True, kw_only=True):
    """What a call did, in its order."""

    acts: list[DoneAct]


class SpanBody(msgspec.Struct, frozen=True, kw_only=True):
    """A role, posting, shift, assignment, membership, grant or clearance.

    Attributes:
        span: its name, under which it is ended.
        t: which sort of act gave it.
        start, until: from when to when it holds (ms since 1970); until null for until further notice.
        what: the rest of what the act says.
    """

    span: SlugText
    t: str
    start: int
    until: int | None
    what: dict[str, Any]


class OfficerBody(msgspec.Struct, frozen=True, kw_only=True):
    """An officer and everything that ever entitled them.

    Attributes:
        officer, name: who.
        start, until: from when to when they serve (ms since 1970).
        locked: whether their sign-in waits to be opened by somebody.
        roles: what they are now.
        spans: what entitles or entitled them, in the order in which it was given.
        seats: their stores on devices.
    """

    officer: OfficerText
    name: str
    start: int
    until: int | None
    locked: bool
    roles: list[str]
    spans: list[SpanBody]
    seats: list[str]


class OfficerList(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody there is or was, by collar number."""

    officers: list[OfficerBody]


class UnitBody(msgspec.Struct, frozen=True, kw_only=True):
    """A unit.

    Attributes:
        unit, title, places: which; what people call it; what it serves.
        start, until: from when to when it is there (ms since 1970).
        into: the unit that it went up in.
    """

    unit: str
    title: str
    places: list[str]
    start: int
    until: int | None
    into: str | None


class MissionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A mission: its name, what people call it, the places its members see, and when it runs (ms since 1970)."""

    mission: str
    title: str
    places: list[str]
    start: int
    until: int | None


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """How the force is made up.

    Attributes:
        units, missions: all there are or were.
        compartments: name -> title.
    """

    units: list[UnitBody]
    missions: list[MissionBody]
    compartments: dict[str, str]


class Unlock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lets an officer try again to sign in.

    Attributes:
        why: how it is known that the wrong tries were theirs.
    """

    why: Why


class Reset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gives an officer a passphrase for one sign-in, at which they choose their own."""


class ResetDone(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time passphrase. It is told once: the server keeps what it can be checked by alone.

    Attributes:
        passphrase: for one sign-in, along with the one that the officer chooses.
        until: when it is good for nothing any more (ms since 1970).
    """

    passphrase: str
    until: int


async def change_organisation(request: Request) -> Response:
    """Begin, rename, merge and end units; begin and end missions; make compartments."""
    return await _perform(request, OrganisationActs)


async def change_people(request: Request) -> Response:
    """Take officers in, let them leave and return; set how long replicas open without the server."""
    return await _perform(request, PeopleActs)


async def change_grants(request: Request) -> Response:
    """Give roles, postings, shifts, assignments, memberships, clearances and grants; end them."""
    return await _perform(request, GrantActs)


async def open_seats(request: Request) -> Response:
    """Open seats on devices; one for a program, at which nobody signs in, is `unattended`."""
    return await _perform(request, SeatActs)


async def reset_passphrase(request: Request) -> Response:
    """Give an officer a passphrase for one sign-in, in place of theirs."""
    await read_body(request, Reset)
    officer = OfficerId(request.path_params["officer"])
    authority = beatbook_of(request).authority
    caller = caller_of(request)
    _not_oneself(officer, caller.officer)
    passphrase, until = await authority.passphrases.reset(officer, caller.officer)
    return reply(ResetDone(passphrase=passphrase, until=until), 201)


async def unlock_officer(request: Request) -> Response:
    """Let an officer try again to sign in whose tries were too many."""
    body = await read_body(request, Unlock)
    officer = OfficerId(request.path_params["officer"])
    await beatbook_of(request).authority.signing.unlock(officer, caller_of(request).officer, body.why)
    return reply(Done())


async def list_officers(request: Request) -> Response:
    """Everybody, with what entitles them."""
    beatbook = beatbook_of(request)
    registry = beatbook.authority.ledger.registry
    now = beatbook.now()
    return reply(OfficerList(officers=[_officer(registry.officers[name], now) for name in sorted(registry.officers)]))


async def read_organisation(request: Request) -> Response:
    """Units, missions and compartments."""
    registry: State = beatbook_of(request).authority.ledger.registry
    units = [
        UnitBody(
            unit=name,
            title=unit.title,
            places=list(unit.act.places),
            start=unit.act.start,
            until=unit.until,
            into=None if unit.into is None else unit.into.act.unit,
        )
        for name, unit in sorted(registry.units.items())
    ]
    missions = [
        MissionBody(
            mission=name,
            title=mission.act.title,
            places=list(mission.act.places),
            start=mission.act.start,
            until=mission.until,
        )
        for name, mission in sorted(registry.missions.items())
    ]
    return reply(Organisation(units=units, missions=missions, compartments=dict(registry.compartments)))


async def _perform(request: Request, taken: type[msgspec.Struct]) -> Response:
    body = await read_body(request, taken)
    beatbook, caller = beatbook_of(request), caller_of(request)
    acts = acts_of(body, caller.officer, beatbook.now())
    for act in acts:
        if not isinstance(act, OfficerAdded):
            _not_oneself(_entitled(beatbook.authority.ledger.registry, act), caller.officer)
    await beatbook.authority.ledger.perform(*acts)
    done = [DoneAct(t=word_for(type(act)), span=act.span if isinstance(act, SpanAct) else None) for act in acts]
    return reply(ActsDone(acts=done), 201)


def _entitled(registry: State, act: Act) -> OfficerId | None:
    """Whose rights an act changes; None for nobody's, or for those of whoever is not there."""
    match act:
        case SpanEnded():
            span = registry.spans.get(act.span)
            given = None if span is None else span.act
            return None if given is None else _entitled(registry, given)
        case ScopeGranted():
            seat = registry.seats.get(act.seat)
            return None if seat is None else seat.officer.officer
        case _:
            return getattr(act, "officer", None)


def _not_oneself(officer: str | None, caller: OfficerId) -> None:
    """What is done to somebody's own rights, somebody else does: then two know of it.

    Raises:
        NotEntitledError: it is the caller's own.
    """
    if officer == caller:
        raise NotEntitledError("nobody changes their own rights: another administrator does that")


def _officer(officer: Officer, now: int) -> OfficerBody:
    return OfficerBody(
        officer=officer.officer,
        name=officer.name,
        start=officer.start,
        until=officer.until,
        locked=officer.locked and (officer.locked_until is None or now < officer.locked_until),
        roles=sorted(
            {span.act.role.value for span in officer.spans if isinstance(span.act, RoleGiven) and _holds(span, now)}
        ),
        spans=[_span(span) for span in officer.spans],
        seats=[seat.seat for seat in officer.seats],
    )


def _holds(span: Span, now: int) -> bool:
    return span.act.start <= now and (span.until is None or now < span.until)


def _span(span: Span) -> SpanBody:
    said: dict[str, Any] = msgspec.to_builtins(span.act)
    what = {name: value for name, value in said.items() if name not in {"t", "span", "start", "until", "officer"}}
    return SpanBody(span=span.act.span, t=word_for(type(span.act)), start=span.act.start, until=span.until, what=what)


def _post(path: str, handler: Any, takes: Any, gives: Any, status: int = 201) -> Operation:  # noqa: ANN401  as in `Operation`
    return Operation(
        method="POST", path=path, handler=handler, who=ADMINISTRATION, takes=takes, gives=gives, status=status
    )


OPERATIONS: Final = (
    Operation(method="GET", path="/v1/organisation", handler=read_organisation, who=ADMINISTRATION, gives=Organisation),
    _post("/v1/organisation", change_organisation, OrganisationActs, ActsDone),
    Operation(method="GET", path="/v1/officers", handler=list_officers, who=ADMINISTRATION, gives=OfficerList),
    _post("/v1/officers", change_people, PeopleActs, ActsDone),
    _post("/v1/grants", change_grants, GrantActs, ActsDone),
    _post("/v1/seats", open_seats, SeatActs, ActsDone),
    _post("/v1/officers/{officer}/passphrase", reset_passphrase, Reset, ResetDone),
    _post("/v1/officers/{officer}/unlock", unlock_officer, Unlock, Done, 200),
)
