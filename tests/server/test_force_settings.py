"""The force's settings come into force: for the rules on the server, for every handheld, and without a restart."""

import asyncio
import signal
from pathlib import Path

import msgspec
import pytest

from schemas.codec import decode_row
from schemas.errors import StoreError
from schemas.kinds import ForceSettings
from schemas.settings import DEFAULTS, SETTINGS_RECORD, Settings, as_text, from_text
from server.force_settings import bring_settings
from server.store.sqlite import SqliteStore
from sync import merge
from tests.server.edge.process import Process, configure
from tests.server.edge.process import running as run_process
from tests.server.handheld import Handheld
from tests.server.running import Running

STRICT = msgspec.structs.replace(
    DEFAULTS, custody=msgspec.structs.replace(DEFAULTS.custody, review_first_ms=5 * 60 * 60_000)
)
POLICING = "[policing.custody]\nreview_first_ms = {}\n"


async def body(server: Running) -> str | None:
    """What the record says; None when there is none."""
    states = Handheld(server, "hh-reader")
    server.enrol("hh-reader", "force")
    await states.connect()
    view = states.replica.view(SETTINGS_RECORD)
    record = None if view is None else view.build()
    states.disconnect()
    assert record is None or isinstance(record, ForceSettings)
    return None if record is None else record.body


async def test_a_force_that_sets_nothing_has_no_record(server: Running) -> None:
    """Every program goes by its defaults."""
    assert not await bring_settings(server.beatbook.office, DEFAULTS)
    assert await body(server) is None


async def test_a_handheld_that_is_connected_has_them_at_once(server: Running) -> None:
    """Over its socket, without a restart and without asking; so has one that comes later."""
    server.enrol("hh-1", "force")
    handheld = Handheld(server, "hh-1")
    await handheld.connect()
    assert not handheld.holds(SETTINGS_RECORD)
    assert await bring_settings(server.beatbook.office, STRICT)
    await handheld.until(lambda: handheld.holds(SETTINGS_RECORD))
    view = handheld.replica.view(SETTINGS_RECORD)
    assert view is not None
    assert view.build() == ForceSettings(body=as_text(STRICT))
    assert await body(server) == as_text(STRICT)
    assert server.beatbook.office.settings == STRICT


async def test_the_same_settings_again_write_nothing(server: Running) -> None:
    """A restart changes no record; going back to the defaults does, for handhelds hold the record."""
    office = server.beatbook.office
    assert [await bring_settings(office, each) for each in (STRICT, STRICT, DEFAULTS, DEFAULTS)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert await body(server) == as_text(DEFAULTS)


async def test_settings_that_were_not_kept_are_not_in_force(server: Running) -> None:
    """The server must not go by other figures than its handhelds; the same call again is safe."""
    server.store.failing = StoreError("the disk is full")
    with pytest.raises(StoreError):
        await bring_settings(server.beatbook.office, STRICT)
    assert server.beatbook.office.settings == DEFAULTS
    server.store.failing = None


async def kept(data: Path) -> Settings | None:
    """The settings in a data folder that no server uses any more."""
    store = await SqliteStore.open(data)
    try:
        row = await store.record(SETTINGS_RECORD)
        record = None if row is None else merge.from_row(decode_row(row)).build()
        return from_text(record.body) if isinstance(record, ForceSettings) else None
    finally:
        await store.close()


async def line_with(server: Process, *words: str) -> str:
    """The next line of the log that has all these words."""
    assert server.process.stderr is not None
    async with asyncio.timeout(15):
        while line := (await server.process.stderr.readline()).decode():
            server.said += line
            if all(word in line for word in words):
                return line
    raise AssertionError(server.said)


@pytest.mark.e2e
async def test_a_changed_file_is_taken_at_sighup(tmp_path: Path) -> None:
    """The process reads its file again; what it cannot take it tells of and goes on; a restart keeps what stands."""
    async with run_process(configure(tmp_path, POLICING.format(14_400_000)), level="info") as server:
        configure(tmp_path, POLICING.format(0))
        server.process.send_signal(signal.SIGHUP)
        assert "policing.custody.review_first_ms: 0;" in await line_with(server, "settings were not changed")
        configure(tmp_path, POLICING.format(18_000_000))
        server.process.send_signal(signal.SIGHUP)
        await line_with(server, "were read again: they have changed")
        server.process.send_signal(signal.SIGHUP)
        await line_with(server, "were read again: they are the same")
        configure(tmp_path, '[listen]\nhosts = ["beatbook.example"]\n' + POLICING.format(18_000_000))
        server.process.send_signal(signal.SIGHUP)
        await line_with(server, "count from the next start")
    assert await kept(tmp_path / "data") == STRICT
    assert "Traceback" not in server.said


@pytest.mark.e2e
async def test_settings_of_the_file_stand_from_the_start(tmp_path: Path) -> None:
    """The record is there once the server listens, and one without the table goes back to the defaults."""
    async with run_process(configure(tmp_path, POLICING.format(18_000_000))):
        pass
    assert await kept(tmp_path / "data") == STRICT
    async with run_process(configure(tmp_path)):
        pass
    assert await kept(tmp_path / "data") == DEFAULTS
