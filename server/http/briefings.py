"""Routes: briefings that the control room issues."""

import os
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import FieldName, new_record_id
from schemas.kinds import Briefing, spec_of
from server.http import bodies
from server.http.callers import caller_of, standing_of
from server.http.operations import Operation, read_body
from server.http.problems import beatbook_of, reply
from server.http.records import created
from server.office import Draft

_SPEC: Final = spec_of(Briefing)


async def create_briefing(request: Request) -> Response:
    """Make a briefing durable and push it to its audience."""
    new = await read_body(request, bodies.NewBriefing)
    caller = caller_of(request)
    beatbook = beatbook_of(request)
    record = new.id or new_record_id(beatbook.now(), os.urandom(10))
    given: dict[str, Any] = msgspec.to_builtins(new)
    values = {FieldName(name): value for name, value in given.items() if name != "id" and value is not None}
    values[FieldName("issued_at")] = beatbook.now()
    known = await beatbook.store.existing([record])
    if record in known:
        del values[FieldName("issued_at")]
    made = await beatbook.office.bring(
        [Draft(record=record, kind=_SPEC.name, values=values)], caller.officer, standing_of(caller)
    )
    return reply(created(made[0]), 201 if made[0].outcome == "created" else 200)


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
)
