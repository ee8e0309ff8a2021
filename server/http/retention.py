"""Routes: what is due for review, its review, and the erasure that a second officer carries out.

Who may do what to which record is `server.retention`'s to say; here a caller is only let near it: whoever could have
none of the roles is refused at the door, and a record that they may not see is not there.
"""

from typing import Annotated, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.codec import decode_row
from schemas.ids import MillisInt, RecordText, SlugText
from schemas.limits import REASON_CHARS_MAX
from schemas.roles import Role
from server.http.callers import caller_of, sees
from server.http.identities import Done
from server.http.operations import LIMIT_MEANING, Operation, limit_of, read_body
from server.http.problems import beatbook_of, reply
from server.http.sight import seen_record
from server.retention import Due, Schedule
from server.reviewing import Actor
from sync import merge

KEEPERS: Final = tuple(role for role in Role if role in Schedule.of().reviewers | Schedule.of().erasers)
"""Who reviews or erases anything by default."""
_Why = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARS_MAX)]


class DueBody(msgspec.Struct, frozen=True, kw_only=True):
    """A record that somebody must look at.

    Attributes:
        record, kind: which.
        group: the name of its retention group.
        due_at: since when (ms since 1970).
        proposed_by: who has proposed its erasure, which somebody else must now decide; "" when nobody has.
        because: why it is listed, in words.
    """

    record: RecordText
    kind: SlugText
    group: str
    due_at: int
    proposed_by: str
    because: str


class DueList(msgspec.Struct, frozen=True, kw_only=True):
    """The records that are due, of those that the caller may see; those that are due longest first."""

    due: list[DueBody]


class NewReview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody who has looked at a record says of it.

    Attributes:
        outcome: `keep`, or `erase`: propose that somebody else erase it.
        why: in words; it stays in the log.
        until: when it is looked at again, if it is kept (ms since 1970).
        early: under which order or at whose request a record goes that is not due; a superintendent's to say.
    """

    outcome: Literal["keep", "erase"]
    why: _Why
    until: MillisInt | None = None
    early: _Why | None = None


class NewErasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The erasure that another officer has proposed is carried out.

    Attributes:
        why: under which rule; it is what stays of the record.
    """

    why: _Why


async def list_due(request: Request) -> Response:
    """The records that are due for review, and those whose erasure is proposed; reads all records."""
    limit, caller, beatbook = limit_of(request), caller_of(request), beatbook_of(request)
    found: list[DueBody] = []
    for one in await beatbook.reviewing.due():
        row = await beatbook.store.record(one.record)
        if row is not None and sees(caller, merge.from_row(decode_row(row)).scopes()):
            found.append(_told(one))
        if len(found) == limit:
            break
    return reply(DueList(due=found))


async def review_record(request: Request) -> Response:
    """Keep a record until a date, or propose that somebody else erase it."""
    body = await read_body(request, NewReview)
    state = await seen_record(request)
    await beatbook_of(request).reviewing.review(
        _actor(request), state.id, body.outcome, body.why, until=body.until, early=body.early
    )
    return reply(Done())


async def erase_record(request: Request) -> Response:
    """Carry out the erasure that another officer has proposed. Nothing brings the record back."""
    body = await read_body(request, NewErasure)
    state = await seen_record(request)
    await beatbook_of(request).reviewing.erase(_actor(request), state.id, body.why)
    return reply(Done())


def _actor(request: Request) -> Actor:
    caller = caller_of(request)
    return Actor(caller.officer, caller.seat)


def _told(one: Due) -> DueBody:
    return DueBody(
        record=one.record,
        kind=one.kind,
        group=one.group,
        due_at=one.due_at,
        proposed_by=one.proposed_by,
        because=one.because,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/retention/due",
        handler=list_due,
        who=KEEPERS,
        gives=DueList,
        query={"limit": LIMIT_MEANING},
    ),
    Operation(
        method="POST",
        path="/v1/records/{record}/reviews",
        handler=review_record,
        who=KEEPERS,
        takes=NewReview,
        gives=Done,
    ),
    Operation(
        method="POST",
        path="/v1/records/{record}/erasure",
        handler=erase_record,
        who=KEEPERS,
        takes=NewErasure,
        gives=Done,
    ),
)
