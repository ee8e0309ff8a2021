"""What a transaction brought that an officer must hear of: what waits for a person, and what became of own claims.

The tables note what is put into them, so that whatever brought it is told, and once.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.codec import decode_row, reread_op
from schemas.ids import FieldName, Millis, RecordId, Seq
from schemas.kinds import InboxItem, kind_named
from schemas.policies import claim
from sync import inbox, merge
from sync.device.changes import ClaimConfirmed, ClaimDisplaced, InboxArrived
from sync.device.layout import Sql
from sync.device.sqlcipher import SqlTables
from sync.outbox import OpState
from sync.policies import Cell
from sync.replica import Replica, StoredOp
from sync.replica.tables import PlacedRow

Notice = InboxArrived | ClaimConfirmed | ClaimDisplaced
_ITEM_KIND: Final = inbox.SPEC.name


class WatchedTables(SqlTables):
    """The replica's tables, which note what a transaction does to inbox items and to own ops."""

    def __init__(self, connection: Sql) -> None:
        """Bind to a connection, as `SqlTables`."""
        super().__init__(connection)
        self._items: dict[RecordId, bytes | None] = {}
        self._settled: list[StoredOp] = []
        self.wrote_ops = False
        """Whether an own op was written or came into another state."""

    def begin(self) -> None:
        """A transaction begins: nothing is noted yet."""
        self.kinds.clear()
        self._items.clear()
        self._settled.clear()
        self.wrote_ops = False

    def put_row(self, record: RecordId, kind: str, version: Seq, body: bytes) -> None:
        """See `Tables`."""
        if kind == _ITEM_KIND and record not in self._items:
            self._items[record] = self.row(record)
        super().put_row(record, kind, version, body)

    def put_rows(self, rows: Sequence[PlacedRow]) -> None:
        """See `Tables`."""
        for row in rows:
            if row.kind == _ITEM_KIND and row.record not in self._items:
                self._items[row.record] = self.row(row.record)
        super().put_rows(rows)

    def put_op(self, op: StoredOp) -> None:
        """See `Tables`."""
        if op.state is OpState.SETTLED:
            self._settled.append(op)
        self.wrote_ops = True
        super().put_op(op)

    def notices(self, replica: Replica) -> Iterator[Notice]:
        """What is to be told of the transaction, before it ends."""
        for item, before in self._items.items():
            if before is None or not inbox.is_open(merge.from_row(decode_row(before))):
                yield from _arrived(replica, item)
        for op in self._settled:
            yield from _became_of(replica, op)


def _arrived(replica: Replica, item: RecordId) -> Iterator[Notice]:
    state = replica.view(item)
    value = None if state is None else state.build()
    if isinstance(value, InboxItem) and value.open:
        yield InboxArrived(item, RecordId(value.subject), FieldName(value.field), Millis(value.due_at))


def _became_of(replica: Replica, stored: StoredOp) -> Iterator[Notice]:
    """Whether the claims that an own op made hold, now that the record's row has it."""
    spec = kind_named(stored.kind)
    names = [] if spec is None else [name for name, field in spec.fields.items() if field.policy is claim]
    if not names:
        return
    op = reread_op(stored.body)
    state = replica.view(stored.record)
    for name in names:
        hold = op.changes.get(name)
        cell = Cell() if state is None else state.cells.get(name, Cell())
        if hold is None or cell.said is None:
            continue
        stands = cell.said.value
        if any(one.stamp.op == op.id for one in cell.beside):
            item = inbox.item_id(stored.record, name, cell.decided)
            yield ClaimDisplaced(stored.record, name, op.id, item)
        elif stands is not None and stands["holder"] == hold["holder"]:
            yield ClaimConfirmed(stored.record, name, op.id)
