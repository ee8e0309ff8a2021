"""The messages of `beatbook.v1`: MessagePack maps whose key `t` names the type. docs/protocol.md tells their meaning.

`Down` is what a server sends, `Up` what a device sends; both are closed unions. Unknown keys are ignored when a message
is decoded, so a later minor version may add some.
"""

from typing import Annotated, Final, Literal

import msgspec

from schemas.ids import (
    DeviceText,
    EdgeText,
    EpochText,
    GenerationInt,
    MillisInt,
    OpNumber,
    OpNumberInt,
    OpText,
    RecordText,
    ScopeText,
    Seq,
    SeqInt,
)
from schemas.limits import (
    ARRAY_LEN_MAX,
    CHECKPOINT_BYTES_MAX,
    CONSISTENCY_LEN_MAX,
    CREDIT_BYTES_TOTAL_MAX,
    DETAIL_CHARS_MAX,
    HELLO_BODY_BYTES_MAX,
    INT_MAX,
    MESSAGE_BYTES_MAX,
    OP_BYTES_MAX,
    OPS_PER_PUSH_MAX,
    PAGE_BYTES_MAX,
    READ_BYTES_MAX,
    RECORD_BYTES_MAX,
    REPAIR_RANGES_MAX,
    SCOPES_PER_DEVICE_MAX,
    SCOPES_PER_RECORD_MAX,
    SEALED_BYTES_MAX,
    TOKEN_CHARS_MAX,
    UNSENT_LEN_MAX,
)

SUBPROTOCOL: Final = "beatbook.v1"
"""The WebSocket subprotocol (RFC 6455 section 1.9) that both sides name in the handshake."""
PROTO: Final = 1
"""The protocol version that this code speaks."""
SCHEMA: Final = 4
"""The version of the record kinds that this code knows."""
SCHEMA_MIN: Final = 1
"""The oldest version of the record kinds whose ops this code takes."""
SCHEMA_MAX: Final = SCHEMA + 1
"""The newest: what such a device writes and this code cannot read is kept in trust (docs/explanation/schema.md)."""
PROOF_CONTEXT: Final = b"beatbook.v1 hello\x00"
"""Goes before nonce and HELLO body in what the device signs, so that the signature is good for nothing else."""
RECEIPT_CONTEXT: Final = b"beatbook.v1 retracted\x00"
"""Goes before MessagePack of [seat, scope, gen, removed, at] in what the device signs of a RETRACTED."""
WIPED_CONTEXT: Final = b"beatbook.v1 wiped\x00"
"""Goes before MessagePack of [seat, at] in what the device signs of a WIPED."""
NONCE_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
"""Of Ed25519 (RFC 8032)."""
SHARE_BYTES: Final = 32
DIGEST_END_BYTES: Final = 8
"""Of a digest, where its end stands for all of it: by chance another one ends so once in 2^64."""
RECORD_ID_BYTES: Final = 16
"""Of a record id where it is not text (RFC 9562)."""

Text = Annotated[str, msgspec.Meta(max_length=DETAIL_CHARS_MAX)]
Credit = Annotated[int, msgspec.Meta(ge=0, le=CREDIT_BYTES_TOTAL_MAX)]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
DigestEnd = Annotated[bytes, msgspec.Meta(min_length=DIGEST_END_BYTES, max_length=DIGEST_END_BYTES)]
Count = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]
Version = Annotated[int, msgspec.Meta(ge=1, le=INT_MAX)]
Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
Consistency = Annotated[tuple[Digest, ...], msgspec.Meta(max_length=CONSISTENCY_LEN_MAX)]
Checkpoint = Annotated[bytes, msgspec.Meta(max_length=CHECKPOINT_BYTES_MAX)]
RecordBytes = Annotated[bytes, msgspec.Meta(min_length=RECORD_ID_BYTES, max_length=RECORD_ID_BYTES)]
Check = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
PACKS_LEN_MAX: Final = 8
PackText = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
"""One that this program does not know is passed over: it is a newer device's."""
Token = Annotated[str, msgspec.Meta(max_length=TOKEN_CHARS_MAX)]


class _Message(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="t"):
    """Base of the messages."""


