"""Proof files of single entries: they prove, they are for few, and what is about a record leaves a trace first."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from schemas.errors import StoreError
from schemas.roles import Role
from server.cli import main
from server.evidence.consulted import CONSULTED, Consulted
from server.http.consulting import REASON, recipient_headers
from server.logbook import ACT
from server.registry import acts as a
from sync.evidence.leaf import OpLeaf, RowsLeaf, decode
from sync.evidence.note import VerifierKey
from sync.evidence.policy import Policy
from sync.evidence.proof import Proof
from tests.server.api import ID, client, incident
from tests.server.disputes import BOOKING, Disputes
from tests.server.evidence.test_routes import run
from tests.server.evidence.witnesses import WITNESS, witnessed
from tests.server.people import Caller, person, program
from tests.server.running import Running

RECORD = ID.format(1)
WHY = {REASON: "asked%20for"}
TO = ("Aston Law Chambers", "Häberle, Söhne & Co")


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a program that works with every record, with an incident made and noted."""
    async with client(server, caller) as http:
        made = await http.post("/v1/records", json={"records": [incident(1), incident(2)]})
        assert made.status_code == 200, made.text
        yield http


@pytest.fixture
async def boss(server: Running, http: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A superintendent of the area, who is signed in."""
    async with client(server, await person(server, "WM9", [Role.SUPERINTENDENT], "birmingham")) as boss:
        yield boss


@pytest.fixture
async def op(http: httpx.AsyncClient) -> str:
    """The op that made the incident."""
    return str((await http.get(f"/v1/records/{RECORD}/history")).json()["ops"][0]["op"])


async def looks(server: Running, officer: str) -> list[Consulted]:
    """What an officer has looked at."""
    kept = await server.store.journal(CONSULTED, 0, 100)
    every = [msgspec.msgpack.decode(one.body or b"", type=Consulted) for one in kept]
    return [one for one in every if one.officer == officer]


async def given(server: Running) -> list[a.Disclosed]:
    """What was given out."""
    kept = [a.decode(one.body or b"") for one in await server.store.journal(ACT, 0, 500)]
    return [act for act in kept if isinstance(act, a.Disclosed)]


def proven(server: Running, reply: httpx.Response) -> tuple[Proof, bytes]:
    """The proof in an answer, and its entry, which it must prove by the log's own key."""
    assert reply.status_code == 200, reply.text
    body = reply.json()
    proof = Proof.parse(msgspec.json.decode(msgspec.json.encode(body["proof"]), type=bytes))
    log = VerifierKey.parse(body["log"])
    assert log == server.beatbook.authority.checkpoints.verifier
    proof.verify(proof.extra or b"", Policy.of([log]))
    assert proof.index == body["entry"]
    return proof, proof.extra or b""


async def test_a_record_is_proven_as_its_last_commit_left_it(server: Running, boss: httpx.AsyncClient) -> None:
    """The entry names the hash of the row that the server has."""
    proof, raw = proven(server, await boss.get(f"/v1/records/{RECORD}/proof", headers=WHY))
    leaf, row = decode(raw), await server.store.record(RECORD)  # type: ignore[arg-type]  # a record's id
    assert isinstance(leaf, RowsLeaf)
    assert row is not None
    assert (RECORD, hashlib.sha256(row).digest()) in leaf.rows
    assert (await server.store.leaves(proof.index, 1)) == [raw]


async def test_an_op_is_proven(server: Running, boss: httpx.AsyncClient, op: str) -> None:
    """The entry names the op and the hash of its bytes."""
    _, raw = proven(server, await boss.get(f"/v1/ops/{op}/proof", headers=WHY))
    leaf = decode(raw)
    (kept, *_) = await server.store.ops(RECORD, 0, 10)  # type: ignore[arg-type]  # a record's id
    assert isinstance(leaf, OpLeaf)
    assert (leaf.id, leaf.digest) == (op, hashlib.sha256(kept.body).digest())


async def test_an_auditor_has_any_entry_proven_by_its_number(server: Running, http: httpx.AsyncClient) -> None:
    """Ops, commits and entries of the journal, each noted for the records that it is about, if it is about one."""
    who = await person(server, "WM7", [Role.AUDITOR])
    size = (await server.store.tree()).size
    async with client(server, who) as auditor:
        found = [await auditor.get(f"/v1/log/entries/{entry}/proof", headers=WHY) for entry in range(size)]
        leaves = [decode(proven(server, reply)[1]) for reply in found]
        assert (await auditor.get(f"/v1/log/entries/{size + 100}/proof", headers=WHY)).status_code == 422
        for wrong in ("x", "-1", "1" * 20):
            assert (await auditor.get(f"/v1/log/entries/{wrong}/proof", headers=WHY)).status_code == 404
        ops = [number for number, leaf in enumerate(leaves) if isinstance(leaf, OpLeaf)]
        assert (await auditor.get(f"/v1/log/entries/{ops[0]}/proof")).status_code == 428
    assert {type(leaf).__name__ for leaf in leaves} == {"OpLeaf", "RowsLeaf", "EntryLeaf"}
    about = [one.records for one in await looks(server, "WM7")]
    rows = [tuple(record for record, _ in leaf.rows) for leaf in leaves if isinstance(leaf, RowsLeaf)]
    assert {RECORD, ID.format(2)} <= {record for records in about for record in records}
    assert all(one in about for one in rows)
    assert len(about) == len(rows) + len(ops)


@pytest.mark.parametrize("what", ["record", "op"])
async def test_who_asks_is_noted_and_to_whom_it_goes_is_a_disclosure(
    server: Running, boss: httpx.AsyncClient, op: str, what: str
) -> None:
    """Without a reason nothing is told; the act of disclosure has the hash of what was handed over."""
    path = f"/v1/records/{RECORD}/proof" if what == "record" else f"/v1/ops/{op}/proof"
    assert (await boss.get(path)).status_code == 428
    assert (await looks(server, "WM9"), await given(server)) == ([], [])
    await boss.get(path, headers=WHY)
    (look,) = await looks(server, "WM9")
    assert (look.what, look.records, look.matter, look.why) == ("consultation", (RECORD,), RECORD, "asked for")
    assert await given(server) == []
    assert (await boss.get(path, headers=recipient_headers(TO))).status_code == 422
    assert (await boss.get(path, headers=WHY | recipient_headers(["x" * 5_000]))).status_code == 422
    assert await given(server) == []
    reply = await boss.get(path, headers=WHY | recipient_headers(TO))
    proof, _ = proven(server, reply)
    (act,) = await given(server)
    assert (act.record, act.recipients, act.why, act.by) == (RECORD, TO, "asked for", "WM9")
    assert act.export == hashlib.sha256(proof.encode()).digest()
    assert len(await looks(server, "WM9")) == 1


async def test_what_one_may_not_see_is_not_proven(server: Running, http: httpx.AsyncClient, op: str) -> None:
    """Neither is that it is there told, nor is a trace left of what was not shown."""
    paths = (f"/v1/records/{RECORD}/proof", f"/v1/ops/{op}/proof")
    async with client(server, await person(server, "WM8", [Role.SUPERINTENDENT], "coventry")) as elsewhere:
        for path in (*paths, f"/v1/records/{ID.format(9)}/proof", "/v1/ops/hh-77/1/proof", "/v1/ops/x/0/proof"):
            assert (await elsewhere.get(path, headers=WHY | recipient_headers(TO))).status_code == 404, path
    auditor, officer = await person(server, "WM7", [Role.AUDITOR]), await program(server, "WM5", [Role.OFFICER])
    for who, denied in ((auditor, paths), (officer, (*paths, "/v1/log/entries/0/proof"))):
        async with client(server, who) as other:
            for path in denied:
                assert (await other.get(path, headers=WHY)).status_code == 403
    assert await given(server) == []
    assert await looks(server, "WM8") == []


async def test_nothing_is_proven_that_cannot_be_noted(server: Running, boss: httpx.AsyncClient, op: str) -> None:
    """While the disk is full, neither a proof nor a disclosure of one goes out."""
    server.store.failing = StoreError("disk is full")
    for headers in (WHY, WHY | recipient_headers(TO)):
        assert (await boss.get(f"/v1/ops/{op}/proof", headers=headers)).status_code == 503
    server.store.failing = None


async def test_a_question_is_proven_for_the_sake_of_its_booking(
    server: Running, http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """A look at a part is a look for the sake of the whole, so that the reason is asked once."""
    item = await disputes.over_time()
    assert (await http.get(f"/v1/records/{item}/proof")).status_code == 200
    assert (await looks(server, "WM1"))[-1].matter == BOOKING


# --- the command -----------------------------------------------------------------------------------------------------


def verified(*arguments: object) -> Result:
    """`beatbook verify`."""
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


async def test_proven_by_command_and_verified_by_command(
    server: Running, http: httpx.AsyncClient, op: str, tmp_path: Path
) -> None:
    """The one file is enough, under a policy that asks for a witness; another entry or a flipped bit is found."""
    boss = await person(server, "WM9", [Role.SUPERINTENDENT], "birmingham")
    auditor = await person(server, "WM7", [Role.AUDITOR])
    out = tmp_path
    async with witnessed(server, tmp_path):
        for who, target in ((boss, RECORD), (boss, op), (auditor, 0)):
            out = tmp_path / f"{str(target).replace('/', '-')}.tlog-proof"
            done = await run(server, who, tmp_path / who.officer, "prove", target, "--why", "court", "--out", out)
            assert done.exit_code == 0, done.output
    log = server.beatbook.authority.checkpoints.verifier
    policy = tmp_path / "policy.txt"
    policy.write_text(f"log {log}\nwitness hmi {WITNESS.key}\nquorum hmi\n", encoding="utf-8")
    checked = await asyncio.to_thread(verified, out, "--policy", policy)
    assert checked.exit_code == 0, checked.output
    proof = tmp_path / f"{op.replace('/', '-')}.tlog-proof"
    checked = await asyncio.to_thread(verified, proof, "--policy", policy)
    assert f"op {op} (SHA-256 " in checked.output
    assert f"cosigned by {WITNESS.key.name}" in checked.output
    good = Proof.parse(proof.read_bytes())
    other = Proof.parse(out.read_bytes())
    for bad in (msgspec.structs.replace(good, extra=other.extra), msgspec.structs.replace(good, index=other.index)):
        proof.write_bytes(bad.encode())
        checked = await asyncio.to_thread(verified, proof, "--policy", policy)
        assert checked.exit_code == 1, checked.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("hh-1",), "is no record id, no op as in hh-01/7 and no number of an entry"),
        (("3", "--to", "x"), "--to is for a record or an op"),
        ((ID.format(9),), "there is no record"),
        (("hh-77/1",), "there is no op"),
    ],
)
async def test_what_cannot_be_proven_is_told_and_leaves_no_file(
    server: Running, boss: httpx.AsyncClient, caller: Caller, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """One line that says what is wrong; and a file that is there is not written over."""
    out = tmp_path / "x.tlog-proof"
    done = await run(server, caller, tmp_path / "access", "prove", *words, "--why", "court", "--out", out)
    assert done.exit_code == 1
    assert told in done.output
    assert not out.exists()
    out.write_bytes(b"kept")
    done = await run(server, caller, tmp_path / "access", "prove", RECORD, "--why", "court", "--out", out)
    assert (done.exit_code, out.read_bytes()) == (1, b"kept")
