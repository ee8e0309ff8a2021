"""Opening a seat with what signing in has brought: its keys are made the first time, and opened later.

The server has said who it is by then. What may still be wrong is the PIN that the keys here are under: it was changed
on another handheld, or reset. Then the one before is asked for, once, and the new one takes its place.
"""

from typing import Final

import msgspec

from schemas.errors import ReplicaError, UsageError
from sync.device.account import SignIn
from sync.device.lease import Lease
from sync.device.seat import Seat
from sync.device.slotfile import share_name
from sync.device.slots import Unlocked

FORMER: Final = (
    "this passphrase is right, but {seat} on this handheld is still under the one before: give that too. Where nobody "
    "knows it any more, have the seat wiped (`beatbook wipe DEVICE --seat {seat}`), and sign in again for a new one"
)


class FormerPinError(UsageError):
    """The server knows the passphrase, but the seat is still under the one before: that one opens it once more."""


class Pins(msgspec.Struct, frozen=True):
    """What an officer has shown. It is nowhere in a text of this.

    Attributes:
        shown: the passphrase or PIN with which the server knew them.
        chosen: what they chose in its place; None when they did not.
        former: the one before, as they say, when it was changed elsewhere since the seat was last opened.
    """

    shown: str
    chosen: str | None = None
    former: str | None = None

    def __repr__(self) -> str:
        return "Pins(…)"

    @property
    def present(self) -> str:
        """What the server knows them by from now on."""
        return self.shown if self.chosen is None else self.chosen


def open_seat(seat: Seat, told: SignIn, pins: Pins) -> Unlocked:
    """A seat's keys, opened or made, under the PIN and the share that the sign-in brought. Takes Argon2id's time.

    Raises:
        FormerPinError: the keys are under an earlier PIN, which was not given.
        UsageError: a new PIN is too weak to guard a seat.
        ReplicaError: the keys cannot be used; the former PIN is wrong, which counts as a try.
    """
    lease = Lease(told.lease.until - told.lease.lasts_ms, told.lease.until)
    if not seat.slots.exist():
        return seat.enrol(pins.present, told.lease.share, lease, told.lease.seal_to)
    lease.length_ms()
    share = _share(seat, told)
    keys = _unlocked(seat, share, pins)
    seat.lease.grant(lease, share)
    return keys


def _share(seat: Seat, told: SignIn) -> bytes:
    shares = [share for share in (told.lease.share, told.lease.share_before) if share]
    share = next((each for each in shares if share_name(each) == seat.slots.wanted_share()), None)
    if share is None:
        raise ReplicaError(
            f"the server no longer has the share that the keys of {seat.id} are under: what is in {seat.folder} opens "
            "with nothing. Move the folder away and sign in again for a new replica"
        )
    return share


def _unlocked(seat: Seat, share: bytes, pins: Pins) -> Unlocked:
    likely = dict.fromkeys([pins.present, pins.shown])
    keys = next((found for pin in likely if (found := _tried(seat, share, pin, pins.present)) is not None), None)
    if keys is not None:
        return keys
    if pins.former is None:
        raise FormerPinError(FORMER.format(seat=seat.id))
    # What is shown now is the officer's own guess at what guards the seat.
    keys = seat.slots.unlock(pins.former, share)
    keys.change_pin(pins.former, pins.present)
    return keys


def _tried(seat: Seat, share: bytes, pin: str, present: str) -> Unlocked | None:
    """The keys, if they are under a PIN that the server knows or knew a moment ago; now under the present one.

    With the server's word for who it is, this is no guess: it leaves no try behind.
    """
    seat.slots.tries.clear()
    try:
        keys = seat.slots.unlock(pin, share)
    except ReplicaError:
        wrong = seat.slots.tries.wrong()
        seat.slots.tries.clear()
        if wrong == 0:
            # It was not the PIN.
            raise
        return None
    if pin != present:
        keys.change_pin(pin, present)
    return keys
