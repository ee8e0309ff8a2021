"""Children, vulnerable and pregnant people in custody: what the law forbids, and what must be asked.

A police station is no place of safety for anybody under 18 (Mental Health Act 1983 section 136A(1)). Whoever appears to
be under 18 is treated so (PACE Code C 1.5) and has an appropriate adult, as has whoever may be vulnerable (1.4, 1.7).
What the law leaves to judgement is prompted, and gone on with for a reason.
"""

import msgspec

from schemas.ids import Millis
from schemas.kinds import CustodyBooking
from schemas.kinds.admission import Need
from schemas.kinds.booking import AppropriateAdult
from schemas.kinds.care import Provision
from schemas.settings import Settings
from sync.policing.custody.care import done
from sync.policing.custody.record import is_child, needs_adult
from sync.policing.custody.safety import applies


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """Something to see to, of one person.

    Attributes:
        rule: its id.
        why: what is not seen to yet.
        remedy: how to see to it.
        source: where it is laid down.
    """

    rule: str
    why: str
    remedy: str
    source: str


def held_unlawfully(booking: CustodyBooking, settings: Settings, now: Millis) -> bool:
    """Whether a person under 18 is held here under section 136: they are to be taken elsewhere at once."""
    return applies(booking) and is_child(booking, settings, now)


def adult_denied(booking: CustodyBooking, settings: Settings, now: Millis) -> bool:
    """Whether the record says that somebody under 18 needs no appropriate adult (Code C 1.5, 1.7(a))."""
    return booking.appropriate_adult == AppropriateAdult.NOT_NEEDED and is_child(booking, settings, now)


def prompts(booking: CustodyBooking, settings: Settings, now: Millis) -> tuple[Prompt, ...]:
    """What to see to when detention is authorised."""
    found = []
    if needs_adult(booking, settings, now) and not booking.adults:
        found.append(
            Prompt(
                rule="custody-adult-not-asked",
                why="This person must have an appropriate adult, and nobody has been asked to come.",
                remedy="Ask one, and enter it under adults.",
                source="PACE Code C 3.15",
            )
        )
    if Need.PREGNANT in booking.needs and not done(booking, now, Provision.HEALTH_CARE_ASKED):
        found.append(
            Prompt(
                rule="custody-pregnant-no-health-care",
                why="This person is pregnant, and no health care professional has been asked to see them.",
                remedy="Ask one, and enter it under care.",
                source="PACE Code C 9.5; College of Policing, pregnancy and childbirth in custody",
            )
        )
    return tuple(found)
