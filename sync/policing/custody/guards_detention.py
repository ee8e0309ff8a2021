"""What a step of a detention lacks, or contradicts, told to whoever is about to enter it: asked, never refused.

The clocks take every step that is recorded and tell what speaks against it, in the detainee's favour (`clocks`). Told
only afterwards, on a screen, that comes too late: the superintendent who extended without the second review has gone
home. So the same words are said before the step is written. It may be right all the same (a late entry, an order that
nobody foresaw): it goes on with a reason, and counts as the clocks say.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds import CustodyBooking
from schemas.kinds.detention import DetentionEvent, Step, ref
from schemas.settings import Settings
from sync.policing.custody import clocks
from sync.policing.custody.events import Contradiction
from sync.policing.custody.relevant import Facts
from sync.policing.guards import Breach, Guard, Look

_ENTRIES: Final = FieldName("detention")
_TO_COME: Final = "custody-time-to-come"
_REFUSED: Final = "custody-refused"
_LOOK_AGAIN: Final = "Look at it again, and at what it contradicts; correct or withdraw what is wrong."
_LEFT: Final = "Enter first when they left, or were bailed, or released."
_LACKING: Final = "Enter it with what it lacks; as it is, nobody may be held longer by it."
_REMEDIES: Final[Mapping[str, str]] = {
    "custody-bail-extension": "Enter it with what it lacks; as it is, bail ends as before.",
    "custody-earlier-detention": "Enter the detention that had counted, from the earlier custody record.",
    "custody-extension": _LACKING,
    "custody-hospital-journey": "Enter first when they left for hospital.",
    "custody-questioning-end": "Enter when the questioning ended; until then it counts.",
    "custody-return-as-arrival": "Enter it as the return that it was.",
    "custody-return-not-recorded": "Enter first when they came back.",
    "custody-return-without-leaving": _LEFT,
    "custody-review-late": "Enter the reason with the review, or the postponement before it.",
    "custody-review-not-counted": "Enter who reviewed, with their rank; or have another officer review.",
    "custody-review-twice": "Leave it out, if it tells of the same review.",
    _TO_COME: "Enter a step when it has happened.",
    "custody-warrant": _LACKING,
}
"""Rule of a contradiction -> how to go on."""


def fits_the_rest(look: Look) -> Iterator[Breach]:
    """A step that the clocks would find something against, or a time of the booking that is still to come."""
    after, before = look.after, look.before
    times = any(look.sets(name) for name in Facts.__struct_fields__)
    if not isinstance(after, CustodyBooking) or not (times or look.sets(_ENTRIES)):
        return
    added = frozenset(map(ref, entries_of(look)))
    known = found(before, look.settings, look.now) if isinstance(before, CustodyBooking) else frozenset()
    for one in sorted(found(after, look.settings, look.now) - known, key=lambda one: (one.rule, one.words)):
        # What another entry lacks is not this author's to mend.
        if added.isdisjoint(one.refs) and not (times and one.rule == _TO_COME and not one.refs):
            continue
        # That detention was refused is no fault of the entry that says so, unless somebody authorised it.
        if one.rule == _REFUSED and not _authorised(after):
            continue
        yield Breach(
            rule=one.rule,
            why=one.words,
            remedy=_REMEDIES.get(one.rule, _LOOK_AGAIN),
            source="PACE 1984 Part IV; Code C 15",
            override=True,
        )


def reviewed_by_another(look: Look) -> Iterator[Breach]:
    """Before charge nobody reviews who is directly involved in the investigation (PACE 1984 section 40(1)(b))."""
    after = look.after
    if not isinstance(after, CustodyBooking):
        return
    for event in entries_of(look):
        if event.what is not Step.REVIEW or event.involved is not None:
            continue
        charged_at = clocks.of_booking(after, look.settings.custody, look.now).charged_at
        if charged_at is None or event.at < charged_at:
            yield Breach(
                rule="custody-review-involved",
                why="Whether the reviewing officer is directly involved in the investigation is not said.",
                remedy="Enter that they are not; if they are, another officer must review.",
                source="PACE 1984 s.40(1)(b)",
                override=True,
            )


def entries_of(look: Look) -> tuple[DetentionEvent, ...]:
    """The steps that a change adds."""
    return msgspec.convert(look.changes.get(_ENTRIES, []), tuple[DetentionEvent, ...])


def found(booking: CustodyBooking, settings: Settings, now: Millis) -> frozenset[Contradiction]:
    """What speaks against a booking's steps; a watch may stand a little ahead of the clock."""
    moment = Millis(now + settings.care.early_entry_ms)
    return frozenset(clocks.of_booking(booking, settings.custody, moment).contradictions)


def _authorised(booking: CustodyBooking) -> bool:
    return booking.detention_authorised_at is not None or any(one.what is Step.AUTHORISED for one in booking.detention)


GUARDS: Final[tuple[Guard, ...]] = (fits_the_rest, reviewed_by_another)
"""In the order in which an officer is told."""
