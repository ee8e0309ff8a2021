"""The handheld and a server over real sockets: what goes up, what arrives, what is taken back, and what is told."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from schemas import wire
from schemas.codec import decode_hello_body
from schemas.ids import DeviceId, Millis, OpNumber, Seq
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from schemas.kinds.incident import Grade
from sync.device import DeviceIdentity, Handheld, HeldKey, OpDurable, OpHeld, RecordChanged
from sync.device.store import Held, ReplicaStore
from sync.outbox import OpState
from sync.replica.tables import PlacedRow, StoredOp
from tests.sync.device.support import (
    BIRMINGHAM,
    NOON,
    WALSALL,
    VirtualClock,
    caught_up,
    change_of,
    connected,
    incident,
    opened,
    record_id,
    said,
    server_has,
    unnumbered,
)
from tests.toy_server import ToyServer, toy_server

# --- both ways -------------------------------------------------------------------------------------------------------


async def test_what_is_written_offline_goes_up_when_there_is_a_server(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """Edits of a whole shift, through a restart of the program, arrive in one go and are durable once each."""
    async with await opened(tmp_path / "replica", identity) as offline:
        records = [(await offline.create(incident(f"Report {n}"))).record for n in range(300)]
        assert offline.status.waiting == 300
    async with await opened(tmp_path / "replica", identity, server=toy.url) as handheld:
        stream = handheld.changes()
        status = await handheld.wait_until(caught_up)
        assert (status.waiting, status.held, status.last_error, status.repairs) == (0, 0, "", 0)
        assert status.last_synced_at is not None
        durable = [await change_of(stream, OpDurable) for _ in range(300)]
        assert [change.op for change in durable] == [f"hh-0042/{n}" for n in range(1, 301)]
    for record in records:
        assert await server_has(toy, record)
    assert (await toy.store.heads())[BIRMINGHAM].count == 300


async def test_a_live_batch_reaches_the_reader(handheld: Handheld, toy: ToyServer) -> None:
    """A record that the control room makes is told of, and can be read when it is."""
    stream = handheld.changes()
    made = incident("Door forced")
    await toy.make(record_id(1), made)
    assert await change_of(stream, RecordChanged) == RecordChanged(record_id(1), Incident, "server")
    assert unnumbered(await handheld.get(Incident, record_id(1))) == made


async def test_own_writes_come_back_with_the_servers_stamp(handheld: Handheld) -> None:
    """An edit never flickers on its way, and in the end says when it was recorded."""
    stream = handheld.changes()
    written = await handheld.create(incident())
    assert await change_of(stream, OpDurable) == OpDurable(written.op)
    assert unnumbered(await handheld.get(Incident, written.record)) == incident()
    await handheld.wait_until(caught_up)
    while (view := await handheld.inspect(written.record)) is None or view.pending:
        await change_of(stream, RecordChanged)
    assert view.version > 0
    assert all(field.stamp.recorded_at > 0 for field in view.fields.values())


async def test_two_handhelds_end_up_equal(tmp_path: Path, toy: ToyServer, handheld: Handheld) -> None:
    """What each wrote on the same record is at both, and both hold the same."""
    other = DeviceIdentity.generate("hh-0043")
    toy.enrol(other, BIRMINGHAM)
    async with connected(tmp_path / "other", other, toy, author="WM30001") as second:
        stream = second.changes()
        written = await handheld.create(incident())
        await change_of(stream, RecordChanged)
        await asyncio.gather(
            handheld.edit(written.record, grade=Grade.P1),
            second.append(written.record, "log", LogEntry(text="On scene")),
        )
        expected = incident(grade=Grade.P1, log=(LogEntry(text="On scene"),))
        for each in (handheld, second):
            stream = each.changes()
            while unnumbered(await each.get(Incident, written.record)) != expected:
                await change_of(stream, RecordChanged)
            await each.wait_until(caught_up)


async def test_a_large_scope_comes_in_pages_and_goes_on_after_a_cut(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """A snapshot that was cut is resumed behind its last page, and the digest agrees in the end."""
    for n in range(2_500):
        await toy.make(record_id(n), incident(f"Report {n}"))
    hellos = []

    def cut(_ack: "asyncio.Future[Any]") -> None:
        hellos.append(toy.next_message(wire.Hello))
        toy.cut_all()

    toy.next_message(wire.Ack).add_done_callback(cut)
    async with connected(tmp_path / "replica", identity, toy) as handheld:
        assert len(await handheld.find(Incident)) == 2_500
        assert handheld.status.repairs == 0
    (position,) = decode_hello_body((await hellos[0]).body).scopes
    assert position.after not in (None, "")


async def test_a_page_waits_for_the_disk_unless_it_touched_an_own_op(tmp_path: Path) -> None:
    """What only brings rows may be lost with the power; what writes an op is synced before anybody is told of it."""
    store = await ReplicaStore.open(tmp_path / "replica", HeldKey(bytes(32)), DeviceId("hh-0042"))

    def synced(held: Held) -> bytes | None:
        return held.tables.meta("synced")

    rows = [PlacedRow(record_id(2), "incident", Seq(1), b"row")]
    await store.change(lambda held: held.tables.put_rows(rows), lambda *_: None, may_wait=True)
    assert await store.read(synced) is None
    own = StoredOp(n=OpNumber(1), record=record_id(1), kind="incident", state=OpState.QUEUED, body=b"op")
    await store.change(lambda held: held.tables.put_op(own), lambda *_: None, may_wait=True)
    assert await store.read(synced) is not None
    await store.close()


async def test_what_was_missed_in_a_tunnel_is_caught_up(handheld: Handheld, toy: ToyServer) -> None:
    """A cut connection comes back by itself, and both sides' changes meet."""
    written = await handheld.create(incident())
    await handheld.wait_until(caught_up)
    await toy.stop()
    await handheld.wait_until(lambda status: not status.connected)
    await toy.make(record_id(1), incident("While you were away"))
    await handheld.edit(written.record, grade=Grade.P1)
    assert handheld.status.waiting == 1
    await toy.start()
    await handheld.wait_until(caught_up)
    assert unnumbered(await handheld.get(Incident, record_id(1))) == incident("While you were away")
    assert unnumbered(await handheld.get(Incident, written.record)) == incident(grade=Grade.P1)


