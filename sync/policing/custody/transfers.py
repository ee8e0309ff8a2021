"""What goes along when a detainee is taken to another suite: what care must know of them, their medical record.

The medical record is in a scope of its own, the medical part of a suite (`suite:oldbury:medical`). If it stayed behind,
those who care for the person now would not learn that they are diabetic, and those who care for them no longer would
go on reading it. Who transfers a person with no signal, or without a right to the medical record, cannot write to it:
so it follows by rule, as soon as the transfer reaches the server, and in the same commit.

The rule looks at the two records alone: whichever reaches the server first, the medical record ends where the booking
is (DESIGN, promise 5).
"""

from typing import Final

import msgspec

from schemas.ids import FieldName
from schemas.kinds import CustodyBooking, Medical
from sync.merge import RecordState
from sync.policies import Cell

SUITE: Final = FieldName("suite")


def alongside(part: RecordState, booking: RecordState | None) -> RecordState:
    """A medical record where its booking is; any other record, and one that is there, as it is.

    Args:
        part: the record, which may be a part of the booking.
        booking: what it is a part of; None when that has not come yet.

    Returns:
        The record with the booking's suite, said by whoever took the person there. Its version is the caller's to set.
    """
    if part.spec.struct is not Medical or booking is None or booking.spec.struct is not CustodyBooking:
        return part
    there, here = booking.cells[SUITE].said, part.cells[SUITE].said
    if there is None or here is None or there.value == here.value:
        return part
    return msgspec.structs.replace(part, cells={**part.cells, SUITE: Cell(said=there)})
