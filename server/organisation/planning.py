"""What an organisation's files would change in the registry: the acts, each with where it stands in the files. Pure.

The registry only ever goes forward: a unit keeps its places and its beginning, a span ends earlier and never later. So
the plan compares what holds, and adds what is missing: a posting that is told to last longer is another one that begins
where the first ends. What the files gave bears a name of theirs (`org-…`), and only that is ended when they tell it no
more; what people gave by hand is theirs.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from schemas.ids import Millis, OfficerId
from schemas.roles import Role
from server.organisation.definition import (
    MissionTold,
    OfficerTold,
    OrganisationError,
    OrganisationTold,
    Problem,
    Sign,
    Sort,
    SpanTold,
    UnitTold,
)
from server.registry.acts import (
    Act,
    MissionBegun,
    MissionEnded,
    MissionJoined,
    OfficerAdded,
    OfficerEnded,
    OfficerReturned,
    PersonSpan,
    Posted,
    RoleGiven,
    ScopeGranted,
    ShiftSet,
    SpanEnded,
    UnitAdded,
    UnitEnded,
    UnitMerged,
    UnitRenamed,
)
from server.registry.state import Span, State
from sync.explain.values import moment

PREFIX: Final = "org"
_DIGITS: Final = 20


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that changes.

    Attributes:
        sign: whether something begins, is otherwise, or ends.
        what: in words.
        where: file and line, or file and table; "" for what the files tell no more.
        act: what is done.
    """

    sign: Sign
    what: str
    where: str
    act: Act


class Changes(msgspec.Struct, frozen=True):
    """What the files would change.

    Attributes:
        steps: in the order in which they are done.
        notes: what differs and is left as it is.
    """

    steps: tuple[Step, ...]
    notes: tuple[Problem, ...]


def changes_of(state: State, organisation: OrganisationTold, by: str, now: Millis) -> Changes:
    """What would make the registry what the files say.

    Args:
        state: the registry.
        organisation: what the files say; it fits together (`server.organisation.checking`).
        by: who has it done.
        now: when (ms since 1970). What the files tell no more ends now.

    Raises:
        OrganisationError: the registry cannot become that; with every problem that was found.
    """
    return _Comparison(state, organisation, by, now).changes()


