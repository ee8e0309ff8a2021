"""`once`: the first commit's value stands. What was said differently since is kept beside it and goes to a person.

Arrest time, relevant time, detention authorised: times on which a person's liberty hangs. A later officer who says the
same confirms it; one who says something else asks a question. Only a person's decision, or a correction by someone
entitled who saw the value, puts another in its place; of two corrections that did not see each other the first stands
and the second asks again. Nothing (None) says nothing: the first value may follow it, and it contests none. Were it
kept, replaying an op that said it first would contest the value that followed. Nothing that was decided is a decision.
"""

from schemas.kinds import FieldSpec
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, OneValue, Said


class Once(OneValue):
    """See the module's text."""

    name = "once"

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:
        """Set the first value; keep a different one beside it; let a correction replace what it saw."""
        if cell is None or cell.said is None:
            return Cell(said=Said(change.value, change.stamp))
        if any(one.stamp.op == change.stamp.op for one in cell.standing()):
            return cell
        if change.decides and change.has_seen(cell.said.stamp):
            left = tuple(
                one for one in cell.beside if not change.has_seen(one.stamp) and not field.same(one.value, change.value)
            )
            return Cell(said=Said(change.value, change.stamp), beside=left, decided=change.stamp.op)
        if cell.said.value is None and not cell.decided and change.value is not None:
            return Cell(said=Said(change.value, change.stamp), beside=cell.beside, decided=cell.decided)
        if change.value is None or field.same(change.value, cell.said.value):
            return cell
        kept = sorted((*cell.beside, Said(change.value, change.stamp)), key=lambda one: one.stamp.order)
        return Cell(said=cell.said, beside=tuple(kept), decided=cell.decided)

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """The first value's stamp, when this change said something different."""
        contested = any(one.stamp.op == change.stamp.op for one in cell.beside)
        return cell.said.stamp if contested and cell.said is not None else None

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:  # noqa: ARG002  the interface's
        """The value that stands and every different one."""
        return tuple(cell.standing()) if cell.beside else ()
