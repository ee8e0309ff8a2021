"""Stop and search: one record for each person or vehicle that was searched (PACE 1984 sections 2 and 3, Code A part 4).

There is no field for a name. The law does not ask for one (Code A 4.3), and what is not kept cannot leave with what is
published. The words of powers, objects and outcomes are the force's settings (`schemas.settings.powers`); what is the
same for every force is declared here.
"""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, OfficerText, RecordText, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Line, LogEntry, Note, Position
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, grow, latest, once, tags
from schemas.retention import RetentionGroup
from schemas.rights import CLOSING, POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

DAY_MS: Final = 24 * 60 * 60_000


class Searched(Token):
    """What was searched."""

    PERSON = "person"
    VEHICLE = "vehicle"
    BOTH = "person-and-vehicle"


class Gender(Token):
    """As the officer sees it or is told."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


class AgeRange(Token):
    """How old somebody is, in the ranges that are published."""

    UNDER_10 = "under-10"
    FROM_10 = "10-17"
    FROM_18 = "18-24"
    FROM_25 = "25-34"
    OVER_34 = "over-34"


class Ethnicity(Token):
    """Self-defined: the codes of the 2011 census as the police use them (Code A, annex B: 18+1), in lower case."""

    W1 = "w1"
    W2 = "w2"
    W3 = "w3"
    W9 = "w9"
    M1 = "m1"
    M2 = "m2"
    M3 = "m3"
    M9 = "m9"
    A1 = "a1"
    A2 = "a2"
    A3 = "a3"
    A4 = "a4"
    A9 = "a9"
    B1 = "b1"
    B2 = "b2"
    B9 = "b9"
    O2 = "o2"
    O9 = "o9"
    NS = "ns"


class EthnicGroup(Token):
    """Officer-defined: the group that the officer sees."""

    ASIAN = "asian"
    BLACK = "black"
    MIXED = "mixed"
    OTHER = "other"
    WHITE = "white"


class Told(Token):
    """What somebody is told before they are searched (PACE section 2(3), Code A 3.8): GOWISELY."""

    GROUNDS = "grounds"
    OBJECT = "object"
    WARRANT_CARD = "warrant-card"
    IDENTITY = "identity"
    STATION = "station"
    ENTITLEMENT = "entitlement"
    LEGAL_POWER = "legal-power"
    DETAINED = "detained"


class Extent(Token):
    """How far a search went (Code A 3.5 to 3.7)."""

    OUTER = "outer-clothing"
    MORE = "more-than-outer"
    INTIMATE = "intimate-parts-exposed"


class Clothing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a search went, and why.

    Attributes:
        extent: how far.
        why: what made more than outer clothing necessary.
        authority: collar number of who agreed to it.
        out_of_view: whether it was out of public view.
        same_sex: whether those who searched were of the searched person's sex, and nobody of the other was there.
        place: where: a police station, a van.
    """

    extent: Extent
    why: Note | None = None
    authority: OfficerText | None = None
    out_of_view: bool | None = None
    same_sex: bool | None = None
    place: Line | None = None


class SearchReview(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor has looked at a search. Who it was is its stamp's.

    Attributes:
        reviewed_at: when (ms since 1970).
        reasonable: whether the grounds were reasonable.
        finding: what was found, and what follows from it.
    """

    reviewed_at: MillisInt
    reasonable: bool
    finding: Note


STANDS: Final = Asks(
    roles=(Role.SUPERVISOR,),
    within_ms=DAY_MS,
    then=(Role.SUPERINTENDENT,),
    safe_because="What was written at the time stands, so that no reason for what was done is made up afterwards.",
)
"""Of what an officer writes down about a power that they used."""


@record_kind(
    "stop-search",
    retention=RetentionGroup.MISCELLANEOUS,
    rights=Rights(
        makers=POLICE,
        writers=POLICE,
        because="Whoever searches writes it down, at once where that can be done (PACE 1984 section 3).",
    ),
)
class StopSearch(Kind, frozen=True, kw_only=True):
    """One stop and search.

    Attributes:
        searched_at: when (ms since 1970).
        area: slug of the Local Policing Area.
        officer: collar number of who searched.
        searched: what was searched.
        power: code of the power, as the settings list it.
        object: code of what was looked for, as the settings list it.
        grounds: why the officer suspected it; of a power that rests on an authorisation, what that says (Code A 4.3).
        authority: who authorised searches here, and until when, where the power rests on that.
        location, position: where; neither is published as it is.
        operation: the policing operation that it was part of, as it is published.
        gender, age_range: of whom.
        self_ethnicity: as they say.
        officer_ethnicity: as the officer sees it.
        told: what they were told before the search.
        clothing: how far it went.
        outcome: code of how it ended, as the settings list it.
        linked: whether what followed was for the object that was looked for.
        incident: the incident that it belongs to.
        reviews: the supervisors' reviews.
        log: anything else.
        compartment: slug of the compartment that it is closed in.
    """

    searched_at: Annotated[MillisInt, once, STANDS]
    area: Annotated[
        SlugText,
        latest,
        writes(*SUPERVISING, because="Another area takes the search out of the sight of those who review it now."),
    ]
    officer: Annotated[OfficerText, once, STANDS]
    searched: Annotated[Searched, latest]
    power: Annotated[SlugText, once, STANDS]
    object: Annotated[SlugText, once, STANDS]
    grounds: Annotated[Note, once, STANDS]
    authority: Annotated[Line | None, latest] = None
    location: Annotated[Line | None, latest] = None
    position: Annotated[Position | None, latest] = None
    operation: Annotated[Line | None, latest] = None
    gender: Annotated[Gender | None, latest] = None
    age_range: Annotated[AgeRange | None, latest] = None
    self_ethnicity: Annotated[Ethnicity | None, latest] = None
    officer_ethnicity: Annotated[EthnicGroup | None, latest] = None
    told: Annotated[tuple[Told, ...], tags] = ()
    clothing: Annotated[Clothing | None, once, STANDS] = None
    outcome: Annotated[SlugText | None, latest] = None
    linked: Annotated[bool | None, latest] = None
    incident: Annotated[RecordText | None, latest] = None
    reviews: Annotated[
        tuple[SearchReview, ...],
        grow,
        writes(*SUPERVISING, because="A search is reviewed by a supervisor (Code A 5.1)."),
    ] = ()
    log: Annotated[tuple[LogEntry, ...], grow] = ()
    compartment: Annotated[SlugText | None, latest, CLOSING] = None

    def scopes(self) -> frozenset[ScopeName]:
        """The area; when it is in a compartment, that and nothing else."""
        if self.compartment is not None:
            return frozenset({scopes.compartment(self.compartment)})
        return frozenset({scopes.area(self.area)})
