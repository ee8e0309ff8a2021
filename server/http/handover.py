"""The route of a shift's handover: all that waits for a team, a suite or an area, and who took what on.

What waits is computed from the records, as on a handheld (`sync.policing.handover`). It is given in the order in which
the records are read, a bounded part of them in each call: an area's closed incidents are many, and one page must not
read all of them.
"""

import logging
import re
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import (
    FieldName,
    Millis,
    OfficerText,
    RecordId,
    RecordText,
    ScopeName,
    ScopeText,
    SlugText,
    is_record_id,
)
from schemas.kinds import Handover, Kind
from schemas.kinds.handover import HandedAnswer, HandedItem
from server.http.callers import caller_of
from server.http.consulting import listed
from server.http.operations import Operation
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, walk
from sync.merge import RecordState
from sync.policies.base import Entry
from sync.policing.handover import KINDS, Matter, handover

_log = logging.getLogger(__name__)

LOOKED_AT_MAX: Final = 2_048
"""Records that one call looks at."""
HOURS: Final = 10
"""A shift, unless another length is said."""
HOURS_MAX: Final = 24
HOUR_MS: Final = 60 * 60_000
KEPT_MS: Final = 24 * HOUR_MS
"""How long after its end a shift's handover is told though all of it is taken on."""
WHY: Final = "the handover of a shift"
_FAMILIES: Final = {"team": scopes.team, "area": scopes.area, "suite": scopes.suite}


class MatterLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits for somebody.

    Attributes:
        part: what sort of matter it is.
        record, kind: in which record.
        key: tells two of a part in one record apart.
        at: by when (ms since 1970); null where there is no time.
        overdue: whether that has passed.
        words: what to do next.
        roles: who may do it; none for whoever works on the record.
    """

    part: SlugText
    record: RecordText
    kind: SlugText
    key: str
    at: int | None
    overdue: bool
    words: str
    roles: list[str]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody of the next shift answered.

    Attributes:
        by: who.
        taken: whether they took it on.
        at: when (ms since 1970).
        note: what they had to say.
    """

    by: OfficerText
    taken: bool
    at: int
    note: str | None


class HandedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A matter that a shift handed over.

    Attributes:
        item: its name, as an answer says it.
        record, kind, part, key: which matter it is.
        words, note: what is to be done, and what the giver had to say of it.
        at: by when (ms since 1970); null where there was no time.
        given_by: who handed it over.
        taken: whether somebody has taken it on.
        answers: what was said to it, in order of time.
    """

    item: SlugText
    record: RecordText
    kind: SlugText
    part: SlugText
    key: str
    words: str
    note: str | None
    at: int | None
    given_by: OfficerText
    taken: bool
    answers: list[Said]


class ShiftLine(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a shift.

    Attributes:
        handover: the record of it.
        ends_at: when it ended (ms since 1970).
        items: what it handed over, each matter once.
    """

    handover: RecordText
    ends_at: int
    items: list[HandedLine]


class HandoverPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what waits.

    Attributes:
        audience: for whom.
        until: the end of the shift that takes over (ms since 1970).
        matters: what waits; of one page, what has the least time left first.
        shifts: what was handed over, and who took it on: of the last day, and older ones of which something waits.
        next: pass it as `after` for the next page; null on the last one. A page may be short, or empty, before it.
    """

    audience: ScopeText
    until: int
    matters: list[MatterLine]
    shifts: list[ShiftLine]
    next: str | None


async def show_handover(request: Request) -> Response:
    """All that waits for a team, a suite or an area, with who took on what was handed over."""
    audience, after = _audience_of(request), _after_of(request)
    beatbook, now = beatbook_of(request), beatbook_of(request).now()
    until = Millis(now + _hours_of(request) * HOUR_MS)
    found: dict[RecordId, Kind] = {}
    shifts: list[ShiftLine] = []
    behind: str | None = None
    async for state in _records(request, audience, after):
        if len(found) == LOOKED_AT_MAX:
            behind = after
            break
        after = f"{state.spec.name}:{state.id}"
        found[state.id] = record = state.build()
        if isinstance(record, Handover) and (record.waiting() or record.ends_at > now - KEPT_MS):
            shifts.append(_shift(state, record))
    matters = handover(found, [audience], until=until, settings=beatbook.office.settings, now=now, report=_report)
    told = dict.fromkeys([*(one.record for one in matters), *(RecordId(one.handover) for one in shifts)])
    await listed(request, list(told), WHY)
    lines = [_line(one, now) for one in matters]
    return reply(HandoverPage(audience=audience, until=until, matters=lines, shifts=shifts, next=behind))


def _audience_of(request: Request) -> ScopeName:
    given = [(name, request.query_params[name]) for name in _FAMILIES if name in request.query_params]
    if len(given) != 1:
        raise UsageError(f"say for whom: one of {', '.join(f'{name}=…' for name in _FAMILIES)}")
    ((name, slug),) = given
    audience = _FAMILIES[name](slug)
    wrong = scopes.problem(audience)
    if wrong is not None or ":" in slug:
        raise UsageError(f"{name}={slug!r}: {wrong or 'give its name alone, as in birmingham'}")
    return audience


def _hours_of(request: Request) -> int:
    given = request.query_params.get("hours", str(HOURS))
    if re.fullmatch("[0-9]{1,2}", given) is None or not 1 <= int(given) <= HOURS_MAX:
        raise UsageError(f"hours={given!r}: give the length of the shift, 1 to {HOURS_MAX}")
    return int(given)


def _after_of(request: Request) -> str:
    after = request.query_params.get("after", "")
    kind, _, record = after.partition(":")
    if after and (kind not in KINDS or not is_record_id(record)):
        raise UsageError(f"after={after!r}: give what `next` of the page before says")
    return after


async def _records(request: Request, audience: ScopeName, after: str) -> AsyncIterator[RecordState]:
    """The records in which something can wait, a kind after the other, each in order of id."""
    kind, _, record = after.partition(":")
    rest = KINDS[KINDS.index(kind) :] if after else KINDS
    for name in rest:
        behind = record if name == kind else ""
        async for state in walk(beatbook_of(request).store, name, caller_of(request), audience, behind):
            yield state


def _report(error: Exception, where: str) -> None:
    _log.error("a rule of time failed at %s", where, exc_info=error)


def _line(one: Matter, now: Millis) -> MatterLine:
    return MatterLine(
        part=one.part.value,
        record=one.record,
        kind=one.kind,
        key=one.key,
        at=one.at,
        overdue=one.at is not None and one.at <= now,
        words=one.words,
        roles=list(one.roles),
    )


def _shift(state: RecordState, record: Handover) -> ShiftLine:
    waiting = {one.ref() for one in record.waiting()}
    answers: dict[str, list[Said]] = {}
    for entry in _entries(state, "answers"):
        one = msgspec.convert(entry.value, HandedAnswer)
        said = Said(by=entry.stamp.author, taken=one.taken, at=one.at, note=one.note)
        answers.setdefault(one.item, []).append(said)
    items: dict[str, HandedLine] = {}
    for entry in _entries(state, "items"):
        item = msgspec.convert(entry.value, HandedItem)
        ref = item.ref()
        items[ref] = HandedLine(
            item=ref,
            record=item.record,
            kind=item.kind,
            part=item.part,
            key=item.key,
            words=item.words,
            note=item.note,
            at=item.at,
            given_by=entry.stamp.author,
            taken=ref not in waiting,
            answers=sorted(answers.get(ref, ()), key=lambda one: one.at),
        )
    return ShiftLine(handover=state.id, ends_at=record.ends_at, items=list(items.values()))


def _entries(state: RecordState, field: str) -> tuple[Entry, ...]:
    cell = state.cells.get(FieldName(field))
    return () if cell is None else cell.entries


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/handover",
        handler=show_handover,
        who=READERS,
        gives=HandoverPage,
        query={
            "team": "The slug of a team; one of `team`, `area` and `suite` is required.",
            "area": "The slug of an area.",
            "suite": "The slug of a custody suite.",
            "hours": f"How long the shift is that takes over, 1 to {HOURS_MAX}; {HOURS} when absent.",
            "after": "What `next` of the page before says.",
        },
    ),
)
