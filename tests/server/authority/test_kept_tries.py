"""Counts of tries outlive the process, and nobody tries before they are read."""

from collections.abc import Callable

from schemas.ids import Millis
from server.authority.kept_tries import TRIES, KeptTries
from server.federation.tries import Rules, subjects
from tests.server.authority.desks import OFFICER, refusal
from tests.server.authority.house import House
from tests.server.authority.virtual import VirtualLoop

NAMES = subjects(OFFICER, None, None)


def tries_of(loop: VirtualLoop, house: House) -> KeptTries:
    """The counts as a process reads them that begins now."""
    tries = KeptTries(house.authority.ledger, house.store)
    loop.do(tries.start())
    return tries


def test_what_was_counted_is_known_after_a_restart(loop: VirtualLoop, restarting: Callable[[], House]) -> None:
    """Wrong tries are not forgotten with the process: whoever had to wait has to wait still."""
    house = restarting()
    tries, now = tries_of(loop, house), Millis(house.now)
    while tries._wrong(NAMES[0], now) <= Rules().officer.free:
        loop.do(tries.begin(NAMES, now))
    again = restarting()
    assert refusal(lambda: loop.do(tries_of(loop, again).begin(NAMES, now))) == "tries_wait"


def test_what_is_forgotten_leaves_nothing_behind(loop: VirtualLoop, house: House) -> None:
    """A right try takes the count out of the store as well."""
    tries, now = tries_of(loop, house), Millis(house.now)
    loop.do(tries.begin(NAMES, now))
    assert list(loop.do(house.store.secrets(TRIES))) == [TRIES + NAMES[0]]
    loop.do(tries.succeed(NAMES, now))
    assert loop.do(house.store.secrets(TRIES)) == {}
