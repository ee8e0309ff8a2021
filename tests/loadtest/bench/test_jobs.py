"""Each job measures what it says, at a size that takes no time; no figure is asserted."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from loadtest.bench import costs
from loadtest.bench.__main__ import JOBS, main
from loadtest.bench.jobs import force
from loadtest.bench.light import Light
from loadtest.bench.outcome import Outcome

SMALL = {
    "ack": {"devices": 3, "seconds": 1, "rounds": 1},
    "bootstrap": {"records": 200, "rounds": 1},
    "fanout": {"devices": 5, "changes": 3, "bursts": 2, "rounds": 1},
    "force": {"devices": 10, "edits": 50, "consultations": 20, "briefings": 60, "seconds": 2, "rounds": 1},
    "growth": {"records": 2_000, "devices": 12},
    "idle": {"devices": 3, "seconds": 1, "rounds": 1},
    "reconnect": {"devices": 5, "rounds": 1},
    "replica": {"edits": 5, "records": 1_200, "rounds": 1},
    "revoke": {"staying": 10, "revoked": 10, "rounds": 1},
    "stalled": {"devices": 5, "percent": 20, "changes": 5, "rounds": 1},
    "storm": {"devices": 5, "edits": 3, "rounds": 1},
    "wire": {"edits": 4, "rounds": 1},
}


@pytest.fixture(autouse=True)
def nothing_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs are told of the fewest operations that there can be."""
    for name in ("_EDIT_S", "_ALONE", "_BOOTSTRAPS", "_CONSULTATIONS", "_CHANGES_MOST", "_FLOOD", "_LOCAL"):
        monkeypatch.setattr(costs, name, 1)


@pytest.fixture(autouse=True)
def nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A force that is made for a test is not kept for a measurement."""
    monkeypatch.setattr("loadtest.bench.prepared.KEPT", tmp_path / "kept")


def run(job: str, tmp_path: Path, size: dict[str, int]) -> Outcome:
    """Run a job, and read the JSON that it wrote."""
    told = tmp_path / "told.json"
    given = [word for name, value in size.items() for word in (f"--{name}", str(value))]
    assert main([job, *given, "--json", str(told)]) == 0
    return msgspec.json.decode(told.read_bytes(), type=Outcome)


@pytest.mark.e2e
@pytest.mark.timeout(90)
@pytest.mark.parametrize("job", list(JOBS))
def test_a_small_round_tells_everything(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real processes and sockets: every figure has a value and words, and the table and the JSON say the same."""
    outcome = run(job, tmp_path, SMALL[job])
    assert (outcome.job, outcome.size) == (job, SMALL[job])
    assert len(outcome.rounds) == 1
    assert outcome.machine["versions"]
    table = capsys.readouterr().out
    for name, spread in {**outcome.spreads, **outcome.floors}.items():
        assert spread.least <= spread.median <= spread.most
        assert f"{JOBS[job].words[name]:48}"[:48] in table
        assert str(spread) in table
    for name, ratio in outcome.ratios.items():
        assert f"{JOBS[job].words[name]:55}{ratio:12.2f}" in table


@pytest.mark.e2e
@pytest.mark.timeout(90)
def test_what_is_revoked_is_told_first_and_confirmed_last(tmp_path: Path) -> None:
    """The moments of a revocation come in their order, and edits are measured before it and meanwhile."""
    (one,) = run("revoke", tmp_path, SMALL["revoke"]).rounds
    assert 0 < one["first_ms"] <= one["last_ms"] < one["receipts_ms"] <= one["closed_ms"]
    assert 0 < one["edit_before_p50_ms"] <= one["edit_before_max_ms"]
    assert 0 < one["edit_p50_ms"] <= one["edit_max_ms"]
    assert one["retract_bytes"] > 0


@pytest.mark.parametrize("job", list(JOBS))
@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_job_needs_something_to_measure(job: str, count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for a size that measures nothing."""
    with pytest.raises(SystemExit):
        main([job, f"--{next(iter(SMALL[job]))}={count}"])
    assert "give a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.e2e
@pytest.mark.timeout(90)
def test_an_acknowledged_edit_that_is_gone_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job asks the killed server's file, and not itself: what is taken out of the file is missing."""
    looked = force._lost

    def take_one_out(database: Path, devices: Sequence[Light]) -> int:
        with contextlib.closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM op WHERE place = (SELECT max(place) FROM op)")
        return looked(database, devices)

    monkeypatch.setattr(force, "_lost", take_one_out)
    outcome = run("force", tmp_path, SMALL["force"])
    assert outcome.spreads["lost"].median == 1
    assert len(list((tmp_path / "kept").iterdir())) == 1
