"""How a report is recorded as a crime, or is not, and how a recorded crime is cancelled (DOMAIN, Incidents).

A crime is named within its incident by a short handle, so that two officers who record the same one apart from each
other have recorded one; the server gives it its number. The 2014 inspection found too many crimes never recorded and
too many cancelled without cause, so a decision names who took it and a cancellation what it rests on.
"""

import msgspec

from schemas.ids import MillisInt, OfficerText, SlugText
from schemas.kinds.common import Line, Note
from schemas.tokens import Token


class Crime(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A crime is recorded. A later entry of the same handle describes it anew; its number stays.

    Attributes:
        crime: its handle in this incident: `burglary`, `assault-2`.
        type: what sort it is, in the force's list: `burglary`, `rape`.
        offence: what was done, in words.
        victim: who suffered it.
        by: collar number of who decides.
        decided_at: when (ms since 1970).
    """

    crime: SlugText
    type: SlugText
    offence: Line
    victim: Line | None = None
    by: OfficerText
    decided_at: MillisInt


class NotCrime(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was reported as a crime is not recorded as one.

    Attributes:
        reason: why.
        by: collar number of who decides.
        decided_at: when (ms since 1970).
    """

    reason: Note
    by: OfficerText
    decided_at: MillisInt


class Outcome(Token):
    """What a victim is told."""

    RECORDED = "recorded"
    NOT_RECORDED = "not-recorded"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class VictimTold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A victim was told what became of their report.

    Attributes:
        person: who.
        outcome: what they were told.
        crime: which crime it was about, by its handle.
        told_at: when (ms since 1970).
        how: by telephone, in person, by letter.
    """

    person: Line
    outcome: Outcome
    crime: SlugText | None = None
    told_at: MillisInt
    how: Line | None = None


class Cancellation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A recorded crime is cancelled: it was none, or is recorded elsewhere.

    Attributes:
        crime: which, by its handle.
        code: on what ground, in the force's list: `c1` to `c5`.
        information: what is known now that was not when it was recorded, and can be verified.
        source: where that can be verified.
        decided_at: when (ms since 1970).
    """

    crime: SlugText
    code: SlugText
    information: Note
    source: Line
    decided_at: MillisInt


class CrimeNumber(msgspec.Struct, frozen=True, kw_only=True):
    """The number that the server has given a crime; never changed and never given again.

    Attributes:
        crime: which, by its handle.
        number: the number.
    """

    crime: SlugText
    number: Line
