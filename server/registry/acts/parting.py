"""Acts about what is let go on at a seat though something is wrong with it: handing over, and a read log anew."""

from typing import Annotated, TypeAlias

import msgspec

from schemas.ids import DeviceText
from schemas.limits import INT_MAX
from server.registry.acts.base import BaseAct, Why


class HandOverAllowed(BaseAct, frozen=True, kw_only=True, tag="hand-over-allowed-1"):
    """What rests unsent on a device that is revoked may be handed over: once, and nothing else may be done there.

    Attributes:
        device: which.
        seat: one seat of it; None for all that are in use.
        why: what for.
    """

    device: DeviceText
    seat: DeviceText | None = None
    why: Why


class HandOverBegun(BaseAct, frozen=True, kw_only=True, tag="hand-over-begun-1"):
    """An officer has shown their passphrase, and the server's share of the seat's keys was given out to hand over by.

    The permission is used up by it. What follows is the order to wipe the seat, once everything has come.

    Attributes:
        seat: which.
    """

    seat: DeviceText


class ReadsSetBack(BaseAct, frozen=True, kw_only=True, tag="reads-set-back-1"):
    """A seat's read log is not the one that the server holds: it was dropped, set back or copied.

    Attributes:
        seat: whose.
        kept: how many entries the server holds.
    """

    seat: DeviceText
    kept: Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]


class ReadsPardoned(BaseAct, frozen=True, kw_only=True, tag="reads-pardoned-1"):
    """Somebody has looked into a read log that was set back: it may go on behind what the server holds of it.

    Attributes:
        seat: whose.
        why: what was found.
    """

    seat: DeviceText
    why: Why


class ReadsResumed(BaseAct, frozen=True, kw_only=True, tag="reads-resumed-1"):
    """A read log that was pardoned goes on behind what the server holds: leases are given again.

    Attributes:
        seat: whose.
    """

    seat: DeviceText


PartingAct: TypeAlias = HandOverAllowed | HandOverBegun | ReadsSetBack | ReadsPardoned | ReadsResumed
