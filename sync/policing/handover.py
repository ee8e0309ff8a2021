"""What a shift hands over: all that waits for somebody, from the records that a device or the server holds.

Nothing of it is stored. It is computed from the records alone, so that whoever comes on duty at 07:00 sees the same as
whoever goes off, without signal too, and nothing is lost because somebody forgot to write it down: a matter leaves the
view when it is done, and not before.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from schemas import scopes
from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import Alarm, CustodyBooking, DeploymentRequest, Handover, InboxItem, Incident, Kind, spec_of
from schemas.kinds.deployment import DeploymentStatus
from schemas.kinds.incident import IncidentStatus
from schemas.settings import Settings
from schemas.tokens import Token
from sync.policing.custody import clocks
from sync.policing.custody.record import is_over
from sync.policing.custody.whereabouts import Place
from sync.policing.custody.words import duration
from sync.policing.due import Due
from sync.policing.timetable import TIMETABLE, Report


class Part(Token):
    """What sort of matter it is."""

    ALARM = "alarm"
    DECISION = "decision"
    DUE = "due"
    BOOKING = "booking"
    INCIDENT = "incident"
    OFFER = "offer"
    DEPLOYMENT = "deployment"
    HANDED = "handed"


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that waits for somebody.

    Attributes:
        part: what sort of matter it is.
        record, kind: in which record.
        key: tells two of a part in one record apart; "" where there is one.
        at: when it is to be done, or when the time ends (ms since 1970); None where there is no time.
        words: what to do next.
        roles: who may do it; () for whoever works on the record.
        places: the audiences that it belongs to.
    """

    part: Part
    record: RecordId
    kind: str
    key: str = ""
    at: Millis | None
    words: str
    roles: tuple[str, ...] = ()
    places: frozenset[ScopeName]


_NEXT: Final = {
    IncidentStatus.OPEN: "Send a unit, or resolve it without one.",
    IncidentStatus.ASSIGNED: "Have the unit that was sent declare its arrival.",
    IncidentStatus.ATTENDED: "Write down what was found, and close it or say who goes on.",
}
"""What comes next in an incident in which nothing falls due."""
KINDS: Final = (*TIMETABLE, "alarm")
"""The kinds of records in which something can wait."""
_LAST: Final = 2**63
"""Behind everything that has a time."""


def handover(
    records: Mapping[RecordId, Kind],
    audiences: Collection[ScopeName],
    *,
    until: Millis,
    settings: Settings,
    now: Millis,
    report: Report,
) -> tuple[Matter, ...]:
    """All that waits for a team: what has the least time left first, then what has no time.

    Args:
        records: what is at hand, of any kind.
        audiences: whom the team belongs to: its own scope, its area, its suite. What is closed is there only where the
            closed audience itself is named.
        until: the end of the shift that takes over (ms since 1970): what falls due by then is named one by one. Open
            incidents and bookings are there whenever their time ends.
        settings: the force's.
        now: the clock (ms since 1970).
        report: told of a rule that failed; the record is there all the same.
    """
    wanted = frozenset(audiences)
    found = [
        matter
        for name, record in records.items()
        for matter in _matters(name, record, until, settings, now, report)
        if matter.places & wanted
    ]
    return tuple(sorted(found, key=_order))


def nobodys(
    records: Mapping[RecordId, Kind],
    teams: Mapping[str, Collection[ScopeName]],
    *,
    until: Millis,
    settings: Settings,
    now: Millis,
    report: Report,
) -> tuple[Matter, ...]:
    """What waits and is in no team's handover: it must be nothing.

    Args:
        records, until, settings, now, report: as in `handover`.
        teams: team -> whom it belongs to.
    """
    somebodys = frozenset(scope for audiences in teams.values() for scope in audiences)
    found = [
        matter
        for name, record in records.items()
        for matter in _matters(name, record, until, settings, now, report)
        if not matter.places & somebodys
    ]
    return tuple(sorted(found, key=_order))


def _order(matter: Matter) -> tuple[int, str, str, str]:
    return (_LAST if matter.at is None else matter.at, matter.record, matter.part.value, matter.key)


