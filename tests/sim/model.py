"""The reference model: what every record must hold, computed from scratch out of all accepted ops in commit order.

It is slow and obvious on purpose and shares no code with the merge: a list, a loop, a sort. What the store, the
replicas and the views hold must equal it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from schemas.ids import RecordId, ScopeName, Seq
from schemas.ops import Op, Row

ONCE: Final = {
    *("opened_at", "source", "issued_at"),
    *("arrested_at", "arrived_at", "relevant_time", "detention_authorised_at", "arresting_officer"),
}
GROW: Final = {"log", "receipts", "checks", "property_items"}
"""The fields of the simulated records by policy; every other one is `latest`. Written out, not read from the kinds."""

Cells = dict[str, Any]
"""Field -> ("one", value, op, [(value, op) said differently]) or ("many", [(value, op, k)])."""


class Accepted(NamedTuple):
    """An op that the server took, and the commit that made it durable."""

    op: Op
    seq: Seq


def order(op: Op) -> tuple[int, int, str, int]:
    """Which of two changes to a `latest` field is the later one."""
    return (*op.hlc, op.device, op.n)


def cells(ops: Iterable[Op]) -> Cells:
    """The cells of one record after these ops, given in commit order."""
    ops = list(ops)
    found: Cells = {}
    for name in sorted({name for op in ops for name in op.changes}):
        said = [(op.changes[name], op) for op in ops if name in op.changes]
        if name in GROW:
            entries = [(op.occurred_at, order(op), k, one, op.id) for value, op in said for k, one in enumerate(value)]
            entries.sort(key=lambda entry: entry[:3])
            found[name] = ("many", [(one, op_id, k) for _, _, k, one, op_id in entries])
        elif name in ONCE:
            (first, by), later = said[0], said[1:]
            differing = sorted(((value, op) for value, op in later if value != first), key=lambda pair: order(pair[1]))
            found[name] = ("one", first, by.id, [(value, op.id) for value, op in differing])
        else:
            value, by = max(said, key=lambda pair: order(pair[1]))
            found[name] = ("one", value, by.id, [])
    return found


def values(of: Cells) -> dict[str, Any]:
    """What an application sees of those cells."""
    return {name: [entry[0] for entry in cell[1]] if cell[0] == "many" else cell[1] for name, cell in of.items()}


def scopes(kind: str, of: Cells) -> frozenset[ScopeName]:
    """The scopes of a record with those cells."""
    held = values(of)
    if kind == "incident":
        return frozenset({ScopeName(f"area:{held['area']}")})
    if kind == "custody-booking":
        return frozenset({ScopeName(f"suite:{held['suite']}")})
    return frozenset(ScopeName(f"{audience}:briefing") for audience in held["audience"])


def of_row(row: Row) -> Cells:
    """The cells that a row tells of, in the model's form."""
    found: Cells = {}
    for name, cell in row.cells.items():
        if name in GROW:
            found[name] = ("many", [(value, row.stamps[at].op, k) for value, at, k in cell])
        else:
            others = cell[2] if len(cell) == 3 else []
            found[name] = (
                "one",
                cell[0],
                row.stamps[cell[1]].op,
                [(value, row.stamps[at].op) for value, at in others],
            )
    return found


def of_record(history: Sequence[Accepted], record: RecordId, upto: Seq | None = None) -> list[Op]:
    """The accepted ops on one record in commit order, up to and with a commit."""
    return [
        accepted.op for accepted in history if accepted.op.record == record and (upto is None or accepted.seq <= upto)
    ]
