"""A scope's members while one message is applied, with the scope's digest and count kept alongside."""

from collections.abc import Mapping

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

    def put_all(self, versions: Mapping[RecordId, Seq], before: Mapping[RecordId, Seq]) -> None:
        """The scope holds these records.

        Args:
            versions: record -> its version.
            before: the same as it was, of those of these records that were in the scope.
        """
        self._added += versions.items()
        self._removed += [(record, before[record]) for record in versions if record in before]
        self._count += len(versions) - sum(record in before for record in versions)
        self._tables.put_members(self._scope, list(versions.items()))

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
