"""What the HTTP side takes and gives of histories and of the inbox: Structs, as in `server.http.bodies`."""

from typing import Annotated, Any

import msgspec

from schemas.ids import DeviceText, FieldText, OfficerText, OpText, RecordText, ScopeText, SlugText
from schemas.kinds.common import Note
from schemas.limits import SEEN_OPS_MAX
from server.alternatives import Alternative
from sync.explain import FieldHistory
from sync.history import Act

INSTEAD_MAX = 16


class OpBody(msgspec.Struct, frozen=True, kw_only=True):
    """One op, as it was sent and as it was decided.

    Attributes:
        place: its place in the order in which ops were decided.
        op, device, author: which, whose.
        seat: where its author was: `device`, or of an op that the server made for a caller, the caller's.
        record, kind, create, changes, base, saw, why, correct: what it says, as in the protocol.
        replaces: number of this device's refused op that it mends; 0 for none.
        doubts: what is doubtful about its time, in words.
        occurred_at: when it happened, as the author says.
        wall: its device's uncorrected clock.
        clock: that clock as the op bears it, corrected.
        recorded_at, seq: the server's clock at its commit, and that commit.
        status: `durable` or `refused`.
        code, detail: why it was refused.
        stands: field -> the op that stood instead, for each change that did not take effect.
        acts: what it did: `record`, `field`, `over` (whose values it superseded), `stands` (whose value is shown
            instead), `met` (what differed and its author had not seen), `item` (who is asked). What is empty is absent.
    """

    place: int
    op: OpText
    device: DeviceText
    seat: DeviceText
    author: OfficerText
    record: RecordText
    kind: SlugText
    create: bool
    changes: dict[str, Any]
    base: int
    saw: dict[str, list[str]]
    why: str
    correct: bool
    replaces: int
    doubts: list[str]
    occurred_at: int
    wall: int
    clock: int
    recorded_at: int
    seq: int
    status: str
    code: str
    detail: str
    stands: dict[str, str]
    acts: list[Act]


class OpList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a record's ops.

    Attributes:
        ops: in the order in which they were decided.
        next: pass it as `after` for the next page; null on the last one.
    """

    ops: list[OpBody]
    next: int | None


class ExplainedField(msgspec.Struct, frozen=True, kw_only=True):
    """Why one field's value stands.

    Attributes:
        words: in sentences.
        history: as data.
    """

    words: list[str]
    history: FieldHistory


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record's values stand.

    Attributes:
        record, kind: which.
        fields: each field that was asked about.
    """

    record: RecordText
    kind: SlugText
    fields: list[ExplainedField]


class InboxLine(msgspec.Struct, frozen=True, kw_only=True):
    """An inbox item in a list.

    Attributes:
        item: its id.
        subject, subject_kind, field, policy: what it is about.
        about: what people call the subject: the detainee, its name, its summary's beginning; null where it has none.
        places: the audiences of the subject.
        roles: who may decide.
        opened_at, due_at: since when, by when.
        open, overdue: whether it waits; whether its time has passed.
        escalated: the roles that were asked as well.
        values: what was said, each once.
        shown: what is shown meanwhile.
    """

    item: RecordText
    subject: RecordText
    subject_kind: SlugText
    about: str | None
    field: str
    policy: str
    places: list[ScopeText]
    roles: list[str]
    opened_at: int
    due_at: int
    open: bool
    overdue: bool
    escalated: list[str]
    values: list[Any]
    shown: Any


class InboxList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of inbox items.

    Attributes:
        items: in order of id.
        next: pass it as `after` for the next page; null on the last one. A page may be short, or empty, before it.
    """

    items: list[InboxLine]
    next: RecordText | None


class CandidateBody(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values between which a person decides.

    Attributes:
        op, author, device: who said it.
        value: what was said.
        words: that, in words.
        occurred_at, recorded_at: when it happened, when it was recorded.
        wall, clock: its device's clock, uncorrected and corrected.
        base: version of the record that its author was looking at.
        saw: the ops whose values stood in the field before its author's eyes.
        why: its author's reason.
        doubts: what is doubtful about its time, in words.
    """

    op: OpText
    author: OfficerText
    device: DeviceText
    value: Any
    words: str
    occurred_at: int
    recorded_at: int
    wall: int
    clock: int
    base: int
    saw: list[str]
    why: str
    doubts: list[str]


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided.

    Attributes:
        op, author, device: who.
        value, reason: what, why.
        occurred_at, recorded_at: when.
        differs: whether another decision stands, and a person is asked which holds.
    """

    op: OpText
    author: OfficerText
    device: DeviceText
    value: Any
    reason: str
    occurred_at: int
    recorded_at: int
    differs: bool


class AskedBody(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was asked as well.

    Attributes:
        role: who.
        at: when.
        overdue_ms: how long after the deadline.
    """

    role: str
    at: int
    overdue_ms: int


class InboxItemBody(msgspec.Struct, frozen=True, kw_only=True):
    """One inbox item.

    Attributes:
        line: as in the list.
        safe_because: why what is shown meanwhile is the safe choice.
        scopes: where the item is: who holds one that ends in `:inbox` may decide.
        candidates: the values between which to decide.
        asked: who was asked as well.
        decisions: what was decided; more than one when people differ about that.
        ended_by: the op after which nothing was left to decide; null while that is not so.
        alternatives: of a claim, what else is free now: of the same home first.
        words: the question in sentences.
    """

    line: InboxLine
    safe_because: str
    scopes: list[ScopeText]
    candidates: list[CandidateBody]
    asked: list[AskedBody]
    decisions: list[DecisionBody]
    ended_by: OpText | None
    alternatives: list[Alternative]
    words: list[str]


class NewDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision on an inbox item, by whoever calls.

    Attributes:
        value: the value that stands from now on: a candidate's, or another that the field can hold.
        reason: why.
        seen: the ops of the candidates that they looked at; absent, all that are there now. What came in unseen is not
            decided, but asked anew.
        instead: of a claim: displaced holder -> id of the free resource that they get in its place.
    """

    value: Any
    reason: Note
    seen: Annotated[tuple[OpText, ...], msgspec.Meta(max_length=SEEN_OPS_MAX)] | None = None
    instead: Annotated[dict[str, RecordText], msgspec.Meta(max_length=INSTEAD_MAX)] = {}


class DecisionDone(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is durable.

    Attributes:
        item, op, seq: the item, the op that decided it, its commit.
        subject, field: what it was about.
        value: what is shown there now.
        open: whether people are still asked about that field: something came in that was not seen.
        given: holder -> the resource that they hold now instead.
    """

    item: RecordText
    op: OpText
    seq: int
    subject: RecordText
    field: FieldText
    value: Any
    open: bool
    given: dict[str, RecordText]
