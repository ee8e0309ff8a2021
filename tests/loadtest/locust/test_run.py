"""Locust itself, headless, against a real server: all is measured, nothing is lost, thresholds set the exit code.

Locust patches the sockets and threads of the process that imports it, so it runs in processes of its own here.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.locust.cast import Cast
from loadtest.locust.enrolling import begin, code_of, enrol
from loadtest.locust.rates import shares
from loadtest.locust.serving import serving

ROOT = Path(__file__).resolve().parents[3]
LOCUST = [
    sys.executable,
    "-m",
    "locust",
    "-f",
    str(ROOT / "loadtest" / "locustfile.py"),
    "--headless",
    "--only-summary",
]
EVENTS = ["push to ack", "push to ack, after a gap", "briefing lag", "catch-up", "first sync", "sign-in"]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running server with twelve devices enrolled on it; the file that says who they are."""
    folder = tmp_path_factory.mktemp("load")
    with serving(folder) as (address, said):
        made = begin(address, code_of(said))
        assert enrol(made, shares(12)) == 12 + 2
        made.write(folder / "cast.json")
        yield folder / "cast.json"


def run(cast: Path, folder: Path, thresholds: str, *more: str) -> tuple[int, dict[str, Any], str]:
    """Run locust: its exit code, the figures, what it said."""
    asked, summary = folder / "thresholds.toml", folder / "summary.json"
    asked.write_text(thresholds, encoding="utf-8")
    files = ["--cast", str(cast), "--thresholds", str(asked), "--summary", str(summary)]
    done = subprocess.run([*LOCUST, *files, *more], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    told = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else {}
    return done.returncode, told, done.stdout + done.stderr


def test_a_mass_reconnect_holds_and_every_event_is_measured(cast: Path, tmp_path: Path) -> None:
    """Signal goes and comes back for all at once; nothing that was acknowledged is lost, and nothing fails."""
    thresholds = "failure_ratio_max = 0\n" + "".join(f"[{name!r}]\nsamples_min = 1\n" for name in EVENTS)
    code, told, said = run(
        cast, tmp_path, thresholds, "--shape", "mass-reconnect", "--run-time", "22s", "--hurry", "60"
    )
    assert code == 0, said
    assert (told["lost"], told["not_reached"]) == (0, [])
    assert told["acked"] >= told["names"]["push to ack"]["samples"] > 0
    assert set(EVENTS) <= told["names"].keys()


def test_an_impossible_threshold_fails_the_run_of_a_master_and_two_workers(cast: Path, tmp_path: Path) -> None:
    """Seats are lent across processes, the edits of all are looked for, and what is not reached exits with 1."""
    code, told, said = run(
        cast, tmp_path, '["push to ack"]\np99_ms_max = 0\n',
        "--shape", "major-incident", "--run-time", "10s", "--hurry", "60", "--processes", "2",
    )  # fmt: skip
    assert code == 1, said
    assert told["lost"] == 0
    assert told["acked"] > 0
    assert [each.partition(":")[0] for each in told["not_reached"]] == ["push to ack"]
    assert Cast.read(cast).seats[0].head > 0


def test_a_file_that_will_not_do_ends_it_before_anything_begins(cast: Path, tmp_path: Path) -> None:
    """In words, with exit code 2."""
    code, told, said = run(cast, tmp_path, "p99 = 1\n")
    assert (code, told) == (2, {})
    assert "there is no such threshold" in said
    assert "Traceback" not in said
