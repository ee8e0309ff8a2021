"""A record in memory: its cells, an op merged into it, and its form as a `Row`.

There is no merge code per kind: the kind's declaration says which policy each field has, and the policy does the rest.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.ids import FieldName, Millis, OpId, RecordId, ScopeName, Seq
from schemas.kinds import Kind, KindSpec, kind_named
from schemas.ops import Hlc, Op, Row, Stamp, stamp_of
from sync import clock
from sync.policies import ENGINE, Cell, Entry, Said


class RecordState(msgspec.Struct, frozen=True, kw_only=True):
    """One record with the attribution of every value.

    Attributes:
        id: the record.
        spec: its kind.
        version: seq of the commit that changed it last; 0 while only this device has it.
        cells: field -> cell; a field never set has none.
    """

    id: RecordId
    spec: KindSpec
    version: Seq
    cells: Mapping[FieldName, Cell]

    def values(self) -> dict[FieldName, Any]:
        """Field -> plain value."""
        return {name: ENGINE[self.spec.fields[name].policy.name].value(cell) for name, cell in self.cells.items()}

    def build(self) -> Kind:
        """The typed record."""
        return self.spec.build(self.values())

    def scopes(self) -> frozenset[ScopeName]:
        """The scopes that the record is in."""
        return self.build().scopes()

    def seen(self) -> Hlc:
        """The latest clock reading among its values."""
        return clock.latest_seen(stamp for cell in self.cells.values() for stamp in cell.stamps())


def new_state(op: Op, spec: KindSpec) -> RecordState:
    """An empty record, before the op that makes it is merged."""
    return RecordState(id=op.record, spec=spec, version=Seq(0), cells={})


def apply(state: RecordState, op: Op, recorded_at: Millis = Millis(0), seq: Seq = Seq(0)) -> RecordState:
    """The record after an op. Applying the same op again changes nothing but the version.

    Args:
        state: the record before.
        op: a checked op (`sync.check`) on that record.
        recorded_at, seq: of the commit; zero when the op is only pending on a device.
    """
    stamp = stamp_of(op, recorded_at, seq)
    cells = dict(state.cells)
    for name, value in op.changes.items():
        cells[name] = ENGINE[state.spec.fields[name].policy.name].merge(cells.get(name), value, stamp)
    return RecordState(id=state.id, spec=state.spec, version=max(state.version, seq), cells=cells)


def displaced(state: RecordState, op: Op) -> dict[FieldName, OpId]:
    """Field -> the op whose value stands there, for every field of `op` that did not take effect in `state`."""
    stamp = stamp_of(op)
    found = {}
    for name in op.changes:
        stands = ENGINE[state.spec.fields[name].policy.name].stands(state.cells[name], stamp)
        if stands is not None:
            found[name] = stands.op
    return found


def to_row(state: RecordState) -> Row:
    """The record's form on the wire and in stores."""
    stamps: list[Stamp] = []
    index: dict[OpId, int] = {}

    def place(stamp: Stamp) -> int:
        at = index.get(stamp.op)
        if at is None:
            at = index[stamp.op] = len(stamps)
            stamps.append(stamp)
        return at

    cells: dict[FieldName, list[Any]] = {}
    for name, cell in state.cells.items():
        if cell.said is None:
            cells[name] = [[entry.value, place(entry.stamp), entry.k] for entry in cell.entries]
        else:
            cells[name] = [cell.said.value, place(cell.said.stamp)]
            if cell.differing:
                cells[name].append([[other.value, place(other.stamp)] for other in cell.differing])
    return Row(id=state.id, kind=state.spec.name, v=state.version, stamps=stamps, cells=cells)


def from_row(row: Row) -> RecordState:
    """The record behind a row.

    Raises:
        ValueError: the row's kind is not known here, or its cells do not have the form of their policy.
    """
    spec = kind_named(row.kind)
    if spec is None:
        raise ValueError(f"record {row.id} is of the unknown kind {row.kind!r}")
    cells: dict[FieldName, Cell] = {}
    for name, cell in row.cells.items():
        field = spec.fields.get(name)
        if field is None:
            raise ValueError(f"record {row.id} has the field {name!r}, which {row.kind!r} has not")
        try:
            if field.policy.name == "grow":
                cells[name] = Cell(entries=tuple(Entry(value, row.stamps[at], k) for value, at, k in cell))
            else:
                stands, stood_at, *differing = cell
                others = differing[0] if differing else ()
                cells[name] = Cell(
                    said=Said(stands, row.stamps[stood_at]),
                    differing=tuple(Said(value, row.stamps[at]) for value, at in others),
                )
        except (IndexError, TypeError, ValueError):
            raise ValueError(f"record {row.id}: the cell of {name!r} has not the form of {field.policy.name}") from None
    return RecordState(id=row.id, spec=spec, version=row.v, cells=cells)
