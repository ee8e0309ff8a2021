"""The routes, each with what the OpenAPI description says of it."""

import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, RecordId, ScopeName, Seq, is_record_id, new_record_id
from schemas.kinds import KINDS
from schemas.ops import Stamp
from server.http import bodies
from server.http.problems import beatbook_of, problem, reply, require_token
from server.identity import Enrolment
from server.office import Draft, Made
from sync import merge
from sync.policies import Cell, policy_of

_Body = TypeVar("_Body")
Handler = Callable[[Request], Awaitable[Response]]
LIST_MAX: Final = 500
LIST_DEFAULT: Final = 100
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""A request's body: 500 drafts of 8 KiB."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes:
        method, path: where it is.
        handler: what answers.
        takes, gives: body types; None for none.
        status: of success.
        also: other statuses of success, with what they mean.
        query: parameter -> meaning.
        open: whether it needs no token.
    """

    method: str
    path: str
    handler: Handler
    takes: Any = None
    gives: Any = None
    status: int = 200
    also: Mapping[int, str] = {}
    query: Mapping[str, str] = {}
    open: bool = False

    @property
    def summary(self) -> str:
        """What it does: its handler's docstring."""
        return self.handler.__doc__ or ""


async def livez(_request: Request) -> Response:
    """The process runs and its loop turns."""
    return reply(bodies.Health(status="ok"))


async def readyz(request: Request) -> Response:
    """The server takes edits: store open, committer not failing, not stopping."""
    beatbook = beatbook_of(request)
    if not beatbook.ready:
        return problem(503, "not ready", "the server is starting or stopping")
    if beatbook.committer.failing is not None:
        return problem(503, "not ready", "the store fails; see the server's log")
    return reply(bodies.Health(status="ok", sockets=len(beatbook.hub), epoch=beatbook.store.epoch))


async def create_briefing(request: Request) -> Response:
    """Make a briefing durable and push it to its audience."""
    new = await _body(request, bodies.NewBriefing)
    beatbook = beatbook_of(request)
    record = new.id or new_record_id(beatbook.now(), os.urandom(10))
    given: dict[str, Any] = msgspec.to_builtins(new)
    values = {
        FieldName(name): value for name, value in given.items() if name not in ("author", "id") and value is not None
    }
    values[FieldName("issued_at")] = beatbook.now()
    known = await beatbook.store.existing([record])
    if record in known:
        del values[FieldName("issued_at")]
    made = await beatbook.office.bring([Draft(record=record, kind="briefing", values=values)], new.author)
    return reply(_created(made[0]), 201 if made[0].outcome == "created" else 200)


async def bring_records(request: Request) -> Response:
    """Make or change many records."""
    drafts = await _body(request, bodies.Drafts)
    ids = [draft.id for draft in drafts.records]
    if len(set(ids)) != len(ids):
        raise UsageError("a record stands twice in this call; send each once")
    made = await beatbook_of(request).office.bring(
        [
            Draft(
                record=draft.id,
                kind=draft.kind,
                values={FieldName(name): value for name, value in draft.values.items()},
            )
            for draft in drafts.records
        ],
        drafts.author,
    )
    return reply(bodies.DraftsDone(records=[_created(one) for one in made]))


async def list_records(request: Request) -> Response:
    """A page of records of one kind."""
    query = request.query_params
    kind = query.get("kind", "")
    if kind not in KINDS:
        raise UsageError(f"kind={kind!r}: give one of {', '.join(sorted(KINDS))}")
    limit = query.get("limit", str(LIST_DEFAULT))
    if re.fullmatch("[0-9]{1,3}", limit) is None or not 1 <= int(limit) <= LIST_MAX:
        raise UsageError(f"limit={limit!r}: give a number from 1 to {LIST_MAX}")
    after = query.get("after", "")
    if after and not is_record_id(after):
        raise UsageError(f"after={after!r}: give the id that `next` of the page before says")
    scope = query.get("scope")
    held = None if scope is None else ScopeName(scope)  # a scope that is none has no records
    store = beatbook_of(request).store
    found = [record_body(row) for row in await store.records(kind, held, after, int(limit))]
    # A page of large records ends before the limit: only a look behind it tells whether it is the last.
    more = bool(found) and bool(await store.records(kind, held, found[-1].id, 1))
    return reply(bodies.RecordList(records=found, next=found[-1].id if more else None))


async def read_record(request: Request) -> Response:
    """One record."""
    record = request.path_params["record"]
    row = await beatbook_of(request).store.record(RecordId(record)) if is_record_id(record) else None
    if row is None:
        raise HTTPException(404, f"there is no record {record!r}")
    return reply(record_body(row))


async def list_devices(request: Request) -> Response:
    """Every enrolled device, and which are connected."""
    beatbook = beatbook_of(request)
    connected = beatbook.hub.connected()
    return reply(bodies.DeviceList(devices=[_device(enrolment, connected) for enrolment in beatbook.directory.all()]))


