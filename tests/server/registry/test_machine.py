"""The registry under any order of acts and any passing of time: it is what the slow reference says, and why, and when.

Whoever runs it evaluates only the seats that it names (`affected`, `due`), at the moments that it names
(`next_change`). What is recorded must be right all the same.
"""

from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId, ScopeName
from schemas.roles import Role
from server.registry import (
    DEFAULT_RULES,
    Reason,
    Registry,
    Rules,
    affected,
    due,
    next_change,
    plan,
    rights_of,
)
from server.registry import acts as a
from tests.server.registry import reference
from tests.server.registry.entitlement import entitlement_of
from tests.server.registry.force import digest

OFFICERS = st.sampled_from(["WM1", "WM2", "WM3"])
UNITS = st.sampled_from(["a", "b", "c", "d"])
PLACES = {"a": ("area:a",), "b": ("area:b", "team:b"), "c": ("suite:c",), "d": ("area:d", "suite:d")}
DEVICES = st.sampled_from(["hh-1", "hh-2"])
SCOPES = st.sampled_from(["area:a", "area:b", "area:b:inbox", "suite:c:medical", "team:b"])
CIRCLES = st.sampled_from(["larch", "castle"])
SOON = st.integers(-4, 12)
LONG = st.none() | st.integers(1, 12)
ROLES = st.sampled_from(list(Role))
WHICH = st.integers(0, 30)