async def test_cuts_at_any_moment_lose_nothing_and_double_nothing(handheld: Handheld, toy: ToyServer) -> None:
    """Every op is durable once, whatever was on its way when the link tore."""
    stream = handheld.changes()
    written = await handheld.create(incident())
    ops = [written.op]
    for n in range(60):
        ops.append((await handheld.append(written.record, "log", LogEntry(text=f"Entry {n}"))).op)
        if n % 7 == 3:
            toy.cut_all()
    await handheld.wait_until(caught_up)
    assert [(await change_of(stream, OpDurable)).op for _ in ops] == ops
    record = await handheld.get(Incident, written.record)
    assert record is not None
    assert [entry.text for entry in record.log] == [f"Entry {n}" for n in range(60)]


# --- what the server takes back or refuses ---------------------------------------------------------------------------


async def test_a_scope_that_is_taken_away_leaves_at_once(handheld: Handheld, toy: ToyServer) -> None:
    """Its records go, readers are told, the server gets its receipt, and nothing of it stays in the tables."""
    for n in range(3):
        await toy.make(record_id(n), incident(f"Report {n}"))
    stream = handheld.changes()
    await handheld.wait_until(caught_up)
    while len(await handheld.find(Incident)) < 3:
        await change_of(stream, RecordChanged)
    stream = handheld.changes()
    receipt = toy.next_message(wire.Retracted)
    toy.take_away(handheld._store.device, BIRMINGHAM)
    told = await receipt
    assert (told.scope, told.gen, told.removed) == (BIRMINGHAM, 1, 3)
    assert {(await change_of(stream, RecordChanged)).record for _ in range(3)} == {record_id(n) for n in range(3)}
    assert await handheld.find(Incident) == []
    assert handheld.status.connected
    left = await handheld._store.read(lambda held: (held.tables.positions(), held.tables.members(BIRMINGHAM, "", "")))
    assert left == ({}, [])


async def test_a_scope_that_was_taken_away_meanwhile_leaves_first_thing(handheld: Handheld, toy: ToyServer) -> None:
    """A grant that ended while the device was away is carried out at WELCOME and answered before any push."""
    await toy.make(record_id(1), incident())
    stream = handheld.changes()
    await change_of(stream, RecordChanged)
    await handheld.go_offline()
    toy.take_away(handheld._store.device, BIRMINGHAM)
    await handheld.create(incident("Written in the tunnel"))
    order = [toy.next_message(wire.Retracted), toy.next_message(wire.Push)]
    pushed_first: list[bool] = []
    order[1].add_done_callback(lambda _: pushed_first.append(not order[0].done()))
    await handheld.go_online()
    assert (await order[0]).removed == 1
    await order[1]
    assert pushed_first == [False]
    assert await handheld.get(Incident, record_id(1)) is None


async def test_a_scope_that_is_granted_arrives_while_connected(handheld: Handheld, toy: ToyServer) -> None:
    """Its records come without a new connection, and it counts as caught up only when they are here."""
    await toy.make(record_id(1), incident("Over the border", area="walsall"))
    connections = list(toy.connections)
    stream = handheld.changes()
    behind = asyncio.ensure_future(handheld.wait_until(lambda status: not status.caught_up))
    await asyncio.sleep(0)
    await toy.grant(handheld._store.device, WALSALL)
    assert (await behind).connected
    assert (await change_of(stream, RecordChanged)).record == record_id(1)
    await handheld.wait_until(caught_up)
    assert toy.connections == connections


