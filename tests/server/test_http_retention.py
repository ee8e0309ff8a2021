"""Retention over HTTP and by command: two officers erase, whoever saw the record is told, others learn nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from schemas.ids import RecordId
from schemas.roles import Role
from server.cli import main
from server.cli.access import Access, AccessFile
from server.retention import DAY_MS
from server.store.masters import MasterKeys, key_file
from server.store.sqlite import SqliteStore
from sync.explain.values import moment
from tests.server.api import ID, client, incident, refusal
from tests.server.people import Caller, program
from tests.server.running import Running
from tests.server.store.support import Device, commit, record_id

RECORD, ELSEWHERE = ID.format(1), ID.format(2)
PERIOD_MS = 40 * 366 * DAY_MS


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who works with every record and is no registrar; two incidents were made long ago."""
    async with client(server, caller) as http:
        made = await http.post("/v1/records", json={"records": [incident(1), incident(2, area="coventry")]})
        assert made.status_code == 200, made.text
        server.clock.advance(PERIOD_MS)
        yield http


@pytest.fixture
async def two(server: Running, http: httpx.AsyncClient) -> list[Caller]:
    """Two registrars who see Birmingham."""
    return [await program(server, officer, [Role.REGISTRAR], ["area:birmingham"]) for officer in ("WM8", "WM9")]


async def say(server: Running, caller: Caller, path: str, **body: object) -> httpx.Response:
    """What is answered to somebody who posts."""
    async with client(server, caller) as other:
        return await other.post(path, json=body)


async def get(server: Running, caller: Caller, path: str) -> httpx.Response:
    """What is answered to somebody who asks."""
    async with client(server, caller) as other:
        return await other.get(path, headers={"beatbook-reason": "to look"})


async def test_two_erase_what_is_due_and_whoever_saw_it_is_told(
    server: Running, http: httpx.AsyncClient, two: list[Caller]
) -> None:
    """Listed, proposed, erased by the other; then record, history and explanation say when, by whom, under what."""
    one, other = two
    (due,) = (await get(server, one, "/v1/retention/due")).json()["due"]
    assert (due["record"], due["kind"], due["proposed_by"]) == (RECORD, "incident", "")
    proposed = await say(server, one, f"/v1/records/{RECORD}/reviews", outcome="erase", why="its time is over")
    assert proposed.status_code == 200, proposed.text
    (due,) = (await get(server, other, "/v1/retention/due")).json()["due"]
    assert due["proposed_by"] == "WM8"
    alone = await say(server, one, f"/v1/records/{RECORD}/erasure", why="MoPI group 3")
    assert (alone.status_code, "another officer must carry it out" in alone.text) == (422, True)
    done = await say(server, other, f"/v1/records/{RECORD}/erasure", why="MoPI group 3")
    assert done.status_code == 200, done.text
    for path in ("", "/history", "/explanation"):
        gone = await http.get(f"/v1/records/{RECORD}{path}", headers={"beatbook-reason": "to look"})
        assert gone.status_code == 410, gone.text
        assert gone.json()["title"] == "erased"
        assert "by WM9 under: MoPI group 3" in gone.json()["detail"]
    assert (await say(server, other, f"/v1/records/{RECORD}/erasure", why="again")).status_code == 410
    assert (await get(server, one, "/v1/retention/due")).json()["due"] == []


async def test_what_is_kept_is_due_at_its_date(server: Running, two: list[Caller]) -> None:
    """Not before; a date that is past is none."""
    one = two[0]
    path, now = f"/v1/records/{RECORD}/reviews", server.clock.now
    early = await say(server, one, path, outcome="keep", why="a witness", until=now - 1)
    assert (early.status_code, "a date after today" in early.text) == (422, True)
    kept = await say(server, one, path, outcome="keep", why="a witness", until=now + DAY_MS)
    assert kept.status_code == 200, kept.text
    assert (await get(server, one, "/v1/retention/due")).json()["due"] == []
    server.clock.advance(DAY_MS)
    assert [one["record"] for one in (await get(server, one, "/v1/retention/due")).json()["due"]] == [RECORD]


async def test_who_may_not_learns_nothing_and_does_nothing(
    server: Running, http: httpx.AsyncClient, two: list[Caller]
) -> None:
    """An officer is refused at the door; of what a registrar may not see there is nothing, erased or not."""
    officer = await program(server, "WM2", [Role.OFFICER])
    for path in (f"/v1/records/{RECORD}/reviews", f"/v1/records/{RECORD}/erasure"):
        assert (await say(server, officer, path, outcome="erase", why="let it go")).status_code == 403
    assert (await get(server, officer, "/v1/retention/due")).status_code == 403
    unseen = await say(server, two[0], f"/v1/records/{ELSEWHERE}/reviews", outcome="erase", why="over")
    assert unseen.status_code == 404
    stranger = await program(server, "WM7", [Role.OFFICER], ["area:coventry"])
    before = await get(server, stranger, f"/v1/records/{RECORD}")
    await say(server, two[0], f"/v1/records/{RECORD}/reviews", outcome="erase", why="over")
    assert (await say(server, two[1], f"/v1/records/{RECORD}/erasure", why="MoPI")).status_code == 200
    after = await get(server, stranger, f"/v1/records/{RECORD}")
    assert (after.status_code, after.text) == (before.status_code, before.text) == (404, before.text)
    assert (await http.get(f"/v1/records/{RECORD}")).status_code == 410
    assert await server.store.record(RecordId(ELSEWHERE)) is not None


