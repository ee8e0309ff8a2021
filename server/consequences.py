"""What follows from one op by rule: numbers, inbox items, what a decision settles, what goes along. Pure."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from schemas.ids import FieldName, RecordId, Seq
from schemas.ops import Op, Stamp
from server import numbering
from sync import history, inbox, merge
from sync.history import Act
from sync.merge import RecordState
from sync.policies import Change, policy_of
from sync.policing.custody.transfers import SUITE, alongside


class Plan:
    """What one op changes: its record with its numbers, the inbox items that follow, and what a decision settles.

    And what goes along with a person who is taken to another suite.

    Attributes:
        states: the changed records, by id.
        acts: what the op did, field by field.
    """

    def __init__(
        self,
        state: Callable[[RecordId], RecordState | None],
        parts: Callable[[RecordId], Iterable[RecordId]],
        author: inbox.Author,
    ) -> None:
        """Begin with nothing.

        Args:
            state: a record as it is.
            parts: the records that are parts of one (`Kind.about`).
            author: who made an op (`sync.inbox.Author`).
        """
        self._state_of = state
        self._parts_of = parts
        self._author = author
        self.states: dict[RecordId, RecordState] = {}
        self.acts: list[Act] = []

    def change(
        self,
        before: RecordState | None,
        after: RecordState,
        changes: Mapping[FieldName, Change],
        op: Op,
        stamp: Stamp,
    ) -> None:
        """Take in a changed record, then what follows from that."""
        about = after.build().about()
        after = alongside(after, None if about is None else self._state(about))
        after = self._placed(after, stamp)
        self.states[after.id] = after
        self.states.update((one.id, one) for one in numbering.numbered(after, stamp, self._state))
        after = self.states[after.id]
        asked = self._ask(before, after, stamp)
        if before is not None and before.scopes() != after.scopes():
            self._move_parts(after, op, stamp)
        for name, change in changes.items():
            act = history.act(before, after, name, change, asked.get(name))
            # In a new record nothing was before and nobody was against it: what is kept is that a rule took something
            # along to where its subject is.
            if act.stands if before is None else after.id != op.record or not act.plain:
                self.acts.append(act)
        follows = inbox.consequence(before, after, op, stamp)
        if follows is None:
            return
        subject = self._state(follows.subject)
        if subject is None:
            return
        settled = merge.decide(subject, follows.field, follows.change, Seq(stamp.seq))
        self.change(subject, settled, {follows.field: follows.change}, op, stamp)

    def _ask(self, before: RecordState | None, after: RecordState, stamp: Stamp) -> dict[FieldName, RecordId]:
        """Bring the inbox items about a record up to date. Returns field -> the item that asks about it."""
        asked: dict[FieldName, RecordId] = {}
        for field in inbox.fields_to_look_at(before, after):
            policy, cell = policy_of(field), after.cells[field.name]
            was = None if before is None else before.cells.get(field.name)
            was_open = was is not None and bool(policy.unsettled(field, was))
            if was is not None and was_open and was.decided != cell.decided:
                self._end(inbox.item_id(after.id, field.name, was.decided), stamp)
            if not (policy.unsettled(field, cell) or (was_open and was is not None and was.decided == cell.decided)):
                continue
            item = inbox.item_id(after.id, field.name, cell.decided)
            brought = inbox.follow(field, after, self._state(item), stamp, self._author)
            if brought is not None:
                self.states[item] = brought
            if policy.unsettled(field, cell):
                asked[field.name] = item
        return asked

    def _move_parts(self, subject: RecordState, op: Op, stamp: Stamp) -> None:
        """Take what was and is asked about a record, and what belongs to it, to where the record is now."""
        for part in self._parts_of(subject.id):
            state = self._state(part)
            if state is None:
                continue
            if not inbox.goes_along(state.spec):
                self._take_along(state, subject, op, stamp)
                continue
            there = inbox.moved(state, subject, stamp)
            if there is not None:
                self.states[part] = there
            # Also where it was moved with what it asks: what is about it was not.
            self._move_parts(there or state, op, stamp)

    def _take_along(self, part: RecordState, subject: RecordState, op: Op, stamp: Stamp) -> None:
        there = alongside(part, subject)
        said = None if there is part else there.cells[SUITE].said
        if said is not None:
            there = msgspec.structs.replace(there, version=Seq(stamp.seq))
            self.change(part, there, {SUITE: Change(value=said.value, stamp=said.stamp)}, op, stamp)

    def _placed(self, after: RecordState, stamp: Stamp) -> RecordState:
        """A record that goes along with its subject, where that is now.

        A handheld says where it was when it last heard of it, and it may have been closed in a compartment since.
        """
        about = after.build().about() if inbox.goes_along(after.spec) and after.spec is not inbox.SPEC else None
        subject = None if about is None else self._state(about)
        return after if subject is None else inbox.moved(after, subject, stamp) or after

    def _end(self, item: RecordId, stamp: Stamp) -> None:
        state = self._state(item)
        if state is not None and inbox.is_open(state):
            self.states[item] = inbox.ended(state, stamp)

    def _state(self, record: RecordId) -> RecordState | None:
        return self.states.get(record) or self._state_of(record)
