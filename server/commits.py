"""What a commit is asked, what it needs, and what comes of it: the words that everything around a commit shares.

Whoever has ops hands in a `Submission`; the store loads what `needs` names (`Loaded`) and gets back what to write
(`Settled`), which the hub publishes. `server.settle` decides what stands between the two. They stand apart from it
because most of the server speaks of commits and decides none.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from schemas.codec import reread_op
from schemas.ids import DeviceId, Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.limits import OPS_PER_COMMIT_MAX
from schemas.ops import Op
from schemas.wire import SCHEMA, Result
from server import erasure, logbook
from server.logbook import NOTHING, Entry, EntryKey, Erased, Erasure, Extras, OpKey, Written
from server.roles import Roles
from sync.evidence.chain import ChainHead, SignedHead
from sync.evidence.merkle import EMPTY, Frontier
from sync.history import Act
from sync.merge import RecordState
from sync.session import Head

NO_ACTS: Final = b"\x90"
"""The MessagePack of no acts: an empty array."""


class Submission(msgspec.Struct, frozen=True):
    """Ops that one device pushed at once.

    Attributes:
        device: who pushed them.
        scopes: what it holds grants for; None for the server's own acts, which may change every record.
        ops: their bytes, in order. They have been decoded and checked to be this device's.
        schema: the schema version that the device knows.
        times: number of an op -> a better reading of when it was made than the op itself has (ms since 1970).
        roles: what its officer is, or was when they made the ops, and for which records; None asks for no role.
        head: what the device signed for them; the session has checked it.
        entries: for the journal (`server.logbook`).
        secrets: name -> what to keep under it; None forgets it.
        reached: name -> where a chain that no device signs stands now (read logs).
        erasure: a record to erase, after all ops of the group; the submission's entries are kept only with it.
    """

    device: DeviceId
    scopes: frozenset[ScopeName] | None
    ops: tuple[bytes, ...]
    schema: int = SCHEMA
    times: Mapping[OpNumber, Millis] = {}
    roles: Roles | None = None
    head: SignedHead | None = None
    entries: tuple[Entry, ...] = ()
    secrets: Mapping[str, bytes | None] = {}
    reached: Mapping[str, ChainHead] = {}
    erasure: Erasure | None = None


class KnownOp(msgspec.Struct, frozen=True):
    """An op that the store holds: the hash of its bytes and its result."""

    digest: bytes
    result: Result


class Archive(erasure.Records, Protocol):
    """What a commit may have to look up beyond what `needs` foresaw: where people differ, and what they had seen."""

    def body(self, device: DeviceId, n: OpNumber) -> bytes | None:
        """The bytes of an op that was made durable."""

    def has_entry(self, key: EntryKey) -> bool:
        """Whether the journal has that entry."""


class Loaded(msgspec.Struct, frozen=True):
    """What the store holds of what a group is about.

    Attributes:
        ops: known results by op, for the group's own ops and the ones named in their `after`.
        states: records by id.
        heads: where every scope stands.
        archive: everything else.
        chains: where the chains of the group's devices stand.
        covered: SHA-256 of the group's ops that a head has vouched for while the store did not hold them.
        entries: those of the group's journal entries that the store has.
        tree: the log's right edge.
        places: how many ops the store has.
        read: the group's ops, as `needs` has read them; () when they are still to be read.
    """

    ops: Mapping[OpKey, KnownOp]
    states: Mapping[RecordId, RecordState]
    heads: Mapping[ScopeName, Head]
    archive: Archive
    chains: Mapping[DeviceId, ChainHead] = {}
    covered: Mapping[OpKey, bytes] = {}
    entries: frozenset[EntryKey] = frozenset()
    tree: Frontier = EMPTY
    places: int = 0
    read: tuple[Op, ...] = ()


class NewOp(msgspec.Struct, frozen=True):
    """An op to keep, with its result and what it did. `body` is as it came; a refused one is kept too.

    `told` and `did` are the result and the acts as the log hashes and a store keeps them, in MessagePack.
    """

    device: DeviceId
    n: OpNumber
    record: RecordId
    body: bytes
    digest: bytes
    result: Result
    acts: tuple[Act, ...]
    told: bytes = b""
    did: bytes = NO_ACTS


class NewRow(msgspec.Struct, frozen=True):
    """A record to keep: its row and the scopes that hold it now. `before` is its version until this commit, or 0.

    `about` is the record that it is a part of, and is erased with.
    """

    record: RecordId
    kind: str
    body: bytes
    scopes: frozenset[ScopeName]
    before: Seq
    about: RecordId | None = None


class ScopeChange(msgspec.Struct, frozen=True):
    """What a commit did to one scope: everything its batch needs.

    Attributes:
        scope: which.
        frm: its head before.
        rows: encoded rows of the changed records that it holds.
        members: their ids, in the same order.
        stood: of each of them the version that the scope held before; 0 for one that came into it.
        gone: records that left it.
        head: where it stands now.
    """

    scope: ScopeName
    frm: Seq
    rows: tuple[bytes, ...]
    members: tuple[RecordId, ...]
    gone: tuple[RecordId, ...]
    head: Head
    stood: tuple[Seq, ...] = ()


class Settled(msgspec.Struct, frozen=True):
    """One commit, decided.

    Attributes:
        seq: its place in the order, or the one before when it changes nothing.
        recorded_at: the server's clock (ms since 1970).
        taken: how many ops of the group it took; the rest come next.
        results: one per op taken, in order.
        ops, rows, scopes: what to write.
        written: what to write beside them.
        erased: the records of which nothing is left but this.
    """

    seq: Seq
    recorded_at: Millis
    taken: int
    results: tuple[Result, ...]
    ops: tuple[NewOp, ...]
    rows: tuple[NewRow, ...]
    scopes: tuple[ScopeChange, ...]
    written: Written = Written()
    erased: tuple[Erased, ...] = ()

    def told(self) -> "Settled":
        """What whoever asked for the commit needs of it: not the ops, which they have."""
        return msgspec.structs.replace(self, ops=(), written=self.written.told())


class Needs(msgspec.Struct, frozen=True):
    """What must be loaded before a group can be settled."""

    ops: frozenset[OpKey]
    records: frozenset[RecordId]
    devices: frozenset[DeviceId] = frozenset()
    entries: frozenset[EntryKey] = frozenset()
    read: tuple[Op, ...] = ()
    """The ops, in order, as far as one commit takes them."""


def flatten(group: Sequence[Submission]) -> list[tuple[Submission, bytes]]:
    """The group's ops in order, each with its submission."""
    return [(submission, raw) for submission in group for raw in submission.ops]


