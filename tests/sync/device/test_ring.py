"""What is sealed at rest: removing a record removes its key, and no power cut costs what stays."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlcipher3 import dbapi2

from schemas.errors import ReplicaError
from schemas.ids import OpNumber, RecordId, Seq
from sync import outbox
from sync.device.database import EncryptedDatabase
from sync.device.keys import HeldKey, KeyHolder
from sync.device.layout import SHUT, Sql, make_tables
from sync.device.ring import Ring, op_place, row_place, seal, unseal
from sync.device.slots import Unlocked
from sync.device.sqlcipher import SqlTables
from sync.device.store import Held, ReplicaStore
from sync.outbox import OpState
from sync.replica import StoredOp
from tests.sync.device.powercut import PowerCutError, powered
from tests.sync.device.seats import NEW_SHARE, PIN, QUARANTINE, SEAT, SHARE, slots
from tests.sync.device.support import KEY, record_id

A, B, C = record_id(1), record_id(2), record_id(3)
SECRET: Final = b"Quillfeather seen near the aqueduct"


@pytest.fixture
def sql() -> Iterator[Sql]:
    """An empty database in memory, which holds its ring key itself."""
    connection: Sql = dbapi2.connect(":memory:", isolation_level=None)
    make_tables(connection)
    yield connection
    connection.close()


def op(n: int, record: RecordId, state: OpState = OpState.QUEUED, body: bytes = b"an op") -> StoredOp:
    """An op of number n on a record."""
    return StoredOp(n=OpNumber(n), record=record, kind="incident", state=state, body=body)


def key_of(tables: SqlTables, record: RecordId) -> bytes | None:
    """A record's key, if it has one; it is not made."""
    wrapped = tables._one("SELECT wrapped FROM record_key WHERE record = ?", record)
    return None if wrapped is None else tables._ring().unwrap(record, wrapped)


def stored(sql: Sql, table: str, record: RecordId) -> list[bytes]:
    """Bodies as they lie in a table."""
    assert table in ("row", "op")
    return [body for (body,) in sql.execute(f"SELECT body FROM {table} WHERE record = ?", (record,)).fetchall()]  # noqa: S608  checked


# --- sealing ---------------------------------------------------------------------------------------------------------


def test_a_body_opens_at_its_place_only() -> None:
    """A row's body is no op's, one op's no other's, one record's no other's; another key opens none."""
    key = bytes(32)
    places = [row_place(A), row_place(B), op_place(A, OpNumber(1)), op_place(A, OpNumber(11)), op_place(B, OpNumber(1))]
    assert len(set(places)) == len(places)
    for sealed_at, opened_at in itertools.product(places, places):
        sealed = seal(key, SECRET, sealed_at)
        if sealed_at == opened_at:
            assert unseal(key, sealed, opened_at) == SECRET
            continue
        with pytest.raises(ReplicaError, match="does not fit its place"):
            unseal(key, sealed, opened_at)
    for bad in (b"", b"short", seal(bytes([1]) * 32, SECRET, places[0]), seal(key, SECRET, places[0])[:-1]):
        with pytest.raises(ReplicaError, match="does not fit its place"):
            unseal(key, bad, places[0])


def test_a_record_s_key_opens_for_its_record_and_ring_only() -> None:
    """A wrapped key that was moved to another record's line is noticed; a wiped ring opens nothing."""
    ring, key = Ring(bytes(32)), bytes(range(32))
    wrapped = ring.wrap(A, key)
    assert (len(wrapped), ring.unwrap(A, wrapped)) == (60, key)
    for other, record in ((ring, B), (Ring(KEY), A)):
        with pytest.raises(ReplicaError, match="damaged, or under another ring key"):
            other.unwrap(record, wrapped)
    assert (ring.key(), ring.check() != Ring(KEY).check(), "0" in repr(ring)) == (bytes(32), True, False)
    held = Ring(KEY)
    held.wipe()
    held.wipe()
    assert held.key() == bytes(32)
    with pytest.raises(ReplicaError, match="locked"):
        held.wrap(A, key)


