"""Letting a person go: the pre-release risk assessment on every disposal, and where a charged child sleeps.

Nobody is released without an assessment of the risk to them and to others (DOMAIN, Custody: on every disposal). A child
who is charged and refused bail goes to local-authority accommodation, unless the custody officer certifies one of the
two statutory exceptions (PACE 1984 section 38(6)); what inspectors found is that the exception became the rule.
"""

from typing import Final

from schemas.ids import Millis
from schemas.kinds import CustodyBooking
from schemas.kinds.admission import Basis
from schemas.kinds.booking import BookingStatus, Disposal
from schemas.kinds.care import Belonging, PropertyStep
from schemas.kinds.detention import DetentionEvent, Step
from schemas.kinds.leaving import Placement, PlacementOutcome
from schemas.kinds.timed import standing
from schemas.settings import Settings
from sync.policing.custody import events
from sync.policing.custody.record import Where, age_on, stays

RELEASES: Final = (Step.RELEASED, Step.BAILED, Step.HANDED_TO_COURT)
"""Steps of a detention with which the person goes out."""
_BROUGHT_FOR_COURT: Final = (Basis.WARRANT, Basis.RECALL)
"""Held to be brought before a court, or taken back to prison, without a charge here."""
REMANDS: Final = (Disposal.CHARGED_REMANDED,)


def assessed(booking: CustodyBooking, settings: Settings, now: Millis) -> bool:
    """Whether a release that is made now has been assessed: since the person last came, also from bail."""
    if booking.disposal is not None and booking.disposal.value in settings.care.released_without_assessment:
        return True
    came = [one.since for one in stays(booking, now) if one.where is Where.SUITE]
    since = came[-1] if came else Millis(0)
    return any(since <= one.at <= now for one in standing(booking.release_assessments))


def leaves(before: CustodyBooking | None, after: CustodyBooking, added: tuple[DetentionEvent, ...]) -> bool:
    """Whether a change lets the person go.

    Args:
        before, after: the record without the change, and with it.
        added: the steps of the detention that the change adds.
    """
    was = None if before is None else before.status
    released = after.status == BookingStatus.RELEASED != was
    return released or any(one.what in RELEASES for one in added)


def placement_problem(booking: CustodyBooking, settings: Settings, now: Millis) -> str | None:
    """What is missing before a charged child is refused bail and kept; None when nothing is (section 38(6), (7))."""
    placed = standing(booking.placements)
    if not placed:
        return "nothing is recorded of the accommodation that was sought from a local authority"
    return _exception_problem(placed[-1], age_on(booking.born, now), settings)


def _exception_problem(last: Placement, age: int | None, settings: Settings) -> str | None:
    if last.asked is None:
        return "the local authority that was asked is not named"
    if last.outcome == PlacementOutcome.LOCAL_AUTHORITY:
        return None
    if last.reason is None or last.certificate is None:
        return "an exception has its reason and the certificate for the court (section 38(7))"
    least = settings.care.secure_accommodation_age
    if last.outcome == PlacementOutcome.NO_SECURE_ACCOMMODATION and (age is None or age < least):
        return f"the lack of secure accommodation keeps nobody under {least}, and nobody whose age is not known"
    return None


def escort_problem(booking: CustodyBooking, now: Millis) -> str | None:
    """What is missing before a person is handed over to a court; None when nothing is.

    Whoever takes them must know what the custody officer knows of their risks: it goes with them in the person escort
    record (College of Policing, detention and custody: moving and transporting detainees).
    """
    came = [one.since for one in stays(booking, now) if one.where is Where.SUITE]
    since = came[-1] if came else Millis(0)
    handed = [one for one in standing(booking.court_handovers) if since <= one.at <= now]
    if not handed:
        return "it is not recorded to which court, and with which escort record"
    if handed[-1].escort_record is None:
        return "the number of the escort record is not recorded"
    return None


def for_court(booking: CustodyBooking, now: Millis) -> bool:
    """Whether a court is to see the person: they are charged, or held on a warrant or a recall."""
    charged = events.held(booking.detention, now).of(Step.CHARGED, Step.CHARGED_BAIL_REFUSED)
    return bool(charged) or booking.basis in _BROUGHT_FOR_COURT


def outstanding(booking: CustodyBooking, now: Millis) -> tuple[Belonging, ...]:
    """What was taken from the person and of which nothing says where it is now, in order of time."""
    last: dict[str, Belonging] = {}
    for one in standing(booking.belongings):
        if one.at <= now:
            last[one.item] = one
    return tuple(one for one in last.values() if one.step == PropertyStep.TAKEN)
