"""The server's end of a seat's op chain within one connection: whether a PUSH vouches for what it brings."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from schemas.errors import PeerError
from schemas.ids import DeviceId, OpNumber
from schemas.ops import Op
from sync.evidence.chain import ChainHead, SignedHead, head_words, link_after

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, signed bytes, signature) -> whether the Ed25519 signature fits."""


class ChainWalk:
    """Follows the chain from where the store holds it, and lets nothing in that does not fit."""

    __slots__ = ("_key", "_seat", "_verify", "head")

    def __init__(self, seat: DeviceId, head: ChainHead, public_key: bytes, verify: Verify) -> None:
        """Start where the store holds the seat's chain."""
        self._seat = seat
        self._key = public_key
        self._verify = verify
        self.head = head
        """Up to where this connection's pushes have been checked."""

    def take(self, ops: Sequence[tuple[Op, bytes]], unsent: Mapping[OpNumber, bytes], signature: bytes) -> SignedHead:
        """Check ops beyond the head and what was signed for them, and move the head on.

        Args:
            ops: (op, its bytes) with numbers beyond the head, rising.
            unsent: number -> SHA-256 of the ops in between.
            signature: over the head behind the last.

        Raises:
            PeerError: `chain_broken`: a number is told twice or is behind the head, an op stands behind another link,
                or the signature does not fit.
        """
        told: dict[OpNumber, tuple[bytes, bytes | None]] = {n: (digest, None) for n, digest in unsent.items()}
        for op, raw in ops:
            if op.n in told:
                raise PeerError("chain_broken", f"op {op.n} is told twice")
            # An op of an older program says nothing of what was before it; the signature below vouches for its place.
            told[op.n] = (hashlib.sha256(raw).digest(), op.link if op.link or op.salt else None)
        head, digests = self.head, []
        for n in sorted(told):
            digest, said = told[n]
            if n <= self.head.n:
                raise PeerError("chain_broken", f"op {n} is vouched for already")
            if said not in (None, head.link):
                raise PeerError("chain_broken", f"op {n} does not follow op {head.n} as the server holds it")
            digests.append((n, digest))
            head = ChainHead(n, link_after(head.link, n, digest))
        if not self._verify(self._key, head_words(self._seat, head), signature):
            raise PeerError("chain_broken", f"the signature over the head behind op {head.n} does not fit")
        signed = SignedHead(self._seat, self.head.link, tuple(digests), signature)
        self.head = head
        return signed
