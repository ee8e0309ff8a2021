"""Enrolling and signing in: codes are good once, tries are counted first, a device is in one officer's hands."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server.authority import Enrolled, SignedInSeat
from server.federation.refusals import RefusedError
from server.registry import acts as a
from server.registry import live_sign_in
from sync.evidence.note import VerifierKey
from tests.server.authority.house import House
from tests.server.authority.virtual import VirtualLoop

BOSS = OfficerId("WM9")
OFFICER = OfficerId("WM1")
PASSPHRASE = "seven grey herons wade"
WRONG = "eight grey herons wade"
DEVICE = DeviceId("hh-1")
HOUR_MS = 60 * 60_000


def public() -> bytes:
    """A fresh key's public half."""
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def code(loop: VirtualLoop, house: House, device: str = DEVICE, lifetime_ms: int = HOUR_MS) -> str:
    """A one-time code for a device."""
    return loop.do(house.authority.signing.issue_code(DeviceId(device), BOSS, lifetime_ms=lifetime_ms))[0]


def enrol(loop: VirtualLoop, house: House, text: str, key: bytes) -> Enrolled:
    """Show a code."""
    return loop.do(house.authority.signing.enrol(text, key, "192.0.2.7"))


def officer(loop: VirtualLoop, house: House, name: OfficerId = OFFICER) -> None:
    """Add an officer with a passphrase."""
    now = house.now
    house.perform(
        a.OfficerAdded(by=BOSS, at=now, officer=name, name="N. Salter", start=now),
        a.RoleGiven(by=BOSS, at=now, span=f"r-{name.lower()}", officer=name, role=Role.OFFICER, start=now),
    )
    loop.really(house.authority.passphrases.change(name, PASSPHRASE))


def sign_in(
    loop: VirtualLoop, house: House, passphrase: str = PASSPHRASE, device: str = DEVICE, name: OfficerId = OFFICER
) -> SignedInSeat:
    """Sign in."""
    return loop.really(house.authority.signing.sign_in(DeviceId(device), name, passphrase, "192.0.2.7"))


def refusal(ask: Callable[[], object]) -> str:
    """The code with which something is refused."""
    with pytest.raises(RefusedError) as caught:
        ask()
    return caught.value.spec.code


# --- devices ---------------------------------------------------------------------------------------------------------


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
    signing = house.authority.signing
    earlier, text = loop.do(signing.first_link()), loop.do(signing.first_link())
    assert text is not None
    assert earlier is not None

    def set_up(name: str, device: str, link: str = text) -> Enrolled:
        work = signing.set_up(
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
    assert loop.do(signing.first_link()) is None
    assert refusal(lambda: set_up("WM8", "desk-2")) == "code_used"
    assert refusal(lambda: set_up("WM8", "desk-2", earlier)) == "code_used"
    assert sign_in(loop, house, device="desk-1", name=OfficerId("WM7")).officer == "WM7"


def test_a_weak_passphrase_leaves_the_first_link_unused(loop: VirtualLoop, house: House) -> None:
    """Nothing of it was done, and the same link goes on."""
    signing = house.authority.signing
    text = loop.do(signing.first_link())
    assert text is not None
    for passphrase, works in (("1234", False), (PASSPHRASE, True)):
        work = signing.set_up(
            text, officer=OfficerId("WM7"), name="A. Byrne", passphrase=passphrase, device=DEVICE, public_key=public()
        )
        if works:
            assert loop.really(work).device == DEVICE
        else:
            with pytest.raises(UsageError):
                loop.really(work)
            assert house.authority.ledger.registry.officers == {}


# --- officers --------------------------------------------------------------------------------------------------------


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
