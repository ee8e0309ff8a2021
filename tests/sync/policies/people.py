"""People with devices who do what was drawn, and the cases that come of it: ops that have not arrived yet."""

# ruff: noqa: ANN401
# Values are of the types that the fields declare, which only the kinds know.

from typing import Any

import msgspec

from schemas.ids import FieldName, OpNumber
from schemas.kinds import KindSpec
from tests.sync.policies.drawing import Decide, Deed, Drawn, Step, Write
from tests.sync.policies.world import DESKS, RECORD, Case, Desk, Server, in_touch, try_write


def as_older(spec: KindSpec) -> KindSpec:
    """The kind as an older program knows it, which still writes what was retired since."""
    fields = {name: msgspec.structs.replace(field, retired=None) for name, field in spec.fields.items()}
    return msgspec.structs.replace(spec, fields=fields)


class People:
    """The devices of a case, and what they do."""

    def __init__(self, what: Drawn) -> None:
        """Everyone has the record as it was made."""
        self.spec = as_older(what.spec)
        self.server = Server()
        self.desks = [Desk(name, self.spec) for name in DESKS]
        self.desks[0].write(RECORD, self.spec, what.made, create=True)
        in_touch(self.server, *self.desks)
        self.begun = self.server.fork()

    def do(self, deed: Deed) -> None:
        """Write down one change or decision, if the device will have it."""
        if isinstance(deed, Decide):
            self._decide(deed)
        else:
            self._write(deed)

    def _decide(self, deed: Decide) -> None:
        desk = self.desks[deed.desk]
        questions = desk.questions()
        if questions:
            item, record = questions[deed.question % len(questions)]
            value = item.candidates[deed.choice % len(item.candidates)].value
            desk.decide(record, value, now=deed.now)

    def _write(self, write: Write) -> None:
        desk = self.desks[write.desk]
        plain = {name: self._value(desk, name, value) for name, value in write.changes.items()}
        op = try_write(
            desk,
            RECORD,
            self.spec,
            plain,
            now=write.now,
            occurred_at=write.occurred_at,
            correct=write.correct and all(self.spec.fields[name].policy.name == "once" for name in plain),
        )
        if op is not None and write.older:
            desk.forget_sight(op)

    def touch(self, deed: Deed) -> None:
        """What comes after it."""
        desk = self.desks[deed.desk]
        if deed.touch == "all":
            in_touch(self.server, *self.desks)
        elif deed.touch == "most":
            in_touch(self.server, *self.desks[:-2])
        elif deed.touch == "push":
            desk.push(self.server)
        elif deed.touch == "pull":
            desk.pull(self.server)

    def _value(self, desk: Desk, name: FieldName, value: Any) -> Any:
        if not isinstance(value, Step):
            return value
        flow = self.spec.fields[name].flow
        shown = desk.shows(name) or self.spec.fields[name].default
        assert flow is not None
        may = (*flow.moves[shown], shown)
        return may[value.choice % len(may)]

    def waiting(self) -> int:
        """How many ops have not arrived."""
        return sum(len(desk.queued()) for desk in self.desks)

    def case(self, server: Server) -> Case:
        """Everything that has not arrived at that server."""
        queues = {desk.name: tuple(desk.queued()) for desk in self.desks if desk.queued()}
        return Case(server, queues)


def apart(what: Drawn, most: int = 4) -> Case:
    """People who meet for a while and then write without a word to each other; their last ops are yet to arrive.

    Args:
        what: what they do.
        most: no more than so many ops wait.
    """
    people = People(what)
    for deed in what.before:
        people.do(deed)
        people.touch(deed)
    for deed in what.after:
        if people.waiting() < most:
            people.do(deed)
    while people.waiting() > most:
        next(desk for desk in people.desks if desk.queued()).push(people.server)
    return people.case(people.server)


def set_back(what: Drawn, most: int = 4) -> Case:
    """People who come and go; then the server is set back to where it began, and every op is offered to it again."""
    people = People(what)
    made = people.begun
    for deed in [*what.before, *what.after]:
        if sum(int(desk.replica.next_op) - 1 for desk in people.desks) - 1 < most:
            people.do(deed)
            people.touch(deed)
    queues = {}
    for desk in people.desks:
        ops = [
            kept.body
            for n in range(1, desk.replica.next_op)
            for kept in [desk.tables.op(OpNumber(n))]
            if kept is not None
        ]
        ops = [op for op in ops if op not in {one.body for one in made.kept()}]
        if ops:
            queues[desk.name] = tuple(ops)
    return Case(made, queues)
