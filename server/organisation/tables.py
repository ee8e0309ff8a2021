"""The tables beside a force's TOML file: CSV with a header, each row a line of the organisation.

What is wrong is told with file, line and column, all of it at once.
"""

import csv
import datetime as dt
import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from schemas.ids import OFFICER_PATTERN, SLUG_PATTERN
from schemas.roles import Role
from server.organisation.definition import CellTold, OfficerTold, Problem, SpanTold
from server.organisation.times import day_of, moment_of, shift_on

FILE_BYTES_MAX: Final = 16 * 1_024 * 1_024
"""A table: 100,000 rows of a rota and more."""
_TEXT_CHARS_MAX: Final = 200
_DECIDES: Final = {"": False, "no": False, "yes": True}
_T = TypeVar("_T")
_Told = TypeVar("_Told", bound=msgspec.Struct)


class Shift(msgspec.Struct, frozen=True):
    """A shift of the rota: when it begins and ends, by the force's clock."""

    begins: dt.time
    ends: dt.time


class Row:
    """One row, whose cells are read one by one; what is wrong with any of them is put with the problems."""

    def __init__(self, where: str, cells: Mapping[str, str], problems: list[Problem], zone: dt.tzinfo) -> None:
        """Bind it."""
        self.where = where
        self._cells = cells
        self._problems = problems
        self._zone = zone
        self.sound = True

    def wrong(self, column: str, what: str) -> None:
        """Tell of a problem in a column."""
        self.sound = False
        self._problems.append(Problem(f"{self.where}, column {column}", what))

    def cell(self, column: str) -> str:
        """A cell; "" for an empty one, and for a column that the table does not have."""
        return self._cells.get(column, "")

    def text(self, column: str) -> str:
        """A cell that must say something."""
        said = self.cell(column)
        if not said:
            self.wrong(column, "it is empty; say something")
        elif len(said) > _TEXT_CHARS_MAX:
            self.wrong(column, f"it is too long; say it in {_TEXT_CHARS_MAX} characters")
        return said

    def formed(self, column: str, pattern: str, form: str) -> str:
        """A cell of a form."""
        said = self.text(column)
        if said and re.match(pattern, said) is None:
            self.wrong(column, f"{said!r} has not its form; write {form}")
        return said

    def collar(self) -> Any:  # noqa: ANN401  the Structs have ids of their own types
        """The collar number."""
        return self.formed("collar", OFFICER_PATTERN, "a collar number, as in WM21877")

    def slug(self, column: str, *, needed: bool = True) -> str | None:
        """The name of a unit, a suite or a mission."""
        if not needed and not self.cell(column):
            return None
        return self.formed(column, SLUG_PATTERN, "up to 40 of a-z, 0-9 and -, as in birmingham")

    def chosen(self, column: str, choices: Mapping[str, _T]) -> _T | None:
        """A cell that has one of a few values."""
        said = self.cell(column)
        if said not in choices:
            self.wrong(column, f"{said!r} is none; there are {', '.join(filter(None, choices))}")
            return None
        return choices[said]

    def read(self, column: str, of: Callable[[str], _T]) -> _T | None:
        """A cell that is read by a function which raises ValueError for what it cannot read."""
        try:
            return of(self.text(column))
        except ValueError as wrong:
            if self.cell(column):
                self.wrong(column, str(wrong))
            return None

    def time(self) -> dict[str, Any]:
        """From when to when: the columns `from` and `until`, as fields of a Struct."""
        start = self.read("from", lambda said: moment_of(said, self._zone))
        until = self.read("until", lambda said: moment_of(said, self._zone)) if self.cell("until") else None
        return {"start": start, "until": until}


