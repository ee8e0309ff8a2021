"""The writing process: it dies, is killed, is left alone; nothing that was acknowledged is lost by any of it."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import StoreError
from schemas.ids import DeviceId
from schemas.wire import Result
from server.store.sqlite import SqliteStore
from server.store.sqlite.frames import Ask, pack, read_ask
from server.store.sqlite.process import ATTEMPTS_MAX, WriterProcess
from server.store.sqlite.writer import SqliteWriter
from tests.server.store.support import DESK, NOW, Device, Keep, area, record_id, replay, results_of, statuses

ROOT = Path(__file__).resolve().parents[4]

# A writing process that dies over a commit: `before` it or `after` it, `once` or `always`.
DYING = """
import os, sys
from pathlib import Path
from server.store.sqlite import child
from server.store.sqlite.writer import SqliteWriter
marker, when, how_often, folder, descriptor, wait_s = sys.argv[1:]
commit = SqliteWriter.commit
def dying(self, group, now):
    die = how_often == "always" or not os.path.exists(marker)
    if die:
        Path(marker).touch()
    if die and when == "before":
        os._exit(9)
    settled = commit(self, group, now)
    if die:
        os._exit(9)
    return settled
SqliteWriter.commit = dying
child.main(Path(folder), int(descriptor), float(wait_s))
"""

# A server that pushes for ever, and notes in a ledger, on disk, what it was told is durable.
SERVER = """
import asyncio, os, sys
from pathlib import Path
from server.store.sqlite import SqliteStore
from tests.server.store.support import Device, commit, record_id
async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    device = Device()
    device.n = await store.last_op(device.device)
    with open(sys.argv[2], "ab", buffering=0) as ledger:
        while True:
            ops = [device.incident(record_id(device.n + 1)) for _ in range(5)]
            results = await commit(store, device.push(*ops))
            assert all(result.status == "durable" for result in results)
            ledger.write(b"".join(b"%d %d\\n" % (result.n, result.seq) for result in results))
            os.fsync(ledger.fileno())
            print(results[-1].n, flush=True)
asyncio.run(main())
"""


def dying(tmp_path: Path, when: str, how_often: str) -> list[str]:
    """Command of a writing process that dies over a commit."""
    return [sys.executable, "-c", DYING, str(tmp_path / "has-died"), when, how_often]


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[WriterProcess]:
    """A writing process on a new data folder."""
    opened = await WriterProcess.open(tmp_path / "data")
    yield opened
    await opened.close()


def running(pid: int) -> bool:
    """Whether the process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- from start to end -----------------------------------------------------------------------------------------------


async def test_it_runs_apart_and_ends_with_the_store(tmp_path: Path) -> None:
    """A process of its own while the store is open, none afterwards; later questions are told so."""
    writer = await WriterProcess.open(tmp_path / "data")
    pid = writer.pid
    assert pid is not None
    assert pid != os.getpid()
    assert running(pid)
    await writer.close()
    assert writer.pid is None
    assert not running(pid)
    with pytest.raises(StoreError, match="the store is closed"):
        await writer.commit([], NOW)
    await writer.close()


async def test_a_refusal_to_open_is_told_in_its_words(tmp_path: Path) -> None:
    """The operator reads the same text whether the writer is in this process or in another."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(StoreError, match=r"not a data folder.*'notes\.txt'"):
        await WriterProcess.open(tmp_path)


@pytest.mark.parametrize("command", [[sys.executable, "-c", "raise SystemExit(3)"], ["/nonexistent/python"]])
async def test_a_process_that_does_not_start_is_an_error(tmp_path: Path, command: list[str]) -> None:
    """Nothing hangs on a program that is not there or ends at once."""
    with pytest.raises(StoreError, match="the writing process does not start"):
        await WriterProcess.open(tmp_path / "data", command=command)


async def test_it_starts_wherever_the_operator_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder `server` in the working directory is not taken for the program."""
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    writer = await WriterProcess.open(Path("data"))
    assert writer.epoch
    await writer.close()


