"""A PUSH as a device makes it, with what it signs."""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import wire
from schemas.codec import reread_op
from schemas.ids import DeviceId, Millis, OpNumber
from sync.evidence.chain import ChainHead, behind, genesis, head_words


def signed_push(
    key: Ed25519PrivateKey,
    *ops: bytes,
    seat: DeviceId | None = None,
    since: ChainHead | None = None,
    times: Sequence[tuple[OpNumber, Millis]] = (),
) -> wire.Push:
    """A PUSH of these ops, signed for from `since` on; from the chain's beginning by default."""
    told = [(reread_op(raw), raw) for raw in ops]
    whose = told[0][0].device if seat is None else seat
    digests = [(op.n, hashlib.sha256(raw).digest()) for op, raw in told]
    head = behind(since or genesis(whose), digests)
    return wire.Push(ops=ops, times=tuple(times), head=key.sign(head_words(whose, head)))
