"""What is looked at at a scrape: how far devices are behind, told by sort and never by name; files and processes."""

import os
from pathlib import Path

import msgspec
import pytest
import trustme

from schemas import scopes
from schemas.ids import ScopeName
from server.observing.looking import (
    BACKUP,
    SORTS,
    STALLED_MS,
    Backup,
    Files,
    Lag,
    Lags,
    look_at_files,
    look_at_process,
    look_at_processes,
    sort_of,
)
from tests.server.handheld import Handheld
from tests.server.running import Running


@pytest.mark.parametrize(
    ("scope", "sort"),
    [
        ("area:birmingham", "area"),
        ("area:birmingham:briefing", "area:briefing"),
        ("suite:perry-barr:inbox", "suite:inbox"),
        ("officer:wm21877", "officer"),
        ("control", "control"),
        ("force:receipts", "force:receipts"),
        ("suite:perry-barr:medical", None),
        ("suite:perry-barr:medical:inbox", None),
        ("compartment:larch", None),
        ("compartment:larch:briefing", None),
        ("compartment:larch:of-wm21877", None),
    ],
)
def test_a_scope_is_told_by_its_sort(scope: str, sort: str | None) -> None:
    """No officer's, no area's name; of what is closed nothing, counts included."""
    assert sort_of(ScopeName(scope)) == sort


def test_the_sorts_are_few_and_none_is_of_what_is_closed() -> None:
    """A figure's labels are bounded, and no compartment shows."""
    assert len(SORTS) < 50
    assert not any(scopes.closed(ScopeName(sort)) for sort in SORTS)


async def test_a_device_that_does_not_read_is_behind_and_then_stalled(server: Running) -> None:
    """It is behind at once, stalled after half a minute without a step, and neither once it has caught up."""
    lags = Lags(server.beatbook.hub, server.clock)
    server.enrol("slow", "area:birmingham", "force")
    slow = Handheld(server, "slow")
    await slow.connect()
    await slow.ping()
    await lags.look()
    assert lags.by_sort["force:briefing"] == Lag()
    record = await server.brief()
    await lags.look()
    found = lags.by_sort["force:briefing"]
    assert (found.scopes, found.devices, found.stalled) == (1, 1, 0)
    assert found.commits >= 1
    server.clock.advance(STALLED_MS)
    await server.brief(title="Another")
    await lags.look()
    assert lags.by_sort["force:briefing"].stalled == 1
    await slow.until(lambda: slow.holds(record))
    await slow.ping()
    await lags.look()
    assert lags.by_sort["force:briefing"].stalled == 0
    slow.disconnect()


async def test_a_device_that_comes_back_current_is_not_behind(server: Running) -> None:
    """It has nothing to say of scopes in which nothing has happened; silence is not lag."""
    lags = Lags(server.beatbook.hub, server.clock)
    server.enrol("back", "area:birmingham", "force")
    back = Handheld(server, "back")
    await back.connect()
    back.disconnect()
    await server.beatbook.hub.empty()
    await back.connect()
    await back.ping()
    await lags.look()
    assert set(map(repr, lags.by_sort.values())) == {repr(Lag())}
    back.disconnect()


def test_files_that_are_not_there_are_told_as_that(tmp_path: Path) -> None:
    """A missing or damaged file makes no figure, and no error."""
    (tmp_path / BACKUP).write_text("{")
    found = look_at_files(tmp_path, tmp_path / "none.pem")
    assert [found.database_bytes, found.wal_bytes, found.backup, found.certificate_end_s] == [None] * 4
    assert found.disk_free_bytes
    assert look_at_files(tmp_path / "nowhere", None) == Files()


def test_files_that_are_there_are_told(tmp_path: Path) -> None:
    """Sizes, the last backup, and when the certificate ends."""
    (tmp_path / "beatbook.db").write_bytes(bytes(300))
    (tmp_path / "beatbook.db-wal").write_bytes(bytes(200))
    (tmp_path / BACKUP).write_bytes(msgspec.json.encode({"at": 1_700_000_000_000, "bytes": 12, "seq": 3, "leaves": 9}))
    issued = trustme.CA().issue_cert("beatbook.example")
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    found = look_at_files(tmp_path, certificate)
    assert (found.database_bytes, found.wal_bytes) == (300, 200)
    assert found.backup == Backup(at=1_700_000_000_000, bytes=12)
    assert found.certificate_end_s is not None
    assert found.certificate_end_s > 1_700_000_000


def test_a_process_is_looked_at_while_it_runs() -> None:
    """This one has used time and memory; one that never was is left out."""
    found = look_at_process(os.getpid())
    assert found is not None
    assert found.cpu_s > 0
    assert found.resident_bytes > 1_000_000
    assert 0 < found.open_files <= found.open_files_max
    assert list(look_at_processes([("server", os.getpid()), ("writer", None), ("gone", 2**22 + 1)])) == ["server"]
