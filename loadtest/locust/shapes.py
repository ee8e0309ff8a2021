"""The shapes as locust wants them: each is a table of `phases`. `--users` is its peak and `--run-time` its length."""

from typing import ClassVar, Final

from locust import LoadTestShape

from loadtest.locust.phases import (
    MAJOR_INCIDENT,
    MASS_RECONNECT,
    QUIET_NIGHT,
    SHAPES,
    SHIFT_CHANGE,
    Phase,
    phase_at,
)
from loadtest.locust.running import Running

_HOME_PER_S: Final = 100.0
"""Locust warns of more."""


class _Phased(LoadTestShape):
    """A shape that is a table."""

    abstract = True
    use_common_options = True
    phases: ClassVar[tuple[Phase, ...]]
    running: ClassVar[Running]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._present: Phase | None = None

    def _elapsed_s(self) -> float:
        return float(self.get_run_time())  # type: ignore[no-untyped-call]

    def tick(self) -> tuple[int, float] | None:
        """How many users there shall be now, and how fast; None when it is over."""
        wishes = self.running.wishes
        phase = phase_at(self.phases, self._elapsed_s() / wishes.run_s)
        if phase is None:
            return None
        if phase is not self._present:
            self._present = phase
            self.running.enter(phase.hurry, signal=phase.signal)
        # Nobody is kept waiting at the end of the day.
        return round(phase.users * wishes.peak), wishes.spawn_per_s if phase.users else _HOME_PER_S


class QuietNight(_Phased):
    """Few officers, little to do."""

    phases = QUIET_NIGHT


class ShiftChange(_Phased):
    """The late shift comes in before the early one goes."""

    phases = SHIFT_CHANGE


class MajorIncident(_Phased):
    """From a mean hour to the design load at once."""

    phases = MAJOR_INCIDENT


class MassReconnect(_Phased):
    """Everybody loses the signal, works on, and comes back at once."""

    phases = MASS_RECONNECT


BY_NAME: Final[dict[str, type[_Phased]]] = {
    name: next(shape for shape in (QuietNight, ShiftChange, MajorIncident, MassReconnect) if shape.phases is phases)
    for name, phases in SHAPES.items()
}
