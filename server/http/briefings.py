"""Routes: briefings that the control room issues, and who has read them."""

import os
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import FieldName, OfficerText, RecordText, new_record_id
from schemas.kinds import Briefing, spec_of
from schemas.kinds.briefing import Priority
from schemas.rights import SUPERVISING
from server.http import bodies
from server.http.callers import caller_of, check_roles, standing_of
from server.http.operations import LIMIT_MEANING, Operation, limit_of, read_body
from server.http.problems import beatbook_of, reply
from server.http.records import created
from server.http.sight import READERS, seen_record
from server.office import Draft
from server.receipts import author_of, count
from sync.policing.briefings.tally import Count

_SPEC: Final = spec_of(Briefing)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is addressed and has not confirmed the version that stands.

    Attributes:
        officer: who.
        step: how far they have come: `nothing`, `on-device` or `opened`.
    """

    officer: OfficerText
    step: str


class ReceiptCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A briefing's receipts, counted: for its author, supervisors and the control room.

    Attributes:
        briefing: which.
        addressed: how many officers it is addressed to now.
        versions: the version that stands first, then the others, the newest first.
        waiting_count: how many of those addressed have not confirmed the version that stands.
        waiting: who they are, in order of collar number, a page at a time.
        next: the collar number behind which to go on; null at the end.
    """

    briefing: RecordText
    addressed: int
    versions: tuple[Count, ...]
    waiting_count: int
    waiting: list[Waiting]
    next: OfficerText | None


async def create_briefing(request: Request) -> Response:
    """Make a briefing durable and push it to its audience."""
    new = await read_body(request, bodies.NewBriefing)
    caller = caller_of(request)
    beatbook = beatbook_of(request)
    record = new.id or new_record_id(beatbook.now(), os.urandom(10))
    given: dict[str, Any] = msgspec.to_builtins(new)
    urgent = given.pop("urgent")
    given["priority"] = given["priority"] or (Priority.OFFICER_SAFETY.value if urgent else None)
    values = {FieldName(name): value for name, value in given.items() if name != "id" and value is not None}
    values[FieldName("issued_at")] = beatbook.now()
    known = await beatbook.store.existing([record])
    if record in known:
        del values[FieldName("issued_at")]
    made = await beatbook.office.bring(
        [Draft(record=record, kind=_SPEC.name, values=values)], caller.officer, standing_of(caller)
    )
    return reply(created(made[0]), 201 if made[0].outcome == "created" else 200)


async def count_receipts(request: Request) -> Response:
    """Who has a briefing, who has opened and who has confirmed it, by version; and who has not."""
    state = await seen_record(request, called="briefing")
    if state.spec is not _SPEC:
        raise HTTPException(404, f"there is no briefing {state.id!r}")
    caller, beatbook = caller_of(request), beatbook_of(request)
    if caller.officer != author_of(state):
        check_roles(caller, SUPERVISING)
    limit, after = limit_of(request), request.query_params.get("after", "")
    told = await count(beatbook.store, beatbook.authority.ledger.registry, state, beatbook.now())
    rest = [one for one in told.waiting if one[0] > after]
    return reply(
        ReceiptCounts(
            briefing=state.id,
            addressed=told.addressed,
            versions=told.versions,
            waiting_count=len(told.waiting),
            waiting=[Waiting(officer=who, step=step.name.lower().replace("_", "-")) for who, step in rest[:limit]],
            next=rest[limit - 1][0] if len(rest) > limit else None,
        )
    )


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/briefings",
        handler=create_briefing,
        who=_SPEC.rights.makers,
        takes=bodies.NewBriefing,
        gives=bodies.Created,
        status=201,
        also={200: "The briefing was there; what differed was changed."},
    ),
    Operation(
        method="GET",
        path="/v1/briefings/{record}/receipts",
        handler=count_receipts,
        who=READERS,
        gives=ReceiptCounts,
        query={"limit": LIMIT_MEANING, "after": "The collar number behind which to go on."},
    ),
)
