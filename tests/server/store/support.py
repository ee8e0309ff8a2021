"""Ops as devices push them, and small questions to a store, for its tests."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from schemas import scopes
from schemas.codec import decode_row, encode, reread_op
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq, named_record_id
from schemas.limits import PAGE_ROWS_MAX
from schemas.ops import Op
from schemas.wire import Result
from server.commits import Settled, Submission
from server.logbook import KeptEntry
from server.store import Store
from server.store.port import KeptOp
from server.store.sqlite import SqliteStore
from sync import digest
from sync.evidence import leaf, merkle
from sync.evidence.leaf import EntryLeaf, OpLeaf, RowsLeaf
from sync.session import Head

Keep = Callable[[SqliteStore], SqliteStore]
"""The fixture `kept`."""

NOW = Millis(1_750_000_000_000)
HANDSET = DeviceId("hh-0042")
DESK = DeviceId("desk-01")
NO_HEAD = Head(Seq(0), digest.EMPTY, 0)


def record_id(name: int | str) -> RecordId:
    """The record of that name, the same in every run."""
    return named_record_id("store tests", str(name))


def area(name: str) -> ScopeName:
    """An area's scope."""
    return scopes.area(name)


class Device:
    """Makes the ops of one device, numbered from 1 as a device does."""

    def __init__(self, device: DeviceId = HANDSET, scopes: frozenset[ScopeName] | None = None) -> None:
        """Begin.

        Args:
            device: its id.
            scopes: what it holds grants for; None for the server's own.
        """
        self.device = device
        self.scopes = scopes
        self.n = 0

    def op(
        self,
        record: RecordId,
        kind: str,
        changes: dict[str, Any],
        *,
        create: bool = False,
        after: int = 0,
        **more: Any,  # noqa: ANN401  fields of Op
    ) -> bytes:
        """The next op."""
        self.n += 1
        return encode(
            Op(
                device=self.device,
                n=OpNumber(self.n),
                record=record,
                kind=kind,
                author=OfficerId("WM2187"),
                hlc=(NOW + self.n, 0),
                occurred_at=NOW,
                wall=NOW,
                create=create,
                after=OpNumber(after),
                changes={FieldName(name): value for name, value in changes.items()},
                **more,
            )
        )

    def incident(self, record: RecordId, where: str = "birmingham", summary: str = "Shed broken into") -> bytes:
        """Make an incident."""
        made = {"opened_at": NOW, "area": where, "category": "crime", "summary": summary}
        return self.op(record, "incident", made, create=True)

    def briefing(self, record: RecordId, audience: Iterable[str], title: str = "Bridge closed") -> bytes:
        """Make a briefing."""
        made = {"title": title, "body": "Use Hagley Road.", "audience": list(audience), "issued_at": NOW}
        return self.op(record, "briefing", made, create=True)

    def move(self, record: RecordId, where: str) -> bytes:
        """Move an incident to another area."""
        return self.op(record, "incident", {"area": where})

    def note(self, record: RecordId, text: str = "Neighbours asked", *, after: int = 0) -> bytes:
        """Append to an incident's log."""
        return self.op(record, "incident", {"log": [{"text": text}]}, after=after)

    def grow_to(self, record: RecordId, entries: int, letters: int = 4_000) -> list[bytes]:
        """Append large entries, a few per op."""
        batches = [min(8, entries - at) for at in range(0, entries, 8)]
        return [self.op(record, "incident", {"log": [{"text": "n" * letters}] * size}) for size in batches]

    def push(self, *ops: bytes) -> Submission:
        """These ops, pushed at once."""
        return Submission(self.device, self.scopes, ops)


async def commit(store: Store, *group: Submission) -> list[Result]:
    """Commit a group; its results in order."""
    return results_of(await store.commit(group, NOW))


def results_of(settled: Iterable[Settled]) -> list[Result]:
    """Results of several commits in order."""
    return [result for one in settled for result in one.results]


def statuses(results: Iterable[Result]) -> list[str]:
    """Status of each."""
    return [result.status for result in results]


def versions(rows: Iterable[bytes]) -> dict[RecordId, Seq]:
    """Record -> version of encoded rows."""
    return {row.id: row.v for row in map(decode_row, rows)}


async def walk(store: Store, scope: ScopeName) -> dict[RecordId, Seq]:
    """Record -> version of a whole scope, page by page; the pages follow each other in order and without overlap."""
    found: dict[RecordId, Seq] = {}
    after = ""
    while True:
        page = await store.page(scope, after, "")
        ids = [decode_row(row).id for row in page.rows]
        assert ids == sorted(ids)
        assert all(record > after for record in ids)
        found |= versions(page.rows)
        if page.upto == "":
            return found
        assert ids[-1] == page.upto
        after = page.upto


async def replay(store: Store, scope: ScopeName, after: Seq = Seq(0)) -> tuple[dict[RecordId, Seq], Head]:
    """Record -> version after following a scope's log to its end, and the head that the log ends with."""
    found: dict[RecordId, Seq] = {}
    while True:
        changes = await store.changes(scope, after)
        found |= versions(changes.rows)
        for record in changes.gone:
            found.pop(record, None)
        if changes.head is not None:
            return found, changes.head
        assert changes.to > after
        after = changes.to


async def picture(store: Store) -> dict[str, Any]:
    """Everything that a store tells of itself, for comparison."""
    heads = await store.heads()
    return {
        "heads": heads,
        "logs": {scope: await replay(store, scope) for scope in heads},
        "pages": {scope: await walk(store, scope) for scope in heads},
    }


async def whole_log(store: Store) -> list[bytes]:
    """The log's leaves, each looked up in what the store holds: nothing is without its leaf, no leaf without its thing.

    Of a record that several commits changed, the row is the last of them.
    """
    ops: dict[int, KeptOp] = {}
    while some := await store.ops(None, len(ops), PAGE_ROWS_MAX):
        ops |= {one.place: one for one in some}
    by_leaf = {one.leaf: one for one in ops.values()}
    entries: dict[int, KeptEntry] = {}
    while found := await store.journal(None, len(entries), PAGE_ROWS_MAX):
        entries |= {one.leaf: one for one in found}
    leaves: list[bytes] = []
    while part := await store.leaves(len(leaves), PAGE_ROWS_MAX):
        leaves += part
    rows: dict[RecordId, bytes] = {}
    for at, raw in enumerate(leaves):
        match leaf.decode(raw):
            case OpLeaf() as told:
                kept = by_leaf.pop(at)
                assert (told.digest, told.seq, told.place) == (hashlib.sha256(kept.body).digest(), kept.seq, kept.place)
                assert told.id == reread_op(kept.body).id
            case EntryLeaf() as told:
                entry = entries.pop(at)
                assert (told.what, told.key, told.at) == (entry.what, entry.key, entry.at)
                assert told.digest == hashlib.sha256(entry.body or b"").digest()
            case RowsLeaf() as told:
                rows |= dict(told.rows)
    assert (by_leaf, entries) == ({}, {})
    for record, told_of_it in rows.items():
        assert hashlib.sha256(await store.record(record) or b"").digest() == told_of_it
    tree = await store.tree()
    grown, _ = merkle.EMPTY.appended([merkle.leaf_hash(one) for one in leaves])
    assert (tree.size, tree.root) == (grown.size, grown.root)
    return leaves
