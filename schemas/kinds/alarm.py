"""An alarm: somebody was to be warned that something falls due, and whether a person has taken it up.

The rules make it from a due time (`sync.policing.alarms`). Its id follows from what it is about, so the server and a
handheld without signal name the same one: however many of them raise it, there is one record. That is also what keeps
it from being raised twice after a restart, or when a clock is set back.

A handheld makes no such record by itself; the op of a person who acknowledges one that the server has not made yet
makes it, with what the rules would have said. Made twice, it is edited once.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, MillisInt, RecordId, RecordText, ScopeName, ScopeText, SlugText, named_record_id
from schemas.kinds.base import Kind
from schemas.kinds.common import Note
from schemas.kinds.inbox import Escalation
from schemas.kinds.registry import record_kind
from schemas.limits import INT_MAX
from schemas.policies import ByRule, grow, latest
from schemas.retention import RetentionGroup
from schemas.rights import Writes
from schemas.roles import Role

_NAMESPACE: Final = "alarm"
_Key = Annotated[str, msgspec.Meta(max_length=200)]
_WarnMs = Annotated[int, msgspec.Meta(ge=-INT_MAX, le=INT_MAX)]
_WithinMs = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person has taken an alarm up. Who and when is its stamp's.

    Attributes:
        note: what they do about it.
    """

    note: Note | None = None


def alarm_id(  # noqa: PLR0917  the parts of the name
    subject: str, what: str, key: str, due_at: int, warn_ms: int, roles: tuple[str, ...]
) -> RecordId:
    """The one record of a warning.

    Args:
        subject, what, key: what falls due in which record, as in `Alarm`.
        due_at, warn_ms: when, and how long before the warning is given. Moved, it is another due time.
        roles: who is warned. They are part of the name, so that nobody can write an alarm that names them and pass it
            off as one that was raised for others.
    """
    return named_record_id(_NAMESPACE, subject, what, key, str(due_at), str(warn_ms), *roles)


def _named(values: Mapping[FieldName, Any]) -> RecordId:
    return alarm_id(*(values[FieldName(name)] for name in ("subject", "what", "key", "due_at", "warn_ms", "roles")))


@record_kind("alarm", by_rule=True, named=_named, retention=RetentionGroup.WITH_SUBJECT)
class Alarm(Kind, frozen=True, kw_only=True):
    """One warning of one thing that falls due in one record.

    Attributes:
        subject: that record.
        subject_kind: its kind.
        what: what falls due: `review`, `check`, `detention-limit`.
        key: tells two of a kind in one record apart; "" where there is one.
        due_at: when it falls due (ms since 1970).
        warn_ms: how long before the warning is given (ms); negative: after.
        roles: who is warned.
        then: who is warned as well, one after the other, while nobody has acknowledged it.
        within_ms: how long there is to acknowledge before the first of them, and between them (ms).
        words: what to do.
        source: where it is laid down.
        places: the audiences of the subject.
        raised_at: when it was raised (ms since 1970): later than the warning, when nobody was there to raise it.
        acknowledged: who has taken it up.
        escalations: who was warned as well.
        over_at: since when it is no longer due: what was to be done is done, or its time has moved (ms since 1970).
    """

    subject: Annotated[RecordText, latest, ByRule()]
    subject_kind: Annotated[SlugText, latest, ByRule()]
    what: Annotated[SlugText, latest, ByRule()]
    key: Annotated[_Key, latest, ByRule()]
    due_at: Annotated[MillisInt, latest, ByRule()]
    warn_ms: Annotated[_WarnMs, latest, ByRule()]
    roles: Annotated[tuple[Role, ...], latest, ByRule()]
    then: Annotated[tuple[Role, ...], latest, ByRule()]
    within_ms: Annotated[_WithinMs, latest, ByRule()]
    words: Annotated[Note, latest, ByRule()]
    source: Annotated[Note, latest, ByRule()]
    places: Annotated[tuple[ScopeText, ...], latest, ByRule()]
    raised_at: Annotated[MillisInt, latest, ByRule()]
    acknowledged: Annotated[
        tuple[Acknowledgement, ...],
        grow,
        Writes(named_in="roles", because="An alarm is taken up by one of those who are warned, so that it is theirs."),
    ] = ()
    escalations: Annotated[tuple[Escalation, ...], grow, ByRule()] = ()
    over_at: Annotated[MillisInt | None, latest, ByRule()] = None

    @property
    def open(self) -> bool:
        """Whether it waits for somebody to take it up."""
        return not self.acknowledged and self.over_at is None

    def scopes(self) -> frozenset[ScopeName]:
        """Where its subject is; and, while it waits, the inboxes there, which travel ahead of records."""
        return self.writing_scopes() if self.open else scopes.kept_in(map(ScopeName, self.places))

    def writing_scopes(self) -> frozenset[ScopeName]:
        """Where its subject is, and the inboxes there; once it is escalated the force's, but not of what is closed."""
        places = scopes.kept_in(map(ScopeName, self.places))
        wider = {scopes.inbox(scopes.FORCE)} if self.escalations and not any(map(scopes.closed, places)) else set()
        return places | frozenset(map(scopes.inbox, places)) | wider

    def about(self) -> RecordId:
        """Its subject."""
        return self.subject

    def deciding(self) -> tuple[Role, ...]:
        """Who may take it up: those who were warned, and those who were warned as well since."""
        return tuple(dict.fromkeys((*self.roles, *(escalation.to for escalation in self.escalations))))
