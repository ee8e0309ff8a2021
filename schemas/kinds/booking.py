"""A custody booking: one person's detention at one suite (PACE 1984 sections 34 to 46, Code C; DOMAIN, Custody).

Two clocks run in custody and confusing them is the classic error, so both starting points are fields of their own:
`relevant_time` (section 41, the detention clock) and `detention_authorised_at` (section 40, the review clock).
"""

from typing import Annotated, Final

from schemas import scopes
from schemas.ids import MillisInt, RecordText, ScopeName, SlugText
from schemas.kinds.admission import (
    Adult,
    Basis,
    InterpreterNeed,
    Interpreting,
    Juvenile,
    Need,
    RightEntry,
    Risk,
    RiskAssessment,
)
from schemas.kinds.base import Kind
from schemas.kinds.care import Belonging, Care, Check, ObservationLevel, Response, Safety, Search
from schemas.kinds.common import DateText, Line, LogEntry, Marker
from schemas.kinds.detention import DetentionEvent
from schemas.kinds.leaving import CourtHandover, Placement, PreRelease
from schemas.kinds.registry import record_kind
from schemas.policies import (
    SAFE_NOTHING,
    SAFE_TOGETHER,
    Asks,
    Retired,
    flow,
    grow,
    highest,
    judged,
    latest,
    once,
    rising,
    safest_first,
    state,
    tags,
)
from schemas.retention import RetentionGroup
from schemas.rights import IN_CUSTODY, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

__all__ = [
    "AppropriateAdult",
    "BookingStatus",
    "Check",
    "CustodyBooking",
    "Disposal",
    "ObservationLevel",
    "Response",
    "Risk",
]

MINUTE_MS: Final = 60_000


class BookingStatus(Token):
    """Where the detention stands."""

    ARRIVED = "arrived"
    DETAINED = "detained"
    HOSPITAL = "hospital"
    COURT = "court"
    RELEASED = "released"


class AppropriateAdult(Token):
    """Whether the detainee must have an appropriate adult (Code C 1.7: under 18, or vulnerable)."""

    NEEDED = "needed"
    NOT_NEEDED = "not-needed"


class Disposal(Token):
    """How the detention ended (DOMAIN, Custody)."""

    CHARGED_REMANDED = "charged-remanded"
    CHARGED_BAILED = "charged-bailed"
    BAIL = "bail"
    UNDER_INVESTIGATION = "under-investigation"
    NO_FURTHER_ACTION = "no-further-action"
    CAUTION = "caution"
    COMMUNITY_RESOLUTION = "community-resolution"
    PENALTY_NOTICE = "penalty-notice"
    RECALL = "recall"
    COURT = "court"
    TRANSFER = "transfer"
    IMMIGRATION = "immigration"
    HOSPITAL = "hospital"
    SECTION_136 = "section-136"
    DEATH = "death"


_TIME = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=30 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="The time that was recorded first stands, so that no clock of the detention jumps by itself.",
)
_CARE = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=15 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="Everything that anybody said is shown: care is given as if all of it were true.",
)


_LINK: Final = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=60 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="The incident from which the person was booked in stays linked, so that the arrest can be found.",
)
_BORN: Final = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=30 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="The day that was recorded first stands; who may be under 18 is treated so all the same.",
)
_CHILD: Final = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=30 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="Whoever appears to be under 18 is treated so until there is clear evidence (PACE Code C 1.5).",
)
_UNDERSTOOD: Final = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=30 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="An interpreter called in vain does less harm than rights that were not understood.",
)


_MEDICAL: Final = Retired(3, "write it in the booking's medical record, which only those named for it see")
_SEEN_BY: Final = writes(
    *IN_CUSTODY,
    because="Whoever looked, searched or dealt with the person records it themselves, timed and in their own name "
    "(PACE Code C 2.6).",
)
_ALARM: Final = "is said at once by whoever sees the need; what follows is for the custody officer (PACE Code C 3.6)."


