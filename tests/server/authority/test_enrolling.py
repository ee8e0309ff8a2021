"""Enrolling: codes and the first link are good once, and lost answers are told again."""

from collections.abc import Callable

import pytest

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server.authority import Enrolled
from server.logbook import ALARM
from server.registry import acts as a
from server.registry import roles_of
from sync.evidence.note import VerifierKey
from tests.server.authority.desks import (
    BOSS,
    DEVICE,
    PASSPHRASE,
    code,
    enrol,
    public,
    refusal,
    sign_in,
)
from tests.server.authority.house import House
from tests.server.authority.virtual import VirtualLoop


def test_a_code_enrols_its_device_once(loop: VirtualLoop, house: House) -> None:
    """With the key that the device made; it learns the log's key and whom to seal to."""
    text, key = code(loop, house), public()
    enrolled = enrol(loop, house, text, key)
    assert enrolled.device == DEVICE
    assert enrolled.seal_to == house.authority.keys.seal_to
    assert VerifierKey.parse(enrolled.log_key) == house.authority.checkpoints.verifier
    assert house.authority.ledger.registry.devices[DEVICE].public_key == key
    assert refusal(lambda: enrol(loop, house, text, public())) == "code_used"
    assert house.authority.ledger.registry.devices[DEVICE].public_key == key


def test_whoever_lost_the_answer_gets_it_again(loop: VirtualLoop, house: House) -> None:
    """The same code with the same key is the same call; once the device is revoked it is none."""
    text, key = code(loop, house), public()
    first = enrol(loop, house, text, key)
    assert enrol(loop, house, text, key) == first
    house.perform(a.DeviceRevoked(by=BOSS, at=house.now, device=DEVICE, why="lost"))
    assert refusal(lambda: enrol(loop, house, text, key)) == "code_used"


def test_a_code_is_good_until_before_its_end(loop: VirtualLoop, house: House) -> None:
    """To the millisecond."""
    one, two = code(loop, house, "hh-1", 10_000), code(loop, house, "hh-2", 10_000)
    loop.wait(9_999)
    assert enrol(loop, house, one, public()).device == "hh-1"
    loop.wait(1)
    assert refusal(lambda: enrol(loop, house, two, public())) == "code_expired"


def test_an_invented_code_enrols_nothing(loop: VirtualLoop, house: House, restarting: Callable[[], House]) -> None:
    """One of another server has the right form and is unknown; a mistyped one is no try."""
    other = restarting()
    text = code(loop, other)
    assert refusal(lambda: enrol(loop, house, text, public())) == "code_unknown"
    swapped = text[:-1] + ("0" if text[-1] != "0" else "1")
    assert refusal(lambda: enrol(loop, house, swapped, public())) == "code_mistyped"
    assert house.authority.ledger.registry.devices == {}


def test_what_is_no_key_is_not_certified(loop: VirtualLoop, house: House) -> None:
    """And the code is still good."""
    text = code(loop, house)
    with pytest.raises(UsageError):
        enrol(loop, house, text, b"short")
    assert enrol(loop, house, text, public()).device == DEVICE


def test_no_code_is_given_out_for_a_device_that_is_enrolled(loop: VirtualLoop, house: House) -> None:
    """It would open nothing; for one that is revoked it enrols the device anew."""
    enrol(loop, house, code(loop, house), public())
    with pytest.raises(UsageError, match="revoke it first, or choose another id"):
        code(loop, house)
    house.perform(a.DeviceRevoked(by=BOSS, at=house.now, device=DEVICE, why="lost"))
    assert enrol(loop, house, code(loop, house), public()).device == DEVICE


def test_a_used_code_stays_used_across_a_restart(loop: VirtualLoop, restarting: Callable[[], House]) -> None:
    """The act that enrolled the device is what used it up."""
    house = restarting()
    text = code(loop, house)
    enrol(loop, house, text, public())
    again = restarting()
    assert refusal(lambda: enrol(loop, again, text, public())) == "code_used"


# --- the first administrator -----------------------------------------------------------------------------------------