def extras(group: Sequence[Submission]) -> Extras:
    """What the group brings beside its ops."""
    secrets: dict[str, bytes | None] = {}
    reached: dict[str, ChainHead] = {}
    for submission in group:
        secrets.update(submission.secrets)
        reached.update(submission.reached)
    return Extras(
        reached=reached,
        entries=tuple(entry for one in group if one.erasure is None for entry in one.entries),
        erasures=tuple((one.erasure, one.entries) for one in group if one.erasure is not None),
        secrets=secrets,
        heads=tuple(submission.head for submission in group if submission.head is not None),
    )


def needs(ops: Sequence[tuple[Submission, bytes]], beside: Extras = NOTHING) -> Needs:
    """What `settle` will ask for."""
    keys: set[OpKey] = set(beside.vouched())
    records: set[RecordId] = set()
    read = tuple(reread_op(raw) for _, raw in ops[:OPS_PER_COMMIT_MAX])
    for (submission, _), op in zip(ops, read, strict=False):
        keys.add((submission.device, op.n))
        if op.after:
            keys.add((submission.device, op.after))
        records.add(op.record)
    return Needs(
        ops=frozenset(keys),
        records=frozenset(records),
        devices=frozenset(submission.device for submission, _ in ops[:OPS_PER_COMMIT_MAX])
        | {head.seat for head in beside.heads},
        entries=frozenset(
            (
                *(entry.id for entry in beside.entries),
                *map(logbook.head_key, beside.heads),
                *(entry.id for _, own in beside.erasures for entry in own),
            )
        ),
        read=read,
    )
