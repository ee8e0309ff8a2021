"""When each device comes back to a server that is going down: who first, and spread over how long.

Eight thousand handhelds that dial in one instant keep the control room waiting for as long as they take to be let in.
So the time over which they come back grows with how many there are and how many can be let in a second, and everyone is
given a slot of their own in it. A slot is drawn, not counted: two servers that stop together must not get their devices
in step.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from schemas.ids import Millis, ScopeName
from schemas.limits import RETURN_WINDOW_MAX_MS, RETURN_WINDOW_MIN_MS
from schemas.scopes import CONTROL, CUSTODY

RETURNS_PER_S: Final = 200.0
"""Well under half of what one core lets in when nobody waits (500 to 600 a second), so that those who are back work."""
_CONTROL_ROOM: Final = 0
CUSTODY_DESK: Final = 1
_HANDHELD: Final = 2
_STRANGER: Final = 3


class ReturnPace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast devices are asked to come back.

    Attributes:
        per_s: devices that can be let in in one second, with room left for those who work already.
        window_min_ms: they are never asked to come back in less than this.
        window_max_ms: nor over more than this, however many they are.
    """

    per_s: float = RETURNS_PER_S
    window_min_ms: int = RETURN_WINDOW_MIN_MS
    window_max_ms: int = RETURN_WINDOW_MAX_MS

    def window_ms(self, devices: int) -> int:
        """Over how long that many devices come back."""
        return min(max(int(devices * 1_000 / self.per_s), self.window_min_ms), self.window_max_ms)

    def waits(self, devices: int, draw: Callable[[], float]) -> list[Millis]:
        """What each device is told to wait, the first one's first: a moment drawn in its own slot of the window.

        Args:
            devices: how many.
            draw: a random number in [0, 1).
        """
        slot = self.window_ms(devices) / max(devices, 1)
        return [Millis(int((place + draw()) * slot)) for place in range(devices)]


def rank(scopes: Iterable[ScopeName]) -> int:
    """Who comes back before whom; lower first.

    The control room sends people to those who call for help, and a custody desk watches over people who can die between
    two checks. A handheld has what its officer needs. Who was not let in yet holds no scope, and may be anybody.
    """
    held = set(scopes)
    if CONTROL in held:
        return _CONTROL_ROOM
    if CUSTODY in held or any(scope.startswith("suite:") for scope in held):
        return CUSTODY_DESK
    return _HANDHELD if held else _STRANGER
