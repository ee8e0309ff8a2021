"""Which alerts follow when an incident or a booking names a member of a cohort."""

from typing import Any

import pytest

from schemas import scopes
from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Briefing, Cohort, CustodyBooking, Incident, Kind, Suspect
from schemas.kinds.briefing import Classification, Priority
from schemas.kinds.call import Involved, Part
from schemas.kinds.cohort import Member
from schemas.kinds.common import Arrest
from schemas.kinds.incident import Category
from schemas.settings import DEFAULTS
from sync.policing.briefings.cohorts import alerts

NOW = Millis(1_790_000_000_000)
COHORT = named_record_id("cohort")
CASTLE = Cohort(mission="castle", title="Castle", members=(Member(name="Sam  Example", born="1984-05-17"),))


def booking(detainee: str = "sam example", **more: Any) -> CustodyBooking:  # noqa: ANN401  any field
    """Somebody was booked in just now."""
    return CustodyBooking(**{"suite": "perry-barr", "detainee": detainee, "arrested_at": NOW, **more})


def incident(**more: Any) -> Incident:  # noqa: ANN401  any field
    """An incident that was reported just now."""
    return Incident(**{"opened_at": NOW, "area": "dudley", "category": Category.CRIME, "summary": "x", **more})


def found(value: Kind, cohort: Cohort = CASTLE) -> list[Briefing]:
    """The alerts that follow."""
    return list(alerts({COHORT: cohort}, named_record_id("record"), value, DEFAULTS, NOW).values())


def test_a_booking_alerts_those_who_work_with_the_person() -> None:
    """Integrated offender management cohort alert: an urgent briefing to the mission, and to nobody else."""
    (alert,) = found(booking())
    assert alert.scopes() == {scopes.briefing(scopes.mission("castle"))}
    assert (alert.priority, alert.classification) == (Priority.URGENT, Classification.OFFICIAL_SENSITIVE)
    assert "custody at perry-barr" in alert.body
    assert alert.expires_at == NOW + DEFAULTS.briefings.cohort_alert_ms


@pytest.mark.parametrize(
    "says",
    [
        {"arrests": (Arrest(person="Sam Example", arrested_at=NOW),)},
        {"people": (Involved(part=Part.VICTIM, name="SAM EXAMPLE", born="1984-05-17"),)},
        {"people": (Involved(part=Part.CALLER, name="Sam Example"),)},
    ],
)
def test_an_incident_alerts_them_in_whatever_part_it_names_the_person(says: dict[str, Any]) -> None:
    """As arrested, as a victim, as the caller; however the name is written."""
    assert len(found(incident(**says))) == 1


@pytest.mark.parametrize(
    "value",
    [
        booking("Kim Example"),
        booking(born="1990-01-01"),
        booking(arrested_at=NOW - DEFAULTS.briefings.cohort_alert_ms),
        incident(),
        incident(arrests=(Arrest(person="Sam Example", arrested_at=NOW),), compartment="larch"),
        Suspect(name="Sam Example", wanted_for="x", area="dudley"),
    ],
    ids=["another name", "another day of birth", "long ago", "nobody", "closed", "another kind"],
)
def test_nothing_follows_from_what_names_none_of_them(value: Kind) -> None:
    """Nor from what is in a compartment: that there is anything is told to nobody outside."""
    assert found(value) == []


def test_an_alert_is_one_whoever_finds_it() -> None:
    """Its id follows from cohort, record and person; each cohort of a person has its own."""
    other: dict[RecordId, Cohort] = {COHORT: CASTLE, named_record_id("other"): CASTLE}
    twice = [alerts(other, named_record_id("record"), booking(), DEFAULTS, Millis(NOW + late)) for late in (0, 9)]
    assert twice[0].keys() == twice[1].keys()
    assert len(twice[0]) == 2
