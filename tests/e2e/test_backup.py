"""A backup under load, the server destroyed, restored, and every edit there: real processes, sockets and files."""

import asyncio
import os
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from schemas.ids import OpId, RecordId
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from server.demo.stage import Stage
from sync.device import Handheld, OpDurable
from tests.e2e.conftest import OpenHandheld, OpenMast, at_rest, report

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(110)]
ROOT = Path(__file__).resolve().parents[2]
WORKERS = 3


async def beatbook(*arguments: object) -> str:
    """Run a command in a process of its own; what it said. It must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


def epoch_of(data: Path) -> str:
    """The history that a server's database is of."""
    with closing(sqlite3.connect(f"file:{data / 'beatbook.db'}?mode=ro", uri=True)) as connection:
        (epoch,) = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return str(epoch)


class Officer:
    """Writes without a pause while at work, and notes what was said to be durable.

    Attributes:
        texts: op -> what it wrote.
        told: the ops of which the server has said that they are durable.
    """

    def __init__(self, handheld: Handheld, name: str, record: RecordId) -> None:
        """Bind it to an incident of the officer's own."""
        self.handheld = handheld
        self.record = record
        self.texts: dict[OpId, str] = {}
        self.told: set[OpId] = set()
        self._name = name
        self._listening = asyncio.create_task(self._listen())

    async def write(self, why: str = "on the move") -> None:
        """One entry."""
        text = f"{self._name} entry {len(self.texts)}"
        made = await self.handheld.append(self.record, "log", LogEntry(text=text), why=why)
        self.texts[made.op] = text

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Entry after entry until the block ends."""
        enough = asyncio.Event()

        async def work() -> None:
            while not enough.is_set():
                await self.write()
                # A handheld is one officer's: the others of this process must come to their turn.
                await asyncio.sleep(0)

        working = asyncio.create_task(work())
        try:
            yield
        finally:
            # Not cancelled: an entry that is half-way would be written and not be noted.
            enough.set()
            await working

    async def _listen(self) -> None:
        async for change in self.handheld.changes():
            if isinstance(change, OpDurable):
                self.told.add(OpId(change.op))

    def close(self) -> None:
        """Listen no longer."""
        self._listening.cancel()


async def logs(handheld: Handheld) -> dict[RecordId, Counter[str]]:
    """What each incident's log says on a handheld."""
    return {record: Counter(entry.text for entry in one.log) for record, one in await handheld.find(Incident)}


async def test_what_was_acknowledged_before_a_backup_or_is_on_a_device_outlives_the_server(
    stage: Stage, open_handheld: OpenHandheld, open_mast: OpenMast, tmp_path: Path
) -> None:
    """Devices write all the time; a backup is taken meanwhile; the server is killed and its folder destroyed.

    Once it is restored and the devices are back, each entry stands once: those from before the backup of a device that
    never comes back, those that were said to be durable after it, and those that were never sent. All replicas hold the
    same, the database is sound, and it is another history.
    """
    await stage.start()
    away, silent = await open_mast(), await open_mast()
    handhelds = [await open_handheld(f"hh-{i}") for i in range(WORKERS)]
    handhelds += [await open_handheld("hh-away", mast=away), await open_handheld("hh-silent", mast=silent)]
    officers = []
    for i, handheld in enumerate(handhelds):
        made = await handheld.create(report(summary=f"Of officer {i}"))
        officers.append(Officer(handheld, f"officer {i}", made.record))
    *workers, gone, offline = officers
    for _ in range(5):
        await gone.write()
        await offline.write()
    for handheld in handhelds:
        await handheld.wait_until(at_rest)
    lost_for_good = set(gone.texts.values())
    away.cut()
    silent.cut()

    key, archive = tmp_path / "backup.key", tmp_path / "backup.bbk"
    recipient = (await beatbook("backup", "keygen", "--to", key)).splitlines()[0]
    async with workers[0].at_work(), workers[1].at_work(), workers[2].at_work():
        before = {officer: set(officer.told) for officer in workers}
        await beatbook("backup", "--data", stage.data, "--to", archive, "--recipient", recipient)
        meanwhile = sum(len(officer.told - before[officer]) for officer in workers)
        assert meanwhile > 0, "nothing was acknowledged while the backup was taken"
        for officer in workers:
            await officer.handheld.wait_until(lambda status: status.connected)
        for _ in range(5):
            await offline.write()
    for officer in workers:
        await officer.handheld.wait_until(at_rest)
    after = sum(len(officer.told - before[officer]) for officer in workers)
    assert after >= meanwhile

    epoch = epoch_of(stage.data)
    await stage.kill()
    shutil.rmtree(stage.data)
    said = await beatbook("restore", archive, "--data", stage.data, "--key", key, "--verify")
    assert "signed checkpoint of the backup" in said
    await stage.start()
    silent.restore()
    present = [officer.handheld for officer in (*workers, offline)]
    for handheld in present:
        await handheld.wait_until(at_rest)

    expected = {officer.record: Counter(officer.texts.values()) for officer in officers}
    assert set(expected[gone.record]) == lost_for_good
    for handheld in present:
        assert await logs(handheld) == expected
    at_server = await stage.all_records("incident")
    assert {
        record: Counter(entry["text"] for entry in one["values"]["log"]) for record, one in at_server.items()
    } == expected
    assert (await stage.get("/v1/conflicts"))["unexplained"] == 0
    await stage.stop()
    assert epoch_of(stage.data) != epoch
    assert "nothing is wrong with what was checked" in await beatbook("verify", stage.data)
    for officer in officers:
        officer.close()


async def test_a_backup_that_is_killed_anywhere_leaves_the_one_before(stage: Stage, tmp_path: Path) -> None:
    """SIGKILL while it writes: the server goes on, the last whole backup is there, and the next one is taken."""
    await stage.start()
    archive, key = tmp_path / "backup.bbk", tmp_path / "backup.key"
    recipient = (await beatbook("backup", "keygen", "--to", key)).splitlines()[0]
    taking = ("backup", "--data", stage.data, "--recipient", recipient, "--to")
    await beatbook(*taking, archive)
    whole = archive.read_bytes()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", *map(str, taking), "-",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    # It is in the middle: nobody takes the rest, and the pipe is full or about to be closed.
    assert (await process.stdout.read(100)).startswith(b"beatbook backup 1\n")
    process.kill()
    await process.wait()
    assert archive.read_bytes() == whole
    await beatbook(*taking, archive)
    assert archive.read_bytes() != whole
    await stage.kill()
    await beatbook("restore", archive, "--data", stage.data, "--key", key, "--verify", "--replace")
    await stage.start()
