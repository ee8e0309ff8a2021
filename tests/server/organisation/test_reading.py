"""The files as people write them: read to the last line, or refused with everything that is wrong and where."""

import contextlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.roles import Role
from server.organisation.definition import OrganisationError, SpanTold
from server.organisation.reading import read_organisation
from server.organisation.tables import FILE_BYTES_MAX
from sync.explain.values import moment
from tests.server.organisation.files import FORCE, SHIPPED, TABLES, also, write


def refused(path: Path) -> list[tuple[str, str]]:
    """Where something is wrong, and what, in the order in which it is told."""
    with pytest.raises(OrganisationError) as caught:
        read_organisation(path)
    problems = caught.value.problems
    assert str(caught.value).splitlines()[0].startswith(problems[0].where)
    return [(one.where, one.what) for one in problems]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Units of areas, teams and suites, the commander's roles, what entitles people, shifts by the force's clock."""
    told = read_organisation(write(tmp_path))
    assert [(one.unit, one.places) for one in told.units] == [
        ("dudley", ("area:dudley",)),
        ("walsall", ("area:walsall",)),
        ("dudley-response", ("team:dudley-response", "area:dudley")),
        ("suite-dudley", ("suite:dudley",)),
    ]
    command = [one for one in told.spans if one.sort == "command"]
    assert {(one.officer, one.role, one.target, moment(one.start)) for one in command} == {
        ("WM1", Role.SUPERINTENDENT, "dudley", "2023-02-01T00:00:00Z"),
        ("WM1", Role.SUPERINTENDENT, "dudley-response", "2023-02-01T00:00:00Z"),
        ("WM1", Role.SUPERINTENDENT, "suite-dudley", "2023-03-01T00:00:00Z"),
    }
    (member,) = (one for one in told.spans if one.sort == "member")
    assert (member.target, member.decides, member.where) == ("castle", True, "members.csv line 2")
    (shift,) = (one for one in told.spans if one.sort == "shift")
    # Summer time, and over midnight.
    assert (moment(shift.start), moment(shift.until or 0)) == ("2023-07-10T21:00:00Z", "2023-07-11T06:00:00Z")
    assert told.cells is not None
    assert [(one.suite, one.name, one.note) for one in told.cells] == [
        ("dudley", "A1", "with camera"), ("dudley", "A2", None),
    ]  # fmt: skip


def test_a_table_that_is_not_named_is_not_told_of(tmp_path: Path) -> None:
    """Neither read nor missed: what it would say is left to people, and nothing of that sort is ended."""
    force = FORCE.replace('rota = "rota.csv"\n', "").replace('cells = "cells.csv"\n', "")
    told = read_organisation(write(tmp_path, force, rota="no table at all"))
    assert told.cells is None
    assert set(told.tells) == {"command", "role", "posting", "member"}


def test_a_table_that_is_named_and_missing_is_refused(tmp_path: Path) -> None:
    """A file that was lost must not read as one that says nothing: that would end everything it gave."""
    path = write(tmp_path)
    (tmp_path / "postings.csv").unlink()
    assert refused(path) == [
        ("postings.csv", "cannot be read (No such file or directory); check the path and its permissions")
    ]


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    """A byte order mark, Windows' line ends, blank lines, blanks around cells, columns in another order."""
    path = write(tmp_path, postings="\ufeffunit, from ,collar\r\n\r\n dudley ,2023-01-01T07:30,WM2 \r\n")
    (posting,) = (one for one in read_organisation(path).spans if one.sort == "posting")
    expected = ("dudley", "2023-01-01T07:30:00Z", "postings.csv line 3")
    assert (posting.target, moment(posting.start), posting.where) == expected


