"""Routes: what falls due and waits for somebody to take it up, and that the caller does."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import OfficerText, OpText, RecordId, RecordText, ScopeText, SlugText
from schemas.kinds import Alarm
from schemas.kinds.common import Note
from server.http.callers import caller_of, standing_of
from server.http.consulting import listed
from server.http.operations import (
    AFTER_ID_MEANING,
    LIMIT_MEANING,
    Operation,
    after_id_of,
    choice_of,
    limit_of,
    read_body,
    record_in,
)
from server.http.problems import beatbook_of, reply
from server.http.questions import called
from server.http.sight import READERS, walk
from sync.merge import RecordState
from sync.policing import alarms

LOOKED_AT_MAX: Final = 2_048
"""Alarms that one call looks at: what is over is never deleted, and a page must not read all of it."""
WAITING: Final = "to see what falls due"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has taken an alarm up.

    Attributes:
        author: who.
        at: when, as they say (ms since 1970).
        note: what they do about it, where they said so.
    """

    author: OfficerText
    at: int
    note: str | None


class RaisedLine(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm.

    Attributes:
        alarm: its id.
        subject, subject_kind: the record in which something falls due.
        about: what people call that; null where it has no name.
        what, key: what falls due, and of which of several.
        due_at: when (ms since 1970).
        warn_ms: how long before the warning was given.
        raised_at: when it was raised.
        roles: who may take it up: who was warned, and who was warned as well since.
        escalated: the roles that were warned as well.
        words, source: what to do, and where it is laid down.
        places: the audiences of the subject.
        acknowledged: who has taken it up.
        over_at: since when it is no longer due; null while it is.
        open, overdue: whether it waits for somebody; whether the time has passed while it does.
    """

    alarm: RecordText
    subject: RecordText
    subject_kind: SlugText
    about: str | None
    what: SlugText
    key: str
    due_at: int
    warn_ms: int
    raised_at: int
    roles: list[str]
    escalated: list[str]
    words: str
    source: str
    places: list[ScopeText]
    acknowledged: list[Taken]
    over_at: int | None
    open: bool
    overdue: bool


class RaisedList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of alarms.

    Attributes:
        alarms: in order of id.
        next: pass it as `after` for the next page; null on the last one. A page may be short, or empty, before it.
    """

    alarms: list[RaisedLine]
    next: RecordText | None


class NewAcknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says who takes an alarm up.

    Attributes:
        note: what they do about it.
    """

    note: Note | None = None


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """An acknowledgement that is durable.

    Attributes:
        alarm: of which alarm.
        op, seq: the op, and its commit.
    """

    alarm: RecordText
    op: OpText
    seq: int


async def list_raised_alarms(request: Request) -> Response:
    """A page of what falls due."""
    limit, after = limit_of(request), after_id_of(request)
    wanted = choice_of(request, "open", ("true", "false", "all"))
    beatbook = beatbook_of(request)
    now = beatbook.now()
    found: list[tuple[RecordState, Alarm]] = []
    behind: RecordId | None = None
    looked_at = 0
    async for state in walk(beatbook.store, alarms.SPEC.name, caller_of(request), None, after):
        if len(found) == limit or looked_at >= LOOKED_AT_MAX:
            behind = RecordId(after)
            break
        after, looked_at = state.id, looked_at + 1
        alarm = state.build()
        if isinstance(alarm, Alarm) and (wanted == "all" or alarm.open == (wanted == "true")):
            found.append((state, alarm))
    await listed(request, [state.id for state, _ in found], WAITING)
    subjects = await beatbook.store.existing(list({RecordId(alarm.subject) for _, alarm in found}))
    lines = [_line(state, alarm, subjects.get(RecordId(alarm.subject)), now) for state, alarm in found]
    return reply(RaisedList(alarms=lines, next=behind))


async def acknowledge_alarm(request: Request) -> Response:
    """Take an alarm up, as one of those who were warned, so that nobody else is."""
    alarm = record_in(request, "alarm")
    new = await read_body(request, NewAcknowledgement)
    caller = caller_of(request)
    op, seq = await beatbook_of(request).office.acknowledge(alarm, new.note, caller.officer, standing_of(caller))
    return reply(Acknowledged(alarm=alarm, op=op, seq=seq))


def _line(state: RecordState, alarm: Alarm, subject: bytes | None, now: int) -> RaisedLine:
    cell = state.cells.get(alarms.ACKNOWLEDGED)
    entries = () if cell is None else cell.entries
    return RaisedLine(
        alarm=state.id,
        subject=alarm.subject,
        subject_kind=alarm.subject_kind,
        about=called(subject),
        what=alarm.what,
        key=alarm.key,
        due_at=alarm.due_at,
        warn_ms=alarm.warn_ms,
        raised_at=alarm.raised_at,
        roles=[role.value for role in alarm.deciding()],
        escalated=[one.to.value for one in alarm.escalations],
        words=alarm.words,
        source=alarm.source,
        places=list(alarm.places),
        acknowledged=[
            Taken(author=one.stamp.author, at=one.stamp.occurred_at, note=one.value.get("note")) for one in entries
        ],
        over_at=alarm.over_at,
        open=alarm.open,
        overdue=alarm.open and alarm.due_at <= now,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/due",
        handler=list_raised_alarms,
        who=READERS,
        gives=RaisedList,
        query={
            "open": "`true` (also when absent): what waits for somebody; `false`: what is taken up or over; `all`.",
            "after": AFTER_ID_MEANING,
            "limit": LIMIT_MEANING,
        },
    ),
    Operation(
        method="POST",
        path="/v1/due/{alarm}/acknowledge",
        handler=acknowledge_alarm,
        who=READERS,
        takes=NewAcknowledgement,
        gives=Acknowledged,
    ),
)
