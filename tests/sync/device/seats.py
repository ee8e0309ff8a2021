"""What the tests of keys share: invented seats, PINs and shares, and slots whose PIN key costs nothing."""

import hashlib
from pathlib import Path
from typing import Final

from schemas.ids import DeviceId
from sync.device.keystore import FileKeyStore
from sync.device.pins import Argon2, PinTries, TryLimits
from sync.device.slots import Slots
from tests.sync.device.support import VirtualClock

SEAT: Final = DeviceId("hh-0042")
PIN: Final = "481516"
OTHER_PIN: Final = "906173"
SHARE: Final = bytes(range(100, 132))
NEW_SHARE: Final = bytes(range(132, 164))
QUARANTINE: Final = bytes(range(32, 64))


def cheap(pin: str, salt: bytes, secret: bytes, costs: Argon2) -> bytes:
    """A PIN's key without the work that Argon2id is for."""
    return hashlib.sha256(b"|".join((pin.encode(), salt, secret, repr(costs).encode()))).digest()


def slots(
    root: Path, seat: DeviceId = SEAT, clock: VirtualClock | None = None, limits: TryLimits | None = None
) -> Slots:
    """A seat's slots below a folder, beside the device's keystore; its PIN's key is a cheap one."""
    store = FileKeyStore(root / "keystore")
    tries = PinTries(store, seat, clock or VirtualClock(), limits)
    return Slots(root / "seat", seat, store, tries, stretching=cheap)
