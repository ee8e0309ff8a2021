"""Mending, withdrawing and issuing again are one transaction of the encrypted tables each: all of it, or nothing."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

import pytest
from sqlcipher3 import dbapi2

from schemas import wire
from schemas.errors import ReplicaError
from schemas.ids import FieldName, OpNumber, RecordId, Seq, named_record_id
from sync.device.database import _transaction
from sync.device.sqlcipher import Found, Sql, SqlTables, make_tables
from sync.outbox import OpState
from sync.replica import Replica, StoredOp, Tables
from tests.sync.replica.outposts import CLOSED, GEN, NORTH, Post, Server

A, B = (RecordId(named_record_id("whole", name)) for name in "ab")


class Failing:
    """A connection on which the power goes at some statement."""

    def __init__(self, connection: Sql) -> None:
        """Never, until told."""
        self._connection = connection
        self.left: int | None = None

    @property
    def in_transaction(self) -> bool:
        """See `Sql`."""
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Found:
        """See `Sql`."""
        if self.left is not None and not sql.startswith(("BEGIN", "ROLLBACK")):
            self.left -= 1
            if self.left < 0:
                raise ReplicaError("the power is gone")
        return self._connection.execute(sql, parameters)

    def close(self) -> None:
        """See `Sql`."""
        self._connection.close()


def fill(tables: Tables, post: Post) -> None:
    """The same content as another replica's tables."""
    for op in post.tables.ops_in(OpState, OpNumber(0), 100):
        tables.put_op(op)
    for record in (A, B):
        body = post.tables.row(record)
        if body is not None:
            version = Seq(post.tables.row_version(record) or 0)
            tables.put_row(record, "incident", version, body)
            tables.put_members(NORTH, [(record, version)])
    held = post.tables.position(NORTH)
    assert held is not None
    tables.put_position(NORTH, held)
    for key in ("device", "epoch", "next_op"):
        value = post.tables.meta(key)
        if value is not None:
            tables.set_meta(key, value)


def content(tables: Tables) -> tuple[list[StoredOp], bytes | None]:
    """Every op, and the next number."""
    return tables.ops_in(OpState, OpNumber(0), 1_000), tables.meta("next_op")


@pytest.fixture
def post() -> Post:
    """A device with a refused op and two that wait behind it, and a refused creation with one that waits."""
    made = Post(Server())
    made.create(A)
    made.sync()
    for text in ("one", "two", "three"):
        made.write(A, log=[{"text": text}])
    made.create(B)
    made.write(B, log=[{"text": "four"}])
    made.hello()
    made.push(3, CLOSED)
    told = wire.Result(n=OpNumber(5), status="refused", code="op_scopes_too_many")
    made.replica.results(wire.Results(results=(told,)))
    assert [state.value for state in made.states().values()] == [
        "settled", "held", "waiting", "waiting", "held", "queued",
    ]  # fmt: skip
    return made


@pytest.fixture
def failing(post: Post) -> Iterator[Failing]:
    """An encrypted database with the same content."""
    connection = dbapi2.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA key = 'any'")
    make_tables(connection)
    fill(SqlTables(connection), post)
    yield Failing(connection)
    connection.close()


def mended(replica: Replica, post: Post) -> object:
    """The officer mends."""
    return replica.mend(OpNumber(2), {FieldName("grade"): "p1"}, post.facts("a slip"))


def withdrawn(replica: Replica, _post: Post) -> object:
    """The officer gives one change up."""
    return replica.withdraw(OpNumber(2), "not here").reissued


def withdrawn_whole(replica: Replica, _post: Post) -> object:
    """The officer gives a record up."""
    return replica.withdraw(OpNumber(5), "never was").withdrawn


def numbers_taken(replica: Replica, _post: Post) -> object:
    """The server says that a copy has used the numbers."""
    told = tuple(wire.Result(n=OpNumber(n), status="refused", code="op_reused") for n in (3, 6))
    return replica.results(wire.Results(results=told)).reissued


def welcomed(replica: Replica, post: Post) -> object:
    """A new session begins, with a server that was set back."""
    plan = wire.Plan(scope=NORTH, gen=GEN, action="snapshot")
    other = "ff" * 8
    message = wire.Welcome(
        proto=1, schema_min=1, schema_max=3, epoch=other, server_time=post.server.tick(),  # type: ignore[arg-type]  # a text
        last_op=OpNumber(9), credit=1, scopes=(plan,),
    )  # fmt: skip
    return replica.welcome(message).again


ACTS: Final = (mended, withdrawn, withdrawn_whole, numbers_taken, welcomed)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_wherever_the_power_goes_nothing_of_it_is_kept(
    post: Post, failing: Failing, act: Callable[[Replica, Post], object]
) -> None:
    """At every statement in turn; and the whole act is what the tables in memory make of it."""
    # Whose `in_transaction` is only read.
    connection = cast("Sql", failing)
    tables = SqlTables(connection)
    before = content(tables)
    now, stops = post.server.now, 0
    while True:
        post.server.now = now
        failing.left = stops
        try:
            done = _transaction(connection, lambda _: act(Replica(tables, post.replica.device), post))
        except ReplicaError:
            failing.left = None
            assert content(tables) == before
            stops += 1
            continue
        break
    failing.left = None
    assert stops > 4
    post.server.now = now
    assert done == act(post.replica, post)
    assert content(tables) == content(post.tables)
    assert content(tables) != before
