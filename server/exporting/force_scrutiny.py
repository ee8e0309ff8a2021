"""Scrutiny of the use of force: from the published rows alone, so that anybody can reckon it again.

As with searches: how often force is used on a group says nothing without how many they are, and whoever reads the
report brings those numbers. A row is one officer's report: two officers who hold one person are two rows, so these are
reports and not people. Source: Home Office, police use of force statistics, user guide; HMICFRS, Disproportionate use
of police powers (2021).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from server.exporting.force import COLUMNS, ETHNICITIES
from server.exporting.scrutiny import GROUPS, NOT_STATED, REFERENCE

_GROUP_OF: Final = {words: str(token.value).capitalize() for token, words in ETHNICITIES.items()}
_TACTIC_COLUMNS: Final = [at for at, name in enumerate(COLUMNS) if name.startswith("Tactic ") and "Eff" not in name]


class ForceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One ethnic group, as the officers saw it.

    Attributes:
        group: which.
        reports: how many reports are about its people.
        taser: in how many a conducted energy device was used, if only drawn.
        fired: in how many it was fired.
        injured: in how many the person was hurt.
        people: how many the group has, as the reader says; None where they do not.
        per_thousand: reports for each thousand of them; None without their number.
        times: that, in times of the reference group's; None where either has no rate, or that one is none.
    """

    group: str
    reports: int
    taser: int
    fired: int
    injured: int
    people: int | None
    per_thousand: float | None
    times: float | None


class ForceScrutiny(msgspec.Struct, frozen=True, kw_only=True):
    """The report.

    Attributes:
        total: all reports.
        groups: by ethnicity, each group, and those of whom none is stated.
        tactics: published word -> reports in which it was used, each counted once in a report.
        effective: published word -> uses that did what they were for.
        reasons, outcomes: published word -> reports.
        ages: published word -> reports; "" where none is recorded.
    """

    total: int
    groups: tuple[ForceLine, ...]
    tactics: dict[str, int]
    effective: dict[str, int]
    reasons: dict[str, int]
    outcomes: dict[str, int]
    ages: dict[str, int]


def report(rows: Sequence[Sequence[str]], population: Mapping[str, int]) -> ForceScrutiny:
    """Reckon it.

    Args:
        rows: published ones, a cell for each of `server.exporting.force.COLUMNS`.
        population: group -> how many people; of whom it says nothing there is no rate.
    """
    told = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    by_group: dict[str, list[dict[str, str]]] = {group: [] for group in (*GROUPS, NOT_STATED)}
    for one in told:
        by_group[_GROUP_OF.get(one["SubjectEthnicity"], NOT_STATED)].append(one)
    base = _rate(len(by_group[REFERENCE]), population.get(REFERENCE))
    return ForceScrutiny(
        total=len(rows),
        groups=tuple(_line(group, found, population.get(group), base) for group, found in by_group.items()),
        tactics=_sorted(Counter(name for row in rows for name in {row[at] for at in _TACTIC_COLUMNS} - {""})),
        effective=_sorted(Counter(row[at] for row in rows for at in _TACTIC_COLUMNS if row[at + 1] == "Yes")),
        reasons=_under(told, "Reason for Force: "),
        outcomes=_under(told, "Outcome: "),
        ages=_sorted(Counter(one["SubjectAge"] for one in told)),
    )


def _line(group: str, found: Sequence[Mapping[str, str]], people: int | None, base: float | None) -> ForceLine:
    rate = _rate(len(found), people)

    def count(holds: Callable[[Mapping[str, str]], bool]) -> int:
        return sum(map(holds, found))

    return ForceLine(
        group=group,
        reports=len(found),
        taser=count(lambda one: one["CED Used"] == "Yes"),
        fired=count(lambda one: one["CED Fired"] == "Yes"),
        injured=count(lambda one: one["SubjectInjured"] == "Yes"),
        people=people,
        per_thousand=rate,
        times=rate / base if rate is not None and base else None,
    )


def _rate(reports: int, people: int | None) -> float | None:
    return None if people is None else 1_000 * reports / people


def _under(told: Sequence[Mapping[str, str]], prefix: str) -> dict[str, int]:
    """Of columns that answer yes or no: those with a yes."""
    return _sorted(
        Counter(
            name.removeprefix(prefix)
            for one in told
            for name, cell in one.items()
            if name.startswith(prefix) and cell == "Yes"
        )
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    """The commonest first, those of one number by the alphabet."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
