"""The routes and commands of evidence on a running server: who may, what is kept first, what is handed over."""

import asyncio
import base64
import csv
import io
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from schemas.errors import StoreError
from schemas.ids import RecordId
from schemas.roles import Role
from server.cli import main
from server.cli.access import Access, AccessFile
from server.evidence import checking, exported
from server.evidence.section62 import SEARCHED, Searched
from server.logbook import ACT
from server.registry import acts as a
from sync.evidence.note import VerifierKey
from sync.evidence.policy import Policy
from tests.server.api import ID, client, incident
from tests.server.evidence.witnesses import WITNESS, witnessed
from tests.server.people import Caller, person, program
from tests.server.running import Running

RECORD = ID.format(1)
GIVEN = {"recipients": ["Aston Law Chambers"], "why": "asked for by the defence"}


@pytest.fixture
async def auditor(server: Running) -> Caller:
    """Somebody who audits, and reads no record."""
    return await person(server, "WM7777", [Role.AUDITOR])


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who works with every record, with an incident made."""
    async with client(server, caller) as http:
        made = await http.post("/v1/records", json={"records": [incident(1)]})
        assert made.status_code == 200, made.text
        yield http


async def kept_acts(server: Running) -> list[a.Act]:
    """Every act there is."""
    return [a.decode(entry.body or b"") for entry in await server.store.journal(ACT, 0, 500)]


async def test_the_checkpoint_is_the_logs_own(server: Running, http: httpx.AsyncClient) -> None:
    """What is fetched is signed by the log's key and is of the log as it stands."""
    told = (await http.get("/v1/log/checkpoint")).json()
    head = Policy.of([VerifierKey.parse(told["log"])]).open(told["checkpoint"].encode()).checkpoint
    tree = await server.store.tree()
    assert (head.size, head.root, told["size"]) == (tree.size, tree.root, tree.size)


async def test_a_record_is_given_out_with_proof_and_a_trace(server: Running, http: httpx.AsyncClient) -> None:
    """The export checks out by the log's key, and the log names recipients, reason and its hash."""
    log = (await http.get("/v1/log/checkpoint")).json()["log"]
    done = (await http.post(f"/v1/records/{RECORD}/disclosures", json=GIVEN)).json()
    export = base64.b64decode(done["export"])
    act = (await kept_acts(server))[-1]
    assert isinstance(act, a.Disclosed)
    assert (act.record, act.recipients, act.export.hex()) == (RECORD, ("Aston Law Chambers",), done["sha256"])
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert checking.check(files, Policy.of([VerifierKey.parse(log)])).findings == ()


async def test_who_may_not_is_refused_and_nothing_is_given(server: Running, http: httpx.AsyncClient) -> None:
    """An officer gives nothing out and searches no log, an auditor reads no record, a stranger's is not there."""
    officer = await program(server, "WM2", [Role.OFFICER])
    auditor = await person(server, "WM7777", [Role.AUDITOR])
    elsewhere = await program(server, "WM3", [Role.SUPERINTENDENT], ["area:coventry"])
    before = len(await kept_acts(server))
    for caller, status in ((officer, 403), (auditor, 403), (elsewhere, 404)):
        async with client(server, caller) as other:
            reply = await other.post(f"/v1/records/{RECORD}/disclosures", json=GIVEN)
            assert reply.status_code == status, reply.text
    async with client(server, officer) as other:
        assert (await other.post("/v1/log/searches", json={"why": "curious"})).status_code == 403
    assert len(await kept_acts(server)) == before
    assert await server.store.journal(SEARCHED, 0, 10) == []


async def test_an_auditor_finds_what_was_done_and_leaves_a_trace(
    server: Running, http: httpx.AsyncClient, auditor: Caller
) -> None:
    """The making of a record is a collection by its author; the search names the auditor and the reason."""
    async with client(server, auditor) as other:
        body = {"why": "yearly audit", "query": {"record": RECORD, "kinds": ["collection"]}}
        (event,) = (await other.post("/v1/log/searches", json=body)).json()["events"]
        assert (event["kind"], event["officer"], event["record"]) == ("collection", "WM1", RECORD)
        (kept,) = await server.store.journal(SEARCHED, 0, 10)
        search = msgspec.msgpack.decode(kept.body or b"", type=Searched)
        assert (search.officer, search.seat, search.why) == ("WM7777", auditor.seat, "yearly audit")
        assert search.query.record == RECORD


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"why": ""}, 400),
        ({"why": " "}, 422),
        ({"why": "audit", "query": {"record": "42"}}, 400),
        ({"why": "audit", "query": {"who": "WM1"}}, 400),
        ({"why": "audit", "after": "x"}, 422),
        ({"why": "audit", "limit": 100_000}, 400),
    ],
)
async def test_a_wrong_search_is_told(server: Running, auditor: Caller, body: dict[str, Any], status: int) -> None:
    """A field that is not known must not be passed over: the search would find more than was meant."""
    async with client(server, auditor) as other:
        assert (await other.post("/v1/log/searches", json=body)).status_code == status


async def test_nothing_leaves_while_the_store_fails(server: Running, http: httpx.AsyncClient, auditor: Caller) -> None:
    """No disclosure and no search goes without its trace."""
    server.store.failing = StoreError("disk is full")
    assert (await http.post(f"/v1/records/{RECORD}/disclosures", json=GIVEN)).status_code == 503
    async with client(server, auditor) as other:
        assert (await other.post("/v1/log/searches", json={"why": "audit"})).status_code == 503


# --- commands --------------------------------------------------------------------------------------------------------


def access_of(server: Running, caller: Caller, folder: Path) -> Path:
    """The access folder of somebody, made the first time."""
    if not folder.exists():
        Access.make(folder, caller.identity, AccessFile(server=server.url, seat=caller.seat, officer=caller.officer))
    return folder


