"""No device ever holds a record outside its grants after its next contact, and every record inside them arrives.

Hypothesis chooses what happens: acts with beginnings and ends, records that are made and moved, devices that come, go
and write with no signal, a server that is killed in the middle, time. The real authority, store, sessions and replicas
carry it out (`grants`); after each move everybody in contact is compared with a slow, obvious reference (`holdings`).
"""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.roles import Role
from server.registry import acts as a
from server.store import Store
from server.store.memory import MemoryStore
from server.store.sqlite import SqliteStore
from tests.server.authority.grants import BOSS, COMPARTMENT, MISSION, PLACES, World, server_keys
from tests.server.authority.virtual import VirtualLoop

OFFICERS = st.sampled_from(["WM1", "WM2", "WM3"])
MAY_BE_CLEARED = st.sampled_from(["WM1", "WM2"])
UNITS = st.sampled_from(sorted(PLACES))
DEVICES = st.sampled_from(["hh-1", "hh-2", "hh-3", "hh-4"])
SCOPES = st.sampled_from(["area:a", "area:b", "area:d", "area:b:inbox", "suite:c:medical", "team:b"])
ROLES = st.sampled_from([Role.OFFICER, Role.SUPERVISOR, Role.CUSTODY_OFFICER, Role.CONTROL_ROOM, Role.AUDITOR])
SOON = st.integers(-4, 12)
LONG = st.none() | st.integers(1, 12)
WHO = st.integers(0, 4)
WHAT = st.integers(0, 120)
HOUR_MS = 60 * 60_000
PATIENCE_S = 0 if settings().max_examples > 1_000 else 120
"""Five seconds of work, on a machine that may be doing ten other things; as long as it takes in a soak."""


