"""Promises 1 and 2 over real sockets: a server killed without warning loses nothing and applies nothing twice."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from server.demo.stage import Stage
from sync.device import Handheld, OpDurable
from tests.e2e.conftest import OpenHandheld, at_rest, report

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
ENTRIES = 120


async def listen(handheld: Handheld, told: set[str]) -> None:
    """Note which ops the handheld says are durable."""
    async for change in handheld.changes():
        if isinstance(change, OpDurable):
            told.add(change.op)


def stored_ops(data: Path) -> set[str]:
    """Every op in the file of a server that is not running."""
    connection = sqlite3.connect(f"file:{data / 'beatbook.db'}?mode=ro", uri=True)
    try:
        return {f"{device}/{n}" for device, n in connection.execute("SELECT device, n FROM op")}
    finally:
        connection.close()


async def test_a_server_killed_again_and_again_loses_nothing_and_doubles_nothing(
    stage: Stage, open_handheld: OpenHandheld
) -> None:
    """Three SIGKILLs in a stream of entries: each entry stands once; what was said durable was on disk at the kill."""
    await stage.start()
    writer = await open_handheld("hh-01")
    reader = await open_handheld("hh-02")
    told: set[str] = set()
    listening = asyncio.create_task(listen(writer, told))
    made = await writer.create(report())
    for i in range(ENTRIES):
        await writer.append(made.record, "log", LogEntry(text=f"entry {i}"))
        if i % 40 == 20:
            await writer.wait_until(lambda status: status.connected)
            await stage.kill()
            at_kill = set(told)
            assert at_kill <= stored_ops(stage.data)
            await stage.start()
    await writer.wait_until(at_rest)
    await stage.kill()
    assert len(told) == ENTRIES + 1
    assert told <= stored_ops(stage.data)
    await stage.start()
    await writer.wait_until(at_rest)
    await reader.wait_until(at_rest)
    for handheld in (writer, reader):
        incident = await handheld.get(Incident, made.record)
        assert incident is not None
        assert Counter(entry.text for entry in incident.log) == Counter(f"entry {i}" for i in range(ENTRIES))
    listening.cancel()


@pytest.mark.parametrize("new_epoch", [True, False], ids=["declared as a restore", "silently set back"])
async def test_a_server_restored_from_a_backup_gets_back_what_devices_hold(
    stage: Stage, open_handheld: OpenHandheld, tmp_path: Path, *, new_epoch: bool
) -> None:
    """What was acknowledged after the backup was taken is offered again, and both replicas equal the server."""
    await stage.start()
    one, two = await open_handheld("hh-01"), await open_handheld("hh-02")
    before = await one.create(report(summary="Before the backup"))
    await one.wait_until(at_rest)
    await stage.stop()
    shutil.copytree(stage.data, tmp_path / "backup")
    await stage.start()
    await one.append(before.record, "log", LogEntry(text="after the backup"))
    after = await two.create(report(summary="After the backup"))
    await one.wait_until(at_rest)
    await two.wait_until(at_rest)
    await stage.kill()

    shutil.rmtree(stage.data)
    shutil.copytree(tmp_path / "backup", stage.data)
    if new_epoch:
        connection = sqlite3.connect(stage.data / "beatbook.db")
        with connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", ("00112233aabbccdd",))
        connection.close()
    await stage.start()
    for handheld in (one, two):
        await handheld.wait_until(at_rest)
    records = await stage.all_records("incident")
    assert set(records) == {before.record, after.record}
    assert [entry["text"] for entry in records[before.record]["values"]["log"]] == ["after the backup"]
    found = dict(await one.find(Incident))
    assert found == dict(await two.find(Incident))
    assert set(found) == set(records)
