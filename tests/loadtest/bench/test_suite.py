"""A run of everything: one part's failure is a line, whatever it is, and what it had started ends with it."""

import msgspec
import pytest

from loadtest.bench import suite
from loadtest.bench.__main__ import JOBS, main
from loadtest.bench.suite import PEERS, Part, Run, parts, run_all


def told(_: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("length", suite.LENGTHS)
def test_every_part_is_a_job_at_sizes_that_it_has(length: str) -> None:
    """A run that would fail for a word in its own plan is found here, and not behind twenty minutes."""
    for part in parts(length):
        job = JOBS[part.job]
        assert set(part.size) <= {field.name for field in msgspec.structs.fields(job.size)}
    assert {part.job for part in parts(length)} == set(JOBS)


def test_parts_are_chosen_by_their_name_or_their_job() -> None:
    """A job that is there at two sizes is both of them, or either."""
    assert [part.name for part in parts("usual", ["fanout"])] == ["fanout-500", "fanout-2000"]
    assert [part.name for part in parts("usual", ["fanout-500", "ack"])] == ["ack", "fanout-500"]


def test_a_part_that_fails_is_a_line_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it ends badly or never: the run holds why, goes on, and is kept behind every part."""
    plan = [
        Part(name="bad", job="ack", size={"nonsense": 1}),
        Part(name="slow", job="ack", size={"seconds": 60}, limit_s=1),
        Part(name="good", job="replica", size={"edits": 2, "records": 9, "rounds": 1}),
    ]
    monkeypatch.setattr(suite, "parts", lambda *_: list(plan))
    kept: list[Run] = []
    run = run_all("quick", (), told, kept.append, peers=False)
    assert "unrecognized arguments: --nonsense" in run.failed["bad"]
    assert run.failed["slow"] == "given up after 1 s"
    assert list(run.outcomes) == ["good"]
    assert [len(one.failed) + len(one.outcomes) for one in kept] == [1, 2, 3]
    assert msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(kept[-1]), type=Run)) == msgspec.json.encode(run)


def test_a_failure_names_no_folder_of_the_machine() -> None:
    """A run is shown on a page for everybody."""
    problem = suite._call(["loadtest.bench.nothing"], 30)
    assert problem == "it ended with 1: python: No module named loadtest.bench.nothing"
    assert suite._without_places(f"{suite.ROOT}/loadtest: bad") == "./loadtest: bad"


def test_peers_that_cannot_be_run_are_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without npm, or without the package, the jobs' own results stand."""
    monkeypatch.setattr(suite, "parts", lambda *_: [])
    monkeypatch.setattr(
        suite, "_call", lambda words, _: "it ended with 1: no npm" if words[0] == "loadtest.peers" else None
    )
    assert run_all("usual", (), told, told_run).failed == {PEERS: "it ended with 1: no npm"}


def told_run(_: Run) -> None:
    """Nobody keeps it."""


def test_an_unknown_part_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is started for a misspelt name."""
    with pytest.raises(SystemExit):
        main(["all", "--only", "fan-out"])
    assert "there is no part 'fan-out': choose of ack, bootstrap, fanout" in capsys.readouterr().err
