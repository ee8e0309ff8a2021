"""The chain of one seat's ops, and the heads of it that the device signs (DESIGN section 10).

Every op bears the link that stands before it, so an op cannot be moved, left out or put in between without breaking
what follows; and one signature over the link after the last op of a push vouches for all before it. Signing each op
would cap a core at 7,000 a second.

    link 0 = SHA-256("beatbook.v1 chain" 0x00 seat)
    link n = SHA-256(link before || n, 8 bytes, big-endian || SHA-256(bytes of op n))

The first link names the seat: a chain cannot be taken for another's. A number that no op has is passed over.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.ids import DeviceId, OpNumber

_FIRST: Final = b"beatbook.v1 chain\x00"
_HEAD: Final = b"beatbook.v1 head\x00"


class ChainHead(msgspec.Struct, frozen=True):
    """Where a chain stands: the number of its last op, and the link behind that one."""

    n: OpNumber
    link: bytes


class SignedHead(msgspec.Struct, frozen=True):
    """What a device signed, with what shows which ops it vouches for: kept in the journal, checked with no server.

    Attributes:
        seat: whose chain.
        before: the link before the first op that it tells of.
        ops: (number, SHA-256) of each op, rising.
        signature: Ed25519 (RFC 8032) by the device's key over `head_words` of the link behind the last.
    """

    seat: DeviceId
    before: bytes
    ops: tuple[tuple[OpNumber, bytes], ...]
    signature: bytes

    @property
    def head(self) -> ChainHead:
        """Where the chain stands behind it."""
        return behind(ChainHead(OpNumber(0), self.before), self.ops)


def genesis(seat: DeviceId) -> ChainHead:
    """Where a seat's chain stands before its first op."""
    return ChainHead(OpNumber(0), hashlib.sha256(_FIRST + seat.encode()).digest())


def link_after(link: bytes, n: OpNumber, digest: bytes) -> bytes:
    """The link behind an op.

    Args:
        link: the one before it.
        n: the op's number.
        digest: SHA-256 of the op's bytes.
    """
    return hashlib.sha256(link + n.to_bytes(8, "big") + digest).digest()


def behind(head: ChainHead, ops: Iterable[tuple[OpNumber, bytes]]) -> ChainHead:
    """Where the chain stands behind these ops.

    Args:
        head: where it stands before them.
        ops: (number, SHA-256), rising; those up to the head are passed over.
    """
    n, link = head.n, head.link
    for each, digest in ops:
        if each > n:
            n, link = each, link_after(link, each, digest)
    return ChainHead(n, link)


def head_words(seat: DeviceId, head: ChainHead) -> bytes:
    """The bytes that a device signs to vouch for its chain up to `head`."""
    return _HEAD + msgspec.msgpack.encode([seat, head.n, head.link])
