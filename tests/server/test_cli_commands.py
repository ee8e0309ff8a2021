"""Commands as a person gives them, the wrong ways included: one clear line, and nothing half done."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.ids import DeviceId
from server.cli import main
from server.identity import Directory


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def enrol(data: Path, out: Path, *rest: str, device: str = "hh-01") -> tuple[int, str]:
    """Enrol a device."""
    return run("enrol", device, "--officer", "WM1", "--scope", "force", "--data", data, "--out", out, *rest)


def test_a_refused_enrolment_leaves_the_server_as_it_was(tmp_path: Path) -> None:
    """Neither a second enrolment nor a folder that holds another identity changes whom the server trusts."""
    data = tmp_path / "data"
    data.mkdir()
    assert enrol(data, tmp_path / "one")[0] == 0
    before = Directory(data / "devices").find(DeviceId("hh-01"))
    code, said = enrol(data, tmp_path / "two")
    assert (code, "--renew" in said) == (1, True), said
    assert not (tmp_path / "two").exists()
    code, said = enrol(data, tmp_path / "one", device="hh-02")
    assert (code, "never written over" in said) == (1, True), said
    assert Directory(data / "devices").find(DeviceId("hh-02")) is None
    assert Directory(data / "devices").find(DeviceId("hh-01")) == before


def test_a_device_is_given_a_new_key_only_when_that_is_said(tmp_path: Path) -> None:
    """With --renew the server trusts the new identity, and the old one no longer."""
    data = tmp_path / "data"
    data.mkdir()
    enrol(data, tmp_path / "one")
    before = Directory(data / "devices").find(DeviceId("hh-01"))
    assert enrol(data, tmp_path / "two", "--renew")[0] == 0
    after = Directory(data / "devices").find(DeviceId("hh-01"))
    assert before is not None
    assert after is not None
    assert before.key != after.key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["enrol", "HH", "--officer", "WM1", "--scope", "force", "--out", "o"], "is no device id"),
        (["enrol", "hh-01", "--officer", "W M", "--scope", "force", "--out", "o"], "is no collar number"),
        (["enrol", "hh-01", "--officer", "WM1", "--scope", "area:Birmingham", "--out", "o"], "lower-case letters"),
        (["enrol", "hh-01", "--officer", "WM1", "--scope", "region:x", "--out", "o"], "no such family of scopes"),
        (["demo", "--json", "/nonexistent/x.json"], "cannot be written"),
        (["import", "street", __file__, "--report", "/nonexistent/r.tsv"], "cannot be written"),
        (["handset", "folder", "--author", "WM1", "--log-file", "/nonexistent/x"], "cannot be written"),
        (["serve", "--host", "nosuchhost.invalid", "--port", "0"], "cannot listen"),
    ],
)
def test_what_cannot_be_is_one_clear_line_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """No traceback, no half-made identity, no run whose figures are lost at its end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beatbook-data").mkdir()
    code, output = run(*arguments)
    assert code != 0
    assert said in output
    assert not (tmp_path / "o" / "identity.json").exists()


def test_enrolling_into_a_folder_that_no_server_has_made_is_refused(tmp_path: Path) -> None:
    """A misspelt folder would be a device that no server knows."""
    code, said = enrol(tmp_path / "beatbok-data", tmp_path / "out")
    assert (code, "no data folder" in said) == (1, True), said
    assert not (tmp_path / "out").exists()


def test_a_handset_without_its_key_file_makes_no_other_key(tmp_path: Path) -> None:
    """The replica opens with the lost key alone; a new one beside it would only hide that."""
    data = tmp_path / "data"
    data.mkdir()
    enrol(data, tmp_path / "hh")
    handset: list[str | Path] = ["handset", tmp_path / "hh", "--author", "WM1", "--offline", "--command", "status"]
    assert run(*handset)[0] == 0
    (tmp_path / "hh" / "replica.key").unlink()
    code, said = run(*handset)
    assert (code, "is missing" in said) == (1, True), said
    assert not (tmp_path / "hh" / "replica.key").exists()


@pytest.mark.e2e
@pytest.mark.timeout(60)
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_demo_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path, told: signal.Signals) -> None:
    """Neither the server's process nor the folder, also when it is told while the server starts."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "demo", "--headless", "--devices", "3", "--seconds", "30"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert demo.stdout is not None
    with demo, demo.stdout as lines:
        assert "loading" in next(lines)
        demo.send_signal(told)
        lines.read()
    assert demo.returncode != 0
    assert list(tmp_path.glob("beatbook-demo-*")) == []


@pytest.mark.e2e
@pytest.mark.timeout(60)
def test_a_server_that_watches_its_input_goes_with_the_program_that_started_it(tmp_path: Path) -> None:
    """Nobody has to find and end it when its starter was killed."""
    server = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "serve", "--data", str(tmp_path / "data"), "--port", "0", "--stop-on-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdin is not None
    with server:
        assert "Beatbook serves" in server.stdout.readline()
        server.stdin.close()
        server.stdout.read()
    assert server.returncode == 0
