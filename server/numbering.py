"""The numbers that the server gives by rule: an incident's URN and the numbers of its crimes. Pure.

A number is given in the commit that brings what bears it, and how far the server has counted is a record of that same
commit (`schemas.kinds.series`). So no number names two, none is left out, and none is ever changed: what was refused
has taken none, what was erased has used its own. An incident of a program that knew no URN gets one with its next
change.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis, RecordId, Seq, named_record_id
from schemas.kinds import Incident, NumberSeries, spec_of
from schemas.ops import Stamp
from sync.merge import RecordState
from sync.policies import Cell, Entry, Said
from sync.policing.incidents.numbers import compartment_code, london_day, number_of

SPEC: Final = spec_of(NumberSeries)
URN: Final = FieldName("urn")
CRIMES: Final = FieldName("crimes")
CRIME_NUMBERS: Final = FieldName("crime_numbers")
_NAMESPACE: Final = "number-series"
_CRIMES: Final = "CR"
"""Stands in a crime's number, so that nobody takes it for an incident's."""

Find = Callable[[RecordId], RecordState | None]
"""Finds a record as it is; None when there is none."""


def series_id(series: str, day: str) -> RecordId:
    """The record of a day of a series."""
    return named_record_id(_NAMESPACE, series, day)


def numbered(state: RecordState, stamp: Stamp, find: Find) -> tuple[RecordState, ...]:
    """A record with every number that it must have, and how far the server has then counted.

    Args:
        state: the record after a change.
        stamp: of the change; its `recorded_at` says which day it is.
        find: finds the records of the series.

    Returns:
        the record, then what was counted on; () when it has every number already, or is no incident.
    """
    incident = state.build()
    if not isinstance(incident, Incident):
        return ()
    fresh = tuple(
        dict.fromkeys(
            crime.crime for crime in incident.crimes if crime.crime not in {one.crime for one in incident.crime_numbers}
        )
    )
    if incident.urn is not None and not fresh:
        return ()
    code = "" if incident.compartment is None else compartment_code(incident.compartment)
    cells = dict(state.cells)
    counted: list[RecordState] = []
    if incident.urn is None:
        count, urn = _next(code, stamp, find, 1)
        counted.append(count)
        cells[URN] = Cell(said=Said(urn[0], stamp))
    if fresh:
        count, numbers = _next("-".join(filter(None, (_CRIMES, code))), stamp, find, len(fresh))
        counted.append(count)
        known = cells.get(CRIME_NUMBERS, Cell()).entries
        # A decision on an inbox item changes the incident under the name of another record's op: its entries go on.
        first = sum(entry.stamp.op == stamp.op for entry in known)
        given = [
            Entry({"crime": crime, "number": number}, stamp, k)
            for k, (crime, number) in enumerate(zip(fresh, numbers, strict=True), first)
        ]
        cells[CRIME_NUMBERS] = Cell(entries=tuple(sorted((*known, *given), key=lambda entry: entry.order)))
    return (msgspec.structs.replace(state, cells=cells), *counted)


def _next(series: str, stamp: Stamp, find: Find, how_many: int) -> tuple[RecordState, list[str]]:
    """Count on: the series' record after it, and the numbers."""
    day = london_day(Millis(stamp.recorded_at))
    record = series_id(series, day.isoformat())
    known = find(record)
    built = None if known is None else known.build()
    last = built.last if isinstance(built, NumberSeries) else 0
    values = {"series": series or "incidents", "day": day.isoformat(), "last": last + how_many}
    cells = {FieldName(name): Cell(said=Said(value, stamp)) for name, value in values.items()}
    after = RecordState(id=record, spec=SPEC, version=Seq(stamp.seq), cells=cells)
    return after, [number_of(series, day, count) for count in range(last + 1, last + how_many + 1)]
