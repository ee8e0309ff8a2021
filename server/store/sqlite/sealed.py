"""The tables as they lie sealed: a connection, the keys that it finds there, and the places that bodies are sealed for.

What is content rests sealed under the key of its record: rows, ops, what a refusal says, journal entries, secrets. What
the store sorts and joins by does not: ids, kinds, scopes, times, numbers and hashes.

A wrapped key is written once and overwritten in its place, never moved: the table of keys only grows at its end, and an
erased key leaves zeros of the same length. So no page and no log keeps a second copy of it.
"""

import sqlite3
from typing import Final

from schemas.errors import StoreError
from schemas.ids import DeviceId, OpNumber, RecordId, op_id
from server.store.vault import KEYS_CACHED_MAX, WRAPPED_BYTES, RecordKey, Subject, Vault

RECORD: Final = "record.body"
OP: Final = "op.body"
RESULT: Final = "op.result"
ENTRY: Final = "journal.body"
SECRET: Final = "secret.body"  # noqa: S105  a column's name
NOTE: Final = "erased.note"

SECRETS: Final = Subject("secret")
"""Whose key the secrets are sealed under."""
NOTES: Final = Subject("erased")
"""Whose key what is said of erased records is sealed under: it must be read when their own keys have gone."""

_KEY: Final = "SELECT wrapped FROM record_key WHERE record = ?"
_ADD_KEY: Final = "INSERT INTO record_key (record, wrapped) VALUES (?, ?)"
_DESTROY: Final = (
    "INSERT INTO record_key (record, wrapped) VALUES (?2, zeroblob(?1))"
    " ON CONFLICT (record) DO UPDATE SET wrapped = excluded.wrapped"
)
_DESTROYED: Final = bytes(WRAPPED_BYTES)
_SEALED: Final = b"\x01"
"""How sealed bytes begin. A result in MessagePack is a map and never does."""


class SealedTables:
    """A connection and the vault that opens what is in its tables. It belongs to the connection's thread."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault) -> None:
        """Put the two together."""
        self.connection = connection
        self.vault = vault
        self._written: dict[Subject, RecordKey] = {}
        """Keys that `key_for` has found or made. Only the writer asks it, and nobody else changes these tables."""

    def key(self, subject: Subject) -> RecordKey | None:
        """A subject's key; None when it has none, or had one that was destroyed."""
        found = self.connection.execute(_KEY, (subject,)).fetchone()
        return None if found is None or found[0] == _DESTROYED else self.vault.key(subject, found[0])

    def key_for(self, subject: Subject) -> RecordKey:
        """A subject's key, made when it has none. Inside the writer's transaction only.

        Raises:
            StoreError: it had one that was destroyed: nothing is written about it any more.
        """
        known = self._written.get(subject)
        if known is None:
            known = self._key_for(subject)
            if len(self._written) >= KEYS_CACHED_MAX:
                self._written.clear()
            self._written[subject] = known
        return known

    def forget(self) -> None:
        """Look again for every key: what was made in a transaction that failed is not there."""
        self._written.clear()

    def _key_for(self, subject: Subject) -> RecordKey:
        found = self.connection.execute(_KEY, (subject,)).fetchone()
        if found is not None and found[0] == _DESTROYED:
            raise StoreError(f"the key of {subject} was destroyed; nothing more can be kept about it")
        if found is not None:
            return self.vault.key(subject, found[0])
        wrapped = self.vault.new_key(subject)
        self.connection.execute(_ADD_KEY, (subject, wrapped))
        return self.vault.key(subject, wrapped)

    def destroy(self, subject: Subject) -> None:
        """Overwrite a subject's key; where it has none, it never gets one. Inside the writer's transaction only."""
        self.connection.execute(_DESTROY, (WRAPPED_BYTES, subject))
        self._written.pop(subject, None)
        self.vault.forget([subject])

    def opened(self, place: tuple[str, str], subject: Subject, wrapped: bytes | None, sealed: bytes) -> bytes:
        """A body.

        Args:
            place: (table and column, row).
            subject: what it is about.
            wrapped: the subject's key, as a query found it beside the body.
            sealed: the body as it rests.

        Raises:
            StoreError: the key has gone, or body or key are damaged.
        """
        if wrapped is None or wrapped == _DESTROYED:
            raise StoreError(f"{place[0]} of {place[1]} cannot be read: the key of {subject} has gone")
        return self.vault.key(subject, wrapped).open(*place, sealed)

    def row(self, record: RecordId, wrapped: bytes | None, sealed: bytes) -> bytes:
        """A record's encoded row."""
        return self.opened((RECORD, record), Subject(record), wrapped, sealed)

    def result(self, op: tuple[DeviceId, OpNumber], record: RecordId, wrapped: bytes | None, kept: bytes) -> bytes:
        """An op's encoded result. One without words rests as it is: it has only numbers, scopes and names of ops."""
        if kept[:1] != _SEALED:
            return kept
        return self.opened((RESULT, op_id(*op)), Subject(record), wrapped, kept)


def entry_subject(what: str, record: RecordId | None) -> Subject:
    """Whose key a journal entry is sealed under: the record's that it is about, or that of its sort."""
    return Subject(f"journal:{what}" if record is None else record)


def entry_row(what: str, key: str) -> str:
    """A journal entry's row, as its body is sealed for it. Neither part holds a zero byte."""
    return f"{what}\0{key}"
