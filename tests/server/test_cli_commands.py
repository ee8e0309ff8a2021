"""Commands as a person gives them, the wrong ways included: one clear line, and nothing half done."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli import main
from sync.device.keys import DeviceIdentity


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["setup", "x", "--server", "http://127.0.0.1:1", "--officer", "W M", "--name", "N", "--device", "d"],
            "collar",
        ),
        (
            ["setup", "x", "--server", "http://127.0.0.1:1", "--officer", "A", "--name", "N", "--device", "D"],
            "device id",
        ),
        (["enrol", "x", "--server", "http://beatbook.example"], "use https"),
        (["enrol", "x", "--server", "ftp://beatbook.example"], "give the server's HTTP address"),
        (["enrol", "x", "--server", "http://127.0.0.1:1"], "cannot be reached"),
        (["sign-in", "--officer", "WM1"], "holds no access to a server"),
        (["who"], "holds no access to a server"),
        (["demo", "--json", "/nonexistent/x.json"], "cannot be written"),
        (["import", "street", __file__, "--report", "/nonexistent/r.tsv"], "cannot be written"),
        (["handset", "folder", "--author", "WM1", "--log-file", "/nonexistent/x"], "cannot be written"),
        (["serve", "--host", "nosuchhost.invalid", "--port", "0"], "there is no TLS"),
    ],
)
def test_what_cannot_be_is_one_clear_line_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """No traceback, no half-made identity, no run whose figures are lost at its end."""
    monkeypatch.chdir(tmp_path)
    code, output = run(*arguments)
    assert code != 0
    assert said in output
    assert not list(tmp_path.rglob("identity.json"))


def test_a_handset_without_its_key_file_makes_no_other_key(tmp_path: Path) -> None:
    """The replica opens with the lost key alone; a new one beside it would only hide that."""
    DeviceIdentity.generate("hh-01").save(tmp_path / "hh" / "identity.json")
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
        [sys.executable, "-m", "server.cli", "demo", "--headless", "--devices", "6", "--seconds", "30"],
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