async def test_a_refused_op_is_held_shown_and_blocks_nothing_else(handheld: Handheld, toy: ToyServer) -> None:
    """The officer learns the reason and what to do; other records' ops go through; the op is kept for good."""
    await toy.make(record_id(1), incident("Moves away"))
    stream = handheld.changes()
    await change_of(stream, RecordChanged)
    await handheld.go_offline()
    await toy.act(record_id(1), "incident", {"area": "walsall"})
    refused = await handheld.edit(record_id(1), grade=Grade.P1)
    fine = await handheld.create(incident("Something else"))
    await handheld.go_online()
    assert await change_of(stream, OpDurable) == OpDurable(fine.op)
    told = await change_of(stream, OpHeld)
    assert (told.op, told.code) == (refused.op, "op_not_permitted")
    status = await handheld.wait_until(caught_up)
    assert status.held == 1
    (held,) = await handheld.held()
    assert (held.op, held.record, held.kind, held.code) == (refused.op, record_id(1), "incident", "op_not_permitted")
    assert held.changes == {"grade": "p1"}
    assert "supervisor" in held.action


# --- digests ---------------------------------------------------------------------------------------------------------


async def test_a_digest_that_differs_is_repaired_and_counted(handheld: Handheld, toy: ToyServer) -> None:
    """A record that got lost here is found by comparing, and comes back."""
    for n in range(40):
        await toy.make(record_id(n), incident(f"Report {n}"))
    await handheld.wait_until(caught_up)
    stream = handheld.changes()
    while len(await handheld.find(Incident)) < 40:
        await change_of(stream, RecordChanged)

    def lose(held: Any) -> None:  # noqa: ANN401  the store's own type
        held.tables.drop_member(BIRMINGHAM, record_id(7))
        held.tables.drop_row(record_id(7))
        position = held.tables.position(BIRMINGHAM)
        held.tables.put_position(BIRMINGHAM, msgspec.structs.replace(position, digest=bytes(32), count=39))

    await handheld._store.change(lose, lambda _result, _committed: None)
    asked = toy.next_message(wire.Repair)
    await toy.make(record_id(40), incident("Report 40"))
    assert (await asked).scope == BIRMINGHAM
    while await handheld.get(Incident, record_id(7)) is None:
        await change_of(stream, RecordChanged)
    assert handheld.status.repairs >= 1


async def test_a_scope_that_repairs_do_not_mend_is_fetched_anew(handheld: Handheld, toy: ToyServer) -> None:
    """After two repairs in a row that did not help, the position is given up and the whole scope comes again."""
    wrong = 3

    def lie(true: bytes | None) -> bytes | None:
        nonlocal wrong
        if true is not None and wrong:
            wrong -= 1
            return bytes(32)
        return true

    toy.told_digest = lie
    hello = toy.next_message(wire.Hello)
    ended = asyncio.ensure_future(handheld.wait_until(said("still differs after 2 repairs")))
    await toy.make(record_id(1), incident())
    await ended
    (position,) = decode_hello_body((await hello).body).scopes
    assert (position.seq, position.after) == (Seq(0), "")
    status = await handheld.wait_until(caught_up)
    assert status.repairs == 2
    assert unnumbered(await handheld.get(Incident, record_id(1))) == incident()


# --- time and pace ----------------------------------------------------------------------------------------------------


async def test_the_time_that_a_server_told_is_kept_for_the_next_start(tmp_path: Path, identity: DeviceIdentity) -> None:
    """A handheld whose clock is a day behind stamps true times, also after a restart with no signal."""
    day = 86_400_000
    clock = VirtualClock(NOON - day)
    async with (
        toy_server([(identity, [BIRMINGHAM])], now=lambda: Millis(NOON)) as toy,
        connected(tmp_path / "replica", identity, toy, clock=clock) as handheld,
    ):
        status = await handheld.wait_until(lambda status: status.clock_skew_ms is not None)
        assert status.clock_skew_ms == -day
    later = VirtualClock(NOON - day + 500)
    later.reboot()
    async with await opened(tmp_path / "replica", identity, clock=later) as again:
        assert again.status.last_synced_at == NOON
        written = await again.create(incident())
        view = await again.inspect(written.record)
        assert view is not None
        assert {field.stamp.occurred_at for field in view.fields.values()} == {NOON + 500}


async def test_upload_is_gathered_and_stays_below_the_servers_pace(handheld: Handheld, toy: ToyServer) -> None:
    """However fast the application writes, the server gets few, full messages."""
    (connection,) = toy.connections
    for n in range(400):
        await handheld.create(incident(f"Report {n}"))
    await handheld.wait_until(caught_up)
    assert connection.session.ending is None
    pushes = [message for message in connection.heard if isinstance(message, wire.Push)]
    assert sum(len(push.ops) + len(push.edits) for push in pushes) == 400
    assert len(pushes) < 200
