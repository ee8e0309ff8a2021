"""What falls due in a record, and who is warned of it: the one form in which every rule of time is told.

A rule computes what is due from the record alone (`Dues`), so the handheld, the desk and the server find the same, and
a correction of a time moves what is due by itself. Nothing is stored but what was raised.
"""

from collections.abc import Callable, Container, Iterable
from typing import Final

import msgspec

from schemas.ids import Millis, RecordId
from schemas.kinds import Kind
from schemas.kinds.alarm import alarm_id
from schemas.roles import Role
from schemas.settings import Settings
from schemas.tokens import Token

LATE_MS_MAX: Final = 7 * 24 * 60 * 60_000
"""How long after a due time its warning is still given. What has been overdue for a week wakes nobody: old records that
are brought in would raise thousands, and lists show what is overdue all the same."""


class What(Token):
    """What falls due."""

    REVIEW = "review"
    DETENTION_LIMIT = "detention-limit"
    CHECK = "check"
    BAIL_LIMIT = "bail-limit"
    ATTENDANCE = "attendance"
    CRIME_DECISION = "crime-decision"
    VICTIM_TOLD = "victim-told"
    RISK_ASSESSMENT = "risk-assessment"
    PLAN_REVIEW = "plan-review"
    PLACE_OF_SAFETY = "place-of-safety"
    BRIEFING_EXPIRY = "briefing-expiry"
    INBOX = "inbox"
    LEASE = "lease"
    RIGHTS = "rights"
    APPROPRIATE_ADULT = "appropriate-adult"
    HEALTH_CARE = "health-care"
    MEAL = "meal"
    REST = "rest"
    ACCEPTANCE = "acceptance"
    HANDOVER = "handover"
    DEPLOYMENT = "deployment"


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


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One warning of one due time.

    Attributes:
        alarm: the record of it (`schemas.kinds.alarm.alarm_id`).
        due: what falls due.
        warn_ms: how long before it the warning is given (ms; negative: after).
    """

    alarm: RecordId
    due: Due
    warn_ms: int

    @property
    def at(self) -> Millis:
        """When the warning is given (ms since 1970)."""
        return Millis(self.due.at - self.warn_ms)


def moments(subject: RecordId, dues: Iterable[Due]) -> list[Moment]:
    """Every warning of what falls due in a record, the earliest first."""
    found = [
        Moment(
            alarm=alarm_id(subject, due.what.value, due.key, due.at, warn_ms, tuple(role.value for role in due.roles)),
            due=due,
            warn_ms=warn_ms,
        )
        for due in dues
        for warn_ms in due.warn_ms
    ]
    return sorted(found, key=lambda one: (one.at, one.alarm))


def come(found: Iterable[Moment], now: Millis, known: Container[RecordId]) -> list[Moment]:
    """The warnings to give now: of each due time the last that has come, unless it was given, or a later one was.

    One alarm is given when several warnings of one due time have passed unseen (a server was down, a record came late):
    who is told that a review is overdue need not be told that it will be due in an hour.

    Args:
        found: as `moments` gives them.
        now: the clock (ms since 1970).
        known: which alarms were given. A clock that was set back makes nothing of it undone.
    """
    last: dict[tuple[What, str, Millis], Moment] = {}
    given: dict[tuple[What, str, Millis], Millis] = {}
    for one in found:
        of = (one.due.what, one.due.key, one.due.at)
        if one.alarm in known:
            given[of] = max(one.at, given.get(of, one.at))
        elif one.at <= now < max(one.at, one.due.at) + LATE_MS_MAX:
            last[of] = one
    return [one for of, one in last.items() if of not in given or given[of] < one.at]


def next_moment(found: Iterable[Moment], now: Millis) -> Millis | None:
    """When the next warning is to be given, of those that have not come (ms since 1970)."""
    return min((one.at for one in found if one.at > now), default=None)
