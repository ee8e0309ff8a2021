"""A force is enrolled once for the code that it was enrolled with, and each job has a copy of its own."""

from pathlib import Path

import pytest

from loadtest.bench import prepared
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
