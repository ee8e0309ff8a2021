"""A person held under section 136 of the Mental Health Act 1983: how long, and who may extend it.

24 hours from the arrival at the place of safety (section 136A and 136(2A)); a registered medical practitioner may
extend it once, by up to 12 hours, before it has passed (section 136B(1) to (3)); at a police station with the approval
of an officer of the rank of superintendent or above (section 136B(4)). A police station is no place of safety for
anybody under 18 (section 136A(1)).
"""

from schemas.ids import Millis
from schemas.kinds import CustodyBooking
from schemas.kinds.care import Safety, SafetyStep
from schemas.kinds.timed import standing
from schemas.settings import Settings
from schemas.settings.care import CareSettings
from sync.policing.custody.record import DETENTION_S136, came_at


def applies(booking: CustodyBooking) -> bool:
    """Whether the person is held for an assessment."""
    return booking.basis in DETENTION_S136


def steps(booking: CustodyBooking, now: Millis, step: SafetyStep) -> list[Safety]:
    """What happened by now, of one sort, in order of time."""
    return [one for one in standing(booking.place_of_safety) if one.step == step and one.at <= now]


def began_at(booking: CustodyBooking, now: Millis) -> Millis:
    """From when the 24 hours run (ms since 1970): the first arrival at a place of safety, wherever that was."""
    first = steps(booking, now, SafetyStep.ARRIVED)
    return min(first[0].at, came_at(booking, now)) if first else came_at(booking, now)


def ends_at(booking: CustodyBooking, settings: Settings, now: Millis) -> Millis | None:
    """When the power to hold the person ends (ms since 1970); None when they are not held under it, or no longer.

    An extension that lacks what it must have (`extension_problem`) extends nothing.
    """
    if not applies(booking) or steps(booking, now, SafetyStep.ENDED):
        return None
    start = began_at(booking, now)
    limit = Millis(start + settings.care.place_of_safety_ms)
    valid = [
        one.until
        for one in steps(booking, now, SafetyStep.EXTENDED)
        if one.until is not None and extension_problem(one, start, settings.care) is None
    ]
    return max([limit, *valid])


def extension_problem(entry: Safety, start: Millis, settings: CareSettings) -> str | None:
    """What an extension lacks, in words; None when it is one.

    Args:
        entry: the entry.
        start: from when the 24 hours run (ms since 1970).
        settings: the force's.
    """
    limit = start + settings.place_of_safety_ms
    if entry.at >= limit:
        return "it was made after the time had passed"
    if entry.by is None:
        return "the registered medical practitioner who extends it is named"
    if entry.approved_by is None:
        return "at a police station a superintendent approves it, by name"
    if entry.until is None or not limit < entry.until <= limit + settings.place_of_safety_extension_ms:
        hours = settings.place_of_safety_extension_ms // 3_600_000
        return f"its end is recorded, at most {hours} hours after the first limit"
    return None
