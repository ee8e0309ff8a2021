"""Strangers' processes end when they are told to, with all that they started."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from loadtest.bench.machine import cores
from loadtest.peers import processes
from loadtest.peers.processes import Command, Server, free_ports, on_core
from schemas.errors import StoreError

# A server that starts another process in a session of its own, says whom, and listens.
NURSERY = """
import os, socket, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print(child.pid, sorted(os.sched_getaffinity(child.pid)), flush=True)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listening.accept()
"""


def command(tmp_path: Path, port: int | None, code: str = NURSERY) -> Command:
    """Start some Python."""
    words = [sys.executable, "-c", code, str(port)]
    return Command(words=words, port=port, folder=tmp_path, patience_s=20)


async def test_a_kill_takes_what_the_server_started_too(tmp_path: Path) -> None:
    """Nothing is left behind on the machine, whatever sessions it made, and it can be started again on its port."""
    (port,) = free_ports(1)
    said = tmp_path / "said"
    server = Server([command(tmp_path, port)], cores().server, said)
    for _ in range(2):
        await server.start()
        child = int(said.read_text("utf-8").splitlines()[-1].split()[0])
        assert child in server.pids()
        await server.kill()
        assert server.pids() == []
        # A zombie that nobody has collected yet runs no more.
        assert not processes._runs(child)
    assert said.read_text("utf-8").splitlines()[0].endswith(f"[{cores().server}]")


async def test_what_comes_first_has_ended_before_the_next_begins(tmp_path: Path) -> None:
    """A command without a port prepares something: it must end, and well."""
    (port,) = free_ports(1)
    made = tmp_path / "made"
    first = command(tmp_path, None, f"open({str(made)!r}, 'w').close()")
    second = command(tmp_path, port, f"open({str(made)!r}).close()\n{NURSERY}")
    server = Server([first, second], cores().server, tmp_path / "said")
    try:
        await server.start()
    finally:
        await server.kill()
    failing = Server([command(tmp_path, None, "raise SystemExit('no')")], cores().server, tmp_path / "said")
    with pytest.raises(StoreError, match=r"it said: (?s:.*)no\n"):
        await failing.start()


def test_a_core_is_lent_only_meanwhile() -> None:
    """The runner goes back to the cores it had."""
    before = os.sched_getaffinity(0)
    with on_core(cores().server):
        assert os.sched_getaffinity(0) == {cores().server}
    assert os.sched_getaffinity(0) == before


def test_without_setpriv_it_is_started_plainly(tmp_path: Path) -> None:
    """A system without that program can measure too."""
    one = command(tmp_path, 1)
    assert processes.guarded(one, lambda _: None) == list(one.words)
    assert processes.guarded(one, lambda _: "/bin/setpriv")[:2] == ["/bin/setpriv", "--pdeathsig=KILL"]


async def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Even a runner that is killed, and so cannot clean up, leaves no server behind."""
    if processes.guarded(command(tmp_path, 1))[0] == sys.executable:
        pytest.skip("the system has no setpriv")
    runner = f"""
import asyncio, pathlib, signal, sys
from loadtest.peers.processes import Command, Server
command = Command(words=[sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"], port=9,
                  folder=pathlib.Path({str(tmp_path)!r}), patience_s=60)
server = Server([command], 0, pathlib.Path({str(tmp_path / "said")!r}))
async def main():
    task = asyncio.create_task(server.start())
    while not server.pids():
        await asyncio.sleep(0.01)
    print(server.pids()[0], flush=True)
    await task
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", runner, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    watched = os.pidfd_open(pid)
    try:
        process.kill()
        await process.wait()
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(watched, gone.set)
        await gone.wait()
        asyncio.get_running_loop().remove_reader(watched)
    finally:
        os.close(watched)
