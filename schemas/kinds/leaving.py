"""What must be settled before a person leaves custody: their risk outside, and where a charged child sleeps."""

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
