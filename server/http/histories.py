"""Routes: what was done to a record, why its values stand, and how all disagreements were settled."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.roles import Role
from server import conflicts, dossier
from server.conflicts import Conflicts
from server.http.accounts import ExplainedField, Explanation, OpBody, OpList
from server.http.consulting import looked_at
from server.http.operations import LIMIT_MEANING, Operation, after_place_of, limit_of
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, seen_record
from server.store.port import KeptOp
from sync.explain import history, tell
from sync.explain.values import doubts


async def read_history(request: Request) -> Response:
    """Every op on a record, with its result and what it did."""
    limit, after = limit_of(request), after_place_of(request)
    state = await seen_record(request)
    await looked_at(request, state)
    record, store = state.id, beatbook_of(request).store
    kept = await store.ops(record, after, limit)
    more = bool(kept) and bool(await store.ops(record, kept[-1].place, 1))
    return reply(OpList(ops=[_op(one) for one in kept], next=kept[-1].place if more else None))


async def explain_record(request: Request) -> Response:
    """Why a record's values stand, in plain words and as data."""
    state = await seen_record(request)
    await looked_at(request, state)
    record, beatbook = state.id, beatbook_of(request)
    account = await dossier.account(beatbook.store, record, beatbook.now())
    if account is None:
        raise HTTPException(404, f"there is no record {record!r}")
    spec = account.state.spec
    field = request.query_params.get("field")
    if field is not None and field not in spec.fields:
        raise UsageError(f"field={field!r}: a {spec.name} has {', '.join(spec.fields)}")
    told = history(account, None if field is None else FieldName(field))
    fields = [ExplainedField(words=tell(spec, one, account.now), history=one) for one in told.fields]
    return reply(Explanation(record=told.record, kind=told.kind, fields=fields))


async def count_conflicts(request: Request) -> Response:
    """How the disagreements of the whole history were settled; reads all of it."""
    beatbook = beatbook_of(request)
    return reply(await conflicts.count(beatbook.store, beatbook.now()))


def _op(kept: KeptOp) -> OpBody:
    one = dossier.logged(kept)
    op = one.op
    return OpBody(
        place=kept.place,
        op=op.id,
        device=op.device,
        seat=op.seat,
        author=op.author,
        record=op.record,
        kind=op.kind,
        create=op.create,
        changes={str(name): value for name, value in op.changes.items()},
        base=op.base,
        saw={str(name): list(ops) for name, ops in op.saw.items()},
        why=op.why,
        correct=op.correct,
        replaces=op.replaces,
        doubts=doubts(op.doubt),
        occurred_at=op.occurred_at,
        wall=op.wall,
        clock=op.hlc[0],
        recorded_at=one.recorded_at,
        seq=one.seq,
        status=one.result.status,
        code=one.result.code,
        detail=one.result.detail,
        stands={str(name): op_id for name, op_id in one.result.stands.items()},
        acts=list(one.acts),
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/records/{record}/history",
        handler=read_history,
        who=READERS,
        gives=OpList,
        query={"after": "The place behind which to go on.", "limit": LIMIT_MEANING},
    ),
    Operation(
        method="GET",
        path="/v1/records/{record}/explanation",
        handler=explain_record,
        who=READERS,
        gives=Explanation,
        query={"field": "One of the record's fields; all of which anything was said when absent."},
    ),
    # It counts over everything, compartments included: only for whoever oversees it and reads none of it.
    Operation(method="GET", path="/v1/conflicts", handler=count_conflicts, who=(Role.AUDITOR,), gives=Conflicts),
)
