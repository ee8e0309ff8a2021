"""A slow, obvious reference: who may hold what, read off the list of acts anew for every question.

It shares the acts and the table of rules with the registry, and nothing else: no state, no index, no shortcuts.
"""

from collections.abc import Sequence

from schemas.roles import Role
from server.registry import Rules
from server.registry import acts as a
from server.registry.rules import RoleRule

FOREVER = 10**15


def rights(acts: Sequence[a.Act], rules: Rules, seat: str, at: int) -> set[str]:
    """What a seat may hold at a moment, briefings included."""
    opened = [act for act in acts if isinstance(act, a.SeatOpened) and act.seat == seat]
    if not opened or not _alive(acts, opened[0]):
        return set()
    officer = opened[0].officer
    if not serves(acts, officer, at) or _outside(acts, rules, officer, at):
        return set()
    found = set() if opened[0].unattended else _officers(acts, rules, officer, at)
    for act in spans(acts, at):
        if isinstance(act, a.ScopeGranted) and act.seat == seat:
            found.add(act.scope)
    return _with_briefings(found | _own_parts(found, officer))


def serves(acts: Sequence[a.Act], officer: str, at: int) -> bool:
    """Whether an officer has begun, or begun again, and not left since."""
    start, until = FOREVER, FOREVER
    for act in acts:
        if isinstance(act, a.OfficerAdded | a.OfficerReturned) and act.officer == officer:
            start, until = act.start, FOREVER
        if isinstance(act, a.OfficerEnded) and act.officer == officer:
            until = act.until
    return start <= at < until


def spans(acts: Sequence[a.Act], at: int) -> Sequence[a.SpanAct]:
    """The spans that hold at a moment."""
    found = []
    for n, act in enumerate(acts):
        if not isinstance(act, a.SpanAct):
            continue
        until = FOREVER if act.until is None else act.until
        for later in acts[n + 1 :]:
            if isinstance(later, a.SpanEnded) and later.span == act.span:
                until = later.until
        until = min([until, *_departures(acts, n, act)])
        if act.start <= at < until:
            found.append(act)
    return found


def seats(acts: Sequence[a.Act]) -> list[str]:
    """Every seat that was ever opened."""
    return [act.seat for act in acts if isinstance(act, a.SeatOpened)]


def _departures(acts: Sequence[a.Act], n: int, span: a.SpanAct) -> list[int]:
    """When its officer left, of those times after which they returned: what had begun before has ended with it."""
    whose = getattr(span, "officer", None)
    if whose is None:
        whose = next(act.officer for act in acts if isinstance(act, a.SeatOpened) and act.seat == span.seat)  # type: ignore[attr-defined]
    left, found = FOREVER, []
    for m, act in enumerate(acts):
        if isinstance(act, a.OfficerEnded) and act.officer == whose:
            left = act.until
        if isinstance(act, a.OfficerReturned) and act.officer == whose and m > n and span.start < left:
            found.append(left)
    return found


def _alive(acts: Sequence[a.Act], opened: a.SeatOpened) -> bool:
    """Whether the seat is in use and its device trusted."""
    for act in acts[acts.index(opened) + 1 :]:
        if isinstance(act, a.DeviceRevoked | a.DeviceEnrolled) and act.device == opened.device:
            return False
        if isinstance(act, a.WipeOrdered) and act.device == opened.device and act.seat in {None, opened.seat}:
            return False
    return True


def _outside(acts: Sequence[a.Act], rules: Rules, officer: str, at: int) -> bool:
    return any(role in rules.outside for role, _ in _roles(acts, officer, at))


def _roles(acts: Sequence[a.Act], officer: str, at: int) -> list[tuple[Role, str | None]]:
    return [(act.role, act.unit) for act in spans(acts, at) if isinstance(act, a.RoleGiven) and act.officer == officer]


def _officers(acts: Sequence[a.Act], rules: Rules, officer: str, at: int) -> set[str]:
    mine = [act for act in spans(acts, at) if getattr(act, "officer", None) == officer]
    found: set[str] = {*rules.everyone, f"officer:{officer.lower()}"}
    posted = {act.unit for act in mine if isinstance(act, a.Posted | a.ShiftSet) and act.unit is not None}
    on_shift = any(isinstance(act, a.ShiftSet) for act in mine)
    for role, covers in _roles(acts, officer, at):
        if role in rules.on_shift and not on_shift:
            continue
        rule = rules.roles.get(role, RoleRule())
        found |= _addressed(role) | set(rule.always)
        for unit in _units(acts, at):
            found |= _shaped(rule.everywhere, unit.places)
        stations = {_station(acts, unit, at) for unit in (posted if covers is None else {covers})} - {None}
        for unit in _units(acts, at):
            if _station(acts, unit.unit, at) in stations:
                found |= _shaped(rule.here, unit.places)
    for act in mine:
        match act:
            case a.Assigned():
                found.add(act.scope)
            case a.NamedGrant():
                found |= set() if act.scope is None else {act.scope}
            case a.Cleared():
                found |= {f"compartment:{act.compartment}"}
                found |= {f"compartment:{act.compartment}:inbox"} if act.decides else set()
            case a.MissionJoined() if _runs(acts, act.mission, at):
                begun = next(one for one in acts if isinstance(one, a.MissionBegun) and one.mission == act.mission)
                found |= {f"mission:{act.mission}", *begun.places}
                found |= {f"mission:{act.mission}:inbox"} if act.decides else set()
            case _:
                pass
    return found


def _units(acts: Sequence[a.Act], at: int) -> list[a.UnitAdded]:
    return [act for act in acts if isinstance(act, a.UnitAdded) and act.start <= at]


def _station(acts: Sequence[a.Act], unit: str, at: int) -> str | None:
    """Who does the unit's work at a moment: what it has gone up in, or nobody."""
    if unit not in {one.unit for one in _units(acts, at)}:
        return None
    for act in acts:
        if isinstance(act, a.UnitMerged) and act.unit == unit and act.start <= at:
            return _station(acts, act.into, at)
        if isinstance(act, a.UnitEnded) and act.unit == unit and act.until <= at:
            return None
    return unit


def _runs(acts: Sequence[a.Act], mission: str, at: int) -> bool:
    until, start = FOREVER, FOREVER
    for act in acts:
        if isinstance(act, a.MissionBegun) and act.mission == mission:
            start, until = act.start, FOREVER if act.until is None else act.until
        if isinstance(act, a.MissionEnded) and act.mission == mission:
            until = act.until
    return start <= at < until


def _shaped(forms: tuple[str, ...], places: tuple[str, ...]) -> set[str]:
    return {
        form.replace("*", place.split(":")[1])
        for form in forms
        for place in places
        if form.split(":")[0] == place.split(":")[0]
    }


def _addressed(role: Role) -> set[str]:
    return {f"role:{role.value}:briefing", f"role:{role.value}:safety"} if role.known else set()


def _own_parts(found: set[str], officer: str) -> set[str]:
    closed = {scope for scope in found if scope.startswith("compartment:") or scope.endswith(":medical")}
    return {f"{scope}:of-{officer.lower()}" for scope in closed if not scope.endswith(":inbox")}


def _with_briefings(found: set[str]) -> set[str]:
    parts = (":inbox", ":briefing", ":safety")
    whole = {scope for scope in found if not scope.endswith(parts) and ":of-" not in scope}
    return found | {f"{scope}:{lane}" for scope in whole for lane in ("briefing", "safety")}
