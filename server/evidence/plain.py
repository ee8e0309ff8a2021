"""Entries of the log in plain words."""

from schemas.errors import StoreError
from sync.evidence.leaf import EntryLeaf, OpLeaf, RowsLeaf, decode
from sync.explain.values import moment


def leaf_words(raw: bytes) -> str:
    """What an entry of the log says; of bytes that are none, only that."""
    try:
        leaf = decode(raw)
    except StoreError:
        return "something that is no entry of a log of this version"
    match leaf:
        case OpLeaf():
            return f"op {leaf.id} (SHA-256 {leaf.digest.hex()}), recorded {moment(leaf.at)} in commit {leaf.seq},"
        case EntryLeaf():
            return f"journal entry {leaf.what} {leaf.key} (SHA-256 {leaf.digest.hex()}), kept {moment(leaf.at)},"
        case RowsLeaf():
            return f"commit {leaf.seq} of {len(leaf.rows)} records, made {moment(leaf.at)},"
