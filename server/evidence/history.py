"""Which scopes a record has been in, as far as results tell it: so that a tombstone cannot be taken away or backdated.

A tombstone makes devices drop a record that left a scope. It follows from the results of the ops on the record, which
the log holds. Where a rule moved a record (an inbox item goes with its subject) no result says so; of such a one it is
only checked that the commit named did change it.
"""

from collections.abc import Iterable, Sequence

from schemas.ids import RecordId, ScopeName, Seq
from schemas.wire import Result
from server.logbook import ERASED_DIGEST
from server.store.sqlite.inspection import MemberRow
from sync.evidence.leaf import RowsLeaf
from sync.history import Act


class ScopeHistory:
    """Takes results and commits in their order."""

    def __init__(self, tombstones: Iterable[MemberRow]) -> None:
        """Begin.

        Args:
            tombstones: those that the database holds.
        """
        self._tombstones = {(row.scope, row.record): row.seq for row in tombstones}
        self._unexplained = {(record, seq) for (_, record), seq in self._tombstones.items()}
        self._scopes: dict[RecordId, frozenset[ScopeName]] = {}
        self._left: dict[tuple[ScopeName, RecordId], Seq] = {}
        self._away: dict[RecordId, set[ScopeName]] = {}
        self._moved_by_rule: set[RecordId] = set()

    def op(self, record: RecordId, result: Result, acts: Sequence[Act]) -> None:
        """What became of an op."""
        self._moved_by_rule.update(act.record for act in acts if act.record != record)
        if result.status != "durable":
            return
        before, now = self._scopes.get(record, frozenset()), frozenset(result.scopes)
        self._left.update(((scope, record), result.seq) for scope in before - now)
        if before - now:
            self._away.setdefault(record, set()).update(before - now)
        for scope in now:
            self._left.pop((scope, record), None)
        self._scopes[record] = now

    def changed(self, leaf: RowsLeaf) -> None:
        """A commit changed records."""
        self._unexplained -= {(record, leaf.seq) for record, _ in leaf.rows}
        for record, digest in leaf.rows:
            # What a rule made and moved, no result tells of, after its erasure as before.
            if digest == ERASED_DIGEST and record in self._scopes:
                # Its erasure is told where it was before, too.
                ever = self._scopes[record] | self._away.pop(record, set())
                self._left.update(((scope, record), leaf.seq) for scope in ever)
                self._scopes[record] = frozenset()

    def differences(self, by_rule: set[RecordId]) -> list[tuple[ScopeName, RecordId, Seq | None, Seq | None]]:
        """(scope, record, commit of its tombstone, commit at which it left the scope) where the two differ.

        Args:
            by_rule: records that change with no op of their own.
        """
        loose = by_rule | self._moved_by_rule
        wrong = []
        for scope, record in sorted(self._left.keys() | self._tombstones.keys()):
            kept, left = self._tombstones.get((scope, record)), self._left.get((scope, record))
            known = record in self._scopes and record not in loose
            if kept != left if known else (record, kept) in self._unexplained:
                wrong.append((scope, record, kept, left))
        return wrong
