"""What people bring to the server itself: records over HTTP and from files, decisions, and alarms taken up.

They are ops like any other, of the device `control-room`, so that they have an author, a place in the order, and a
replay that changes nothing. What follows from records by rule is `server.rule_writer`'s.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas import scopes
from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, RecordId, Seq, new_record_id
from schemas.kinds import KINDS, Acknowledgement, Alarm, Decision, Hold, InboxItem, KindSpec, kind_named
from schemas.limits import OPS_PER_PUSH_MAX, REASON_CHARS_MAX
from schemas.ops import Op
from schemas.policies import MANY, tags
from server import alternatives
from server.beside import Change, require
from server.own_ops import Standing
from server.rule_writer import NOT_PERMITTED, ForbiddenError, NotFoundError, RuleWriter, SettledError, check_durable
from sync import entitled, inbox, merge
from sync.merge import RecordState
from sync.replica.writing import sight

_RECORD_NOISE_BYTES: Final = 10
_COMPARTMENT: Final = scopes.compartment("")
_ACKNOWLEDGED: Final = FieldName("acknowledged")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A record to make, or to bring to these values.

    Attributes:
        record: its id.
        kind: its kind.
        values: field -> plain value; of a `grow` field the entries.
    """

    record: RecordId
    kind: str
    values: Mapping[FieldName, Any]


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """What an officer wrote elsewhere and could not send, to be written in their name.

    Attributes:
        record: which; None for a new one.
        kind: of what.
        changes: field -> change, as in an op.
        author, occurred_at: as they said (ms since 1970).
        why: their reason, and that of whoever adopts it.
        seat: where they wrote it.
    """

    record: RecordId | None
    kind: str
    changes: Mapping[FieldName, Any]
    author: OfficerId
    occurred_at: Millis
    why: str
    seat: DeviceId


