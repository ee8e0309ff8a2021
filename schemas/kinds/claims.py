"""What a claim on something scarce says."""

from typing import Annotated

import msgspec

from schemas.ids import MillisInt

HOLDER_CHARS_MAX = 200


class Hold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exclusive hold on one scarce thing: a cell, a vehicle, a call sign, a wanted person.

    Attributes:
        holder: for whom or what it is held: a booking's record id, an officer's collar number, a unit.
        until: when a reservation ends by itself (ms since 1970); None for a hold that a person releases. A reservation
            is for the device that made it: it may turn it into a hold without asking the server, and nobody else may
            until it has ended.
    """

    holder: Annotated[str, msgspec.Meta(min_length=1, max_length=HOLDER_CHARS_MAX)]
    until: MillisInt | None = None
