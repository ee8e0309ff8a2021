"""The entries of a booking that bear a time to come, and when the first of them begins to count.

What is said to happen later has not happened, so no rule counts it yet: a watch that stood two minutes fast, a return
from hospital entered on the way. It counts from its time on, with no further change of the record; whoever keeps due
times must look again then, or the person is back in a cell and nobody's check falls due.
"""

from collections.abc import Iterator
from typing import Final

from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Kind
from sync.policing.custody.relevant import Facts

_TIMED: Final = ("checks", "rights", "adults", "care", "place_of_safety", "release_assessments", "placements")
"""Fields whose entries the rules count by their time."""


def next_to_count(record: Kind, now: Millis) -> Millis | None:
    """When the first entry of a booking that bears a time to come counts (ms since 1970); None when there is none."""
    if not isinstance(record, CustodyBooking):
        return None
    return min((Millis(at) for at in _times(record) if at > now), default=None)


def _times(booking: CustodyBooking) -> Iterator[int]:
    for name in Facts.__struct_fields__:
        yield getattr(booking, name) or 0
    for event in booking.detention:
        yield event.at
        yield event.until or 0
    for name in _TIMED:
        for entry in getattr(booking, name):
            yield entry.happened()
            yield getattr(entry, "until", None) or 0