@record_kind(
    "custody-booking",
    retention=RetentionGroup.CUSTODY,
    rights=Rights(
        makers=(Role.CUSTODY_OFFICER,),
        writers=(Role.CUSTODY_OFFICER,),
        because="The custody officer opens the custody record and answers for it (PACE 1984 section 39, Code C 2).",
    ),
)
class CustodyBooking(Kind, frozen=True, kw_only=True):
    """One detention.

    Attributes:
        suite: slug of the custody suite.
        detainee: the detainee's name.
        arrested_at: when the person was arrested (ms since 1970).
        arrived_at: when the person came to the station (ms since 1970).
        relevant_time: start of the detention clock (PACE section 41), in ms since 1970.
        detention_authorised_at: start of the review clock (PACE section 40), in ms since 1970.
        offence: what for.
        arresting_officer: collar number or name.
        status: where the detention stands.
        cell: which cell, as older programs wrote it; now the cell's own record says who is in it.
        risk: the assessed risk.
        observation: the observation level.
        detention: the steps of the detention that its clocks, limits and reviews are computed from.
        checks: the observations made.
        property_items: what was taken into safe keeping, as older programs wrote it; now `belongings` says it.
        log: the custody log.
        appropriate_adult: whether one is needed.
        medication: what the detainee takes, as older programs wrote it; now the medical record says it.
        allergies: what the detainee must not be given, as older programs wrote it; now the medical record says it.
        disposal: how the detention ends.
        markers: warnings about the detainee.
        basis: by what power the person is held.
        incident: the incident at which they were arrested.
        suspect: the wanted person's record, of one who was sought.
        born: the day of birth, as far as it is known.
        juvenile: whether they are treated as under 18.
        needs: what their care must go by.
        interpreter: whether they need an interpreter.
        language: the language they understand best.
        interpreting: what was done about an interpreter.
        rights: what was done about their rights.
        adults: what was done about an appropriate adult.
        risk_assessments: the risk assessments.
        care: meals, rest and what else was seen to.
        belongings: what became of their things.
        searches: the searches of their person.
        place_of_safety: what happened to a person held under section 136.
        release_assessments: the pre-release risk assessments.
        placements: what came of seeking accommodation for a charged child.
        court_handovers: to which court the person was handed over, with which escort record.
        retention: why it is kept, when a reviewer has said so.
    """

    suite: Annotated[SlugText, latest]
    detainee: Annotated[Line, latest]
    arrested_at: Annotated[MillisInt, once, _TIME]
    arrived_at: Annotated[MillisInt | None, once, _TIME] = None
    relevant_time: Annotated[MillisInt | None, once, _TIME] = None
    detention_authorised_at: Annotated[MillisInt | None, once, _TIME] = None
    offence: Annotated[Line | None, latest] = None
    arresting_officer: Annotated[
        Line | None,
        once,
        Asks(
            roles=(Role.CUSTODY_OFFICER,),
            within_ms=60 * MINUTE_MS,
            then=(Role.REVIEWING_OFFICER,),
            safe_because="The officer who was recorded first stands.",
        ),
    ] = None
    status: Annotated[
        BookingStatus,
        state,
        flow(
            {
                BookingStatus.ARRIVED: (BookingStatus.DETAINED, BookingStatus.HOSPITAL, BookingStatus.RELEASED),
                BookingStatus.DETAINED: (BookingStatus.HOSPITAL, BookingStatus.COURT, BookingStatus.RELEASED),
                BookingStatus.HOSPITAL: (BookingStatus.DETAINED, BookingStatus.RELEASED),
                BookingStatus.COURT: (BookingStatus.DETAINED, BookingStatus.RELEASED),
                BookingStatus.RELEASED: (),
            },
            # Nobody is released by a merge; and who may be in hospital is looked for there.
            precedence=(
                BookingStatus.RELEASED,
                BookingStatus.ARRIVED,
                BookingStatus.DETAINED,
                BookingStatus.COURT,
                BookingStatus.HOSPITAL,
            ),
            asks=(BookingStatus.RELEASED,),
        ),
        Asks(
            roles=(Role.CUSTODY_OFFICER,),
            within_ms=15 * MINUTE_MS,
            then=(Role.REVIEWING_OFFICER,),
            safe_because="The person counts as detained until somebody has looked: the clocks and checks go on.",
        ),
        writes(
            Role.CUSTODY_OFFICER,
            to={BookingStatus.HOSPITAL: IN_CUSTODY},
            because="A custody officer authorises detention (PACE 1984 section 37) and release (section 34); that a "
            "person is in hospital is said by whoever takes them there.",
        ),
    ] = BookingStatus.ARRIVED
    cell: Annotated[
        Line | None, latest, Retired(2, "claim the cell's own record: it says who is in it, and is never held twice")
    ] = None
    risk: Annotated[
        Risk | None,
        highest,
        rising(Risk.STANDARD, Risk.MEDIUM, Risk.HIGH),
        writes(Role.CUSTODY_OFFICER, to={Risk.HIGH: IN_CUSTODY}, because=f"A high risk {_ALARM}"),
    ] = None
    observation: Annotated[
        ObservationLevel | None,
        highest,
        rising(ObservationLevel.L1, ObservationLevel.L2, ObservationLevel.L3, ObservationLevel.L4),
        writes(
            Role.CUSTODY_OFFICER,
            to={ObservationLevel.L3: IN_CUSTODY, ObservationLevel.L4: IN_CUSTODY},
            because=f"Constant observation {_ALARM}",
        ),
    ] = None
    detention: Annotated[tuple[DetentionEvent, ...], grow, _SEEN_BY] = ()
    checks: Annotated[tuple[Check, ...], grow, _SEEN_BY] = ()
    property_items: Annotated[
        tuple[LogEntry, ...],
        grow,
        _SEEN_BY,
        Retired(4, "append to `belongings`: what was taken, with the bag and the signature, and what became of it"),
    ] = ()
    log: Annotated[tuple[LogEntry, ...], grow, _SEEN_BY] = ()
    appropriate_adult: Annotated[
        AppropriateAdult | None,
        judged,
        safest_first(AppropriateAdult.NEEDED, None, AppropriateAdult.NOT_NEEDED),
        Asks(
            roles=(Role.CUSTODY_OFFICER,),
            within_ms=30 * MINUTE_MS,
            then=(Role.REVIEWING_OFFICER,),
            safe_because="An adult called in vain does less harm than a vulnerable person left alone.",
        ),
        writes(
            Role.CUSTODY_OFFICER,
            to={AppropriateAdult.NEEDED: IN_CUSTODY},
            because="Any officer's suspicion that a person is vulnerable is acted on (PACE Code C 1.4); that no "
            "adult is needed is the custody officer's to say (3.5).",
        ),
    ] = None
    medication: Annotated[tuple[Line, ...] | None, judged, SAFE_TOGETHER, _CARE, _MEDICAL] = None
    allergies: Annotated[tuple[Line, ...] | None, judged, SAFE_TOGETHER, _CARE, _MEDICAL] = None
    disposal: Annotated[
        Disposal | None,
        judged,
        SAFE_NOTHING,
        Asks(
            roles=(Role.CUSTODY_OFFICER,),
            within_ms=30 * MINUTE_MS,
            then=(Role.REVIEWING_OFFICER,),
            safe_because="Until somebody decides, nothing has ended: the person is neither released nor charged.",
        ),
    ] = None
    markers: Annotated[tuple[Marker, ...], tags, _SEEN_BY] = ()
    basis: Annotated[Basis | None, latest] = None
    incident: Annotated[RecordText | None, once, _LINK] = None
    suspect: Annotated[RecordText | None, latest] = None
    born: Annotated[DateText | None, once, _BORN] = None
    juvenile: Annotated[
        Juvenile | None,
        judged,
        safest_first(Juvenile.UNDER_18, None, Juvenile.ADULT),
        _CHILD,
        writes(
            Role.CUSTODY_OFFICER,
            to={Juvenile.UNDER_18: IN_CUSTODY},
            because="Any officer may say that a person appears to be under 18 (PACE Code C 1.5); that there is clear "
            "evidence otherwise is the custody officer's to say.",
        ),
    ] = None
    needs: Annotated[tuple[Need, ...], tags, _SEEN_BY] = ()
    interpreter: Annotated[
        InterpreterNeed | None,
        judged,
        safest_first(InterpreterNeed.NEEDED, None, InterpreterNeed.NOT_NEEDED),
        _UNDERSTOOD,
        writes(
            Role.CUSTODY_OFFICER,
            to={InterpreterNeed.NEEDED: IN_CUSTODY},
            because="Whoever cannot make themselves understood says so; that no interpreter is needed is the custody "
            "officer's to determine (PACE Code C 3.5).",
        ),
    ] = None
    language: Annotated[Line | None, latest, _SEEN_BY] = None
    interpreting: Annotated[tuple[Interpreting, ...], grow, _SEEN_BY] = ()
    rights: Annotated[tuple[RightEntry, ...], grow, _SEEN_BY] = ()
    adults: Annotated[tuple[Adult, ...], grow, _SEEN_BY] = ()
    risk_assessments: Annotated[tuple[RiskAssessment, ...], grow, _SEEN_BY] = ()
    care: Annotated[tuple[Care, ...], grow, _SEEN_BY] = ()
    belongings: Annotated[tuple[Belonging, ...], grow, _SEEN_BY] = ()
    searches: Annotated[tuple[Search, ...], grow, _SEEN_BY] = ()
    place_of_safety: Annotated[tuple[Safety, ...], grow, _SEEN_BY] = ()
    release_assessments: Annotated[tuple[PreRelease, ...], grow, _SEEN_BY] = ()
    placements: Annotated[tuple[Placement, ...], grow, _SEEN_BY] = ()
    court_handovers: Annotated[tuple[CourtHandover, ...], grow, _SEEN_BY] = ()

    retention: Annotated[
        RetentionGroup | None,
        latest,
        writes(
            Role.REVIEWING_OFFICER,
            Role.SUPERINTENDENT,
            Role.REGISTRAR,
            because="How long people's data is kept is decided by somebody who answers for it (MoPI).",
        ),
    ] = None

    def scopes(self) -> frozenset[ScopeName]:
        """The suite that holds the person. There is no compartment here: nobody is detained out of the desk's sight."""
        return frozenset({scopes.suite(self.suite)})

    def own_retention(self) -> RetentionGroup | None:
        """What a reviewer said."""
        return self.retention
