"""A force is enrolled once for the code that it was enrolled with, and each job has a copy of its own."""

from pathlib import Path

import pytest

from loadtest.bench import machine, prepared
from loadtest.bench.force import Force
from loadtest.bench.light import Light
from schemas.errors import StoreError


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept."""
    folder = tmp_path / "kept"
    monkeypatch.setattr(prepared, "KEPT", folder)
    return folder


def names(folder: Path) -> list[str]:
    """What lies in a folder, if it is there."""
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


async def take(said: list[str]) -> None:
    """Have a force of two, and let all of them come and write."""
    async with prepared.prepared(2, said.append) as (force, desk, devices):
        await force.connect([desk, *devices])
        await devices[0].report(1)
        assert [one.area for one in devices] == ["area-0", "area-0"]
        for one in (desk, *devices):
            one.go()


@pytest.mark.e2e
@pytest.mark.timeout(90)
async def test_it_is_enrolled_once_for_its_code(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one run wrote is not in the next one's copy; other code begins anew, and the old folder goes."""
    said: list[str] = []
    await take(said)
    await take(said)
    (first,) = names(kept)
    assert len(said) == 1
    monkeypatch.setattr(prepared, "code_of", lambda: "other")
    await take(said)
    assert len(said) == 2
    assert names(kept) == ["force-2-other"] != [first]


@pytest.mark.e2e
async def test_what_is_broken_off_is_not_taken_for_whole(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An enrolment that fails leaves nothing behind."""

    async def fail(*_: object) -> None:
        raise StoreError("broken off")

    monkeypatch.setattr(prepared, "_enrol", fail)
    with pytest.raises(StoreError, match="broken off"):
        await take([])
    assert names(kept) == []


@pytest.mark.e2e
@pytest.mark.timeout(90)
async def test_what_is_enrolled_in_memory_is_measured_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who were enrolled are known to the server that is measured, and nothing stays in memory."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(prepared, "_IN_MEMORY", memory)
    seen: list[Path] = []
    cores = machine.cores()

    async def work(force: Force) -> list[Light]:
        seen.append(force.server.database)
        return await force.enrol(Light, "WM00001", ["dudley", "walsall"])

    async with prepared.enrolled(work) as (force, devices):
        assert names(memory) == []
        assert force.where == cores
        await force.connect(devices)
        await devices[0].report(1)
        seen.append(force.server.database)
        for one in devices:
            one.go()
    assert [each.is_relative_to(memory) for each in seen] == [True, False]
