"""Why a record shows what it shows, in plain words, from what this handheld holds: no server is asked.

The server's account (`sync.explain`) has every op that ever was; this one has what stands, what stands beside it, what
is only on this device, and what waits for a person. The sentences about rules and doubtful times are the same.
"""

from collections.abc import Callable, Iterator

import msgspec

from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Decision, FieldSpec, Hold, InboxItem, Kind
from schemas.policies import MANY, claim, judged, state
from sync import inbox
from sync.device.claims import ClaimState, Standing, claim_state
from sync.device.describing import holder_called
from sync.device.items import InboxEntry, as_typed, entries_about
from sync.device.lookups import field_of, spec_of_record
from sync.device.store import Held
from sync.device.views import Attributed, RecordView, record_view, typed
from sync.explain.values import POLICY_WORDS, listed, value
from sync.policies.base import Said

Moment = Callable[[int], str]
"""Tells a moment (ms since 1970)."""

_STANDINGS = {
    Standing.FREE: "nobody holds it",
    Standing.HELD: "it is held for {called}",
    Standing.PROVISIONAL: "it is claimed for {called} on this device, provisionally",
    Standing.CERTAIN: "it is claimed for {called} on this device, and that is certain",
    Standing.DISPLACED: "your claim was displaced; it is held for {called}",
}


def explain(held: Held, record: RecordId, field: str | None, now: Millis, moment: Moment) -> list[str]:
    """Why a record, or one field of it, shows what it shows: a line for each thing there is to say.

    Args:
        held: the replica.
        record: which.
        field: one of its fields; None for all about which there is something to say.
        now: the corrected time (ms since 1970).
        moment: tells a moment.

    Raises:
        UsageError: there is no such record or field here.
    """
    spec = spec_of_record(held, record)
    wanted = list(spec.fields) if field is None else [field_of(spec, FieldName(field)).name]
    view, laid = record_view(held, record), held.replica.view(record)
    if view is None or laid is None:
        return ["Only a change of yours to it is here: the record itself is no longer on this handheld."]
    entries = entries_about(held, laid, now)
    lines = []
    if isinstance(view.value, InboxItem) and field is None:
        # What the rules wrote of it is about another record: that one is explained.
        if held.replica.view(RecordId(view.value.subject)) is not None:
            lines += explain(held, RecordId(view.value.subject), view.value.field, now, moment)
        wanted = [name for name in wanted if not spec.fields[name].by_rule]
    for name in wanted:
        declared = spec.fields[name]
        stands = claim_state(held, record, name, now) if declared.policy is claim else None
        found = list(_Field(held, view, declared, entry=entries.get(name), claimed=stands, moment=moment).lines())
        if found or field is not None:
            lines += found or [f"{_label(name)}: {_unsaid(declared)}"]
    return lines


def claim_in_words(state: ClaimState, moment: Moment) -> str:
    """How a claim stands, in one line without an end."""
    words = _STANDINGS[state.standing].format(called=state.called or "nobody")
    if state.until is not None:
        words = f"it is reserved for {state.called} until {moment(state.until)}"
        words += "" if state.standing is Standing.HELD else f", {state.standing.value}"
    if state.stamp is not None:
        words += f", by {state.stamp.author} on {state.stamp.device} since {moment(state.stamp.occurred_at)}"
    return f"{words}; {state.note}" if state.note else words


