"""`claim`: an exclusive hold on something scarce. The first commit holds it; the displaced claimant is told.

Two desks that book the last cell with no signal both write their claim; the first that reaches the server holds, the
other is kept beside it and goes to a person with what else is free. Nobody is moved by the software. A hold is
given up only by someone who saw it. A reservation (`Hold.until`) is a hold for the device that made it, which may turn
it into a hold with no signal and be sure: no other device gives it up. When its time has passed it counts for nothing.
"""

from typing import Any

import msgspec

from schemas.kinds import FieldSpec
from schemas.limits import RESERVATION_MS_MAX
from schemas.ops import Stamp
from sync.policies.base import Cell, Change, OneValue, Said
from sync.refusal import Refusal


class Claim(OneValue):
    """See the module's text."""

    name = "claim"
    refuses = True

    def merge(self, field: FieldSpec, cell: Cell | None, change: Change) -> Cell:  # noqa: ARG002  the interface's
        """Hold what is free; keep a claim on what is held beside it; release what the author saw."""
        mine = Said(change.value, change.stamp)
        if cell is None or cell.said is None:
            return Cell(said=mine)
        if any(one.stamp.op == change.stamp.op for one in cell.standing()):
            return cell
        if change.decides and change.has_seen(cell.said.stamp):
            left = tuple(
                one for one in cell.beside if not change.has_seen(one.stamp) and not _covers(change.value, one.value)
            )
            return Cell(said=mine, beside=left, decided=change.stamp.op)
        if change.value is None:
            # What has ended by itself can be given up too: whether it had is a question of clocks.
            seen = cell.said.value is not None and change.has_seen(cell.said.stamp)
            if seen and not _kept_for_another(cell.said, change):
                return _held(mine, cell)
            # Who had not seen what stands gives up the claims that they saw: nobody need be asked about those.
            left = tuple(one for one in cell.beside if seen or not change.has_seen(one.stamp))
            return msgspec.structs.replace(cell, beside=left)
        if is_free(cell.said, change.at) or _turns_reservation(cell.said, change):
            return _held(mine, cell)
        if _covers(cell.said.value, change.value):
            return cell
        kept = sorted((*cell.beside, mine), key=lambda one: one.stamp.order)
        return Cell(said=cell.said, beside=tuple(kept), decided=cell.decided)

    def stands(self, field: FieldSpec, cell: Cell, change: Change) -> Stamp | None:  # noqa: ARG002  the interface's
        """The hold that stands, when this change did not get what it asked for."""
        if cell.said is None or cell.said.stamp.op == change.stamp.op:
            return None
        return None if _covers(cell.said.value, change.value) else cell.said.stamp

    def unsettled(self, field: FieldSpec, cell: Cell) -> tuple[Said, ...]:  # noqa: ARG002  the interface's
        """The hold and the displaced claims."""
        return tuple(cell.standing()) if cell.beside else ()

    def refusal(self, field: FieldSpec, cell: Cell | None, change: Change) -> Refusal | None:  # noqa: ARG002  the interface's
        """Whether it would take what its author saw another hold or have reserved, or reserve for too long."""
        until = None if change.value is None else change.value.get("until")
        if until is not None and until - change.at > RESERVATION_MS_MAX:
            return Refusal("op_reservation_long", f"at most {RESERVATION_MS_MAX // 60_000} minutes")
        if cell is None or cell.said is None or change.decides:
            return None
        if change.value is None:
            if not change.has_seen(cell.said.stamp) or not _kept_for_another(cell.said, change):
                return None
            return Refusal("op_claim_held", f"reserved for {_holder(cell.said.value)} by another device")
        if is_free(cell.said, change.at) or _turns_reservation(cell.said, change):
            return None
        if _covers(cell.said.value, change.value) or not change.has_seen(cell.said.stamp):
            return None
        return Refusal("op_claim_held", f"held for {_holder(cell.said.value)} by {cell.said.stamp.author}")


def is_free(said: Said | None, at: int) -> bool:
    """Whether nobody holds it at that time (ms since 1970)."""
    if said is None or said.value is None:
        return True
    until = said.value.get("until")
    return until is not None and until <= at


def _turns_reservation(said: Said, change: Change) -> bool:
    """Whether the change is by the device that the standing reservation is for."""
    return said.value.get("until") is not None and said.stamp.device == change.stamp.device


def _kept_for_another(said: Said, change: Change) -> bool:
    """Whether a reservation runs that another device relies on: it may be without signal, and sure of what it has."""
    reserved = said.value is not None and said.value.get("until") is not None
    return reserved and not is_free(said, change.at) and said.stamp.device != change.stamp.device


def _covers(hold: Any, wanted: Any) -> bool:
    """Whether a hold is all that another asks for: it is for the same holder, and for as long.

    A reservation is not all that a hold asks for: it ends, and the claim would be gone with it.
    """
    if hold is None or wanted is None or _holder(hold) != _holder(wanted):
        return hold is wanted
    ends, until = hold.get("until"), wanted.get("until")
    return ends is None or (until is not None and until <= ends)


def _held(mine: Said, cell: Cell) -> Cell:
    """`mine` stands; a displaced claim that asks for no more has what it asked for."""
    left = tuple(one for one in cell.beside if not _covers(mine.value, one.value))
    return Cell(said=mine, beside=left, decided=cell.decided)


def _holder(value: Any) -> str | None:
    return None if value is None else value["holder"]