async def test_an_error_of_the_writer_is_told_and_it_goes_on(tmp_path: Path) -> None:
    """A failing commit is no reason to end the process: the next one is answered by the same."""
    device = Device()
    made = SqliteWriter.open(tmp_path / "data")
    made.commit([device.push(device.incident(record_id(1)), device.incident(record_id(2)))], NOW)
    made._connection.execute("UPDATE record SET body = x'c1' WHERE id = ?", (record_id(1),))
    made.close()
    writer = await WriterProcess.open(tmp_path / "data")
    pid = writer.pid
    with pytest.raises(StoreError, match=f"record.body of {record_id(1)} is damaged"):
        await writer.commit([device.push(device.note(record_id(1)))], NOW)
    (settled,) = await writer.commit([device.push(device.note(record_id(2)))], NOW)
    assert statuses(settled.results) == ["durable"]
    assert writer.pid == pid
    await writer.close()


async def test_signals_to_the_group_do_not_end_it(writer: WriterProcess) -> None:
    """Ctrl-C and a service manager's SIGTERM reach every process; the server can still drain into this one."""
    device = Device()
    pid = writer.pid
    assert pid is not None
    for signal_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, signal_)
        (settled,) = await writer.commit([device.push(device.incident(record_id(device.n)))], NOW)
        assert statuses(settled.results) == ["durable"]
    assert writer.pid == pid


# --- it dies ---------------------------------------------------------------------------------------------------------


async def test_it_is_started_again_after_a_kill(writer: WriterProcess) -> None:
    """SIGKILL between two commits: the next one is answered by a new process on the same history."""
    device = Device()
    await writer.commit([device.push(device.incident(record_id(1)))], NOW)
    pid, epoch = writer.pid, writer.epoch
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    (settled,) = await writer.commit([device.push(device.note(record_id(1)))], NOW)
    assert (settled.seq, statuses(settled.results)) == (2, ["durable"])
    assert writer.pid not in {None, pid}
    assert writer.epoch == epoch


@pytest.mark.e2e
async def test_kills_in_the_middle_of_a_stream_lose_nothing(tmp_path: Path, kept: Keep) -> None:
    """Promises 1 and 2: the writer killed six times under load, every op is kept once, as acknowledged."""
    writer = await WriterProcess.open(tmp_path / "data", pause_s=0)
    store = kept(await SqliteStore.over(writer, tmp_path / "data"))
    devices = [Device(DeviceId(f"hh-{i:04}")) for i in range(3)]
    acknowledged: dict[tuple[str, int], Result] = {}
    due = asyncio.Event()
    heads = {}

    async def push() -> None:
        for i in range(120):
            group = [
                one.push(one.incident(record_id(f"{one.device} {i}")), one.note(record_id("0"))) for one in devices
            ]
            settled = await store.commit(group, NOW)
            results = iter(results_of(settled))
            acknowledged.update({(one.device, r.n): r for one in devices for r in (next(results), next(results))})
            heads.update({change.scope: change.head for commit_ in settled for change in commit_.scopes})
            if i % 20 == 10:
                due.set()
            # So that the kill falls at another moment of a commit each time.
            await asyncio.sleep(0)

    async def kill() -> int:
        kills = 0
        while kills < 6:
            await due.wait()
            due.clear()
            if (pid := writer.pid) is not None:
                os.kill(pid, signal.SIGKILL)
            kills += 1
        return kills

    _, kills = await asyncio.gather(push(), kill())
    assert kills == 6
    assert heads == await store.heads()
    assert heads[area("birmingham")].count == 360
    for one in devices:
        assert await store.last_op(one.device) == 240
    await store.close()
    again = SqliteWriter.open(tmp_path / "data")
    rows = again._connection.execute("SELECT device, n, seq FROM op").fetchall()
    again.close()
    assert len(rows) == len({(device, n) for device, n, _ in rows}) == 720
    durable = {(device, n): seq for device, n, seq in rows if acknowledged[device, n].status == "durable"}
    assert durable == {key: result.seq for key, result in acknowledged.items() if result.status == "durable"}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_over_a_commit_is_not_seen_by_the_caller(tmp_path: Path, kept: Keep, when: str) -> None:
    """Whether it died before the commit or after it, the results are durable and the hub hears of every head."""
    device, desk = Device(), Device(DESK)
    writer = await WriterProcess.open(tmp_path / "data", command=dying(tmp_path, when, "once"), pause_s=0)
    store = kept(await SqliteStore.over(writer, tmp_path / "data"))
    settled = await store.commit([device.push(device.incident(record_id(1))), desk.push(desk.note(record_id(9)))], NOW)
    results = results_of(settled)
    assert statuses(results) == ["durable", "refused"]
    assert results[0].seq == 1
    told = {change.scope: change.head for one in settled for change in one.scopes}
    assert told == await store.heads()
    assert told[area("birmingham")].seq == 1
    (later,) = await store.commit([device.push(device.note(record_id(1)))], NOW)
    assert [(change.frm, change.head.seq, len(change.rows)) for change in later.scopes] == [(1, 2, 1)]


