"""A planned restart with real processes: the socket outlives the server, and no call and no edit is lost."""

import asyncio
import itertools
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest

from schemas import wire
from schemas.limits import RETURN_WINDOW_MIN_MS
from server.demo.stage import Stage
from sync.device import Handheld
from tests.e2e.conftest import OpenHandheld, at_rest, report
from tests.server.hostile import refused
from tests.server.rawsocket import RawSocket

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
HANDHELDS = 4
STRANGERS = 36
# What a supervisor does: the socket becomes descriptor 3, and the process that is told so is the server itself.
HAND_OVER = """\
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="beatbook.socket")
os.execv(sys.executable, [sys.executable, "-m", "server.cli", "serve", *sys.argv[2:]])
"""


class Supervised(Stage):
    """A server whose socket belongs to a supervisor: to this test."""

    def __init__(self, folder: Path) -> None:
        """Listen; nothing runs yet."""
        super().__init__(folder)
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.options: tuple[str, ...] = ("--data", str(self.data))
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(folder / "notify"))
        self.told.setblocking(False)

    async def __aenter__(self) -> Self:
        """As it is; the end closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the server, and listen no more."""
        await self.stop()
        self.listening.close()
        self.told.close()

    async def start(self) -> None:
        """Start the server's process on that socket, and wait until it says that it is ready."""
        listening = self.listening.fileno()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", HAND_OVER, str(listening), *self.options, "--log-level", "warning",
                stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
                pass_fds=[listening], env={**os.environ, "NOTIFY_SOCKET": self.told.getsockname()},
            )  # fmt: skip
        await self.hear("READY=1")
        await asyncio.to_thread(self._set_up)

    async def hear(self, news: str) -> None:
        """Wait until the server says this to its supervisor."""
        loop = asyncio.get_running_loop()
        while (await loop.sock_recv(self.told, 1_000)).decode() != news:
            pass

    def terminate(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        self._process.terminate()

    async def end(self) -> int:
        """Wait for the process's end."""
        assert self._process is not None
        return await self._process.wait()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Supervised]:
    """In place of the one whose server listens itself."""
    async with Supervised(tmp_path) as stage:
        yield stage


async def edit(handheld: Handheld, made: list[str], enough: asyncio.Event) -> None:
    """Make one incident after the other, with signal or without, as fast as they are kept."""
    for n in itertools.count(len(made)):
        made.append((await handheld.create(report(summary=f"Call {n}"))).record)
        await asyncio.sleep(0)
        if enough.is_set():
            return


async def dial(port: int, dialled: Counter[str], enough: asyncio.Event) -> None:
    """Knock again and again, as newcomers do; whether a call is answered is another matter."""
    calls = []
    while not enough.is_set():
        try:
            calls.append(await asyncio.open_connection("127.0.0.1", port))
        except OSError as error:
            dialled[str(error)] += 1
        else:
            dialled["taken"] += 1
        await asyncio.sleep(0.01)
    for _, writer in calls:
        writer.close()


async def test_a_restart_refuses_nobody_and_loses_and_doubles_nothing(
    stage: Supervised, open_handheld: OpenHandheld
) -> None:
    """Twice, under edits: each device is told a slot of its own, all come back, and every edit stands once."""
    await stage.start()
    handhelds = [await open_handheld(f"hh-{n}") for n in range(HANDHELDS - 1)]
    handhelds.append(await open_handheld("desk", "control", "force", "area:birmingham"))
    made: list[list[str]] = [[] for _ in handhelds]
    dialled: Counter[str] = Counter()
    for _ in range(2):
        for handheld in handhelds:
            await handheld.wait_until(lambda status: status.connected)
        enough, answered = asyncio.Event(), asyncio.Event()
        editing = [asyncio.create_task(edit(*each, enough)) for each in zip(handhelds, made, strict=True)]
        strangers = [await RawSocket.open(stage.port) for _ in range(STRANGERS)]
        for raw in strangers:
            await raw.handshake()
            assert isinstance(await raw.message(), wire.Challenge)
        stage.terminate()
        await stage.hear("STOPPING=1")
        # From here on the kernel alone takes calls: the server has stopped to accept, and the next is not there yet.
        dialling = asyncio.create_task(dial(stage.port, dialled, answered))
        waits = sorted([(await refused(raw, "server_stopping")).retry_after_ms or 0 for raw in strangers])
        assert await stage.end() == 0
        # No process has the socket now but its holder.
        late = await RawSocket.open(stage.port)
        await late.send(RawSocket.request())
        await stage.start()
        assert (await late.handshake_answer())[0] == 101
        late.close()
        answered.set()
        await dialling
        # Nobody shares a slot, and the strangers' stand behind all those who were let in.
        slot = RETURN_WINDOW_MIN_MS / (HANDHELDS + STRANGERS)
        assert [int((wait + 1) // slot) for wait in waits] == pytest.approx(
            range(HANDHELDS, HANDHELDS + STRANGERS), abs=1
        )
        for handheld in handhelds:
            await handheld.wait_until(lambda status: status.connected)
        enough.set()
        await asyncio.gather(*editing)
    for handheld in handhelds:
        await handheld.wait_until(at_rest)
    assert set(dialled) == {"taken"}
    wanted = [record for each in made for record in each]
    records = await stage.all_records("incident")
    assert len(wanted) == len(set(wanted)) > 2 * HANDHELDS
    assert set(records) == set(wanted)
    for handheld, mine in zip(handhelds, made, strict=True):
        status = handheld.status
        assert (status.waiting, status.held) == (0, 0)
        texts = Counter(records[record]["values"]["summary"] for record in mine)
        assert texts == Counter(f"Call {n}" for n in range(len(mine)))
