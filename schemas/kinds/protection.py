"""A plan to protect a child, over months, with reviews that fall due (Children Act 1989 section 47; Working Together).

It stands apart from the incident that led to it: it lives longer, and only those who protect children see it. What is
asked is guided by the force's list of questions, so that an officer who has never done it leaves nothing out.
"""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, RecordText, ScopeName, SlugText
from schemas.kinds.abuse import Answers
from schemas.kinds.base import Kind
from schemas.kinds.common import DateText, Line, LogEntry, Note
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, flow, grow, latest, once, state, tags
from schemas.retention import RetentionGroup
from schemas.rights import CLOSING, POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

DAY_MS: Final = 24 * 60 * 60_000


class PlanStatus(Token):
    """Where the plan stands."""

    ACTIVE = "active"
    ENDED = "ended"


class Guided(msgspec.Struct, frozen=True, kw_only=True):
    """The force's questions, asked once.

    Attributes:
        question_set: which questions: `child-protection`.
        version: which edition of them.
        answers: what was found for each.
        asked_at: when (ms since 1970).
    """

    question_set: SlugText
    version: Line
    answers: Answers
    asked_at: MillisInt


class PlanReview(msgspec.Struct, frozen=True, kw_only=True):
    """The plan was reviewed.

    Attributes:
        reviewed_at: when (ms since 1970).
        finding: what was found and settled.
        next_at: when the next review falls due (ms since 1970).
    """

    reviewed_at: MillisInt
    finding: Note
    next_at: MillisInt


_FIRST: Final = "What was settled first stands until somebody who answers for the plan corrects it."


@record_kind(
    "protection-plan",
    retention=RetentionGroup.SERIOUS,
    rights=Rights(
        makers=POLICE,
        writers=POLICE,
        because="Whoever protects a child makes the plan and writes down what was done (Children Act 1989 section 47).",
    ),
)
class ProtectionPlan(Kind, frozen=True, kw_only=True):
    """One child's plan.

    Attributes:
        child: who.
        born: their date of birth (YYYY-MM-DD), where it is known.
        concern: what they must be protected from.
        team: slug of the team that answers for it.
        begun_at: when it began (ms since 1970).
        review_at: when the first review falls due (ms since 1970); each review names the next.
        incident: the incident that led to it.
        status: whether it runs.
        ended_because: why it ended.
        guided: the guided questions and what was found.
        actions: what is to be done and was done, entry by entry.
        reviews: the reviews held.
        named: collar numbers, in lower case, of officers who see it beside the team.
        compartment: slug of the compartment that it is closed in.
    """

    child: Annotated[Line, latest]
    born: Annotated[DateText | None, latest] = None
    concern: Annotated[Note, latest]
    team: Annotated[
        SlugText, latest, writes(*SUPERVISING, because="Another team takes the plan out of the sight of this one.")
    ]
    begun_at: Annotated[
        MillisInt,
        once,
        Asks(roles=(Role.SUPERVISOR,), within_ms=DAY_MS, then=(Role.SUPERINTENDENT,), safe_because=_FIRST),
    ]
    review_at: Annotated[
        MillisInt,
        once,
        Asks(roles=(Role.SUPERVISOR,), within_ms=DAY_MS, then=(Role.SUPERINTENDENT,), safe_because=_FIRST),
    ]
    incident: Annotated[RecordText | None, latest] = None
    status: Annotated[
        PlanStatus,
        state,
        flow(
            {PlanStatus.ACTIVE: (PlanStatus.ENDED,), PlanStatus.ENDED: (PlanStatus.ACTIVE,)},
            # A child is not left without a plan because somebody else ended it unawares.
            precedence=(PlanStatus.ENDED, PlanStatus.ACTIVE),
        ),
        writes(*SUPERVISING, because="A plan is ended, and taken up anew, by somebody who answers for the work on it."),
    ] = PlanStatus.ACTIVE
    ended_because: Annotated[Note | None, latest] = None
    guided: Annotated[tuple[Guided, ...], grow] = ()
    actions: Annotated[tuple[LogEntry, ...], grow] = ()
    reviews: Annotated[tuple[PlanReview, ...], grow] = ()
    named: Annotated[
        tuple[SlugText, ...],
        tags,
        writes(*SUPERVISING, maker=True, because="Who sees a child's plan is decided by whoever answers for it."),
    ] = ()
    compartment: Annotated[SlugText | None, latest, CLOSING] = None

    def scopes(self) -> frozenset[ScopeName]:
        """The team and the officers named; when it is in a compartment, that and nothing else. Never an area."""
        if self.compartment is not None:
            return frozenset({scopes.compartment(self.compartment)})
        return frozenset({scopes.team(self.team), *map(scopes.officer, self.named)})
