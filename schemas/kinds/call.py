"""What is written down while a call is handled: who is in it, how it is graded, who was sent and when they arrived."""

from typing import Annotated

import msgspec

from schemas.ids import MillisInt, OpText, RecordText, SlugText
from schemas.kinds.abuse import Answers
from schemas.kinds.common import DateText, Line, Note
from schemas.tokens import Token


class Grade(Token):
    """How urgently officers are sent (West Midlands: P1 within 15 min, P2 within 60 min)."""

    P1 = "p1"
    P2 = "p2"
    SCHEDULED = "scheduled"
    NO_DEPLOYMENT = "no-deployment"


class Part(Token):
    """What a person is to an incident."""

    CALLER = "caller"
    VICTIM = "victim"
    WITNESS = "witness"
    ACCUSED = "accused"
    CHILD = "child"


class Involved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person in the incident.

    Attributes:
        part: what they are to it.
        name: who.
        born: their date of birth (YYYY-MM-DD), where it is known.
        telephone: the number that they called from or can be reached at, as it was given.
        note: anything else: a language, how to reach them safely.
    """

    part: Part
    name: Line
    born: DateText | None = None
    telephone: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] | None = None
    note: Line | None = None


class FirstContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked of somebody's vulnerability when they were first spoken to.

    Attributes:
        person: who, as their entry names them.
        answers: what was said to each question of the force's list.
        asked_at: when (ms since 1970).
    """

    person: Line
    answers: Answers
    asked_at: MillisInt


class Grading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A grade and what it rests on: THRIVE, six answers in words. The grade is a person's, never computed.

    Attributes:
        grade: how urgently officers are sent.
        threat, harm, risk, investigation, vulnerability, engagement: the answers.
        why: of another grade than before: why it changes.
        graded_at: when (ms since 1970).
    """

    grade: Grade
    threat: Note
    harm: Note
    risk: Note
    investigation: Note
    vulnerability: Note
    engagement: Note
    why: Note | None = None
    graded_at: MillisInt


class Step(Token):
    """A step of a unit that is sent."""

    ASSIGNED = "assigned"
    EN_ROUTE = "en-route"
    AT_SCENE = "at-scene"
    CLEAR = "clear"


class Deployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A unit was sent, is on its way, says that it has arrived, or is free again.

    Attributes:
        call_sign: which.
        step: which step.
        at: when, as the unit says (ms since 1970); it may be recorded long after, once there is signal.
        note: anything else.
    """

    call_sign: Line
    step: Step
    at: MillisInt
    note: Line | None = None


class Methane(msgspec.Struct, frozen=True, kw_only=True):
    """The report from the scene of a major incident: seven answers, always all of them (JESIP Joint Doctrine).

    Attributes:
        major: whether a major incident is declared or on standby.
        exact_location: where.
        type: what kind of incident.
        hazards: present and suspected.
        access: the routes that are safe.
        casualties: how many, of which kind.
        emergency_services: which are there, which are needed.
        at: when it was reported (ms since 1970).
    """

    major: Line
    exact_location: Line
    type: Line
    hazards: Line
    access: Line
    casualties: Line
    emergency_services: Line
    at: MillisInt


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another incident that this one belongs with. It is written on one side and shown on both.

    Attributes:
        to: that incident.
        how: `duplicate`, `same-address`, `series`, in the force's words.
    """

    to: RecordText
    how: SlugText | None = None


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tutor has looked at what an officer in probation wrote. Who and when is its stamp's.

    Attributes:
        op: the change that was looked at.
        note: what the tutor has to say of it.
    """

    op: OpText
    note: Line | None = None
