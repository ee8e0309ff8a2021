"""An invented shift in a real place: public place names, made-up people and events."""

import random
import time
from typing import Any, Final

from schemas.ids import FieldName, Millis, RecordId, new_record_id
from schemas.kinds import CustodyBooking, Incident
from schemas.kinds.common import Position
from schemas.kinds.incident import Category, Grade
from server.office import Draft
from sync import check

AREAS: Final = ("birmingham", "coventry", "dudley", "sandwell", "solihull", "walsall", "wolverhampton")
SUITE: Final = "perry-barr"
CUSTODY: Final = "custody-perry-barr"
MISSION: Final = "castle"
_CENTRE: Final = {
    "birmingham": (-1.898, 52.480), "coventry": (-1.510, 52.407), "dudley": (-2.081, 52.509),
    "sandwell": (-1.994, 52.519), "solihull": (-1.778, 52.412), "walsall": (-1.983, 52.586),
    "wolverhampton": (-2.128, 52.586),
}  # fmt: skip
_STREETS: Final = (
    "High Street",
    "Station Road",
    "Church Lane",
    "Park Road",
    "Mill Lane",
    "Victoria Road",
    "Canal Side",
)
_REPORTS: Final = (
    ("Caller reports shouting and glass breaking at a neighbour's", Category.PUBLIC_SAFETY, Grade.P1),
    ("Two vehicles collided, one driver trapped", Category.TRANSPORT, Grade.P1),
    ("Shop staff hold a man who took spirits", Category.CRIME, Grade.P2),
    ("Group on off-road bikes in the park again", Category.ANTISOCIAL_NUISANCE, Grade.P2),
    ("Elderly woman has not come home from the clinic", Category.PUBLIC_SAFETY, Grade.P1),
    ("Rear door forced overnight, jewellery gone", Category.CRIME, Grade.SCHEDULED),
    ("Neighbour's threats over a parking place", Category.ANTISOCIAL_PERSONAL, Grade.SCHEDULED),
    ("Found purse handed in at the front desk", Category.ADMINISTRATION, Grade.NO_DEPLOYMENT),
)
_NOTES: Final = (
    "On scene, speaking to the caller", "Area search begun, nothing yet", "Witness saw a grey van leave",
    "Ambulance has taken over", "CCTV asked for from the shop", "Suspect left on foot towards the canal",
    "House to house started on the even side", "Victim given the leaflet and the incident number",
)  # fmt: skip
_BRIEFINGS: Final = (
    ("Grey van, false plates", "Seen at three burglaries tonight. Two men, one with a crowbar. Do not stop alone."),
    ("Missing: 79-year-old woman", "Green coat, walks with a stick, may be confused. Last seen at the bus station."),
    (
        "Knife seized at the tram stop",
        "A second youth ran off with another. Stab vests on for every stop this evening.",
    ),
    ("Road closed", "Gas leak. Keep clear of the cordon until the engineers give the word."),
    ("Armed response at work", "Stay out of the inner cordon. All movements over the control room."),
)
_CONSONANTS: Final = "bcdfghjklmnpqrstvwxz"
PLANTED_CHARS: Final = 16
PLANTED_PATTERN: Final = f"zq[{_CONSONANTS}]{{{PLANTED_CHARS - 2}}}"
"""The form of a planted word; long enough that chance never makes one."""
PLANTED_PATTERN_UTF16: Final = b"z\x00q\x00(?:[" + _CONSONANTS.encode() + b"]\x00){%d}" % (PLANTED_CHARS - 2)
_SURNAMES: Final = ("Ashdown", "Brackley", "Corrigan", "Dunmere", "Ellwood", "Farrant", "Garside", "Hallam")


def words(rng: random.Random, planted: str) -> str:
    """What an officer writes: a usual note with a word in it that is found nowhere else."""
    return f"{rng.choice(_NOTES)} ({planted})"


def planted_word(rng: random.Random) -> str:
    """A word that stands nowhere unless a change put it there."""
    return "zq" + "".join(rng.choices(_CONSONANTS, k=PLANTED_CHARS - 2))


def incident(rng: random.Random, area: str, now: Millis) -> Incident:
    """A report in an area."""
    summary, category, grade = rng.choice(_REPORTS)
    longitude, latitude = _CENTRE[area]
    return Incident(
        opened_at=now,
        area=area,
        category=category,
        summary=summary,
        location=f"{rng.randint(1, 240)} {rng.choice(_STREETS)}",
        position=Position(longitude + rng.uniform(-0.03, 0.03), latitude + rng.uniform(-0.02, 0.02)),
        grade=grade,
    )


def booking(rng: random.Random, now: Millis) -> CustodyBooking:
    """A person brought into custody."""
    return CustodyBooking(
        suite=SUITE,
        detainee=f"{rng.choice('ABCDEFGHJKLM')}. {rng.choice(_SURNAMES)}",
        arrested_at=Millis(now - rng.randint(10, 90) * 60_000),
        arrived_at=now,
        relevant_time=now,
        offence="Theft from a shop",
    )


def briefing(rng: random.Random, planted: str) -> tuple[str, str]:
    """Title and body of a briefing."""
    title, body = rng.choice(_BRIEFINGS)
    return title, f"{body} ({planted})"


def new_id(rng: random.Random) -> RecordId:
    """A record id from the demo's own dice."""
    return new_record_id(Millis(time.time_ns() // 1_000_000), rng.randbytes(10))


def invented_drafts(rng: random.Random, per_area: int) -> list[Draft]:
    """What the shift finds when it comes on: some incidents in every area."""
    now = Millis(time.time_ns() // 1_000_000)
    return [
        Draft(record=new_id(rng), kind="incident", values=check.changed_fields(plain(incident(rng, area, now))))
        for area in AREAS
        for _ in range(per_area)
    ]


def plain(record: Incident) -> dict[FieldName, Any]:
    """The record's fields that have entries or values."""
    values = {FieldName(name): getattr(record, name) for name in record.__struct_fields__}
    return {name: value for name, value in values.items() if value not in (None, ())}


def organisation() -> list[dict[str, object]]:
    """The force as the administrator makes it: a unit for each area, and one for the custody suite."""
    areas: list[dict[str, object]] = [
        {"t": "unit-added", "unit": area, "title": area.title(), "places": [f"area:{area}"]} for area in AREAS
    ]
    suite: dict[str, object] = {
        "t": "unit-added",
        "unit": CUSTODY,
        "title": "Perry Barr Custody",
        "places": [f"suite:{SUITE}"],
    }
    return [*areas, suite]
