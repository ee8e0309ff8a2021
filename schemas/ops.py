"""An op: one officer's change to one record, made on one device.

An op travels as `bin` (its own MessagePack bytes inside a PUSH) and is kept as those bytes: hashes and, later,
signatures are over what was received, never over a re-encoding.
"""

from typing import Annotated, Any, NamedTuple

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
    RecordText,
    SeqInt,
    SlugText,
    op_id,
)
from schemas.limits import FIELDS_PER_OP_MAX, INT_MAX, REASON_CHARS_MAX


class Hlc(NamedTuple):
    """A hybrid logical clock reading (Kulkarni et al., "Logical Physical Clocks", 2014).

    Attributes:
        ms: the device's wall clock corrected by the server's offset (ms since 1970); never below what was seen.
        tick: tells readings of the same millisecond apart.
    """

    ms: int
    tick: int


_Whole = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]


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
        changes: field -> new value; for a `grow` field the list of entries to append.
        why: the author's reason, where one was given.
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

    @property
    def id(self) -> OpId:
        """Its name as text."""
        return op_id(self.device, self.n)


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """Who wrote a value, on which device, when it happened and when it was recorded. An array of 8 on the wire.

    Attributes:
        device, n: the op that wrote the value.
        ms, tick: that op's hybrid logical clock.
        author: the officer.
        occurred_at: when it happened, as the author says (ms since 1970).
        recorded_at: when the server made it durable (ms since 1970); 0 while it is only on the device.
        seq: the commit that made it durable; 0 while it is only on the device.
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

    @property
    def order(self) -> tuple[int, int, str, int]:
        """Sorts stamps: by corrected time, ties by op id. Total, and the same on every device."""
        return (self.ms, self.tick, self.device, self.n)

    @property
    def op(self) -> OpId:
        """Name of the op that wrote the value."""
        return op_id(self.device, self.n)


def stamp_of(op: Op, recorded_at: int = 0, seq: int = 0) -> Stamp:
    """The stamp that values written by `op` bear."""
    return Stamp(op.device, op.n, op.hlc[0], op.hlc[1], op.author, op.occurred_at, recorded_at, seq)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it stands on the server, on the wire and in every store.

    Attributes:
        id: the record.
        kind: its kind.
        v: its version: seq of the commit that changed it last.
        stamps: each op that wrote a value which still stands, once.
        cells: field -> cell. The second element of every cell or entry is an index into `stamps`.
            `latest`: [value, stamp].
            `once`: [value, stamp, [[value, stamp] ...]] where the third is what was said differently since.
            `grow`: [[entry, stamp, k] ...] ordered by time; (stamp's op, k) names an entry for ever.
    """

    id: RecordText
    kind: SlugText
    v: SeqInt
    stamps: list[Stamp]
    cells: dict[FieldName, list[Any]]