async def set_grants(request: Request) -> Response:
    """Change what a device may see; a connected one adds and removes at once."""
    wanted = await _body(request, bodies.Audiences)
    beatbook = beatbook_of(request)
    device = DeviceId(request.path_params["device"])
    if beatbook.directory.find(device) is None:
        raise HTTPException(404, f"no device {device!r} is enrolled")
    enrolment = beatbook.directory.regrant(device, wanted.scopes)
    beatbook.hub.regrant(device, enrolment.generations())
    return reply(_device(enrolment, beatbook.hub.connected()))


def _device(enrolment: Enrolment, connected: Mapping[DeviceId, Mapping[ScopeName, Seq]]) -> bodies.DeviceBody:
    return bodies.DeviceBody(
        device=enrolment.device,
        officer=enrolment.officer,
        scopes=dict(enrolment.generations()),
        connected=enrolment.device in connected,
        acked=dict(connected.get(enrolment.device, {})),
    )


async def _body(request: Request, of: type[_Body]) -> _Body:
    """The request's body, decoded.

    Raises:
        HTTPException: 413 when it is too long.
        msgspec.DecodeError: it is not what the route takes.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise HTTPException(413, f"at most {BODY_BYTES_MAX} bytes in one request")
        parts.append(part)
    try:
        return msgspec.json.decode(b"".join(parts), type=of)
    except (UnicodeDecodeError, RecursionError):
        raise msgspec.DecodeError("the body is not JSON in UTF-8, or is nested too deeply") from None


def record_body(row: bytes) -> bodies.RecordBody:
    """A stored row as the HTTP side tells it."""
    state = merge.from_row(decode_row(row))
    return bodies.RecordBody(
        id=state.id,
        kind=state.spec.name,
        version=state.version,
        scopes=sorted(state.scopes()),
        values={str(name): value for name, value in state.values().items()},
        stamps={str(name): _attribution(cell) for name, cell in state.cells.items()},
        differing={
            str(name): [{"value": one.value, **_stamp(one.stamp)} for one in open_values]
            for name, cell in state.cells.items()
            if (open_values := policy_of(state.spec.fields[name]).unsettled(state.spec.fields[name], cell))
        },
    )


def _attribution(cell: Cell) -> dict[str, Any] | list[dict[str, Any]]:
    if cell.said is not None:
        return _stamp(cell.said.stamp)
    return [_stamp(entry.stamp) for entry in cell.entries]


def _stamp(stamp: Stamp) -> dict[str, Any]:
    return {
        "op": stamp.op,
        "author": stamp.author,
        "occurred_at": stamp.occurred_at,
        "recorded_at": stamp.recorded_at,
    }


def _created(made: Made) -> bodies.Created:
    return bodies.Created(id=made.record, outcome=made.outcome, seq=made.seq)


OPERATIONS: Final = (
    Operation(method="GET", path="/livez", handler=livez, gives=bodies.Health, open=True),
    Operation(method="GET", path="/readyz", handler=readyz, gives=bodies.Health, open=True),
    Operation(
        method="POST",
        path="/v1/briefings",
        handler=create_briefing,
        takes=bodies.NewBriefing,
        gives=bodies.Created,
        status=201,
        also={200: "The briefing was there; what differed was changed."},
    ),
    Operation(
        method="GET",
        path="/v1/records",
        handler=list_records,
        gives=bodies.RecordList,
        query={
            "kind": f"One of {', '.join(sorted(KINDS))}.",
            "scope": "Only records in this scope, as in area:birmingham.",
            "after": "The id behind which to go on.",
            "limit": f"How many, 1 to {LIST_MAX}; {LIST_DEFAULT} when absent.",
        },
    ),
    Operation(
        method="POST",
        path="/v1/records",
        handler=bring_records,
        takes=bodies.Drafts,
        gives=bodies.DraftsDone,
    ),
    Operation(
        method="GET",
        path="/v1/records/{record}",
        handler=read_record,
        gives=bodies.RecordBody,
    ),
    Operation(
        method="GET",
        path="/v1/devices",
        handler=list_devices,
        gives=bodies.DeviceList,
    ),
    Operation(
        method="PUT",
        path="/v1/devices/{device}/grants",
        handler=set_grants,
        takes=bodies.Audiences,
        gives=bodies.DeviceBody,
    ),
)


def all_routes() -> Sequence[BaseRoute]:
    """Starlette's routes for the operations: one for each path, so that a 405 names all its methods."""
    paths: dict[str, dict[str, Handler]] = {}
    for operation in OPERATIONS:
        handler = operation.handler if operation.open else _guarded(operation.handler)
        paths.setdefault(operation.path, {})[operation.method] = handler
    return [Route(path, _by_method(handlers), methods=list(handlers)) for path, handlers in paths.items()]


def _by_method(handlers: Mapping[str, Handler]) -> Handler:
    async def dispatch(request: Request) -> Response:
        # A HEAD is a GET whose body the server leaves out.
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        require_token(request)
        return await handler(request)

    return guarded
