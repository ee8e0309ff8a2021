"""Both ends of a seat's op chain within one connection: what a PUSH must vouch for, and whether it does."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from schemas.errors import PeerError
from schemas.ids import DeviceId, OpNumber
from schemas.ops import Op
from sync.evidence.chain import ChainHead, SignedHead, head_words, link_after

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, signed bytes, signature) -> whether the Ed25519 signature fits."""


class ChainWalk:
    """The server's end: follows the chain from where the store holds it, and lets nothing in that does not fit."""

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
            PeerError: `chain_broken`: a number is missing or told twice, an op stands behind another link, or the
                signature does not fit.
        """
        told: dict[OpNumber, tuple[bytes, bytes | None]] = {n: (digest, None) for n, digest in unsent.items()}
        for op, raw in ops:
            if op.n in told:
                raise PeerError("chain_broken", f"op {op.n} is told twice")
            told[op.n] = (hashlib.sha256(raw).digest(), op.link if op.link or op.salt else None)
        before, first = self.head.link, OpNumber(self.head.n + 1)
        if sorted(told) != list(range(first, first + len(told))):
            raise PeerError("chain_broken", f"ops from {first} on do not follow each other")
        link = before
        digests = []
        for n in range(first, first + len(told)):
            digest, said = told[OpNumber(n)]
            # An op of an older program says nothing of what was before it; the signature below vouches for its place.
            if said not in (None, link):
                raise PeerError("chain_broken", f"op {n} does not follow op {n - 1} as the server holds it")
            digests.append(digest)
            link = link_after(link, digest)
        head = ChainHead(OpNumber(first + len(told) - 1), link)
        if not self._verify(self._key, head_words(self._seat, head), signature):
            raise PeerError("chain_broken", f"the signature over the head behind op {head.n} does not fit")
        self.head = head
        return SignedHead(self._seat, first, before, tuple(digests), signature)


def behind(head: ChainHead, digests: Iterable[tuple[OpNumber, bytes]], upto: OpNumber) -> ChainHead:
    """The device's end: where the chain stands behind op `upto`.

    Args:
        head: where it stands already.
        digests: (number, SHA-256) of own ops, rising; those up to the head are passed over.
        upto: the last to take in.
    """
    link = head.link
    for n, digest in digests:
        if head.n < n <= upto:
            link = link_after(link, digest)
    return ChainHead(max(head.n, upto), link)
