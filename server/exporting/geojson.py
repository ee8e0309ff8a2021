"""Incidents on a map: GeoJSON (RFC 7946), longitude first, in WGS 84.

This is for those who work with the incidents, and not for publishing: positions are exact. There are no people in it:
neither names nor numbers, log or arrests.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from schemas.ids import RecordId, RecordText
from schemas.kinds import Incident

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A place (RFC 7946 section 3.1.2).

    Attributes:
        type: always `Point`.
        coordinates: degrees east of Greenwich, degrees north of the equator.
    """

    type: Literal["Point"]
    coordinates: tuple[float, float]


class Properties(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an incident.

    Attributes:
        urn: its number; null while it has none.
        opened_at: when it was reported, in UTC (RFC 3339); null for a time that no calendar has.
        area, category, grade, status: as in its record.
        summary, location: in words, as in its record.
        qualifiers: what it is besides.
    """

    urn: str | None
    opened_at: str | None
    area: str
    category: str
    grade: str
    status: str
    summary: str
    location: str | None
    qualifiers: tuple[str, ...]


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """An incident (RFC 7946 section 3.2).

    Attributes:
        type: always `Feature`.
        id: of its record.
        geometry: where it is; null where no position is recorded.
        properties: what is told of it.
    """

    type: Literal["Feature"]
    id: RecordText
    geometry: Point | None
    properties: Properties


def feature(record: RecordId, incident: Incident) -> Feature:
    """An incident as a feature."""
    place = incident.position
    return Feature(
        type="Feature",
        id=record,
        geometry=None if place is None else Point(type="Point", coordinates=(place.longitude, place.latitude)),
        properties=Properties(
            urn=incident.urn,
            opened_at=_moment(incident.opened_at),
            area=incident.area,
            category=str(incident.category.value),
            grade=str(incident.grade.value),
            status=str(incident.status.value),
            summary=incident.summary,
            location=incident.location,
            qualifiers=tuple(sorted(incident.qualifiers)),
        ),
    )


def _moment(at: int) -> str | None:
    try:
        return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="seconds")
    except OverflowError:
        return None
