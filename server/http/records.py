"""Routes: records as they stand, and records made or changed in one call."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import UsageError
from schemas.ids import FieldName, ScopeName
from schemas.kinds import KINDS, FieldSpec
from schemas.ops import Stamp
from server.http import bodies
from server.http.callers import caller_of, standing_of
from server.http.consulting import listed, looked_at
from server.http.operations import (
    AFTER_ID_MEANING,
    LIMIT_MEANING,
    Operation,
    after_id_of,
    limit_of,
    read_body,
)
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, WRITERS, page, seen_record, walk
from server.office import Draft, Made
from sync.merge import RecordState
from sync.policies import Cell, policy_of


async def bring_records(request: Request) -> Response:
    """Make or change many records."""
    drafts = await read_body(request, bodies.Drafts)
    ids = [draft.id for draft in drafts.records]
    if len(set(ids)) != len(ids):
        raise UsageError("a record stands twice in this call; send each once")
    caller = caller_of(request)
    made = await beatbook_of(request).office.bring(
        [
            Draft(
                record=draft.id,
                kind=draft.kind,
                values={FieldName(name): value for name, value in draft.values.items()},
            )
            for draft in drafts.records
        ],
        caller.officer,
        standing_of(caller),
    )
    return reply(bodies.DraftsDone(records=[created(one) for one in made]))


async def list_records(request: Request) -> Response:
    """A page of records of one kind."""
    kind = request.query_params.get("kind", "")
    if kind not in KINDS:
        raise UsageError(f"kind={kind!r}: give one of {', '.join(sorted(KINDS))}")
    limit, after = limit_of(request), after_id_of(request)
    scope = request.query_params.get("scope")
    held = None if scope is None else ScopeName(scope)
    found, behind = await page(walk(beatbook_of(request).store, kind, caller_of(request), held, after), limit)
    await listed(request, [state.id for state in found])
    return reply(bodies.RecordList(records=[_told(state) for state in found], next=behind))


async def read_record(request: Request) -> Response:
    """One record."""
    state = await seen_record(request)
    await looked_at(request, state)
    return reply(_told(state))


def _told(state: RecordState) -> bodies.RecordBody:
    return bodies.RecordBody(
        id=state.id,
        kind=state.spec.name,
        version=state.version,
        scopes=sorted(state.scopes()),
        values={str(name): value for name, value in state.values().items()},
        stamps={str(name): _attribution(state.spec.fields[name], cell) for name, cell in state.cells.items()},
        differing={
            str(name): [{"value": one.value, **_stamp(one.stamp)} for one in open_values]
            for name, cell in state.cells.items()
            if (open_values := policy_of(state.spec.fields[name]).unsettled(state.spec.fields[name], cell))
        },
    )


def created(made: Made) -> bodies.Created:
    """What became of a draft."""
    return bodies.Created(id=made.record, outcome=made.outcome, seq=made.seq)


def _attribution(field: FieldSpec, cell: Cell) -> dict[str, Any] | list[dict[str, Any]]:
    """Who said what is shown. While people differ that may be nobody: a safe choice that the software made."""
    if cell.said is None:
        return [_stamp(entry.stamp) for entry in cell.entries]
    policy = policy_of(field)
    if not policy.unsettled(field, cell):
        return _stamp(cell.said.stamp)
    shown = policy.value(field, cell)
    said_so = [one for one in (cell.said, *reversed(cell.standing())) if one.value == shown]
    return _stamp(said_so[0].stamp) if said_so else {"safe": True}


def _stamp(stamp: Stamp) -> dict[str, Any]:
    return {
        "op": stamp.op,
        "author": stamp.author,
        "occurred_at": stamp.occurred_at,
        "recorded_at": stamp.recorded_at,
    }


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/records",
        handler=list_records,
        who=READERS,
        gives=bodies.RecordList,
        query={
            "kind": f"One of {', '.join(sorted(KINDS))}.",
            "scope": "Only records in this scope, as in area:birmingham.",
            "after": AFTER_ID_MEANING,
            "limit": LIMIT_MEANING,
        },
    ),
    Operation(
        method="POST",
        path="/v1/records",
        handler=bring_records,
        who=WRITERS,
        takes=bodies.Drafts,
        gives=bodies.DraftsDone,
    ),
    Operation(
        method="GET",
        path="/v1/records/{record}",
        handler=read_record,
        who=READERS,
        gives=bodies.RecordBody,
    ),
)