def test_no_body_lies_open_in_the_tables_and_each_record_has_its_own_key(sql: Sql) -> None:
    """Rows and own ops alike; written again, a body looks different."""
    tables = SqlTables(sql)
    for record in (A, B):
        tables.put_row(record, "incident", Seq(1), SECRET)
    tables.put_op(op(1, A, body=SECRET))
    first = stored(sql, "row", A)
    tables.put_row(A, "incident", Seq(2), SECRET)
    bodies = [*first, *stored(sql, "row", A), *stored(sql, "row", B), *stored(sql, "op", A)]
    assert len(set(bodies)) == 4
    assert not any(SECRET[:8] in body for body in bodies)
    assert key_of(tables, A) not in (None, key_of(tables, B))


def test_what_an_author_said_of_an_op_is_sealed_with_it(sql: Sql) -> None:
    """Why it is held and why it was withdrawn are words about the record too."""
    tables = SqlTables(sql)
    said = StoredOp(
        n=OpNumber(1), record=A, kind="incident", state=OpState.WITHDRAWN, body=b"an op",
        code="op_value_wrong", detail="Mrs Oddsocks", why="Quillfeather was elsewhere",
    )  # fmt: skip
    tables.put_op(said)
    assert tables.op(OpNumber(1)) == said
    lying = sql.execute("SELECT * FROM op").fetchall()
    assert "Oddsocks" not in str(lying)
    assert "Quillfeather" not in str(lying)


@pytest.mark.parametrize("swap", ["row", "op"])
def test_bodies_that_someone_swapped_are_noticed(sql: Sql, swap: str) -> None:
    """Also between two ops of one record, which share its key."""
    tables = SqlTables(sql)
    tables.put_row(A, "incident", Seq(1), b"one")
    tables.put_row(B, "incident", Seq(1), b"two")
    tables.put_op(op(1, A, body=b"one"))
    tables.put_op(op(2, A, body=b"two"))
    line = "record" if swap == "row" else "n"
    one, two = (A, B) if swap == "row" else (1, 2)
    (body,) = sql.execute(f"SELECT body FROM {swap} WHERE {line} = ?", (one,)).fetchone()  # noqa: S608  as given here
    sql.execute(f"UPDATE {swap} SET body = ? WHERE {line} = ?", (body, two))  # noqa: S608  as given here
    with pytest.raises(ReplicaError, match="does not fit its place"):
        tables.row(B) if swap == "row" else tables.op(OpNumber(2))


# --- removing --------------------------------------------------------------------------------------------------------


def test_a_record_that_leaves_takes_its_key_along(sql: Sql) -> None:
    """No key is left of it, others keep theirs, and that a new ring key is due is written down."""
    tables = SqlTables(sql)
    tables.put_row(A, "incident", Seq(1), SECRET)
    tables.put_row(B, "incident", Seq(1), b"stays")
    kept = key_of(tables, B)
    assert not tables.ring_due()
    tables.drop_row(C)
    assert not tables.ring_due()
    tables.drop_row(A)
    assert (key_of(tables, A), key_of(tables, B), tables.row(B)) == (None, kept, b"stays")
    assert tables.ring_due()
    tables.put_row(A, "incident", Seq(5), b"again")
    assert tables.row(A) == b"again"


def test_own_ops_that_stay_get_another_key(sql: Sql) -> None:
    """What is left of the row in old pages is under a key that is gone, though the record's ops are still read."""
    tables = SqlTables(sql)
    tables.put_row(A, "incident", Seq(1), SECRET)
    tables.put_op(op(1, A, OpState.SETTLED, b"one"))
    tables.put_op(op(2, A, OpState.HELD, b"two"))
    before, (row,) = key_of(tables, A), stored(sql, "row", A)
    tables.drop_row(A)
    after = key_of(tables, A)
    assert after not in (None, before)
    assert after is not None
    with pytest.raises(ReplicaError):
        unseal(after, row, row_place(A))
    assert [kept.body for kept in tables.ops_of(A)] == [b"one", b"two"]
    assert tables.ring_due()


