"""The ledger: acts are committed whole or not at all, and rights follow them and the clock to the millisecond."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Generation, Millis, OfficerId, ScopeName
from server.authority.ledger import Ledger
from server.logbook import ACT
from server.registry import acts as a
from server.store.memory import MemoryStore
from tests.server.authority.house import House, journal
from tests.server.authority.virtual import BEGIN, VirtualLoop

SEAT = DeviceId("hh-1")
OFFICER = OfficerId("WM1")
BY = "WM9"
AREA = ScopeName("area:birmingham")


def unit(name: str, at: int) -> a.Act:
    """A unit with an area of its name."""
    return a.UnitAdded(
        by=BY, at=Millis(at), unit=name, title=name, places=(ScopeName(f"area:{name}"),), start=Millis(at)
    )


def seated(at: Millis) -> list[a.Act]:
    """An officer with a program's seat, which needs no sign-in and holds only what it is granted."""
    return [
        a.OfficerAdded(by=BY, at=at, officer=OFFICER, name="N. Salter", start=at),
        a.DeviceEnrolled(by=BY, at=at, device=SEAT, public_key=bytes(32), certificate=b"signed"),
        a.SeatOpened(by=BY, at=at, seat=SEAT, device=SEAT, officer=OFFICER, unattended=True),
    ]


def grant(at: Millis, start: int = 0, until: int | None = None, span: str = "g-1") -> a.Act:
    """The seat is granted an area; the times count from `at` (ms)."""
    end = None if until is None else Millis(at + until)
    return a.ScopeGranted(
        by=BY, at=at, span=span, seat=SEAT, scope=AREA, why="screen", start=Millis(at + start), until=end
    )


def held(house: House) -> set[ScopeName]:
    """The scopes that are recorded for the seat, briefings left out."""
    return without_briefings(house.authority.ledger.registry.seats[SEAT].grants())


def without_briefings(grants: Iterable[ScopeName]) -> set[ScopeName]:
    """The scopes but for those of briefings."""
    return {scope for scope in grants if not scope.endswith((":briefing", ":safety"))}


def kept(loop: VirtualLoop, house: House) -> list[a.Act]:
    """Every act in the journal."""
    return [a.decode(body) for body in loop.do(journal(house.store, ACT))]


def test_acts_are_done_all_or_none(loop: VirtualLoop, house: House) -> None:
    """One that cannot be takes back those before it, in memory as in the journal."""
    with pytest.raises(UsageError, match="exists already"):
        house.perform(unit("dudley", house.now), unit("dudley", house.now))
    assert kept(loop, house) == []
    assert house.authority.ledger.registry.units == {}
    house.perform(unit("dudley", house.now))
    assert list(house.authority.ledger.registry.units) == ["dudley"]


def test_what_could_not_be_kept_was_not_done(loop: VirtualLoop, house: House) -> None:
    """The disk refuses: the act, the right that followed from it and the secret are gone, and can come again."""
    house.perform(*seated(house.now))
    house.cable.failing = True
    with pytest.raises(StoreError):
        house.perform(grant(house.now), secrets={"word": b"x"})
    assert held(house) == set()
    house.cable.failing = False
    assert loop.do(house.store.secret("word")) is None
    house.perform(grant(house.now), secrets={"word": b"x"})
    assert held(house) == {AREA}
    assert loop.do(house.store.secret("word")) == b"x"


def test_an_act_and_what_follows_from_it_are_one_commit(loop: VirtualLoop, house: House) -> None:
    """Nobody ever reads a grant in the journal without the right that it gives, or a secret without its act."""
    house.perform(*seated(house.now))
    before = loop.do(house.store.tree()).size
    groups: list[int] = []
    commit = house.committer.commit

    async def counted(submission: object) -> object:
        groups.append(len(submission.entries))  # type: ignore[attr-defined]  # a Submission
        return await commit(submission)  # type: ignore[arg-type]

    house.authority.ledger._commits = type("Counting", (), {"commit": staticmethod(counted)})()
    house.perform(grant(house.now), secrets={"word": b"x"})
    assert groups == [2]
    assert loop.do(house.store.tree()).size == before + 2


