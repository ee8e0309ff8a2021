"""What must be settled before a person leaves a suite: their risk outside, their things, who takes them, a bed."""

from collections.abc import Iterator
from typing import Final

from schemas.kinds.detention import DetentionEvent, Step
from sync.policing.custody import disposals
from sync.policing.custody.looking import added, before_of, booking_of, moment_of
from sync.policing.custody.record import is_child
from sync.policing.guards import Breach, Guard, Look


def released_after_assessment(look: Look) -> Iterator[Breach]:
    """No release without a pre-release risk assessment; what was taken is given back or accounted for (Code C 4)."""
    booking = booking_of(look)
    if booking is None:
        return
    if not disposals.leaves(before_of(look), booking, added(look, "detention", DetentionEvent)):
        return
    if not disposals.assessed(booking, look.settings, moment_of(look)):
        yield Breach(
            rule="custody-pre-release",
            why="This lets the person go, and the risk of that has not been assessed.",
            remedy="Enter a pre-release risk assessment; it may be in the same change.",
            source="College of Policing, detention and custody: release; DOMAIN, Custody",
        )
    left = disposals.outstanding(booking, look.now)
    if left:
        yield Breach(
            rule="custody-property-outstanding",
            why=f"Nothing says where the person's things are: {', '.join(one.item for one in left[:5])}.",
            remedy="Enter what was returned, kept or handed on.",
            source="PACE Code C 4.1",
            override=True,
        )


def escorted_with_a_record(look: Look) -> Iterator[Breach]:
    """Who goes to court goes with an escort record, and is charged or held for a court (PACE 1984 section 46)."""
    booking = booking_of(look)
    if booking is None:
        return
    if not any(one.what == Step.HANDED_TO_COURT for one in added(look, "detention", DetentionEvent)):
        return
    problem = disposals.escort_problem(booking, moment_of(look))
    if problem is not None:
        yield Breach(
            rule="custody-escort-record",
            why=f"The person is handed over to a court, and {problem}.",
            remedy="Enter the court and the person escort record, under court handovers; it may be in the same change.",
            source="College of Policing, detention and custody: moving and transporting detainees",
        )
    if not disposals.for_court(booking, moment_of(look)):
        yield Breach(
            rule="custody-court-uncharged",
            why="The person is handed over to a court, and is neither charged nor held on a warrant or a recall.",
            remedy="Enter the charge, or on what basis they are held.",
            source="PACE 1984 s.46",
            override=True,
        )


def charged_child_has_a_bed(look: Look) -> Iterator[Breach]:
    """A child who is charged and refused bail is not kept in a cell for want of asking (section 38(6))."""
    booking = booking_of(look)
    if booking is None:
        return
    remanded = look.sets("disposal") and booking.disposal in disposals.REMANDS
    kept = any(one.what == Step.CHARGED_BAIL_REFUSED for one in added(look, "detention", DetentionEvent))
    if not (remanded or kept) or not is_child(booking, look.settings, look.now):
        return
    problem = disposals.placement_problem(booking, look.settings, look.now)
    if problem is not None:
        yield Breach(
            rule="custody-child-accommodation",
            why=f"This person is treated as under 18 and is refused bail; {problem}.",
            remedy="Enter what the local authority was asked and said, under placements; or the exception, certified.",
            source="PACE 1984 s.38(6) and (7)",
        )


GUARDS: Final[tuple[Guard, ...]] = (released_after_assessment, escorted_with_a_record, charged_child_has_a_bed)