async def test_it_can_be_done_by_commands(server: Running, two: list[Caller], tmp_path: Path) -> None:
    """Listed, proposed and erased by two; what is given wrongly is told in a line."""

    async def run(who: int, *arguments: str) -> Result:
        folder = tmp_path / f"access-{who}"
        if not folder.exists():
            caller = two[who]
            Access.make(folder, caller.identity, AccessFile(server=server.url, seat=caller.seat))
        done = await asyncio.to_thread(CliRunner().invoke, main, ["retention", *arguments, "--folder", str(folder)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    listed = await run(0, "due")
    assert (listed.exit_code, "1 due" in listed.output, RECORD in listed.output) == (0, True, True), listed.output
    both = await run(0, "review", RECORD, "--erase", "--keep-until", "2090-01-01", "--why", "over")
    assert (both.exit_code, "either --keep-until" in both.output) == (1, True)
    wrong = await run(0, "review", RECORD, "--keep-until", "tomorrow", "--why", "over")
    assert (wrong.exit_code, "give a date as in 2034-04-01" in wrong.output) == (1, True)
    assert (await run(0, "erase", "nonsense", "--why", "over")).output.startswith("Error: 'nonsense' is no record id")
    tomorrow = moment(server.clock.now + DAY_MS)
    assert (await run(0, "review", RECORD, "--keep-until", tomorrow, "--why", "a witness")).exit_code == 0
    early = await run(0, "review", RECORD, "--erase", "--why", "over")
    assert (early.exit_code, f"is due at {tomorrow}" in early.output) == (1, True), early.output
    order = await run(0, "review", RECORD, "--erase", "--early", "Order 12 of the court", "--why", "over")
    assert (order.exit_code, "it takes the role superintendent" in order.output) == (1, True), order.output
    odd = await run(0, "review", RECORD, "--keep-until", tomorrow, "--early", "Order 12", "--why", "over")
    assert (odd.exit_code, "--early goes with --erase" in odd.output) == (1, True), odd.output
    server.clock.advance(DAY_MS)
    assert (await run(0, "review", RECORD, "--erase", "--why", "over")).exit_code == 0
    assert "; WM8 proposes to erase it" in (await run(1, "due")).output
    assert (await run(1, "erase", RECORD, "--why", "MoPI group 3")).exit_code == 0
    assert await server.store.record(RecordId(RECORD)) is None


async def test_a_superintendent_has_a_record_go_before_its_time(server: Running, http: httpx.AsyncClient) -> None:
    """With the order named, and carried out by somebody else; the list says that it is early, the log who and why."""
    fresh = ID.format(3)
    assert (await http.post("/v1/records", json={"records": [incident(3)]})).status_code == 200
    boss = await program(server, "WM8", [Role.SUPERINTENDENT], ["area:birmingham"])
    other = await program(server, "WM9", [Role.REGISTRAR], ["area:birmingham"])
    said = {"outcome": "erase", "why": "no longer lawful"}
    refused = await say(server, boss, f"/v1/records/{fresh}/reviews", **said)
    assert "where a court's order" in refusal(refused, 422)
    assert await server.store.record(RecordId(fresh)) is not None
    order = said | {"early": "Order 12 of the court"}
    assert (await say(server, boss, f"/v1/records/{fresh}/reviews", **order)).status_code == 200
    listed = (await get(server, other, "/v1/retention/due")).json()["due"]
    (told,) = [one["because"] for one in listed if one["record"] == fresh]
    assert "before its time is proposed (Order 12 of the court)" in told
    assert (await say(server, other, f"/v1/records/{fresh}/erasure", why="the order")).status_code == 200
    assert await server.store.record(RecordId(fresh)) is None


async def test_a_stopped_server_s_folder_gets_a_new_master_key(tmp_path: Path) -> None:
    """Everything opens under it, the old one is destroyed; while a server has the folder nothing is touched."""
    folder = tmp_path / "data"
    store = await SqliteStore.open(folder, inline=True)
    device = Device()
    await commit(store, device.push(device.incident(record_id(1))))
    row = await store.record(record_id(1))
    before = MasterKeys.read(key_file(folder)).ids

    async def rotate(name: Path) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, ["keys", "rotate", "--data", str(name)])

    await store.close()
    done = await rotate(folder)
    assert done.exit_code == 0, done.output
    (after,) = MasterKeys.read(key_file(folder)).ids
    assert after not in before
    assert f"Destroyed: {before[0].hex()}" in done.output
    again = await SqliteStore.open(folder, inline=True)
    assert await again.record(record_id(1)) == row
    await again.close()
    missing = await rotate(tmp_path / "none")
    assert (missing.exit_code, "there is no database in it" in missing.output) == (1, True)
    assert not (tmp_path / "none").exists()
