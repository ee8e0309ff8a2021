"""What a commit writes beside ops and rows: the journal, the chains, the secrets, and the leaves of the log. Pure.

The journal keeps everything that is no op and must be attributable: acts of administration, signed heads, receipts,
read logs, sealed edits. Each entry, each op and each commit's rows is a leaf of the Merkle tree (RFC 6962), written in
the transaction that keeps it; an insider who edits the database afterwards has the tree against them.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from schemas.ids import DeviceId, Millis, OpNumber, RecordId, Seq
from sync.evidence.chain import ChainHead, SignedHead, behind, genesis
from sync.evidence.leaf import EntryLeaf
from sync.evidence.leaf import encode as encode_leaf
from sync.evidence.merkle import EMPTY, Frontier, Node, leaf_hash

OFFICE: Final = DeviceId("control-room")
"""The device of the server's own ops. Nobody else may number ops in its name."""
OpKey = tuple[DeviceId, OpNumber]
EntryKey = tuple[str, str]
"""(what, key) of a journal entry: there is one of each."""
HEAD: Final = "head"
ACT: Final = "act"
READS: Final = "reads"
RECEIPT: Final = "receipt"
QUARANTINE: Final = "quarantine"
ALARM: Final = "alarm"
SECURITY_KEY: Final = "security-key"
_ENCODER: Final = msgspec.msgpack.Encoder()


class Entry(msgspec.Struct, frozen=True):
    """Something to keep in the journal.

    Attributes:
        what: which sort: one of the constants above, or another word.
        key: its name among those; the same again is the same entry, and is not kept twice.
        body: its bytes.
        record: the record that it is about, if one: erasing that erases the body.
    """

    what: str
    key: str
    body: bytes
    record: RecordId | None = None

    @property
    def id(self) -> EntryKey:
        """What tells it from every other."""
        return (self.what, self.key)


class NewEntry(msgspec.Struct, frozen=True):
    """A journal entry to keep, with the hash that its leaf bears.

    `whole` is False for what comes about a record that was erased: then its hash is kept, and not its body.
    """

    entry: Entry
    digest: bytes
    whole: bool = True


class Erasure(msgspec.Struct, frozen=True):
    """The erasure of a record and of everything that is a part of it. The caller has seen to it that it may be.

    Attributes:
        record: which.
        seen: the last commit that whoever proposed it had seen. What was written into it later forbids it: an edit is
            never erased with what nobody knew it held.
        note: what is said where the record was, in words: by whom, when, under what.
        ahead: whether it is erased although it is not here: a restored server has lost it, its erasure included, and a
            device may still bring it. Nothing of it is taken then.
    """

    record: RecordId
    seen: Seq
    note: str
    ahead: bool = False


class Erased(msgspec.Struct, frozen=True):
    """What is kept of an erased record.

    Attributes:
        record: which.
        subject: the record with which it was erased, or itself.
        at: the server's clock then (ms since 1970).
        seq: the commit.
        note: what is said where it was.
        ahead: see `Erasure`.
    """

    record: RecordId
    subject: RecordId
    at: Millis
    seq: Seq
    note: str
    ahead: bool = False


ERASED_DIGEST: Final = bytes(32)
"""What stands for an erased record's row among the hashes of the commit that erased it: from then on there is none."""


class Extras(msgspec.Struct, frozen=True, dict=True):
    """What a group brings beside its ops. It is written with the last of the group's commits.

    Attributes:
        entries: for the journal, signed heads among them.
        secrets: name -> what is kept under it from now on; None forgets it.
        heads: what devices signed.
        reached: name -> where a chain that no device signs stands now.
        erasures: each with the journal entries that are kept if it is carried out, and only then.
        ends: seat -> where its chain stands behind the last of the heads, once it is known which go on (`following`).
    """

    entries: tuple[Entry, ...] = ()
    secrets: Mapping[str, bytes | None] = {}
    heads: tuple[SignedHead, ...] = ()
    reached: Mapping[str, ChainHead] = {}
    erasures: tuple[tuple[Erasure, tuple[Entry, ...]], ...] = ()
    ends: Mapping[DeviceId, ChainHead] = {}

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.entries or self.secrets or self.heads or self.reached or self.erasures)

    def vouched(self) -> dict[OpKey, bytes]:
        """The SHA-256 of every op that a device signed for in this group."""
        # Asked for three times by each commit, and kept beside the fields.
        found: dict[OpKey, bytes] | None = self.__dict__.get("_vouched")
        if found is None:
            told = {(signed.seat, n): digest for signed in self.heads for n, digest in signed.ops}
            found = self.__dict__["_vouched"] = told
        return found


NOTHING: Final = Extras()


def following(extras: Extras, held: Mapping[DeviceId, ChainHead]) -> Extras:
    """The same with only those heads that go on from where the store holds their chains at this moment.

    A session has checked each against what the store held when it began. Two sessions of one key may have begun at the
    same place and gone on differently since: then the first to be committed is the chain, and the other a fork.

    Args:
        extras: what a group brings.
        held: seat -> where the store holds its chain.
    """
    at = {signed.seat: held.get(signed.seat) or genesis(signed.seat) for signed in extras.heads}
    ends: dict[DeviceId, ChainHead] = {}
    found = []
    for signed in extras.heads:
        last = at[signed.seat]
        through = behind(ChainHead(OpNumber(0), signed.before), [told for told in signed.ops if told[0] <= last.n])
        if through.link == last.link and last_of(signed) > last.n:
            found.append(signed)
            ends[signed.seat] = at[signed.seat] = behind(through, signed.ops)
    return msgspec.structs.replace(extras, heads=tuple(found), ends=ends)


