"""What is done for and with a person in custody: checks, care, belongings, searches (PACE Code C 4, 8, 9)."""

from typing import Annotated

import msgspec

from schemas.ids import MillisInt
from schemas.kinds.common import Line, Note
from schemas.kinds.detention import Rank
from schemas.kinds.timed import Corrigible, Timed
from schemas.tokens import Token

SEARCHERS_MAX = 8
"""People present at one search."""


class ObservationLevel(Token):
    """Observation levels 1 to 4: general, intermittent, constant, close proximity."""

    L1 = "l1"
    L2 = "l2"
    L3 = "l3"
    L4 = "l4"


class Response(Token):
    """What the officer met at a check."""

    AWAKE = "awake"
    ROUSED = "roused"
    ASLEEP = "asleep"
    NO_RESPONSE = "no-response"


class Place(Token):
    """Where a detainee was seen."""

    CELL = "cell"
    SUITE = "suite"
    """Elsewhere in the suite: at the desk, in an interview, in the yard, with the nurse."""
    HOSPITAL = "hospital"
    COURT = "court"
    VEHICLE = "vehicle"


class Check(Corrigible, frozen=True, kw_only=True, omit_defaults=True):
    """One observation of a detainee, made by one person at one time. There is no bulk entry (IOPC 2020, 2021).

    Attributes:
        checked_at: when the officer looked (ms since 1970); when it was recorded is its stamp's.
        where: cell, hospital, court: where the detainee was seen, in words.
        response: what the officer met.
        note: anything else.
        place: where, for the rules; older programs say it in words alone.
    """

    checked_at: MillisInt
    where: Line
    response: Response
    note: Note | None = None
    place: Place | None = None

    def happened(self) -> int:
        """When the officer looked."""
        return self.checked_at


class Provision(Token):
    """What was seen to. Medication is in the medical record."""

    MAIN_MEAL = "main-meal"
    LIGHT_MEAL = "light-meal"
    DRINK = "drink"
    REST = "rest"
    EXERCISE = "exercise"
    WASH = "wash"
    CLOTHING = "clothing"
    HEALTH_CARE_ASKED = "health-care-asked"
    """A health care professional was asked to come; what they found is in the medical record."""
    CELL_FOR_CHILD = "cell-for-child"
    """Why somebody under 18 was placed in a cell: the note says it (Code C 8.8, 8.10)."""


class Care(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """Something seen to (Code C 8, 9, 12.2).

    Attributes:
        what: which.
        declined: whether it was offered and not wanted.
        until: of a rest: when it ended or was broken (ms since 1970); None while it lasts.
        note: anything else: a diet, why a rest was broken.
    """

    what: Provision
    declined: bool = False
    until: MillisInt | None = None
    note: Note | None = None

    def sort(self) -> str:
        """What was seen to."""
        return str(self.what.value)


class PropertyStep(Token):
    """What became of a thing."""

    TAKEN = "taken"
    LEFT_WITH_DETAINEE = "left-with-detainee"
    RETURNED = "returned"
    KEPT_AS_EVIDENCE = "kept-as-evidence"
    HANDED_ON = "handed-on"


class Signature(Token):
    """Whether the detainee signed for it (Code C 4.4: a refusal is recorded)."""

    SIGNED = "signed"
    REFUSED = "refused"
    UNABLE = "unable"


class Belonging(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """Something that became of a detainee's thing (Code C 4).

    Attributes:
        step: what.
        item: the thing, in words.
        bag: number of the sealed bag.
        signature: whether the detainee signed; None while nobody was asked.
        to: who has it now, of one that was handed on.
        note: anything else: why it was taken.
    """

    step: PropertyStep
    item: Line
    bag: Line | None = None
    signature: Signature | None = None
    to: Line | None = None
    note: Note | None = None

    def sort(self) -> str:
        """The thing."""
        return self.item


class Extent(Token):
    """How far a search goes (Code C 4.1, Annex A)."""

    OUTER_CLOTHING = "outer-clothing"
    STRIP = "strip"
    INTIMATE = "intimate"


class AdultAtSearch(Token):
    """Whether the appropriate adult was there, of a juvenile or vulnerable person (Annex A 5, 11(c))."""

    PRESENT = "present"
    DECLINED_BY_DETAINEE = "declined-by-detainee"
    """The detainee said in the adult's presence that they did not want it, and the adult agreed."""
    URGENT = "urgent"
    """A risk of serious harm did not allow waiting."""


class Search(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """One search of the person (PACE 1984 section 54, 55; Code C Annex A).

    Attributes:
        extent: how far it went.
        reason: why it was thought needed.
        authority: who authorised it.
        rank: their rank.
        by: who carried it out, and who else was present.
        same_sex: whether all of those were of the detainee's sex.
        adult: the appropriate adult at it.
        place: where.
        result: what was found.
    """

    extent: Extent
    reason: Note | None = None
    authority: Line | None = None
    rank: Rank | None = None
    by: Annotated[tuple[Line, ...], msgspec.Meta(max_length=SEARCHERS_MAX)] = ()
    same_sex: bool | None = None
    adult: AdultAtSearch | None = None
    place: Line | None = None
    result: Note | None = None


class SafetyStep(Token):
    """What happened at a place of safety (Mental Health Act 1983 sections 136 to 136C)."""

    CONSULTED = "consulted"
    """A doctor, nurse or approved mental health professional was asked before the removal (section 136(1C))."""
    ARRIVED = "arrived"
    ASSESSED = "assessed"
    EXTENDED = "extended"
    ENDED = "ended"


class Safety(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to a person held under section 136; what clinicians found is in the medical record.

    Attributes:
        step: what.
        by: who was consulted, assessed or extended.
        approved_by: of an extension at a police station: the superintendent who approved it (section 136B(4)).
        until: of an extension: when it ends (ms since 1970).
        note: the reason: of a consultation, why it was not practicable.
    """

    step: SafetyStep
    by: Line | None = None
    approved_by: Line | None = None
    until: MillisInt | None = None
    note: Note | None = None

    def sort(self) -> str:
        """What happened."""
        return str(self.step.value)
