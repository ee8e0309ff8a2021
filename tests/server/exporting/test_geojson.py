"""Incidents as GeoJSON: longitude first, and nobody in it."""

from typing import Any

import msgspec

from schemas.ids import FieldName
from schemas.kinds import KINDS, Incident
from server.exporting.geojson import feature
from tests.examples import INCIDENT, LEAST


def told(**values: Any) -> dict[str, Any]:  # noqa: ANN401  plain values
    """What is written of an incident of plain values beside the least."""
    plain = LEAST["incident"] | values
    built = KINDS["incident"].build({FieldName(name): value for name, value in plain.items()})
    assert isinstance(built, Incident)
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(feature(INCIDENT, built)))
    return found


def test_longitude_comes_first() -> None:
    """RFC 7946 section 3.1.1; the other way round Birmingham lies off Somalia."""
    found = told(position={"longitude": -1.8985, "latitude": 52.4778})
    assert found["geometry"] == {"type": "Point", "coordinates": [-1.8985, 52.4778]}
    assert (found["type"], found["id"]) == ("Feature", INCIDENT)


def test_an_incident_without_a_position_is_there_without_one() -> None:
    """Section 3.2: the geometry is null, and the incident is not lost."""
    assert told()["geometry"] is None


def test_what_is_told_is_what_is_recorded() -> None:
    """Each property, the time in UTC; one that no calendar has is null."""
    found = told(grade="p1", urn="20251009-0147", location="New Street", qualifiers=["hate-crime", "alcohol"])
    assert found["properties"] == {
        "urn": "20251009-0147",
        "opened_at": "2025-10-09T08:53:20+00:00",
        "area": "birmingham",
        "category": "transport",
        "grade": "p1",
        "status": "open",
        "summary": "A spill.",
        "location": "New Street",
        "qualifiers": ["alcohol", "hate-crime"],
    }
    assert told(opened_at=2**53)["properties"]["opened_at"] is None


def test_nobody_is_in_it() -> None:
    """People, arrests and the log stay in the record."""
    found = told(
        people=[{"part": "caller", "name": "Robin Example", "telephone": "0121 496 0000"}],
        arrests=[{"person": "Sam Example", "arrested_at": 5}],
        log=[{"text": "Kim Example rang."}],
    )
    assert "Example" not in str(found)
    assert "0121" not in str(found)
