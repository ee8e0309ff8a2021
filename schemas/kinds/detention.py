"""What happens in a detention that its two clocks go by: entries of a booking (PACE 1984 Part IV, Code C section 15).

One Struct serves every step, with what only some steps have left out, so that a program of an earlier version shows a
step that it does not know as an unknown word instead of refusing the record. Clocks, limits and reviews are never
stored: `sync.policing.custody` computes them from these entries, so a late entry or a correction moves them by itself.

An entry is corrected by another one that names it by its `ref`. The name comes from what the entry says, not from the
op that brought it: two desks that recorded the same step without sight of each other recorded one step, and what is due
can be told from the record alone, on every device.
"""

import hashlib
from typing import Annotated

import msgspec

from schemas.ids import MillisInt, SlugText
from schemas.kinds.common import Line, Note
from schemas.tokens import Token

EntryRef = SlugText
"""The name of an entry: 16 hexadecimal digits (see `ref`)."""


class Step(Token):
    """What happened."""

    # Coming into detention (section 41(2) to (5)).
    ARREST = "arrest"
    STATION_ARREST = "station-arrest"
    FURTHER_ARREST = "further-arrest"
    ENTERED_COUNTRY = "entered-country"
    ARRIVAL = "arrival"
    STREET_BAIL_RETURN = "street-bail-return"
    AUTHORISED = "authorised"
    REFUSED = "refused"
    QUESTIONED_ELSEWHERE = "questioned-elsewhere"
    # Hospital (section 41(6)).
    LEFT_FOR_HOSPITAL = "left-for-hospital"
    AT_HOSPITAL = "at-hospital"
    QUESTIONED_IN_HOSPITAL = "questioned-in-hospital"
    LEFT_HOSPITAL = "left-hospital"
    BACK_FROM_HOSPITAL = "back-from-hospital"
    # Bail before charge (sections 47 and 46A).
    BAILED = "bailed"
    BAIL_EXTENDED = "bail-extended"
    BAIL_RETURN = "bail-return"
    BAIL_ARREST = "bail-arrest"
    # From one station to another.
    TRANSFER_LEFT = "transfer-left"
    TRANSFER_ARRIVED = "transfer-arrived"
    # Reviews (section 40).
    REVIEW = "review"
    REVIEW_POSTPONED = "review-postponed"
    # Authority to detain longer (sections 42 to 44).
    EXTENSION = "extension"
    EXTENSION_REFUSED = "extension-refused"
    WARRANT_APPLIED = "warrant-applied"
    WARRANT = "warrant"
    WARRANT_EXTENDED = "warrant-extended"
    WARRANT_REFUSED = "warrant-refused"
    # The end.
    CHARGED = "charged"
    CHARGED_BAIL_REFUSED = "charged-bail-refused"
    HANDED_TO_COURT = "handed-to-court"
    """Taken to a court and no longer in police detention (PACE 1984 sections 46 and 118(2))."""
    RELEASED = "released"
    # An entry that should not have been made.
    WITHDRAWN = "withdrawn"


class Rank(Token):
    """The rank of whoever decides; for a court's decision, the court."""

    CONSTABLE = "constable"
    SERGEANT = "sergeant"
    INSPECTOR = "inspector"
    CHIEF_INSPECTOR = "chief-inspector"
    SUPERINTENDENT = "superintendent"
    CHIEF_SUPERINTENDENT = "chief-superintendent"
    ASSISTANT_CHIEF_CONSTABLE = "assistant-chief-constable"
    COURT = "court"


class Manner(Token):
    """How a review was carried out (sections 40, 40A and 45A)."""

    IN_PERSON = "in-person"
    TELEPHONE = "telephone"
    VIDEO = "video"


class Outcome(Token):
    """What a review decided."""

    CONTINUED = "continued"
    RELEASE = "release"
    CHARGE = "charge"


class DetentionEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a detention. Author, device and the time of recording are its stamp's.

    Attributes:
        what: which step.
        at: when it happened (ms since 1970).
        until: of questioning: when it ended (ms since 1970).
        suite: slug of the custody suite where it happened.
        area: slug of the police area where it happened.
        sought_in: slug of the police area in which the arrest was sought (section 41(3) and (5)).
        treatment: of leaving for hospital: whether for medical treatment; without it the clock does not stop.
        by: who decided or carried it out: a collar number, a name, a court.
        rank: their rank.
        involved: whether they are directly involved in the investigation.
        manner: of a review: how.
        outcome: of a review: what it decided.
        indictable: of an extension or warrant: whether an offence is indictable.
        represented: of an extension: whether the detainee and the solicitor could make representations, and they were
            considered.
        hours: of a warrant: the period it states, in whole hours; of an extension: the total that it allows, counted
            from the relevant time.
        months: of bail extended: the total that it allows, in calendar months.
        court_cannot_sit: of an application for a warrant: no court can sit when 36 hours have passed, and one will
            within the 6 hours after (section 43(5)(b)).
        earlier_ms: of a return on bail: detention that had counted in another record (ms).
        reason: the grounds, or why.
        corrects: the entry that this one replaces or withdraws; the old one stays in the record.
    """

    what: Step
    at: MillisInt
    until: MillisInt | None = None
    suite: SlugText | None = None
    area: SlugText | None = None
    sought_in: SlugText | None = None
    treatment: bool | None = None
    by: Line | None = None
    rank: Rank | None = None
    involved: bool | None = None
    manner: Manner | None = None
    outcome: Outcome | None = None
    indictable: bool | None = None
    represented: bool | None = None
    hours: Annotated[int, msgspec.Meta(ge=0, le=1_000)] | None = None
    months: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    court_cannot_sit: bool | None = None
    earlier_ms: MillisInt | None = None
    reason: Note | None = None
    corrects: EntryRef | None = None


def ref(event: DetentionEvent) -> str:
    """The name by which another entry corrects this one.

    The first 16 hexadecimal digits of the SHA-256 of the MessagePack of [what, at, by, corrects]. Never of more: a
    program that does not know a later part of an entry must come to the same name. `corrects` is in it, so the
    correction of a correction is another entry even when it says what the first had said.
    """
    said = [event.what.value, event.at, event.by, event.corrects]
    return hashlib.sha256(msgspec.msgpack.encode(said)).hexdigest()[:16]
