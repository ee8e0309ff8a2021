"""The protocol core under everything that can happen to it: promises 1 to 4 hold in every order of events."""

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.sim import driver
from tests.sim.officers import KIND_NAMES
from tests.sim.world import SCOPES, World

WHO = st.integers(0, 2)
SMALL = st.integers(0, 40)
SCOPE = st.integers(0, len(SCOPES) - 1)


class Simulation(RuleBasedStateMachine):
    """Arbitrary interleavings of officers, links, power, clocks, grants and restores; the oracles are in the world."""

    def __init__(self) -> None:
        """Begin a new world."""
        super().__init__()
        self.world = World()
        self.world.__enter__()

    @rule(who=WHO, kind=st.integers(0, len(KIND_NAMES) - 1), what=SMALL)
    def create(self, who: int, kind: int, what: int) -> None:
        """An officer makes a record."""
        self.world.create(who, kind, what)

    @rule(who=WHO, which=SMALL, what=SMALL)
    def edit(self, who: int, which: int, what: int) -> None:
        """An officer changes one."""
        self.world.edit(who, which, what)

    @rule(who=WHO, which=st.integers(0, 3), what=st.integers(0, 80))
    def differ(self, who: int, which: int, what: int) -> None:
        """Two officers change the same field, and neither has seen the other's change."""
        self.world.differ(who, which, what)

    @rule(who=WHO, which=SMALL, what=SMALL)
    def decide(self, who: int, which: int, what: int) -> None:
        """An officer decides a question."""
        self.world.decide(who, which, what)

    @rule(who=WHO, which=SMALL, what=SMALL)
    def correct(self, who: int, which: int, what: int) -> None:
        """An officer corrects what was recorded once and for all."""
        self.world.correct(who, which, what)

    @rule(who=WHO)
    def connect(self, who: int) -> None:
        """A handheld finds the network."""
        self.world.connect(who)

    @rule(choices=st.lists(SMALL, min_size=1, max_size=8) | st.lists(SMALL, min_size=8, max_size=30))
    def steps(self, choices: list[int]) -> None:
        """Frames arrive, commits happen, reads return: in this order."""
        self.world.steps(choices)

    @rule(who=WHO, lost=st.integers(0, 2))
    def cut(self, who: int, lost: int) -> None:
        """A link breaks."""
        self.world.cut(who, lost)

    @rule(who=WHO)
    def crash_device(self, who: int) -> None:
        """A handheld loses its power."""
        self.world.crash_device(who)

    @rule()
    def crash_server(self) -> None:
        """The server is killed."""
        self.world.crash_server()

    @rule(points=st.integers(0, 60))
    def arm(self, points: int) -> None:
        """Whoever passes that many crash points from here loses its power in the middle of something."""
        self.world.arm(points)

    @rule()
    def back_up(self) -> None:
        """The server's disk is copied."""
        self.world.back_up()

    @rule()
    def restore(self) -> None:
        """The server comes back from the last copy."""
        self.world.restore()

    @rule(who=WHO, which=SCOPE)
    def grant(self, who: int, which: int) -> None:
        """A grant begins or changes."""
        self.world.grant(who, which)

    @rule(who=WHO, which=SCOPE)
    def revoke(self, who: int, which: int) -> None:
        """A grant ends."""
        self.world.revoke(who, which)

    @rule(who=WHO, minutes=st.integers(0, 100))
    def skew(self, who: int, minutes: int) -> None:
        """A clock is set wrong."""
        self.world.skew(who, minutes)

    @rule(who=WHO)
    def lazy(self, who: int) -> None:
        """A handheld stops to acknowledge, and the server's credit runs out; or it begins again."""
        self.world.lazy(who)

    @rule(ms=st.sampled_from([1, 900, 21_000, 80_000]))
    def wait(self, ms: int) -> None:
        """Time passes."""
        self.world.wait(ms)

    @rule()
    def rest(self) -> None:
        """Everyone is in touch until nothing is on its way."""
        self.world.come_to_rest()

    def teardown(self) -> None:
        """Whatever has happened: once everyone is in touch again, the replicas are what the server says they are."""
        try:
            if sys.exc_info()[0] is None:
                self.world.come_to_rest()
        finally:
            self.world.__exit__()


TestSimulation = Simulation.TestCase
TestSimulation.settings = settings(stateful_step_count=60)


@given(seed=st.integers(0, 2**32))
@example(seed=5760109)  # An op waits behind a refused one, and a row has come that counts a later one.
def test_promises_hold_through_long_rough_courses(seed: int) -> None:
    """A hundred moves with crashes and restores in them break no promise."""
    driver.drive(seed, 100, driver.ROUGH)


@given(seed=st.integers(0, 2**32))
def test_promises_hold_through_disputes(seed: int) -> None:
    """Officers who hardly ever agree, and decide, correct and claim against each other, break no promise."""
    driver.drive(seed, 100, driver.DISPUTES)


@given(seed=st.integers(0, 2**32), crash_at=st.integers(0, 600))
def test_promises_hold_through_a_crash_anywhere(seed: int, crash_at: int) -> None:
    """Any write of any transaction of any course may be the last one before the power goes."""
    driver.drive(seed, 60, driver.CALM, crash_at=crash_at)


@pytest.mark.parametrize("seed", range(4))
def test_promises_hold_wherever_the_power_is_cut(seed: int) -> None:
    """In these courses every single write of every transaction, on either side, is once the last one."""
    survived = list(driver.crash_everywhere(seed, 20))
    assert len(survived) > 50
