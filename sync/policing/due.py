"""What falls due in a record, and who is warned of it: the one form in which every rule of time is told.

A rule computes what is due from the record alone (`Dues`), so the handheld, the desk and the server find the same, and
a correction of a time moves what is due by itself. Nothing is stored but what was raised.
"""

from collections.abc import Callable, Iterable

import msgspec

from schemas.ids import Millis
from schemas.kinds import Kind
from schemas.roles import Role
from schemas.settings import Settings
from schemas.tokens import Token


class What(Token):
    """What falls due."""

    REVIEW = "review"
    DETENTION_LIMIT = "detention-limit"
    CHECK = "check"
    BAIL_LIMIT = "bail-limit"
    CRIME_DECISION = "crime-decision"
    RISK_ASSESSMENT = "risk-assessment"
    PLAN_REVIEW = "plan-review"
    PLACE_OF_SAFETY = "place-of-safety"
    BRIEFING_EXPIRY = "briefing-expiry"
    INBOX = "inbox"
    LEASE = "lease"


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that falls due in one record.

    Attributes:
        what: which kind of thing.
        key: tells two of a kind in one record apart (a victim's name); "" where there is one.
        at: when it falls due (ms since 1970).
        warn_ms: how long before (ms; 0 is at that moment, negative is after) somebody is warned, the earliest first.
        roles: who is warned.
        then: who is warned as well when nobody has acknowledged within `within_ms`.
        within_ms: how long there is to acknowledge (ms).
        words: what to do, for the person who is warned.
        source: where it is laid down.
    """

    what: What
    key: str = ""
    at: Millis
    warn_ms: tuple[int, ...] = (0,)
    roles: tuple[Role, ...]
    then: tuple[Role, ...]
    within_ms: int
    words: str
    source: str


Dues = Callable[[Kind, Settings, Millis], Iterable[Due]]
"""(record, the force's settings, now) -> what is still to come or is overdue; what was done is not among it."""