@pytest.mark.parametrize(
    ("table", "row", "where", "what"),
    [
        ("officers", "WM3,,2023-01-01,", "line 4, column name", "it is empty"),
        ("officers", f"WM3,{'x' * 201},2023-01-01,", "line 4, column name", "too long"),
        ("officers", "W M3,Ida,2023-01-01,", "line 4, column collar", "a collar number, as in WM21877"),
        ("officers", "WM3,Ida,2023-13-01,", "line 4, column from", "as in 2026-03-01"),
        ("officers", "WM3,Ida,,", "line 4, column from", "it is empty"),
        ("officers", "WM3,Ida,0001-01-01,", "line 4, column from", "the year 1 is none"),
        ("officers", "WM3,Ida,2023-01-01,soon", "line 4, column until", "'soon' is no moment"),
        ("officers", "WM3,Ida,2023-01-01,2022-01-01", "line 4", "before it begins"),
        ("officers", "WM3,Ida,2023-01-01", "line 4", "3 columns where the header has 4"),
        ("officers", "wm2,Ida,2023-01-01,", "line 4", "told already at officers.csv line 3"),
        ("officers", '"WM3,Ida,2023-01-01,', "line 4", "no CSV"),
        ("roles", "WM2,sergeant,,2023-01-01,", "line 3, column role", "there are officer, supervisor"),
        ("roles", "WM2,officer,Dudley,2023-01-01,", "line 3, column unit", "as in birmingham"),
        ("roles", "WM2,officer,dudly,2023-01-01,", "line 3", "did you mean 'dudley'?"),
        ("postings", "WM22,dudley,2023-01-01,", "line 3", "did you mean 'WM2'?"),
        ("postings", "WM2,,2023-01-01,", "line 3, column unit", "it is empty"),
        ("postings", "WM2,dudley-response,2024-01-01,", "line 3", "the same time at postings.csv line 2"),
        ("members", "WM2,castel,no,2023-01-01,", "line 3", "did you mean 'castle'?"),
        ("members", "WM2,castle,perhaps,2023-01-01,", "line 3, column decides", "there are no, yes"),
        ("rota", "WM2,early,2023-07-11,", "line 3, column shift", "there are night"),
        ("rota", "WM2,night,11/07/2023,", "line 3, column date", "write it as in 2026-03-01"),
        ("rota", "WM2,night,9999-12-31,", "line 3, column date", "the year 9999 is none"),
        ("officers", "WM3,Ida,2023-01-01,9999-12-31", "line 4, column until", "the year 9999 is none"),
        ("cells", "dudly,A3,", "line 4", "did you mean 'dudley'?"),
        ("cells", "dudley,A1,", "line 4", "told already at cells.csv line 2"),
        ("cells", f"dudley,A3,{'x' * 201}", "line 4, column note", "too long"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_file_line_and_column(
    tmp_path: Path, table: str, row: str, where: str, what: str
) -> None:
    """Whoever keeps the table finds the cell, and is told what to write there."""
    ((found, said),) = refused(write(tmp_path, **{table: also(table, row)}))
    assert (found, what in said) == (f"{table}.csv {where}", True), said


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("collar,unit,form", "there is no column 'form'; did you mean 'from'?"),
        ("collar,unit", "the column 'from' is missing"),
        ("collar,unit,from,from", "a column comes twice"),
        ("", "the column 'collar' is missing"),
    ],
)
def test_a_bad_header_is_told(tmp_path: Path, header: str, what: str) -> None:
    """Not guessed at: a column that is misspelt would else be a column that says nothing."""
    ((where, said),) = refused(write(tmp_path, postings=f"{header}\n"))
    assert (where, what in said) == ("postings.csv line 1", True), said


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ('name = "marches"\n', "", "[force]", "`name` is missing"),
        ('title = "Marches Police"', 'title = "M"\ntimezone = "Mars/Polis"', "[force]", "no time zone 'Mars/Polis'"),
        ('rota = "rota.csv"', 'rotas = "rota.csv"', "[tables]", "there is no table 'rotas'"),
        ('rota = "rota.csv"', 'rota = "../rota.csv"', "[tables]", "in the same folder"),
        ("[[mission]]", "[[missions]]", "[missions]", "is it mission?"),
        ("[[mission]]", "[mission]", "[mission]", "write [[mission]] above each"),
        ('title = "Walsall"\n', "", "[[area]] walsall", "`title` is missing"),
        ('title = "Walsall"\n', 'titel = "Walsall"\n', "[[area]] walsall", "titel"),
        ('title = "Walsall"\nfrom = 2023-01-01', 'title = "W"\nfrom = 7', "[[area]] walsall", "7 is no moment"),
        ('title = "Walsall"', 'title = "W"\ninto = "dudley"', "[[area]] walsall", "say in `until` from when"),
        ('title = "Walsall"', 'title = "W"\nuntil = 2024-01-01\ninto = "duddley"', "[[area]] walsall", "mean 'dudley'"),
        ('title = "Walsall"', 'title = "W"\nuntil = 2022-01-01\ninto = "dudley"', "[[area]] walsall", "before it"),
        ('name = "walsall"', 'name = "dudley"', "[[area]] dudley", "told already"),
        ('title = "Dudley suite"\narea = "dudley"', 'title = "D"\narea = "dudly"', "[[suite]] dudley", "mean 'dudley'"),
        ('from = "22:00"', 'from = "10pm"', "[[shift]] night", "write it as in 07:00"),
        ('title = "Operation Castle"', 'title = "C"\nplaces = ["force"]', "[[mission]] castle", "is no place to serve"),
        ('commander = "WM1"', 'commander = "WM11"', "[[area]] dudley", "did you mean 'WM1'?"),
    ],
)  # fmt: skip
def test_a_bad_section_is_told_with_its_name(tmp_path: Path, old: str, new: str, where: str, what: str) -> None:
    """TOML has no lines for us: the section and the name that it bears lead there."""
    assert old in FORCE
    problems = refused(write(tmp_path, FORCE.replace(old, new, 1)))
    assert any(found == f"force.toml {where}" and what in said for found, said in problems), problems


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"[force", "no TOML"),
        (b"name = \xff", "not text in UTF-8"),
        (b"#" * (FILE_BYTES_MAX + 1), "longer than"),
    ],
)
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, data: bytes, what: str) -> None:
    """In one line, with its path, and never with a traceback."""
    path = write(tmp_path)
    path.write_bytes(data)
    ((where, said),) = refused(path)
    assert (where, what in said) == (str(path), True), said


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """A file is mended in one go; past twenty the rest is counted."""
    rows = [f"WM2,dudley,2023-0{n}-99," for n in range(1, 10)] + ["WM2,dudley,never,"] * 20
    path = write(tmp_path, FORCE.replace('title = "Walsall"\n', ""), postings=also("postings", *rows))
    with pytest.raises(OrganisationError) as caught:
        read_organisation(path)
    assert len(caught.value.problems) == 30
    assert str(caught.value).splitlines()[-1] == "… and 10 more"