@pytest.mark.parametrize("row_first", [True, False])
@pytest.mark.parametrize("end", ["sealed", "destroyed"])
def test_with_row_and_readable_ops_gone_the_key_goes(sql: Sql, end: str, *, row_first: bool) -> None:
    """In whichever order they go; an op that was sealed to the server is kept as it is, under no key of this device."""
    tables = SqlTables(sql)
    tables.put_row(A, "incident", Seq(1), SECRET)
    for n in (1, 2):
        tables.put_op(op(n, A, OpState.WITHDRAWN, SECRET))
    if row_first:
        tables.drop_row(A)
    for n in (1, 2):
        ended = op(n, A, OpState.WITHDRAWN, b"")
        if end == "sealed":
            ended = op(n, A, OpState.SEALED, b"hpke")
        tables.put_op(ended)
        assert tables.op(OpNumber(n)) == ended
    if not row_first:
        assert tables.row(A) == SECRET
        tables.drop_row(A)
    assert key_of(tables, A) is None
    assert tables.ring_due()
    assert [kept.body for kept in tables.ops_of(A)] == [b"" if end == "destroyed" else b"hpke"] * 2


def test_a_new_ring_key_wraps_what_stays_and_nothing_else(sql: Sql) -> None:
    """The old one opens none of the keys any more, the bodies are untouched, and none is due."""
    tables = SqlTables(sql)
    for number in range(1, 6):
        tables.put_row(record_id(number), "incident", Seq(1), str(number).encode())
    old = tables._ring()
    tables.drop_row(A)
    bodies = stored(sql, "row", B)
    new = Ring(KEY)
    assert tables.rotate_ring(new) == 4
    tables.use_ring(new)
    assert stored(sql, "row", B) == bodies
    assert [tables.row(record_id(number)) for number in range(1, 6)] == [None, b"2", b"3", b"4", b"5"]
    assert not tables.ring_due()
    for record, wrapped in sql.execute("SELECT record, wrapped FROM record_key").fetchall():
        with pytest.raises(ReplicaError):
            old.unwrap(record, wrapped)
    assert SqlTables(sql).row(B) == b"2"


def test_what_waits_for_the_server_is_kept_in_order_and_dropped(sql: Sql) -> None:
    """The read log up to a number, what is sealed item by item."""
    tables = SqlTables(sql)
    for n in (1, 2, 3, 10):
        tables.put_reading(n, f"read {n}".encode())
        tables.put_sealed(n, f"sealed {n}".encode())
    assert tables.readings(1, 2) == [(2, b"read 2"), (3, b"read 3")]
    assert tables.sealed(1, 2) == [(2, b"sealed 2"), (3, b"sealed 3")]
    tables.drop_readings(3)
    tables.drop_sealed(2)
    tables.drop_sealed(7)
    assert tables.readings(0, 10) == [(10, b"read 10")]
    assert [n for n, _ in tables.sealed(0, 10)] == [1, 3, 10]


# --- in a replica ----------------------------------------------------------------------------------------------------


def fill(held: Held) -> None:
    """A record that stays, with an own op, and one that will go."""
    held.tables.put_row(A, "incident", Seq(1), b"goes")
    held.tables.put_row(B, "incident", Seq(1), b"stays")
    held.tables.put_op(op(1, B, OpState.SETTLED, b"own"))


def content(held: Held) -> tuple[bytes | None, list[bytes]]:
    """What is left of it."""
    return held.tables.row(B), [kept.body for kept in held.tables.ops_of(B)]


LEFT: Final = (b"stays", [b"own"])


def nothing(*_: object) -> None:
    """Nobody listens."""


async def opened(root: Path, share: bytes = SHARE) -> ReplicaStore:
    """A seat's replica, with PIN and share."""
    return await ReplicaStore.open(root / "seat", slots(root).unlock(PIN, share), SEAT)


