"""`beatbook verify`: what it tells, and the exit code that a script goes by."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from server.cli import verify
from server.evidence.findings import Report
from sync.evidence.proof import Proof
from tests.server.evidence import mutations, station
from tests.sync.evidence.parties import WITNESSES


class Kept(msgspec.Struct, frozen=True):
    """A data folder, and beside it what others kept of its log."""

    folder: Path
    log: str

    def __call__(self, *arguments: object) -> Result:
        """Run the command."""
        return CliRunner().invoke(verify.command, [str(one) for one in arguments])

    def beside(self, name: str) -> Path:
        """A file beside the folder."""
        return self.folder.parent / name


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A folder, checkpoints of it, a proof of its first op and a policy."""
    folder = tmp_path_factory.mktemp("verify") / "data"

    async def make() -> str:
        one, half = await station.make(folder, rounds=2)
        head = await one.checkpoint()
        size = one.policy.open(head).checkpoint.size
        (first,) = await one.store.ops(None, 0, 1)
        (leaf,) = await one.store.leaves(first.leaf, 1)
        path = await one.store.inclusion(first.leaf, size)
        await one.store.close()
        beside = folder.parent
        (beside / "half").write_bytes(half)
        (beside / "head").write_bytes(head)
        (beside / "first.leaf").write_bytes(leaf)
        (beside / "first.tlog-proof").write_bytes(Proof(first.leaf, tuple(path), head).encode())
        (beside / "policy").write_text(f"log {one.verifier}\nquorum none\n", encoding="utf-8")
        witness = f"witness hmi {WITNESSES[0].key}\nquorum hmi\n"
        (beside / "strict").write_text(f"log {one.verifier}\n{witness}", encoding="utf-8")
        return str(one.verifier)

    return Kept(folder, asyncio.run(make()))


@pytest.fixture
def kept(whole: Kept, tmp_path: Path) -> Kept:
    """A copy of all that, to change."""
    shutil.copytree(whole.folder.parent, tmp_path / "copy")
    return Kept(tmp_path / "copy" / "data", whole.log)


def edited(kept: Kept, statement: str) -> None:
    """Change the database as somebody with SQL would."""
    with sqlite3.connect(kept.folder / "beatbook.db") as connection:
        connection.execute(statement)
    connection.close()


def test_a_sound_folder_ends_with_0(kept: Kept) -> None:
    """With the checkpoints and the log's key everything is proven that can be."""
    result = kept(
        kept.folder, "--checkpoint", kept.beside("half"), "--checkpoint", kept.beside("head"), "--log", kept.log
    )
    assert result.exit_code == 0, result.output
    assert "are those of the signed checkpoint half" in result.output
    assert result.output.endswith("nothing is wrong with what was checked\n")


def test_a_copied_database_is_checked_without_its_keys(kept: Kept) -> None:
    """An expert gets the database alone, and is told what that leaves out."""
    copy = kept.beside("copy.db")
    shutil.copy(kept.folder / "beatbook.db", copy)
    result = kept(copy)
    assert result.exit_code == 0, result.output
    assert "the master keys were not given" in result.output
    opened = kept(copy, "--master-keys", kept.folder / "master.key")
    assert opened.exit_code == 0
    assert "the master keys were not given" not in opened.output


def test_an_edit_ends_with_1_and_is_told_as_json_too(kept: Kept) -> None:
    """A script goes by the exit code, a person by the words, a program by the JSON."""
    edited(kept, "UPDATE op SET recorded_at = 1 WHERE place = 1")
    result = kept(kept.folder)
    assert result.exit_code == 1
    assert "WRONG   op hh-0042/1: its time of recording is 1" in result.output
    report = msgspec.json.decode(kept(kept.folder, "--json").output, type=Report)
    assert [one.row for one in report.findings] == ["hh-0042/1"]


@pytest.mark.parametrize("table", mutations.TABLES)
def test_a_folder_without_one_of_its_tables_ends_with_1(kept: Kept, table: str) -> None:
    """The file is opened for reading only, and is left as it is."""
    edited(kept, f"DROP TABLE {table}")
    before = (kept.folder / "beatbook.db").read_bytes()
    result = kept(kept.folder, "--record", station.record_id("van"))
    assert result.exit_code == 1, result.output
    assert f"WRONG   database {table}: is not there" in result.output
    assert (kept.folder / "beatbook.db").read_bytes() == before


def test_of_one_record_only_what_concerns_it_is_told(kept: Kept) -> None:
    """A custody record's reader is not told of another record's trouble, but of the log's."""
    edited(kept, "UPDATE op SET recorded_at = 1 WHERE place = 1")
    shed, van = station.record_id("shed"), station.record_id("van")
    assert kept(kept.folder, "--record", shed).exit_code == 1
    assert kept(kept.folder, "--record", van).exit_code == 0
    edited(kept, "DELETE FROM tree")
    assert kept(kept.folder, "--record", van).exit_code == 1


def test_an_old_backup_is_found_by_the_head(kept: Kept) -> None:
    """What is cut off from the log's end is missed by nobody but who kept a head."""
    shutil.copy(kept.beside("head"), kept.beside("later"))
    edited(kept, "DELETE FROM log WHERE n > 50")
    result = kept(kept.folder, "--checkpoint", kept.beside("later"), "--policy", kept.beside("policy"))
    assert result.exit_code == 1
    assert "an old backup was restored" in result.output


def test_a_proof_is_checked_with_its_entry(kept: Kept) -> None:
    """The entry that it is of is in the log; another one is not proven by it."""
    proof, entry = kept.beside("first.tlog-proof"), kept.beside("first.leaf")
    result = kept(proof, "--entry", entry, "--log", kept.log)
    assert result.exit_code == 0, result.output
    assert "op hh-0042/1 (SHA-256 " in result.output
    entry.write_bytes(entry.read_bytes() + b"\x00")
    assert kept(proof, "--entry", entry, "--log", kept.log).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["half"], "is no data folder, no database, no proof and no export"),
        (["first.tlog-proof", "--policy", "policy"], "first.tlog-proof: name the entry that it is of with --entry"),
        (["first.tlog-proof", "--entry", "first.leaf"], "say whose signatures count"),
        (["first.tlog-proof", "--entry", "first.leaf", "--policy", "strict"], "first.tlog-proof: the policy's quorum"),
        (["data", "--log", "not a key"], "key"),
        (["data", "--policy", "policy", "--log", "x"], "not both"),
        (["data", "--checkpoint", "first.leaf"], "first.leaf: "),
        (["data", "--checkpoint", "half", "--policy", "strict"], "half: the policy's quorum 'hmi' is not reached"),
        (["data", "--policy", "half"], "half: line 1 of the policy"),
        (["data", "--policy", "first.leaf"], "first.leaf: "),
        (["data", "--record", "42"], "is no record id"),
        (["data", "--record", "01890000-0000-7000-8000-000000000001"], "there is nothing of a record"),
        (["data", "--master-keys", "half"], "can be used by others"),
    ],
)
def test_what_cannot_be_checked_ends_with_2(kept: Kept, arguments: list[str], words: str) -> None:
    """That nothing was checked is neither good news nor bad, and says what to do."""
    kept.beside("half").chmod(0o644)
    named = [kept.beside(one) if kept.beside(one).exists() else one for one in arguments]
    result = kept(*named)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
