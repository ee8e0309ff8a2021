"""How a run goes over time: a quiet night, a shift change, a major incident, a mass reconnect; each is a table.

Numbers of users are shares of a run's peak, which stands for the 4,500 devices of a shift overlap, so that 2,500 on
duty are 0.56 of it. The last phase sends everybody home: what they wrote goes out, and what was acknowledged is
counted.
"""

from dataclasses import dataclass
from typing import Final

from loadtest.locust.rates import DESIGN_HURRY, DEVICES_AT_OVERLAP, DEVICES_ON_DUTY, PEAK_HURRY

_ON_DUTY: Final = DEVICES_ON_DUTY / DEVICES_AT_OVERLAP
_AT_NIGHT: Final = 0.6 * _ON_DUTY
"""Fewer officers at night. Assumed."""
_NIGHT_HURRY: Final = 0.5
"""Half a mean hour's work. Assumed."""


@dataclass(frozen=True)
class Phase:
    """One stretch of a run.

    Attributes:
        until: where it ends, as a share of the run.
        users: how many there are, as a share of the peak.
        hurry: what the rates of a mean hour are multiplied with.
        signal: whether there is any.
    """

    until: float
    users: float
    hurry: float
    signal: bool = True


HOME: Final = Phase(1.0, 0.0, 0.0001)
QUIET_NIGHT: Final = (Phase(0.9, _AT_NIGHT, _NIGHT_HURRY), HOME)
SHIFT_CHANGE: Final = (
    Phase(0.35, _ON_DUTY, PEAK_HURRY),
    Phase(0.60, 1.0, PEAK_HURRY),  # the late shift is there, the early one is not gone yet
    Phase(0.90, _ON_DUTY, PEAK_HURRY),
    HOME,
)
MAJOR_INCIDENT: Final = (
    Phase(0.25, _ON_DUTY, 1.0),
    Phase(0.70, 0.8, DESIGN_HURRY),  # officers are called in; 100 durable edits a second
    Phase(0.90, 0.8, PEAK_HURRY),
    HOME,
)
MASS_RECONNECT: Final = (
    Phase(0.35, 1.0, PEAK_HURRY),
    Phase(0.50, 1.0, PEAK_HURRY, signal=False),  # a core site of the radio network is down; everybody writes on
    Phase(0.90, 1.0, PEAK_HURRY),  # and back within ten seconds (rates.RECONNECT_S)
    HOME,
)


def phase_at(phases: tuple[Phase, ...], share: float) -> Phase | None:
    """The phase that holds at that share of the run; None when the run is over."""
    return next((phase for phase in phases if share < phase.until), None)


SHAPES: Final = {
    "quiet-night": QUIET_NIGHT,
    "shift-change": SHIFT_CHANGE,
    "major-incident": MAJOR_INCIDENT,
    "mass-reconnect": MASS_RECONNECT,
}
"""Name on the command line -> its phases."""
NO_SHAPE: Final = "none"
"""Locust's own `--users`, `--spawn-rate` and `--run-time` then, and no phases."""
