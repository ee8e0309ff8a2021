"""What a leaf of the log is: the MessagePack of one of these, which names a thing and bears hashes of it, never itself.

The tree is over hashes (DESIGN section 10), so a record can be erased and the log still verifies, and whoever is given
the log learns who did something and when, not what was written.
"""

from typing import Annotated, Final

import msgspec

from schemas.errors import StoreError
from schemas.ids import Millis, OpId, RecordId, Seq

DIGEST_BYTES: Final = 32
Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]


class OpLeaf(msgspec.Struct, frozen=True, kw_only=True, tag="op"):
    """An op was decided.

    Attributes:
        id: its name.
        digest: SHA-256 of its bytes as they came.
        outcome: SHA-256 over its result and what it did, as the store keeps them (`server.logbook.outcome_digest`).
        seq: the last commit that changed a record then.
        at: the server's clock (ms since 1970).
        place: its place in the order in which ops were decided, from 1.
    """

    id: OpId
    digest: Digest
    outcome: Digest
    seq: Seq
    at: Millis
    place: int


class RowsLeaf(msgspec.Struct, frozen=True, kw_only=True, tag="rows"):
    """A commit changed records.

    Attributes:
        seq: the commit.
        at: the server's clock (ms since 1970).
        rows: (record, SHA-256 of its row) for each.
    """

    seq: Seq
    at: Millis
    rows: tuple[tuple[RecordId, Digest], ...]


class EntryLeaf(msgspec.Struct, frozen=True, kw_only=True, tag="entry"):
    """Something was written into the journal.

    Attributes:
        what, key: which entry.
        digest: SHA-256 of its body.
        at: the server's clock (ms since 1970).
    """

    what: str
    key: str
    digest: Digest
    at: Millis


Leaf = OpLeaf | RowsLeaf | EntryLeaf
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: "Final[msgspec.msgpack.Decoder[Leaf]]" = msgspec.msgpack.Decoder(Leaf)


def encode(leaf: Leaf) -> bytes:
    """The bytes that are hashed."""
    return _ENCODER.encode(leaf)


def decode(data: bytes) -> Leaf:
    """A leaf from its bytes.

    A leaf has one form only: an auditor who has the content must come to the same bytes, and so to the same hash.

    Raises:
        StoreError: they are none that this program knows, or not in the form that `encode` gives.
    """
    try:
        leaf = _DECODER.decode(data)
        if encode(leaf) == data:
            return leaf
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    raise StoreError("an entry of the log is damaged, or was written by a newer program")