async def test_a_group_that_always_kills_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Bounded attempts, then an error; and another group later is tried anew."""
    writer = await WriterProcess.open(tmp_path / "data", command=dying(tmp_path, "before", "always"), pause_s=0)
    device = Device()
    pushed = device.push(device.incident(record_id(1)))
    for _ in range(2):
        with pytest.raises(StoreError, match=f"died {ATTEMPTS_MAX} times over the same ops"):
            await writer.commit([pushed], NOW)
    assert caplog.text.count("ended with status 9") == 2 * ATTEMPTS_MAX
    await writer.close()


async def test_another_database_is_not_gone_on_with(tmp_path: Path) -> None:
    """A folder put in the place of the one being served has another history: devices must learn of it by a restart."""
    data = tmp_path / "data"
    writer = await WriterProcess.open(data, pause_s=0)
    data.rename(tmp_path / "moved")
    SqliteWriter.open(data).close()
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    device = Device()
    with pytest.raises(StoreError, match="another database lies in the data folder"):
        await writer.commit([device.push(device.incident(record_id(1)))], NOW)
    await writer.close()
    other = SqliteWriter.open(data, wait_s=5)
    assert other._connection.execute("SELECT count(*) FROM op").fetchone() == (0,)
    other.close()


async def test_a_cancelled_commit_does_not_leave_its_answer_to_the_next(writer: WriterProcess) -> None:
    """The answer that nobody waits for any more is taken, and the next question gets its own."""
    device = Device()
    first = asyncio.create_task(writer.commit([device.push(device.incident(record_id(1)))], NOW))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    (settled,) = await writer.commit([device.push(device.note(record_id(1)), device.incident(record_id(2)))], NOW)
    assert [(result.n, result.status, result.seq) for result in settled.results] == [
        (2, "durable", 2),
        (3, "durable", 2),
    ]


# --- the server dies -------------------------------------------------------------------------------------------------


@pytest.mark.e2e
def test_a_killed_server_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Promise 1: SIGKILL with commits in flight, three times; all that the ledger holds is there."""
    data, ledger = tmp_path / "data", tmp_path / "ledger"
    told: dict[int, int] = {}
    for kill_after in (1, 7, 20):
        command = [sys.executable, "-c", SERVER, str(data), str(ledger)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}
        ) as server:
            assert server.stdout is not None
            for _ in range(kill_after):
                assert server.stdout.readline()
            server.kill()
        told = {int(n): int(seq) for n, seq in (line.split() for line in ledger.read_text().splitlines())}
        # The writing process sees its server gone, ends its commit and frees the folder.
        asyncio.run(_holds(data, told))
    assert len(told) >= 5 * (1 + 7 + 20)


async def _holds(data: Path, told: dict[int, int]) -> None:
    store = await SqliteStore.open(data, inline=True)
    assert await store.last_op(Device().device) >= max(told)
    ids = {record_id(n): seq for n, seq in told.items()}
    held, _ = await replay(store, area("birmingham"))
    assert {record: held.get(record) for record in ids} == ids
    await store.close()


# --- frames ----------------------------------------------------------------------------------------------------------


def test_a_question_cut_off_is_no_question() -> None:
    """The server may die in the middle of asking: what has not come whole is not carried out."""
    device = Device()
    whole = pack(Ask((device.push(device.incident(record_id(1))),), NOW))
    assert read_ask(io.BytesIO(whole)) is not None
    for cut in range(len(whole)):
        assert read_ask(io.BytesIO(whole[:cut])) is None
