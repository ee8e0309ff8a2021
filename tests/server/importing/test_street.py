"""Street-level crime files: rows become drafts, or are told with line and reason."""

from collections import Counter
from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import Incident, spec_of
from server.importing.areas import Areas
from server.importing.street import COLUMNS, Unusable, rows
from server.office import Draft

REAL_FILE = Path(__file__).parents[4] / "shared" / "data" / "street" / "2014-02-west-midlands-street.csv"
GOOD = (
    "abc1,2014-02,Force,Force,-1.85,52.59,On or near Long Drive,E01009417,Birmingham 001A,Burglary,Under investigation,"
)
ANTISOCIAL = ",2014-02,Force,Force,-1.85,52.59,On or near Park,E01009417,Birmingham 001A,Anti-social behaviour,,"


def write(tmp_path: Path, *lines: str) -> Path:
    """A street file of these lines under the usual header."""
    path = tmp_path / "street.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return path


def read(path: Path) -> list[Draft | Unusable]:
    """Every row, with the West Midlands' areas."""
    return list(rows(path, Areas.of_west_midlands()))


def test_a_row_becomes_an_incident(tmp_path: Path) -> None:
    """Longitude is the first coordinate, the month's first moment the time, and the kind takes the values."""
    (draft,) = read(write(tmp_path, GOOD))
    assert isinstance(draft, Draft)
    incident = spec_of(Incident).build(draft.values)
    assert isinstance(incident, Incident)
    assert incident.position is not None
    assert (incident.position.longitude, incident.position.latitude) == (-1.85, 52.59)
    assert incident.opened_at == 1_391_212_800_000
    assert (incident.area, incident.summary, incident.category.value) == ("birmingham", "Burglary", "crime")


def test_alike_rows_without_a_crime_id_are_incidents_of_their_own(tmp_path: Path) -> None:
    """Three reports at the same anonymised place in one month are three, and the same three each time."""
    path = write(tmp_path, ANTISOCIAL, ANTISOCIAL, ANTISOCIAL)
    first = [draft.record for draft in read(path) if isinstance(draft, Draft)]
    again = [draft.record for draft in read(path) if isinstance(draft, Draft)]
    assert len(set(first)) == 3
    assert first == again


def test_a_later_edition_with_another_outcome_is_the_same_incident(tmp_path: Path) -> None:
    """The outcome is not part of what names a row."""
    (before,) = read(write(tmp_path, GOOD))
    (after,) = read(write(tmp_path, GOOD.replace("Under investigation", "Local resolution")))
    assert isinstance(before, Draft)
    assert isinstance(after, Draft)
    assert before.record == after.record
    assert before.values != after.values


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace("Birmingham 001A", "Bromsgrove 005A"), "lies in no Local Policing Area"),
        (GOOD.replace("E01009417,Birmingham 001A", ","), "without an LSOA lies in no"),
        (GOOD.replace("-1.85", "west"), "longitude 'west' is no number"),
        (GOOD.replace("52.59", "152.59"), "latitude 152.59 is not between"),
        (GOOD.replace("52.59", "nan"), "latitude nan is not between"),
        (GOOD.replace("2014-02", "2014-13"), "2014-13"),
        (GOOD.replace("Burglary", ""), "crime type is empty"),
        ("a,b,c", "3 columns where the header has 12"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_with_line_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    """The rows around it are used all the same."""
    found = read(write(tmp_path, GOOD, line, ANTISOCIAL))
    assert isinstance(found[0], Draft)
    assert isinstance(found[2], Draft)
    assert isinstance(found[1], Unusable)
    assert found[1].line == 3
    assert reason in found[1].reason


@pytest.mark.parametrize("content", [b"", b"Month,Longitude\n", b"\xff\xfe\x00\x00"])
def test_a_file_that_is_no_street_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file and what is missing."""
    path = tmp_path / "street.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"street\.csv"):
        read(path)


@pytest.mark.skipif(not REAL_FILE.exists(), reason="the real street file is not beside this checkout")
def test_the_real_file_makes_a_record_of_every_usable_row() -> None:
    """17,639 rows: 20 lie outside every area, every other makes a record of its own."""
    found = read(REAL_FILE)
    drafts = [draft for draft in found if isinstance(draft, Draft)]
    assert (len(found), len(drafts)) == (17_639, 17_619)
    assert len({draft.record for draft in drafts}) == 17_619
    areas = Counter(draft.values[FieldName("area")] for draft in drafts)
    assert len(areas) == 7
