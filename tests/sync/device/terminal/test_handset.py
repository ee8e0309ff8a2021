"""A whole run of the terminal handheld inside this process: what it opens, and that it asks before it connects."""

from pathlib import Path

from schemas.ids import OfficerId
from schemas.kinds.common import LogEntry
from sync.device import DeviceIdentity, Handheld
from sync.device.terminal import Settings, run_handset
from sync.device.terminal.sight import Sight
from tests.sync.device.support import incident
from tests.toy_server import ToyServer


def settings(folder: Path, toy: ToyServer, *commands: str, offline: bool) -> Settings:
    """A run over commands."""
    return Settings(
        folder=folder,
        identity=folder / "identity.json",
        key_file=folder / "replica.key",
        author=OfficerId("WM21877"),
        server=toy.url,
        offline=offline,
        commands=commands,
    )


async def test_offline_from_the_start_no_connection_is_made(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """With `offline` the server hears nothing of the device until `online` is typed, however long it works."""
    identity.save(tmp_path / "identity.json")
    work = ["new Door forced in birmingham", *["list", "status"] * 30]
    assert await run_handset(settings(tmp_path, toy, *work, offline=True)) == 0
    assert await toy.store.last_op(identity.device) == 0
    assert await run_handset(settings(tmp_path, toy, "wait", offline=True)) == 1
    assert await run_handset(settings(tmp_path, toy, "online", "wait", offline=True)) == 0
    assert await toy.store.last_op(identity.device) == 1


async def test_own_changes_are_no_news(alone: Handheld, identity: DeviceIdentity) -> None:
    """What this device said is never told to it, even when the screen has not seen it yet."""
    sight = Sight(alone, identity.device)
    made = await alone.create(incident())
    before = await alone.inspect(made.record)
    assert before is not None
    sight.watch(before)
    await alone.append(made.record, "log", LogEntry(text="On my way"))
    after = await alone.inspect(made.record)
    assert after is not None
    assert sight.news(after) == []