class Machine(RuleBasedStateMachine):
    """Acts that may or may not be possible, and time; after each, everything recorded is what the reference says."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.registry = Registry()
        self.table: Rules = DEFAULT_RULES
        self.acts: list[a.Act] = []
        self.now = 100
        self.n = 0
        self.truths: dict[tuple[int, int], dict[str, set[str]]] = {}
        self.gens: dict[tuple[str, str], int] = {}

    @initialize(bound=st.booleans())
    def begin(self, *, bound: bool) -> None:
        """Choose the rules, and begin with officers, units and devices that most acts can be about."""
        if bound:
            self.table = Rules(roles=DEFAULT_RULES.roles, on_shift=frozenset({Role.SUPERVISOR, Role.CONTROL_ROOM}))
        self.registry = Registry(self.table)
        for unit in "abc":
            self.unit(unit, -50)
        for officer in ("WM1", "WM2"):
            self.officer(officer, -50)
            self.role(officer, Role.OFFICER, None, -50, None)
        self.enrol("hh-1")
        self.seat("WM1", "hh-1", unattended=False)
        self.sign_in(0, 40)
        self.officer("WM3", -50)
        self.role("WM3", Role.CONTROL_ROOM, None, -50, None)
        self.enrol("hh-2")
        self.seat("WM3", "hh-2", unattended=False)
        self.sign_in(1, 40)
        self.seat("WM2", "hh-2", unattended=True)
        self.grant(2, "area:a", 0, None)

    # --- how an act is done ------------------------------------------------------------------------------------------

    def do(self, kind: type[a.BaseAct], **values: object) -> None:
        """Check an act; when it can be, apply it and evaluate the seats that it names, and no others."""
        made = kind(**{"by": "WM9", "at": self.now, **values})  # type: ignore[arg-type]  # `check` looks at each value
        act = cast("a.Act", made)
        try:
            self.registry.check(act)
        except UsageError:
            return
        before = self._truth(self.now)
        self._take(act)
        after = self._truth(self.now)
        named = affected(self.registry, act)
        changed = {seat for seat, found in after.items() if found != before.get(seat, set())}
        assert changed <= named, f"{act} changes {changed - named} unnamed"
        self._evaluate(named)

    def span(self, kind: type[a.SpanAct], start: int, lasts: int | None, **values: object) -> None:
        """Do an act with a span."""
        self.n += 1
        begin = self.now + start
        until = None if lasts is None else begin + lasts
        self.do(kind, span=f"s-{self.n}", start=begin, until=until, **values)

    def _take(self, act: a.Act) -> None:
        self.registry.apply(a.decode(a.encode(act)))
        self.acts.append(act)

    def _evaluate(self, seats: set[DeviceId]) -> None:
        for seat in sorted(seats):
            act = plan(self.registry, seat, Millis(self.now))
            if act is not None:
                self.registry.check(act)
                for began in act.began:
                    assert began.gen > self.gens.get((seat, began.scope), 0), "a generation is never used again"
                    self.gens[seat, began.scope] = began.gen
                self._take(act)

    def _truth(self, at: int) -> dict[str, set[str]]:
        acts = [act for act in self.acts if not isinstance(act, a.SeatRights)]
        asked = (len(acts), at)
        if asked not in self.truths:
            self.truths[asked] = {seat: reference.rights(acts, self.table, seat, at) for seat in reference.seats(acts)}
        return self.truths[asked]

    # --- time --------------------------------------------------------------------------------------------------------

    @rule(lasts=st.integers(1, 8))
    def wait(self, lasts: int) -> None:
        """Let time pass, a ms at a time: nothing changes at a moment that was not named."""
        for at in range(self.now + 1, self.now + lasts + 1):
            before, after = self._truth(at - 1), self._truth(at)
            changed = {seat for seat in after if after[seat] != before[seat]}
            named = due(self.registry, Millis(at - 1), Millis(at))
            assert changed <= named
            upcoming = next_change(self.registry, Millis(at - 1))
            assert not changed or upcoming == at
            assert upcoming is None or upcoming >= at
            self.now = at
            self._evaluate(named)

    # --- acts --------------------------------------------------------------------------------------------------------

    @rule(unit=UNITS, start=SOON)
    def unit(self, unit: str, start: int) -> None:
        """A unit begins."""
        self.do(a.UnitAdded, unit=unit, title=f"Unit {unit}", places=PLACES[unit], start=self.now + start)

    @rule(unit=UNITS, into=UNITS, start=SOON)
    def merge(self, unit: str, into: str, start: int) -> None:
        """A unit goes up in another."""
        self.do(a.UnitMerged, unit=unit, into=into, start=self.now + start)

    @rule(unit=UNITS, until=SOON)
    def end_unit(self, unit: str, until: int) -> None:
        """A unit ends."""
        self.do(a.UnitEnded, unit=unit, until=self.now + until, why="x")

    @rule(officer=OFFICERS, start=SOON)
    def officer(self, officer: str, start: int) -> None:
        """An officer joins."""
        self.do(a.OfficerAdded, officer=officer, name="x", start=self.now + start)

    @rule(officer=OFFICERS, until=SOON)
    def leave(self, officer: str, until: int) -> None:
        """An officer leaves."""
        self.do(a.OfficerEnded, officer=officer, until=self.now + until, why="x")

    @rule(officer=OFFICERS, start=SOON)
    def come_back(self, officer: str, start: int) -> None:
        """An officer returns."""
        self.do(a.OfficerReturned, officer=officer, start=self.now + start)

    @rule(officer=OFFICERS, role=ROLES, unit=st.none() | UNITS, start=SOON, lasts=LONG)
    def role(self, officer: str, role: Role, unit: str | None, start: int, lasts: int | None) -> None:
        """An officer is given a role."""
        self.span(a.RoleGiven, start, lasts, officer=officer, role=role, unit=unit)

    @rule(officer=OFFICERS, unit=UNITS, start=SOON, lasts=LONG)
    def post(self, officer: str, unit: str, start: int, lasts: int | None) -> None:
        """An officer is posted."""
        self.span(a.Posted, start, lasts, officer=officer, unit=unit)

    @rule(officer=OFFICERS, unit=st.none() | UNITS, start=SOON, lasts=LONG)
    def shift(self, officer: str, unit: str | None, start: int, lasts: int | None) -> None:
        """An officer has a shift."""
        self.span(a.ShiftSet, start, lasts, officer=officer, unit=unit)

    @rule(officer=OFFICERS, scope=SCOPES, start=SOON, lasts=LONG, named=st.booleans())
    def give(self, officer: str, scope: str, start: int, lasts: int | None, *, named: bool) -> None:
        """An officer is assigned to something, or named for it."""
        self.span(a.NamedGrant if named else a.Assigned, start, lasts, officer=officer, scope=scope, why="x")

    @rule(mission=CIRCLES, unit=UNITS, start=SOON, lasts=LONG)
    def mission(self, mission: str, unit: str, start: int, lasts: int | None) -> None:
        """A mission begins."""
        begin = self.now + start
        until = None if lasts is None else begin + lasts
        self.do(a.MissionBegun, mission=mission, title=mission, places=PLACES[unit], start=begin, until=until)

    @rule(mission=CIRCLES, until=SOON)
    def end_mission(self, mission: str, until: int) -> None:
        """A mission ends."""
        self.do(a.MissionEnded, mission=mission, until=self.now + until, why="x")

    @rule(officer=OFFICERS, mission=CIRCLES, start=SOON, lasts=LONG, decides=st.booleans())
    def join(self, officer: str, mission: str, start: int, lasts: int | None, *, decides: bool) -> None:
        """An officer joins a mission."""
        self.span(a.MissionJoined, start, lasts, officer=officer, mission=mission, decides=decides)

    @rule(officer=OFFICERS, compartment=CIRCLES, start=SOON, lasts=LONG, decides=st.booleans())
    def clear(self, officer: str, compartment: str, start: int, lasts: int | None, *, decides: bool) -> None:
        """An officer is cleared for a compartment, which is made when it is not there."""
        self.do(a.CompartmentMade, compartment=compartment, title=f"Closed {compartment}")
        self.span(a.Cleared, start, lasts, officer=officer, compartment=compartment, decides=decides, why="x")

    @rule(which=WHICH, until=SOON)
    def end_span(self, which: int, until: int) -> None:
        """A span ends early."""
        self.do(a.SpanEnded, span=f"s-{which}", until=self.now + until, why="x")

    @rule(device=DEVICES)
    def enrol(self, device: str) -> None:
        """A device is enrolled, for the first time or again."""
        self.n += 1
        self.do(a.DeviceEnrolled, device=device, public_key=digest(str(self.n)), certificate=b"x")

    @rule(device=DEVICES)
    def revoke(self, device: str) -> None:
        """A device is revoked."""
        self.do(a.DeviceRevoked, device=device, why="x")

    @rule(device=DEVICES, which=st.none() | WHICH)
    def wipe(self, device: str, which: int | None) -> None:
        """A device or a seat of it is to be wiped, or says that it was."""
        seat = None if which is None else self._seat(which)
        self.do(a.WipeOrdered, device=device, seat=seat, why="x")

    @rule(device=DEVICES, which=st.none() | WHICH)
    def wiped(self, device: str, which: int | None) -> None:
        """A device says that it was wiped, or a seat of it."""
        seat = None if which is None else self._seat(which)
        self.do(a.Wiped, device=device, seat=seat, receipt=digest("x"))

    @rule(officer=OFFICERS, device=DEVICES, unattended=st.booleans())
    def seat(self, officer: str, device: str, *, unattended: bool) -> None:
        """A seat is opened."""
        seat = self.registry.next_seat(DeviceId(device))
        self.do(a.SeatOpened, seat=seat, device=device, officer=officer, unattended=unattended)

    @rule(which=WHICH, scope=SCOPES, start=SOON, lasts=LONG)
    def grant(self, which: int, scope: str, start: int, lasts: int | None) -> None:
        """A seat is granted a scope."""
        self.span(a.ScopeGranted, start, lasts, seat=self._seat(which), scope=scope, why="x")

    @rule(which=WHICH, lasts=st.integers(1, 12))
    def sign_in(self, which: int, lasts: int) -> None:
        """Somebody signs in."""
        self.n += 1
        sid = f"in-{self.n}"
        self.do(a.SignedIn, sid=sid, seat=self._seat(which), method="pin", until=self.now + lasts)

    @rule(which=WHICH)
    def sign_out(self, which: int) -> None:
        """Somebody signs out."""
        self.do(a.SignedOut, sid=f"in-{which}", why="x")

    def _seat(self, which: int) -> str:
        known = reference.seats(self.acts)
        return known[which % len(known)] if known else "hh-9"

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def rights_are_what_the_reference_says(self) -> None:
        """And so is what is recorded, though only the named seats were ever evaluated."""
        for seat, expected in self._truth(self.now).items():
            assert set(rights_of(self.registry, DeviceId(seat), Millis(self.now))) == expected
            assert set(self.registry.seats[DeviceId(seat)].grants()) == expected

    @invariant()
    def the_uncleared_learn_nothing(self) -> None:
        """No scope and no word of a compartment reaches a seat whose officer is not cleared at this moment."""
        acts = [act for act in self.acts if not isinstance(act, a.SeatRights)]
        cleared = {act.officer for act in reference.spans(acts, self.now) if isinstance(act, a.Cleared)}
        for seat, one in self.registry.seats.items():
            if one.officer.officer not in cleared:
                told = repr(rights_of(self.registry, seat, Millis(self.now)))
                assert "compartment" not in told
                assert "Closed" not in told

    @invariant()
    def a_reason_holds_exactly_as_long_as_it_says(self) -> None:
        """It is there at its first moment and not before it, and no more at its last."""
        for officer in self.registry.officers:
            for scope, reasons in entitlement_of(self.registry, officer, Millis(self.now)).items():
                for reason in reasons:
                    assert reason.since <= self.now
                    assert reason in self._reasons(officer, reason.since, scope)
                    assert reason not in self._reasons(officer, reason.since - 1, scope)
                    if reason.until is not None:
                        assert self.now < reason.until
                        assert reason not in self._reasons(officer, reason.until, scope)

    def _reasons(self, officer: OfficerId, at: int, scope: ScopeName) -> tuple[Reason, ...]:
        return entitlement_of(self.registry, officer, Millis(at)).get(scope, ())

    def teardown(self) -> None:
        """The acts alone, folded anew, give the same rights and the same generations."""
        again = Registry.of(self.acts, self.table)
        for seat, one in self.registry.seats.items():
            assert again.seats[seat].grants() == one.grants()
            now = Millis(self.now)
            assert rights_of(again, seat, now) == rights_of(self.registry, seat, now)


TestRegistry = Machine.TestCase
TestRegistry.settings = settings(stateful_step_count=20)
