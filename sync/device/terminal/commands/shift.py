"""Commands about a shift: what falls due in it, what it is told, what it takes over."""

from typing import Final

from schemas.errors import UsageError
from sync.device.terminal.spec import Typed, alone, matched, spec

SHIFT_HOURS: Final = 10
"""A shift, unless another length is typed."""
SHIFT_HOURS_MAX: Final = 24


class ShowDue(Typed, frozen=True):
    """`due`: what falls due and waits for somebody to take it up."""


class Acknowledge(Typed, frozen=True):
    """`ack`: take an alarm up.

    Attributes:
        which: its number in the last `due`, or the end of its id.
        note: what is done about it; "" for nothing said.
    """

    which: str
    note: str


class ShowPack(Typed, frozen=True):
    """`pack`: the briefing pack of a shift that begins now.

    Attributes:
        hours: how long the shift is.
    """

    hours: int


class ShowHandover(Typed, frozen=True):
    """`handover`: what is handed over to a shift that begins now.

    Attributes:
        hours: how long the shift is.
    """

    hours: int


def _pack(rest: str) -> ShowPack:
    return ShowPack(_hours(rest))


def _hours(rest: str) -> int:
    (hours,) = rest.split() or [str(SHIFT_HOURS)]
    if not hours.isascii() or not hours.isdigit() or not 1 <= int(hours) <= SHIFT_HOURS_MAX:
        raise UsageError(f"{hours!r} is no length of a shift: 1 to {SHIFT_HOURS_MAX} hours")
    return int(hours)


def _ack(rest: str) -> Acknowledge:
    return Acknowledge(**matched(r"(?P<which>\S+)\s*(?P<note>.*)", rest))


SPECS: Final = (
    spec("due", "what falls due and waits for somebody to take it up, the most urgent first", alone(ShowDue())),
    spec("pack [HOURS]", "what a shift that begins now is told: briefings, warnings that end, who is wanted", _pack),
    spec(
        "handover [HOURS]",
        "all that waits, for a shift that takes over now",
        lambda rest: ShowHandover(_hours(rest)),
    ),
    spec("ack N [NOTE…]", "take an alarm up; N is its number in due, or the end of its id", _ack),
)
