"""data.police.uk street-level crime files: each row an incident.

What the format hides: longitude stands first; antisocial behaviour has no crime id, and many such rows are alike to the
letter though each was a report of its own; the month has no day; some rows lie outside the force.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId, named_record_id
from schemas.kinds.incident import Category, IncidentStatus
from server.importing.areas import Areas
from server.office import Draft

COLUMNS: Final = (
    "Crime ID", "Month", "Reported by", "Falls within", "Longitude", "Latitude", "Location", "LSOA code", "LSOA name",
    "Crime type", "Last outcome category", "Context",
)  # fmt: skip
_ANTISOCIAL: Final = "Anti-social behaviour"
_STILL_OPEN: Final = frozenset({"", "Under investigation", "Awaiting court outcome"})
_SOURCE: Final = "data.police.uk"
_LINE_CHARS_MAX: Final = 200


class Unusable(msgspec.Struct, frozen=True):
    """A row that makes no incident.

    Attributes:
        line: its line in the file, from 1.
        reason: what is wrong with it.
    """

    line: int
    reason: str


def rows(path: Path, areas: Areas) -> Iterator[Draft | Unusable]:
    """The file's rows, each as a draft or as unusable with its reason.

    Raises:
        UsageError: the file cannot be read, or is no street file.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise UsageError(
                    f"{path}: is no data.police.uk street file: the column {missing[0]!r} is missing in line 1"
                )
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    yield Unusable(reader.line_num, f"{len(cells)} columns where the header has {len(header)}")
                    continue
                row = dict(zip(header, map(str.strip, cells), strict=True))
                yield _draft(row, reader.line_num, areas, seen)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a street file ({error})") from None


def _draft(row: dict[str, str], line: int, areas: Areas, seen: Counter[tuple[str, ...]]) -> Draft | Unusable:
    area = areas.find(row["LSOA code"], row["LSOA name"])
    if area is None:
        place = f"{row['LSOA code']} ({row['LSOA name']})" if row["LSOA code"] else "a row without an LSOA"
        return Unusable(line, f"{place} lies in no Local Policing Area")
    try:
        values = _values(row, area, _month_start(row["Month"]))
    except ValueError as wrong:
        return Unusable(line, str(wrong))
    return Draft(record=_record_id(row, seen), kind="incident", values=values)


def _values(row: dict[str, str], area: str, opened_at: int) -> dict[FieldName, Any]:
    crime_type, outcome = row["Crime type"], row["Last outcome category"]
    if not crime_type:
        raise ValueError("the crime type is empty")
    # The files do not tell personal, nuisance and environmental apart; nuisance claims least.
    category = Category.ANTISOCIAL_NUISANCE if crime_type == _ANTISOCIAL else Category.CRIME
    status = IncidentStatus.OPEN if outcome in _STILL_OPEN else IncidentStatus.CLOSED
    values: dict[str, Any] = {
        "opened_at": opened_at,
        "area": area,
        "category": category.value,
        "summary": crime_type,
        "status": status.value,
        "source": f"{_SOURCE} {row['Month']} {row['Crime ID']}".strip()[:_LINE_CHARS_MAX],
    }
    if row["Location"]:
        values["location"] = row["Location"][:_LINE_CHARS_MAX]
    if outcome:
        values["outcome"] = outcome[:_LINE_CHARS_MAX]
    if row["Longitude"] or row["Latitude"]:
        values["position"] = {
            "longitude": _degrees(row["Longitude"], "longitude", 180),
            "latitude": _degrees(row["Latitude"], "latitude", 90),
        }
    return {FieldName(name): value for name, value in values.items()}


def _month_start(month: str) -> int:
    try:
        opened_at = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"the month {month!r} is none of the form 2014-02") from None
    return int(opened_at.timestamp()) * 1_000


def _degrees(text: str, name: str, limit: int) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"the {name} {text!r} is no number") from None
    if not -limit <= value <= limit:
        raise ValueError(f"the {name} {text} is not between -{limit} and {limit}")
    return value


def _record_id(row: dict[str, str], seen: Counter[tuple[str, ...]]) -> RecordId:
    """The same row of the same file, the same record; alike rows are told apart by which of them they are.

    The outcome is left out: a later edition of the file that tells how a crime ended is about the same crime.
    """
    named = ("crime", row["Crime ID"]) if row["Crime ID"] else (
        "street", *(row[name] for name in COLUMNS if name not in ("Crime ID", "Last outcome category", "Context"))
    )  # fmt: skip
    seen[named] += 1
    return named_record_id(_SOURCE, *named, str(seen[named]))
