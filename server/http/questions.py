"""An inbox item as the HTTP side tells it: attributed, with what else is free, and in words."""

from collections.abc import Sequence
from typing import Any, Final

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

ABOUT_CHARS_MAX: Final = 120
"""Of what a record is called: a summary may be long."""
_CALLED_BY: Final = tuple(map(FieldName, ("detainee", "name", "summary", "title")))
"""The fields by which people know a record; no kind has two of them."""


def called(row: bytes | None) -> str | None:
    """What people call a stored record, shortened to a line; None where nothing says it."""
    if row is None:
        return None
    values = merge.from_row(decode_row(row)).values()
    if FieldName("subject_kind") in values:  # an inbox item, of which a decision is in dispute
        return f"the decision on {values[FieldName('field')]} of {values[FieldName('subject_kind')]}"
    found = next((values[name] for name in _CALLED_BY if isinstance(values.get(name), str)), None)
    if found is None:
        return None
    text = " ".join(found.split())
    return text if len(text) <= ABOUT_CHARS_MAX else f"{text[: ABOUT_CHARS_MAX - 1]}…"


def line(item: RecordId, about: InboxItem, subject: bytes | None, now: Millis) -> InboxLine:
    """The item in a list; `subject` is the stored row of what it is about, None when there is none."""
    return InboxLine(
        item=item,
        subject=about.subject,
        subject_kind=about.subject_kind,
        about=called(subject),
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


def whole(
    state: RecordState, about: InboxItem, subject: bytes | None, alternatives: list[Alternative], now: Millis
) -> InboxItemBody:
    """The item with everything that a person needs to decide it; `subject` as in `line`."""
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
        line=line(state.id, about, subject, now),
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
        words=_question(about, called(subject), candidates, alternatives),
    )


def _entries(state: RecordState, name: str) -> Sequence[Entry]:
    return state.cells.get(FieldName(name), Cell()).entries


def _words(about: InboxItem, given: Any) -> str:  # noqa: ANN401  whatever the field holds
    kind = kind_named(about.subject_kind)
    field = None if kind is None else kind.fields.get(FieldName(about.field))
    return value(None if field is None else field.type, given)


def _sight(one: CandidateBody) -> str:
    """What a candidate's author had before their eyes."""
    version = f"version {one.base} of the record" if one.base else "no version of the record that the server had made"
    seen = listed(one.saw) if one.saw else "nothing there"
    return f"Its author looked at {version} and had seen {seen}."


def _free(one: Alternative) -> str:
    """A free resource, with the id by which a decision gives it."""
    return f"{one.name} ({one.record})" if one.near else f"{one.name} ({one.home}, {one.record})"


def _question(
    about: InboxItem, name: str | None, candidates: Sequence[CandidateBody], alternatives: Sequence[Alternative]
) -> list[str]:
    field = about.field.replace("_", " ")
    whose = about.subject if name is None else f"{about.subject}: {name.rstrip('.')}"
    words = [f"People differ about {field} of the {about.subject_kind} {whose}."]
    for number, one in enumerate(candidates, 1):
        times = f"it happened at {moment(one.occurred_at)} and was recorded at {moment(one.recorded_at)}"
        told = f"{number}. {one.words}, from {one.author} on device {one.device} ({one.op}): {times}. {_sight(one)}"
        told += f" The reason given: {one.why}" if one.why else ""
        told += f" The time is doubtful: {'; '.join(one.doubts)}." if one.doubts else ""
        words.append(told)
    if not about.open:
        return words
    words.append(f"Shown meanwhile: {_words(about, about.shown)}. {about.safe_because}")
    roles = listed(role.value.replace("-", " ") for role in about.roles)
    words.append(f"To be decided by {moment(about.due_at)}; asked: {roles}.")
    for near, where in ((True, "at the same place"), (False, "elsewhere")):
        free = [_free(one) for one in alternatives if one.near == near]
        if free:
            words.append(f"Free now {where}: {', '.join(free)}.")
    return words
