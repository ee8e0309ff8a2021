"""The record kinds as an older and as a newer program declare them.

Version 1 is what the program of the second issue declared, less one value of three enumerations, so that a value which
an older program does not know can come to it. The next version is invented: a new field of each of three policies, a
new value in a `latest`, a `highest` and a `state` field, and a new kind.
"""

from typing import Annotated, Final, Literal

from schemas import scopes
from schemas.ids import MillisInt, ScopeName, SlugText
from schemas.kinds import KINDS, Briefing, CustodyBooking, Incident, Kind, Token
from schemas.kinds.common import Line, LogEntry, Note, Position
from schemas.policies import Asks, Ending, Sees, flow, grow, highest, latest, once, rising, state
from schemas.roles import Role

Version = Literal["behind", "ahead"]

_ASKS: Final = Asks(
    roles=(Role.SUPERVISOR,), within_ms=60_000, then=(Role.CONTROL_ROOM,), safe_because="Somebody has looked at it."
)


# --- version 1: what an older program declares --------------------------------------------------------------------


class Category1(Token):
    """As it was."""

    TRANSPORT = "transport"
    ANTISOCIAL_PERSONAL = "antisocial-personal"
    ANTISOCIAL_NUISANCE = "antisocial-nuisance"
    ANTISOCIAL_ENVIRONMENTAL = "antisocial-environmental"
    PUBLIC_SAFETY = "public-safety"
    CRIME = "crime"
    ADMINISTRATION = "administration"


class Grade1(Token):
    """Without `no-deployment`."""

    P1 = "p1"
    P2 = "p2"
    SCHEDULED = "scheduled"


class IncidentStatus1(Token):
    """Without `attended`."""

    OPEN = "open"
    ASSIGNED = "assigned"
    CLOSED = "closed"


class Risk1(Token):
    """Without `medium`."""

    STANDARD = "standard"
    HIGH = "high"


class BookingStatus1(Token):
    """As it was."""

    ARRIVED = "arrived"
    DETAINED = "detained"
    HOSPITAL = "hospital"
    COURT = "court"
    RELEASED = "released"


class Incident1(Kind, frozen=True, kw_only=True):
    """An incident before arrests and markers; what is `highest` and `state` now was `latest`."""

    opened_at: Annotated[MillisInt, once, _ASKS]
    area: Annotated[SlugText, latest]
    category: Annotated[Category1, latest]
    summary: Annotated[Note, latest]
    location: Annotated[Line | None, latest] = None
    position: Annotated[Position | None, latest] = None
    grade: Annotated[Grade1, latest] = Grade1.SCHEDULED
    status: Annotated[IncidentStatus1, latest] = IncidentStatus1.OPEN
    outcome: Annotated[Line | None, latest] = None
    units: Annotated[tuple[Line, ...], latest] = ()
    source: Annotated[Line | None, once, _ASKS] = None
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The area it lies in."""
        return frozenset({scopes.area(self.area)})


class CustodyBooking1(Kind, frozen=True, kw_only=True):
    """A booking before appropriate adults, medication and disposals. It says which cell."""

    suite: Annotated[SlugText, latest]
    detainee: Annotated[Line, latest]
    arrested_at: Annotated[MillisInt, once, _ASKS]
    arrived_at: Annotated[MillisInt | None, once, _ASKS] = None
    relevant_time: Annotated[MillisInt | None, once, _ASKS] = None
    detention_authorised_at: Annotated[MillisInt | None, once, _ASKS] = None
    offence: Annotated[Line | None, latest] = None
    arresting_officer: Annotated[Line | None, once, _ASKS] = None
    status: Annotated[BookingStatus1, latest] = BookingStatus1.ARRIVED
    cell: Annotated[Line | None, latest] = None
    risk: Annotated[Risk1 | None, latest] = None
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The suite that holds the person."""
        return frozenset({scopes.suite(self.suite)})


# --- the next version: what a newer program declares ----------------------------------------------------------------


class NewCategory(Token):
    """With one more."""

    TRANSPORT = "transport"
    ANTISOCIAL_PERSONAL = "antisocial-personal"
    ANTISOCIAL_NUISANCE = "antisocial-nuisance"
    ANTISOCIAL_ENVIRONMENTAL = "antisocial-environmental"
    PUBLIC_SAFETY = "public-safety"
    CRIME = "crime"
    ADMINISTRATION = "administration"
    CYBER = "cyber"


class NewGrade(Token):
    """With one above the highest."""

    P0 = "p0"
    P1 = "p1"
    P2 = "p2"
    SCHEDULED = "scheduled"
    NO_DEPLOYMENT = "no-deployment"


class NewIncidentStatus(Token):
    """With one between."""

    OPEN = "open"
    ASSIGNED = "assigned"
    ATTENDED = "attended"
    ON_HOLD = "on-hold"
    CLOSED = "closed"


class Threat(Token):
    """How great a threat is; new."""

    LOW = "low"
    MODERATE = "moderate"
    SEVERE = "severe"


_NEW_MOVES: Final = {one: tuple(other for other in NewIncidentStatus if other is not one) for one in NewIncidentStatus}


class NewIncident(Incident, frozen=True, kw_only=True):
    """An incident with a threat, and with one more category, grade and status."""

    category: Annotated[NewCategory, latest]  # type: ignore[assignment]  # as declared anew
    grade: Annotated[
        NewGrade, highest, rising(NewGrade.NO_DEPLOYMENT, NewGrade.SCHEDULED, NewGrade.P2, NewGrade.P1, NewGrade.P0)
    ] = NewGrade.SCHEDULED  # type: ignore[assignment]  # as declared anew
    status: Annotated[
        NewIncidentStatus,
        state,
        flow(
            _NEW_MOVES,
            precedence=(
                NewIncidentStatus.CLOSED,
                NewIncidentStatus.OPEN,
                NewIncidentStatus.ASSIGNED,
                NewIncidentStatus.ON_HOLD,
                NewIncidentStatus.ATTENDED,
            ),
            ending=Ending(states=("closed",), unless=("arrests",), shown="attended"),
        ),
        Sees(("arrests",)),
        _ASKS,
    ] = NewIncidentStatus.OPEN  # type: ignore[assignment]  # as declared anew
    threat: Annotated[Threat | None, highest, rising(Threat.LOW, Threat.MODERATE, Threat.SEVERE)] = None
    witnesses: Annotated[tuple[LogEntry, ...], grow] = ()


class NewCustodyBooking(CustodyBooking, frozen=True, kw_only=True):
    """A booking that says which language the detainee speaks."""

    language: Annotated[Line | None, latest] = None


class Drone(Kind, frozen=True, kw_only=True):
    """A kind of record that only the next version has."""

    name: Annotated[Line, latest]
    area: Annotated[SlugText, latest]
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The area it flies in."""
        return frozenset({scopes.area(self.area)})


STRUCTS: Final[dict[Version, dict[str, type[Kind]]]] = {
    "behind": {"incident": Incident1, "custody-booking": CustodyBooking1, "briefing": Briefing},
    "ahead": {
        **{name: spec.struct for name, spec in KINDS.items()},
        "incident": NewIncident,
        "custody-booking": NewCustodyBooking,
        "drone": Drone,
    },
}
"""The kinds of each version, by their names on the wire."""
