"""Signing in: tries are counted first, everything wrong is told the same, a device is in one officer's hands."""

from collections.abc import Callable

from schemas.ids import Millis, OfficerId
from server.registry import acts as a
from server.registry import live_sign_in
from tests.server.authority.desks import (
    BOSS,
    DEVICE,
    HOUR_MS,
    OFFICER,
    PASSPHRASE,
    WRONG,
    code,
    enrol,
    officer,
    public,
    refusal,
    sign_in,
)
from tests.server.authority.house import House
from tests.server.authority.virtual import VirtualLoop


def test_an_officer_signs_in_where_a_device_is_enrolled(loop: VirtualLoop, house: House) -> None:
    """They get a seat of their own there, the same at each sign-in, a lease with a share, and twelve hours."""
    officer(loop, house)
    enrol(loop, house, code(loop, house), public())
    opened = sign_in(loop, house)
    assert (opened.seat, opened.until) == (DEVICE, house.now + 12 * HOUR_MS)
    assert len(opened.lease.share) == 32
    again = sign_in(loop, house)
    assert (again.seat, again.lease.share_no) == (opened.seat, opened.lease.share_no)


def test_everything_wrong_is_told_the_same(loop: VirtualLoop, house: House) -> None:
    """A wrong passphrase, an unknown collar number, a device that is none."""
    officer(loop, house)
    enrol(loop, house, code(loop, house), public())
    asked: tuple[tuple[str, str, str], ...] = (
        (WRONG, DEVICE, "WM1"),
        (PASSPHRASE, DEVICE, "WM5"),
        (PASSPHRASE, "hh-9", "WM1"),
    )
    for passphrase, device, name in asked:
        told = refusal(lambda p=passphrase, d=device, n=name: sign_in(loop, house, p, d, OfficerId(n)))  # type: ignore[misc]
        assert told == "sign_in_wrong"
    assert house.authority.ledger.registry.seats == {}


def test_wrong_tries_cost_time_and_in_the_end_the_sign_in(loop: VirtualLoop, restarting: Callable[[], House]) -> None:
    """The right passphrase does not help while one must wait, nor after 15 wrong ones; a restart forgets none of it."""
    house = restarting()
    officer(loop, house)
    enrol(loop, house, code(loop, house), public())
    for _ in range(4):
        assert refusal(lambda: sign_in(loop, house, WRONG)) == "sign_in_wrong"
    assert refusal(lambda: sign_in(loop, house)) == "tries_wait"
    house = restarting()
    assert refusal(lambda: sign_in(loop, house)) == "tries_wait"
    for _ in range(11):
        loop.wait(HOUR_MS // 2)
        assert refusal(lambda: sign_in(loop, house, WRONG)) == "sign_in_wrong"
    loop.wait(HOUR_MS // 2)
    assert refusal(lambda: sign_in(loop, house)) == "tries_locked"
    assert house.authority.ledger.registry.officers[OFFICER].locked
    house = restarting()
    assert refusal(lambda: sign_in(loop, house)) == "tries_locked"
    loop.do(house.authority.signing.unlock(OFFICER, BOSS, "seen in person"))
    assert sign_in(loop, house).officer == OFFICER


def test_a_right_sign_in_forgets_the_wrong_ones(loop: VirtualLoop, house: House) -> None:
    """Three wrong ones cost the officer nothing, and after a right one they are counted anew."""
    officer(loop, house)
    enrol(loop, house, code(loop, house), public())
    for wrong in (3, 2):
        for _ in range(wrong):
            assert refusal(lambda: sign_in(loop, house, WRONG)) == "sign_in_wrong"
        sign_in(loop, house)


def test_a_shared_handheld_is_in_one_persons_hands(loop: VirtualLoop, house: House) -> None:
    """Each officer has a seat and a share of their own; the one who signs in ends the other's sign-in there."""
    other = OfficerId("WM2")
    officer(loop, house)
    officer(loop, house, other)
    enrol(loop, house, code(loop, house), public())
    first, second = sign_in(loop, house), sign_in(loop, house, name=other)
    assert (first.seat, second.seat) == ("hh-1", "hh-1-2")
    assert first.lease.share != second.lease.share
    registry = house.authority.ledger.registry
    assert live_sign_in(registry, first.seat, house.now) is None
    assert live_sign_in(registry, second.seat, house.now) is not None
    assert sign_in(loop, house).lease.share == first.lease.share
    assert live_sign_in(registry, second.seat, Millis(house.now)) is None


def test_nobody_signs_in_on_a_device_that_is_revoked(loop: VirtualLoop, house: House) -> None:
    """Nor somebody who has left."""
    officer(loop, house)
    for device in ("hh-1", "hh-2"):
        enrol(loop, house, code(loop, house, device), public())
    house.perform(a.DeviceRevoked(by=BOSS, at=house.now, device=DEVICE, why="lost"))
    assert refusal(lambda: sign_in(loop, house)) == "sign_in_wrong"
    house.perform(a.OfficerEnded(by=BOSS, at=house.now, officer=OFFICER, until=house.now, why="left"))
    assert refusal(lambda: sign_in(loop, house, device="hh-2")) == "sign_in_wrong"
