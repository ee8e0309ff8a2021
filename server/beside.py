"""The rules of police work for what a person writes over HTTP, with the records that lie beside it.

A handheld has them at hand; here they are read for the few changes of which a rule asks. What is found is what whoever
writes may see, and among that what was changed lately: a note is compared within minutes, and so is a second report.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.ids import RecordId, ScopeName, Seq
from schemas.kinds import Kind
from schemas.ops import Op
from schemas.roles import Role
from schemas.settings import Settings
from server.store import Store
from sync import merge
from sync.merge import RecordState
from sync.policing import rulebook

COMMITS_BACK: Final = 65_536
"""How far back is looked: 10 minutes at 100 commits a second, more than one machine makes at its busiest."""
PAGES_MAX: Final = 8
"""Of the log of one scope, a page has up to `PAGE_ROWS_MAX` records; a suite has a hundred people."""


class Change(msgspec.Struct, frozen=True):
    """What a person is about to write.

    Attributes:
        op: the change.
        before: the record as it stands; None for a new one.
        after: the record as it would be.
    """

    op: Op
    before: RecordState | None
    after: RecordState


async def require(  # noqa: PLR0917  what the rules are asked of
    store: Store,
    change: Change,
    seen: frozenset[ScopeName],
    roles: frozenset[Role] | None,
    settings: Settings,
    others: Sequence[RecordState],
) -> None:
    """Ask the rules about a change.

    Args:
        store: where records are.
        change: it.
        seen: the scopes that its author may see; what lies in no such scope is not there for them.
        roles: what they are.
        settings: the force's.
        others: the records that are written in the same call, so far.

    Raises:
        RuleError: one is against it.
        StoreError: the store failed.
    """
    op, after = change.op, change.after
    stored = await near(store, op, after.scopes() & seen)
    together = [one for one in others if one.spec is after.spec and one.id != op.record]
    asked = rulebook.looks_for(op)
    about = None if asked is None else await _about(store, asked, seen)
    rulebook.require(
        op,
        change.before,
        after,
        roles,
        settings,
        beside=lambda: [*stored, *together],
        find=lambda record: about if record == asked else None,
    )


async def _about(store: Store, record: RecordId, seen: frozenset[ScopeName]) -> Kind | None:
    row = await store.record(record)
    state = None if row is None else merge.from_row(decode_row(row))
    return None if state is None or seen.isdisjoint(state.scopes()) else state.build()


async def near(store: Store, op: Op, places: Iterable[ScopeName]) -> list[RecordState]:
    """The other records of the kind in these scopes that were changed lately; none where no rule asks for them.

    Args:
        store: where they are.
        op: the change.
        places: the scopes of the record that its author may see.

    Raises:
        StoreError: the store failed.
    """
    if rulebook.LOOKS_BESIDE.get(op.kind) not in op.changes:
        return []
    found: dict[str, RecordState] = {}
    heads = await store.heads()
    for scope in sorted(set(places) & heads.keys()):
        after = Seq(max(0, heads[scope].seq - COMMITS_BACK))
        for _ in range(PAGES_MAX):
            part = await store.changes(scope, after)
            for row in part.rows:
                state = merge.from_row(decode_row(row))
                if state.spec.name == op.kind and state.id != op.record:
                    found[state.id] = state
            if part.head is not None:
                break
            after = part.to
    return list(found.values())