async def run(server: Running, caller: Caller, folder: Path, *arguments: object) -> Result:
    """Run a command as somebody."""
    given = [*map(str, arguments), "--folder", str(access_of(server, caller, folder))]
    result = await asyncio.to_thread(CliRunner().invoke, main, given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


async def test_disclosed_by_command_and_verified_by_command(
    server: Running, http: httpx.AsyncClient, caller: Caller, tmp_path: Path
) -> None:
    """What one command writes, the other one proves, with no server and by the log's key alone."""
    out = tmp_path / "van.zip"
    words = ("disclose", RECORD, "--to", "Aston Law Chambers", "--why", "defence", "--out", out)
    done = await run(server, caller, tmp_path / "access", *words)
    assert done.exit_code == 0, done.output
    assert "SHA-256" in done.output
    log = (await http.get("/v1/log/checkpoint")).json()["log"]
    checked = await asyncio.to_thread(CliRunner().invoke, main, ["verify", str(out), "--log", log])
    assert checked.exit_code == 0, checked.output
    assert "stands at its place in the log" in checked.output
    for name, content in exported.read(out).items():
        (tmp_path / "unpacked").mkdir(exist_ok=True)
        (tmp_path / "unpacked" / name).write_bytes(content)
    unpacked = await asyncio.to_thread(CliRunner().invoke, main, ["verify", str(tmp_path / "unpacked"), "--log", log])
    assert unpacked.exit_code == 0, unpacked.output
    again = await run(server, caller, tmp_path / "access", *words)
    assert again.exit_code == 1
    assert "name another file" in again.output


async def test_a_disclosure_that_is_refused_leaves_no_file(
    server: Running, http: httpx.AsyncClient, caller: Caller, tmp_path: Path
) -> None:
    """Neither an empty file nor an act of something that was not given."""
    out, before = tmp_path / "none.zip", len(await kept_acts(server))
    words = ("disclose", ID.format(9), "--to", "x", "--why", "y", "--out", out)
    assert (await run(server, caller, tmp_path / "access", *words)).exit_code == 1
    assert not out.exists()
    assert len(await kept_acts(server)) == before


async def test_searched_by_command(server: Running, http: httpx.AsyncClient, auditor: Caller, tmp_path: Path) -> None:
    """CSV for a spreadsheet, JSON for a program, into a file or shown."""
    access = tmp_path / "access"
    words = ("audit", "search", "--why", "audit", "--record", RECORD, "--since", "2023-01-01", "--kind", "collection")
    shown = await run(server, auditor, access, *words)
    assert shown.exit_code == 0, shown.output
    (row,) = list(csv.DictReader(io.StringIO(shown.output)))
    assert (row["kind"], row["officer"], RecordId(row["record"])) == ("collection", "WM1", RECORD)
    out = tmp_path / "found.json"
    written = await run(server, auditor, access, *words, "--format", "json", "--out", out)
    assert written.output == f"{out}: 1 findings\n"
    assert msgspec.json.decode(out.read_bytes())[0]["source"] == row["source"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    for wrong in (("--since", "yesterday"), ("--officer", "!")):
        refused = await run(server, auditor, access, "audit", "search", "--why", "audit", *wrong)
        assert refused.exit_code == 1, refused.output


@pytest.mark.parametrize("words", [("search", "--why", "audit"), ("checkpoint",)])
async def test_what_an_auditor_has_kept_is_not_written_over(
    server: Running, auditor: Caller, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A file that is there stays as it is, and no search is made that would find no place; a failure leaves none."""
    out = tmp_path / "kept"
    out.write_bytes(b"last year's")
    refused = await run(server, auditor, tmp_path / "access", "audit", *words, "--out", out)
    assert (refused.exit_code, out.read_bytes()) == (1, b"last year's")
    assert "name another file" in refused.output
    assert await server.store.journal(SEARCHED, 0, 10) == []
    server.store.failing = StoreError("disk is full")
    other = tmp_path / "other"
    if words[0] == "search":
        assert (await run(server, auditor, tmp_path / "access", "audit", *words, "--out", other)).exit_code == 1
        assert not other.exists()
    server.store.failing = None
    done = await run(server, auditor, tmp_path / "access", "audit", *words, "--out", other)
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


async def test_a_head_is_fetched_to_be_kept(
    server: Running, http: httpx.AsyncClient, auditor: Caller, tmp_path: Path
) -> None:
    """An auditor keeps the file that `beatbook verify --checkpoint` takes."""
    out = tmp_path / "head"
    done = await run(server, auditor, tmp_path / "access", "audit", "checkpoint", "--out", out)
    assert done.exit_code == 0, done.output
    tree = await server.store.tree()
    log = VerifierKey.parse(done.output.rpartition(" ")[2].strip())
    assert Policy.of([log]).open(out.read_bytes()).checkpoint.root == tree.root
    assert "no witness has cosigned it" in done.output


async def test_a_head_is_fetched_with_its_cosignatures(
    server: Running, http: httpx.AsyncClient, auditor: Caller, tmp_path: Path
) -> None:
    """Whoever's policy asks for a witness can keep a head that it takes; the command says who cosigned."""
    out = tmp_path / "head"
    async with witnessed(server, tmp_path):
        done = await run(server, auditor, tmp_path / "access", "audit", "checkpoint", "--out", out)
    assert f"cosigned by {WITNESS.key.name}" in done.output
    log = VerifierKey.parse(done.output.rpartition(" ")[2].strip())
    tree = await server.store.tree()
    head = Policy.of([log], [WITNESS.key], 1).open(out.read_bytes())
    assert (head.checkpoint.size, head.checkpoint.root) == (tree.size, tree.root)
