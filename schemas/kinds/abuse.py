"""Domestic abuse at an incident: who suffers it, and the assessment of the risk to each of them (DOMAIN, Incidents).

The 2014 inspection found that the risk was assessed only where partners and a crime were involved. Here a victim is a
victim, family and non-crime included, and no incident closes before each of them has been assessed. The risk is what a
person says it is: nothing in this program adds up answers (College of Policing, DASH 2009 and DARA guidance).
"""

from typing import Annotated

import msgspec

from schemas.ids import MillisInt, SlugText
from schemas.kinds.common import DateText, Line, Note
from schemas.tokens import Token


class AbuseRisk(Token):
    """The risk to a victim of domestic abuse, as a person judges it."""

    STANDARD = "standard"
    MEDIUM = "medium"
    HIGH = "high"


class Reply(Token):
    """What a question was answered with."""

    YES = "yes"
    NO = "no"
    NOT_KNOWN = "not-known"
    DECLINED = "declined"


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question of a set and what was said.

    Attributes:
        question: its id in the set.
        reply: what was said.
        note: in the person's words, or what the officer saw.
    """

    question: SlugText
    reply: Reply
    note: Line | None = None


Answers = Annotated[tuple[Answered, ...], msgspec.Meta(max_length=64)]
"""The answers to one question set."""


class AbuseVictim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who suffers domestic abuse. The same name and birth date in one incident are one person.

    Attributes:
        name: who.
        born: their date of birth (YYYY-MM-DD), where it is known.
        relation: what the person who is accused is to them: partner, son, aunt.
        withdrawn: why this person turned out to be none; the entry before it stays in the record.
    """

    name: Line
    born: DateText | None = None
    relation: Line | None = None
    withdrawn: Note | None = None


class AbuseAssessment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The risk to one victim, assessed once; an assessment anew is another entry.

    Attributes:
        name, born: the victim, as their entry names them.
        question_set: which questions were asked: `dash`, `dara`.
        version: which edition of them.
        answers: what was said to each.
        risk: what the officer judges the risk to be. It follows from no count of answers.
        judgement: why, in the officer's words.
        assessed_at: when (ms since 1970).
        in_person: whether the victim took part; if not, the judgement says what it rests on.
    """

    name: Line
    born: DateText | None = None
    question_set: SlugText
    version: Line
    answers: Answers
    risk: AbuseRisk
    judgement: Note
    assessed_at: MillisInt
    in_person: bool = True
