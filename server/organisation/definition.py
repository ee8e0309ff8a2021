"""What an organisation's files say, once they are read: what an administrator sends, and what a server compares.

Areas, teams and suites are units here, and shifts of a rota are spans with a beginning and an end: what the registry
knows. Each line bears where it stands in the files, so that whatever is wrong with it later is found there.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from schemas.errors import UsageError
from schemas.ids import MillisInt, OfficerText, ScopeText, SlugText
from schemas.kinds.common import Line
from schemas.roles import Role
from server.registry.acts.base import Title

SHOWN_MAX: Final = 20
"""Problems that are told one by one."""
Sort = Literal["command", "role", "posting", "shift", "member"]
"""What entitles an officer: the command of an area, a role, a posting, a shift, membership of a mission."""
Sign = Literal["+", "~", "-"]
"""Something begins, is otherwise, or ends."""
Where = Annotated[str, msgspec.Meta(max_length=400)]
"""File and line, or file and table: `postings.csv line 7`, `force.toml [[area]] dudley`."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what stands somewhere in the files.

    Attributes:
        where: file and line, or file and table.
    """

    where: Where


class TimedTold(Told, frozen=True, kw_only=True):
    """Base of what holds for a time.

    Attributes:
        start: from when (ms since 1970).
        until: the first moment at which it no longer holds; None for until further notice.
    """

    start: MillisInt
    until: MillisInt | None = None


class UnitTold(TimedTold, frozen=True, kw_only=True):
    """A unit of the force: an area, a team, a custody suite.

    Attributes:
        where: where it stands in the files.
        start: from when it holds (ms since 1970).
        until: the first moment at which it no longer does; null for until further notice.
        unit, title: its name for ever, and what people call it.
        places: the areas, suites and teams that it serves.
        into: the unit that goes on with its work from then; null where none does.
    """

    unit: SlugText
    title: Title
    places: tuple[ScopeText, ...]
    into: SlugText | None = None


class MissionTold(TimedTold, frozen=True, kw_only=True):
    """A mission team, across areas.

    Attributes:
        where: where it stands in the files.
        start: from when it holds (ms since 1970).
        until: the first moment at which it no longer does; null for until further notice.
        mission, title: its name for ever, and what people call it.
        places: what its members see besides the mission's own records.
    """

    mission: SlugText
    title: Title
    places: tuple[ScopeText, ...] = ()


class OfficerTold(TimedTold, frozen=True, kw_only=True):
    """An officer.

    Attributes:
        where: where it stands in the files.
        start: from when it holds (ms since 1970).
        until: the first moment at which it no longer does; null for until further notice.
        officer, name: collar number, and the name as colleagues read it.
    """

    officer: OfficerText
    name: Title


class SpanTold(TimedTold, frozen=True, kw_only=True):
    """Something that entitles an officer for a time.

    Attributes:
        where: where it stands in the files.
        start: from when it holds (ms since 1970).
        until: the first moment at which it no longer does; null for until further notice.
        sort: what it is.
        officer: whom it entitles.
        role: which role, of a role; of a command it is the superintendent's.
        target: the unit, or of a membership the mission; null for a role wherever they are posted, and for a shift
            where they are posted.
        decides: of a membership: whether they decide what waits for people in the mission.
    """

    sort: Sort
    officer: OfficerText
    role: Role | None = None
    target: SlugText | None = None
    decides: bool = False

    @property
    def key(self) -> tuple[str, str, str, str, bool]:
        """What is given to whom, whenever that is."""
        role = "" if self.role is None else self.role.value
        return self.sort, self.officer, role, self.target or "", self.decides


class CellTold(Told, frozen=True, kw_only=True):
    """A cell of a custody suite.

    Attributes:
        where: where it stands in the files.
        suite: whose, as in its scope `suite:SUITE`.
        name: what people call it; with the suite its name for ever.
        note: what to know of it, when its record is made.
    """

    suite: SlugText
    name: Line
    note: Line | None = None


class OrganisationTold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A force, as its files tell it.

    Attributes:
        force: its name for ever: the records of its cells are found again by it.
        title: what people call it.
        units, missions: in the order in which they are told.
        officers: each with `officer`, `name`, `start`, `until`, `where`; null where the files say nothing of officers.
        tells: the sorts of spans that the files tell of. What they gave of these before, and tell no more, has ended.
        spans: what entitles officers.
        cells: each with `suite`, `name`, `note` and `where`; null where the files say nothing of cells.
    """

    force: SlugText
    title: Title
    units: tuple[UnitTold, ...] = ()
    missions: tuple[MissionTold, ...] = ()
    officers: tuple[OfficerTold, ...] | None = None
    tells: tuple[Sort, ...] = ()
    spans: tuple[SpanTold, ...] = ()
    cells: tuple[CellTold, ...] | None = None


class Problem(msgspec.Struct, frozen=True):
    """Something in the files that cannot be, or is not taken.

    Attributes:
        where: file and line, or file and table. It may stand in a log; what is wrong may quote a name, and may not.
        what: what is wrong, and what to do.
    """

    where: str
    what: str

    def __str__(self) -> str:
        """Both, as one line."""
        return f"{self.where}: {self.what}" if self.where else self.what


class OrganisationError(UsageError):
    """The files cannot be used as they are; nothing was changed. Its text has one problem a line.

    Attributes:
        problems: all that were found.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Tell of these problems."""
        lines = [str(one) for one in problems[:SHOWN_MAX]]
        if len(problems) > SHOWN_MAX:
            lines.append(f"… and {len(problems) - SHOWN_MAX} more")
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
