"""How the disagreements of a whole history were settled, counted over every op that was ever decided.

It is an audit, not a gauge: each call reads the whole op log once, in bounded pages. What it keeps in memory meanwhile
is which changes still stand, or must: about as much as the records themselves have values.
"""

from collections import Counter
from typing import Final

import msgspec

from schemas.codec import decode_row, reread_op
from schemas.ids import FieldName, Millis, OpId, RecordId
from schemas.kinds import InboxItem, KindSpec, kind_named
from schemas.limits import PAGE_ROWS_MAX
from server.store import Store
from server.store.port import KeptOp
from sync import history, inbox, merge
from sync.history import Act

LOST_SHOWN_MAX: Final = 20
ROWS_AT_ONCE: Final = 128
"""Rows that are decoded between two turns of the event loop: some milliseconds."""


class Lost(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A change that an accepted op made and that is nowhere: promise 3 is broken.

    Attributes:
        record, field, op: which.
    """

    record: RecordId
    field: FieldName
    op: OpId


class Conflicts(msgspec.Struct, frozen=True, kw_only=True):
    """The disagreements of a server's whole history.

    Attributes:
        ops, refused: how many ops were accepted, and refused.
        conflicts_by_rule: changes that met a differing one which their author had not seen, and that a rule settled.
        by_rule: policy -> how many of these.
        conflicts_in_inbox: questions that went to people: inbox items ever made.
        in_inbox: policy -> how many of these.
        open, decided, ended: of the questions: waiting; decided by a person; nothing was left to decide.
        overdue: of the open ones, those whose time has passed.
        escalated: of all, those about which more people were asked.
        unexplained: changes of accepted ops that are neither current, nor superseded with a link, nor asked about.
        lost: the first of these, at most 20.
    """

    ops: int
    refused: int
    conflicts_by_rule: int
    by_rule: dict[str, int]
    conflicts_in_inbox: int
    in_inbox: dict[str, int]
    open: int
    decided: int
    ended: int
    overdue: int
    escalated: int
    unexplained: int
    lost: list[Lost]


async def count(store: Store, now: Millis) -> Conflicts:
    """Count over everything that a store holds.

    Args:
        store: where to look.
        now: the server's clock (ms since 1970).

    Raises:
        StoreError: the store failed.
    """
    log = _Log(store)
    await log.read()
    lost = await log.lost()
    while lost and await log.read():
        # What was committed since the log was read may have changed these records: looked at again with its ops.
        lost = await log.lost()
    asked: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for item in await _items(store):
        asked[item.policy] += 1
        states["open" if item.open else "ended" if item.decision is None else "decided"] += 1
        states["overdue"] += item.open and item.due_at <= now
        states["escalated"] += bool(item.escalations)
    return Conflicts(
        ops=log.ops,
        refused=log.refused,
        conflicts_by_rule=log.by_rule.total(),
        by_rule=dict(sorted(log.by_rule.items())),
        conflicts_in_inbox=asked.total(),
        in_inbox=dict(sorted(asked.items())),
        open=states["open"],
        decided=states["decided"],
        ended=states["ended"],
        overdue=states["overdue"],
        escalated=states["escalated"],
        unexplained=len(lost),
        lost=lost[:LOST_SHOWN_MAX],
    )


class _Log:
    """The op log, as far as it has been read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._place = 0
        self._left: dict[RecordId, dict[OpId, list[Act]]] = {}
        """Record -> op -> what it did that must still stand: nothing has superseded it so far."""
        self.ops = 0
        self.refused = 0
        self.by_rule: Counter[str] = Counter()

    async def read(self) -> bool:
        """Read on to the end. Returns whether there was anything."""
        before = self._place
        while page := await self._store.ops(None, self._place, PAGE_ROWS_MAX):
            for kept in page:
                await self._take(kept)
            self._place = page[-1].place
        return self._place > before

    async def _take(self, kept: KeptOp) -> None:
        if kept.result.status != "durable":
            self.refused += 1
            return
        self.ops += 1
        if kept.erased:
            return
        op = reread_op(kept.body)
        for record in {op.record, *(act.record for act in kept.acts)}:
            left = self._left.setdefault(record, {})
            for act in history.acts_on(record, op, kept.acts):
                for older in act.over:
                    kept_acts = [one for one in left.pop(older, ()) if one.field != act.field]
                    if kept_acts:
                        left[older] = kept_acts
                if not (act.over or act.stands):
                    left.setdefault(op.id, []).append(act)
                if act.met and not act.item:
                    self.by_rule[await self._policy(kind_named(op.kind) if record == op.record else None, act)] += 1

    async def _policy(self, kind: KindSpec | None, act: Act) -> str:
        if kind is None:
            row = await self._store.record(act.record)
            kind = None if row is None else kind_named(decode_row(row).kind)
        field = None if kind is None else kind.fields.get(act.field)
        return "unknown" if field is None else field.policy.name

    async def lost(self) -> list[Lost]:
        """The changes that must stand and do not, in the order of their records."""
        found = []
        records = sorted(record for record, left in self._left.items() if left)
        for start in range(0, len(records), ROWS_AT_ONCE):
            part = records[start : start + ROWS_AT_ONCE]
            rows = await self._store.existing(part)
            for record in part:
                if record in rows:
                    state = merge.from_row(decode_row(rows[record]))
                    gone = history.unaccounted(state, self._left[record])
                elif await self._store.erased(record) is not None:
                    # Erased since its ops were read: nothing of it has to stand.
                    gone = []
                else:
                    gone = [(op, act.field) for op, acts in self._left[record].items() for act in acts]
                found += [Lost(record=record, field=field, op=op) for op, field in gone]
        return sorted(found)


async def _items(store: Store) -> list[InboxItem]:
    found = []
    after = ""
    while rows := await store.records(inbox.SPEC.name, None, after, ROWS_AT_ONCE):
        for row in rows:
            state = merge.from_row(decode_row(row))
            after = state.id
            built = state.build()
            if isinstance(built, InboxItem):
                found.append(built)
    return found
