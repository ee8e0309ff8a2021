"""A scope's members while one message is applied, with the scope's digest and count kept alongside."""

from schemas.ids import RecordId, ScopeName, Seq
from sync import digest
from sync.replica.tables import StoredPosition, Tables


class MemberChange:
    """A scope's members while a message is applied, with the digest kept alongside."""

    def __init__(self, tables: Tables, scope: ScopeName, held: StoredPosition) -> None:
        self._tables = tables
        self._scope = scope
        self._held = held
        self._added: list[tuple[RecordId, Seq]] = []
        self._removed: list[tuple[RecordId, Seq]] = []
        self._count = held.count

    def put(self, record: RecordId, version: Seq) -> None:
        """The scope holds the record, in this version."""
        before = self._tables.member(self._scope, record)
        if before is None:
            self._count += 1
        else:
            self._removed.append((record, before))
        self._added.append((record, version))
        self._tables.put_member(self._scope, record, version)

    def drop(self, record: RecordId) -> None:
        """The scope no longer holds the record."""
        before = self._tables.member(self._scope, record)
        if before is None:
            return
        self._count -= 1
        self._removed.append((record, before))
        self._tables.drop_member(self._scope, record)

    def position(self, *, seq: Seq, after: str | None) -> StoredPosition:
        """The scope's position once the message is applied, with digest and count of its members now."""
        changed = digest.change(self._held.digest, added=self._added, removed=self._removed)
        return StoredPosition(gen=self._held.gen, seq=seq, after=after, digest=changed, count=self._count)
