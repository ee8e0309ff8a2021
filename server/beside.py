"""The records that lie beside the one that a person writes over HTTP, for the rules that compare them.

A handheld has them at hand; here they are read for the few changes of which a rule asks. What is found is what whoever
writes may see, and among that what was changed lately: a note is compared within minutes, and so is a second report.
"""

from collections.abc import Iterable
from typing import Final

from schemas.codec import decode_row
from schemas.ids import ScopeName, Seq
from schemas.ops import Op
from server.store import Store
from sync import merge
from sync.merge import RecordState
from sync.policing import rulebook

COMMITS_BACK: Final = 65_536
"""How far back is looked: 10 minutes at 100 commits a second, more than one machine makes at its busiest."""
PAGES_MAX: Final = 8
"""Of the log of one scope, a page has up to `PAGE_ROWS_MAX` records; a suite has a hundred people."""


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
