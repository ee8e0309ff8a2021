"""Where incidents come from: a street-level file of data.police.uk, or invented ones from a seed.

The file's traps: longitude comes before latitude; antisocial behaviour has no Crime ID; a month has no day; some rows
lie in no area of this force, and are passed over.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.locust.rates import AREAS

_NEEDED: Final = ("Longitude", "Latitude", "Location", "LSOA name", "Crime type")
_ANTISOCIAL: Final = "Anti-social behaviour"
_TEXT_MAX: Final = 200
_INVENTED: Final = (
    ("crime", "Shop window broken, till forced"),
    ("crime", "Handlebars and saddle taken from a locked bicycle"),
    ("crime", "Catalytic converter cut from a parked van"),
    ("antisocial-nuisance", "Off-road motorcycles on the playing field"),
    ("antisocial-personal", "Neighbour shouting threats over the fence"),
    ("antisocial-environmental", "Rubbish set alight behind the garages"),
    ("public-safety", "Elderly man walking in the road, confused"),
    ("public-safety", "Child not home from school"),
    ("transport", "Two cars collided at the island, one lane blocked"),
    ("administration", "Found wallet handed in"),
)
_STREETS: Final = ("Longacre Way", "Mill Bank", "Foundry Rise", "Quarry Gate", "Station Parade", "Orchard Cross")
_MIDDLE: Final = (-1.90, 52.50)
_SPREAD: Final = 0.15


class StreetError(Exception):
    """The file cannot be used; the words say why."""


@dataclass(frozen=True)
class Report:
    """What somebody reports.

    Attributes:
        area: slug of the Local Policing Area.
        category, summary, location: as an incident has them.
        longitude, latitude: WGS 84 degrees.
    """

    area: str
    category: str
    summary: str
    location: str
    longitude: float
    latitude: float


def read(path: Path) -> list[Report]:
    """The usable rows of a file, in its order.

    Raises:
        StreetError: there is no such file, it is none of these, or no row of it can be used.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            absent = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
            if absent:
                raise StreetError(f"{path}: no street-level file of data.police.uk: no column {', '.join(absent)}")
            found = [report for row in rows if (report := _report(row)) is not None]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StreetError(f"{path}: {error}") from error
    if not found:
        raise StreetError(f"{path}: no row lies in any of {', '.join(AREAS)}")
    return found


def _report(row: dict[str, str]) -> Report | None:
    area = next((each for each in AREAS if (row["LSOA name"] or "").lower().startswith(f"{each} ")), None)
    try:
        longitude, latitude = float(row["Longitude"]), float(row["Latitude"])
    except (TypeError, ValueError):
        return None
    crime = (row["Crime type"] or "").strip()
    if area is None or not crime:
        return None
    category = "antisocial-nuisance" if crime == _ANTISOCIAL else "crime"
    where = (row["Location"] or "no place told").strip()[:_TEXT_MAX]
    return Report(area, category, f"{crime} reported {where[:1].lower()}{where[1:]}", where, longitude, latitude)


def invented(rng: random.Random) -> Iterator[Report]:
    """Reports without end."""
    while True:
        category, summary = rng.choice(_INVENTED)
        street = f"{rng.randrange(1, 200)} {rng.choice(_STREETS)}"
        longitude, latitude = (middle + rng.uniform(-_SPREAD, _SPREAD) for middle in _MIDDLE)
        yield Report(rng.choice(AREAS), category, summary, street, round(longitude, 6), round(latitude, 6))


def drawn(reports: list[Report], rng: random.Random) -> Iterator[Report]:
    """Reports of a file without end, in no order: a busy street comes up as often as it does in the file."""
    while True:
        yield rng.choice(reports)
