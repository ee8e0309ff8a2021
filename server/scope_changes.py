"""What the changed records of a commit do to the scopes: who is in, who has left, where each head stands. Pure.

A record moves by its own fields, so one commit may touch scopes that no op of it names. Each of them gets one
`ScopeChange`, which is one batch on the wire and one line in the scope's log.
"""

from collections.abc import Mapping, Sequence

from schemas.ids import RecordId, ScopeName, Seq
from server.commits import Loaded, NewRow, ScopeChange
from sync import digest
from sync.merge import RecordState
from sync.session import Head


def scope_changes(
    rows: Sequence[NewRow], before: Mapping[RecordId, RecordState | None], loaded: Loaded, seq: Seq
) -> tuple[ScopeChange, ...]:
    """What a commit did to every scope that it touched, by name.

    Args:
        rows: the changed records; an erased one has no body and no scopes.
        before: each of them as it stood until this commit; None or missing for a new one.
        loaded: where the scopes stood, and who was ever told of a record.
        seq: the commit.
    """
    held: dict[ScopeName, list[NewRow]] = {}
    gone: dict[ScopeName, list[NewRow]] = {}
    were = {row.record: _scopes(before.get(row.record)) for row in rows}
    for row in rows:
        for scope in row.scopes:
            held.setdefault(scope, []).append(row)
        left = were[row.record]
        if not row.body:
            # Erased: whoever was told of it at any time still has what they wrote themselves.
            left |= loaded.archive.scopes_ever(row.record)
        for scope in left - row.scopes:
            gone.setdefault(scope, []).append(row)
    found = []
    for scope in sorted(held.keys() | gone.keys()):
        now, left_it = held.get(scope, []), gone.get(scope, [])
        stood = loaded.heads.get(scope, Head(Seq(0), digest.EMPTY, 0))
        moved = [row for row in (*now, *left_it) if scope in were[row.record]]
        changed = digest.change(
            stood.digest,
            added=[(row.record, seq) for row in now],
            removed=[(row.record, row.before) for row in moved],
        )
        found.append(
            ScopeChange(
                scope=scope,
                frm=stood.seq,
                rows=tuple(row.body for row in now),
                members=tuple(row.record for row in now),
                gone=tuple(row.record for row in left_it),
                head=Head(seq, changed, stood.count + len(now) - len(moved)),
                stood=tuple(row.before if scope in were[row.record] else Seq(0) for row in now),
            )
        )
    return tuple(found)


def _scopes(state: RecordState | None) -> frozenset[ScopeName]:
    return frozenset() if state is None else state.scopes()