class _Field:
    """One field and all that is known of it."""

    def __init__(
        self,
        held: Held,
        view: RecordView[Kind],
        field: FieldSpec,
        *,
        entry: InboxEntry | None,
        claimed: ClaimState | None,
        moment: Moment,
    ) -> None:
        self._held = held
        self._view = view
        self._field = field
        self._entry = entry
        self._claimed = claimed
        self._moment = moment

    def lines(self) -> Iterator[str]:
        name = self._field.name
        if self._field.policy in MANY:
            for item in self._view.entries.get(name, ()):
                yield f"{_label(name)}: {self._value(item)}. {self._who(item)}"
        elif name in self._view.fields:
            yield from self._one_value(self._view.fields[name])
        for item in self._view.unread.get(name, ()):
            yield (
                f"{_label(name)}: a newer program has written {value(None, item.value)}, which this one cannot read; "
                f"it is kept. {self._who(item)}"
            )
        if self._entry is not None:
            yield from self._asked(self._entry)

    def _one_value(self, item: Attributed) -> Iterator[str]:
        name, view = self._field.name, self._view
        others = view.differing.get(name, view.beside.get(name, ()))
        # What is shown may be what nobody said: all of it together, or the state before an ending that is contested.
        all_said = name in view.differing and self._field.policy in (judged, state)
        if self._claimed is not None:
            yield f"{_label(name)}: {claim_in_words(self._claimed, self._moment)}."
        elif all_said:
            yield f"{_label(name)}: {self._value(item)} is shown."
        else:
            yield f"{_label(name)}: {self._value(item)}. {self._who(item)}"
        yield from self._settled(item)
        if not item.known:
            yield f"{_label(name)}: only a newer program knows this value; it is shown as it came."
        for other in others:
            if all_said or other.stamp.op != item.stamp.op:
                too = "" if all_said else " too"
                yield f"{_label(name)}: {self._value(other)} was said{too}. {self._who(other)}"
        if others:
            yield f"{_label(name)}: the rule is that {POLICY_WORDS[self._field.policy.name]}"

    def _settled(self, item: Attributed) -> Iterator[str]:
        """Who decided or corrected it last, for a value that would else read as if somebody had simply said it."""
        laid = self._held.replica.view(self._view.record)
        decided = "" if laid is None else laid.cells[self._field.name].decided
        if not decided:
            return
        head = f"{_label(self._field.name)}: it was{'' if item.stamp.op == decided else ' before'}"
        made = _decision(self._held, self._view.record, self._field.name, decided)
        if made is not None:
            plain = msgspec.convert(made.value, Decision)
            chosen = self._value(Attributed(as_typed(self._field, plain.value), made.stamp))
            who = f"{made.stamp.author} on {made.stamp.device}, {self._moment(made.stamp.occurred_at)}"
            yield f"{head} decided to be {chosen} by {who}, because: {plain.reason}"
        elif item.stamp.op == decided:
            yield f"{head} corrected or decided by {item.stamp.author} on {item.stamp.device}."
        else:
            yield f"{head} corrected or decided on {decided.rpartition('/')[0]}."

    def _asked(self, entry: InboxEntry) -> Iterator[str]:
        name = entry.field
        people = listed(sorted({role.value.replace("-", " ") for role in (*entry.roles, *entry.asked_too)}))
        late = ", which has passed" if entry.overdue else ""
        here = "It can be decided on this device" if entry.may_decide else "It is decided elsewhere"
        yield f"{_label(name)}: a person decides ({people}), by {self._moment(entry.due_at)}{late}. {here}."
        yield f"{_label(name)}: until then what is shown is the safe choice. {entry.safe_because}"

    def _value(self, item: Attributed) -> str:
        if isinstance(item.value, Hold):
            until = "" if item.value.until is None else f" until {self._moment(item.value.until)}"
            return f"held for {holder_called(self._held, item.value.holder)}{until}"
        return value(self._field.type, msgspec.to_builtins(item.value))

    def _who(self, item: Attributed) -> str:
        stamp = item.stamp
        words = f"{stamp.author} on {stamp.device}, {self._moment(stamp.occurred_at)}"
        if any(one.op == stamp.op for one in self._view.held):
            words += "; the server has refused it, and it is only on this device"
        elif stamp.op in self._view.pending:
            words += "; it is only on this device until the server has it"
        elif stamp.recorded_at:
            words += f"; recorded {self._moment(stamp.recorded_at)}"
        return f"{words}.{''.join(f' The time is doubtful: {doubt}.' for doubt in item.doubts)}"


def _decision(held: Held, record: RecordId, field: FieldName, op: str) -> Said | None:
    """The decision that an op made about a field, with its reason; None where it was no decision, or is not here."""
    for laid in held.replica.views(inbox.SPEC):
        item = typed(laid, InboxItem)
        if item.subject == record and item.field == field and inbox.DECISION in laid.cells:
            found = [one for one in laid.cells[inbox.DECISION].standing() if one.stamp.op == op]
            if found:
                return found[0]
    return None


def _unsaid(field: FieldSpec) -> str:
    if field.policy in MANY or field.default is None:
        return "nobody has said anything."
    return f"nobody has said anything, so it counts as {value(field.type, field.default)}."


def _label(name: FieldName) -> str:
    return name.replace("_", " ")
