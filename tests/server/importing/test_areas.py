"""Which Local Policing Area a place lies in."""

import csv
from pathlib import Path

import pytest

from schemas.errors import UsageError
from server.importing.areas import Areas, slug

REAL_TABLE = Path(__file__).parents[4] / "shared" / "data" / "geo" / "lsoa11_to_lpa.csv"


def test_the_district_in_an_lsoa_name_tells_the_area() -> None:
    """The seven districts are the seven areas; a district of another force is none."""
    areas = Areas.of_west_midlands()
    assert areas.find("E01009417", "Birmingham 001A") == "birmingham"
    assert areas.find("E01010441", "Wolverhampton 020B") == "wolverhampton"
    assert areas.find("E01032134", "Bromsgrove 005A") is None
    assert areas.find("", "") is None
    assert areas.find("E01009417", "Birmingham") is None


def test_a_table_decides_by_code(tmp_path: Path) -> None:
    """With a table the name no longer counts, and an area's name becomes a slug."""
    table = tmp_path / "areas.csv"
    table.write_text("lsoa11cd,lpa\nE01000001,North Downs & Weald\n")
    areas = Areas.from_table(table)
    assert areas.find("E01000001", "Birmingham 001A") == "north-downs-weald"
    assert areas.find("E01009417", "Birmingham 001A") is None


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"lsoa11cd,lpa\nE01000001,&&\n", b"\xff\xfe\x00"])
def test_a_table_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """The error names the file or the area that cannot be."""
    table = tmp_path / "areas.csv"
    table.write_bytes(content)
    with pytest.raises(UsageError, match=r"areas\.csv|no name for an area"):
        Areas.from_table(table)


def test_a_slug_has_the_form_of_a_scope_name() -> None:
    """Lower case, words joined by hyphens."""
    assert slug("Sutton Coldfield") == "sutton-coldfield"
    with pytest.raises(UsageError, match="no name"):
        slug("—")


@pytest.mark.skipif(not REAL_TABLE.exists(), reason="the real table of LSOAs is not beside this checkout")
def test_names_and_the_real_table_agree() -> None:
    """For every LSOA of the West Midlands the name leads to the area that the table of boundaries says."""
    by_name = Areas.of_west_midlands()
    with REAL_TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 1_000
    assert all(by_name.find(row["lsoa11cd"], row["lsoa11nm"]) == slug(row["lpa"]) for row in rows)