def test_acts_keep_their_order(loop: VirtualLoop, house: House) -> None:
    """Many at once are done one after the other, and the journal has them in that order without a gap."""

    async def at_once() -> None:
        names = [f"unit-{n}" for n in range(20)]
        await asyncio.gather(*(house.authority.ledger.perform(unit(name, house.now)) for name in names))

    loop.do(at_once())
    assert [act.unit for act in kept(loop, house)] == [f"unit-{n}" for n in range(20)]  # type: ignore[union-attr]
    keys = [entry.key for entry in loop.do(house.store.journal(ACT, 0, 100))]
    assert keys == [f"{n:012d}" for n in range(1, 21)]


@pytest.mark.parametrize(("wait_ms", "holds"), [(9, False), (10, True), (19, True), (20, False), (3_600_000, False)])
def test_a_right_holds_from_its_start_until_before_its_end(
    loop: VirtualLoop, house: House, wait_ms: int, *, holds: bool
) -> None:
    """To the millisecond, with nobody asking: the clock alone brings it and takes it."""
    house.perform(*seated(house.now), grant(house.now, 10, 20))
    loop.wait(wait_ms)
    assert held(house) == ({AREA} if holds else set())


def test_a_right_that_two_grants_give_ends_with_the_later(loop: VirtualLoop, house: House) -> None:
    """In between nothing is retracted; a grant after a gap is another generation."""
    house.perform(
        *seated(house.now), grant(house.now, 10, 20), grant(house.now, 15, 40, "g-2"), grant(house.now, 50, None, "g-3")
    )
    loop.wait(39)
    assert house.authority.ledger.registry.seats[SEAT].grants()[AREA] == 1
    loop.wait(1)
    assert held(house) == set()
    loop.wait(60)
    assert house.authority.ledger.registry.seats[SEAT].grants()[AREA] == 2


def test_a_server_that_starts_again_knows_everything(restarting: Callable[[], House], loop: VirtualLoop) -> None:
    """The same acts in their order, the same rights in the same generations."""
    house = restarting()
    house.perform(*seated(house.now), grant(house.now, 0, 10))
    loop.wait(10)
    house.perform(grant(house.now, 0, None, "g-2"))
    acts, grants = kept(loop, house), house.authority.ledger.registry.seats[SEAT].grants()
    assert grants[AREA] == 2
    house = restarting()
    assert kept(loop, house) == acts
    assert house.authority.ledger.registry.seats[SEAT].grants() == grants


def test_what_ended_while_the_server_was_down_has_ended_at_its_start(
    restarting: Callable[[], House], loop: VirtualLoop
) -> None:
    """And what began has begun."""
    house = restarting()
    house.perform(*seated(house.now), grant(house.now, 0, 10))
    house.kill()
    loop.wait(10)
    assert held(restarting()) == set()


def test_a_clock_that_is_set_back_brings_no_right_back(loop: VirtualLoop) -> None:
    """What has ended stays so, whatever the clock says afterwards."""
    now = [BEGIN]
    told: list[set[ScopeName]] = []

    def regranted(_seat: DeviceId, grants: dict[ScopeName, Generation]) -> None:
        told.append(without_briefings(grants))

    store = MemoryStore()

    class Commits:
        async def commit(self, submission: object) -> object:
            return await store.commit([submission], now[0])  # type: ignore[list-item]

    ledger = Ledger(store, Commits(), lambda: now[0], regranted, lambda _: None)  # type: ignore[arg-type]
    loop.do(ledger.start())
    loop.do(ledger.perform(*seated(BEGIN), grant(BEGIN, 0, 10)))
    now[0] = Millis(BEGIN + 10)
    loop.do(ledger.pass_time())
    now[0] = BEGIN
    loop.do(ledger.pass_time())
    loop.do(ledger.bring_up(SEAT))
    assert told[0] == {AREA}
    assert told[-1] == set()
    assert ledger.registry.seats[SEAT].grants() == {}
