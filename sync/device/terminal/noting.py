"""What the rules say of a record that somebody looks at: warnings first, who and where was met before, what is open.

Computed from what this handheld holds, with no signal as with it. It stands beneath the record's page, unasked: whoever
must know that there is a dog at the door, or that it is the third time, does not think of asking.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.text import Text

from schemas.ids import Millis, RecordId
from schemas.kinds import Briefing, CustodyBooking, Incident, Kind, ProtectionPlan, Suspect
from schemas.kinds.common import Marker
from schemas.kinds.incident import IncidentStatus
from schemas.settings import Settings
from sync.device.arrivals import Confirmed
from sync.device.describing import short
from sync.device.handheld import Handheld
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader
from sync.device.terminal.values import listed, safe
from sync.device.views import RecordView
from sync.policing.briefings.markers import Hold, ShownMarker, warnings
from sync.policing.custody import clocks, words
from sync.policing.incidents import abuse, contact, protection, recording, repeats, tutoring
from sync.policing.incidents.numbers import called
from sync.policing.incidents.repeats import Met, Repeat

_MET: Final = {
    Met.VICTIM.value: "victim",
    Met.CALLER.value: "caller",
    Met.ADDRESS.value: "address",
}
REPEATS_MAX: Final = 5
"""Earlier incidents that are named; how many there are is always told."""


async def notes(handheld: Handheld, view: RecordView[Kind], reader: Reader) -> list[Text]:
    """What the rules say of a record, a line each.

    The incidents in which somebody was met before are handed over for the sake of this one: reading them is logged.

    Raises:
        UsageError: nobody has said why (`Handheld.matter`).
        ReplicaError: the database failed.
    """
    settings = await handheld.settings()
    value = view.value
    found = list(_warnings(_markers(value), settings, reader))
    match value:
        case Incident():
            found += await _met(handheld, view.record, value, settings)
            found += _open(value, settings, reader)
            left = await handheld.judge(view.record, lambda state, known: tutoring.unconfirmed(state, known.incidents))
            if left:
                found.append(
                    _line("For a tutor", f"{len(left)} changes by officers in probation; confirm . takes them")
                )
        case CustodyBooking():
            now = clocks.of_booking(value, settings.custody, reader.now)
            found += [_line("LOOK", one.words, BAD) for one in now.contradictions]
            found += [Text(words.detention_clock(now)), Text(words.review_clock(now))]
            found.append(Text("clocks . has all of it", WHO))
        case ProtectionPlan():
            found.append(_line("Next review", reader.time.text(protection.review_by(value))))
        case Briefing():
            found.append(_receipt(view.confirmed, reader))
        case _:
            pass
    return found


def _line(what: str, told: str, style: str = WARN) -> Text:
    return Text.assemble((f"{what}: ", style), safe(told))


# --- warnings --------------------------------------------------------------------------------------------------------


def _markers(value: Kind) -> tuple[Marker, ...]:
    return value.markers if isinstance(value, (Incident, CustodyBooking, Suspect)) else ()


def _warnings(markers: Iterable[Marker], settings: Settings, reader: Reader) -> Iterator[Text]:
    for shown in warnings(markers, settings, reader.now):
        yield _line("Warning", marker_in_words(shown, reader), WHO if shown.hold == Hold.EXPIRED else BAD)


def marker_in_words(shown: ShownMarker, reader: Reader) -> str:
    """A warning with where it comes from and until when it holds."""
    end = shown.marker.expires_at
    until = "" if end is None else f", until {reader.time.text(end)}"
    if end is not None and shown.hold == Hold.EXPIRED:
        until = f", EXPIRED {reader.time.text(end)}: say whether it still holds"
    elif shown.hold == Hold.EXPIRING:
        until += ", about to expire"
    return f"{shown.marker.warning} ({shown.source}{until})"


# --- incidents -------------------------------------------------------------------------------------------------------


async def _met(handheld: Handheld, record: RecordId, incident: Incident, settings: Settings) -> list[Text]:
    known, linked = repeats.keys_of(incident), {link.to for link in incident.links}

    def belongs(one: Incident) -> bool:
        return any(link.to == record for link in one.links) or bool(known and known & repeats.keys_of(one))

    with handheld.for_itself():
        others = [name for name, _ in await handheld.find(Incident, belongs) if name != record]
    with handheld.matter(record):
        # Only what is handed over is logged: that nobody was met before combines nothing.
        found = dict(await handheld.find(Incident, belongs)) if others else {}
        found.pop(record, None)
        found |= {other: one for other in linked if (one := await handheld.get(Incident, RecordId(other))) is not None}
    lines = _repeats(repeats.repeats(record, incident, found, settings.incidents), found)
    beside = sorted(repeats.linked(record, {**found, record: incident}))
    if beside:
        lines.append(_line("Belongs with", listed([f"{called(one, found[one])} ({short(one)})" for one in beside])))
    return lines


def _repeats(met: tuple[Repeat, ...], held: dict[RecordId, Incident]) -> list[Text]:
    lines = []
    for what, word in _MET.items():
        before = list(dict.fromkeys(one.incident for one in met if one.met == what))
        if before:
            named = listed([f"{called(one, held[one])} ({short(one)})" for one in before[:REPEATS_MAX]])
            more = ", …" if len(before) > REPEATS_MAX else ""
            times = "once" if len(before) == 1 else f"{len(before)} times"
            lines.append(_line(f"REPEAT {word}", f"met {times} before: {named}{more}", BAD))
    return lines


def _open(incident: Incident, settings: Settings, reader: Reader) -> Iterator[Text]:
    """What an officer has still to do, each with the command that does it."""
    rules = settings.incidents
    if incident.status is IncidentStatus.CLOSED:
        return
    for name, questions in contact.not_asked(incident, rules).items():
        yield _line("To ask", f"{name} has {len(questions)} questions on vulnerability open; contact . asks them")
    victims = abuse.unassessed(incident)
    if victims:
        yield _line("To assess", f"the risk to {listed([one.name for one in victims])}; assess . asks the questions")
    elif abuse.is_abuse(incident, rules) and not incident.abuse_victims:
        yield _line("To name", "this is domestic abuse and no victim is named; add . abuse-victims does it")
    by = recording.decide_by(incident, rules)
    if by is not None:
        yield _line("To decide", f"whether it is a crime, by {reader.time.text(by)}; add . crimes, or add . not-crimes")
    report = contact.methane(incident)
    if report is not None:
        parts = (report.major, report.exact_location, report.type, report.hazards, report.access, report.casualties)
        yield _line(
            "METHANE", f"{' / '.join((*parts, report.emergency_services))}, {reader.time.text(report.at)}", LABEL
        )
    empty = tutoring.guided(incident, rules)
    if empty and tutoring.in_probation(reader.author, Millis(reader.now), rules):
        yield _line("Your guide", f"still empty: {listed([one.replace('_', ' ') for one in empty])}; guide . leads you")


async def _unconfirmed(handheld: Handheld, record: RecordId, settings: Settings) -> list[Text]:
    if not settings.incidents.probation:
        return []
    left = await handheld.judge(record, lambda state, known: tutoring.unconfirmed(state, known.incidents))
    return [_line("For a tutor", f"{len(left)} changes by officers in probation; confirm . takes them")] if left else []


# --- briefings -------------------------------------------------------------------------------------------------------


def _receipt(said: Confirmed, reader: Reader) -> Text:
    if said.acknowledged_at is not None:
        told = f"you confirmed it {reader.time.text(said.acknowledged_at)}"
    elif said.opened_at is not None:
        told = f"you opened it {reader.time.text(said.opened_at)}; read . confirms that you have read it"
    else:
        told = "on this handheld; read . confirms that you have read it"
    return _line("Your receipt", told, WHO)
