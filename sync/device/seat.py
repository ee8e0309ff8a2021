"""`Seat`: one officer's place on a handheld, with a folder, keys and a lease of its own.

A shared handheld has one seat per officer, each in a folder named after it. Nothing of one opens with another's PIN:
each has its own secret in the device's keystore, its own slots, its own share. Changing officers is locking one and
unlocking another.
"""

import re
from pathlib import Path

from schemas.errors import UsageError
from schemas.ids import DEVICE_PATTERN, DeviceId
from sync.device.clocks import Clock, SystemClock
from sync.device.drafts import DraftBox
from sync.device.keystore import KeyStore
from sync.device.lease import Lease, LeaseKeeper, MemoryShareCache, ShareCache
from sync.device.pins import LEAST, Argon2, PinTries, Stretch, TryLimits, stretch
from sync.device.slots import Slots, Unlocked
from sync.device.wiping import is_wiped, wipe


class Seat:
    """One officer's place on a handheld.

    Attributes:
        id: the seat's, by which its ops and its sessions are known.
        folder: of its replica, its slots and its drafts.
        slots: its keys at rest.
        lease: its share, while that may be used.
    """

    def __init__(
        self,
        root: Path | str,
        seat: DeviceId | str,
        store: KeyStore,
        *,
        cache: ShareCache | None = None,
        clock: Clock | None = None,
        limits: TryLimits | None = None,
        costs: Argon2 = LEAST,
        stretching: Stretch = stretch,
    ) -> None:
        """Name it; nothing is made yet.

        Args:
            root: the handheld's folder, in which each seat has its own.
            seat: its id.
            store: the device's keystore; its folder is not below `root`.
            cache: where the share is between two openings; in memory by default.
            clock: the machine's by default.
            limits, costs, stretching: of PINs, as in `Slots` and `PinTries`.

        Raises:
            UsageError: `seat` has not the form of an id.
        """
        if re.match(DEVICE_PATTERN, seat) is None:
            raise UsageError(f"{seat!r} is no seat's id: 2 to 40 of a-z, 0-9 and -, as in hh-0042-2")
        self.id = DeviceId(seat)
        self.folder = Path(root) / self.id
        clock = clock or SystemClock()
        self._store = store
        tries = PinTries(store, self.id, clock, limits)
        self.slots = Slots(self.folder, self.id, store, tries, costs=costs, stretching=stretching)
        self.lease = LeaseKeeper(cache or MemoryShareCache(), clock)

    def enrol(
        self, pin: str, share: bytes, lease: Lease, quarantine: bytes, *, data_key: bytes | None = None
    ) -> Unlocked:
        """Make the seat's keys, when an officer first signs in here. The rest is as in `Slots.make`.

        Raises:
            UsageError: the PIN is weak, or share, lease or key are not what they must be.
            ReplicaError: there are keys already, or they cannot be written.
        """
        lease.length_ms()
        unlocked = self.slots.make(pin, share, quarantine, data_key)
        self.lease.grant(lease, share)
        return unlocked

    def unlock(self, pin: str) -> Unlocked:
        """Open the seat's keys with the share that is here, while its lease lasts.

        Raises:
            ReplicaError: the lease has ended, the PIN is wrong, or the keys are not there.
        """
        return self.slots.unlock(pin, self.lease.share())

    def drafts(self) -> DraftBox:
        """What is written while the seat is shut; needs no PIN and no lease.

        Raises:
            ReplicaError: the seat has no keys here, or was wiped.
        """
        return DraftBox(self.folder, self.id, self.slots.quarantine_key())

    def wiped(self) -> bool:
        """Whether the seat was wiped, or a wipe of it has begun."""
        return is_wiped(self.folder)

    def wipe(self) -> None:
        """Destroy the seat's keys and files; other seats of this handheld are not touched. Close the replica first.

        Raises:
            ReplicaError: the replica is open, or something cannot be removed; calling again carries on.
        """
        self.lease.end()
        wipe(self.folder, self.id, self._store)


def seats(root: Path | str) -> list[DeviceId]:
    """The seats of a handheld that have keys here, in order of id."""
    return sorted(DeviceId(path.parent.name) for path in Path(root).glob("*/replica.keys"))
