"""A copied replica folder, and ops that wait, over real sockets: what the pure rules promise reaches the wire."""

import shutil
from collections import Counter
from pathlib import Path

from schemas import wire
from schemas.codec import reread_op
from schemas.ids import OpId
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from schemas.kinds.incident import Grade
from schemas.ops import Doubt
from sync.device import DeviceIdentity, Handheld, OpDurable, OpReissued
from tests.sync.device.support import caught_up, change_of, connected, incident, opened, record_id
from tests.sync.replica.outposts import copied_store
from tests.toy_server import ToyServer


async def test_two_copies_of_a_replica_write_in_turn(tmp_path: Path, identity: DeviceIdentity, toy: ToyServer) -> None:
    """The same folder on two machines, each connected in turn: every entry is in the record once, and flagged."""
    folders = (tmp_path / "one", tmp_path / "two")
    async with connected(folders[0], identity, toy) as handheld:
        record = (await handheld.create(incident())).record
        await handheld.wait_until(caught_up)
    shutil.copytree(*folders)
    said = []
    for turn in range(6):
        async with await opened(folders[turn % 2], identity) as offline:
            for part in range(2):
                said.append(f"{turn} {part}")
                await offline.append(record, "log", LogEntry(text=said[-1]))
        if turn % 3:
            async with connected(folders[turn % 2], identity, toy):
                pass
    for folder in (*folders, *folders):
        async with connected(folder, identity, toy):
            pass
    for folder in folders:
        async with await opened(folder, identity) as offline:
            shown = await offline.get(Incident, record)
            assert shown is not None
            assert Counter(entry.text for entry in shown.log) == Counter(said)
    flagged = [kept for kept in await toy.store.ops(None, 0, 100) if reread_op(kept.body).doubt & Doubt.RENUMBERED]
    assert flagged
    assert all(kept.result.status == "durable" for kept in flagged)


async def test_an_application_learns_an_op_s_new_name(tmp_path: Path, identity: DeviceIdentity, toy: ToyServer) -> None:
    """It follows its op by name: the name changes once, and the word that it is durable bears the new one."""
    folders = (tmp_path / "one", tmp_path / "two")
    async with connected(folders[0], identity, toy) as handheld:
        record = (await handheld.create(incident())).record
        await handheld.wait_until(caught_up)
    shutil.copytree(*folders)
    async with connected(folders[0], identity, toy) as handheld:
        await handheld.append(record, "log", LogEntry(text="one"))
        await handheld.wait_until(caught_up)
    async with connected(folders[1], identity, toy) as handheld:
        await handheld.go_offline()
        written = await handheld.edit(record, grade=Grade.P1)
        assert written.op == "hh-0042/3", "above what the server told at WELCOME"
    async with await opened(folders[0], identity) as offline:
        mine = await offline.edit(record, grade=Grade.P2, why="They have parted")
        assert mine.op == "hh-0042/3"
    async with connected(folders[1], identity, toy):
        pass
    async with await opened(folders[0], identity, server=toy.url) as handheld:
        stream = handheld.changes()
        assert await change_of(stream, OpReissued) == OpReissued(mine.op, OpId("hh-0042/4"))
        assert await change_of(stream, OpDurable) == OpDurable(OpId("hh-0042/4"))
        status = await handheld.wait_until(caught_up)
        assert (status.held, status.waiting) == (0, 0)


async def test_a_waiting_op_goes_on_in_the_same_session_when_what_it_saw_has_come(
    handheld: Handheld, toy: ToyServer
) -> None:
    """The server was set back and lost what the officer saw; once that comes again, nobody need connect anew."""
    record = record_id(1)
    await toy.make(record, incident())
    await handheld.wait_until(caught_up)
    before, own_ops = copied_store(toy.store, toy.store.epoch), toy._own_ops
    stream = handheld.changes()
    await toy.act(record, "incident", {"grade": "p1"})
    while True:
        shown = await handheld.get(Incident, record)
        if shown is not None and shown.grade is Grade.P1:
            break
        await anext(stream)
    await handheld.go_offline()
    written = await handheld.edit(record, grade=Grade.P2, why="They have parted")
    toy.store, toy._own_ops = before, own_ops
    pushed = toy.next_message(wire.Push)
    connections = toy.next_message(wire.Hello)
    await handheld.go_online()
    await connections
    await pushed
    await handheld.wait_until(lambda status: status.caught_up)
    assert handheld.status.waiting == 1
    (connection,) = toy.connections
    stream = handheld.changes()
    await toy.act(record, "incident", {"grade": "p1"})
    assert await change_of(stream, OpDurable) == OpDurable(written.op)
    assert toy.connections == [connection]
    await handheld.wait_until(caught_up)
