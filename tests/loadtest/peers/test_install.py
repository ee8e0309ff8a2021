"""What is fetched, in which versions, and what is said when it cannot be."""

import re
from pathlib import Path

import pytest

from loadtest.peers import install
from loadtest.peers.__main__ import main
from loadtest.peers.install import Pins


def test_every_version_is_exact() -> None:
    """A range would measure something else next month."""
    for group, wanted in install.pins().items():
        for version in (*wanted.npm.values(), *wanted.pip.values()):
            assert re.fullmatch(r"\d+\.\d+\.\d+|\d+\.\d+", version), (group, version)
        assert bool(wanted.programs) == bool(wanted.apt), group


def test_what_is_lacking_is_told_with_what_to_do(tmp_path: Path) -> None:
    """A program that is not there, a group that was never installed, and one installed in other versions."""
    old, new = Pins(npm={"ws": "8.0.0"}), Pins(npm={"ws": "8.1.0"})
    known = {"a": Pins(programs=("no-such-program",), apt="some-package"), "b": new}
    assert install.missing("a", tmp_path, known) == (
        "not installed: there is no no-such-program on this machine (apt-get install some-package)"
    )
    assert install.missing("b", tmp_path, known) == "not installed: python -m loadtest.peers --install"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "installed.json").write_text(install.recorded_as(old), encoding="utf-8")
    assert install.missing("b", tmp_path, known) == "not installed: python -m loadtest.peers --install"
    (tmp_path / "b" / "installed.json").write_text(install.recorded_as(new), encoding="utf-8")
    assert install.missing("b", tmp_path, known) is None


def test_a_machine_without_node_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither measuring nor installing ends in a traceback, and the exit code says that something is not there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.missing("ws", tmp_path, install.pins()) == "not installed: there is no node on PATH"
    said: list[str] = []
    assert not install.install(["ws"], tmp_path, said.append)
    assert said == ["ws: there is no npm on PATH"]


def test_a_registry_that_fails_is_told_and_the_next_group_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What npm said is passed on; a group that could not be had is not taken for installed."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no such version >&2\nexit 7\n", encoding="utf-8")
    npm.chmod(0o755)
    (tmp_path / "node").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said: list[str] = []
    assert not install.install(["ws", "tinybase"], tmp_path / "home", said.append)
    assert said == ["ws: npm ended with 7: no such version", "tinybase: npm ended with 7: no such version"]
    assert install.missing("ws", tmp_path / "home", install.pins()) is not None


@pytest.mark.parametrize(
    ("words", "told"), [(["nobody"], "invalid choice: 'nobody'"), (["--jobs", "ack,sing"], "there is no job 'sing'")]
)
def test_a_wrong_word_is_answered(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started, and what there is to choose from is named."""
    with pytest.raises(SystemExit):
        main(words)
    assert told in capsys.readouterr().err


def test_the_list_tells_what_each_acknowledgement_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever compares sees at once which are durable."""
    assert main(["--list", "mosquitto"]) == 0
    assert "PUBACK before anything is written" in capsys.readouterr().out
