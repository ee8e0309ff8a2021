"""What a custody suite knows of a detained person's health: a record of its own, beside the booking (PACE Code C 9).

It is in the medical part of the suite alone (`suite:perry-barr:medical`), to which people are named: whoever sees the
booking does not for that see this. What the desk must act on at once is in the booking without its cause: the risk, the
observation level, the warnings.
"""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, RecordId, RecordText, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Line, LogEntry, Note
from schemas.kinds.registry import record_kind
from schemas.kinds.timed import Timed
from schemas.policies import SAFE_TOGETHER, Asks, grow, judged, latest, once
from schemas.retention import RetentionGroup
from schemas.rights import Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

MINUTE_MS: Final = 60_000


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A health care professional, or another clinician, has seen the person.

    Attributes:
        seen_at: when (ms since 1970).
        by: who they are, by name or registration.
        note: what they found and asked for.
    """

    seen_at: MillisInt
    by: Line
    note: Note | None = None


class TriageOutcome(Token):
    """What a mental health triage led to."""

    NO_FURTHER_NEED = "no-further-need"
    COMMUNITY = "community"
    """To be seen by services outside."""
    ASSESSMENT = "assessment"
    """A Mental Health Act assessment was asked for."""
    ADMISSION = "admission"
    """To hospital."""


class Triage(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """A mental health triage: what a clinician or liaison practitioner made of the person.

    Attributes:
        by: who they are, by name or registration.
        outcome: what it led to; None while it is open.
        note: what they found and asked for.
    """

    by: Line
    outcome: TriageOutcome | None = None
    note: Note | None = None


_CARE: Final = Asks(
    roles=(Role.CUSTODY_OFFICER,),
    within_ms=15 * MINUTE_MS,
    then=(Role.REVIEWING_OFFICER,),
    safe_because="Everything that anybody said is shown: care is given as if all of it were true.",
)


@record_kind(
    "medical",
    retention=RetentionGroup.WITH_SUBJECT,
    rights=Rights(
        makers=(Role.CUSTODY_OFFICER, Role.OFFICER),
        writers=(Role.CUSTODY_OFFICER, Role.OFFICER),
        because="Whoever is named for a suite's medical records cares for the people in it (PACE Code C 9).",
    ),
)
class Medical(Kind, frozen=True, kw_only=True):
    """The health of one detained person.

    Attributes:
        booking: the custody booking that it belongs to.
        suite: slug of the custody suite; the server sets it along when the booking moves to another.
        medication: what the person takes.
        allergies: what the person must not be given.
        conditions: illnesses and disabilities that care must know of.
        injuries: what was seen or said of injuries, entry by entry.
        visits: the health care professionals who have seen the person.
        given: medication given, entry by entry.
        triage: the mental health triages.
        log: anything else.
    """

    booking: Annotated[
        RecordText,
        once,
        Asks(
            roles=(Role.CUSTODY_OFFICER,),
            within_ms=15 * MINUTE_MS,
            then=(Role.REVIEWING_OFFICER,),
            safe_because="The booking for which it was made keeps it: care is not moved to another person by itself.",
        ),
    ]
    suite: Annotated[
        SlugText,
        latest,
        writes(
            Role.CUSTODY_OFFICER, because="The custody officer who hands a person over hands over what care must know."
        ),
    ]
    medication: Annotated[tuple[Line, ...] | None, judged, SAFE_TOGETHER, _CARE] = None
    allergies: Annotated[tuple[Line, ...] | None, judged, SAFE_TOGETHER, _CARE] = None
    conditions: Annotated[tuple[Line, ...] | None, judged, SAFE_TOGETHER, _CARE] = None
    injuries: Annotated[tuple[LogEntry, ...], grow] = ()
    visits: Annotated[tuple[Visit, ...], grow] = ()
    given: Annotated[tuple[LogEntry, ...], grow] = ()
    triage: Annotated[tuple[Triage, ...], grow] = ()
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The medical part of the suite, and nothing else."""
        return frozenset({scopes.medical(self.suite)})

    def about(self) -> RecordId:
        """Its booking."""
        return self.booking
