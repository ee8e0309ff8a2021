"""Clocks that lie, over real sockets: what happened is ordered by when it truly was, flagged, and never refused."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.ids import FieldName
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from schemas.ops import Doubt
from server.demo.people import Program
from server.demo.stage import Stage
from sync.device import Handheld, HeldKey
from sync.device.clocks import SystemClock
from tests.e2e.conftest import OpenHandheld, at_rest, report
from tests.e2e.test_signal import came

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

SUMMARY, LOG = FieldName("summary"), FieldName("log")
DAY = 86_400_000
PROGRAM = Program("hh-clock", "WM20417", ("area:birmingham", "force"))
"""A seat at which nobody signs in: an officer's opens for nobody whose clock is days off, since its lease has ended."""


class WrongClock(SystemClock):
    """The machine's clocks, with a wall clock that is off and a machine that can be started anew."""

    def __init__(self) -> None:
        """Begin right."""
        super().__init__()
        self.off_ms = 0
        self._boots = 0
        self._began = 0

    def wall_ms(self) -> int:
        """See `Clock`."""
        return super().wall_ms() + self.off_ms

    def mono_ms(self) -> int:
        """See `Clock`."""
        return super().mono_ms() - self._began

    def boot(self) -> str:
        """See `Clock`."""
        return f"run-{self._boots}"

    def reboot(self) -> None:
        """Begin the monotonic clock anew."""
        self._began = super().mono_ms()
        self._boots += 1


@asynccontextmanager
async def switched_on(folder: Path, clock: WrongClock, port: int | None) -> AsyncIterator[Handheld]:
    """The handheld with the wrong clock; without a port it has no signal."""
    server = None if port is None else f"ws://127.0.0.1:{port}"
    async with Handheld.open(
        folder / PROGRAM.device,
        identity=PROGRAM.identity,
        keys=HeldKey(bytes(range(32))),
        author=PROGRAM.officer,
        server=server,
        clock=clock,
    ) as handheld:
        yield handheld


async def test_a_clock_days_ahead_after_a_restart_offline_does_not_win(
    stage: Stage, open_handheld: OpenHandheld, tmp_path: Path
) -> None:
    """The battery was out and the clock came back three days ahead: the edit gets its true place, with a flag."""
    await stage.start()
    stage.enrol(PROGRAM)
    desk = await open_handheld("desk-01")
    made = await desk.create(report(summary="as first told"))
    clock = WrongClock()
    async with switched_on(tmp_path, clock, stage.port) as handheld:
        await came(handheld, made.record)
    clock.reboot()
    clock.off_ms = 3 * DAY
    async with switched_on(tmp_path, clock, None) as handheld:
        await handheld.edit(made.record, summary="from the cellar")
        await handheld.append(made.record, "log", LogEntry(text="nobody down here"))
    await desk.edit(made.record, summary="from the desk, later")
    async with switched_on(tmp_path, clock, stage.port) as handheld:
        await handheld.wait_until(at_rest)
        await desk.wait_until(at_rest)
        seen = desk.changes()
        while True:
            view = await desk.inspect(made.record)
            if view is not None and isinstance(view.value, Incident) and view.value.log:
                break
            await anext(seen)
    assert view.value.summary == "from the desk, later"
    (entry,) = view.entries[LOG]
    assert Doubt(entry.stamp.doubt) == Doubt.EARLIER_OFFSET | Doubt.CORRECTED
    assert abs(entry.stamp.ms - entry.stamp.recorded_at) < DAY
    assert view.fields[SUMMARY].stamp.doubt == 0

    await desk.edit(made.record, summary="the desk's clock was not dragged along")
    changed = await desk.inspect(made.record)
    assert changed is not None
    assert abs(changed.fields[SUMMARY].stamp.ms - entry.stamp.recorded_at) < DAY


async def test_a_clock_set_back_a_year_is_flagged_and_still_follows_what_it_saw(
    stage: Stage, open_handheld: OpenHandheld, tmp_path: Path
) -> None:
    """An edit made with sight of a value stands over it, whatever the wall clock says."""
    await stage.start()
    stage.enrol(PROGRAM)
    desk = await open_handheld("desk-01")
    made = await desk.create(report(summary="as first told"))
    clock = WrongClock()
    async with switched_on(tmp_path, clock, stage.port) as handheld:
        await came(handheld, made.record)
        await handheld.append(made.record, "log", LogEntry(text="on scene"))
        clock.off_ms = -365 * DAY
        await handheld.edit(made.record, summary="seen by the officer")
        await handheld.wait_until(at_rest)
        view = await handheld.inspect(made.record)
    assert view is not None
    assert view.fields[SUMMARY].value == "seen by the officer"
    stamp = view.fields[SUMMARY].stamp
    assert Doubt(stamp.doubt) == Doubt.SET_BACK
    assert abs(stamp.ms - SystemClock().wall_ms()) < DAY


async def test_a_device_that_never_met_a_server_is_believed_and_flagged(
    stage: Stage, open_handheld: OpenHandheld, tmp_path: Path
) -> None:
    """A new handheld, days ahead, reports an incident before its first signal: it arrives with its true time."""
    clock = WrongClock()
    clock.off_ms = 5 * DAY
    async with switched_on(tmp_path, clock, None) as handheld:
        made = await handheld.create(report(summary="before the first signal"))
    await stage.start()
    stage.enrol(PROGRAM)
    desk = await open_handheld("desk-01")
    async with switched_on(tmp_path, clock, stage.port) as handheld:
        await handheld.wait_until(at_rest)
    await came(desk, made.record)
    view = await desk.inspect(made.record)
    assert view is not None
    stamp = view.fields[SUMMARY].stamp
    assert Doubt(stamp.doubt) == Doubt.NEVER_SET | Doubt.CORRECTED
    assert abs(stamp.ms - stamp.recorded_at) < DAY


async def test_a_copied_replica_loses_nothing(stage: Stage, open_handheld: OpenHandheld, tmp_path: Path) -> None:
    """Two copies of one handheld both write under the same numbers: all of it arrives, once, and is flagged."""
    await stage.start()
    stage.enrol(PROGRAM)
    desk = await open_handheld("desk-01")
    made = await desk.create(report(summary="as first told"))
    first, second = tmp_path / "first", tmp_path / "second"
    async with switched_on(first, WrongClock(), stage.port) as handheld:
        await came(handheld, made.record)
    shutil.copytree(first, second)
    for folder in (first, second):
        async with switched_on(folder, WrongClock(), None) as handheld:
            await handheld.append(made.record, "log", LogEntry(text=f"one, by the {folder.name}"))
            await handheld.append(made.record, "log", LogEntry(text=f"two, by the {folder.name}"))
    for folder in (first, second):
        async with switched_on(folder, WrongClock(), stage.port) as handheld:
            await handheld.wait_until(lambda status: at_rest(status) and status.held == 0)
    await desk.wait_until(at_rest)
    seen = desk.changes()
    while True:
        view = await desk.inspect(made.record)
        if view is not None and len(view.entries.get(LOG, ())) == 4:
            break
        await anext(seen)
    texts = sorted(entry.value.text for entry in view.entries[LOG])
    assert texts == ["one, by the first", "one, by the second", "two, by the first", "two, by the second"]
    doubts = {entry.value.text: Doubt(entry.stamp.doubt) for entry in view.entries[LOG]}
    assert all(Doubt.RENUMBERED in doubts[text] for text in texts if text.endswith("second"))
    assert not any(Doubt.RENUMBERED in doubts[text] for text in texts if text.endswith("first"))
