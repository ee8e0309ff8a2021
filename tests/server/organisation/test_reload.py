"""The server's own files, at its start and at SIGHUP: a real process, and a real handheld that hears of it at once."""

import asyncio
import signal
from pathlib import Path

import pytest

from schemas.kinds import Incident
from server.cli.remote import Remote
from server.configuration import read_configuration
from server.demo.kit import Kit
from server.demo.people import Administration, Person
from server.demo.stage import link_in
from server.http.administration import OfficerList
from sync.device import Handheld
from tests.e2e.conftest import at_rest, report
from tests.server.edge.process import Process, configure, running
from tests.server.organisation.files import FORCE, TABLES, also, write
from tests.server.test_force_settings import line_with

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
NAMED = 'organisation = "force/force.toml"\n'


def hang_up(server: Process) -> None:
    """Tell the server to read its files again."""
    server.process.send_signal(signal.SIGHUP)


async def until_held(handheld: Handheld, count: int) -> None:
    """Wait until the handheld holds so many incidents."""
    changes = handheld.changes()
    while len(await handheld.find(Incident)) != count:
        await anext(changes)


async def test_a_changed_file_is_taken_at_sighup_and_a_bad_one_is_not(tmp_path: Path) -> None:
    """Who is posted elsewhere loses the records at once, with no restart; a bad file is told of and takes nothing."""
    folder = tmp_path / "force"
    write(folder)
    async with running(configure(tmp_path, NAMED), level="info") as server:
        base = server.address.http
        administration = await asyncio.to_thread(Administration, base, link_in(server.said), tmp_path / "admin")
        kit = await Kit.issue(administration, Person("hh-01", "WM2", ()), tmp_path / "hh-01", base)
        async with kit.open(justify=False) as handheld:
            made = await handheld.create(report("dudley"))
            await handheld.wait_until(at_rest)
            write(folder, postings=also("postings", "WM2,dudley,2023-13-01,"))
            hang_up(server)
            told = await line_with(server, "was not changed, it stays as it was")
            assert "postings.csv line 3, column from: [hidden]" in told
            assert "2023-13-01" not in server.said
            assert await handheld.get(Incident, made.record) is not None
            write(folder, postings="collar,unit,from\nWM2,walsall,2023-01-01\n")
            hang_up(server)
            await line_with(server, "the organisation's files were read: 2 changes")
            await until_held(handheld, 0)
            write(folder, FORCE.replace('title = "Walsall"', 'title = "W"\nuntil = 2024-01-01\ninto = "dudley"'))
            hang_up(server)
            await until_held(handheld, 1)
        await kit.close()
        with Remote(base, administration.auth) as remote:
            officers = await asyncio.to_thread(remote.get, "/v1/officers", OfficerList)
        (rowan,) = (one for one in officers.officers if one.officer == "WM2")
        assert {span.what["by"] for span in rowan.spans} == {"server"}
    assert "Traceback" not in server.said


async def test_a_server_with_bad_files_starts_as_it_was(tmp_path: Path) -> None:
    """A slip in a rota at night keeps nobody from their work: what was applied before stands, and the log says why."""
    folder = tmp_path / "force"
    write(folder)
    async with running(configure(tmp_path, NAMED), level="info") as server:
        pass
    assert "the organisation's files were read: 16 changes" in server.errors
    (folder / "rota.csv").unlink()
    async with running(configure(tmp_path, NAMED), level="info") as server:
        pass
    assert "the organisation was not changed, it stays as it was: rota.csv: [hidden]" in server.errors
    assert f"`beatbook organisation check {folder}/force.toml` tells what" in server.errors
    (folder / "rota.csv").write_text(TABLES["rota.csv"])
    async with running(configure(tmp_path, NAMED), level="info") as server:
        pass
    assert "the organisation's files were read: 0 changes" in server.errors


async def test_files_that_are_named_later_are_taken_at_sighup(tmp_path: Path) -> None:
    """The key itself may come while the server runs; no other key is said to have changed."""
    write(tmp_path / "force")
    async with running(configure(tmp_path), level="info") as server:
        configure(tmp_path, NAMED)
        hang_up(server)
        await line_with(server, "the organisation's files were read: 16 changes")
    assert "count from the next start" not in server.said


def test_the_path_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """As every path in it is; without the key there are no files."""
    assert read_configuration(configure(tmp_path, NAMED), {}).organisation == tmp_path / "force/force.toml"
    assert read_configuration(configure(tmp_path), {}).organisation is None
