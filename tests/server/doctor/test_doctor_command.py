"""`beatbook doctor`: what it prints, and the exit code that a script goes by."""

from pathlib import Path

import msgspec
from click.testing import CliRunner

from server.cli.doctor import command
from server.doctor.examining import CHECKS, Report
from server.doctor.report import Level


def test_a_sound_folder_ends_with_0(data: Path, tmp_path: Path) -> None:
    """In words, and as JSON with the same in it."""
    file = tmp_path / "beatbook.toml"
    file.write_text(f'data = "{data}"\n[limits]\nconnections_max = 100\n[listen]\nport = 0\n', encoding="utf-8")
    file.chmod(0o600)
    told = CliRunner().invoke(command, ["--config", str(file)])
    assert told.exit_code == 0, told.output
    assert "0 troubles" in told.output
    as_json = CliRunner().invoke(command, ["--config", str(file), "--json"])
    report = msgspec.json.decode(as_json.output, type=Report)
    assert report.well
    assert {line.check for line in report.lines} == CHECKS.keys() - {"witnesses"}


def test_trouble_ends_with_1_and_says_what_to_do(data: Path) -> None:
    """A folder that everybody may read."""
    data.chmod(0o755)
    told = CliRunner().invoke(command, ["--data", str(data)])
    assert told.exit_code == 1
    assert "TROUBLE   permissions" in told.output
    assert f"-> chmod 700 {data}" in told.output


def test_a_key_that_nobody_knows_is_trouble_and_hides_nothing_else(data: Path, tmp_path: Path) -> None:
    """The folder is examined all the same."""
    file = tmp_path / "beatbook.toml"
    file.write_text("[listen]\nprot = 8700\n", encoding="utf-8")
    told = CliRunner().invoke(command, ["--config", str(file), "--data", str(data), "--json"])
    assert told.exit_code == 1
    lines = msgspec.json.decode(told.output, type=Report).lines
    assert any("there is no key listen.prot" in line.words for line in lines if line.level is Level.TROUBLE)
    assert any(line.check == "database" and line.level is Level.FINE for line in lines)


def test_what_was_called_wrongly_ends_with_2(tmp_path: Path) -> None:
    """A file that is not there is no finding."""
    assert CliRunner().invoke(command, ["--config", str(tmp_path / "missing.toml")]).exit_code == 2
    assert CliRunner().invoke(command, ["--what"]).exit_code == 2
