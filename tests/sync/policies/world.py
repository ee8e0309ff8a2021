"""Real devices and a real server with nothing between them: `Replica`s and `settle`, both over memory.

A case is a server as it stands and the ops that devices made without sight of each other. `every_order` delivers them
in every order in which they can arrive: a device's ops come in their order, an op that the server answers with
`waiting` comes again. Whatever is reached on the way is shown to a `look`.
"""

# ruff: noqa: ANN401
# Values are of the types that the fields declare, which only the kinds know.

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from schemas import scopes
from schemas.codec import decode_row, encode, reread_op
from schemas.errors import UsageError
from schemas.ids import (
    DeviceId,
    Epoch,
    FieldName,
    Generation,
    Millis,
    OfficerId,
    OpId,
    OpNumber,
    RecordId,
    Seq,
    named_record_id,
)
from schemas.kinds import KINDS, InboxItem, KindSpec, spec_of
from schemas.ops import Op, Row
from schemas.wire import SCHEMA, Batch, Plan, Result, Results, Snapshot, Welcome
from server.commits import Submission
from server.store.memory import MemoryStore
from server.store.port import KeptOp
from sync import merge
from sync.check import changed_fields
from sync.outbox import OpState
from sync.replica import MemoryTables, Replica, WriteFacts
from tests.examples import LEAST

T0: Final = Millis(1_760_000_000_000)
"""The moment at which the cases play."""
SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
EPOCH: Final = Epoch("00c0ffee00c0ffee")
GEN: Final = Generation(1)
AREAS: Final = ("birmingham", "coventry")
AUDIENCES: Final = (scopes.area("birmingham"), scopes.area("coventry"), scopes.suite("birmingham"))
"""Where the records of the cases can be; a suite may bear an area's name, so that any of the names will do."""
_NAMED: Final = (
    scopes.area, scopes.suite, scopes.medical, scopes.team, scopes.mission, scopes.officer, scopes.compartment,
)  # fmt: skip
_HELD: Final = frozenset({scopes.CUSTODY, scopes.FORCE, *(named(area) for named in _NAMED for area in AREAS)})
SCOPES: Final = frozenset(
    {way(one) for one in _HELD for way in (lambda scope: scope, scopes.briefing, scopes.safety, scopes.inbox)}
)
"""What every device of a case holds: they may all write, decide and correct."""
DESKS: Final = tuple(map(DeviceId, ("hh-0007", "desk-1", "hh-0042", "control-3", "a-2")))
RECORD: Final = named_record_id("case")
"""The record that a case is about."""
_READ_MAX: Final = 1_000
_T = TypeVar("_T")


