"""CSV that no spreadsheet calculates, and that reads back as what was written."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import UsageError
from server.exporting import tables

COLUMNS = ("one", "two")
CELLS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["=1+1", "+44", "-2+3", "@SUM(A1)", "\t=1", "'quoted", "''", " =cmd", "-1.894512", "－1", "\r\n=1"]  # noqa: RUF001
)


@given(rows=st.lists(st.tuples(CELLS, CELLS).map(list), max_size=6))
@example(rows=[["=HYPERLINK(A1)", "'=1"]])
def test_what_is_written_reads_back_as_the_same_rows(rows: list[list[str]]) -> None:
    """Whatever stands in the cells, line ends and apostrophes included."""
    assert tables.read(tables.written(COLUMNS, rows), COLUMNS, "x.csv") == rows


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_no_cell_is_a_formula(rows: list[tuple[str, str]]) -> None:
    """Nothing but a plain number begins, behind blanks or not, with what a spreadsheet calculates."""
    written = csv.reader(io.StringIO(tables.written(COLUMNS, rows).decode(), newline=""))
    for row in written:
        for cell in row:
            if cell.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", "－"}:  # noqa: RUF001
                assert float(cell) < 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "x.csv: line 1: the columns must be one,two"),
        (b"one,three\r\n", "line 1: the columns"),
        (b"one,two\r\na,b\r\na\r\n", "line 3: 1 cells for 2 columns"),
        (b"one,two\r\n\xff,b\r\n", "not UTF-8 at byte 9"),
        (b'one,two\r\n"a,b\r\n', "line 2: unexpected end of data"),
        (b"one,two\r\na," + b"b" * 5_000, "line 2: a cell of more than 4000 characters"),
    ],
)
def test_what_is_no_such_table_is_told_by_line(data: bytes, words: str) -> None:
    """What, where, and what it should be."""
    with pytest.raises(UsageError, match=words):
        tables.read(data, COLUMNS, "x.csv")


@given(data=st.binary(max_size=60), cut=st.integers(0, 20))
def test_no_bytes_lead_to_a_defect(data: bytes, cut: int) -> None:
    """Any bytes behind sound ones are rows or a refusal, never another error."""
    try:
        found = tables.read(b"one,two\r\na,b\r\n"[:cut] + data, COLUMNS, "x.csv")
    except UsageError:
        return
    assert all(len(row) == len(COLUMNS) for row in found)


def test_a_file_that_cannot_be_read_or_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read of what is not there, or longer than a table can be."""
    with pytest.raises(UsageError, match="cannot be read"):
        tables.read_file(tmp_path / "none.csv", COLUMNS)
    monkeypatch.setattr(tables, "BYTES_MAX", 8)
    path = tmp_path / "x.csv"
    path.write_bytes(b"one,two\r\na,b\r\n")
    with pytest.raises(UsageError, match="more than 8 bytes"):
        tables.read_file(path, COLUMNS)
