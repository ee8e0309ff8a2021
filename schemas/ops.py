"""An op: one officer's change to one record, made on one device.

An op travels as `bin` (its own MessagePack bytes inside a PUSH) and is kept as those bytes: hashes and, later,
signatures are over what was received, never over a re-encoding.
"""

import enum
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from schemas.ids import (
    DeviceId,
    DeviceText,
    FieldName,
    FieldText,
    MillisInt,
    OfficerId,
    OfficerText,
    OpId,
    OpNumber,
    OpNumberInt,
    OpText,
    RecordId,
    RecordText,
    Seq,
    SeqInt,
    SlugText,
)
from schemas.limits import FIELDS_PER_OP_MAX, INT_MAX, LINK_BYTES, REASON_CHARS_MAX, SALT_BYTES, SEEN_OPS_MAX


class Hlc(NamedTuple):
    """A hybrid logical clock reading (Kulkarni et al., "Logical Physical Clocks", 2014).

    Attributes:
        ms: the device's wall clock corrected by the server's offset (ms since 1970); never below what was seen.
        tick: tells readings of the same millisecond apart.
    """

    ms: int
    tick: int


_Whole = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]

AFTER_DIGEST_BYTES: Final = 16
"""How much of the SHA-256 of the op named in `after` an op bears: enough to tell two ops of one number apart."""


class Doubt(enum.IntFlag):
    """What is doubtful about the time of an op. It is kept, shown and never a reason to refuse (DESIGN section 7).

    A sum of these travels; an unknown bit is kept.
    """

    EARLIER_OFFSET = 1
    """The device has met no server since it was started; its time leans on an offset learned before."""
    NEVER_SET = 2
    """The device had never met a server: its time is its own wall clock's."""
    SET_BACK = 4
    """Its wall clock had been set back since its last op."""
    CORRECTED = 8
    """The device told, once it met the server, a better time than the one in the op."""
    AHEAD = 16
    """The time is later than the server's clock when the op was recorded."""
    RENUMBERED = 32
    """Another device, or a copy of this one, had used its number."""