def _matters(  # noqa: PLR0917  as `handover`, of one record
    name: RecordId, record: Kind, until: Millis, settings: Settings, now: Millis, report: Report
) -> Iterator[Matter]:
    kind = spec_of(type(record)).name
    places = frozenset(map(scopes.audience, record.scopes()))

    def matter(part: Part, at: Millis | None, words: str, key: str = "", roles: Iterable[str] = ()) -> Matter:
        return Matter(part=part, record=name, kind=kind, key=key, at=at, words=words, roles=tuple(roles), places=places)

    if isinstance(record, (Alarm, InboxItem, Handover)):
        yield from _asked(matter, record, settings)
        return
    dues = _dues(name, record, settings, now, report)
    if isinstance(record, Incident) and record.status is not IncidentStatus.CLOSED:
        yield matter(Part.INCIDENT, *_next_step(record, dues))
        yield from _offers(matter, record, settings)
    if isinstance(record, DeploymentRequest) and record.open:
        yield matter(Part.DEPLOYMENT, *_deployed(record, settings))
    if isinstance(record, CustodyBooking) and (held := _time_left(record, settings, now)) is not None:
        yield matter(Part.BOOKING, *held)
    for due in dues:
        if due.at <= until:
            key = f"{due.what.value} {due.key}".strip()
            yield matter(Part.DUE, due.at, due.words, key, (role.value for role in due.roles))


def _asked(matter: Callable[..., Matter], record: Alarm | InboxItem | Handover, settings: Settings) -> Iterator[Matter]:
    """What a record asks of people that is there for nothing else."""
    if isinstance(record, Handover):
        by = Millis(record.ends_at + settings.handover.take_ms)
        for item in record.waiting():
            yield matter(Part.HANDED, by, f"Handed over, and taken on by nobody: {item.words}", item.ref())
        return
    roles = (role.value for role in record.deciding())
    if isinstance(record, Alarm) and record.open:
        yield matter(Part.ALARM, Millis(record.due_at), record.words, record.what, roles)
    if isinstance(record, InboxItem) and record.open:
        words = f"Decide about {record.field.replace('_', ' ')}: {record.safe_because}"
        yield matter(Part.DECISION, Millis(record.due_at), words, record.field, roles)


def _offers(matter: Callable[..., Matter], incident: Incident, settings: Settings) -> Iterator[Matter]:
    """What another team is asked to take on, in that team's own handover; in a compartment, in that of its people."""
    for one in incident.kept().pending:
        words = f"Accept or refuse the incident that {one.giver} offers: {one.why or 'no reason said'}"
        made = matter(Part.OFFER, Millis(one.offered_at + settings.handover.accept_ms), words, one.to)
        theirs = made.places & {scopes.team(one.to)}
        yield msgspec.structs.replace(made, places=theirs or made.places)


def _deployed(request: DeploymentRequest, settings: Settings) -> tuple[Millis, str]:
    if request.status is DeploymentStatus.REQUESTED:
        at = Millis(request.asked_at + settings.handover.deployment_answer_ms)
        return at, f"{request.asking} asks {request.lending} for {request.what}: {request.lending} agrees or refuses."
    return Millis(request.until), f"{request.lending} lends {request.asking} {request.what}."


def _dues(name: RecordId, record: Kind, settings: Settings, now: Millis, report: Report) -> list[Due]:
    """What falls due in a record; a rule that fails is reported, and the others go on."""
    kind, found = spec_of(type(record)).name, list[Due]()
    for rule in TIMETABLE.get(kind, ()):
        try:
            found += rule(record, settings, now)
        except Exception as error:  # noqa: BLE001  whatever is wrong with it, the shift is handed over
            report(error, f"{kind} {name}")
    return found


def _next_step(incident: Incident, dues: Iterable[Due]) -> tuple[Millis | None, str]:
    first = min(dues, key=lambda due: due.at, default=None)
    if first is not None:
        return first.at, first.words
    return None, _NEXT.get(incident.status, "Read its log: a newer program says where it stands.")


def _time_left(booking: CustodyBooking, settings: Settings, now: Millis) -> tuple[Millis | None, str] | None:
    """(when the person's detention must end, how long that is); None when they are no longer held."""
    found = clocks.of_booking(booking, settings.custody, now)
    if found.released_at is not None or is_over(booking, now):
        return None
    if found.place is Place.ON_BAIL:
        return None, "On bail: nobody is held."
    binding = found.limits.binding
    if binding is None or binding.at is None:
        return None, "Held; no limit without charge runs now."
    left = binding.at - now
    if left < 0:
        return binding.at, f"Held {duration(-left)} longer than the limit ({binding.source})."
    return binding.at, f"Held; {duration(left)} left ({binding.source})."