# --- parts -------------------------------------------------------------------------------------------------------


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a device stands in one scope.

    Attributes:
        scope, gen: the scope, in that generation of the grant.
        seq: every change of the scope up to this commit is in the replica; of an unfinished snapshot: its pinned seq.
        after: of an unfinished snapshot: the last record id that is in the replica. Absent when no snapshot is open.
        digest: over the scope's (record, version) pairs, when the replica has one.
    """

    scope: ScopeText
    gen: GenerationInt
    seq: SeqInt
    after: EdgeText | None = None
    digest: Digest | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server will do about one scope.

    Attributes:
        scope, gen: the scope and the grant's generation.
        action: `resume`: batches follow from the device's position. `snapshot`: pages follow, then batches from `seq`.
            `drop`: the grant has ended; the device removes the scope before anything else and answers RETRACTED.
        seq: of `resume` the scope's last commit at this moment; of `snapshot` the pinned seq.
        digest: of `resume`: the scope's digest at `seq`.
        count: how many records the scope holds at this moment.
    """

    scope: ScopeText
    gen: GenerationInt
    action: Literal["resume", "snapshot", "drop"]
    seq: SeqInt = Seq(0)
    digest: Digest | None = None
    count: Count = 0


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one op.

    Attributes:
        n: the op's number.
        status: `durable`: on disk, for good. `refused`: never will be; `code` says why. `waiting`: not taken in,
            because the op named in its `after` is not durable, or because it was made on a version that this server
            lost when it was restored, or saw what has not come here, or is of a kind that only a newer server knows;
            it may come again.
        seq: of `durable`: the commit.
        scopes: of `durable`: those of this device's scopes that the record is in now. Empty: the device drops it.
        stands: of `durable`: field -> the op whose value stands there instead of this op's.
        code, detail: of `refused` and `waiting`: an entry of the error registry, and what in the op it is about.
    """

    n: OpNumberInt
    status: Literal["durable", "refused", "waiting"]
    seq: SeqInt = Seq(0)
    scopes: tuple[ScopeText, ...] = ()
    stands: dict[str, OpText] = {}
    code: str = ""
    detail: Text = ""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a scope's records in order of id, and what the device holds of it.

    Attributes:
        after: ids above this one ("" is from the first on).
        upto: ids up to and with this one ("" is to the last).
        digest, count: over the (record, version) pairs in between.
    """

    after: EdgeText
    upto: EdgeText
    digest: Digest
    count: Count


class Difference(msgspec.Struct, frozen=True, array_like=True):
    """A row that changed, by what changed in it since the one that the device holds.

    Attributes:
        record: the record's id as its 16 bytes.
        base: version of the row to start from.
        check: CRC-32 of the row that it leads to.
        edits: how to make that row's bytes of the other's (`schemas.differences`).
    """

    record: RecordBytes
    base: SeqInt
    check: Check
    edits: Annotated[bytes, msgspec.Meta(max_length=RECORD_BYTES_MAX)]


class ShortChange(msgspec.Struct, frozen=True, array_like=True):
    """A BATCH with `changed` and nothing else in it.

    Attributes:
        scope, gen: which grant.
        frm, to: `from` and `to` of the BATCH.
        count: how many records the scope holds at `to`.
        digest: the last 8 bytes of its digest.
        changed: as in BATCH.
    """

    scope: ScopeText
    gen: GenerationInt
    frm: SeqInt = msgspec.field(name="from")
    to: SeqInt
    count: Count
    digest: DigestEnd
    changed: Annotated[tuple[Difference, ...], msgspec.Meta(min_length=1, max_length=ARRAY_LEN_MAX)]


class ShortDone(msgspec.Struct, frozen=True, array_like=True):
    """RESULTS of ops with consecutive numbers, all durable by one commit, with the same scopes and no `stands`.

    Attributes:
        first: number of the first of them.
        ops: how many they are.
        seq: the commit.
        credit: as in RESULTS.
        scopes: those of this device's scopes that each of the records is in now.
    """

    first: OpNumberInt
    ops: Annotated[int, msgspec.Meta(ge=1, le=OPS_PER_PUSH_MAX)]
    seq: SeqInt
    credit: Credit
    scopes: Annotated[tuple[ScopeText, ...], msgspec.Meta(max_length=SCOPES_PER_RECORD_MAX)]


class ChainPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a seat's chain of ops stands (`sync.evidence.chain`).

    Attributes:
        n: number of its last op; 0 before the first.
        link: the link behind that op.
    """

    n: Annotated[OpNumber, msgspec.Meta(ge=0, le=INT_MAX)]
    link: Digest


class Lease(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """For how long the replica opens without the server, and what opens it (DESIGN section 9).

    Attributes:
        until: when it ends, by the server's clock (ms since 1970).
        lasts_ms: how long that is from the moment it was given, for a device whose wall clock lies.
        token: the session token to show from now on.
        token_lasts_ms: how long that is good.
        share: the server's share of the key that wraps the replica's; b"" when it has not changed.
        share_no: number of that share; it rises with each new one.
        share_before: the share before, until the device says in HELLO that it holds the new one: should power go while
            it wraps its keys anew, they open with one of the two. b"" when there is none.
        roles: what the officer is, to check what they write before it is sent.
        seal_to: X25519 public key to which a device seals what it can no longer read (RFC 9180).
    """

    until: MillisInt
    lasts_ms: Count
    token: Token
    token_lasts_ms: Count
    share_no: Count
    roles: tuple[Annotated[str, msgspec.Meta(max_length=40)], ...] = ()
    share: Annotated[bytes, msgspec.Meta(max_length=SHARE_BYTES)] = b""
    share_before: Annotated[bytes, msgspec.Meta(max_length=SHARE_BYTES)] = b""
    seal_to: Annotated[bytes, msgspec.Meta(max_length=32)] = b""


# --- server to device --------------------------------------------------------------------------------------------


class Challenge(_Message, frozen=True, kw_only=True, tag="challenge"):
    """The server's first message.

    Attributes:
        nonce: 32 random bytes that the device signs.
        server_time: the server's clock (ms since 1970).
        proto_min, proto_max: the protocol versions it speaks.
    """

    nonce: Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    server_time: MillisInt
    proto_min: Version
    proto_max: Version


class Welcome(_Message, frozen=True, kw_only=True, tag="welcome"):
    """The device is let in.

    Attributes:
        proto: the protocol version of this session.
        schema_min, schema_max: record-kind versions whose ops the server takes.
        epoch: the server's history. Another one than the device knows: it offers all its ops again.
        server_time: the server's clock (ms since 1970), for the device's offset.
        last_op: highest number of this device's ops that the server holds; 0 for none.
        credit: bytes of PUSH that the device may send.
        scopes: a plan for each scope granted, and for each scope in HELLO that no longer is.
        chain: where the server holds this seat's chain; absent where chains are not kept.
        lease: absent when none is given: then what the device has lasts to its end.
        checkpoint: the log's signed checkpoint (C2SP tlog-checkpoint); b"" where there is none.
        consistency: that it continues the log of the size in HELLO's `pinned` (RFC 6962 section 2.1.2).
        reads_kept: number of the last entry of the device's read log that the server holds.
        packs: in what forms beside the plain one the server takes ops: `diff` (PUSH, `edits`). Only to a device whose
            HELLO names it too.
    """

    proto: Version
    schema_min: Version
    schema_max: Version
    epoch: EpochText
    server_time: MillisInt
    last_op: Annotated[OpNumber, msgspec.Meta(ge=0, le=INT_MAX)]
    credit: Credit
    scopes: Annotated[tuple[Plan, ...], msgspec.Meta(max_length=2 * SCOPES_PER_DEVICE_MAX)]
    chain: ChainPlace | None = None
    lease: Lease | None = None
    checkpoint: Checkpoint = b""
    consistency: Consistency = ()
    reads_kept: Count = 0
    packs: Annotated[tuple[PackText, ...], msgspec.Meta(max_length=PACKS_LEN_MAX)] = ()


class Batch(_Message, frozen=True, kw_only=True, tag="batch"):
    """All changes of one scope between two positions. Applied in one local transaction, or not at all.

    Attributes:
        scope, gen: which grant.
        frm: `from` on the wire: the position it starts at.
        to: the position it leads to.
        rows: the changed records as they stand now.
        changed: more of them, each by what changed in it: only such as the scope held at `from` too, and only to a
            device whose HELLO names `diff` in `packs`. Their version is `to`.
        gone: records that left the scope.
        erased: those of them that were erased: whatever the device still holds about them goes too.
        digest, count: of the scope at `to`; absent while more batches are to come.
    """

    scope: ScopeText
    gen: GenerationInt
    frm: SeqInt = msgspec.field(name="from")
    to: SeqInt
    rows: Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=ARRAY_LEN_MAX)] = ()
    changed: Annotated[tuple[Difference, ...], msgspec.Meta(max_length=ARRAY_LEN_MAX)] = ()
    gone: Annotated[tuple[RecordText, ...], msgspec.Meta(max_length=ARRAY_LEN_MAX)] = ()
    erased: Annotated[tuple[RecordText, ...], msgspec.Meta(max_length=ARRAY_LEN_MAX)] = ()
    digest: Digest | None = None
    count: Count | None = None


class Snapshot(_Message, frozen=True, kw_only=True, tag="snapshot"):
    """One page of a scope in order of record id: exactly these records lie in (after, upto].

    Attributes:
        scope, gen: which grant.
        at: the pinned seq: batches follow from there once the last page is in.
        after, upto: the stretch of ids; "" is before the first and behind the last.
        rows: its records.
        packed: the same as one Zstandard frame (RFC 8878) around a MessagePack array of them; `rows` is empty then.
            Only to a device whose HELLO names `zstd` in `packs`.
        erased: records of the stretch that were in the scope and were erased, as in BATCH.
        last: whether it ends the snapshot or the repair.
        repair: whether it answers a REPAIR; then the device's position stays as it is.
    """

    scope: ScopeText
    gen: GenerationInt
    at: SeqInt
    after: EdgeText
    upto: EdgeText
    rows: Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=ARRAY_LEN_MAX)] = ()
    packed: Annotated[bytes, msgspec.Meta(max_length=PAGE_BYTES_MAX)] = b""
    erased: Annotated[tuple[RecordText, ...], msgspec.Meta(max_length=ARRAY_LEN_MAX)] = ()
    last: bool = False
    repair: bool = False


class Results(_Message, frozen=True, kw_only=True, tag="results"):
    """What became of pushed ops. Always sent before the batch that holds what they changed.

    Attributes:
        results: one per op, in the order of the PUSH; a PUSH has several RESULTS where one would be too long.
        credit: bytes of PUSH given back.
    """

    results: Annotated[tuple[Result, ...], msgspec.Meta(max_length=OPS_PER_PUSH_MAX)]
    credit: Credit = 0


class ShortBatch(_Message, frozen=True, kw_only=True, tag="d"):
    """A BATCH that brings differences and nothing else, in few bytes. Only to a device whose HELLO names `diff`.

    Attributes:
        c: what it says.
    """

    c: ShortChange


class ShortResults(_Message, frozen=True, kw_only=True, tag="r"):
    """RESULTS of ops that all took effect in one commit, in few bytes. Only to a device whose HELLO names `diff`.

    Attributes:
        c: what it says.
    """

    c: ShortDone


class Retract(_Message, frozen=True, kw_only=True, tag="retract"):
    """A grant has ended: the device removes the scope at once and answers RETRACTED.

    Attributes:
        scope, gen: the scope and the generation that ended.
    """

    scope: ScopeText
    gen: GenerationInt


class ScopeAdd(_Message, frozen=True, kw_only=True, tag="scope_add"):
    """A grant has begun while the session runs.

    Attributes:
        plan: as in WELCOME.
    """

    plan: Plan


class Notice(_Message, frozen=True, kw_only=True, tag="notice"):
    """Something that the person at the device should know; nothing follows from it.

    Attributes:
        code: `clock_skew`: the device's clock is off by `value` ms (positive: ahead). `reads_missing`: the server
            holds `value` entries of the device's read log, and the device says that it has fewer: no lease is given.
        value: the figure behind it.
    """

    code: Literal["clock_skew", "reads_missing"]
    value: Annotated[int, msgspec.Meta(ge=-INT_MAX, le=INT_MAX)]


class NewLease(_Message, frozen=True, kw_only=True, tag="lease"):
    """The lease is renewed, or the server's share of the key has changed.

    Attributes:
        lease: as in WELCOME.
        checkpoint, consistency: as in WELCOME; the proof is from the checkpoint sent before in this session.
    """

    lease: Lease
    checkpoint: Checkpoint = b""
    consistency: Consistency = ()


class Wipe(_Message, frozen=True, kw_only=True, tag="wipe"):
    """The device destroys its keys and its replica at once, and answers WIPED.

    Attributes:
        reason: for whoever holds the device.
    """

    reason: Text = ""


class ReadsKept(_Message, frozen=True, kw_only=True, tag="reads_kept"):
    """Entries of the read log are on the server's disk.

    Attributes:
        upto: number of the last.
    """

    upto: Count


class Quarantined(_Message, frozen=True, kw_only=True, tag="quarantined"):
    """Sealed edits are on the server's disk, for a supervisor.

    Attributes:
        ids: of them, as in QUARANTINE.
    """

    ids: Annotated[tuple[Count, ...], msgspec.Meta(max_length=OPS_PER_PUSH_MAX)]


class Pong(_Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to PING.

    Attributes:
        id: the PING's.
        server_time: the server's clock (ms since 1970).
    """

    id: Count
    server_time: MillisInt


