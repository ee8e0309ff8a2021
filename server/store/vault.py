"""The bodies at rest: every one sealed under the key of what it is about, and those keys wrapped under a master key.

    body        AES-256-GCM under the record's key; the associated data names table and row, so that a body which was
                moved to another row, or exchanged with another one, is not opened
    record key  32 random bytes, one for each record (or other subject), wrapped with AES-256-GCM under the newest
                master key; the associated data names the record
    master key  in a file of its own (`server.store.masters`)

To erase a record is to delete its wrapped key: no page, log, free block or backup of the *body* can then be opened by
anybody. (A backup that also holds the wrapped key can, with the master key of its time: backups have an end, or the
master key has.)

What must still be read when a record has gone, and what is about none, has a subject of its own (`journal:alarm`).
Nonces are random, 96 bits: under one key fewer than 2^32 of them are drawn (NIST SP 800-38D section 8.3), since a
record has at most thousands of ops and a force at most millions of records.

Nothing here knows of a database: whoever stores hands in the wrapped key with each question. That makes the cache of
opened keys one that cannot be wrong: a key is taken from it only for the very bytes it came from, and a wrapped key
that has been deleted is handed in by nobody. A `Vault` belongs to one thread.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import StoreError
from server.store.masters import ID_BYTES, KEY_BYTES, MasterKeys

Subject = NewType("Subject", str)
"""What a key is for: a record's id, or `journal:` and a kind of entry."""

KEYS_CACHED_MAX: Final = 8_192
"""Opened keys that one connection keeps (some hundred bytes each): the records of a few areas that are worked on."""
SEALED_EXTRA_BYTES: Final = 29
"""What sealing adds to a body: format, nonce and tag."""
WRAPPED_BYTES: Final = 69
"""A wrapped key: format, id of the master key, nonce, key and tag."""

_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_MASTER_END: Final = len(_FORMAT) + ID_BYTES
_WRAPPED_START: Final = _MASTER_END + _NONCE_BYTES
_SEALED_START: Final = len(_FORMAT) + _NONCE_BYTES


class RecordKey:
    """The opened key of one subject: it seals and opens the bodies that are about it."""

    def __init__(self, where: Path, subject: Subject, key: bytes) -> None:
        """Use `Vault.key`.

        Args:
            where: the database, for messages.
            subject: what the key is for.
            key: 32 bytes.
        """
        self._where = where
        self._subject = subject
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return f"RecordKey({self._subject!r})"

    def seal(self, table: str, row: str, plain: bytes) -> bytes:
        """Seal a body.

        Args:
            table: the table and column that it is for, as in `op.body`; holds no zero byte.
            row: its row there.
            plain: the body.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, _place(table, row))

    def open(self, table: str, row: str, sealed: bytes) -> bytes:
        """Open what `seal` made, for the same place.

        Raises:
            StoreError: it is damaged, or it is of another place.
        """
        if sealed[:1] == _FORMAT:
            try:
                return self._cipher.decrypt(sealed[1:_SEALED_START], sealed[_SEALED_START:], _place(table, row))
            except (InvalidTag, ValueError):
                # Too short for a nonce, or not what was sealed here: the same thing to whoever reads the message.
                pass
        raise StoreError(
            f"{self._where}: {table} of {row} is damaged, or is not the one that was written there; keep the folder as "
            "it is and restore a backup into a new one"
        )


class Vault:
    """Makes, wraps and opens record keys."""

    def __init__(self, masters: MasterKeys, where: Path, cached_max: int = KEYS_CACHED_MAX) -> None:
        """Begin with an empty cache.

        Args:
            masters: the master keys.
            where: the database, for messages.
            cached_max: opened keys to keep, 1 or more.
        """
        self.masters = masters
        self._where = where
        self._cached_max = cached_max
        self._opened: OrderedDict[Subject, tuple[bytes, RecordKey]] = OrderedDict()

    def __len__(self) -> int:
        """Opened keys in the cache."""
        return len(self._opened)

    def new_key(self, subject: Subject) -> bytes:
        """A new random key for a subject, wrapped under the newest master key (WRAPPED_BYTES long)."""
        key = os.urandom(KEY_BYTES)
        wrapped = self._wrap(subject, key)
        self._keep(subject, wrapped, key)
        return wrapped

    def key(self, subject: Subject, wrapped: bytes) -> RecordKey:
        """The key of a subject.

        Args:
            subject: what it is for.
            wrapped: as `new_key` gave it.

        Raises:
            StoreError: its master key is not here, or it is damaged or of another subject.
        """
        found = self._opened.get(subject)
        if found is not None and found[0] == wrapped:
            self._opened.move_to_end(subject)
            return found[1]
        return self._keep(subject, wrapped, self._unwrap(subject, wrapped))

    def rewrapped(self, subject: Subject, wrapped: bytes) -> bytes | None:
        """The same key under the newest master key; None when that is the one it is under.

        Raises:
            StoreError: as `key`.
        """
        if master_of(wrapped) == self.masters.newest:
            return None
        return self._wrap(subject, self._unwrap(subject, wrapped))

    def forget(self, subjects: Iterable[Subject]) -> None:
        """Drop opened keys: they were destroyed."""
        for subject in subjects:
            self._opened.pop(subject, None)

    def _keep(self, subject: Subject, wrapped: bytes, key: bytes) -> RecordKey:
        opened = RecordKey(self._where, subject, key)
        self._opened[subject] = (wrapped, opened)
        self._opened.move_to_end(subject)
        while len(self._opened) > self._cached_max:
            self._opened.popitem(last=False)
        return opened

    def _wrap(self, subject: Subject, key: bytes) -> bytes:
        master = self.masters.newest
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self.masters.require(master, str(self._where))
        return _FORMAT + master + nonce + cipher.encrypt(nonce, key, _owner(subject))

    def _unwrap(self, subject: Subject, wrapped: bytes) -> bytes:
        if len(wrapped) == WRAPPED_BYTES and wrapped[:1] == _FORMAT:
            cipher = self.masters.require(master_of(wrapped), str(self._where))
            try:
                return cipher.decrypt(wrapped[_MASTER_END:_WRAPPED_START], wrapped[_WRAPPED_START:], _owner(subject))
            except InvalidTag:
                pass
        raise StoreError(
            f"{self._where}: the key of {subject} is damaged, or is another one's; keep the folder as it is and "
            "restore a backup into a new one"
        )


def master_of(wrapped: bytes) -> bytes:
    """Id of the master key that a key is wrapped under (8 bytes)."""
    return wrapped[len(_FORMAT) : _MASTER_END]


def _owner(subject: Subject) -> bytes:
    """The associated data of a wrapped key."""
    return b"beatbook.v1 record key\0" + subject.encode()


def _place(table: str, row: str) -> bytes:
    """The associated data of a body. A table's name holds no zero byte, so no two places read alike."""
    return f"beatbook.v1 at rest\0{table}\0{row}".encode()
