"""A briefing's receipts, counted from what the store holds, and whom it is addressed to, from the registry.

Receipts lie beside each other in the order of ids, in a scope that nobody holds: a briefing's are read as one stretch,
however many there are of all others.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

from schemas import scopes
from schemas.codec import decode_row
from schemas.ids import FieldName, Millis, OfficerId, ScopeName
from schemas.kinds import Briefing, BriefingReceipt, spec_of
from schemas.kinds.receipts import CONTENT, receipts_of
from schemas.limits import PAGE_ROWS_MAX
from server.registry import Registry
from server.registry.grounds import of_officer
from server.store import Store
from sync import merge
from sync.merge import RecordState
from sync.policing.briefings.tally import Tally, tally

_RECEIPT: Final = spec_of(BriefingReceipt).name
_RECEIPTS: Final = FieldName("receipts")
OFFICERS_AT_ONCE: Final = 50
"""Officers whose rights are looked at before others have their turn: one costs some 50 µs, a force has 8,000."""


async def count(store: Store, registry: Registry, state: RecordState, now: Millis) -> Tally:
    """Count the receipts of a briefing.

    Args:
        store: where they are.
        registry: who there is.
        state: the briefing.
        now: the moment for which it is told whom it addresses (ms since 1970).

    Raises:
        TypeError: the record is no briefing.
        StoreError: the store failed.
    """
    briefing = state.build()
    if not isinstance(briefing, Briefing):
        raise TypeError(f"record {state.id} is a {state.spec.name}, and only briefings have receipts")
    found = [receipt async for receipt in _receipts(store, state, briefing)]
    addressed = [officer async for officer in _addressed(registry, briefing.scopes(), now)]
    return tally(state.id, briefing, found, addressed, _read(state))


def author_of(state: RecordState) -> OfficerId | None:
    """Who issued a briefing: whose word its time of issue is."""
    said = state.cells[FieldName("issued_at")].said
    return None if said is None else said.stamp.author


async def _receipts(store: Store, state: RecordState, briefing: Briefing) -> AsyncIterator[BriefingReceipt]:
    first, last = receipts_of(state.id)
    for audience in briefing.closed or (scopes.FORCE,):
        after = first
        while rows := await store.records(_RECEIPT, scopes.receipts(audience), after, PAGE_ROWS_MAX):
            for row in rows:
                one = merge.from_row(decode_row(row))
                after = one.id
                if one.id > last:
                    break
                receipt = one.build()
                if isinstance(receipt, BriefingReceipt):
                    yield receipt
            if after > last:
                break


async def _addressed(registry: Registry, wanted: Iterable[ScopeName], now: Millis) -> AsyncIterator[OfficerId]:
    """The officers who are entitled to one of these scopes, on whatever device."""
    places = frozenset(wanted)
    for number, officer in enumerate(sorted(registry.officers)):
        if number % OFFICERS_AT_ONCE == 0:
            await asyncio.sleep(0)
        if not places.isdisjoint(of_officer(registry, registry.officers[officer], now)):
            yield officer


def _read(state: RecordState) -> set[OfficerId]:
    """Who confirmed what stands with an older program: after its content was last changed."""
    cells = [state.cells[name] for name in map(FieldName, CONTENT) if name in state.cells]
    changed = max((stamp.seq for cell in cells for stamp in cell.stamps()), default=0)
    entries = state.cells[_RECEIPTS].entries if _RECEIPTS in state.cells else ()
    return {entry.stamp.author for entry in entries if entry.stamp.seq > changed}