class _Comparison:
    """One comparison, with what it has found so far."""

    def __init__(self, state: State, organisation: OrganisationTold, by: str, now: Millis) -> None:
        self._state = state
        self._told = organisation
        self._by = by
        self._now = now
        self._why = f"the organisation's files of {organisation.force} say so"
        self._notes: list[Problem] = []
        self._problems: list[Problem] = []
        self._names = set(state.spans)
        self._left: dict[OfficerId, Millis] = {}
        """When those left who return by this plan: with that ended what they had."""
        for one in organisation.officers or ():
            known = state.officers.get(one.officer)
            if known is not None and known.until is not None and _returns(known.until, one):
                self._left[one.officer] = known.until

    def changes(self) -> Changes:
        begun, ended = self._spans()
        steps = [
            *self._units(),
            *self._missions(),
            *self._officers(),
            # What ends comes first, so that roles which must not meet do not; but somebody administers before somebody
            # else no longer does.
            *(step for step in ended if not self._ends_administering(step.act)),
            *(step for step in begun if _administers(step.act)),
            *(step for step in ended if self._ends_administering(step.act)),
            *(step for step in begun if not _administers(step.act)),
            *self._leavers(),
        ]
        if self._problems:
            raise OrganisationError(self._problems)
        return Changes(tuple(steps), tuple(self._notes))

    def _step(self, sign: Sign, what: str, where: str, kind: Callable[..., Act], **said: Any) -> Step:  # noqa: ANN401  the fields of an act
        return Step(sign=sign, what=what, where=where, act=kind(by=self._by, at=self._now, **said))

    def _wrong(self, where: str, what: str) -> None:
        self._problems.append(Problem(where, what))

    # --- units and missions ------------------------------------------------------------------------------------------

    def _units(self) -> Iterator[Step]:
        told = self._told.units
        for one in told:
            known = self._state.units.get(one.unit)
            if known is None:
                what = f"unit {one.unit}: {one.title}, {', '.join(one.places)}, from {moment(one.start)}"
                said = {"unit": one.unit, "title": one.title, "places": one.places, "start": one.start}
                yield self._step("+", what, one.where, UnitAdded, **said)
                continue
            if set(known.act.places) != set(one.places):
                self._wrong(
                    one.where,
                    f"unit {one.unit!r} serves {', '.join(known.act.places)} for ever; to have {', '.join(one.places)} "
                    "served, tell a new unit, and let this one go up in it (`until`, `into`)",
                )
            if known.title != one.title:
                what = f"unit {one.unit} is called {one.title}, and no longer {known.title}"
                yield self._step("~", what, one.where, UnitRenamed, unit=one.unit, title=one.title)
            self._other_start(f"unit {one.unit!r}", one.where, known.act.start, one.start)
        # Once all are there: what one goes up in may be told below it.
        for one in told:
            yield from self._unit_end(one)

    def _unit_end(self, one: UnitTold) -> Iterator[Step]:
        known = self._state.units.get(one.unit)
        until = None if known is None else known.until
        into = None if known is None or known.into is None else known.into.act.unit
        if (until, into) == (one.until, one.into):
            return
        if until is not None:
            what = f"ends at {moment(until)}" if into is None else f"goes up in {into} at {moment(until)}"
            self._wrong(one.where, f"unit {one.unit!r} {what}, for ever; tell it so, and a new unit beside it")
        elif one.into is not None:
            what = f"unit {one.unit} goes up in {one.into} at {moment(one.until or one.start)}"
            yield self._step("-", what, one.where, UnitMerged, unit=one.unit, into=one.into, start=one.until)
        else:
            what = f"unit {one.unit} ends at {moment(one.until or one.start)}"
            yield self._step("-", what, one.where, UnitEnded, unit=one.unit, until=one.until, why=self._why)

    def _missions(self) -> Iterator[Step]:
        for one in self._told.missions:
            known = self._state.missions.get(one.mission)
            if known is None:
                what = f"mission {one.mission}: {one.title}, {_time(one)}"
                said: dict[str, Any] = {"mission": one.mission, "title": one.title, "places": one.places}
                yield self._step("+", what, one.where, MissionBegun, **said, start=one.start, until=one.until)
                continue
            if set(known.act.places) != set(one.places) or known.act.title != one.title:
                self._wrong(
                    one.where,
                    f"mission {one.mission!r} is {known.act.title} ({', '.join(known.act.places) or 'no places'}) for "
                    "ever; tell it so, or tell a new one and end this one",
                )
            self._other_start(f"mission {one.mission!r}", one.where, known.act.start, one.start)
            if known.until == one.until:
                continue
            if one.until is None or (known.until is not None and one.until > known.until):
                ends = "" if known.until is None else f" ({moment(known.until)})"
                self._wrong(one.where, f"mission {one.mission!r} ends already{ends}; tell a new one for what follows")
                continue
            what = f"mission {one.mission} ends at {moment(one.until)}"
            said = {"mission": one.mission, "until": one.until, "why": self._why}
            yield self._step("-", what, one.where, MissionEnded, **said)

    def _other_start(self, what: str, where: str, known: Millis, told: Millis) -> None:
        if known != told:
            wrong = f"{what} began at {moment(known)}, and not at {moment(told)}: that is kept"
            self._notes.append(Problem(where, wrong))

    # --- officers ----------------------------------------------------------------------------------------------------

    def _officers(self) -> Iterator[Step]:
        """Those who join or return."""
        for one in self._told.officers or ():
            known = self._state.officers.get(one.officer)
            if known is None:
                what = f"officer {one.officer}: {one.name}, from {moment(one.start)}"
                said = {"officer": one.officer, "name": one.name, "start": one.start}
                yield self._step("+", what, one.where, OfficerAdded, **said)
                continue
            if known.name != one.name:
                kept = f"officer {one.officer} is called {known.name}: that name is kept"
                self._notes.append(Problem(one.where, kept))
            if known.until is not None and one.start >= known.until:
                what = f"officer {one.officer} returns at {moment(one.start)}"
                yield self._step("+", what, one.where, OfficerReturned, officer=one.officer, start=one.start)
            else:
                self._other_start(f"officer {one.officer}", one.where, known.start, one.start)

    def _leavers(self) -> Iterator[Step]:
        """Those who leave, once everything else is said of them."""
        for one in self._told.officers or ():
            known = self._state.officers.get(one.officer)
            left = None if known is None or _returns(known.until, one) else known.until
            if one.until == left:
                continue
            if one.until is None or (left is not None and one.until > left):
                self._wrong(
                    one.where,
                    f"officer {one.officer} left at {moment(left or 0)}; to tell that they are back, give in `from` "
                    "when they came back",
                )
                continue
            what = f"officer {one.officer} leaves at {moment(one.until)}"
            said = {"officer": one.officer, "until": one.until, "why": self._why}
            yield self._step("-", what, one.where, OfficerEnded, **said)

    # --- what entitles them ------------------------------------------------------------------------------------------

    def _spans(self) -> tuple[list[Step], list[Step]]:
        """What begins, and what ends."""
        given: dict[object, list[Span]] = defaultdict(list)
        ours = [span for name, span in self._state.spans.items() if _sort_of(name) in self._told.tells]
        for span in ours:
            key = _key(span)
            if key is not None:
                given[key].append(span)
        begun: list[Step] = []
        ended: list[Step] = []
        kept: set[str] = set()
        for one in self._told.spans:
            self._compare(one, given[one.key], begun, ended, kept)
        for span in ours:
            ends = self._until(span)
            over = ends is not None and ends <= max(self._now, span.act.start)
            if span.act.span not in kept and not over:
                until = max(self._now, span.act.start)
                ended.append(self._end(span, until, "", "the files tell it no more"))
        return begun, ended

    def _compare(
        self, one: SpanTold, given: Iterable[Span], begun: list[Step], ended: list[Step], kept: set[str]
    ) -> None:
        """Follow what was given from the beginning that is told, until the end that is told or a gap."""
        by_start: Mapping[int, Span] = {span.act.start: span for span in given if self._until(span) != span.act.start}
        reached: Millis | None = one.start
        while reached is not None and reached != one.until and (span := by_start.get(reached)) is not None:
            kept.add(span.act.span)
            ends = self._until(span)
            if one.until is not None and (ends is None or ends > one.until):
                ended.append(self._end(span, one.until, one.where, "it ends earlier"))
                return
            reached = ends
        if reached is not None and reached != one.until:
            begun.append(self._begin(one, reached))

    def _ends_administering(self, act: Act) -> bool:
        given = self._state.spans[act.span].act if isinstance(act, SpanEnded) else None
        return isinstance(given, RoleGiven) and given.role is Role.ADMINISTRATOR

    def _until(self, span: Span) -> Millis | None:
        """When it ends, once those have returned who return."""
        act = span.act
        left = None if isinstance(act, ScopeGranted) else self._left.get(act.officer)
        if left is None or act.start >= left or (span.until is not None and span.until <= left):
            return span.until
        return left

    def _begin(self, one: SpanTold, start: Millis) -> Step:
        said: dict[str, Any] = {"span": self._name(one, start), "officer": one.officer, "start": start}
        said["until"] = one.until
        kind: type[PersonSpan]
        match one.sort:
            case "role" | "command":
                kind, said["role"], said["unit"] = RoleGiven, one.role, one.target
            case "posting":
                kind, said["unit"] = Posted, one.target
            case "shift":
                kind, said["unit"] = ShiftSet, one.target
            case "member":
                kind, said["mission"], said["decides"] = MissionJoined, one.target, one.decides
        when = _time(msgspec.structs.replace(one, start=start))
        what = f"{_called(one.sort, one.officer, one.role, one.target)}, {when}"
        return self._step("+", what, one.where, kind, **said)

    def _end(self, span: Span, until: Millis, where: str, why: str) -> Step:
        act = span.act
        sort = _sort_of(act.span)
        key = _key(span)
        assert sort is not None
        assert key is not None, "it was given by the files"
        called = _called(sort, OfficerId(key[1]), Role(key[2]) if key[2] else None, key[3] or None)
        what = f"{called}, ends at {moment(until)}: {why}"
        return self._step("-", what, where, SpanEnded, span=act.span, until=until, why=self._why)

    def _name(self, one: SpanTold, start: Millis) -> str:
        """A name of the files' own, which was never used."""
        said = "\n".join((self._told.force, *map(str, one.key), str(start)))
        base = f"{PREFIX}-{one.sort}-{hashlib.sha256(said.encode()).hexdigest()[:_DIGITS]}"
        name, n = base, 1
        while name in self._names:
            n += 1
            name = f"{base}-{n}"
        self._names.add(name)
        return name


