"""The store that keeps everything in this process: for tests, for simulation, and as the slow, obvious reference.

Nothing in it awaits, so a read can never see part of a commit. Reads sort anew each time; that is what makes them easy
to believe.
"""

import secrets
from collections.abc import Iterator, Sequence

from schemas.codec import decode_row, reread_op
from schemas.errors import UsageError
from schemas.ids import DeviceId, Epoch, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import ARRAY_LEN_MAX
from schemas.wire import Range
from server.settle import KnownOp, Loaded, Needs, OpKey, Settled, Submission, flatten, needs, settle
from server.store import paging
from server.store.port import Changes, KeptOp, Page
from sync import digest, merge
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

    @property
    def epoch(self) -> Epoch:
        """This store's unbroken history."""
        return self._epoch

    async def heads(self) -> dict[ScopeName, Head]:
        """Where every scope stands."""
        return dict(self._heads)

    async def commit(self, group: Sequence[Submission], now: Millis) -> list[Settled]:
        """Settle the group's ops in order; in several commits when they are many."""
        ops = flatten(group)
        done: list[Settled] = []
        while ops:
            settled = settle(ops, self._load(needs(ops)), self._seq, now)
            self._keep(settled)
            done.append(settled)
            ops = ops[settled.taken :]
        return done

    def _load(self, wanted: Needs) -> Loaded:
        return Loaded(
            ops={key: self._ops[key] for key in wanted.ops if key in self._ops},
            states={record: self._states[record] for record in wanted.records if record in self._states},
            heads=self._heads,
            archive=self,
        )

    def state(self, record: RecordId) -> RecordState | None:
        """See `server.settle.Archive`."""
        return self._states.get(record)

    def body(self, device: DeviceId, n: OpNumber) -> bytes | None:
        """See `server.settle.Archive`."""
        place = self._places.get((device, n))
        kept = None if place is None else self._kept[place - 1]
        return None if kept is None or kept.result.status != "durable" else kept.body

    def _keep(self, settled: Settled) -> None:
        self._seq = settled.seq
        for op in settled.ops:
            self._ops[op.device, op.n] = KnownOp(op.digest, op.result)
            place = self._places[op.device, op.n] = len(self._kept) + 1
            self._kept.append(KeptOp(place, settled.seq, settled.recorded_at, op.body, op.result, op.acts))
        for row in settled.rows:
            self._bodies[row.record] = row.body
            # Read back from the bytes, as every other store must: a row that does not survive that shows here.
            self._states[row.record] = merge.from_row(decode_row(row.body))
        for change in settled.scopes:
            self._heads[change.scope] = change.head
            members = self._members.setdefault(change.scope, {})
            members.update(dict.fromkeys(change.members, (settled.seq, True)))
            members.update(dict.fromkeys(change.gone, (settled.seq, False)))

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
            head=None if found.more else self._heads.get(scope, Head(Seq(0), digest.EMPTY, 0)),
        )

    async def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """The scope's records with after < id <= upto, in order of id; upto "" has no end."""
        return paging.page((record, self._bodies[record]) for record in self._held(scope, after, upto))

    async def ranges(self, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
        """(digest, count) of the scope's records in each range."""
        found = []
        for one in ranges:
            pairs = [(record, self._states[record].version) for record in self._held(scope, one.after, one.upto)]
            found.append((digest.of(pairs), len(pairs)))
        return found

    def _held(self, scope: ScopeName, after: str, upto: str) -> Iterator[RecordId]:
        """Ids of the scope's records with after < id <= upto, in order."""
        for record, (_, held) in sorted(self._members.get(scope, {}).items()):
            if held and record > after and (upto == "" or record <= upto):
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
        found = (kept for kept in self._kept if kept.place > after and record in (None, reread_op(kept.body).record))
        return paging.ops(found, limit)

    async def close(self) -> None:
        """End. What was committed goes with the process."""
