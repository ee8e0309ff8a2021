"""Who is placed where in a suite: nobody under 18 in a cell, unless it is said why.

PACE Code C 8.8: not in a cell unless no other secure accommodation is available and the custody officer considers that
it is not practicable to supervise the young person elsewhere, or that a cell is more comfortable than the other secure
accommodation there; never with a detained adult. 8.10: the reason is recorded. Asked when a cell is taken for them and
when they are seen in one; the reason stands in the custody record (`Provision.CELL_FOR_CHILD`), and the prompt goes.
"""

from collections.abc import Iterator
from typing import Any, Final

from schemas.ids import FieldName, Millis, RecordId, is_record_id
from schemas.kinds import CustodyBooking, Resource
from schemas.kinds.care import Care, Check, Place, Provision
from schemas.kinds.resource import Category
from schemas.kinds.timed import standing
from schemas.settings import Settings
from sync.policing.custody import checks
from sync.policing.custody.looking import added, booking_of
from sync.policing.custody.record import is_child
from sync.policing.guards import Breach, Guard, Look

HOLD: Final = FieldName("hold")
RULE: Final = "custody-child-cell"


def unexplained(booking: CustodyBooking, settings: Settings, now: Millis) -> bool:
    """Whether it is nowhere said why this person, who is treated as under 18, would be in a cell."""
    if not is_child(booking, settings, now):
        return False
    said = any(one.what == Provision.CELL_FOR_CHILD for one in standing(booking.care))
    # Whoever went on with a reason has said it: nobody is asked at every check.
    return not said and not any(entry.overrides == RULE for entry in booking.log)


def in_a_cell(detainee: str) -> Breach:
    """What the rule has against it."""
    return Breach(
        rule=RULE,
        why=f"{detainee} is treated as under 18. Nobody under 18 is placed in a cell while there is other secure "
        "accommodation, or somewhere else to supervise them.",
        remedy="Use another room; or enter under care, as cell-for-child, why it had to be one. Never with an adult.",
        source="PACE Code C 8.8, 8.10",
        override=True,
    )


def holder_of(hold: Any) -> RecordId | None:  # noqa: ANN401  a change's plain value
    """The record for which a claim is made; None where it is for a person or a unit, or given up."""
    holder = hold.get("holder") if isinstance(hold, dict) else getattr(hold, "holder", None)
    return RecordId(holder) if isinstance(holder, str) and is_record_id(holder) else None


def child_seen_in_a_cell(look: Look) -> Iterator[Breach]:
    """Why somebody under 18 is in a cell stands in their custody record (Code C 8.8, 8.10)."""
    booking = booking_of(look)
    if booking is None:
        return
    for entry in added(look, "care", Care):
        if entry.what == Provision.CELL_FOR_CHILD and entry.note is None:
            yield Breach(
                rule="custody-child-cell-reason",
                why="This says that a child is in a cell, and not why.",
                remedy="Enter the reason as the note.",
                source="PACE Code C 8.10",
            )
    seen = any(checks.place_of(one, look.settings.care) is Place.CELL for one in added(look, "checks", Check))
    if seen and unexplained(booking, look.settings, look.now):
        yield in_a_cell(booking.detainee)


def cell_for_a_child(look: Look) -> Iterator[Breach]:
    """A cell is not taken for somebody under 18 without a reason."""
    resource = look.after
    if not isinstance(resource, Resource) or resource.category != Category.CELL or not look.sets(HOLD):
        return
    holder = holder_of(look.changes[HOLD])
    booking = None if holder is None else look.find(holder)
    if isinstance(booking, CustodyBooking) and unexplained(booking, look.settings, look.now):
        yield in_a_cell(booking.detainee)


RESOURCE_GUARDS: Final[tuple[Guard, ...]] = (cell_for_a_child,)
