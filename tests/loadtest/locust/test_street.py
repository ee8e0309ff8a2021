"""Where incidents come from: the traps of the street files, and what is invented without one."""

import random
from itertools import islice
from pathlib import Path

import pytest

from loadtest.locust import content
from loadtest.locust.rates import AREAS
from loadtest.locust.street import StreetError, drawn, invented, read
from tests.loadtest.locust import paper

HEADER = (
    "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,Crime type,"
    "Last outcome category,Context\n"
)
REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "street" / "2014-02-west-midlands-street.csv"


def file(tmp_path: Path, *rows: str) -> Path:
    """A street file with these rows."""
    path = tmp_path / "street.csv"
    path.write_text(HEADER + "".join(f"{each}\n" for each in rows), encoding="utf-8")
    return path


def test_a_row_becomes_a_report_in_its_area(tmp_path: Path) -> None:
    """Longitude comes first; antisocial behaviour has no id and another category."""
    crime = "c5,2014-02,W,W,-1.85,52.59,On or near Long Lane,E01,Birmingham 001A,Burglary,Open,"
    nuisance = ",2014-02,W,W,-2.0,52.5,On or near Mill Way,E02,Dudley 002B,Anti-social behaviour,,"
    first, second = read(file(tmp_path, crime, nuisance))
    assert (first.area, first.category, first.longitude, first.latitude) == ("birmingham", "crime", -1.85, 52.59)
    assert first.summary == "Burglary reported on or near Long Lane"
    assert (second.area, second.category) == ("dudley", "antisocial-nuisance")


def test_rows_that_cannot_be_used_are_passed_over(tmp_path: Path) -> None:
    """Outside every area, without a place, or without a type."""
    good = "c5,2014-02,W,W,-1.85,52.59,Long Lane,E01,Walsall 001A,Burglary,Open,"
    outside = good.replace("Walsall", "Cannock Chase")
    nowhere = good.replace("-1.85,52.59", ",")
    untyped = good.replace("Burglary", "")
    assert len(read(file(tmp_path, outside, nowhere, untyped, good))) == 1
    with pytest.raises(StreetError, match="no row lies in any of"):
        read(file(tmp_path, outside))


def test_another_file_is_refused_in_words(tmp_path: Path) -> None:
    """What is missing is named, for a wrong file and for none."""
    other = tmp_path / "other.csv"
    other.write_text("Type,Date\nPerson,2014\n", encoding="utf-8")
    with pytest.raises(StreetError, match="no column Longitude, Latitude"):
        read(other)
    with pytest.raises(StreetError, match=r"absent\.csv"):
        read(tmp_path / "absent.csv")


@pytest.mark.skipif(not REAL.exists(), reason="no real street file beside the clone (../shared/data)")
def test_a_real_file_gives_reports_of_every_area() -> None:
    """The force's own file of a month."""
    assert {report.area for report in read(REAL)} == set(AREAS)


def test_the_same_seed_gives_the_same_reports() -> None:
    """A run can be repeated, with a file and without."""
    some = [list(islice(invented(random.Random(7)), 20)) for _ in range(2)]
    assert some[0] == some[1]
    assert next(drawn(some[0], random.Random(3))) in some[0]


def test_what_is_written_has_only_fields_and_words_of_the_page() -> None:
    """Every field is declared, every word of an enumeration is in it, and a new record has all it must have."""
    rng = random.Random(1)
    told = paper.fields()
    report = next(invented(rng))
    made = {
        "incident": content.incident(report, 1, rng),
        "custody-booking": content.booking("oldbury", 10**10, rng),
        "briefing": content.briefing("force", 1, rng),
    }
    changed = {
        "incident": [
            content.log_entry(rng),
            content.deployment("LT0001", 1, rng),
            *(content.steering(rng) for _ in range(9)),
        ],
        "custody-booking": [content.check(1, rng), content.care(1, rng)],
    }
    for kind, whole in made.items():
        assert {name for name, spec in told[kind].items() if spec.get("required")} <= whole.keys()
    for kind, changes in [*made.items(), *((kind, each) for kind, several in changed.items() for each in several)]:
        for name, value in changes.items():
            spec = told[kind][name]
            assert not spec.get("by_rule")
            assert value in spec.get("values", [value]), (kind, name)
            for part, words in spec.get("parts", {}).items():
                assert all(entry.get(part, words[0]) in words for entry in value), (kind, name, part)


def test_a_new_id_has_its_moment_and_its_version() -> None:
    """UUID version 7 of RFC 9562, as the page takes it apart."""
    made = content.record_id(1_767_268_740_000)
    assert made.startswith("019b796c-eba0-7")
    assert made[19] in "89ab"
