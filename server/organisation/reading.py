"""A force's TOML file, with the tables that it names: read whole, or refused with everything that is wrong in it.

The TOML tells what changes once a year (areas, teams, suites, missions, shifts), the tables what changes daily. Only
tables that the TOML names are looked for, and one that is named must be there: a table that went missing must not end
what it gave.
"""

import datetime as dt
import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from schemas import scopes
from schemas.ids import OfficerText, ScopeName, SlugText
from schemas.roles import Role
from server.http.wording import in_words
from server.organisation.checking import problems_of
from server.organisation.definition import (
    MissionTold,
    OrganisationError,
    OrganisationTold,
    Problem,
    Sort,
    SpanTold,
    UnitTold,
)
from server.organisation.tables import Shift, Tables, text_of
from server.organisation.times import moment_of, time_of, zone_named
from server.registry.acts.base import Title

SUITE_UNIT: Final = "suite-"
"""Stands before a suite's name in that of its unit: an area and its suite may bear one name."""
TABLES: Final = ("officers", "roles", "postings", "members", "rota", "cells")
_Entry = TypeVar("_Entry", bound=msgspec.Struct)


class _Force(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: SlugText
    title: Title
    timezone: str = "Europe/London"


class _Dated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """What has a name, and holds from a moment on. Moments are read with the force's zone, later."""

    name: SlugText
    title: Title
    start: Any
    until: Any = None


class _Area(_Dated, frozen=True, kw_only=True, forbid_unknown_fields=True):
    into: SlugText | None = None
    commander: OfficerText | None = None
    commander_from: Any = None


class _Part(_Dated, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team or a suite; of no area it is central."""

    area: SlugText | None = None
    into: SlugText | None = None


class _Mission(_Dated, frozen=True, kw_only=True, forbid_unknown_fields=True):
    places: tuple[ScopeName, ...] = ()


class _Shift(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begins": "from", "ends": "until"}
):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    begins: Any
    ends: Any


_SECTIONS: Final = ("force", "tables", "area", "team", "suite", "mission", "shift")


def read_organisation(path: Path) -> OrganisationTold:
    """A force as its files tell it.

    Args:
        path: the TOML file; the tables that it names lie in its folder.

    Raises:
        OrganisationError: a file cannot be read, or something in one cannot be; with every problem that was found.
    """
    reader = _Reader(path)
    organisation = reader.organisation()
    problems = reader.problems or ([] if organisation is None else list(problems_of(organisation)))
    if organisation is None or problems:
        raise OrganisationError(problems)
    return organisation


class _Reader:
    """One reading; it goes on after a problem, so that all are told at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zone: dt.tzinfo = dt.UTC
        self.problems: list[Problem] = []

    def organisation(self) -> OrganisationTold | None:
        """The whole; None when there is too little to tell more."""
        try:
            told = tomllib.loads(text_of(self._path))
        except (ValueError, RecursionError) as error:
            what = f"no TOML: {error}" if isinstance(error, tomllib.TOMLDecodeError) else str(error)
            self.problems.append(Problem(str(self._path), what))
            return None
        force = self._force(told)
        names = self._tables(told.pop("tables", {}))
        areas = list(self._entries(told.pop("area", []), "area", _Area))
        teams = list(self._entries(told.pop("team", []), "team", _Part))
        suites = list(self._entries(told.pop("suite", []), "suite", _Part))
        missions = list(self._entries(told.pop("mission", []), "mission", _Mission))
        shifts = self._shifts(list(self._entries(told.pop("shift", []), "shift", _Shift)))
        for name in told:
            near = difflib.get_close_matches(name, _SECTIONS, n=1, cutoff=0.5)
            meant = near[0] if near else ", ".join(_SECTIONS)
            self._wrong(f"[{name}]", f"there is no such section; is it {meant}?")
        if force is None:
            return None
        self._known_areas([*teams, *suites], areas)
        units = [
            *(self._unit(one, where, one.name, (scopes.area(one.name),), one.into) for one, where in areas),
            *(self._unit(one, where, one.name, _team_places(one), one.into) for one, where in teams),
            *(self._unit(one, where, SUITE_UNIT + one.name, (scopes.suite(one.name),), _suite_unit(one.into))
              for one, where in suites),
        ]  # fmt: skip
        spans: list[SpanTold] = list(self._commands(areas, teams, suites))
        tells: list[Sort] = ["command"]
        tables = Tables(self._path.parent, self._zone, shifts, self.problems)
        of: tuple[tuple[str, Sort, Any], ...] = (
            ("roles", "role", tables.roles), ("postings", "posting", tables.postings),
            ("members", "member", tables.members), ("rota", "shift", tables.rota),
        )  # fmt: skip
        for name, sort, read in of:
            if name in names:
                tells.append(sort)
                spans += read(names[name])
        return OrganisationTold(
            force=force.name,
            title=force.title,
            units=tuple(filter(None, units)),
            missions=tuple(filter(None, (self._mission(one, where) for one, where in missions))),
            officers=tables.officers(names["officers"]) if "officers" in names else None,
            tells=tuple(tells),
            spans=tuple(spans),
            cells=tables.cells(names["cells"]) if "cells" in names else None,
        )

    # --- the TOML ----------------------------------------------------------------------------------------------------

    def _wrong(self, where: str, what: str) -> None:
        self.problems.append(Problem(f"{self._path.name} {where}", what))

    def _force(self, told: dict[str, Any]) -> _Force | None:
        try:
            force = msgspec.convert(told.pop("force", {}), _Force)
            self._zone = zone_named(force.timezone)
        except msgspec.ValidationError as error:
            self._wrong("[force]", in_words(error))
            return None
        except ValueError as error:
            self._wrong("[force]", str(error))
            return None
        return force

    def _tables(self, told: object) -> dict[str, str]:
        if not isinstance(told, dict):
            self._wrong("[tables]", 'it is no table; write [tables] with a line for each, as in cells = "cells.csv"')
            return {}
        found = {}
        for name, file in told.items():
            if name not in TABLES:
                self._wrong("[tables]", f"there is no table {name!r}; there are {', '.join(TABLES)}")
            elif not isinstance(file, str) or not file or Path(file).name != file:
                self._wrong("[tables]", f"{name}: {file!r} is no file's name; give that of one in the same folder")
            else:
                found[name] = file
        return found

    def _entries(self, told: object, section: str, kind: type[_Entry]) -> Iterator[tuple[_Entry, str]]:
        if not isinstance(told, list):
            self._wrong(f"[{section}]", f"there may be several: write [[{section}]] above each")
            return
        for n, entry in enumerate(told, start=1):
            name = entry.get("name") if isinstance(entry, dict) else None
            where = f"[[{section}]] {name if isinstance(name, str) else f'number {n}'}"
            try:
                yield msgspec.convert(entry, kind), f"{self._path.name} {where}"
            except msgspec.ValidationError as error:
                self._wrong(where, in_words(error))

    def _time(self, one: _Dated, where: str) -> dict[str, Any] | None:
        try:
            until = None if one.until is None else moment_of(one.until, self._zone)
            return {"start": moment_of(one.start, self._zone), "until": until}
        except ValueError as error:
            self.problems.append(Problem(where, str(error)))
            return None

    def _unit(
        self, one: _Dated, where: str, unit: str, places: tuple[ScopeName, ...], into: str | None
    ) -> UnitTold | None:
        time = self._time(one, where)
        if time is None:
            return None
        return UnitTold(unit=unit, title=one.title, places=places, into=into, where=where, **time)

    def _known_areas(self, parts: list[tuple[_Part, str]], areas: list[tuple[_Area, str]]) -> None:
        names = [area.name for area, _ in areas]
        for part, where in parts:
            if part.area is not None and part.area not in names:
                near = difflib.get_close_matches(part.area, names, n=1, cutoff=0.6)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                self.problems.append(Problem(where, f"area: there is no area {part.area!r}{meant}"))

    def _mission(self, one: _Mission, where: str) -> MissionTold | None:
        time = self._time(one, where)
        if time is None:
            return None
        return MissionTold(mission=one.name, title=one.title, places=one.places, where=where, **time)

    def _shifts(self, told: list[tuple[_Shift, str]]) -> Mapping[str, Shift]:
        found = {}
        for one, where in told:
            if one.name in found:
                self.problems.append(Problem(where, f"{one.name!r} is told already; tell it once"))
            try:
                found[one.name] = Shift(time_of(one.begins), time_of(one.ends))
            except ValueError as error:
                self.problems.append(Problem(where, str(error)))
        return found

    def _commands(
        self, areas: list[tuple[_Area, str]], teams: list[tuple[_Part, str]], suites: list[tuple[_Part, str]]
    ) -> Iterator[SpanTold]:
        """The commander of each area, superintendent in it and in every team and suite of it.

        One span a unit: a suite that is opened later comes under the commander without anything else changing.
        """
        for area, where in areas:
            if area.commander is None or (time := self._time(area, where)) is None:
                continue
            begins = area.start if area.commander_from is None else area.commander_from
            parts = [(area.name, area.start), *((team.name, team.start) for team, _ in teams if team.area == area.name)]
            parts += [(SUITE_UNIT + suite.name, suite.start) for suite, _ in suites if suite.area == area.name]
            for unit, since in parts:
                try:
                    start = max(moment_of(begins, self._zone), moment_of(since, self._zone))
                except ValueError as error:
                    self.problems.append(Problem(where, str(error)))
                    continue
                if time["until"] is not None and time["until"] <= start:
                    continue
                yield SpanTold(
                    sort="command", officer=area.commander, role=Role.SUPERINTENDENT, target=unit, where=where,
                    start=start, until=time["until"],
                )  # fmt: skip


def _team_places(team: _Part) -> tuple[ScopeName, ...]:
    """What a team serves: itself, and the area that it is of."""
    own = scopes.team(team.name)
    return (own,) if team.area is None else (own, scopes.area(team.area))


def _suite_unit(suite: str | None) -> str | None:
    return None if suite is None else SUITE_UNIT + suite
