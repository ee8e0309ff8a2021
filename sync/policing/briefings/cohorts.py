"""Integrated offender management: whoever works with a person is told when an incident or a booking names them.

Pure: which alerts follow from a record, as briefings to the mission that works with the person. An alert's id follows
from cohort, record and person, so that each is issued once, whoever finds it and however often.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from schemas import scopes
from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Briefing, Cohort, CustodyBooking, Incident, Kind
from schemas.kinds.briefing import Classification, Priority
from schemas.settings import Settings

CAVEAT: Final = "For those who work with the cohort. Do not tell the person or their household."


class Named(msgspec.Struct, frozen=True):
    """Somebody whom a record names.

    Attributes:
        name: as it is written there.
        born: date of birth, where it is said.
        at: when that came about (ms since 1970).
    """

    name: str
    born: str | None
    at: Millis


def alerts(
    cohorts: Mapping[RecordId, Cohort], record: RecordId, value: Kind, settings: Settings, now: Millis
) -> dict[RecordId, Briefing]:
    """The alerts that follow from a record: id -> the briefing to issue.

    What is closed names nobody outside: of a record in a compartment there is no alert. What is older than an alert
    stands is no news.

    Args:
        cohorts: all that there are.
        record, value: an incident or a booking; of every other kind nothing follows.
        settings: the force's.
        now: the moment (ms since 1970).
    """
    if any(map(scopes.closed, value.scopes())):
        return {}
    stands_ms = settings.briefings.cohort_alert_ms
    found: dict[RecordId, Briefing] = {}
    for person in people(value):
        for name, cohort in cohorts.items():
            if person.at <= now - stands_ms or not _is_member(cohort, person):
                continue
            alert = named_record_id("cohort alert", name, record, _plain(person.name))
            found[alert] = _briefing(cohort, person, value, now, Millis(now + stands_ms))
    return found


def people(value: Kind) -> Iterator[Named]:
    """Whom an incident or a booking names, in whatever part."""
    match value:
        case CustodyBooking():
            yield Named(value.detainee, value.born, value.arrested_at)
        case Incident():
            for arrest in value.arrests:
                yield Named(arrest.person, None, arrest.arrested_at)
            for one in value.people:
                yield Named(one.name, one.born, value.opened_at)
        case _:
            return


def _is_member(cohort: Cohort, person: Named) -> bool:
    return any(
        _plain(one.name) == _plain(person.name) and (None in {one.born, person.born} or one.born == person.born)
        for one in cohort.members
    )


def _plain(name: str) -> str:
    """A name without what people write now so and now otherwise: case, and the space between its parts."""
    return " ".join(name.casefold().split())


def _briefing(cohort: Cohort, person: Named, value: Kind, now: Millis, until: Millis) -> Briefing:
    where = f"custody at {value.suite}" if isinstance(value, CustodyBooking) else ""
    if isinstance(value, Incident):
        where = f"an incident in {value.area}"
    return Briefing(
        title=f"{cohort.title}: {person.name}"[:200],
        body=f"{person.name} was named in {where}. What is known there is with those who deal with it: ask them, and "
        "tell them what you know.",
        audience=(scopes.mission(cohort.mission),),
        issued_at=now,
        classification=Classification.OFFICIAL_SENSITIVE,
        handling=CAVEAT,
        priority=Priority.URGENT,
        expires_at=until,
    )
