"""A force for a whole shift of virtual time: its clocks, its machine, and its people with a handheld or desk each.

Sockets, processes and files are real. What is not is how long it takes: every device's clock runs on by itself and is
moved on by the test as well, and the server is started with a clock that is set to the same moment.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas.ids import Millis, OpId, RecordId
from schemas.roles import Role
from server.demo.masts import Mast
from server.demo.people import Person, passphrase
from server.demo.stage import Stage
from sync.device import AlarmFired, Handheld, Missed, RecordChanged, SignedIn, Written
from sync.device.changes import ChangeStream
from sync.device.clocks import SystemClock
from sync.device.installation import Installation

MINUTE: Final = 60_000
LOOPS: Final = 3
"""What waits for time on a device with no signal: its alarms, its lease, and the next try to connect."""
_TURNED: Final = """\
import os, time
_real, _ahead = time.time_ns, int(os.environ["MACHINE_AHEAD_MS"]) * 1_000_000
time.time_ns = lambda: _real() + _ahead
time.time = lambda: time.time_ns() / 1_000_000_000
"""
"""Python runs this before a program: the clock of a machine that is set to another time."""


class ShiftClock(SystemClock):
    """The machine's clocks, set to another moment, which a test moves on; whoever sleeps is woken then."""

    def __init__(self, start: Millis) -> None:
        """Set it.

        Args:
            start: what is true time now (ms since 1970).
        """
        super().__init__()
        self._set_ms = start - super().wall_ms()
        self._passed_ms = 0
        self._naps: dict[asyncio.Future[None], int] = {}
        self._slept = asyncio.Event()
        self.off_ms = 0
        """By how much its wall clock is wrong (ms)."""

    def wall_ms(self) -> int:
        """See `Clock`."""
        return super().wall_ms() + self._set_ms + self._passed_ms + self.off_ms

    def mono_ms(self) -> int:
        """See `Clock`."""
        return super().mono_ms() + self._passed_ms

    async def sleep(self, ms: int) -> None:
        """See `Clock`."""
        if ms <= 0:
            await asyncio.sleep(0)
            return
        nap = asyncio.get_running_loop().create_future()
        self._naps[nap] = self.mono_ms() + ms
        self._slept.set()
        try:
            await asyncio.wait({nap}, timeout=ms / 1_000)
        finally:
            nap.cancel()
            del self._naps[nap]

    async def move_on(self, ms: int) -> None:
        """Let time pass on a device with no signal, and wait until it has done what that brings."""
        await self._rest()
        self._passed_ms += ms
        now = self.mono_ms()
        for nap, until in self._naps.items():
            if until <= now and not nap.done():
                nap.set_result(None)
        await self._rest()

    async def _rest(self) -> None:
        """Until everything on the device waits for later."""
        while True:
            self._slept.clear()
            now = self.mono_ms()
            if sum(not nap.done() and until > now for nap, until in self._naps.items()) >= LOOPS:
                return
            await self._slept.wait()


