"""Routes: what waits for a person, and their decisions."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import InboxItem
from schemas.scopes import grant_problem
from server.alternatives import HOLD, Alternative, free_like
from server.http.accounts import DecisionDone, InboxItemBody, InboxList, NewDecision
from server.http.callers import caller_of, standing_of
from server.http.consulting import WAITING, listed, looked_at
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
from server.http.questions import line, whole
from server.http.sight import READERS, seen_record, walk
from server.office import Choice
from server.store import Store
from sync import inbox, merge
from sync.policies import policy_of

LOOKED_AT_MAX: Final = 2_048
"""Items that one call looks at: what was decided long ago is never deleted, and a page must not read all of it."""


async def list_inbox(request: Request) -> Response:
    """A page of what waits for a person."""
    limit, after = limit_of(request), after_id_of(request)
    wanted = choice_of(request, "open", ("true", "false", "all"))
    only_overdue = choice_of(request, "overdue", ("false", "true")) == "true"
    scope = request.query_params.get("scope")
    wrong = None if scope is None else grant_problem(scope)
    if wrong is not None:
        raise UsageError(f"scope={wrong}; with :inbox behind it, what is asked there, as in suite:perry-barr:inbox")
    held = None if scope is None else ScopeName(scope)
    beatbook = beatbook_of(request)
    now = beatbook.now()
    found: list[tuple[RecordId, InboxItem]] = []
    behind: RecordId | None = None
    looked_at = 0
    async for state in walk(beatbook.store, inbox.SPEC.name, caller_of(request), held, after):
        if len(found) == limit or looked_at >= LOOKED_AT_MAX:
            behind = RecordId(after)
            break
        after, looked_at = state.id, looked_at + 1
        about = state.build()
        if not isinstance(about, InboxItem):
            continue
        overdue = about.open and about.due_at <= now
        if (wanted == "all" or about.open == (wanted == "true")) and (overdue or not only_overdue):
            found.append((state.id, about))
    await listed(request, [item for item, _ in found], WAITING)
    subjects = await beatbook.store.existing(list({about.subject for _, about in found}))
    lines = [line(item, about, subjects.get(about.subject), now) for item, about in found]
    return reply(InboxList(items=lines, next=behind))


async def read_inbox_item(request: Request) -> Response:
    """One question with everything that a person needs to decide it."""
    beatbook = beatbook_of(request)
    state = await seen_record(request, "item", "inbox item")
    about = state.build()
    if not isinstance(about, InboxItem):
        raise HTTPException(404, f"there is no inbox item {state.id!r}")
    await looked_at(request, state)
    subject = await beatbook.store.record(about.subject)
    alternatives = await _alternatives(beatbook.store, about, subject, beatbook.now())
    return reply(whole(state, about, subject, alternatives, beatbook.now()))


async def decide_inbox_item(request: Request) -> Response:
    """Decide a question, as one of those who may."""
    item = record_in(request, "item")
    new = await read_body(request, NewDecision)
    beatbook, caller = beatbook_of(request), caller_of(request)
    choice = Choice(
        value=new.value,
        reason=new.reason,
        author=caller.officer,
        seen=None if new.seen is None else frozenset(new.seen),
        instead=new.instead,
    )
    done = await beatbook.office.decide(item, choice, standing_of(caller))
    row = await beatbook.store.record(done.subject)
    shown, asked = None, False
    if row is not None:
        state = merge.from_row(decode_row(row))
        field, cell = state.spec.fields[done.field], state.cells[done.field]
        shown, asked = policy_of(field).value(field, cell), bool(policy_of(field).unsettled(field, cell))
    return reply(
        DecisionDone(
            item=item,
            op=done.op,
            seq=done.seq,
            subject=done.subject,
            field=done.field,
            value=shown,
            open=asked,
            given=dict(done.given),
        )
    )


async def _alternatives(store: Store, about: InboxItem, subject: bytes | None, now: Millis) -> list[Alternative]:
    """What else is free, while a claim on a resource waits to be decided."""
    if not about.open or about.field != HOLD or subject is None:
        return []
    return await free_like(store, merge.from_row(decode_row(subject)), now)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/inbox",
        handler=list_inbox,
        who=READERS,
        gives=InboxList,
        query={
            "scope": "Only items in this scope, as in suite:perry-barr:inbox.",
            "open": "`true` (also when absent): what waits; `false`: what is settled; `all`.",
            "overdue": "`true`: only what should have been decided by now.",
            "after": AFTER_ID_MEANING,
            "limit": LIMIT_MEANING,
        },
    ),
    Operation(
        method="GET",
        path="/v1/inbox/{item}",
        handler=read_inbox_item,
        who=READERS,
        gives=InboxItemBody,
    ),
    Operation(
        method="POST",
        path="/v1/inbox/{item}/decision",
        handler=decide_inbox_item,
        who=READERS,
        takes=NewDecision,
        gives=DecisionDone,
    ),
)