def test_the_first_link_makes_the_first_administrator_once(loop: VirtualLoop, house: House) -> None:
    """Officer, role, passphrase and device at once; afterwards no link is good any more, of whichever start."""
    enrolling = house.authority.enrolling
    earlier, text = loop.do(enrolling.first_link()), loop.do(enrolling.first_link())
    assert text is not None
    assert earlier is not None

    def set_up(name: str, device: str, link: str = text) -> Enrolled:
        work = enrolling.set_up(
            link,
            officer=OfficerId(name),
            name="A. Byrne",
            passphrase=PASSPHRASE,
            device=DeviceId(device),
            public_key=public(),
        )
        return loop.really(work)

    assert set_up("WM7", "desk-1").device == "desk-1"
    assert house.authority.ledger.registry.officers[OfficerId("WM7")].name == "A. Byrne"
    assert loop.do(enrolling.first_link()) is None
    assert refusal(lambda: set_up("WM8", "desk-2")) == "code_used"
    assert refusal(lambda: set_up("WM8", "desk-2", earlier)) == "code_used"
    assert sign_in(loop, house, device="desk-1", name=OfficerId("WM7")).officer == "WM7"


def test_a_link_is_made_again_when_nobody_administers_any_more(loop: VirtualLoop, house: House) -> None:
    """A role that was given for a time has ended; an officer who was there before takes over under their own number."""
    enrolling, now = house.authority.enrolling, house.now
    house.perform(
        *(a.OfficerAdded(by=BOSS, at=now, officer=OfficerId(name), name=name, start=now) for name in ("WM1", "WM2")),
        a.RoleGiven(
            by=BOSS,
            at=now,
            span="for-a-second",
            officer=OfficerId("WM1"),
            role=Role.ADMINISTRATOR,
            start=now,
            until=Millis(now + 1_000),
        ),
    )
    assert loop.do(enrolling.first_link()) is None
    loop.wait(1_000)
    assert take_over(loop, house, loop.do(enrolling.first_link()), "WM2") == "WM2"
    assert loop.do(enrolling.first_link()) is None


def test_a_server_started_to_recover_lets_a_locked_administrator_in_and_says_so(
    loop: VirtualLoop, house: House
) -> None:
    """With another device and passphrase; the link is good with this run alone, and the alarm is in the log."""
    enrolling = house.authority.enrolling
    assert take_over(loop, house, loop.do(enrolling.first_link()), "WM7") == "WM7"
    lock = a.SignInLocked(by=BOSS, at=house.now, officer=OfficerId("WM7"))
    house.perform(lock)
    assert loop.do(house.store.journal(ALARM, 0, 10)) == []
    link = loop.do(enrolling.first_link(recover=True))
    (alarm,) = loop.do(house.store.journal(ALARM, 0, 10))
    assert alarm.key.startswith("administration_recovered:")
    assert take_over(loop, house, link, "WM7", device="desk-2") == "WM7"
    assert refusal(lambda: take_over(loop, house, link, "WM8", device="desk-3")) == "code_used"
    assert len(house.authority.ledger.registry.officers[OfficerId("WM7")].roles) == 1


def take_over(loop: VirtualLoop, house: House, link: str | None, name: str, device: str = "desk-1") -> str:
    """Who is signed in behind the use of a link to administer."""
    assert link is not None
    loop.really(
        house.authority.enrolling.set_up(
            link,
            officer=OfficerId(name),
            name="A. Byrne",
            passphrase=PASSPHRASE,
            device=DeviceId(device),
            public_key=public(),
        )
    )
    assert Role.ADMINISTRATOR in roles_of(house.authority.ledger.registry, OfficerId(name), house.now)
    return str(sign_in(loop, house, device=device, name=OfficerId(name)).officer)


def test_a_weak_passphrase_leaves_the_first_link_unused(loop: VirtualLoop, house: House) -> None:
    """Nothing of it was done, and the same link goes on."""
    enrolling = house.authority.enrolling
    text = loop.do(enrolling.first_link())
    assert text is not None
    for passphrase, works in (("1234", False), (PASSPHRASE, True)):
        work = enrolling.set_up(
            text, officer=OfficerId("WM7"), name="A. Byrne", passphrase=passphrase, device=DEVICE, public_key=public()
        )
        if works:
            assert loop.really(work).device == DEVICE
        else:
            with pytest.raises(UsageError):
                loop.really(work)
            assert house.authority.ledger.registry.officers == {}
