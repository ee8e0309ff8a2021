"""What an incident is called, and which day it is in London."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis, named_record_id
from schemas.kinds import Incident, spec_of
from sync.policing.incidents.numbers import called, compartment_code, london_day, number_of, provisional_id
from tests.examples import INCIDENT, LEAST

FROM, UNTIL = 1_041_379_200, 2_145_916_800
"""2003-01-01 to 2038-01-01: the years that the rule in force and the machine's tables both tell of."""
EDGES = ["2026-03-29T00:59:59", "2026-03-29T01:00:00", "2026-10-25T00:59:59", "2026-10-25T01:00:00"]


def london() -> ZoneInfo:
    """The machine's own table; skipped where it has none."""
    try:
        return ZoneInfo("Europe/London")
    except ZoneInfoNotFoundError:
        pytest.skip("this machine has no table of time zones to compare with")


@given(st.integers(FROM, UNTIL))
def test_the_day_is_that_of_a_clock_in_london(second: int) -> None:
    """At any moment, as the machine's own table of time zones has it."""
    assert london_day(Millis(second * 1_000 + 999)) == datetime.fromtimestamp(second, london()).date()


@pytest.mark.parametrize("text", EDGES)
def test_the_hour_changes_on_two_sundays(text: str) -> None:
    """An hour before midnight is tomorrow in summer and today in winter, to the second."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    for hour in (22, 23):
        late = moment.replace(hour=hour)
        assert london_day(Millis(int(late.timestamp()) * 1_000)) == late.astimezone(london()).date()


def test_a_number_has_its_day_its_series_and_its_count() -> None:
    """Four digits, and more once a day has more."""
    day = london_day(Millis(1_795_305_600_000))
    assert number_of("", day, 147) == "20261122-0147"
    assert number_of("CR", day, 12_345) == "20261122-CR-12345"


def test_an_incident_is_called_by_its_urn_once_it_has_one() -> None:
    """And by what follows from its record id until then, the same on every device."""
    least = spec_of(Incident).build(LEAST["incident"])  # type: ignore[arg-type]  # plain names
    whole = spec_of(Incident).build(LEAST["incident"] | {"urn": "20261122-0147"})  # type: ignore[arg-type]
    assert isinstance(least, Incident)
    assert isinstance(whole, Incident)
    assert called(INCIDENT, least) == provisional_id(INCIDENT) == "P-" + provisional_id(INCIDENT)[2:]
    assert called(INCIDENT, whole) == "20261122-0147"


def test_provisional_ids_seldom_meet() -> None:
    """30 bits: of ten thousand records hardly two have the same."""
    names = {provisional_id(named_record_id("incident", str(n))) for n in range(10_000)}
    assert len(names) >= 9_998


def test_a_compartments_code_does_not_tell_its_name() -> None:
    """Codes differ, and hold nothing of the name."""
    codes = {compartment_code(name) for name in ("larch", "alder", "hazel")}
    assert len(codes) == 3
    assert not any(name[:3] in code.casefold() for code in codes for name in ("larch", "alder", "hazel"))
