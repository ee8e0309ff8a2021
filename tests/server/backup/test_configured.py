"""`server.backup.configured`: what a server was told goes along where somebody asks, and comes back over nothing."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.errors import StoreError
from server.backup import configured
from server.backup.restoring import restore
from server.cli import main
from tests.server.backup import folders
from tests.server.organisation.files import TABLES, write

CONFIGURATION = """\
data = "data"
organisation = "force/force.toml"
[tls]
certificate_file = "tls/beatbook.pem"
key_file = "tls/beatbook.key"
[events]
source = "https://marches.example/beatbook"
[[webhooks]]
name = "records-office"
url = "https://records.example/events"
secret_file = "hook secret"
scopes = ["area:dudley"]
kinds = ["incident"]
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A configuration, with all that it names."""
    folder = tmp_path / "etc"
    folder.mkdir()
    write(folder / "force")
    (folder / "tls").mkdir()
    (folder / "tls/beatbook.pem").write_text("a certificate")
    (folder / "tls/beatbook.key").write_text("its key")
    (folder / "hook secret").write_text("s" * 40)
    (folder / "beatbook.toml").write_text(CONFIGURATION)
    return folder


def beatbook(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_every_file_that_a_configuration_names_is_found(etc: Path) -> None:
    """In sections, in lists of sections, and the tables of an organisation; not the data folder."""
    found = configured.named_in(etc / "beatbook.toml", {})
    named = ["beatbook.toml", "tls/beatbook.pem", "tls/beatbook.key", "hook secret", "force/force.toml"]
    assert set(found) == {etc / one for one in (*named, *(f"force/{table}" for table in TABLES))}
    elsewhere = configured.named_in(etc / "beatbook.toml", {"BEATBOOK_TLS_KEY_FILE": str(etc / "hook secret")})
    assert etc / "tls/beatbook.key" not in elsewhere


def test_it_is_taken_along_and_comes_back_over_nothing(data: Path, etc: Path, tmp_path: Path) -> None:
    """Byte for byte, each its owner's alone, with where it was; the files themselves are as they were."""
    (tmp_path / "proxy.conf").write_text("a proxy")
    keyed = beatbook("backup", "keygen", "--to", tmp_path / "k")
    taken = beatbook(
        "backup", "--data", data, "--to", tmp_path / "a.bbk", "--recipient", keyed.stdout.strip(),
        "--with-config", etc / "beatbook.toml", "--with", tmp_path / "proxy.conf", "--with", etc / "beatbook.toml",
    )  # fmt: skip
    assert taken.exit_code == 0, taken.output
    before = {path: path.read_bytes() for path in etc.rglob("*") if path.is_file()}
    back = beatbook("restore", tmp_path / "a.bbk", "--data", tmp_path / "new", "--key", tmp_path / "k", "--verify")
    assert back.exit_code == 0, back.output
    assert f"What the server was told is in {tmp_path / 'new' / 'configuration'}" in back.output
    listed = dict(line.split("\t") for line in (tmp_path / "new/configuration/paths.txt").read_text().splitlines())
    assert set(map(Path, listed.values())) == {*before, tmp_path / "proxy.conf"}
    for name, path in listed.items():
        copy = tmp_path / "new/configuration" / name
        assert copy.read_bytes() == Path(path).read_bytes()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {path: path.read_bytes() for path in etc.rglob("*") if path.is_file()} == before


def test_without_being_asked_nothing_goes_along(data: Path, tmp_path: Path) -> None:
    """And nothing is said of it."""
    folders.archive_of(data, tmp_path / "a.bbk")
    restore(folders.to_read((tmp_path / "a.bbk").read_bytes()), tmp_path / "new")
    assert not (tmp_path / "new/configuration").exists()


def test_a_key_that_is_not_there_is_no_backup(data: Path, etc: Path, tmp_path: Path) -> None:
    """Nobody finds out at the restore that the certificate's key was never in it; the last backup stays."""
    (tmp_path / "a.bbk").write_bytes(b"the one before")
    (etc / "tls/beatbook.key").unlink()
    keyed = beatbook("backup", "keygen", "--to", tmp_path / "k")
    taking = ("backup", "--data", data, "--to", tmp_path / "a.bbk", "--recipient", keyed.stdout.strip())
    done = beatbook(*taking, "--with-config", etc / "beatbook.toml")
    assert done.exit_code == 1
    assert "beatbook.key: is no file" in done.output
    assert (tmp_path / "a.bbk").read_bytes() == b"the one before"
    (tmp_path / "long").write_bytes(bytes(configured.FILE_BYTES_MAX + 1))
    with pytest.raises(StoreError, match="is longer than 16 MiB"):
        list(configured.files([tmp_path / "long"]))
