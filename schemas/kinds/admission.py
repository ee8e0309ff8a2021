"""What is entered when a person is brought into custody: rights, help, and what is known of their risk (Code C 3)."""

from typing import Annotated

import msgspec

from schemas.ids import MillisInt, SlugText
from schemas.kinds.common import Line, Note
from schemas.kinds.detention import Rank
from schemas.kinds.timed import Timed
from schemas.tokens import Token

ANSWERS_MAX = 64
"""Answers of one assessment: twice as many as the longest question set in use asks."""


class Risk(Token):
    """The detainee's assessed risk."""

    STANDARD = "standard"
    MEDIUM = "medium"
    HIGH = "high"


class Basis(Token):
    """By what power the person is held."""

    ARREST = "arrest"
    SECTION_136 = "section-136"
    SECTION_135 = "section-135"
    WARRANT = "warrant"
    RECALL = "recall"
    BREACH_OF_THE_PEACE = "breach-of-the-peace"
    IMMIGRATION = "immigration"


class Juvenile(Token):
    """Whether the person is treated as under 18 (Code C 1.5: who appears to be, in the absence of clear evidence)."""

    UNDER_18 = "under-18"
    ADULT = "adult"


class Need(Token):
    """What the person's care must go by. The cause is in the medical record."""

    VULNERABLE = "vulnerable"
    PREGNANT = "pregnant"
    UNDER_DRINK_OR_DRUGS = "under-drink-or-drugs"


class InterpreterNeed(Token):
    """Whether the person needs an interpreter (Code C 13.1, and 3.5 for its being determined)."""

    NEEDED = "needed"
    NOT_NEEDED = "not-needed"


class Right(Token):
    """A detained person's rights (Code C 3.1)."""

    SOMEONE_INFORMED = "someone-informed"
    LEGAL_ADVICE = "legal-advice"
    CODES = "codes"


class RightStep(Token):
    """What was done about a right. None says that it was denied: it can only be delayed."""

    GIVEN = "given"
    """The person was told of it."""
    ASKED = "asked"
    WAIVED = "waived"
    """Not wanted now; it may be asked for at any time."""
    DONE = "done"
    DELAYED = "delayed"
    DELAY_ENDED = "delay-ended"


class HelpStep(Token):
    """How far somebody is who was asked to come: an interpreter, an appropriate adult."""

    ASKED = "asked"
    COMING = "coming"
    ARRIVED = "arrived"
    LEFT = "left"
    CANNOT_COME = "cannot-come"


class RightEntry(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """Something done about one right.

    Attributes:
        right, step: which, and what.
        adult_present: whether the appropriate adult was there (Code C 3.17: rights are given again in their presence).
        whom: the person who was informed, or the adviser.
        authority: of a delay: who authorised it.
        rank: of a delay: their rank.
        until: of a delay: when it ends at the latest (ms since 1970).
        reason: of a delay: the grounds for it.
    """

    right: Right
    step: RightStep
    adult_present: bool = False
    whom: Line | None = None
    authority: Line | None = None
    rank: Rank | None = None
    until: MillisInt | None = None
    reason: Note | None = None

    def sort(self) -> str:
        """The right."""
        return str(self.right.value)


class Interpreting(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """Something done about an interpreter.

    Attributes:
        step: how far they are.
        name: who, or their number in the national register.
        language: for which language.
        by: in person, by telephone, by video.
        note: anything else: why nobody could be had.
    """

    step: HelpStep
    name: Line | None = None
    language: Line | None = None
    by: Line | None = None
    note: Note | None = None


class Adult(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """Something done about an appropriate adult (Code C 1.7, 3.15).

    Attributes:
        step: how far they are.
        name: who.
        relation: what they are to the detainee: parent, social worker, volunteer of a scheme.
        note: anything else.
    """

    step: HelpStep
    name: Line | None = None
    relation: Line | None = None
    note: Note | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One question of an assessment, and what was answered.

    Attributes:
        question: its id in the question set, or its words.
        answer: what the person said, or the officer saw.
    """

    question: Line
    answer: Note


class RiskAssessment(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """A risk assessment (Code C 3.6 to 3.10). It is never scored by the software: the level is a person's.

    Attributes:
        level: what the assessor makes of it.
        questions: the question set that was asked, with its version.
        answers: the answers.
        note: how the risk is met.
    """

    level: Risk
    questions: SlugText | None = None
    answers: Annotated[tuple[Answer, ...], msgspec.Meta(max_length=ANSWERS_MAX)] = ()
    note: Note | None = None
