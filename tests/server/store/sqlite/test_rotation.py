"""A new master key: everything opens under it alone, wherever the rotation was stopped."""

from pathlib import Path

import pytest

from schemas.errors import StoreError
from server.store.masters import MasterKeys
from server.store.sqlite import SqliteStore, sealing
from server.store.sqlite.rotation import rotate
from server.store.sqlite.writer import SqliteWriter
from tests.server.store.support import HANDSET, NOW, Device, picture, record_id


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a few records, closed in order."""
    device = Device(HANDSET)
    writer = SqliteWriter.open(tmp_path / "data")
    writer.commit([device.push(*(device.incident(record_id(n)) for n in range(7)))], NOW)
    writer.close()
    return tmp_path / "data"


def raw(data: Path) -> bytes:
    """Every byte of every file."""
    return b"".join(path.read_bytes() for path in data.iterdir())


async def seen(data: Path) -> dict[str, object]:
    """Everything that the store tells."""
    store = await SqliteStore.open(data, inline=True)
    found = await picture(store)
    await store.close()
    return found


async def test_everything_opens_under_the_new_key_alone(data: Path) -> None:
    """The old one is in no file any more, neither as a key nor as what something is under."""
    before, old = await seen(data), MasterKeys.read(data / "master.key")
    secret = (data / "master.key").read_text().split()[-1]
    done = rotate(data)
    # With the key of the record that counts the incidents' numbers.
    assert (done.moved, done.retired) == (8, (old.newest.hex(),))
    assert [one.hex() for one in MasterKeys.read(data / "master.key").ids] == [done.newest]
    assert await seen(data) == before
    assert old.newest not in raw(data)
    assert secret.encode() not in raw(data)


@pytest.mark.parametrize("stop", ["rotated", "rewrap", "retired"])
async def test_stopped_anywhere_it_opens_and_the_next_one_ends_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    """Before a new key is there, while things are wrapped anew, or before the old one goes."""
    before, old = await seen(data), MasterKeys.read(data / "master.key").newest

    class Killed(BaseException):
        """No error that anything catches."""

    def killed(*_: object) -> object:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(sealing if stop == "rewrap" else MasterKeys, stop, killed)
        with pytest.raises(Killed):
            rotate(data)
    assert await seen(data) == before
    done = rotate(data)
    assert old.hex() in done.retired
    assert len(MasterKeys.read(data / "master.key").ids) == 1
    assert await seen(data) == before


async def test_a_folder_in_use_is_left_alone(data: Path) -> None:
    """The server that runs on it could not read what it has not heard of."""
    before = (data / "master.key").read_bytes()
    store = await SqliteStore.open(data, inline=True)
    with pytest.raises(StoreError, match="another server uses this data folder"):
        rotate(data, wait_s=0)
    await store.close()
    assert (data / "master.key").read_bytes() == before


def test_without_its_keys_nothing_is_made(data: Path) -> None:
    """A new key in a new file would open nothing."""
    (data / "master.key").unlink()
    with pytest.raises(StoreError, match="has gone"):
        rotate(data)
    assert not (data / "master.key").exists()
