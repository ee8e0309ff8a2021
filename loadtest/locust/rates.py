"""Who takes part and how often they do what: the force of DOMAIN's scale table, as numbers that locust can use.

The measured facts (7,991 officers, 1.5 million calls a year, busiest day 2,700 emergency calls) and the derived load
(2,500 devices on duty, 4,500 at shift overlap; 4, 25 and 100 durable edits a second as mean, peak and design; 25
entries an incident; a mass reconnect within 10 s) are a police force's of that size; each number below says how it
follows. What nobody has published is marked *assumed*, and is one place to change.

A rate is per user and hour on a **mean** hour. A shape multiplies it (`hurry`), and so does the option `--hurry`, with
which a few users stand for many: 25 users hurried a hundredfold write as often as 2,500.
"""

from dataclasses import dataclass
from typing import Final

AREAS: Final = ("birmingham", "coventry", "dudley", "sandwell", "solihull", "walsall", "wolverhampton")
"""The seven Local Policing Areas since April 2023."""
SUITES: Final = (
    "perry-barr", "oldbury", "coventry", "wolverhampton", "bloxwich", "stechford", "bournville", "willenhall",
)  # fmt: skip
"""Custody suites of the same force."""

DEVICES_ON_DUTY: Final = 2_500
DEVICES_AT_OVERLAP: Final = 4_500
RECONNECT_S: Final = 10.0
"""After a mast or a server comes back, everybody is there again within this: 450 a second at overlap."""

MEAN_EDITS_PER_S: Final = 4.0
PEAK_HURRY: Final = 25.0 / MEAN_EDITS_PER_S
"""A shift's peak, 25 durable edits a second, against the mean."""
DESIGN_HURRY: Final = 100.0 / MEAN_EDITS_PER_S
"""What the system is built for, 100 a second: a major incident on top of the peak."""

_CALLS_PER_H: Final = 1_500_000 / (365 * 24)
"""999 and 101 calls: 171 an hour. Every report is an incident."""
_CONTROL_SEATS: Final = 100
"""Call handlers and dispatchers at once, of 2,500 devices. Assumed: a handler takes some two calls an hour to their
end."""
_CUSTODY_SEATS: Final = 40
"""Eight suites with five positions each. Assumed."""
_OFFICERS: Final = DEVICES_ON_DUTY - _CONTROL_SEATS - _CUSTODY_SEATS
_DETAINED: Final = 150
"""People in custody at one time: half of some 300 cells. Assumed."""
_BRIEFINGS_PER_H: Final = 14.0
"""Two an hour in each of seven areas. Assumed."""
_CHECKS_PER_H: Final = 2.0
"""Observations of a detainee: level 2 of Code C, at least every 30 minutes."""
_ARRIVALS_PER_H: Final = 8.0
"""Bookings an hour in all suites: some 70,000 arrests a year. Assumed."""
_EDITS_PER_H: Final = MEAN_EDITS_PER_S * 3_600


@dataclass(frozen=True)
class Sort:
    """One sort of user.

    Attributes:
        name: of it, as seats and options call it.
        weight: how many of `DEVICES_ON_DUTY` are of it.
        role: of its officers, as the server knows it.
        actions: what they do -> times per user and hour on a mean hour.
    """

    name: str
    weight: int
    role: str
    actions: dict[str, float]


_MADE = _CALLS_PER_H / _CONTROL_SEATS
_STEERED = 2 * _MADE
"""An incident is graded anew or assigned about twice. Assumed."""
_CUSTODY_EDITS = (_DETAINED * _CHECKS_PER_H * 1.25 + _ARRIVALS_PER_H) / _CUSTODY_SEATS
_LEFT = _EDITS_PER_H - _CONTROL_SEATS * (_MADE + _STEERED) - _BRIEFINGS_PER_H - _CUSTODY_SEATS * _CUSTODY_EDITS
"""What is left of 4 edits a second is the officers': the entries of 25 an incident that nobody else makes."""
_PER_OFFICER = _LEFT / _OFFICERS

OFFICER: Final = Sort(
    "officer",
    _OFFICERS,
    "officer",
    {
        "log_entry": 0.70 * _PER_OFFICER,
        "deployment": 0.25 * _PER_OFFICER,  # en route, at scene, clear: DOMAIN's status codes 5 to 7. Share assumed
        "report": 0.05 * _PER_OFFICER,  # incidents that officers come upon themselves. Share assumed
        "look": 2.0
        * _PER_OFFICER,  # two records read for each entry; a read is a consultation (DPA 2018 s.62). Assumed
        "lose_signal": 0.5,  # a cellar, a lift, a lane: once in two hours. Assumed
    },
)
CUSTODY: Final = Sort(
    "custody",
    _CUSTODY_SEATS,
    "custody-officer",
    {
        "book_in": _ARRIVALS_PER_H / _CUSTODY_SEATS,
        "check": _DETAINED * _CHECKS_PER_H / _CUSTODY_SEATS,
        "care": 0.25 * _DETAINED * _CHECKS_PER_H / _CUSTODY_SEATS,  # meals, drinks, rest: one to four checks. Assumed
    },
)
CONTROL: Final = Sort(
    "control",
    _CONTROL_SEATS,
    "control-room",
    {
        "take_call": _MADE,
        "steer": _STEERED,
        "brief": _BRIEFINGS_PER_H / _CONTROL_SEATS,
    },
)
SORTS: Final = (OFFICER, CUSTODY, CONTROL)


def shares(devices: int) -> dict[str, int]:
    """How many of each sort there are among so many devices: by weight, and one of each at least.

    Raises:
        ValueError: there are too few for one of each.
    """
    if devices < len(SORTS):
        raise ValueError(f"{devices} devices are too few: one of each sort makes {len(SORTS)}")
    few = {sort.name: max(1, round(devices * sort.weight / DEVICES_ON_DUTY)) for sort in (CUSTODY, CONTROL)}
    return {OFFICER.name: devices - sum(few.values()), **few}
