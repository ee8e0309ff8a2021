"""Handing over what rests unsent at a seat of a device that is trusted no more, where an administrator has allowed it.

The officer has shown their PIN and the server has given its share of the keys, for this alone. The replica is opened,
shown to nobody, and taken to the server: every record leaves it, with receipts; what was not sent is sealed to the
server and goes into quarantine, where a supervisor finds it; then the server orders the seat to be wiped.
"""

import asyncio
from typing import Final

import msgspec

from schemas.errors import LocalError
from sync.device.clocks import Clock, SystemClock
from sync.device.enrolment import Enrolment
from sync.device.handheld import Handheld
from sync.device.signed_in import SignedIn

WAIT_MS: Final = 10 * 60_000
"""How long a hand-over is tried: shorter than the share that was given out for it may be used."""


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """How a hand-over ended.

    Attributes:
        edits: how many edits and drafts the server has taken into quarantine.
        left: how many are known to be here still.
        trouble: why it is not at its end; "" when it is, and nothing is left here.
    """

    edits: int
    left: int = 0
    trouble: str = ""

    @property
    def words(self) -> str:
        """For the officer who stands there."""
        taken = {0: "No change", 1: "1 change"}.get(self.edits, f"{self.edits} changes")
        begin = "This handheld is trusted no more, so its records are shown to nobody."
        if not self.trouble:
            kept = ": a supervisor finds what you wrote in quarantine" if self.edits else ""
            return (
                f"{begin} {taken} of yours that had not been sent {_was(self.edits)} handed over{kept}. Nothing is "
                "left of your work on this handheld."
            )
        return (
            f"{begin} {taken} of yours {_was(self.edits)} handed over, {self.left} are still here: {self.trouble}. "
            "Sign in once more within a quarter of an hour; later an administrator has to allow it again."
        )


class PartedError(LocalError):
    """The handheld was let in to hand over, and that was all: there is nothing to open.

    Attributes:
        done: how it ended.
    """

    def __init__(self, done: HandedOver) -> None:
        """Say how it ended, in words."""
        super().__init__(done.words)
        self.done = done


async def hand_over(signed_in: SignedIn, enrolment: Enrolment, clock: Clock | None = None) -> HandedOver:
    """Hand over what was not sent, until nothing is left here or it has been tried for WAIT_MS.

    Args:
        signed_in: as `Installation.sign_in` gave it, with `hands_over`.
        enrolment: the device's.
        clock: the machine's by default.

    Raises:
        ReplicaError: the replica cannot be opened; the text says why. What rests in it rests there still.
    """
    clock = clock or SystemClock()
    async with Handheld.open_seat(signed_in, enrolment, clock=clock) as handheld:
        gone = asyncio.ensure_future(handheld.wait_until(lambda status: status.wiped is not None))
        late = asyncio.ensure_future(clock.sleep(WAIT_MS))
        try:
            await asyncio.wait([gone, late], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in (gone, late):
                wait.cancel()
            await asyncio.wait([gone, late])
        status = handheld.status
    if status.wiped is not None:
        return HandedOver(edits=status.handed_over)
    left = status.waiting + status.held + status.sealed
    return HandedOver(edits=status.handed_over, left=left, trouble=status.last_error or "the server does not answer")


def _was(count: int) -> str:
    return "was" if count < 2 else "were"  # noqa: PLR2004  one, or none