def last_of(signed: SignedHead) -> OpNumber:
    """The number of the last op that a head vouches for. The head itself costs a hash for each of them."""
    return signed.ops[-1][0] if signed.ops else OpNumber(0)


def head_key(signed: SignedHead) -> EntryKey:
    """What a signed head is called in the journal."""
    return (HEAD, f"{signed.seat}:{last_of(signed)}")


def seat_of_head(key: EntryKey) -> tuple[DeviceId, OpNumber] | None:
    """(seat, number of its last op) of a signed head that is called so; None for any other entry."""
    what, name = key
    seat, _, n = name.rpartition(":")
    return (DeviceId(seat), OpNumber(int(n))) if what == HEAD else None


def head_entry(signed: SignedHead) -> Entry:
    """A signed head as the journal keeps it."""
    return Entry(*head_key(signed), _ENCODER.encode(signed))


class Written(msgspec.Struct, frozen=True):
    """What a commit writes beside ops and rows.

    Attributes:
        entries: new entries of the journal.
        secrets: as in `Extras`.
        chains: seat, or name of another chain -> where it stands now.
        covered: SHA-256 of ops that a head vouches for and that the store does not hold: when one comes after all, it
            must be that one.
        leaves: of the tree, in their order: ops, entries, rows.
        first_leaf: index of the first of them.
        nodes: complete subtrees to keep.
        tree: the tree's right edge behind them.
    """

    entries: tuple[NewEntry, ...] = ()
    secrets: Mapping[str, bytes | None] = {}
    chains: Mapping[str, ChainHead] = {}
    covered: tuple[tuple[DeviceId, OpNumber, bytes], ...] = ()
    leaves: tuple[bytes, ...] = ()
    first_leaf: int = 0
    nodes: tuple[Node, ...] = ()
    tree: Frontier = EMPTY

    def told(self) -> "Written":
        """What of it others than the writer need: not the leaves and nothing secret."""
        return Written(tree=self.tree, first_leaf=self.first_leaf)


def new_entries(
    extras: Extras, of_commit: Iterable[Entry], known: frozenset[EntryKey], gone: Callable[[RecordId], bool]
) -> tuple[NewEntry, ...]:
    """The entries that are not in the journal yet, each once, in order.

    Args:
        extras: what the group brings.
        of_commit: what the commit brings itself: with the erasures that it carries out, and its alarms.
        known: the entries that the journal has.
        gone: whether a record was erased before.
    """
    found: dict[EntryKey, NewEntry] = {}
    for entry in (*extras.entries, *map(head_entry, extras.heads), *of_commit):
        if entry.id not in known and entry.id not in found:
            whole = entry.record is None or not gone(entry.record)
            found[entry.id] = NewEntry(entry, hashlib.sha256(entry.body).digest(), whole)
    return tuple(found.values())


def chains_after(extras: Extras) -> dict[str, ChainHead]:
    """Where the chains stand behind the heads that were signed (those of `following`), and the others' ends."""
    return {**extras.reached, **{str(seat): end for seat, end in extras.ends.items()}}


def entry_leaves(entries: Iterable[NewEntry], now: Millis) -> list[bytes]:
    """The leaves of journal entries."""
    return [
        encode_leaf(EntryLeaf(what=new.entry.what, key=new.entry.key, digest=new.digest, at=now)) for new in entries
    ]


def grown(tree: Frontier, leaves: Sequence[bytes]) -> tuple[Frontier, tuple[Node, ...]]:
    """(the tree's right edge, complete subtrees to keep) behind these leaves."""
    after, nodes = tree.appended([leaf_hash(leaf) for leaf in leaves])
    return after, tuple(nodes)


def rows_digests(rows: Iterable[tuple[RecordId, bytes]]) -> tuple[tuple[RecordId, bytes], ...]:
    """(record, SHA-256 of its row) of a commit's rows."""
    return tuple((record, hashlib.sha256(body).digest()) for record, body in rows)


def outcome_digest(result: bytes, acts: bytes) -> bytes:
    """The hash of what became of an op: of its result and of what it did, each as the store keeps it."""
    return hashlib.sha256(len(result).to_bytes(4, "big") + result + acts).digest()


class KeptEntry(msgspec.Struct, frozen=True):
    """A journal entry as the store keeps it.

    Attributes:
        place: its place in the journal, from 1.
        what, key, record: as in `Entry`.
        at: the server's clock at its commit (ms since 1970).
        seq: the last commit that changed a record then.
        body: its bytes; None once the record that it is about was erased.
        leaf: index of its leaf in the log.
    """

    place: int
    what: str
    key: str
    record: RecordId | None
    at: Millis
    seq: Seq
    body: bytes | None
    leaf: int
