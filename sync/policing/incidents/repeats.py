"""Who and where was met before, and which incidents belong together: looked up in the replica, with or without signal.

It sees what its user may see and nothing more: what is in a compartment is in no other replica, so nothing of it shows.
Source: DOMAIN, Incidents (repeat victim, caller and address flags must work offline).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.ids import RecordId
from schemas.kinds import Incident
from schemas.kinds.call import Part
from schemas.settings.incidents import DAY_MS, IncidentSettings
from schemas.tokens import Token
from sync.policing.incidents.contact import called

MONTH_MS: Final = DAY_MS * 365.2425 / 12
"""A month of the calendar, on average."""
_ABROAD: Final = re.compile(r"^(?:\+|00)44(?:\(0\))?")
_LEAST_DIGITS: Final = 6
"""A shorter number is an extension or a service, and the same one says nothing of who called."""


class Met(Token):
    """What was met before."""

    VICTIM = "victim"
    CALLER = "caller"
    ADDRESS = "address"


class Repeat(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One earlier incident with the same person or place.

    Attributes:
        opened_at: when it was reported (ms since 1970).
        incident: which.
        met: what is the same.
        whom: the person, number or place, as it is compared.
    """

    opened_at: int
    incident: RecordId
    met: str
    whom: str


def keys_of(incident: Incident) -> frozenset[tuple[str, str]]:
    """(what, by what it is known again) of everybody and everything in an incident that can be met again.

    A victim is known again by name and birth date together, a caller by the number, a place by its UPRN or, where there
    is none, by its words and its area.
    """
    victims = [(one.name, one.born) for one in incident.people if one.part is Part.VICTIM]
    victims += [(one.name, one.born) for one in incident.abuse_victims if one.withdrawn is None]
    found = {(Met.VICTIM.value, f"{called(name)} {born}") for name, born in victims if born is not None}
    numbers = (_digits(one.telephone) for one in incident.people if one.part is Part.CALLER and one.telephone)
    found |= {(Met.CALLER.value, number) for number in numbers if len(number) >= _LEAST_DIGITS}
    if incident.uprn is not None:
        found.add((Met.ADDRESS.value, f"uprn {int(incident.uprn)}"))
    elif incident.location is not None:
        found.add((Met.ADDRESS.value, f"{called(incident.location)} {incident.area}"))
    return frozenset((str(what), known) for what, known in found)


def repeats(
    record: RecordId, incident: Incident, held: Mapping[RecordId, Incident], settings: IncidentSettings
) -> tuple[Repeat, ...]:
    """The earlier incidents with the same victim, caller or address, the newest first.

    Args:
        record, incident: the one that is looked at.
        held: the incidents in the replica, with or without that one.
        settings: the force's: how far back.
    """
    mine = keys_of(incident)
    since = incident.opened_at - settings.repeat_months * MONTH_MS
    earlier = (
        (other, one) for other, one in held.items() if other != record and since <= one.opened_at <= incident.opened_at
    )
    found = [
        Repeat(opened_at=one.opened_at, incident=other, met=met, whom=whom)
        for other, one in (earlier if mine else ())
        for met, whom in mine & keys_of(one)
    ]
    return tuple(sorted(found, reverse=True))


def linked(record: RecordId, held: Mapping[RecordId, Incident]) -> frozenset[RecordId]:
    """The incidents that this one is linked with, on whichever side it was written; only such as are held."""
    mine = {link.to for link in held[record].links} if record in held else set()
    return frozenset((mine & held.keys()) | set(_linking(record, held.items()))) - {record}


def _linking(record: RecordId, held: Iterable[tuple[RecordId, Incident]]) -> Iterable[RecordId]:
    return (other for other, one in held if any(link.to == record for link in one.links))


def _digits(telephone: str) -> str:
    """A number as it is dialled at home: `+44 121 496 0000` and `0121 4960000` are one."""
    return "".join(re.findall("[0-9]", _ABROAD.sub("0", "".join(telephone.split()))))
