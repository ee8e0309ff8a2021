"""A record's history put together: from the record, the ops on it and on the inbox items about it, and what each did.

What an op replaced is what was kept when it was committed (`sync.history.Act`); who had seen what follows from what
each op says that its author saw.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from schemas.ids import FieldName, Millis, OpId, RecordId
from schemas.kinds import FieldSpec, InboxItem
from schemas.limits import CLOCK_SKEW_NOTICE_MS
from schemas.ops import Doubt, Hlc, Op, Stamp, stamp_of
from schemas.policies import grow, judged, once, tags
from sync.explain.structure import Account, Contest, FieldHistory, History, Logged, Question, Step
from sync.history import Act
from sync.inbox import DECISION
from sync.merge import RecordState, change_of
from sync.policies import Cell, policy_of

_ESCALATIONS: Final = FieldName("escalations")


def history(account: Account, field: FieldName | None = None) -> History:
    """Why the values of a record stand.

    Args:
        account: all that is kept about it.
        field: one of its kind's fields; None for every field that anybody has said something about.
    """
    state = account.state
    names = list(state.spec.fields) if field is None else [field]
    told = [_Field(account, state.spec.fields[name]).history() for name in names]
    return History(
        record=state.id,
        kind=state.spec.name,
        fields=tuple(one for one in told if field is not None or one.steps),
    )


class _Field:
    """One field's history while it is put together."""

    def __init__(self, account: Account, field: FieldSpec) -> None:
        self._account = account
        self._state = account.state
        self._spec = field
        self._cell = account.state.cells.get(field.name, Cell())
        self._items = {item: about for item, about in account.items.items() if self._root(item) == field.name}
        self._open = policy_of(field).unsettled(field, self._cell)
        self._replaced = {
            op
            for logged in account.log
            for act in logged.acts
            if act.record == account.state.id and act.field == field.name
            for op in act.over
        }
        self._stamps = {stamp.op: stamp for stamp in self._cell.stamps()}
        for state in self._items.values():
            for cell in state.cells.values():
                self._stamps |= {stamp.op: stamp for stamp in cell.stamps()}

    def history(self) -> FieldHistory:
        """See the module's `history`."""
        steps = [step for logged in self._account.log for step in self._steps(logged)]
        if self._spec.policy is not grow:
            # An entry replaces nothing and needs no sight; a log has a thousand of them.
            steps = self._with_links(steps)
        value, one = self._spec.default, self._cell.said
        if self._spec.name in self._state.cells:
            value = policy_of(self._spec).value(self._spec, self._cell)
        if one is not None and self._open and (self._spec.policy is judged or one.value != value):
            # What is shown is nobody's word but the safe choice.
            one = None
        return FieldHistory(
            field=self._spec.name,
            policy=self._spec.policy.name,
            said=self._spec.name in self._state.cells or self._spec.name in self._state.trust,
            value=value,
            stands="" if one is None else one.stamp.op,
            chain=() if one is None else _chain(one.stamp.op, steps),
            steps=tuple(steps),
            questions=tuple(self._questions()),
        )

    def _root(self, item: RecordId) -> str:
        """The field of the record that an item is about, also when it is about a decision on another item."""
        about = _about(self._account.items[item])
        while about.subject != self._state.id and about.subject in self._account.items:
            about = _about(self._account.items[about.subject])
        return about.field if about.subject == self._state.id else ""

    # --- steps -------------------------------------------------------------------------------------------------------

    def _steps(self, logged: Logged) -> Iterator[Step]:
        op = logged.op
        refused = logged.result.status == "refused"
        if op.record == self._state.id and self._spec.name in op.changes:
            given = op.changes[self._spec.name]
            if refused or self._spec.policy not in (grow, tags):
                yield self._step(logged, self._way(op), given)
            elif self._spec.policy is grow:
                yield from (self._step(logged, "added", one) for one in given)
            else:
                yield from (self._step(logged, "removed", one) for one in given.get("remove", ()))
                yield from (self._step(logged, "added", one) for one in given.get("add", ()))
        elif op.record in self._items:
            if op.changes.get(DECISION) is not None:
                yield self._step(logged, "decided", self._decided(op), why=_reason(op.changes[DECISION]))
            if _ESCALATIONS in op.changes and not refused:
                yield self._step(logged, "asked", [one["to"] for one in op.changes[_ESCALATIONS]])

    def _way(self, op: Op) -> str:
        return "corrected" if op.correct and self._spec.policy is once else "said"

    def _decided(self, op: Op) -> Any:  # noqa: ANN401  a value is of the type that its field declares
        """The value that a decision gives to the field, through the items that it was decided on."""
        decision, item = op.changes[DECISION], op.record
        while isinstance(decision, dict) and (subject := _about(self._items[item]).subject) != self._state.id:
            decision, item = decision.get("value"), subject
        return decision.get("value") if isinstance(decision, dict) else None

    def _step(self, logged: Logged, way: str, given: Any, why: str = "") -> Step:  # noqa: ANN401  as above
        op = logged.op
        stamp = self._stamp(logged)
        act = self._act(logged)
        item = op.record if op.record != self._state.id else "" if act is None else act.item
        step = Step(
            way=way,
            fate=self._fate(logged, way, given, act),
            op=op.id,
            author=op.author,
            device=op.seat,
            occurred_at=op.occurred_at,
            recorded_at=logged.recorded_at,
            wall=op.wall,
            corrected=Millis(stamp.ms),
            doubt=stamp.doubt,
            value=given,
            why=why or op.why,
            item=item,
        )
        if logged.result.status == "refused":
            return msgspec.structs.replace(step, code=logged.result.code, detail=logged.result.detail)
        if act is None or way in ("added", "removed", "asked"):
            return step
        instead = act.stands if step.fate == "passed-over" else ""
        return msgspec.structs.replace(step, over=act.over, instead=instead, met=act.met)

    def _stamp(self, logged: Logged) -> Stamp:
        """What the op's values bear; of an op of which none stands any more, as far as its bytes tell."""
        kept = self._stamps.get(logged.op.id)
        if kept is not None:
            return kept
        ahead = logged.op.hlc[0] > logged.recorded_at + CLOCK_SKEW_NOTICE_MS
        return stamp_of(
            logged.op, logged.recorded_at, logged.seq, Hlc(*logged.op.hlc), Doubt.AHEAD if ahead else Doubt(0)
        )

    def _act(self, logged: Logged) -> Act | None:
        """What the op did to the field; of a decision that is not followed, what it did to its item."""
        found = [one for one in logged.acts if one.record == self._state.id and one.field == self._spec.name]
        found += [one for one in logged.acts if one.record == logged.op.record and one.field == DECISION]
        return found[0] if found else None

    def _fate(self, logged: Logged, way: str, given: Any, act: Act | None) -> str:  # noqa: ANN401  as above
        op = logged.op.id
        if logged.result.status == "refused":
            return "refused"
        if any(kept.stamp.op == op for kept in self._state.trust.get(self._spec.name, ())):
            return "kept"
        if way in ("removed", "asked"):
            return "done"
        if self._spec.policy in (grow, tags):
            there = any(entry.stamp.op == op and entry.value == given for entry in self._cell.entries)
            return "shown" if there else "superseded"
        if op in {said.stamp.op for said in self._cell.standing()}:
            return self._fate_of_standing(op)
        if way == "decided" and act is not None and act.record != self._state.id:
            return self._fate_of_decision(logged.op)
        if act is None or not act.stands or op in self._replaced:
            return "superseded"
        stood = self._value_of(act.stands)
        return "confirmed" if stood is not None and stood == [given] else "passed-over"

    def _fate_of_standing(self, op: OpId) -> str:
        said = self._cell.said
        first = said is not None and said.stamp.op == op
        shown = said is not None and said.value == policy_of(self._spec).value(self._spec, self._cell)
        if self._open and (not first or not shown or self._spec.policy is judged):
            return "waits"
        return "shown" if first else "beside"

    def _fate_of_decision(self, op: Op) -> str:
        """Of a decision that came second: it waits beside the first, or that was settled since."""
        cell = self._items[op.record].cells.get(DECISION, Cell())
        waits = cell.beside and any(one.stamp.op == op.id for one in cell.standing())
        return "waits" if waits else "superseded"

    def _value_of(self, op: str) -> list[Any] | None:
        """What an op said of the field, in a list; None when it is not in the log."""
        for logged in self._account.log:
            if logged.op.id == op:
                if logged.op.record == self._state.id:
                    return [logged.op.changes.get(self._spec.name)]
                return [self._decided(logged.op)] if logged.op.changes.get(DECISION) is not None else None
        return None

    # --- how they hang together --------------------------------------------------------------------------------------

    def _with_links(self, steps: list[Step]) -> list[Step]:
        """Each step with what replaced it, and whose author had seen it."""
        logs = {logged.op.id: logged for logged in self._account.log}
        linked = []
        for at, step in enumerate(steps):
            before = [one for one in steps[:at] if one.op != step.op and one.way != "asked" and not one.code]
            later = [one for one in steps[at + 1 :] if one.op != step.op and one.way != "asked" and not one.code]
            if step.way == "removed" and not step.code:
                same = [one for one in before if one.way == "added" and one.value == step.value]
                gone = [one.op for one in same if self._had_seen(logs[step.op], logs[one.op])]
                step = msgspec.structs.replace(  # noqa: PLW2901  the same step, with more of it known
                    step, over=tuple(gone), met=tuple(one.op for one in same if one.op not in gone)
                )
            seen_by = [one.op for one in later if self._had_seen(logs[one.op], logs[step.op])]
            if step.way == "added":
                took = [one for one in later if one.way == "removed" and one.value == step.value and one.op in seen_by]
                by = [one.op for one in took][:1]
            else:
                by = [one.op for one in steps if step.op in one.over]
            unseen = [op for op in step.over if op in logs and not self._had_seen(logs[step.op], logs[op])]
            linked.append(
                msgspec.structs.replace(
                    step, by=tuple(dict.fromkeys(by)), seen_by=tuple(dict.fromkeys(seen_by)), unseen=tuple(unseen)
                )
            )
        return linked

    def _had_seen(self, later: Logged, earlier: Logged) -> bool:
        """Whether the author of one op had what another said of this field before their eyes."""
        if later.op.record != self._state.id:
            # A decision was made on an item: it names the candidates that its author saw.
            named = {op for ops in later.op.saw.values() for op in ops}
            return earlier.op.id in named or any(earlier.op.id in act.over for act in later.acts)
        stamp = self._stamp(later)
        return change_of(later.op, self._spec.name, stamp, self._spec).has_seen(self._stamp(earlier))

    def _questions(self) -> Iterator[Question]:
        for item, state in sorted(self._items.items(), key=lambda one: (_about(one[1]).opened_at, one[0])):
            about = _about(state)
            said = state.cells[DECISION].said if DECISION in state.cells else None
            mine = about.open and about.subject == self._state.id
            yield Question(
                item=item,
                about=about.field,
                state="open" if about.open else "ended" if about.decision is None else "decided",
                roles=tuple(role.value for role in about.roles),
                opened_at=about.opened_at,
                due_at=about.due_at,
                escalated=tuple(one.to.value for one in about.escalations),
                shown=about.shown,
                safe_because=about.safe_because,
                against=tuple(self._contests()) if mine else (),
                ended_by=said.stamp.op if said is not None and about.decision is not None else about.ended_by or "",
            )

    def _contests(self) -> Iterator[Contest]:
        for ending, entry in self._cell.against:
            watched = () if self._spec.flow is None or self._spec.flow.ending is None else self._spec.flow.ending.unless
            added = [
                (logged.op.author, name)
                for logged in self._account.log
                for name in watched
                if logged.op.id == entry and name in logged.op.changes
            ]
            for author, name in added:
                yield Contest(ending=ending, entry=entry, author=author, field=name)


def _about(item: RecordState) -> InboxItem:
    built = item.build()
    if not isinstance(built, InboxItem):
        raise TypeError(f"{item.id} is no inbox item")
    return built


def _reason(decision: Any) -> str:  # noqa: ANN401  as it came in an op
    return str(decision.get("reason", "")) if isinstance(decision, dict) else ""


def _chain(stands: OpId, steps: Sequence[Step]) -> tuple[OpId, ...]:
    """From what stands back to the first value: each op once, later ones first."""
    place = {step.op: at for at, step in enumerate(steps)}
    over = {step.op: step.over for step in steps}
    found: dict[OpId, None] = {}
    waiting = [stands]
    while waiting:
        op = max(waiting, key=lambda one: place.get(one, -1))
        waiting.remove(op)
        if op not in found:
            found[op] = None
            waiting += over.get(op, ())
    return tuple(found)