class Error(_Message, frozen=True, kw_only=True, tag="error"):
    """Why the connection ends. Either side sends it before it closes; a close without one is a cut.

    Attributes:
        code: an entry of the error registry.
        recovery: what a device does: retry, reauth, resnapshot, upgrade, quarantine or stop.
        retry_after_ms: when to come back.
        scope: which scope it is about, if one.
        detail: for the developer at the other side.
    """

    code: Annotated[str, msgspec.Meta(max_length=40)]
    recovery: Literal["retry", "reauth", "resnapshot", "upgrade", "quarantine", "stop"]
    retry_after_ms: Count | None = None
    scope: ScopeText | None = None
    detail: Text = ""


# --- device to server --------------------------------------------------------------------------------------------


class HelloBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a device says of itself; it travels as `bin` in HELLO, and the proof is over those bytes.

    Attributes:
        proto: the protocol version it wants.
        schema: the record-kind version it knows.
        device: its id.
        epoch: the server history it last saw; absent the first time.
        scopes: where it stands.
        next_op: number that its next op will get.
        wall: its wall clock (ms since 1970), uncorrected.
        mono: its monotonic clock (ms since some start); tells a clock that was set from one that ran.
        credit: bytes of BATCH and SNAPSHOT that the server may send; at least one message of the largest size.
        token: the session token that the officer's sign-in gave.
        chain: where the device holds its own chain.
        pinned: size of the log in the last checkpoint that the device has checked; 0 for none.
        next_read: number that the next entry of its read log will get.
        share_no: number of the server's share under which its keys are wrapped on disk; 0 for none.
        sealed: how many edits it holds sealed to the server: they follow in QUARANTINE.
    """

    proto: Version
    schema: Version
    device: DeviceText
    epoch: EpochText | None = None
    scopes: Annotated[tuple[Position, ...], msgspec.Meta(max_length=SCOPES_PER_DEVICE_MAX)] = ()
    next_op: OpNumberInt
    wall: MillisInt
    mono: Count
    credit: Annotated[int, msgspec.Meta(ge=MESSAGE_BYTES_MAX, le=CREDIT_BYTES_TOTAL_MAX)]
    token: Token = ""
    chain: ChainPlace | None = None
    pinned: Count = 0
    next_read: Count = 1
    share_no: Count = 0
    sealed: Count = 0


class Hello(_Message, frozen=True, kw_only=True, tag="hello"):
    """The device's first message.

    Attributes:
        body: MessagePack of a HelloBody.
        proof: Ed25519 signature (RFC 8032) by the device's key over `beatbook.v1 hello`, a zero byte, nonce and body.
        packs: in what forms beside the plain one the device takes rows: `zstd` of a page's, `diff` of those in a BATCH
            (`changed`). It is not under the proof: it says nothing of what is told, only how.
    """

    body: Annotated[bytes, msgspec.Meta(max_length=HELLO_BODY_BYTES_MAX)]
    proof: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
    packs: Annotated[tuple[PackText, ...], msgspec.Meta(max_length=PACKS_LEN_MAX)] = ()


class Push(_Message, frozen=True, kw_only=True, tag="push"):
    """Ops, in the order of their numbers.

    Attributes:
        ops: each the MessagePack of an Op; none only where `unsent` alone brings the head on, or `edits` tells them.
        times: [number, ms since 1970] of ops among them that the device made while it was unsure of the time, with the
            time that it knows better since it met the server.
        head: signature over the chain's head behind the last of them (`sync.evidence.chain.head_words`); b"" when none
            of them is beyond the head that the server holds.
        unsent: [number, SHA-256] of own ops between that head and the last op here that are not sent with them: they
            were given up, issued again or sealed, or wait.
        edits: the ops as differences (`schemas.differences`), in the same order, each from the op before it in this
            session behind the link that follows from that one; `ops` is empty then. Only to a server whose WELCOME
            names `diff` in `packs`.
    """

    ops: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=OP_BYTES_MAX)], ...],
        msgspec.Meta(max_length=OPS_PER_PUSH_MAX),
    ]
    times: Annotated[tuple[tuple[OpNumberInt, MillisInt], ...], msgspec.Meta(max_length=OPS_PER_PUSH_MAX)] = ()
    head: Annotated[bytes, msgspec.Meta(max_length=SIGNATURE_BYTES)] = b""
    unsent: Annotated[tuple[tuple[OpNumberInt, Digest], ...], msgspec.Meta(max_length=UNSENT_LEN_MAX)] = ()
    edits: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=OP_BYTES_MAX)], ...],
        msgspec.Meta(max_length=OPS_PER_PUSH_MAX),
    ] = ()


class Ack(_Message, frozen=True, kw_only=True, tag="ack"):
    """What came is in the replica, on disk.

    Attributes:
        scopes: scope -> seq up to which the replica holds it.
        credit: bytes of BATCH and SNAPSHOT given back.
    """

    scopes: Annotated[dict[ScopeText, SeqInt], msgspec.Meta(max_length=SCOPES_PER_DEVICE_MAX)] = {}
    credit: Credit = 0


class ShortAck(_Message, frozen=True, kw_only=True, tag="a"):
    """All that came is in the replica, on disk, in few bytes. Only to a server whose WELCOME names `diff`.

    Attributes:
        c: bytes of BATCH and SNAPSHOT given back; with these all that came are.
    """

    c: Credit


class Retracted(_Message, frozen=True, kw_only=True, tag="retracted"):
    """The scope has been removed from the replica.

    Attributes:
        scope, gen: as in RETRACT or the plan `drop`.
        removed: how many records left the replica with it.
        at: when, by the device's corrected clock (ms since 1970).
        receipt: the device's signature over RECEIPT_CONTEXT and MessagePack of [seat, scope, gen, removed, at].
        sealed: how many edits wait to be handed over in this session: they follow in QUARANTINE.
    """

    scope: ScopeText
    gen: GenerationInt
    removed: Count
    at: MillisInt = 0  # type: ignore[assignment]  # a literal is no NewType; 0 is "not said"
    receipt: Annotated[bytes, msgspec.Meta(max_length=SIGNATURE_BYTES)] = b""
    sealed: Count = 0


class Wiped(_Message, frozen=True, kw_only=True, tag="wiped"):
    """Keys and replica are gone.

    Attributes:
        at: when, by the device's corrected clock (ms since 1970).
        receipt: the device's signature over WIPED_CONTEXT and MessagePack of [seat, at].
    """

    at: MillisInt
    receipt: Signature


class Reads(_Message, frozen=True, kw_only=True, tag="reads"):
    """What was read on the device, and why (Data Protection Act 2018 section 62).

    Attributes:
        first: number of the first entry; they follow each other without a gap.
        entries: each the MessagePack of a `schemas.reads.Read`.
    """

    first: Annotated[int, msgspec.Meta(ge=1, le=INT_MAX)]
    entries: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=READ_BYTES_MAX)], ...],
        msgspec.Meta(min_length=1, max_length=OPS_PER_PUSH_MAX),
    ]


class Quarantine(_Message, frozen=True, kw_only=True, tag="quarantine"):
    """Edits that the device may no longer read, sealed to the server; write-only (DESIGN sections 8 and 9).

    Attributes:
        edits: [id, sealed bytes]: ids are the device's own, and come back in QUARANTINED.
    """

    edits: Annotated[
        tuple[tuple[Count, Annotated[bytes, msgspec.Meta(max_length=SEALED_BYTES_MAX)]], ...],
        msgspec.Meta(min_length=1, max_length=OPS_PER_PUSH_MAX),
    ]


class AddCredit(_Message, frozen=True, kw_only=True, tag="credit"):
    """More bytes may be sent, apart from an ACK. Both sides send it.

    Attributes:
        bytes: how many.
    """

    bytes: Credit


class Ping(_Message, frozen=True, kw_only=True, tag="ping"):
    """The device's heartbeat.

    Attributes:
        id: comes back in PONG.
    """

    id: Count


class Repair(_Message, frozen=True, kw_only=True, tag="repair"):
    """The device's digest of a scope is not the server's: compare by range, send what differs.

    Attributes:
        scope, gen: which.
        ranges: what the device holds, as ranges that follow each other from "" to "".
    """

    scope: ScopeText
    gen: GenerationInt
    ranges: Annotated[tuple[Range, ...], msgspec.Meta(min_length=1, max_length=REPAIR_RANGES_MAX)]


Down = (
    Challenge
    | Welcome
    | Batch
    | Snapshot
    | Results
    | ShortBatch
    | ShortResults
    | Retract
    | ScopeAdd
    | Notice
    | NewLease
    | Wipe
    | ReadsKept
    | Quarantined
    | Pong
    | AddCredit
    | Error
)
Up = Hello | Push | Ack | ShortAck | Retracted | Wiped | Reads | Quarantine | AddCredit | Ping | Repair | Error
