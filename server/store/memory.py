"""The store that keeps everything in this process: for tests, for simulation, and as the slow, obvious reference.

Nothing in it awaits, so a read can never see part of a commit. Reads sort anew each time; that is what makes them easy
to believe.
"""

import secrets
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, Epoch, Millis, OpNumber, RecordId, ScopeName, Seq, op_id
from schemas.limits import ARRAY_LEN_MAX, PAGE_ROWS_MAX
from schemas.wire import Range
from server.commits import KnownOp, Loaded, Needs, Settled, Submission, extras, flatten, needs
from server.logbook import NOTHING, EntryKey, Erased, KeptEntry, OpKey, Written
from server.settle import settle
from server.store import paging
from server.store.port import Changes, KeptOp, Page
from sync import digest, merge
from sync.evidence import merkle
from sync.evidence.chain import ChainHead
from sync.evidence.merkle import Frontier
from sync.merge import RecordState
from sync.session import Head


class MemoryStore:
    """See the module's text and `server.store.port.Store`."""

    def __init__(self, epoch: Epoch | None = None) -> None:
        """Begin with nothing.

        Args:
            epoch: 16 hexadecimal digits; None draws them.
        """
        self._epoch = Epoch(secrets.token_hex(8)) if epoch is None else epoch
        self._seq = Seq(0)
        self._ops: dict[OpKey, KnownOp] = {}
        self._kept: list[KeptOp] = []
        self._places: dict[OpKey, int] = {}
        self._states: dict[RecordId, RecordState] = {}
        self._bodies: dict[RecordId, bytes] = {}
        self._heads: dict[ScopeName, Head] = {}
        # scope -> record -> (commit that last touched it there, whether it is still there)
        self._members: dict[ScopeName, dict[RecordId, tuple[Seq, bool]]] = {}
        self._journal: dict[EntryKey, KeptEntry] = {}
        self._secrets: dict[str, bytes] = {}
        self._chains: dict[str, ChainHead] = {}
        self._covered: dict[OpKey, bytes] = {}
        self._leaves: list[bytes] = []
        self._tree = merkle.EMPTY
        self._erased: dict[RecordId, Erased] = {}

    @property
    def epoch(self) -> Epoch:
        """This store's unbroken history."""
        return self._epoch

    async def heads(self) -> dict[ScopeName, Head]:
        """Where every scope stands."""
        return dict(self._heads)

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """Settle the group's ops in order; in several commits when they are many."""
        ops, beside = flatten(group), extras(group)
        done: list[Settled] = []
        while ops or beside:
            settled = settle(ops, self._load(needs(ops, beside)), self._seq, now, beside)
            self._keep(settled)
            done.append(settled.told())
            ops = ops[settled.taken :]
            beside = beside if ops else NOTHING
        return done

    def _load(self, wanted: Needs) -> Loaded:
        return Loaded(
            ops={key: self._ops[key] for key in wanted.ops if key in self._ops},
            states={record: self._states[record] for record in wanted.records if record in self._states},
            heads=self._heads,
            archive=self,
            chains={device: self._chains[device] for device in wanted.devices if device in self._chains},
            covered={key: self._covered[key] for key in wanted.ops if key in self._covered},
            entries=frozenset(wanted.entries & self._journal.keys()),
            tree=self._tree,
            places=len(self._kept),
        )

    def state(self, record: RecordId) -> RecordState | None:
        """See `server.erasure.Records`."""
        return self._states.get(record)

    def parts(self, record: RecordId) -> list[RecordId]:
        """See `server.erasure.Records`."""
        return sorted(one for one, state in self._states.items() if state.build().about() == record)

    def erasure_of(self, record: RecordId) -> Erased | None:
        """See `server.erasure.Records`."""
        return self._erased.get(record)

    def scopes_ever(self, record: RecordId) -> frozenset[ScopeName]:
        """See `server.erasure.Records`."""
        return frozenset(scope for scope, members in self._members.items() if record in members)

    def body(self, device: DeviceId, n: OpNumber) -> bytes | None:
        """See `server.commits.Archive`."""
        place = self._places.get((device, n))
        kept = None if place is None else self._kept[place - 1]
        return None if kept is None or kept.result.status != "durable" else kept.body or None

    def has_entry(self, key: EntryKey) -> bool:
        """See `server.commits.Archive`."""
        return key in self._journal

    def _keep(self, settled: Settled) -> None:
        self._seq = settled.seq
        first = settled.written.first_leaf
        for i, op in enumerate(settled.ops):
            self._ops[op.device, op.n] = KnownOp(op.digest, op.result)
            place = self._places[op.device, op.n] = len(self._kept) + 1
            told = (op.body, op.result, op.acts, first + i)
            name = op_id(op.device, op.n)
            self._kept.append(KeptOp(place, name, op.record, settled.seq, settled.recorded_at, *told))
        self._keep_beside(settled, settled.written, first + len(settled.ops))
        for row in settled.rows:
            self._bodies[row.record] = row.body
            # Read back from the bytes, as every other store must: a row that does not survive that shows here.
            self._states[row.record] = merge.from_row(decode_row(row.body))
        for change in settled.scopes:
            self._heads[change.scope] = change.head
            members = self._members.setdefault(change.scope, {})
            members.update(dict.fromkeys(change.members, (settled.seq, True)))
            members.update(dict.fromkeys(change.gone, (settled.seq, False)))
        for gone in settled.erased:
            self._erase(gone)

    def _erase(self, gone: Erased) -> None:
        self._erased[gone.record] = gone
        if not gone.ahead:
            del self._bodies[gone.record], self._states[gone.record]
        for key, place in self._places.items():
            kept = self._kept[place - 1]
            if kept.record == gone.record:
                result = replace(kept.result, detail="")
                self._kept[place - 1] = replace(kept, body=b"", result=result, acts=())
                self._ops[key] = replace(self._ops[key], result=result)
        for name, entry in self._journal.items():
            if entry.record == gone.record:
                self._journal[name] = replace(entry, body=None)

    def _keep_beside(self, settled: Settled, written: Written, leaf: int) -> None:
        for i, new in enumerate(written.entries):
            entry, place = new.entry, len(self._journal) + 1
            self._journal[entry.id] = KeptEntry(
                place,
                *entry.id,
                entry.record,
                settled.recorded_at,
                settled.seq,
                entry.body if new.whole else None,
                leaf + i,
            )
        for name, secret in written.secrets.items():
            if secret is None:
                self._secrets.pop(name, None)
            else:
                self._secrets[name] = secret
        self._chains.update(written.chains)
        self._covered.update({(device, n): covered for device, n, covered in written.covered})
        self._leaves += written.leaves
        self._tree = written.tree

    async def changes(self, scope: ScopeName, after: Seq) -> Changes:
        """The scope's log behind a position; never part of a commit."""
        log = sorted(
            (seq, record, self._bodies[record] if held else None)
            for record, (seq, held) in self._members.get(scope, {}).items()
            if seq > after
        )
        found = paging.stretch(log)
        return Changes(
            to=after if found.to is None else found.to,
            rows=found.rows,
            gone=found.gone,
            erased=tuple(record for record in found.gone if record in self._erased),
            head=None if found.more else self._heads.get(scope, Head(Seq(0), digest.EMPTY, 0)),
        )

    async def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """The scope's records with after < id <= upto, in order of id; upto "" has no end."""
        return paging.page((record, self._bodies.get(record)) for record in self._told_of(scope, after, upto))

    async def ranges(self, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
        """(digest, count) of the scope's records in each range."""
        found = []
        for one in ranges:
            pairs = [(record, self._states[record].version) for record in self._held(scope, one.after, one.upto)]
            found.append((digest.of(pairs), len(pairs)))
        return found

    def _held(self, scope: ScopeName, after: str, upto: str) -> Iterator[RecordId]:
        """Ids of the scope's records with after < id <= upto, in order."""
        return (record for record in self._told_of(scope, after, upto) if record not in self._erased)

    def _told_of(self, scope: ScopeName, after: str, upto: str) -> Iterator[RecordId]:
        """The same, with those that were in the scope and were erased."""
        for record, (_, held) in sorted(self._members.get(scope, {}).items()):
            if (held or record in self._erased) and record > after and (upto == "" or record <= upto):
                yield record

    async def last_op(self, device: DeviceId) -> OpNumber:
        """Highest number among the device's ops; 0 for none."""
        return max((n for owner, n in self._ops if owner == device), default=OpNumber(0))

    async def record(self, record: RecordId) -> bytes | None:
        """One encoded row."""
        return self._bodies.get(record)

    async def records(self, kind: str, scope: ScopeName | None, after: str, limit: int) -> list[bytes]:
        """Encoded rows of a kind with id > after, in order of id; of one scope only, when it is given."""
        if limit < 1:
            raise UsageError(f"records: the limit is {limit}; ask for at least 1 row")
        among = sorted(self._bodies) if scope is None else self._held(scope, after, "")
        found = (
            (record, self._bodies[record])
            for record in among
            if record > after and self._states[record].spec.name == kind
        )
        return list(paging.page(found, limit).rows)

    async def existing(self, records: Sequence[RecordId]) -> dict[RecordId, bytes]:
        """Those of the records that are there, with their encoded rows."""
        if len(records) > ARRAY_LEN_MAX:
            raise UsageError(f"existing: {len(records)} records asked at once; ask for at most {ARRAY_LEN_MAX}")
        return {record: self._bodies[record] for record in records if record in self._bodies}

    async def ops(self, record: RecordId | None, after: int, limit: int) -> list[KeptOp]:
        """Ops in the order in which they were decided; of one record only, when it is given."""
        paging.require_limit(limit)
        found = (self._told(kept) for kept in self._kept if kept.place > after and record in (None, kept.record))
        return paging.kept(found, limit)

    async def op(self, device: DeviceId, n: OpNumber) -> KeptOp | None:
        """One op, a refused one too; None when none of that number was kept."""
        place = self._places.get((device, n))
        return None if place is None else self._told(self._kept[place - 1])

    def _told(self, kept: KeptOp) -> KeptOp:
        gone = self._erased.get(kept.record)
        return replace(kept, erased=paging.erased_note(kept.body, None if gone is None else gone.note))

    async def erased(self, record: RecordId) -> Erased | None:
        """What is kept of a record that was erased; None when it was not."""
        return self._erased.get(record)

    async def journal(self, what: str | None, after: int, limit: int) -> list[KeptEntry]:
        """Entries of the journal in the order in which they were kept; of one sort only, when it is given."""
        paging.require_limit(limit)
        found = (kept for kept in self._journal.values() if kept.place > after and what in (None, kept.what))
        return paging.kept(found, limit)

    async def entry(self, what: str, key: str) -> KeptEntry | None:
        """One entry of the journal."""
        return self._journal.get((what, key))

    async def chain(self, name: str) -> ChainHead | None:
        """Where a chain stands."""
        return self._chains.get(name)

    async def secret(self, name: str) -> bytes | None:
        """What is kept under that name."""
        return self._secrets.get(name)

    async def secrets(self, prefix: str) -> dict[str, bytes]:
        """What is kept under names that begin so."""
        return {name: secret for name, secret in sorted(self._secrets.items()) if name.startswith(prefix)}

    async def tree(self) -> Frontier:
        """The right edge of the log's Merkle tree."""
        return self._tree

    async def leaves(self, first: int, count: int) -> list[bytes]:
        """The log's leaves from index `first` on."""
        paging.require_limit(count)
        return self._leaves[first : first + min(count, PAGE_ROWS_MAX)]

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that a leaf is in the tree of that size."""
        return list(merkle.inclusion_proof(self._hashes(size), index, size))

    async def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that one tree continues another."""
        return list(merkle.consistency_proof(self._hashes(size), old, size))

    def _hashes(self, size: int) -> "_Hashes":
        if not 0 <= size <= self._tree.size:
            raise UsageError(f"the log has {self._tree.size} entries, {size} were asked about")
        return _Hashes(self._leaves)

    async def close(self) -> None:
        """End. What was committed goes with the process."""


class _Hashes:
    """Hashes of a tree whose leaves are all in memory."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves

    def leaves(self, first: int, count: int) -> list[bytes]:
        """See `sync.evidence.merkle.Hashes`."""
        return [merkle.leaf_hash(leaf) for leaf in self._leaves[first : first + count]]

    def node(self, level: int, index: int) -> bytes:
        """See `sync.evidence.merkle.Hashes`."""
        first = index << level
        return merkle.EMPTY.appended(self.leaves(first, 1 << level))[0].root
