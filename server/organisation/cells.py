"""The cells that an organisation's files tell: records of kind `resource`, made once and found again by their name.

A cell's id follows from force, suite and name, so that the same files make the same records, on whichever server. What
the files tell no more is put out of service and stays: somebody may be in it, and history hangs on it. Whatever people
do with a cell, who is in it, a fault, its note, is theirs: the files only take back what they did themselves.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, RecordId, named_record_id
from schemas.kinds.resource import Category, Resource, Service
from server.organisation.definition import CellTold, Sign
from sync.merge import RecordState

GONE: Final = "Told no more by the organisation's files."
"""The note of a cell that the files have put out of service."""
_SUITE: Final = scopes.suite("")


class CellChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of one cell.

    Attributes:
        record, state: which, as it stands; None where it is to be made.
        changes: field -> change, as in an op.
        sign, what, where: as of a `Step`.
    """

    record: RecordId
    state: RecordState | None
    changes: Mapping[FieldName, Any]
    sign: Sign
    what: str
    where: str


def cell_id(force: str, suite: str, name: str) -> RecordId:
    """The record of a cell that the files tell."""
    return named_record_id("organisation", force, "cell", suite, name)


def cell_changes(force: str, told: Iterable[CellTold], states: Iterable[RecordState]) -> list[CellChange]:
    """What would make the cells what the files say.

    Args:
        force: whose.
        told: as the files have them.
        states: every resource there is.
    """
    known = {state.id: state for state in states}
    found: list[CellChange] = []
    wanted: set[RecordId] = set()
    for cell in told:
        record = cell_id(force, cell.suite, cell.name)
        wanted.add(record)
        change = _wanted(cell, record, known.get(record))
        if change is not None:
            found.append(change)
    return found + [_gone(state) for state in known.values() if state.id not in wanted and _of_files(force, state)]


def _wanted(cell: CellTold, record: RecordId, state: RecordState | None) -> CellChange | None:
    called = f"cell {cell.name} of {cell.suite}"
    if state is None:
        said: dict[str, Any] = {
            "category": Category.CELL.value, "name": cell.name, "home": scopes.suite(cell.suite),
        }  # fmt: skip
        if cell.note is not None:
            said["note"] = cell.note
        return _change(record, None, said, "+", called, cell.where)
    values = state.values()
    if values.get(FieldName("note")) != GONE or not _out(values):
        return None
    said = {"service": Service.IN_SERVICE.value, "note": cell.note}
    return _change(record, state, said, "~", f"{called} is in service again", cell.where)


def _gone(state: RecordState) -> CellChange:
    values = state.values()
    suite, name = values[FieldName("home")].removeprefix(_SUITE), values[FieldName("name")]
    held = "" if values.get(FieldName("hold")) is None else "; who is in it stays in it"
    said = {"service": Service.OUT_OF_SERVICE.value, "note": GONE}
    return _change(state.id, state, said, "-", f"cell {name} of {suite} is out of service{held}", "")


def _of_files(force: str, state: RecordState) -> bool:
    """Whether the files have made it, and it is in use."""
    resource = state.build()
    if not isinstance(resource, Resource) or resource.category is not Category.CELL:
        return False
    suite = resource.home.removeprefix(_SUITE)
    return state.id == cell_id(force, suite, resource.name) and resource.service == Service.IN_SERVICE


def _out(values: Mapping[FieldName, Any]) -> bool:
    return bool(values.get(FieldName("service")) == Service.OUT_OF_SERVICE.value)


def _change(  # noqa: PLR0917  the parts of one change
    record: RecordId, state: RecordState | None, said: Mapping[str, Any], sign: Sign, what: str, where: str
) -> CellChange:
    changes = {FieldName(name): value for name, value in said.items()}
    return CellChange(record=record, state=state, changes=changes, sign=sign, what=what, where=where)