def test_the_shipped_force_is_sound() -> None:
    """Seven areas since 3 April 2023, each with its commander, response, investigation, neighbourhood and PCT."""
    told = read_organisation(SHIPPED)
    areas = {one.unit for one in told.units if one.places == (f"area:{one.unit}",) and one.until is None}
    assert areas == {"birmingham", "coventry", "dudley", "sandwell", "solihull", "walsall", "wolverhampton"}
    units = {one.unit for one in told.units}
    for area in areas:
        teams = {f"{area}-{team}" for team in ("response", "investigation", "neighbourhood", "priority-crime")}
        assert teams <= units
    assert {"operations", "intelligence", "force-cid", "public-protection", "force-contact"} <= units
    commands = [one for one in told.spans if one.sort == "command"]
    assert len({one.officer for one in commands}) == 7
    assert {one.suite for one in told.cells or ()} == {
        "perry-barr", "oldbury", "coventry", "wolverhampton", "bloxwich", "stechford", "bournville", "willenhall",
    }  # fmt: skip


def test_two_things_that_differ_in_anything_are_given_apart() -> None:
    """What is given to whom is told by all that says so, or one would be taken for the other."""
    one = SpanTold(sort="role", officer="WM1", role=Role.OFFICER, target="dudley", start=0, where="")  # type: ignore[arg-type]  # ids
    others: list[dict[str, object]] = [
        {"officer": "WM2"},
        {"role": Role.SUPERVISOR},
        {"target": None},
        {"sort": "command"},
    ]
    assert all(msgspec.structs.replace(one, **other).key != one.key for other in others)


# --- whatever stands in a file ---------------------------------------------------------------------------------------

WORDS = ("WM1", "WM2", "dudley", "castle", "night", "supervisor", "yes", "2023-01-01", "9999-12-31", "0001-01-01", "")
ODD = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(['"', "\x00", "\u2028", "\r", "é", "x" * 140_000]), st.text(max_size=8)
)
"""What a cell may hold: words that fit somewhere, and what no table should have."""


@given(st.sampled_from(sorted(TABLES)), st.lists(st.lists(ODD, max_size=5), max_size=4))
def test_no_table_makes_the_reader_fail(table: str, rows: list[list[str]]) -> None:
    """It is read, or refused in words: never a traceback, whatever a spreadsheet or a hand has left in it."""
    text = TABLES[table] + "".join(",".join(row) + "\n" for row in rows)
    read_or_refuse(FORCE, table, text)


SECTIONS = ("force", "tables", "area", "team", "suite", "mission", "shift")
KEYS = ("name", "title", "from", "until", "into", "area", "commander", "commander_from", "places", "timezone", "cells")
VALUES = (
    '"dudley"', '"Dudley"', "2023-01-01", "9999-12-31", "0001-01-01", "07:00:00", "2023-01-01T00:00:00Z", "1", "-1.5",
    "true", "[]", '["area:dudley"]', "{}", '""', '"22:00"', "inf", "99999999999999999999",
)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(SECTIONS),
            st.booleans(),
            st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=6),
        ),
        max_size=6,
    )
)
def test_no_toml_makes_the_reader_fail(sections: list[tuple[str, bool, dict[str, str]]]) -> None:
    """As with the tables: values of the wrong kind, sections of the wrong form, days beyond the calendar."""
    lines = []
    for name, several, keys in sections:
        lines += [f"[[{name}]]" if several else f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
    read_or_refuse("\n".join(lines), "rota.csv", TABLES["rota.csv"])


def read_or_refuse(force: str, table: str, text: str) -> None:
    """Read a force with one table; anything but an organisation or a refusal in words fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), force)
        (path.parent / table).write_text(text, encoding="utf-8", newline="")
        with contextlib.suppress(OrganisationError):
            assert read_organisation(path).force
