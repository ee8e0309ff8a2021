"""Everything that is kept about one record, read from the store: for its history and the words that explain it."""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.codec import decode_row, reread_op
from schemas.ids import Millis, RecordId
from schemas.kinds import InboxItem
from schemas.limits import ARRAY_LEN_MAX, PAGE_ROWS_MAX
from server.store import Store
from server.store.port import KeptOp
from sync import inbox, merge
from sync.explain import Account, Logged
from sync.merge import RecordState

ROUNDS_MAX: Final = 64
"""How often a field is followed from a decision to the question that it led to."""


def logged(kept: KeptOp) -> Logged:
    """A kept op, read; it was not erased."""
    return Logged(
        op=reread_op(kept.body), seq=kept.seq, recorded_at=kept.recorded_at, result=kept.result, acts=kept.acts
    )


async def account(store: Store, record: RecordId, now: Millis) -> Account | None:
    """All that is kept about a record; None when there is no such record.

    Args:
        store: where it is kept.
        record: the record.
        now: the server's clock (ms since 1970).

    Raises:
        StoreError: the store failed.
    """
    row = await store.record(record)
    if row is None:
        return None
    state = merge.from_row(decode_row(row))
    log = await _ops(store, record)
    items: dict[RecordId, RecordState] = {}
    looked_at: set[RecordId] = set()
    for _ in range(ROUNDS_MAX):
        wanted = _possible_items([state, *items.values()], log.values()) - looked_at
        looked_at |= wanted
        found = await _items(store, sorted(wanted))
        if not found:
            break
        for item in found:
            items[item.id] = item
            log |= await _ops(store, item.id)
    told = [one for _, one in sorted(log.items()) if not _came_since(one, state)]
    return Account(state=state, log=tuple(told), items=items, now=now)


def _came_since(one: Logged, state: RecordState) -> bool:
    """Whether it changed the record after the record was read: it is not part of what is told."""
    changes = one.result.status == "durable" and one.op.record == state.id
    return one.seq > state.version and (changes or any(act.record == state.id for act in one.acts))


def _possible_items(subjects: Iterable[RecordState], log: Iterable[Logged]) -> set[RecordId]:
    """The ids that inbox items about these records have, if there are any.

    There is one for each question; which that is follows from the op that settled the question before it.
    """
    kept = list(log)
    settling = ["", *(one.op.id for one in kept if one.op.correct or inbox.DECISION in one.op.changes)]
    told = {RecordId(act.item) for one in kept for act in one.acts if act.item}
    return told | {
        inbox.item_id(subject.id, name, op)
        for subject in subjects
        for name, field in subject.spec.fields.items()
        if field.asks is not None and name in subject.cells
        for op in settling
    }


async def _items(store: Store, records: Sequence[RecordId]) -> list[RecordState]:
    found = []
    for start in range(0, len(records), ARRAY_LEN_MAX):
        rows = await store.existing(records[start : start + ARRAY_LEN_MAX])
        found += [merge.from_row(decode_row(row)) for row in rows.values()]
    return [state for state in found if state.spec.struct is InboxItem]


async def _ops(store: Store, record: RecordId) -> dict[int, Logged]:
    """Place -> op."""
    found: dict[int, Logged] = {}
    after = 0
    while page := await store.ops(record, after, PAGE_ROWS_MAX):
        found |= {kept.place: logged(kept) for kept in page if not kept.erased}
        after = page[-1].place
    return found
