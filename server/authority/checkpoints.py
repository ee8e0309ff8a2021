"""The log's head, signed (C2SP tlog-checkpoint), and the proof that it continues what somebody has seen."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.store import Store
from sync.evidence import checkpoint
from sync.evidence.checkpoint import Checkpoint
from sync.evidence.merkle import Frontier
from sync.evidence.note import KeyType, VerifierKey

KEPT_MAX: Final = 64
"""Proofs kept: after a restart thousands of devices come back from a handful of checkpoints."""


def origin_of(public_key: bytes) -> str:
    """What a log is called that nobody has named: after its key, so that it outlives a restore.

    Args:
        public_key: the log's, 32 bytes.
    """
    return f"beatbook/{hashlib.sha256(public_key).hexdigest()[:16]}"


class Checkpoints:
    """Signs the log of one store."""

    def __init__(self, store: Store, key: Ed25519PrivateKey, origin: str) -> None:
        """Bind them.

        Args:
            store: whose log.
            key: the log's.
            origin: the log's name, for ever.
        """
        self._store = store
        self._key = key
        self.verifier = VerifierKey(origin, KeyType.ED25519, key.public_key().public_bytes_raw())
        """What checks them; its text is the log's vkey."""
        self._tree: Frontier | None = None
        self._signed = b""
        self._proofs: dict[tuple[int, int], tuple[bytes, ...]] = {}
        self._cosigned = b""
        self.cosigned_size = 0
        """Size of the log in the newest checkpoint that a witness has cosigned; 0 for none."""
        self.ask: Callable[[], Awaitable[None]] | None = None
        """Has the newest head cosigned now; None where there are no witnesses."""

    async def newest(self) -> tuple[int, bytes]:
        """(size, signed checkpoint) of the log as it is now.

        Raises:
            StoreError: it cannot be read.
        """
        tree = await self._store.tree()
        if tree != self._tree:
            head = Checkpoint(self.verifier.name, tree.size, tree.root)
            self._signed = checkpoint.sign(head, self.verifier, self._key.sign)
            self._tree = tree
        return tree.size, self._signed

    def keep_cosigned(self, size: int, note: bytes) -> None:
        """A checkpoint of that size, as witnesses have cosigned it."""
        self.cosigned_size, self._cosigned = size, note

    async def witnessed(self) -> tuple[int, bytes]:
        """(size, checkpoint) of a head that holds all that is in the log now, cosigned where a witness does so.

        Raises:
            StoreError: it cannot be read.
        """
        size, signed = await self.newest()
        if self.ask is not None:
            await self.ask()
        return (self.cosigned_size, self._cosigned) if self.cosigned_size >= size > 0 else (size, signed)

    async def consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the log of `size` continues that of `old`.

        Raises:
            StoreError: it cannot be read.
        """
        return await self._store.consistency(old, size)

    async def since(self, pinned: int) -> tuple[int, bytes, tuple[bytes, ...]]:
        """(size, signed checkpoint, proof that it continues the log of size `pinned`).

        A log that has shrunk proves nothing: whoever pinned more sees that from the checkpoint alone.
        """
        size, signed = await self.newest()
        if pinned > size:
            return size, signed, ()
        proof = self._proofs.get((pinned, size))
        if proof is None:
            proof = tuple(await self._store.consistency(pinned, size))
            if len(self._proofs) >= KEPT_MAX:
                self._proofs.clear()
            self._proofs[pinned, size] = proof
        return size, signed, proof
