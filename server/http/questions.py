"""An inbox item as the HTTP side tells it: attributed, with what else is free, and in words."""

from collections.abc import Sequence
from typing import Any

from schemas.codec import decode_row
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import InboxItem, kind_named
from server.alternatives import Alternative
from server.http.accounts import AskedBody, CandidateBody, DecisionBody, InboxItemBody, InboxLine
from sync import inbox, merge
from sync.explain.values import doubts, listed, moment, value
from sync.merge import RecordState
from sync.policies import Cell, Entry
from sync.policies.base import distinct


def read_item(row: bytes) -> tuple[RecordState, InboxItem]:
    """An inbox item's row, read: (with attribution, its values).

    Raises:
        TypeError: the row is of another kind.
    """
    state = merge.from_row(decode_row(row))
    about = state.build()
    if not isinstance(about, InboxItem):
        raise TypeError(f"{state.id} is no inbox item")
    return state, about


def line(item: RecordId, about: InboxItem, now: Millis) -> InboxLine:
    """The item in a list."""
    return InboxLine(
        item=item,
        subject=about.subject,
        subject_kind=about.subject_kind,
        field=about.field,
        policy=about.policy,
        places=list(about.places),
        roles=[role.value for role in about.roles],
        opened_at=about.opened_at,
        due_at=about.due_at,
        open=about.open,
        overdue=about.open and about.due_at <= now,
        escalated=[one.to.value for one in about.escalations],
        values=distinct([one.value for one in about.candidates]),
        shown=about.shown,
    )


def whole(state: RecordState, about: InboxItem, alternatives: list[Alternative], now: Millis) -> InboxItemBody:
    """The item with everything that a person needs to decide it."""
    candidates = [
        CandidateBody(
            op=entry.stamp.op,
            author=entry.stamp.author,
            device=entry.stamp.device,
            value=one.value,
            words=_words(about, one.value),
            occurred_at=entry.stamp.occurred_at,
            recorded_at=entry.stamp.recorded_at,
            wall=one.wall,
            clock=entry.stamp.ms,
            base=one.base,
            saw=list(one.saw),
            why=one.why,
            doubts=doubts(entry.stamp.doubt),
        )
        for entry, one in zip(_entries(state, "candidates"), about.candidates, strict=True)
    ]
    decided = [] if inbox.DECISION not in state.cells else state.cells[inbox.DECISION].standing()
    return InboxItemBody(
        line=line(state.id, about, now),
        safe_because=about.safe_because,
        scopes=sorted(state.scopes()),
        candidates=candidates,
        asked=[
            AskedBody(role=one.to.value, at=entry.stamp.recorded_at, overdue_ms=one.overdue_ms)
            for entry, one in zip(_entries(state, "escalations"), about.escalations, strict=True)
        ],
        decisions=[
            DecisionBody(
                op=said.stamp.op,
                author=said.stamp.author,
                device=said.stamp.device,
                value=said.value.get("value"),
                reason=said.value.get("reason", ""),
                occurred_at=said.stamp.occurred_at,
                recorded_at=said.stamp.recorded_at,
                differs=at > 0,
            )
            for at, said in enumerate(decided)
            if said.value is not None
        ],
        ended_by=about.ended_by,
        alternatives=alternatives,
        words=_question(about, candidates, alternatives),
    )


def _entries(state: RecordState, name: str) -> Sequence[Entry]:
    return state.cells.get(FieldName(name), Cell()).entries


def _words(about: InboxItem, given: Any) -> str:  # noqa: ANN401  whatever the field holds
    kind = kind_named(about.subject_kind)
    field = None if kind is None else kind.fields.get(FieldName(about.field))
    return value(None if field is None else field.type, given)


def _question(about: InboxItem, candidates: Sequence[CandidateBody], alternatives: Sequence[Alternative]) -> list[str]:
    name = about.field.replace("_", " ")
    words = [f"People differ about {name} of the {about.subject_kind} {about.subject}."]
    for number, one in enumerate(candidates, 1):
        times = f"it happened at {moment(one.occurred_at)} and was recorded at {moment(one.recorded_at)}"
        told = f"{number}. {one.words}, from {one.author} on device {one.device} ({one.op}): {times}."
        told += f" The reason given: {one.why}" if one.why else ""
        told += f" The time is doubtful: {'; '.join(one.doubts)}." if one.doubts else ""
        words.append(told)
    if not about.open:
        return words
    words.append(f"Shown meanwhile: {_words(about, about.shown)}. {about.safe_because}")
    roles = listed(role.value.replace("-", " ") for role in about.roles)
    words.append(f"To be decided by {moment(about.due_at)}; asked: {roles}.")
    for near, where in ((True, "at the same place"), (False, "elsewhere")):
        free = [one.name if near else f"{one.name} ({one.home})" for one in alternatives if one.near == near]
        if free:
            words.append(f"Free now {where}: {', '.join(free)}.")
    return words
