"""kill -9 of a real witness process, at the worst moments and at any: never two cosignatures for forked heads.

A slow machine must not look like a dead witness, so requests wait longer than a test may last.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from server.witness.request import PATH
from tests.server.witness.submitting import FORK, HONEST, LOG_SIZE, request
from tests.sync.evidence.parties import LOG
from tests.sync.evidence.trees import MemoryHashes

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("stalled.py")
LONG_S = 60.0


class Process:
    """A witness in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    async def line(self) -> str:
        """What it says next; empty when it is gone."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def running(folder: Path, point: str = "none") -> AsyncIterator[Process]:
    """A witness on this folder that stalls at this point."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, folder, point, str(LOG.key),
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    process = Process(started, "")
    try:
        process.url = await process.line()
        assert process.url.startswith("http://"), process.url
        yield process
    finally:
        await process.kill()
        # Read to its end, so that the pipe is closed before the event loop is.
        assert await process.line() in {"", "stalled"}


async def ask(http: httpx.AsyncClient, process: Process, old: int, new: int, log: MemoryHashes) -> tuple[int, str]:
    """Status and body of an answer; (0, "") when the process died over it."""
    try:
        answer = await http.post(process.url + PATH, content=request(old, new, log))
    except httpx.HTTPError:
        return 0, ""
    return answer.status_code, answer.text


async def settle(http: httpx.AsyncClient, process: Process) -> None:
    """Two round trips that need only the process's event loop: what it had to send before them is here after them."""
    for _ in range(2):
        assert (await http.get(process.url + PATH)).status_code == 405


async def killed_over_honest(http: httpx.AsyncClient, folder: Path, point: str) -> None:
    """Kill a witness at this point of cosigning the honest head; nobody was told anything."""
    async with running(folder, point) as process:
        asked = asyncio.create_task(ask(http, process, 0, 17, HONEST))
        assert await process.line() == "stalled"
        await settle(http, process)
        assert not asked.done()
        await process.kill()
        assert await asked == (0, "")


@pytest.mark.parametrize("point", ["compared", "written"])
async def test_killed_before_the_commit_nothing_was_said(tmp_path: Path, point: str) -> None:
    """No byte of a cosignature has left; so the next process is free to sign the other history."""
    async with httpx.AsyncClient(trust_env=False, timeout=LONG_S) as http:
        await killed_over_honest(http, tmp_path / "w", point)
        async with running(tmp_path / "w") as process:
            assert (await ask(http, process, 0, 17, FORK))[0] == 200
            assert await ask(http, process, 0, 17, HONEST) == (409, "17\n")
            assert await ask(http, process, 17, 17, HONEST) == (409, "17\n")


async def test_killed_before_the_answer_the_head_stands(tmp_path: Path) -> None:
    """The next process signs that history, and no other, though nobody was told of the first."""
    async with httpx.AsyncClient(trust_env=False, timeout=LONG_S) as http:
        await killed_over_honest(http, tmp_path / "w", "kept")
        async with running(tmp_path / "w") as process:
            assert await ask(http, process, 0, 17, FORK) == (409, "17\n")
            assert await ask(http, process, 17, 17, FORK) == (409, "17\n")
            assert (await ask(http, process, 17, 30, FORK))[0] == 422
            assert (await ask(http, process, 17, 17, HONEST))[0] == 200


@pytest.mark.parametrize("seed", range(2))
async def test_killed_at_any_moment_it_never_signs_two_histories(tmp_path: Path, seed: int) -> None:
    """Two logs with one key press it from both sides, it dies with requests in flight, three times over."""
    dice = random.Random(seed)
    signed: set[tuple[str, int]] = set()

    async def press(
        http: httpx.AsyncClient, process: Process, name: str, log: MemoryHashes, enough: asyncio.Event
    ) -> None:
        old = 0
        for _ in range(30):
            size = dice.randint(min(old + 1, LOG_SIZE), min(old + 4, LOG_SIZE))
            status, body = await ask(http, process, old, size, log)
            if status == 0:
                return
            if status == 409:
                old = int(body)
            if status == 200:
                signed.add((name, size))
                old = size
                if dice.random() < 0.3:
                    enough.set()
        enough.set()

    async with httpx.AsyncClient(trust_env=False, timeout=LONG_S) as http:
        for _ in range(3):
            async with running(tmp_path / "w") as process, asyncio.TaskGroup() as group:
                enough = asyncio.Event()
                for name, log in (("honest", HONEST), ("fork", FORK)):
                    for _ in range(2):
                        group.create_task(press(http, process, name, log, enough))
                await enough.wait()
                await process.kill()
    assert signed
    # Up to where they part, both are one history.
    assert len({name for name, size in signed if size > 5}) <= 1
