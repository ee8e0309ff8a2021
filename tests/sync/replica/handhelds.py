"""A replica over tables in memory, and what a server says to it, as a test gives them."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from schemas import wire
from schemas.codec import encode
from schemas.errors import PeerError
from schemas.ids import (
    Epoch,
    FieldName,
    Generation,
    Millis,
    OfficerId,
    OpNumber,
    RecordId,
    ScopeName,
    Seq,
    named_record_id,
)
from schemas.kinds import KINDS
from schemas.ops import Op, Row, Stamp
from sync.outbox import OpState
from sync.replica import MemoryTables, Replica
from sync.replica.facts import WriteFacts
from tests.examples import EPOCH, HANDHELD, OTHER, T0

NORTH, SOUTH = ScopeName("area:north"), ScopeName("area:south")
GEN: Final = Generation(1)
SUMMARY: Final = FieldName("summary")
RECORDS: Final = tuple(sorted(named_record_id("replica", str(number)) for number in range(6)))
A, B, C = RECORDS[:3]
FACTS: Final = WriteFacts(
    author=OfficerId("WM21877"),
    now=Millis(T0),
    wall=Millis(T0 - 5),
    occurred_at=Millis(T0 - 9),
    why="what was seen there",
)


class Handheld:
    """A replica and its tables."""

    def __init__(self) -> None:
        """Begin empty."""
        self.tables = MemoryTables()
        self.replica = Replica(self.tables, HANDHELD)

    def stand(self, *scopes: ScopeName, seq: int = 10) -> None:
        """Hold these scopes, whole and without records, at a position."""
        self.replica.welcome(welcome(*(plan(scope, "snapshot", seq) for scope in scopes)))
        for scope in scopes:
            self.replica.page(page(scope, at=seq))

    def create(self, record: RecordId = A, area: str = "north", **more: Any) -> Op:  # noqa: ANN401  field values
        """Make an incident."""
        values = {"opened_at": 1, "area": area, "category": "crime", "summary": "made"} | more
        return self.write(record, values, create=True)

    def write(self, record: RecordId, values: dict[str, Any], *, create: bool = False) -> Op:
        """Make or change an incident."""
        changes = {FieldName(name): value for name, value in values.items()}
        return self.replica.write(record, KINDS["incident"], changes, FACTS, create=create)

    def durable(self, op: Op, seq: int, *scopes: ScopeName) -> list[OpNumber]:
        """Hear that an op is durable."""
        return self.replica.results(results(durable(op, seq, *scopes))).durable

    def state(self, op: Op) -> OpState:
        """Where an op stands."""
        kept = self.tables.op(op.n)
        assert kept is not None
        return kept.state

    def summary(self, record: RecordId = A) -> object:
        """What the officer sees of a record."""
        state = self.replica.view(record)
        return None if state is None else state.values()[SUMMARY]


def row(record: RecordId = A, version: int = 11, summary: str = "theirs") -> msgspec.Raw:
    """An incident as another device has made and the server kept it."""
    stamp = Stamp(OTHER, OpNumber(version), T0 - 1_000, version, OfficerId("WM30008"), T0, T0, version)
    values = {"opened_at": 1, "area": "north", "category": "crime", "summary": summary}
    cells: dict[FieldName, list[Any]] = {FieldName(name): [value, 0] for name, value in values.items()}
    return msgspec.Raw(encode(Row(id=record, kind="incident", v=Seq(version), stamps=[stamp], cells=cells)))


def plan(scope: ScopeName, action: str, seq: int = 10, **more: Any) -> wire.Plan:  # noqa: ANN401  fields of Plan
    """A plan of WELCOME or SCOPE_ADD."""
    return wire.Plan(scope=scope, gen=more.pop("gen", GEN), action=action, seq=Seq(seq), **more)  # type: ignore[arg-type]


def welcome(*plans: wire.Plan, epoch: Epoch = EPOCH, last_op: int = 0) -> wire.Welcome:
    """A WELCOME."""
    return wire.Welcome(
        proto=1,
        schema_min=1,
        schema_max=1,
        epoch=epoch,
        server_time=T0,
        last_op=OpNumber(last_op),
        credit=1,
        scopes=plans,
    )


def page(scope: ScopeName, *rows: msgspec.Raw, at: int = 10, **more: Any) -> wire.Snapshot:  # noqa: ANN401  fields
    """A SNAPSHOT; the only page, unless told otherwise."""
    fields: dict[str, Any] = {"gen": GEN, "after": "", "upto": "", "last": True} | more
    return wire.Snapshot(scope=scope, at=Seq(at), rows=rows, **fields)


def batch(scope: ScopeName, frm: int, to: int, *rows: msgspec.Raw, **more: Any) -> wire.Batch:  # noqa: ANN401  fields
    """A BATCH."""
    fields: dict[str, Any] = {"gen": GEN} | more
    return wire.Batch(scope=scope, frm=Seq(frm), to=Seq(to), rows=rows, **fields)


def durable(op: Op, seq: int, *scopes: ScopeName) -> wire.Result:
    """A good result."""
    return wire.Result(n=op.n, status="durable", seq=Seq(seq), scopes=scopes)


def results(*told: wire.Result) -> wire.Results:
    """A RESULTS."""
    return wire.Results(results=told)


def refused_with(code: str, act: Callable[[], object]) -> None:
    """The act is refused with that code, as the server's fault."""
    with pytest.raises(PeerError) as caught:
        act()
    assert caught.value.spec.code == code
