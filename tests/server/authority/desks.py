"""The two desks of an authority, asked in few words: codes and enrolment, passphrases and sign-ins."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.ids import DeviceId, OfficerId
from schemas.roles import Role
from server.authority import Enrolled, SignedInSeat
from server.federation.refusals import RefusedError
from server.registry import acts as a
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
    return loop.do(house.authority.enrolling.issue_code(DeviceId(device), BOSS, lifetime_ms=lifetime_ms))[0]


def enrol(loop: VirtualLoop, house: House, text: str, key: bytes) -> Enrolled:
    """Show a code."""
    return loop.do(house.authority.enrolling.enrol(text, key, "192.0.2.7"))


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


# --- officers --------------------------------------------------------------------------------------------------------
