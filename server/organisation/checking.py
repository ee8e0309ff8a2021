"""Whether what the files say fits together: names that are there, told once, and times that do not run backwards.

What only the server can know, whether the registry allows an act, is asked of a copy of it (`server.organisation.
organising`). All problems are found at once, so that a file is mended in one go.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import ScopeName
from server.organisation.definition import (
    OrganisationError,
    OrganisationTold,
    Problem,
    SpanTold,
    TimedTold,
    Told,
    UnitTold,
)
from server.registry import lookups
from sync.explain.values import moment


def require_sound(organisation: OrganisationTold) -> None:
    """Refuse an organisation that does not fit together.

    Raises:
        OrganisationError: with every problem that was found.
    """
    problems = list(problems_of(organisation))
    if problems:
        raise OrganisationError(problems)


def problems_of(organisation: OrganisationTold) -> Iterator[Problem]:
    """Whatever in it cannot be."""
    units = {one.unit: one for one in organisation.units}
    missions = {one.mission: one for one in organisation.missions}
    yield from _twice((one.unit, one) for one in organisation.units)
    yield from _twice((one.mission, one) for one in organisation.missions)
    yield from _twice((one.officer.lower(), one) for one in organisation.officers or ())
    yield from _twice((f"{one.suite} {one.name}", one) for one in organisation.cells or ())
    timed = (*organisation.units, *organisation.missions, *(organisation.officers or ()), *organisation.spans)
    for told in timed:
        yield from _backwards(told)
    for unit in organisation.units:
        yield from _unit(unit, units)
    for mission in organisation.missions:
        yield from _places(mission, mission.places)
    yield from _spans(organisation, units, missions)
    suites = {place for unit in organisation.units for place in unit.places}
    for cell in organisation.cells or ():
        if scopes.suite(cell.suite) not in suites:
            known = [place.partition(":")[2] for place in suites if place.startswith("suite:")]
            yield Problem(cell.where, f"there is no suite {cell.suite!r} in the files{_near(cell.suite, known)}")


def _twice(named: Iterable[tuple[str, Told]]) -> Iterator[Problem]:
    first: dict[str, Told] = {}
    for name, told in named:
        before = first.setdefault(name, told)
        if before is not told:
            yield Problem(told.where, f"{name!r} is told already at {before.where}; tell it once")


def _backwards(told: TimedTold) -> Iterator[Problem]:
    if told.until is not None and told.until <= told.start:
        ends, begins = moment(told.until), moment(told.start)
        yield Problem(told.where, f"it ends ({ends}) before it begins ({begins}); give a later end")


def _unit(unit: UnitTold, units: Mapping[str, UnitTold]) -> Iterator[Problem]:
    yield from _places(unit, unit.places)
    if unit.into is None:
        return
    into = units.get(unit.into)
    if unit.until is None:
        yield Problem(unit.where, f"it goes up in {unit.into!r}: say in `until` from when")
    elif into is None:
        yield Problem(unit.where, f"there is no unit {unit.into!r} in the files{_near(unit.into, units)}")
    elif unit.until < into.start:
        yield Problem(unit.where, f"it goes up in {unit.into!r} before that begins ({moment(into.start)})")


def _places(told: Told, places: tuple[ScopeName, ...]) -> Iterator[Problem]:
    try:
        lookups.places(places)
    except UsageError as wrong:
        yield Problem(told.where, str(wrong))


def _spans(
    organisation: OrganisationTold, units: Mapping[str, Told], missions: Mapping[str, Told]
) -> Iterator[Problem]:
    officers = None if organisation.officers is None else {one.officer for one in organisation.officers}
    alike: dict[object, list[SpanTold]] = {}
    for span in organisation.spans:
        if officers is not None and span.officer not in officers:
            near = _near(span.officer, officers)
            yield Problem(span.where, f"there is no officer {span.officer!r} in the table of officers{near}")
        known, what = (missions, "mission") if span.sort == "member" else (units, "unit")
        if span.target is not None and span.target not in known:
            yield Problem(span.where, f"there is no {what} {span.target!r} in the files{_near(span.target, known)}")
        elif span.target is None and span.sort not in {"role", "shift"}:
            yield Problem(span.where, f"a {span.sort} needs a {what}")
        if span.role is not None and not span.role.known:
            yield Problem(span.where, f"there is no role {span.role.value!r}")
        if (span.role is not None) != (span.sort in {"role", "command"}):
            yield Problem(span.where, "a role, and nothing but a role, says which role")
        if span.sort not in organisation.tells:
            yield Problem(span.where, f"the files do not say that they tell of {span.sort!r}")
        alike.setdefault(span.key, []).append(span)
    for spans in alike.values():
        yield from _overlaps(spans)


def _overlaps(spans: list[SpanTold]) -> Iterator[Problem]:
    """The same thing given twice for one moment: which of the two ends it could not be said."""
    for one, other in pairwise(sorted(spans, key=lambda span: span.start)):
        if one.until is None or other.start < one.until:
            yield Problem(other.where, f"the same is given for the same time at {one.where}; end that one before")


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else "; add it, or mend the name"
