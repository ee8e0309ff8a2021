"""The numbers that the server gives by rule: an incident's URN and the numbers of its crimes. Pure.

A number is given in the commit that brings what bears it, and how far the server has counted is a record of that same
commit (`schemas.kinds.series`). So no number names two, none is left out, and none is ever changed: what was refused
has taken none, what was erased has used its own. An incident of a program that knew no URN gets one with its next
change.

After a restore the numbers of every day up to that one bear its time (`20261122-R143205-0001`): what the lost history
gave out cannot be known, and has no such form (`server.restored`).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

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
_RESTORED: Final = "R"
"""Stands before the time (UTC) at which a restored server was started."""

SET_BACK: Final = named_record_id(_NAMESPACE, "set-back", "")
"""The record that says when the server was last set back to a backup. Of no series: a day is never empty there."""

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
    if incident.urn is not None and not incident.crimes:
        return ()
    known = {one.crime for one in incident.crime_numbers}
    fresh = tuple(dict.fromkeys(crime.crime for crime in incident.crimes if crime.crime not in known))
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
        numbered_before = cells.get(CRIME_NUMBERS, Cell()).entries
        # A decision on an inbox item changes the incident under the name of another record's op: its entries go on.
        first = sum(entry.stamp.op == stamp.op for entry in numbered_before)
        given = [
            Entry({"crime": crime, "number": number}, stamp, k)
            for k, (crime, number) in enumerate(zip(fresh, numbers, strict=True), first)
        ]
        entries = sorted((*numbered_before, *given), key=lambda entry: entry.order)
        cells[CRIME_NUMBERS] = Cell(entries=tuple(entries))
    return (msgspec.structs.replace(state, cells=cells), *counted)


def set_back(known: RecordState | None, now: Millis) -> Mapping[FieldName, Any]:
    """What `SET_BACK` says of a server that was set back and goes on at this moment.

    Args:
        known: what it says; None while there is no such record.
        now: the server's clock (ms since 1970).

    Returns:
        field -> value. `day`: of that day in London and every day before it, numbers bear `series`.
    """
    before = None if known is None else known.build()
    # With a clock that is set back too, the days up to the one before that stay marked.
    days = [london_day(now).isoformat(), *([before.day] if isinstance(before, NumberSeries) else [])]
    clock = datetime.fromtimestamp(now // 1_000, UTC)
    values = {"series": f"{_RESTORED}{clock:%H%M%S}", "day": max(days), "last": 0}
    return {FieldName(name): value for name, value in values.items()}


def _mark(find: Find, day: str) -> str:
    """What stands in the numbers of a day since the server was set back; "" for nothing."""
    found = find(SET_BACK)
    built = None if found is None else found.build()
    return built.series if isinstance(built, NumberSeries) and day <= built.day else ""


def _next(series: str, stamp: Stamp, find: Find, how_many: int) -> tuple[RecordState, list[str]]:
    """Count on: the series' record after it, and the numbers."""
    day = london_day(Millis(stamp.recorded_at))
    series = "-".join(filter(None, (series, _mark(find, day.isoformat()))))
    record = series_id(series, day.isoformat())
    known = find(record)
    built = None if known is None else known.build()
    last = built.last if isinstance(built, NumberSeries) else 0
    values = {"series": series or "incidents", "day": day.isoformat(), "last": last + how_many}
    cells = {FieldName(name): Cell(said=Said(value, stamp)) for name, value in values.items()}
    after = RecordState(id=record, spec=SPEC, version=Seq(stamp.seq), cells=cells)
    return after, [number_of(series, day, count) for count in range(last + 1, last + how_many + 1)]
