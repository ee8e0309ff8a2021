"""What must be settled before a person leaves custody: their risk outside, who takes them, where a child sleeps."""

from typing import Annotated

import msgspec

from schemas.kinds.admission import ANSWERS_MAX, Answer, Risk
from schemas.kinds.common import Line, Note
from schemas.kinds.timed import Timed
from schemas.tokens import Token


class PreRelease(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """A pre-release risk assessment: is the person safe outside, and are others from them? One for every disposal.

    Attributes:
        level: what the assessor makes of it.
        answers: the answers.
        plan: what was arranged: how they get home, whom they were referred to, who was told.
    """

    level: Risk
    plan: Note
    answers: Annotated[tuple[Answer, ...], msgspec.Meta(max_length=ANSWERS_MAX)] = ()


class PlacementOutcome(Token):
    """Where a charged child who is refused bail is kept (PACE 1984 section 38(6))."""

    LOCAL_AUTHORITY = "local-authority"
    IMPRACTICABLE = "impracticable"
    """The custody officer certifies that the move is impracticable (section 38(6)(a))."""
    NO_SECURE_ACCOMMODATION = "no-secure-accommodation"
    """Of 12 or over, and no other would protect the public from serious harm (section 38(6)(b))."""


class Placement(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """What came of seeking local-authority accommodation for a charged child.

    Attributes:
        outcome: see `PlacementOutcome`.
        asked: which local authority was asked, and whom there.
        reason: of an exception: why.
        certificate: of an exception: number or place of the certificate for the court (section 38(7)).
    """

    outcome: PlacementOutcome
    asked: Line | None = None
    reason: Note | None = None
    certificate: Line | None = None


class CourtHandover(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """A person is handed over to be brought before a court: detention by the police ends with it.

    Attributes:
        court: which.
        escort_record: number of the person escort record: what whoever takes them must know goes with it.
        escort: who takes them: a contractor, officers.
        note: anything else: what went with them.
    """

    court: Line
    escort_record: Line | None = None
    escort: Line | None = None
    note: Note | None = None
