"""What is known of a record, and what its history is made of: data, for programs and for `sync.explain.words`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, RecordId, Seq
from schemas.ops import Op
from schemas.wire import Result
from sync.history import Act
from sync.merge import RecordState


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """An op as the server keeps it.

    Attributes:
        op: it.
        seq, recorded_at: its commit, and the server's clock then (ms since 1970).
        result: what its device was told.
        acts: what it did.
    """

    op: Op
    seq: Seq
    recorded_at: Millis
    result: Result
    acts: tuple[Act, ...]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept about one record.

    Attributes:
        state: the record as it stands.
        log: the ops on it and on the inbox items about it, refused ones too, in the order in which they were decided.
        items: the inbox items about it, and those about decisions on these.
        now: the server's clock (ms since 1970).
    """

    state: RecordState
    log: tuple[Logged, ...]
    items: Mapping[RecordId, RecordState]
    now: Millis


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did to a field.

    Attributes:
        way: `said`, `added`, `removed`; `corrected` (of a `once` field, by somebody entitled); `decided` (on an inbox
            item); `asked` (more people were asked).
        fate: what became of it: `shown`; `beside` (kept beside what is shown); `waits` (a person decides);
            `superseded`; `passed-over` (something else stood at once); `confirmed` (it said what stood already); `kept`
            (for a newer program that can read it); `done` (it took something away, or asked); `refused`.
        op, author, device: who, where; of what somebody wrote over HTTP, the seat at which they were.
        occurred_at: when it happened, as the author says (ms since 1970).
        recorded_at: when the server made it durable (ms since 1970).
        wall: its device's uncorrected clock (ms since 1970).
        corrected: that clock as corrected (ms since 1970).
        doubt: what is doubtful about its time: a sum of `schemas.ops.Doubt` values.
        value: what was said.
        why: the author's reason, where one was given.
        over: the ops whose values it replaced or took away.
        unseen: those of them that its author had not seen.
        by: the ops that replaced it or took it away.
        instead: the op whose value stood at once instead; "" for none.
        met: the ops whose values differed, or were added, and that its author had not seen.
        seen_by: later changes to the field whose authors had it before their eyes.
        item: the inbox item on which it was decided, or which it brought about; "" for none.
        code, detail: why it was refused; "" when it was not.
    """

    way: str
    fate: str
    op: OpId
    author: OfficerId
    device: DeviceId
    occurred_at: Millis
    recorded_at: Millis
    wall: Millis
    corrected: Millis
    doubt: int
    value: Any
    why: str = ""
    over: tuple[OpId, ...] = ()
    unseen: tuple[OpId, ...] = ()
    by: tuple[OpId, ...] = ()
    instead: str = ""
    met: tuple[OpId, ...] = ()
    seen_by: tuple[OpId, ...] = ()
    item: str = ""
    code: str = ""
    detail: str = ""


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """An ending whose author had not seen something of what it ends.

    Attributes:
        ending: the op that ends.
        entry: the op that added what it had not seen.
        author: of that entry.
        field: where that entry stands.
    """

    ending: OpId
    entry: OpId
    author: str
    field: str


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a person was asked about a field.

    Attributes:
        item: the inbox item.
        about: the field, or `decision` when it is about a decision on another item.
        state: `open`, `decided`, `ended` (nothing was left to decide).
        roles: who may decide.
        opened_at, due_at: since when, by when (ms since 1970).
        escalated: the roles that were asked as well, in order.
        shown: what is shown meanwhile.
        safe_because: why that is the safe choice.
        against: while it is open, the endings that had not seen all of what they end.
        ended_by: the op that settled it, or after which nothing was left to decide; "" while it is open.
    """

    item: RecordId
    about: str
    state: str
    roles: tuple[str, ...]
    opened_at: Millis
    due_at: Millis
    escalated: tuple[str, ...]
    shown: Any
    safe_because: str
    against: tuple[Contest, ...]
    ended_by: str


class FieldHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One field.

    Attributes:
        field: which.
        policy: how concurrent changes to it combine.
        said: whether anybody ever said anything.
        value: what is shown.
        stands: the op that said it; "" for a field with many values, and while people differ about a safe choice.
        chain: that op, what it replaced, and so on back to the first value.
        steps: what was done, in the order in which it was decided.
        questions: what people were asked, the first first.
    """

    field: FieldName
    policy: str
    said: bool
    value: Any
    stands: str
    chain: tuple[OpId, ...]
    steps: tuple[Step, ...]
    questions: tuple[Question, ...]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One record.

    Attributes:
        record, kind: which.
        fields: the history of each field that was asked about.
    """

    record: RecordId
    kind: str
    fields: tuple[FieldHistory, ...]
