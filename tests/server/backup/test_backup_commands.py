"""`beatbook backup` and `beatbook restore`: what they tell, what they refuse, and the exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from tests.server.backup import folders

ROOT = Path(__file__).resolve().parents[3]


def beatbook(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """(the private half's file, the recipient)."""
    made = beatbook("backup", "keygen", "--to", tmp_path / "backup.key")
    assert made.exit_code == 0, made.output
    return tmp_path / "backup.key", made.stdout.strip()


def test_a_folder_of_backups_and_back(data: Path, tmp_path: Path, key: tuple[Path, str]) -> None:
    """Taken twice and one kept, told in words; restored, checked, and with a list of erasures."""
    backups = tmp_path / "backups"
    backups.mkdir()
    taking = ("backup", "--data", data, "--to", backups, "--recipient", key[1], "--keep", 1)
    first, second = beatbook(*taking), beatbook(*taking)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "everything up to commit" in first.output
    assert (first.output.count(": removed"), second.output.count(": removed")) == (0, 1)
    (path,) = backups.iterdir()
    listed = beatbook("backup", "erasures", "--data", data, "--to", tmp_path / "e.bbk", "--recipient", key[1])
    assert f"{tmp_path / 'e.bbk'}: 1 erasures" in listed.output
    new = tmp_path / "new"
    back = beatbook("restore", path, "--data", new, "--key", key[0], "--verify", "--erasures", tmp_path / "e.bbk")
    assert back.exit_code == 0, back.output
    assert "begins another epoch" in back.output
    assert "erased again" not in back.output
    assert "What was erased after 20" in back.output
    assert beatbook("verify", new).exit_code == 0


def test_a_passphrase_from_a_file_opens_it(data: Path, tmp_path: Path) -> None:
    """For whoever keeps no key; another one is refused, and the key's absence as well."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for path, text in ((right, "nine brass kettles boil"), (wrong, "nine brass kettles boiled")):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    done = beatbook("backup", "--data", data, "--to", tmp_path / "a.bbk", "--passphrase-file", right)
    assert done.exit_code == 0, done.output
    refused = beatbook("restore", tmp_path / "a.bbk", "--data", tmp_path / "new", "--passphrase-file", wrong)
    assert refused.exit_code == 1
    assert "does not open this backup" in refused.output
    assert "either --key or --passphrase-file" in beatbook("restore", tmp_path / "a.bbk", "--data", "x").output
    back = beatbook("restore", tmp_path / "a.bbk", "--data", tmp_path / "new", "--passphrase-file", right)
    assert back.exit_code == 0, back.output
    assert "What was erased after 20" in back.output


def test_through_standard_output_and_input(data: Path, tmp_path: Path, key: tuple[Path, str]) -> None:
    """As over ssh to another machine; what is told goes to standard error."""
    run = (sys.executable, "-m", "server.cli")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    taken = subprocess.run(
        [*run, "backup", "--data", str(data), "--to", "-", "--recipient", key[1]],
        capture_output=True, check=True, env=environment,
    )  # fmt: skip
    assert taken.stdout.startswith(b"beatbook backup 1\n")
    assert b"everything up to commit" in taken.stderr
    new = tmp_path / "new"
    subprocess.run(
        [*run, "restore", "-", "--data", str(new), "--key", str(key[0])],
        input=taken.stdout, check=True, capture_output=True, env=environment,
    )  # fmt: skip
    assert folders.rows(new, "op") == folders.rows(data, "op")


def test_whoever_takes_it_may_go_away(data: Path, key: tuple[Path, str]) -> None:
    """A pipe that is closed is an error in one line, and no backup is claimed."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "server.cli", "backup", "--data", str(data), "--to", "-", "--recipient", key[1]],
        stdout=writing, stderr=subprocess.PIPE, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("Error: standard output: Broken pipe")
    assert done.stderr.count(b"\n") == 1
    assert not (data / "backup.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "a.bbk"), "say who can open the backup"),
        (("--recipient", "bbk1-00", "--to", "a.bbk"), "is no recipient"),
        ((), "say where the backup goes"),
        (("--to", "a.bbk", "--keep", "3"), "--keep goes with a folder of backups"),
        (("--to", "-", "--keep", "3"), "--keep goes with a folder of backups"),
        (
            ("--to", "a.bbk", "--data", "nowhere", "--recipient", str(folders.KEY.recipient)),
            "there is no database in it",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    """In one line, with what to give instead."""
    monkeypatch.chdir(tmp_path)
    refused = beatbook("backup", *arguments)
    assert refused.exit_code == 1
    assert said in refused.output
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_never_written_over(tmp_path: Path, key: tuple[Path, str]) -> None:
    """It opens backups that nothing else opens; and it is its owner's alone."""
    before = key[0].read_bytes()
    assert beatbook("backup", "keygen", "--to", key[0]).exit_code == 1
    assert key[0].read_bytes() == before
    assert key[0].stat().st_mode & 0o777 == 0o600


def test_a_backup_that_is_not_there_is_told(tmp_path: Path, key: tuple[Path, str]) -> None:
    """By its name."""
    refused = beatbook("restore", tmp_path / "missing.bbk", "--data", tmp_path / "new", "--key", key[0])
    assert refused.exit_code == 1
    assert "there is no such file" in refused.output