class Tables:
    """The tables of one force."""

    def __init__(self, folder: Path, zone: dt.tzinfo, shifts: Mapping[str, Shift], problems: list[Problem]) -> None:
        """Bind it; problems are added to the list."""
        self._folder = folder
        self._zone = zone
        self._shifts = shifts
        self._problems = problems

    def officers(self, name: str) -> tuple[OfficerTold, ...]:
        """The table of officers: `collar,name,from,until`."""

        def told(row: Row) -> OfficerTold | None:
            officer, called, time = row.collar(), row.text("name"), row.time()
            return OfficerTold(officer=officer, name=called, where=row.where, **time) if row.sound else None

        return self._read(name, ("collar", "name", "from"), ("until",), told)

    def roles(self, name: str) -> tuple[SpanTold, ...]:
        """The table of roles: `collar,role,unit,from,until`; without a unit the role counts where they are posted."""
        known = {role.value: role for role in Role}

        def told(row: Row) -> SpanTold | None:
            officer, role, time = row.collar(), row.chosen("role", known), row.time()
            target = row.slug("unit", needed=False)
            if not row.sound:
                return None
            return SpanTold(sort="role", officer=officer, role=role, target=target, where=row.where, **time)

        return self._read(name, ("collar", "role", "from"), ("unit", "until"), told)

    def postings(self, name: str) -> tuple[SpanTold, ...]:
        """The table of postings: `collar,unit,from,until`."""

        def told(row: Row) -> SpanTold | None:
            officer, target, time = row.collar(), row.slug("unit"), row.time()
            if not row.sound:
                return None
            return SpanTold(sort="posting", officer=officer, target=target, where=row.where, **time)

        return self._read(name, ("collar", "unit", "from"), ("until",), told)

    def members(self, name: str) -> tuple[SpanTold, ...]:
        """The table of who is on a mission: `collar,mission,decides,from,until`."""

        def told(row: Row) -> SpanTold | None:
            officer, target, time = row.collar(), row.slug("mission"), row.time()
            decides = row.chosen("decides", _DECIDES)
            if not row.sound:
                return None
            return SpanTold(
                sort="member", officer=officer, target=target, decides=decides is True, where=row.where, **time
            )

        return self._read(name, ("collar", "mission", "from"), ("decides", "until"), told)

    def rota(self, name: str) -> tuple[SpanTold, ...]:
        """The rota: `collar,shift,date,unit`; without a unit they are on shift where they are posted."""

        def told(row: Row) -> SpanTold | None:
            officer, shift, day = row.collar(), row.chosen("shift", self._shifts), row.read("date", day_of)
            target = row.slug("unit", needed=False)
            if not row.sound or shift is None or day is None:
                return None
            start, until = shift_on(day, shift.begins, shift.ends, self._zone)
            return SpanTold(sort="shift", officer=officer, target=target, start=start, until=until, where=row.where)

        return self._read(name, ("collar", "shift", "date"), ("unit",), told)

    def cells(self, name: str) -> tuple[CellTold, ...]:
        """The table of cells: `suite,cell,note`."""

        def told(row: Row) -> CellTold | None:
            suite, cell, note = row.slug("suite"), row.text("cell"), row.cell("note") or None
            if note is not None and len(note) > _TEXT_CHARS_MAX:
                row.wrong("note", f"it is too long; say it in {_TEXT_CHARS_MAX} characters")
            if not row.sound or suite is None:
                return None
            return CellTold(suite=suite, name=cell, note=note, where=row.where)

        return self._read(name, ("suite", "cell"), ("note",), told)

    def _read(
        self, name: str, needed: tuple[str, ...], also: tuple[str, ...], told: Callable[[Row], _Told | None]
    ) -> tuple[_Told, ...]:
        return tuple(one for row in self._rows(name, needed, also) if (one := told(row)) is not None)

    def _rows(self, name: str, needed: tuple[str, ...], also: tuple[str, ...]) -> Iterator[Row]:
        try:
            text = text_of(self._folder / name)
        except ValueError as error:
            self._problems.append(Problem(name, str(error)))
            return
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            wrong = _header_problem(header, needed, also)
            if wrong is not None:
                self._problems.append(Problem(f"{name} line 1", wrong))
                return
            for cells in reader:
                where = f"{name} line {reader.line_num}"
                if len(cells) == len(header):
                    row = dict(zip(header, map(str.strip, cells), strict=True))
                    yield Row(where, row, self._problems, self._zone)
                elif any(cell.strip() for cell in cells):
                    self._problems.append(Problem(where, f"{len(cells)} columns where the header has {len(header)}"))
        except csv.Error as error:
            self._problems.append(Problem(f"{name} line {reader.line_num}", f"no CSV: {error}"))


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        ValueError: it cannot be read, is too long, or is no text in UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror}); check the path and its permissions") from None
    if len(data) > FILE_BYTES_MAX:
        raise ValueError(f"longer than {FILE_BYTES_MAX} bytes: that is no table of a force")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not text in UTF-8 (byte {error.start}); save it so") from None


def _header_problem(header: list[str], needed: tuple[str, ...], also: tuple[str, ...]) -> str | None:
    known = (*needed, *also)
    for column in header:
        if column not in known:
            near = difflib.get_close_matches(column, known, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            return f"there is no column {column!r}; {meant}"
    if len(set(header)) < len(header):
        return "a column comes twice in the header; give each once"
    missing = [column for column in needed if column not in header]
    return f"the column {missing[0]!r} is missing; there must be {', '.join(needed)}" if missing else None