class Made(msgspec.Struct, frozen=True):
    """What became of a draft.

    Attributes:
        record: its id.
        outcome: `created`, `changed`, or `same` when the record already had these values.
        seq: the commit; 0 when nothing changed.
    """

    record: RecordId
    outcome: str
    seq: int


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decides on an inbox item.

    Attributes:
        value: the value that stands from now on.
        reason: why, in words.
        author: who decides.
        seen: the ops of the candidates that they looked at; None for all that are there when the decision is made.
            What is not among them is not decided.
        instead: displaced claimant (a candidate's holder) -> the free resource that they get.
    """

    value: Any
    reason: str
    author: OfficerId
    seen: frozenset[OpId] | None = None
    instead: Mapping[str, RecordId] = {}


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is durable.

    Attributes:
        op: it.
        seq: its commit.
        subject, field: what it was about.
        given: holder -> the resource that they hold now instead. One that somebody else claimed in the same moment is
            not among them; then another inbox item asks about that.
    """

    op: OpId
    seq: Seq
    subject: RecordId
    field: FieldName
    given: Mapping[str, RecordId]


class Office(RuleWriter):
    """Makes records on the server's behalf, for people and for rules."""

    async def bring(self, drafts: Sequence[Draft], author: OfficerId, standing: Standing | None = None) -> list[Made]:
        """Make records, or change those that are there and differ; what is the same is left alone.

        On a record that is there, only fields with one value are compared, and a value that someone other than `author`
        has written since stands: a file imported again never undoes an officer's work. Entries are given at its making.

        Args:
            drafts: at most ARRAY_LEN_MAX, no record twice.
            author: on whose behalf.
            standing: by what right; None for the server's own, which may write everything.

        Raises:
            ForbiddenError: they may not write one of them; the text says who could.
            UsageError: a draft cannot be; the text says which and why. Drafts before it may have been committed.
            StoreError: the store failed; the same call again is safe.
        """
        known = await self._store.existing([draft.record for draft in drafts])
        made: dict[RecordId, Made] = {}
        ops: list[Op] = []
        others: list[RecordState] = []
        for draft in drafts:
            row = known.get(draft.record)
            hidden = standing is not None and row is not None and not _seen(row, standing)
            if hidden:
                row = None
            op = self._op_for(draft, row, author, _seat(standing))
            if op is not None and standing is not None:
                await self._check_rules(op, row, standing, others)
                if hidden:
                    raise _taken(op, standing)
            if op is None:
                made[draft.record] = Made(draft.record, "same", 0)
            else:
                ops.append(op)
        for start in range(0, len(ops), OPS_PER_PUSH_MAX):
            part = ops[start : start + OPS_PER_PUSH_MAX]
            for op, result in zip(part, await self._ops.commit(part, standing), strict=True):
                check_durable(op, result)
                made[op.record] = Made(op.record, "created" if op.create else "changed", result.seq)
        return [made[draft.record] for draft in drafts]

    async def decide(self, item: RecordId, choice: Choice, standing: Standing | None = None) -> Decided:
        """Settle what an inbox item asks, on behalf of the person who decided.

        A value that has come in unseen meanwhile is not swept away: it is a new question.

        Args:
            item: which.
            choice: what was decided.
            standing: by what right, as in `bring`.

        Raises:
            NotFoundError: there is no such item, or they may not see it.
            ForbiddenError: it is not theirs to decide; the text says whose it is.
            SettledError: it is decided already, or nothing is left to decide.
            UsageError: the decision cannot be; the text says why. Nothing was committed.
            StoreError: the store failed; what was asked may or may not have been done.
        """
        if not choice.reason.strip():
            raise UsageError("reason: say in words why; it stays with the decision for ever")
        async with self._one_at_a_time:
            state, about = await self._item(item, standing)
            if not about.open:
                raise SettledError(_settled(item, state, about))
            changes = {inbox.DECISION: msgspec.to_builtins(Decision(value=choice.value, reason=choice.reason))}
            saw = sight(state.spec, state, changes)
            if choice.seen is not None:
                strange = choice.seen - set(saw[inbox.CANDIDATES])
                if strange:
                    raise UsageError(f"inbox item {item}: {', '.join(sorted(strange))} is none of its candidates")
                saw[inbox.CANDIDATES] = tuple(sorted(choice.seen))
            ops = [self._ops.make(item, state.spec, state, changes, choice.author, saw, _seat(standing))]
            ops += await self._instead(item, about, choice, standing)
            results = await self._ops.commit(ops, standing)
        for op, result in zip(ops, results, strict=True):
            check_durable(op, result)
        return Decided(
            op=ops[0].id,
            seq=results[0].seq,
            subject=about.subject,
            field=FieldName(about.field),
            given={
                holder: resource
                for (holder, resource), result in zip(choice.instead.items(), results[1:], strict=True)
                if not result.stands
            },
        )

    async def adopt(self, edit: Adoption, standing: Standing) -> OpId:
        """Write what an officer wrote elsewhere and could not send: the op, in their name.

        Raises:
            ForbiddenError, UsageError: it cannot be written; the text says why.
            StoreError: the store failed.
        """
        spec = kind_named(edit.kind)
        if spec is None:
            raise UsageError(f"there is no record kind {edit.kind!r}")
        state = None if edit.record is None else await self._state(edit.record)
        name = edit.record or new_record_id(self._now(), os.urandom(_RECORD_NOISE_BYTES))
        made = self._ops.make(name, spec, state, edit.changes, edit.author, via=edit.seat)
        op = msgspec.structs.replace(made, occurred_at=edit.occurred_at, why=edit.why[:REASON_CHARS_MAX])
        (result,) = await self._ops.commit([op], standing)
        check_durable(op, result)
        return op.id

    async def acknowledge(
        self, alarm: RecordId, note: str | None, author: OfficerId, standing: Standing | None = None
    ) -> tuple[OpId, Seq]:
        """Take an alarm up, on behalf of the person who does.

        Args:
            alarm: which.
            note: what they do about it; None for nothing said.
            author: who.
            standing: by what right, as in `bring`.

        Returns:
            The op, and its commit.

        Raises:
            NotFoundError: there is no such alarm, or they may not see it.
            ForbiddenError: it is not theirs to take up; the text says whose it is.
            SettledError: it is taken up already, or over.
            StoreError: the store failed; what was asked may or may not have been done.
        """
        async with self._one_at_a_time:
            state = await self._state(alarm)
            about = None if state is None else state.build()
            hidden = state is None or (standing is not None and standing.scopes.isdisjoint(state.scopes()))
            if state is None or hidden or not isinstance(about, Alarm):
                raise NotFoundError(f"there is no alarm {alarm!r}")
            if not about.open:
                ended = "is over" if about.over_at is not None else "is taken up already"
                raise SettledError(f"alarm {alarm} {ended}")
            entry = msgspec.to_builtins(Acknowledgement(note=note))
            op = self._ops.make(alarm, state.spec, state, {_ACKNOWLEDGED: [entry]}, author, via=_seat(standing))
            (result,) = await self._ops.commit([op], standing)
        check_durable(op, result)
        return op.id, result.seq

    async def _instead(self, item: RecordId, about: InboxItem, choice: Choice, standing: Standing | None) -> list[Op]:
        """The claims of those who get another resource."""
        ops = []
        holders = {_holder(one.value) for one in about.candidates} - {_holder(choice.value), None}
        for holder, resource in choice.instead.items():
            if about.policy != "claim" or holder not in holders:
                whom = ", ".join(sorted(filter(None, holders))) if about.policy == "claim" else ""
                raise UsageError(
                    f"inbox item {item}: {holder!r} is not displaced by this decision; {whom or 'nobody'} is"
                )
            state = await self._state(resource)
            if state is None or (standing is not None and standing.scopes.isdisjoint(state.scopes())):
                raise UsageError(f"instead: there is no resource {resource}")
            wrong = alternatives.why_not(state, self._now())
            if wrong is not None:
                raise UsageError(f"instead: {resource} cannot be had: {wrong}")
            changes = {alternatives.HOLD: msgspec.to_builtins(Hold(holder=holder))}
            ops.append(self._ops.make(resource, state.spec, state, changes, choice.author, via=_seat(standing)))
        if len(set(choice.instead.values())) != len(choice.instead):
            raise UsageError("instead: one resource cannot be given to two")
        return ops

    async def _check_rules(self, op: Op, row: bytes | None, standing: Standing, others: list[RecordState]) -> None:
        """What a person writes, no rule of police work is against; an import tells what was.

        Nor do they close a record in a compartment for which they are not cleared: nobody might see it any more.
        Whether there is one of that name they are not told.

        Args:
            op: the change.
            row: the record as it stands; None for a new one.
            standing: by what right.
            others: the records of the same call so far, to which this one is added; a paste into several shows.

        Raises:
            RuleError: one is.
            ForbiddenError: they are not cleared.
        """
        spec = KINDS[op.kind]
        before = None if row is None else merge.from_row(decode_row(row))
        after = merge.apply(merge.new_state(op, spec) if before is None else before, op)
        were = frozenset() if before is None else before.scopes()
        closing = {scopes.audience(scope) for scope in after.scopes() - were if scope.startswith(_COMPARTMENT)}
        if not closing <= standing.scopes:
            names = ", ".join(sorted(scope.removeprefix(_COMPARTMENT) for scope in closing - standing.scopes))
            of = f"{op.kind} {op.record}"
            raise ForbiddenError(f"{of}: {NOT_PERMITTED}: you are cleared for no compartment {names!r}")
        roles = standing.roles.among(were or after.scopes())
        await require(self._store, Change(op, before, after), standing.scopes, roles, self.settings, others)
        others.append(after)

    def _op_for(self, draft: Draft, row: bytes | None, author: OfficerId, seat: DeviceId | None) -> Op | None:
        spec = kind_named(draft.kind)
        if spec is None:
            raise UsageError(f"there is no record kind {draft.kind!r}")
        if row is None:
            return self._ops.make(draft.record, spec, None, _as_said(spec, draft.values), author, via=seat)
        state = merge.from_row(decode_row(row))
        changes = _differing(state, spec, draft.values, author)
        if not changes:
            return None
        if state.spec is not spec:
            raise UsageError(f"{draft.kind} {draft.record}: op_kind_differs: the record is of kind {state.spec.name}")
        return self._ops.make(draft.record, spec, state, changes, author, via=seat)


def _seat(standing: Standing | None) -> DeviceId | None:
    return None if standing is None else standing.seat


def _seen(row: bytes, standing: Standing) -> bool:
    return not standing.scopes.isdisjoint(merge.from_row(decode_row(row)).scopes())


def _taken(op: Op, standing: Standing) -> UsageError:
    """The answer to who makes a record under the id of one that they may not see.

    It is what a free id gets, as far as it goes: who may not make such a record, or leaves out what it must have, hears
    that. Who could make it hears that the id is taken, and not by what.
    """
    spec = KINDS[op.kind]
    places = merge.apply(merge.new_state(op, spec), op).scopes()
    found = entitled.refusal(op, spec, None, standing.roles.among(places))
    if found is not None:
        return ForbiddenError(f"{op.kind} {op.record}: {found.code}: {found.detail}")
    return UsageError(f"{op.kind} {op.record}: op_record_exists: this id is taken; make the record under another")


def _as_said(spec: KindSpec, values: Mapping[FieldName, Any]) -> dict[FieldName, Any]:
    """The changes that give a new record these values: tags are added."""
    adding = {name for name, field in spec.fields.items() if field.policy is tags}
    return {
        name: {"add": value} if name in adding and isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }


def _holder(value: Any) -> str | None:  # noqa: ANN401  a value is of the type that its field declares
    return value.get("holder") if isinstance(value, dict) else None


def _settled(item: RecordId, state: RecordState, about: InboxItem) -> str:
    """Why there is nothing to decide, in words."""
    if about.decision is None:
        return f"inbox item {item} asks nothing any more: op {about.ended_by} left nothing to decide"
    said = state.cells[inbox.DECISION].said
    who = "" if said is None else f" by {said.stamp.author} (op {said.stamp.op})"
    return f"inbox item {item} is decided already{who}: {about.decision.reason}"


def _differing(
    state: merge.RecordState, spec: KindSpec, values: Mapping[FieldName, Any], author: OfficerId
) -> dict[FieldName, Any]:
    """The fields with one value to change: whose value differs, and that nobody else has written since."""
    have = state.values()
    changed = {}
    for name, value in values.items():
        field, cell = spec.fields.get(name), state.cells.get(name)
        if field is None or field.policy in MANY or have.get(name) == _as_read(value):
            continue
        # All that stands: what an officer said beside a higher value of the office's would be superseded with it.
        if cell is None or all(one.stamp.author == author for one in cell.standing()):
            changed[name] = value
    return changed


def _as_read(value: Any) -> Any:  # noqa: ANN401  a value is of the type that its field declares
    """The value as a row holds it: a tuple is a list there."""
    return msgspec.json.decode(msgspec.json.encode(value))