class Op(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change.

    Attributes:
        device: the device it was made on.
        n: its number among that device's ops, from 1.
        record: the record it changes or makes.
        kind: that record's kind, as in `schemas.kinds`.
        author: who made it.
        create: whether it makes the record; then `changes` holds every required field.
        base: version of the record that the author was looking at; 0 when the server had not yet told of it.
        after: number of this device's latest earlier op on the same record that the server had not yet made durable
            when this op was made, or 0. If that op is refused, this one waits.
        hlc: (ms, tick), later than every value of the record that the device could see.
        occurred_at: when it happened, as the author says, in ms since 1970.
        wall: the device's uncorrected wall clock when it was written, in ms since 1970.
        changes: field -> new value; for a `grow` field the list of entries to append; for a `tags` field a map with
            the lists `add` and `remove`.
        why: the author's reason, where one was given.
        saw: field -> the ops whose values stood there before the author's eyes. Of the changed fields whose policy asks
            for it, and of those that their declarations name beside. Absent for a field: it saw what its `base` held.
        after_digest: the first 16 bytes of the SHA-256 of the op named in `after`, when there is one.
        correct: whether it corrects a value that `once` protects; only who may decide may do so.
        doubt: what is doubtful about its time: a sum of `Doubt` values.
        replaces: number of this device's refused op that its author mended with this one; 0 for none.
        link: where the device's chain stands before this op (`sync.evidence.chain`).
        salt: 16 random bytes: once what the op says has been erased, its hash tells nothing of it.
        via: the seat at which its author was, of an op that the server made for a caller of its HTTP side: `device` is
            then the server's own, whose numbers order the op. None of every other.
    """

    device: DeviceText
    n: OpNumberInt
    record: RecordText
    kind: SlugText
    author: OfficerText
    hlc: tuple[_Whole, _Whole]
    occurred_at: MillisInt
    wall: MillisInt
    changes: Annotated[dict[FieldText, Any], msgspec.Meta(max_length=FIELDS_PER_OP_MAX)]
    create: bool = False
    base: SeqInt = 0  # type: ignore[assignment]  # a literal is no NewType; 0 is "before every commit"
    after: Annotated[OpNumber, msgspec.Meta(ge=0, le=INT_MAX)] = OpNumber(0)
    why: Annotated[str, msgspec.Meta(max_length=REASON_CHARS_MAX)] = ""
    saw: Annotated[
        dict[FieldText, Annotated[tuple[OpText, ...], msgspec.Meta(max_length=SEEN_OPS_MAX)]],
        msgspec.Meta(max_length=FIELDS_PER_OP_MAX),
    ] = {}
    after_digest: Annotated[bytes, msgspec.Meta(max_length=AFTER_DIGEST_BYTES)] = b""
    correct: bool = False
    doubt: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    replaces: Annotated[OpNumber, msgspec.Meta(ge=0, le=INT_MAX)] = OpNumber(0)
    link: Annotated[bytes, msgspec.Meta(max_length=LINK_BYTES)] = b""
    salt: Annotated[bytes, msgspec.Meta(max_length=SALT_BYTES)] = b""
    via: DeviceText | None = None

    @property
    def id(self) -> OpId:
        """Its name as text."""
        # Not by `op_id`: the call would cost as much as the text, a dozen times for each edit.
        return OpId(f"{self.device}/{self.n}")

    @property
    def seat(self) -> DeviceId:
        """Where its author wrote it."""
        return self.device if self.via is None else self.via


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """Who wrote a value, on which device, when it happened and when it was recorded.

    An array of 9 on the wire; a reader of an earlier version takes the first 8.

    Attributes:
        device, n: the op that wrote the value.
        ms, tick: that op's hybrid logical clock, as its device corrected it when it met the server.
        author: the officer.
        occurred_at: when it happened, as the author says (ms since 1970).
        recorded_at: when the server made it durable (ms since 1970); 0 while it is only on the device.
        seq: the commit that made it durable; 0 while it is only on the device.
        doubt: what is doubtful about its time: a sum of `Doubt` values.
    """

    # Not matched against their patterns again: the op was, and a row is decoded far more often than made.
    device: DeviceId
    n: OpNumberInt
    ms: _Whole
    tick: _Whole
    author: OfficerId
    occurred_at: _Whole
    recorded_at: _Whole = 0
    seq: _Whole = 0
    doubt: _Whole = 0

    @property
    def order(self) -> tuple[int, int, str, int]:
        """Sorts stamps: by corrected time, ties by op id. Total, and the same on every device."""
        return (self.ms, self.tick, self.device, self.n)

    @property
    def op(self) -> OpId:
        """Name of the op that wrote the value."""
        return OpId(f"{self.device}/{self.n}")  # as in `Op.id`


def stamp_of(op: Op, recorded_at: int = 0, seq: int = 0, hlc: Hlc | None = None, doubt: int = 0) -> Stamp:
    """The stamp that values written by `op` bear.

    Args:
        op: the op.
        recorded_at, seq: of its commit; zero while it is only on the device.
        hlc: a better reading than its own, when there is one.
        doubt: `Doubt` values beside the op's own.
    """
    ms, tick = op.hlc if hlc is None else hlc
    return Stamp(op.device, op.n, ms, tick, op.author, op.occurred_at, recorded_at, seq, op.doubt | int(doubt))


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record as it stands on the server, on the wire and in every store.

    Attributes:
        id: the record.
        kind: its kind.
        v: its version: seq of the commit that changed it last.
        stamps: each op that wrote a value which still stands, once.
        cells: field -> cell. The second element of every cell or entry is an index into `stamps`.
            `latest`: [value, stamp].
            `once`, `claim`: [value, stamp, [[value, stamp] ...], op] where the third is what was said differently
            since and waits for a person, the fourth the decision that last settled the field, or "".
            `highest`, `state`, `judged`: the same with, third, what stands beside it, written without sight of each
            other; and, fifth, [[op, op] ...]: endings, each with an entry that it had not seen.
            Of these, trailing empty elements are left out.
            `grow`, `tags`: [[entry, stamp, k] ...] ordered by time; (stamp's op, k) names an entry for ever.
        upto: device -> number of its last op in this record: which ops a device need not lay over the row.
        trust: field -> [[value, stamp, [op ...] or nil, base] ...]: what newer programs wrote and this server could not
            read, with true behind the rest of a correction. It is kept for one that can, which merges it by its policy.
    """

    id: RecordText
    kind: SlugText
    v: SeqInt
    stamps: list[Stamp]
    cells: dict[FieldName, list[Any]]
    upto: dict[DeviceId, OpNumberInt] = {}
    trust: dict[FieldName, list[Any]] = {}


class RowHead(msgspec.Struct, frozen=True):
    """Of a row what it is looked up by; see `Row`."""

    id: RecordId
    kind: str
    v: Seq
