"""The simulated server's disk: every write survives a crash of the server, and pages are so small that there are many.

It settles with the real `server.settle` and keeps, for the oracles, the list of everything it ever accepted.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from schemas.codec import decode_row, reread_op
from schemas.ids import DeviceId, Epoch, Millis, OpId, OpNumber, RecordId, ScopeName, Seq, op_id
from schemas.wire import Range
from server import commits, logbook, settle
from server.logbook import Entry, EntryKey, Erased, Extras, OpKey
from server.store import Changes, Page
from sync import digest, history, merge
from sync.evidence import merkle
from sync.evidence.chain import ChainHead, genesis
from sync.history import Act
from sync.merge import RecordState
from sync.session import Head
from tests.sim.ledger import Accepted

PAGE_ROWS: Final = 2
CHANGES_ROWS: Final = 3
NOTHING: Final = Head(Seq(0), digest.EMPTY, 0)


class SimStore:
    """Rows, members with tombstones, heads, ops, chains and journal; and the history that the reference model reads."""

    def __init__(self, epoch: Epoch) -> None:
        """Begin with nothing."""
        self.epoch = epoch
        self.seq = Seq(0)
        self.heads: dict[ScopeName, Head] = {}
        self.rows: dict[RecordId, bytes] = {}
        self.ops: dict[OpKey, commits.KnownOp] = {}
        self.history: list[Accepted] = []
        self.acts: dict[OpId, tuple[Act, ...]] = {}
        self.chains: dict[str, ChainHead] = {}
        self.journal: dict[EntryKey, Entry] = {}
        self.tree = merkle.EMPTY
        self.bodies: dict[OpKey, bytes] = {}
        """Every op that was decided, refused ones too."""
        self._covered: dict[OpKey, bytes] = {}
        self._about: dict[RecordId, RecordId | None] = {}
        # scope -> record -> (commit that last touched it there, whether it is still there)
        self._log: dict[ScopeName, dict[RecordId, tuple[Seq, bool]]] = {}

    def copy(self, epoch: Epoch) -> "SimStore":
        """What a backup of this moment becomes when it is restored: the same, in another history."""
        other = copy.deepcopy(self)
        other.epoch = epoch
        return other

    def load(self, wanted: commits.Needs) -> commits.Loaded:
        """What `settle` asks for."""
        return commits.Loaded(
            ops={key: self.ops[key] for key in wanted.ops if key in self.ops},
            states={record: state for record in wanted.records if (state := self.state(record)) is not None},
            heads=dict(self.heads),
            archive=self,
            chains={device: self.chains[device] for device in wanted.devices if device in self.chains},
            covered={key: self._covered[key] for key in wanted.ops if key in self._covered},
            entries=frozenset(wanted.entries & self.journal.keys()),
            tree=self.tree,
            places=len(self.ops),
        )

    def state(self, record: RecordId) -> RecordState | None:
        """See `server.commits.Archive`."""
        return merge.from_row(decode_row(self.rows[record])) if record in self.rows else None

    def body(self, device: DeviceId, n: OpNumber) -> bytes | None:
        """See `server.commits.Archive`."""
        known = self.ops.get((device, n))
        return self.bodies[device, n] if known is not None and known.result.status == "durable" else None

    def has_entry(self, key: EntryKey) -> bool:
        """See `server.commits.Archive`."""
        return key in self.journal

    def chain(self, device: DeviceId) -> ChainHead:
        """Where a device's chain stands."""
        return self.chains.get(device, genesis(device))

    def entries(self, what: str) -> list[Entry]:
        """The journal's entries of one sort, in the order in which they were kept."""
        return [entry for entry in self.journal.values() if entry.what == what]

    def parts(self, record: RecordId) -> list[RecordId]:
        """See `server.erasure.Records`."""
        return sorted(part for part, about in self._about.items() if about == record)

    def erasure_of(self, record: RecordId) -> Erased | None:
        """See `server.erasure.Records`."""
        return None

    def scopes_ever(self, record: RecordId) -> frozenset[ScopeName]:
        """See `server.erasure.Records`."""
        return frozenset()

    def acts_on(self, record: RecordId) -> dict[OpId, list[Act]]:
        """What every accepted op did to a record, as `sync.history` counts it."""
        return {one.op.id: history.acts_on(record, one.op, self.acts[one.op.id]) for one in self.history}

    def keep(self, settled: commits.Settled, times: Mapping[OpKey, Millis]) -> None:
        """Write one commit, whole.

        Args:
            settled: the commit.
            times: when some of its ops were made, as their devices told with them.
        """
        self.seq = settled.seq
        for op in settled.ops:
            key = (op.device, op.n)
            self.ops[key] = commits.KnownOp(op.digest, op.result)
            self.bodies[key] = op.body
            if op.result.status == "durable":
                self.acts[op_id(*key)] = op.acts
                self.history.append(Accepted(reread_op(op.body), settled.seq, settled.recorded_at, times.get(key)))
        written = settled.written
        self.journal.update({new.entry.id: new.entry for new in written.entries})
        self.chains.update(written.chains)
        self._covered.update({(device, n): sha256 for device, n, sha256 in written.covered})
        self.tree = written.tree
        for row in settled.rows:
            self.rows[row.record] = row.body
            self._about[row.record] = row.about
        for change in settled.scopes:
            log = self._log.setdefault(change.scope, {})
            log.update(dict.fromkeys(change.members, (settled.seq, True)))
            log.update(dict.fromkeys(change.gone, (settled.seq, False)))
            self.heads[change.scope] = change.head

    def members(self, scope: ScopeName) -> list[tuple[RecordId, Seq]]:
        """The scope's (record, version) pairs in order of id."""
        return sorted((record, seq) for record, (seq, held) in self._log.get(scope, {}).items() if held)

    def changes(self, scope: ScopeName, after: Seq) -> Changes:
        """The log behind a position: whole commits, until there are CHANGES_ROWS or more."""
        behind = sorted((seq, record, held) for record, (seq, held) in self._log.get(scope, {}).items() if seq > after)
        taken: list[tuple[Seq, RecordId, bool]] = []
        for change in behind:
            if len(taken) >= CHANGES_ROWS and taken[-1][0] != change[0]:
                break
            taken.append(change)
        more = len(taken) < len(behind)
        head = self.heads.get(scope, NOTHING)
        return Changes(
            to=taken[-1][0] if more else max(head.seq, after),
            rows=tuple(self.rows[record] for _, record, held in taken if held),
            gone=tuple(record for _, record, held in taken if not held),
            head=None if more else head,
        )

    def page(self, scope: ScopeName, after: str, upto: str) -> Page:
        """PAGE_ROWS records of a stretch."""
        found = list(self._stretch(scope, after, upto))
        part = found[:PAGE_ROWS]
        return Page(tuple(self.rows[record] for record, _ in part), part[-1][0] if len(part) < len(found) else "")

    def ranges(self, scope: ScopeName, ranges: Sequence[Range]) -> list[tuple[bytes, int]]:
        """(digest, count) of each range."""
        found = [list(self._stretch(scope, one.after, one.upto)) for one in ranges]
        return [(digest.of(part), len(part)) for part in found]

    def last_op(self, device: DeviceId) -> OpNumber:
        """The highest number among a device's ops."""
        return max((n for owner, n in self.ops if owner == device), default=OpNumber(0))

    def _stretch(self, scope: ScopeName, after: str, upto: str) -> Iterator[tuple[RecordId, Seq]]:
        for record, seq in self.members(scope):
            if record > after and (upto == "" or record <= upto):
                yield record, seq


def decide(
    store: SimStore, ops: Sequence[tuple[commits.Submission, bytes]], now: Millis, beside: Extras = logbook.NOTHING
) -> commits.Settled:
    """The next commit for these ops and what comes with them; nothing is written yet."""
    return settle.settle(ops, store.load(commits.needs(ops, beside)), store.seq, now, beside)