class Machine:
    """What the server runs on: a clock that is set, and a place for its data."""

    def __init__(self, stage: Stage, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Bind it; `set_clock` comes before the server is started."""
        self._stage = stage
        self._patch = patch
        turned = folder / "turned"
        turned.mkdir()
        (turned / "sitecustomize.py").write_text(_TURNED)
        known = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(turned), known))))

    def set_clock(self, now: int) -> None:
        """From its next start on the server takes this moment for now (ms since 1970)."""
        self._patch.setenv("MACHINE_AHEAD_MS", str(now - SystemClock().wall_ms()))


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """Who works where.

    Attributes:
        device: the handheld or desk.
        officer: collar number.
        role: what they are.
        holds: the scopes that they are named for.
    """

    device: str
    officer: str
    role: Role
    holds: tuple[str, ...]


class Mate:
    """One of the shift, with the device in their hands, and all that it told them and that they wrote."""

    def __init__(self, post: Post, folder: Path, start: Millis) -> None:
        """Name them; `begin` follows."""
        self.post = post
        self.clock = ShiftClock(start)
        self.told: list[AlarmFired] = []
        self.ops: list[OpId] = []
        self.taken: list[RecordId] = []
        self.handheld: Handheld
        self.signed_in: SignedIn
        self._mast: Mast
        self._seen: Counter[RecordId] = Counter()
        """How often it was told that a record had changed."""
        self._news = asyncio.Event()
        self._folder = folder / post.device
        self._chosen = passphrase()
        self._installation: Installation
        self._stack = AsyncExitStack()
        self._listening: asyncio.Task[None] | None = None

    async def begin(self, stage: Stage) -> None:
        """Be taken in, enrolled, and signed in; open the replica, and connect."""
        person = Person(self.post.device, self.post.officer, self.post.holds, (self.post.role,), named=self.post.holds)
        admin = stage.administration
        await asyncio.to_thread(admin.take_in, [person])
        self._mast = Mast("127.0.0.1", stage.port)
        await self._mast.open()
        code = await asyncio.to_thread(admin.code, person.device)
        once = await asyncio.to_thread(admin.new_passphrase, person.officer)
        await Installation.enrol(self._folder, f"http://127.0.0.1:{self._mast.port}", code, clock=self.clock)
        self._installation = Installation.open(self._folder, clock=self.clock, keep_shares=True)
        self.signed_in = await self._installation.sign_in(person.officer, once, new_passphrase=self._chosen)
        await self._open()

    async def sign_in_again(self) -> None:
        """Sign in once more, with the seat open."""
        await self._installation.sign_in_again(self.signed_in, self._chosen)

    async def lose_signal(self) -> None:
        """Lose the server."""
        self._mast.cut()
        await self.handheld.wait_until(lambda status: not status.connected)

    def have_signal(self) -> None:
        """Reach the server again."""
        self._mast.restore()
        self.handheld.network_returned()

    async def restart(self) -> None:
        """Switch the device off and on with no server: the PIN opens what is on it."""
        await self._shut()
        await self._installation.close()
        self._installation = Installation.open(self._folder, clock=self.clock, keep_shares=True)
        self.signed_in = await self._installation.unlock(self.post.officer, self._chosen)
        await self._open()

    async def close(self) -> None:
        """End."""
        await self._shut()
        await self._installation.close()
        await self._mast.close()

    async def did(self, change: Awaitable[Written | None]) -> RecordId:
        """Have them write, and wait until the whole device has heard of it. Returns the record."""
        before = self._seen.copy()
        made = await change
        assert made is not None
        self.ops.append(made.op)
        # Who heard of it first are its alarms: they know it when time is moved on.
        while self._seen[made.record] == before[made.record]:
            self._news.clear()
            await self._news.wait()
        return made.record

    async def take_up(self, what: str, subject: RecordId, note: str) -> RecordId:
        """Take up the alarm of this kind about a record that was told last. Returns it."""
        alarm = self.heard(what, subject)[-1]
        await self.did(self.handheld.acknowledge_alarm(alarm, note))
        self.taken.append(alarm)
        return alarm

    def heard(self, what: str, subject: RecordId) -> list[RecordId]:
        """The alarms of a kind about a record that this device told, in order."""
        return [one.alarm for one in self.told if (one.what, one.subject) == (what, subject)]

    async def _open(self) -> None:
        enrolment = self._installation.enrolment
        opening = Handheld.open_seat(self.signed_in, enrolment, clock=self.clock, justify=False)
        self.handheld = await self._stack.enter_async_context(opening)
        self._listening = asyncio.create_task(self._listen(self.handheld.changes(length_max=100_000)))

    async def _listen(self, changes: ChangeStream) -> None:
        async for change in changes:
            assert not isinstance(change, Missed)
            if isinstance(change, AlarmFired):
                self.told.append(change)
            if isinstance(change, RecordChanged):
                self._seen[change.record] += 1
                self._news.set()

    async def _shut(self) -> None:
        await self._stack.aclose()
        if self._listening is not None:
            # The stream ends with the handheld, and what was told before is taken first.
            await self._listening


async def all_at_rest(mates: Iterable[Mate]) -> None:
    """Until each holds everything, and nothing of their own waits."""
    for mate in mates:
        await mate.handheld.wait_until(
            lambda status: status.connected and status.caught_up and status.waiting == 0 and status.held == 0
        )