def _returns(left: Millis | None, one: OfficerTold) -> bool:
    return left is not None and one.start >= left


def _administers(act: Act) -> bool:
    return isinstance(act, RoleGiven) and act.role is Role.ADMINISTRATOR


def _sort_of(name: str) -> Sort | None:
    """Which sort of span the files gave under this name; None for one that people gave."""
    prefix, _, rest = name.partition("-")
    sorts: tuple[Sort, ...] = ("command", "role", "posting", "shift", "member")
    return next((sort for sort in sorts if prefix == PREFIX and rest.startswith(f"{sort}-")), None)


def _key(span: Span) -> tuple[str, str, str, str, bool] | None:
    """What was given to whom, as `SpanTold.key` has it."""
    sort = _sort_of(span.act.span)
    if sort is None:
        return None
    match span.act:
        case RoleGiven(officer=officer, role=role, unit=unit):
            return sort, officer, role.value, unit or "", False
        case Posted(officer=officer, unit=unit) | ShiftSet(officer=officer, unit=unit):
            return sort, officer, "", unit or "", False
        case MissionJoined(officer=officer, mission=mission, decides=decides):
            return sort, officer, "", mission, decides
        case _:
            return None


def _called(sort: Sort, officer: str, role: Role | None, target: str | None) -> str:
    match sort:
        case "command":
            return f"{officer} commands {target}"
        case "role":
            return f"{officer} is {'' if role is None else role.value}{f' in {target}' if target else ''}"
        case "posting":
            return f"{officer} is posted to {target}"
        case "shift":
            return f"{officer} is on shift{f' at {target}' if target else ''}"
        case "member":
            return f"{officer} is on mission {target}"


def _time(one: SpanTold | MissionTold) -> str:
    return f"from {moment(one.start)}" + ("" if one.until is None else f" until {moment(one.until)}")