class Machine(RuleBasedStateMachine):
    """See the module's text."""

    def __init__(self) -> None:
        """Begin with a world in memory."""
        super().__init__()
        self.world = self.new_world()

    def new_world(self) -> World:
        """A world; its store is in memory."""
        return World(server_keys(), VirtualLoop(), MemoryStore())

    @initialize(connected=st.lists(WHO, max_size=5), cleared=st.booleans(), mission=st.booleans())
    def begin(self, connected: list[int], *, cleared: bool, mission: bool) -> None:
        """Some are in contact from the start, and there is something to be in."""
        if cleared:
            self.clear("WM1", 0, None, decides=True)
        if mission:
            self.mission("b", 0, None)
            self.join("WM1", 0, None, decides=False)
        for who in connected:
            self.connect(who)
        # The first officer's: incidents, one of them in the compartment; a briefing that is for it and for the force.
        for who, kind, what in ((0, 0, 0), (0, 0, 1), (0, 1, 5), (1, 0, 4), (1, 1, 0), (2, 2, 0)):
            self.make(who, kind, what)

    # --- acts --------------------------------------------------------------------------------------------------------

    @rule(unit=UNITS, start=SOON)
    def unit(self, unit: str, start: int) -> None:
        """A unit begins."""
        now = self.world.now
        self.world.act(a.UnitAdded, unit=unit, title=f"Unit {unit}", places=PLACES[unit], start=now + start)

    @rule(unit=UNITS, into=UNITS, start=SOON)
    def merge(self, unit: str, into: str, start: int) -> None:
        """A unit goes up in another."""
        self.world.act(a.UnitMerged, unit=unit, into=into, start=self.world.now + start)

    @rule(unit=UNITS, until=SOON)
    def end_unit(self, unit: str, until: int) -> None:
        """A unit ends."""
        self.world.act(a.UnitEnded, unit=unit, until=self.world.now + until, why="closed")

    @rule(officer=OFFICERS, until=SOON)
    def leave(self, officer: str, until: int) -> None:
        """An officer leaves."""
        self.world.act(a.OfficerEnded, officer=officer, until=self.world.now + until, why="left")

    @rule(officer=OFFICERS, start=SOON)
    def come_back(self, officer: str, start: int) -> None:
        """An officer returns."""
        self.world.act(a.OfficerReturned, officer=officer, start=self.world.now + start)

    @rule(officer=OFFICERS, role=ROLES, unit=st.none() | UNITS, start=SOON, lasts=LONG)
    def role(self, officer: str, role: Role, unit: str | None, start: int, lasts: int | None) -> None:
        """An officer is given a role."""
        self.world.span(a.RoleGiven, start, lasts, officer=officer, role=role, unit=unit)

    @rule(officer=OFFICERS, unit=UNITS, start=SOON, lasts=LONG)
    def post(self, officer: str, unit: str, start: int, lasts: int | None) -> None:
        """An officer is posted."""
        self.world.span(a.Posted, start, lasts, officer=officer, unit=unit)

    @rule(officer=OFFICERS, unit=UNITS, start=SOON, lasts=LONG)
    def shift(self, officer: str, unit: str, start: int, lasts: int | None) -> None:
        """An officer helps out at a unit for a shift."""
        self.world.span(a.ShiftSet, start, lasts, officer=officer, unit=unit)

    @rule(officer=OFFICERS, scope=SCOPES, start=SOON, lasts=LONG, named=st.booleans())
    def give(self, officer: str, scope: str, start: int, lasts: int | None, *, named: bool) -> None:
        """An officer is assigned to something, or named for it."""
        self.world.span(a.NamedGrant if named else a.Assigned, start, lasts, officer=officer, scope=scope, why="x")

    @rule(who=WHO, scope=SCOPES)
    def lose_and_get_back(self, who: int, scope: str) -> None:
        """A seat in contact loses a scope, and gets it back in another generation; a batch of the first comes late."""
        pocket = self.world.pocket(who)
        self.connect(who)
        for _ in range(2):
            self.world.span(a.NamedGrant, 0, 2, officer=pocket.officer, scope=scope, why="x")
            self.world.span(a.ScopeGranted, 0, 2, seat=pocket.seat, scope=scope, why="x")
            self.world.rest()
            # While it holds the scope something changes there: the batch that tells so is the one that comes late.
            self.world.make(pocket, 0, {"area:b": 4, "area:d": 8}.get(scope, 0))
            self.world.check()
            assert not pocket.late(), "a late batch changes nothing"
            self.world.wait(2)

    @rule(unit=UNITS, start=SOON, lasts=LONG)
    def mission(self, unit: str, start: int, lasts: int | None) -> None:
        """A mission begins."""
        begin = self.world.now + start
        until = None if lasts is None else begin + lasts
        places = PLACES[unit]
        self.world.act(a.MissionBegun, mission=MISSION, title="Castle", places=places, start=begin, until=until)

    @rule(until=SOON)
    def end_mission(self, until: int) -> None:
        """A mission ends."""
        self.world.act(a.MissionEnded, mission=MISSION, until=self.world.now + until, why="done")

    @rule(officer=OFFICERS, start=SOON, lasts=LONG, decides=st.booleans())
    def join(self, officer: str, start: int, lasts: int | None, *, decides: bool) -> None:
        """An officer joins a mission."""
        self.world.span(a.MissionJoined, start, lasts, officer=officer, mission=MISSION, decides=decides)

    @rule(officer=MAY_BE_CLEARED, start=SOON, lasts=LONG, decides=st.booleans())
    def clear(self, officer: str, start: int, lasts: int | None, *, decides: bool) -> None:
        """An officer is cleared for the compartment."""
        self.world.span(
            a.Cleared, start, lasts, officer=officer, compartment=COMPARTMENT, decides=decides, why="handles it"
        )

    @rule(which=st.integers(0, 30), until=SOON)
    def end_span(self, which: int, until: int) -> None:
        """A role, posting, shift, grant, membership or clearance ends early."""
        self.world.act(a.SpanEnded, span=f"s-{which}", until=self.world.now + until, why="x")

    @rule(scope=SCOPES, start=SOON, lasts=LONG)
    def grant(self, scope: str, start: int, lasts: int | None) -> None:
        """The program's seat is granted a scope."""
        self.world.span(a.ScopeGranted, start, lasts, seat="hh-4", scope=scope, why="screen in the hall")

    @rule(device=DEVICES)
    def revoke(self, device: str) -> None:
        """A device is revoked."""
        self.world.act(a.DeviceRevoked, device=device, why="lost")

    @rule(device=DEVICES, who=st.none() | WHO)
    def wipe(self, device: str, who: int | None) -> None:
        """A device, or one seat of it, is to be wiped."""
        self.world.wipe(device, None if who is None else self.world.pocket(who).seat)

    @rule(who=WHO)
    def sign_out(self, who: int) -> None:
        """Somebody's sign-in is ended."""
        live = [act for act in self.world.acts if isinstance(act, a.SignedIn)]
        mine = [act.sid for act in live if act.seat == self.world.pocket(who).seat]
        if mine:
            self.world.act(a.SignedOut, by=BOSS, sid=mine[-1], why="end of shift")

    # --- devices and what their officers do --------------------------------------------------------------------------

    @rule(who=WHO)
    def connect(self, who: int) -> None:
        """A handheld finds the network, and whoever may be let in is in contact from then on."""
        pocket = self.world.pocket(who)
        self.world.connect(pocket)
        self.world.rest()
        assert pocket.live == self.world.may_be_let_in(pocket), f"{pocket.seat} ended with {pocket.ended}"

    @rule(who=WHO, turns=st.integers(0, 12))
    def flicker(self, who: int, turns: int) -> None:
        """A handheld finds the network and loses it again before much could happen."""
        pocket = self.world.pocket(who)
        self.world.connect(pocket)
        self.world.loop.turn(turns)
        pocket.cut()

    @rule(who=WHO)
    def cut(self, who: int) -> None:
        """A handheld loses the network."""
        self.world.pocket(who).cut()

    @rule(who=WHO, kind=st.integers(0, 2), what=WHAT)
    def make(self, who: int, kind: int, what: int) -> None:
        """An officer makes a record."""
        self.world.make(self.world.pocket(who), kind, what)

    @rule(who=WHO, which=WHAT, what=WHAT)
    def edit(self, who: int, which: int, what: int) -> None:
        """An officer changes a record: what it says, or whom it concerns."""
        self.world.edit(self.world.pocket(who), which, what)

    @rule(who=WHO, which=WHAT, what=WHAT, again=WHAT)
    def edit_with_no_signal(self, who: int, which: int, what: int, again: int) -> None:
        """An officer goes out of reach and changes records there."""
        pocket = self.world.pocket(who)
        pocket.cut()
        self.world.edit(pocket, which, what)
        self.world.edit(pocket, which, again)

    @rule(who=WHO, which=WHAT)
    def whisper(self, who: int, which: int) -> None:
        """Somebody writes inside the compartment."""
        self.world.whisper(self.world.pocket(who), which)

    @rule(who=WHO)
    def look(self, who: int) -> None:
        """An officer reads what the handheld holds; the log says so."""
        pocket = self.world.pocket(who)
        if pocket.rows():
            pocket.look_at(*pocket.rows())

    @rule(who=WHO)
    def late(self, who: int) -> None:
        """Batches of generations that have ended arrive once more."""
        assert not self.world.pocket(who).late(), "a late batch changes nothing"

    # --- power and time ----------------------------------------------------------------------------------------------

    @rule(ms=st.integers(1, 12))
    def wait(self, ms: int) -> None:
        """Time passes: exactly to a beginning or an end, before it, or over it."""
        self.world.wait(ms)

    @rule(hours=st.sampled_from([1, 8, 13]))
    def night(self, hours: int) -> None:
        """Hours pass: nobody is in contact any more, sign-ins have ended."""
        self.world.wait(hours * HOUR_MS)

    @rule(turns=st.integers(0, 12))
    def kill(self, turns: int) -> None:
        """The server's process is killed in the middle of what is going on, and started again."""
        self.world.kill(turns)

    @invariant()
    def everybody_in_contact_holds_what_they_may(self) -> None:
        """And nothing else; no op is lost; nobody learns of a compartment."""
        self.world.check()

    def teardown(self) -> None:
        """Whoever may be let in comes into contact once more."""
        try:
            if sys.exc_info()[0] is None:
                for who in range(len(self.world.pockets)):
                    self.connect(who)
                    self.world.check()
        finally:
            self.world.end()


TestMachineOfGrants = pytest.mark.timeout(PATIENCE_S)(Machine.TestCase)
TestMachineOfGrants.settings = settings(stateful_step_count=20)


class OnDisk(Machine):
    """The same over SQLite: what a killed server had committed is read back from its file."""

    def new_world(self) -> World:
        """A world; its store is a data folder, opened anew after each kill."""
        loop, folder = VirtualLoop(), Path(tempfile.mkdtemp())

        def reopen(store: Store) -> Store:
            loop.really(store.close())
            return loop.really(SqliteStore.open(folder, inline=True))

        self.folder = folder
        return World(server_keys(), loop, loop.really(SqliteStore.open(folder, inline=True)), reopen)

    def teardown(self) -> None:
        """As its base; the folder goes."""
        try:
            super().teardown()
        finally:
            shutil.rmtree(self.folder)


TestMachineOfGrantsOnDisk = pytest.mark.timeout(PATIENCE_S)(OnDisk.TestCase)
# A tenth of the others: each has a folder of its own and opens it several times.
TestMachineOfGrantsOnDisk.settings = settings(stateful_step_count=12, max_examples=settings().max_examples // 10)
