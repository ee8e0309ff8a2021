"""What a caller may see over HTTP: records in the scopes that they are entitled to, and nothing of the others.

What is outside is answered as what is not there, counts and places in a list included: whoever is not cleared does not
learn that there is anything.
"""

from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from schemas.codec import decode_row
from schemas.ids import RecordId, ScopeName
from schemas.kinds import KINDS
from schemas.roles import Role
from server.authority import Admitted
from server.http.callers import caller_of, sees
from server.http.operations import record_in
from server.http.problems import beatbook_of
from server.store import Store
from sync import merge
from sync.merge import RecordState

ROWS_AT_ONCE: Final = 32
"""Rows of one scope that are read together; a caller holds dozens of scopes."""
_OUTSIDE: Final = frozenset({Role.ADMINISTRATOR, Role.AUDITOR})
"""Who manages identities, and who reads logs: neither reads or writes a record, even of a kind they might make."""
WRITERS: Final = tuple(
    role
    for role in Role
    if role not in _OUTSIDE and any(role in (*spec.rights.makers, *spec.rights.writers) for spec in KINDS.values())
)
"""Who may write to a record of some kind; to which, and what, is for the write rights (`schemas.rights`)."""
READERS: Final = (*WRITERS, *(role for role in (Role.REGISTRAR,) if role not in WRITERS))
"""Who works with records."""


async def seen_record(request: Request, name: str = "record", called: str = "record") -> RecordState:
    """The record in the path, if the caller may see it.

    Of one that was erased, whoever could see it is told when, by whom and under what.

    Args:
        request: the request.
        name: of the path's parameter.
        called: what it is called in the refusal.

    Raises:
        HTTPException: 404: there is none, or it is in no scope of theirs. The two are told alike. 410: it was erased.
    """
    record = record_in(request, name)
    store = beatbook_of(request).store
    row = await store.record(record)
    state = None if row is None else merge.from_row(decode_row(row))
    if state is None or not sees(caller_of(request), state.scopes()):
        gone = await store.erased(record) if state is None else None
        if gone is not None and await _was_seen(store, record, caller_of(request)):
            raise HTTPException(410, f"{called} {record!r} was {gone.note}")
        raise HTTPException(404, f"there is no {called} {record!r}")
    return state


async def _was_seen(store: Store, record: RecordId, caller: Admitted) -> bool:
    """Whether an erased record was in a scope that the caller may see: its tombstones are all that tells."""
    before = record[:-1] + chr(ord(record[-1]) - 1)
    for scope in sorted(caller.scopes):
        if record in (await store.page(scope, before, record)).erased:
            return True
    return False


class _Cursor:
    """Goes through one scope's records of a kind, in order of id."""

    def __init__(self, store: Store, kind: str, scope: ScopeName, after: str) -> None:
        self._store, self._kind, self._scope, self._after = store, kind, scope, after
        self._ahead: deque[RecordState] = deque()
        self._ended = False

    async def peek(self) -> RecordState | None:
        """The next record, or None at the end."""
        if not self._ahead and not self._ended:
            rows = await self._store.records(self._kind, self._scope, self._after, ROWS_AT_ONCE)
            self._ahead.extend(merge.from_row(decode_row(row)) for row in rows)
            self._ended = not rows
            if self._ahead:
                self._after = self._ahead[-1].id
        return self._ahead[0] if self._ahead else None

    def pass_by(self, record: RecordId) -> None:
        """Go on behind that record, if it is the next one."""
        if self._ahead and self._ahead[0].id == record:
            self._ahead.popleft()


async def walk(
    store: Store, kind: str, caller: Admitted, scope: ScopeName | None, after: str
) -> AsyncIterator[RecordState]:
    """The records of a kind that a caller may see, in order of id, each once.

    Only their own scopes are read: how much there is in others shows neither in what comes nor in how long it takes.

    Args:
        store: where they are.
        kind: which kind.
        caller: who asks.
        scope: of this scope only; None for all of theirs.
        after: behind which id; "" from the first.
    """
    wanted = caller.scopes if scope is None else caller.scopes & {scope}
    cursors = [_Cursor(store, kind, one, after) for one in sorted(wanted)]
    while True:
        ahead = [state for cursor in cursors if (state := await cursor.peek()) is not None]
        if not ahead:
            return
        first = min(ahead, key=lambda state: state.id)
        for cursor in cursors:
            cursor.pass_by(first.id)
        yield first


async def page(records: AsyncIterator[RecordState], limit: int) -> tuple[list[RecordState], RecordId | None]:
    """(the first records of a walk; the id behind which to go on, or None where it ends there)."""
    found: list[RecordState] = []
    async for state in records:
        if len(found) == limit:
            return found, found[-1].id
        found.append(state)
    return found, None