@pytest.fixture
async def seat(tmp_path: Path) -> Path:
    """A closed replica of a seat, with a record that has gone since; without its new ring key yet."""
    root = tmp_path / "template"
    store = await ReplicaStore.open(root / "seat", slots(root).make(PIN, SHARE, QUARANTINE), SEAT)
    await store.change(fill, nothing)
    await store.change(lambda held: held.tables.drop_row(A), nothing)
    await store.close()
    return root


async def test_with_a_key_holder_the_ring_key_is_not_in_the_database(seat: Path) -> None:
    """The data key alone reads no body: not with our code, and not past it."""
    data = slots(seat).unlock(PIN, SHARE).data_key()
    with pytest.raises(ReplicaError, match="kept in the key slots: open it with PIN and share"):
        await EncryptedDatabase.open(seat / "seat", HeldKey(data))
    connection = dbapi2.connect(str(seat / "seat" / "replica.db"), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{data.hex()}'\"")
    assert connection.execute("SELECT held FROM ring").fetchall() == [(None,)]
    connection.close()
    store = await opened(seat)
    assert await store.read(content) == LEFT
    await store.close()


async def test_a_renewed_ring_and_share_leave_nothing_to_the_old_ones(seat: Path) -> None:
    """That it was due survives a restart; afterwards old slots and old database do not fit the new ones."""
    old_ring = slots(seat).unlock(PIN, SHARE).ring_keys()
    shutil.copytree(seat, seat.parent / "image")
    store = await opened(seat)
    assert await store.read(lambda held: held.tables.ring_due())
    assert await store.renew_ring(NEW_SHARE) == 1
    assert await store.read(content) == LEFT
    await store.change(lambda held: held.tables.put_row(C, "incident", Seq(2), b"later"), nothing)
    await store.close()
    with pytest.raises(ReplicaError, match="under another share"):
        slots(seat).unlock(PIN, SHARE)
    assert slots(seat).unlock(PIN, NEW_SHARE).ring_keys() != old_ring
    store = await opened(seat, NEW_SHARE)
    assert await store.read(content) == LEFT
    assert await store.read(lambda held: held.tables.row(C)) == b"later"
    assert not await store.read(lambda held: held.tables.ring_due())
    await store.close()
    shutil.copy(seat.parent / "image" / "seat" / "replica.db", seat / "seat" / "replica.db")
    with pytest.raises(ReplicaError, match="set back to an earlier copy"):
        await opened(seat, NEW_SHARE)


async def test_a_replica_under_a_plain_key_renews_its_ring_too(tmp_path: Path) -> None:
    """It holds the ring key itself, and goes on with the new one."""
    keys: KeyHolder = HeldKey(KEY)
    store = await ReplicaStore.open(tmp_path, keys, SEAT)
    await store.change(fill, nothing)
    assert await store.renew_ring() == 2
    await store.change(lambda held: held.tables.drop_row(A), nothing)
    assert await store.renew_ring() == 1
    await store.close()
    store = await ReplicaStore.open(tmp_path, keys, SEAT)
    assert await store.read(content) == LEFT
    await store.close()


async def test_a_replica_under_a_plain_key_comes_under_a_pin(tmp_path: Path) -> None:
    """Its records' keys leave the database's own ring; from then on PIN and share are needed."""
    store = await ReplicaStore.open(tmp_path / "seat", HeldKey(KEY), SEAT)
    await store.change(fill, nothing)
    await store.close()
    keys = slots(tmp_path).make(PIN, SHARE, QUARANTINE, data_key=KEY)
    store = await ReplicaStore.open(tmp_path / "seat", keys, SEAT)
    assert await store.read(content) == LEFT
    await store.close()
    with pytest.raises(ReplicaError, match="kept in the key slots"):
        await ReplicaStore.open(tmp_path / "seat", HeldKey(KEY), SEAT)
    store = await opened(tmp_path)
    assert await store.read(content) == LEFT
    await store.close()


@pytest.mark.parametrize("lose_names", [True, False])
async def test_wherever_the_power_goes_while_the_ring_is_renewed_the_replica_opens(
    seat: Path, *, lose_names: bool
) -> None:
    """With the old share or the new one; what stays is whole, and renewing again carries it through."""
    old = slots(seat).wanted_share()
    shares = set()
    for step in itertools.count():
        root = seat.parent / f"run-{step}"
        shutil.copytree(seat, root)
        store = await opened(root)
        with powered(root, step, lose_names=lose_names) as disk:
            await store.renew_ring(NEW_SHARE)
        await store.close()
        share = SHARE if slots(root).wanted_share() == old else NEW_SHARE
        shares.add(share)
        store = await opened(root, share)
        assert await store.read(content) == LEFT
        await store.renew_ring(NEW_SHARE)
        assert await store.read(content) == LEFT
        await store.close()
        assert len(slots(root).unlock(PIN, NEW_SHARE).ring_keys()) == 1
        if not disk.gone:
            break
    assert step > 15
    assert shares == {SHARE, NEW_SHARE}


async def test_a_renewing_whose_end_could_not_be_written_is_never_lost(
    seat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is under the next key then: renewing again keeps that key until the one after it is in its place."""

    def full(*_: object) -> None:
        raise ReplicaError("the disk is full")

    for step in itertools.count():
        root = seat.parent / f"run-{step}"
        shutil.copytree(seat, root)
        store = await opened(root)
        with monkeypatch.context() as patch:
            patch.setattr(Unlocked, "ring_settled", full)
            with pytest.raises(ReplicaError, match="the disk is full"):
                await store._database._run(
                    lambda connection, of=store: changed_and_not_settled(connection, of)  # type: ignore[misc]
                )
        assert await store.read(content) == LEFT
        with powered(root, step) as disk:
            await store.renew_ring()
        await store.close()
        store = await opened(root)
        assert await store.read(content) == LEFT
        await store.close()
        if not disk.gone:
            break
    assert step > 15


def changed_and_not_settled(connection: Sql, store: ReplicaStore) -> None:
    """A renewing that comes as far as the database."""
    database, tables = store._database, store._held.tables
    assert isinstance(database._keys, Unlocked)
    ring = Ring(database._keys.next_ring())
    connection.execute("BEGIN IMMEDIATE")
    tables.rotate_ring(ring)
    connection.execute("COMMIT")
    tables.use_ring(ring)
    database.ring = ring
    database._keys.ring_settled(ring.key())


@pytest.mark.parametrize("wrapped", [0, 1])
async def test_a_rewrapping_that_stops_midway_changes_nothing(
    seat: Path, monkeypatch: pytest.MonkeyPatch, wrapped: int
) -> None:
    """Every record's key is under one ring, the old or the new; the open replica goes on working either way."""
    store = await opened(seat)
    await store.change(lambda held: held.tables.put_row(C, "incident", Seq(2), b"later"), nothing)
    real, done = Ring.wrap, itertools.count()

    def stop(self: Ring, record: RecordId, key: bytes) -> bytes:
        if next(done) == wrapped:
            raise PowerCutError
        return real(self, record, key)

    monkeypatch.setattr(Ring, "wrap", stop)
    with pytest.raises(PowerCutError):
        await store.renew_ring()
    monkeypatch.undo()
    assert await store.read(content) == LEFT
    await store.change(lambda held: held.tables.put_row(A, "incident", Seq(3), b"new"), nothing)
    await store.close()
    store = await opened(seat)
    assert await store.read(content) == LEFT
    assert await store.read(lambda held: (held.tables.row(A), held.tables.row(C))) == (b"new", b"later")
    await store.close()


def test_the_states_of_ops_that_are_sealed_to_the_server_are_the_outbox_s() -> None:
    """The tables put no key of this device around their bodies, and around all others they do."""
    assert set(SHUT) == {state.value for state in outbox.SHUT}