def done(work: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine that awaits nothing gives: a memory store's."""
    try:
        work.send(None)
    except StopIteration as end:
        value: _T = end.value
        return value
    raise AssertionError("a memory store has awaited something")


class Server:
    """A memory store with a clock that goes on by a second with each push."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.store = MemoryStore(EPOCH)
        self.now = T0

    def fork(self) -> "Server":
        """Another server that stands where this one does."""
        other = Server()
        other.now = self.now
        for name, held in vars(self.store).items():
            vars(other.store)[name] = held.copy() if isinstance(held, (dict, list)) else held
        other.store._members = {scope: dict(members) for scope, members in self.store._members.items()}
        return other

    def push(self, device: DeviceId, *ops: bytes) -> list[Result]:
        """Ops of one device arrive at once."""
        return self.together([(device, op) for op in ops])

    def together(self, ops: Sequence[tuple[DeviceId, bytes]]) -> list[Result]:
        """Ops of several devices arrive at once: one group, in that order."""
        self.now = Millis(self.now + SECOND_MS)
        group = [Submission(device=device, scopes=SCOPES, ops=(op,), schema=SCHEMA) for device, op in ops]
        return [result for settled in done(self.store.commit(group, self.now)) for result in settled.results]

    def kept(self) -> list[KeptOp]:
        """Every op that was decided, in that order."""
        return done(self.store.ops(None, 0, _READ_MAX))

    def rows(self) -> list[Row]:
        """Every record, in order of id."""
        return [decode_row(body) for _, body in sorted(self.store._bodies.items())]

    def shows(self, field: str) -> Any:
        """What stands in a field of the case's record."""
        return self._state().values().get(FieldName(field))

    def whose(self, field: str) -> list[OpId]:
        """The ops whose values stand in a field of the case's record, the one that stands first first."""
        return [said.stamp.op for said in self._state().cells[FieldName(field)].standing()]

    def questions(self) -> list[tuple[InboxItem, RecordId]]:
        """What waits for a person, with the record of it."""
        built = [(merge.from_row(row).build(), row.id) for row in self.rows()]
        return [(item, record) for item, record in built if isinstance(item, InboxItem) and item.open]

    def _state(self) -> merge.RecordState:
        body = done(self.store.record(RECORD))
        assert body is not None
        return merge.from_row(decode_row(body))


class Desk:
    """A device: a real replica over memory tables, which pushes and pulls when it is told to."""

    def __init__(self, name: DeviceId, spec: KindSpec) -> None:
        """A device that is in touch for the first time, with a server that holds nothing.

        Args:
            name: the device.
            spec: the kind of the record that the case is about.
        """
        self.name = name
        self.spec = spec
        self.tables = MemoryTables()
        self.replica = Replica(self.tables, name)
        self.replica.welcome(
            Welcome(
                proto=1, schema_min=SCHEMA, schema_max=SCHEMA, epoch=EPOCH, server_time=T0, last_op=OpNumber(0),
                credit=1, scopes=tuple(Plan(scope=scope, gen=GEN, action="snapshot") for scope in sorted(SCOPES)),
            )
        )  # fmt: skip
        for scope in SCOPES:
            self.replica.page(Snapshot(scope=scope, gen=GEN, at=Seq(0), after="", upto="", last=True))

    def write(
        self,
        record: RecordId,
        spec: KindSpec,
        changes: Mapping[Any, Any],
        *,
        now: int = T0,
        occurred_at: int = T0,
        create: bool = False,
        correct: bool = False,
        why: str = "",
    ) -> Op:
        """Write down a change.

        Raises:
            UsageError: the device would not have it.
        """
        facts = WriteFacts(
            author=OfficerId(self.name.upper()),
            now=Millis(now),
            wall=Millis(now),
            occurred_at=Millis(occurred_at),
            why=why,
        )
        plain = changed_fields({FieldName(name): value for name, value in changes.items()})
        return self.replica.write(record, spec, plain, facts, create=create, correct=correct)

    def say(
        self,
        changes: Mapping[str, Any] | None = None,
        /,
        *,
        now: int = T0,
        occurred_at: int = T0,
        correct: bool = False,
        **more: Any,
    ) -> Op:
        """Change the case's record.

        Args:
            changes, more: field -> value.
            now: the device's clock (ms since 1970).
            occurred_at: when it happened, as the author says (ms since 1970).
            correct: whether it corrects what `once` protects.

        Raises:
            UsageError: the device would not have it.
        """
        return self.write(
            RECORD, self.spec, {**(changes or {}), **more}, now=now, occurred_at=occurred_at, correct=correct
        )

    def forget_sight(self, op: Op) -> None:
        """Make an op what an older program would have made of it: it does not say what its author saw."""
        kept = self.tables.op(op.n)
        assert kept is not None
        self.tables.put_op(msgspec.structs.replace(kept, body=encode(msgspec.structs.replace(op, saw={}))))

    def queued(self) -> list[bytes]:
        """The ops that wait to be sent, in order."""
        return [op.body for op in self.tables.ops_in([OpState.QUEUED], OpNumber(0), _READ_MAX)]

    def push(self, server: Server) -> list[Result]:
        """Send what waits, and take in what became of it."""
        ops = self.queued()
        results = server.push(self.name, *ops) if ops else []
        self.replica.results(Results(results=tuple(results)))
        return results

    def pull(self, server: Server) -> None:
        """Take in everything that the server has."""
        for scope, head in done(server.store.heads()).items():
            while scope in SCOPES:
                held = self.tables.position(scope)
                assert held is not None
                if held.seq == head.seq:
                    break
                found = done(server.store.changes(scope, held.seq))
                rows = tuple(map(msgspec.Raw, found.rows))
                self.replica.batch(Batch(scope=scope, gen=GEN, frm=held.seq, to=found.to, rows=rows, gone=found.gone))

    def shows(self, field: str) -> Any:
        """What it shows of a field of the case's record; None when it shows none of it."""
        state = self.replica.view(RECORD)
        return None if state is None else state.values().get(FieldName(field))

    def questions(self) -> list[tuple[InboxItem, RecordId]]:
        """The questions that it shows as open, with their records."""
        found = [(state.build(), state.id) for state in self.replica.views(spec_of(InboxItem))]
        return [(item, record) for item, record in found if isinstance(item, InboxItem) and item.open]

    def decide(self, record: RecordId, value: Any, *, now: int = T0) -> Op:
        """Decide a question.

        Raises:
            UsageError: the device would not have it.
        """
        decision = {"value": value, "reason": f"{self.name} has looked."}
        return self.write(record, spec_of(InboxItem), {"decision": decision}, now=now)


MADE: Final[dict[str, dict[str, Any]]] = {
    "incident": {"opened_at": T0, "area": "birmingham", "category": "crime", "summary": "A van in the river."},
    "custody-booking": {"suite": "birmingham", "detainee": "Robin Example", "arrested_at": T0},
    "resource": {"category": "cell", "name": "M3", "home": "suite:birmingham"},
    "medical": {"booking": named_record_id("booking"), "suite": "birmingham"},
    "suspect": {"name": "Sam Example", "wanted_for": "Failing to appear.", "area": "birmingham"},
    "briefing": {"title": "Thefts", "body": "From vans.", "audience": ["area:birmingham"], "issued_at": T0},
    "protection-plan": {
        "child": "A child",
        "concern": "Alone at night.",
        "team": "birmingham",
        "begun_at": T0,
        "review_at": T0 + DAY_MS,
    },
    "deployment-request": {**LEAST["deployment-request"], "asking": AREAS[0], "lending": AREAS[1]},
    "use-of-force": LEAST["use-of-force"],
}
"""With what the records of the examples are made."""


def begin(
    kind: str, count: int = 2, made: Mapping[str, Any] | None = None, /, **more: Any
) -> tuple[Server, list[Desk]]:
    """A server and devices that all have one record.

    Args:
        kind: the record's kind.
        count: how many devices.
        made, more: field -> value with which it is made, beside what it must have (`MADE`).
    """
    server, spec = Server(), KINDS[kind]
    found = [Desk(name, spec) for name in DESKS[:count]]
    found[0].write(RECORD, spec, {**MADE[kind], **(made or {}), **more}, create=True)
    in_touch(server, *found)
    return server, found


def in_touch(server: Server, *all_of_them: Desk) -> None:
    """Everyone pushes what waits, then everyone pulls."""
    for desk in all_of_them:
        desk.push(server)
    for desk in all_of_them:
        desk.pull(server)


class Case(msgspec.Struct):
    """Ops that have not arrived yet.

    Attributes:
        server: the server as it stands.
        queues: device -> its ops, in order.
    """

    server: Server
    queues: dict[DeviceId, tuple[bytes, ...]]

    @property
    def ops(self) -> list[tuple[DeviceId, bytes]]:
        """Every op that has not arrived, by device."""
        return [(device, op) for device, ops in sorted(self.queues.items()) for op in ops]


class Stuck(AssertionError):  # noqa: N818  it names what is found
    """Every op that is left waits, so that none of them will ever be taken."""


Look = Callable[[Server], None]


def every_order(case: Case, look: Look) -> list[tuple[Server, list[bytes]]]:
    """Deliver a case in every order.

    Args:
        case: the ops.
        look: is shown the server after every step of every order.

    Returns:
        For each order: the server at its end, and the order.

    Raises:
        Stuck: an order led to where no op is taken any more.
    """
    ends: list[tuple[Server, list[bytes]]] = []

    def deliver(server: Server, queues: dict[DeviceId, tuple[bytes, ...]], order: list[bytes]) -> None:
        if not any(queues.values()):
            ends.append((server, order))
            return
        taken = 0
        for device, ops in sorted(queues.items()):
            for at, op in enumerate(ops):
                branch = server.fork()
                [result] = branch.push(device, op)
                if result.status == "waiting":
                    # It comes again; the device's next one is already on the way.
                    continue
                taken += 1
                look(branch)
                deliver(branch, {**queues, device: ops[:at] + ops[at + 1 :]}, [*order, op])
                break
        if not taken and any(kept.result.status == "refused" for kept in server.kept()):
            # What is left was made on top of what was refused; it waits until an officer has mended that.
            ends.append((server, order))
        elif not taken:
            left = [reread_op(op).id for ops in queues.values() for op in ops]
            raise Stuck(f"all of {left} wait, after {[reread_op(op).id for op in order]}")

    look(case.server)
    deliver(case.server, case.queues, [])
    return ends


def try_write(desk: Desk, record: RecordId, spec: KindSpec, changes: Mapping[Any, Any], **rest: Any) -> Op | None:
    """Write down a change, if the device will have it."""
    try:
        return desk.write(record, spec, changes, **rest)
    except UsageError:
        return None
