"""The inbox as an application sees it: what waits for a person, between which values, by when, and who may decide."""

from typing import Any

import msgspec

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, RecordId, Seq
from schemas.kinds import Candidate, FieldSpec, InboxItem, kind_named, spec_of
from schemas.ops import Stamp
from schemas.roles import Role
from sync import inbox
from sync.device.describing import record_called
from sync.device.lookups import may_decide
from sync.device.store import Held
from sync.device.views import typed
from sync.merge import RecordState

_ITEM = spec_of(InboxItem)


class CandidateView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values between which a person decides.

    Attributes:
        value: what was said, typed as in the record.
        stamp: who said it, on which device, and when; with what is doubtful about the time.
        wall: that device's uncorrected clock (ms since 1970).
        base: version of the record that the author was looking at; 0 when the server had not yet told of it.
        saw: the ops whose values stood in the field before the author's eyes.
        why: the author's reason, or "".
    """

    value: Any
    stamp: Stamp
    wall: Millis
    base: Seq
    saw: tuple[OpId, ...]
    why: str

    @property
    def author(self) -> OfficerId:
        """The officer who said it."""
        return self.stamp.author

    @property
    def device(self) -> DeviceId:
        """The device on which it was said."""
        return self.stamp.device

    @property
    def occurred_at(self) -> Millis:
        """When it happened, as the author says (ms since 1970)."""
        return Millis(self.stamp.occurred_at)

    @property
    def recorded_at(self) -> Millis:
        """When the server made it durable (ms since 1970)."""
        return Millis(self.stamp.recorded_at)


class InboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One disagreement that waits for a person.

    Attributes:
        item: its record.
        subject, subject_kind: the record that it is about, and the name of that one's kind.
        about: what that record is called.
        field, policy: of that record, and why no rule settles it.
        candidates: what was said, in the order of time.
        shown: what is shown meanwhile, typed as in the record.
        safe_because: why that is the safe choice.
        roles: who may decide.
        asked_too: who was asked as well, since the time had passed.
        opened_at, due_at: when it was recorded, and by when to decide (ms since 1970).
        overdue: whether that time has passed.
        may_decide: whether this device holds an inbox in which it can be decided.
    """

    item: RecordId
    subject: RecordId
    subject_kind: str
    about: str
    field: FieldName
    policy: str
    candidates: tuple[CandidateView, ...]
    shown: Any
    safe_because: str
    roles: tuple[Role, ...]
    asked_too: tuple[Role, ...]
    opened_at: Millis
    due_at: Millis
    overdue: bool
    may_decide: bool


def open_entries(held: Held, now: Millis) -> list[InboxEntry]:
    """The open items of this handheld, the most urgent first.

    Args:
        held: the replica.
        now: the corrected time (ms since 1970).
    """
    found = [entry for state in held.replica.views(_ITEM) if (entry := entry_of(held, state, now)) is not None]
    return sorted(found, key=lambda one: (one.due_at, one.item))


def entries_about(held: Held, state: RecordState, now: Millis) -> dict[FieldName, InboxEntry]:
    """Field -> the open item about it, of those that this handheld holds."""
    found = {}
    for name, cell in state.cells.items():
        if state.spec.fields[name].asks is None:
            continue
        item = held.replica.view(inbox.item_id(state.id, name, cell.decided))
        entry = None if item is None else entry_of(held, item, now)
        if entry is not None:
            found[name] = entry
    return found


def entry_of(held: Held, state: RecordState, now: Millis) -> InboxEntry | None:
    """An inbox item in sight; None when it is not open."""
    if state.spec is not _ITEM:
        return None
    item = typed(state, InboxItem)
    if not item.open:
        return None
    field = field_about(item)
    candidates = state.cells[inbox.CANDIDATES].entries if inbox.CANDIDATES in state.cells else ()
    return InboxEntry(
        item=state.id,
        subject=RecordId(item.subject),
        subject_kind=item.subject_kind,
        about=record_called(held, RecordId(item.subject), item.subject_kind),
        field=FieldName(item.field),
        policy=item.policy,
        candidates=tuple(_candidate(field, each.value, each.stamp) for each in candidates),
        shown=as_typed(field, item.shown),
        safe_because=item.safe_because,
        roles=item.roles,
        asked_too=tuple(each.to for each in item.escalations),
        opened_at=Millis(item.opened_at),
        due_at=Millis(item.due_at),
        overdue=item.due_at <= now,
        may_decide=may_decide(held, item.writing_scopes()),
    )


def field_about(item: InboxItem) -> FieldSpec | None:
    """The field that an item is about; None when only a newer program knows it."""
    spec = kind_named(item.subject_kind)
    return None if spec is None else spec.fields.get(FieldName(item.field))


def as_typed(field: FieldSpec | None, value: object) -> Any:  # noqa: ANN401  of the type that the field declares
    """A field's value typed as in the record; as plain data where this program cannot type it."""
    if field is None:
        return value
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        return value


def _candidate(field: FieldSpec | None, plain: object, stamp: Stamp) -> CandidateView:
    said = msgspec.convert(plain, Candidate)
    return CandidateView(
        value=as_typed(field, said.value),
        stamp=stamp,
        wall=Millis(said.wall),
        base=said.base,
        saw=said.saw,
        why=said.why,
    )
