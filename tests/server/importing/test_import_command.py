"""`beatbook import street` as a person runs it."""

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli import main
from server.importing.street import COLUMNS
from tests.server.importing.test_street import ANTISOCIAL, GOOD, REAL_FILE, write


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = CliRunner().invoke(main, ["import", "street", *map(str, arguments)])
    return result.exit_code, result.output


def head(data: Path) -> tuple[int, int]:
    """Incidents and ops in a data folder that no server holds open."""
    connection = sqlite3.connect(f"file:{data / 'beatbook.db'}?mode=ro", uri=True)
    try:
        (records,) = connection.execute("SELECT count(*) FROM record WHERE kind = 'incident'").fetchone()
        (ops,) = connection.execute("SELECT count(*) FROM op").fetchone()
    finally:
        connection.close()
    return records, ops


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    """The second run makes no record and no op, and says so."""
    file = write(tmp_path, GOOD, ANTISOCIAL, ANTISOCIAL)
    code, said = run(file, "--data", tmp_path / "data")
    assert code == 0, said
    assert "3 incidents created" in said
    before = head(tmp_path / "data")
    code, said = run(file, "--data", tmp_path / "data")
    assert code == 0, said
    assert "0 incidents created, 0 changed, 3 already there" in said
    assert head(tmp_path / "data") == before == (3, 3)


def test_a_later_edition_changes_the_outcome_only(tmp_path: Path) -> None:
    """One op for the one field that differs."""
    data = tmp_path / "data"
    run(write(tmp_path, GOOD), "--data", data)
    code, said = run(write(tmp_path, GOOD.replace("Under investigation", "Local resolution")), "--data", data)
    assert (code, "1 changed" in said) == (0, True), said
    assert head(data) == (1, 2)


def test_unusable_rows_are_reported_to_a_file(tmp_path: Path) -> None:
    """Line and reason of each, and the count on the last line printed."""
    file = write(tmp_path, GOOD.replace("Birmingham 001A", "Bromsgrove 005A"), ANTISOCIAL)
    code, said = run(file, "--data", tmp_path / "data", "--report", tmp_path / "report.tsv")
    assert code == 0
    assert "1 rows not usable" in said
    assert (tmp_path / "report.tsv").read_text().startswith("2\tE01009417 (Bromsgrove 005A) lies in no")


def test_a_file_that_is_none_is_one_clear_line(tmp_path: Path) -> None:
    """Exit code 1, the column that is missing, no traceback."""
    file = tmp_path / "other.csv"
    file.write_text("Month,Longitude\n2014-02,1\n")
    code, said = run(file, "--data", tmp_path / "data")
    assert code == 1
    assert f"the column {COLUMNS[0]!r} is missing" in said
    assert "Traceback" not in said


@pytest.mark.timeout(90)  # 17,000 rows, twice
@pytest.mark.skipif(not REAL_FILE.exists(), reason="the real street file is not beside this checkout")
def test_the_real_file_loads_whole(tmp_path: Path) -> None:
    """Every usable row of February 2014 is a record afterwards, and a second run changes nothing."""
    code, said = run(REAL_FILE, "--data", tmp_path / "data")
    assert code == 0, said
    assert head(tmp_path / "data") == (17_619, 17_619)
    code, said = run(REAL_FILE, "--data", tmp_path / "data")
    assert head(tmp_path / "data") == (17_619, 17_619)
    assert "17619 already there, 20 rows not usable" in said
