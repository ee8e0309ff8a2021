"""What a run is judged by: thresholds, the ledger of acknowledged edits, rates and phases."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtest.locust import rates
from loadtest.locust.ledger import judge
from loadtest.locust.phases import SHAPES, phase_at
from loadtest.locust.thresholds import Thresholds, ThresholdsError
from tests.loadtest.locust.hearing import row

RECORD = "019b796c-eba0-7000-8000-0000000000a1"


@dataclass
class Counted:
    """What locust would have counted."""

    num_requests: int = 100
    num_failures: int = 0
    took_ms: float = 50.0

    def get_response_time_percentile(self, percent: float) -> float:
        """The same for each."""
        return self.took_ms * percent


def asked(tmp_path: Path, text: str) -> Thresholds:
    """Thresholds of a file."""
    path = tmp_path / "thresholds.toml"
    path.write_text(text, encoding="utf-8")
    return Thresholds.read(path)


def test_a_run_that_reaches_everything_has_no_breach(tmp_path: Path) -> None:
    """Thresholds that hold say nothing."""
    told = asked(tmp_path, 'failure_ratio_max = 0.01\n["push to ack"]\np99_ms_max = 50\nfailure_ratio_max = 0\n')
    assert told.breaches({"push to ack": Counted()}, Counted(num_failures=1), 0) == []


@pytest.mark.parametrize(
    ("text", "counted", "lost", "said"),
    [
        ("", Counted(), 1, "lost edits: 1, at most 0"),
        ("failure_ratio_max = 0", Counted(num_failures=1), 0, "all requests: 1.0000% failed, at most 0.0000%"),
        ('["push to ack"]\np99_ms_max = 49', Counted(), 0, "push to ack: p99 50 ms, at most 49 ms"),
        ('["push to ack"]\np50_ms_max = 1', Counted(), 0, "push to ack: p50 25 ms, at most 1 ms"),
        ('["push to ack"]\nsamples_min = 101', Counted(), 0, "push to ack: 100 samples, at least 101"),
        ('["never seen"]\np99_ms_max = 49', Counted(), 0, "never seen: 0 samples, at least 1"),
        (
            '["push to ack"]\nfailure_ratio_max = 0',
            Counted(num_failures=2),
            0,
            "push to ack: 2.0000% failed, at most 0.0000%",
        ),
    ],
)
def test_each_threshold_can_be_missed(tmp_path: Path, text: str, counted: Counted, lost: int, said: str) -> None:
    """Each one that does not hold is told with what was reached, and a name without samples proves nothing."""
    assert asked(tmp_path, text).breaches({"push to ack": counted}, counted, lost) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p99 = 3", "p99: there is no such threshold, only failure_ratio_max, lost_edits_max"),
        ('["x"]\np98_ms_max = 3', "'x'.*p98_ms_max: there is no such threshold"),
        ('["x"]\np99_ms_max = "3"', "a number, 0 or more"),
        ('["x"]\nsamples_min = 1.5', "a whole number"),
        ("lost_edits_max = -1", "a number, 0 or more"),
        ("lost_edits_max", r"thresholds\.toml"),
    ],
)
def test_a_file_that_asks_for_what_there_is_not_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """A threshold that nobody checks is worse than none."""
    with pytest.raises(ThresholdsError, match=said):
        asked(tmp_path, text)
    with pytest.raises(ThresholdsError, match=r"absent\.toml"):
        Thresholds.read(tmp_path / "absent.toml")


def test_the_shipped_thresholds_ask_for_what_is_measured() -> None:
    """The file for the force's load names events that there are, and forgives no lost edit."""
    told = Thresholds.read(Path(__file__).resolve().parents[3] / "loadtest" / "thresholds.toml")
    assert told.of_all["lost_edits_max"] == 0
    assert told.of_names.keys() <= {"push to ack", "briefing lag", "catch-up", "first sync", "sign-in"}


def test_an_edit_that_is_nowhere_is_lost() -> None:
    """An entry must be there under its own stamp; another value may have been taken over by a later op."""
    held = row(RECORD, 3)
    held["upto"] = {"hh-1": 7, "desk-1": 3}
    there = (RECORD, "desk-1", 3, True)
    superseded = (RECORD, "hh-1", 6, False)
    missing = [(RECORD, "hh-1", 6, True), (RECORD, "hh-1", 8, False), ("another record", "desk-1", 3, True)]
    verdict = judge([there, superseded, *missing], [{}, {RECORD: held}])
    assert (verdict.acked, verdict.lost) == (5, missing)


def test_the_rates_add_up_to_the_load_they_stand_for() -> None:
    """All devices on duty together make four durable edits a second on a mean hour."""
    edits = 0.0
    for sort in rates.SORTS:
        edits += sort.weight * sum(
            rate for action, rate in sort.actions.items() if action not in {"look", "lose_signal"}
        )
    assert edits / 3_600 == pytest.approx(rates.MEAN_EDITS_PER_S)
    assert sum(sort.weight for sort in rates.SORTS) == rates.DEVICES_ON_DUTY
    assert all(rate > 0 for sort in rates.SORTS for rate in sort.actions.values())


@pytest.mark.parametrize("devices", [3, 12, 250, 8_000])
def test_every_sort_has_a_share(devices: int) -> None:
    """However few there are, somebody is at the desk and in the control room."""
    shares = rates.shares(devices)
    assert sum(shares.values()) == devices
    assert min(shares.values()) >= 1
    with pytest.raises(ValueError, match="too few"):
        rates.shares(2)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_runs_from_start_to_end_and_sends_everybody_home(name: str) -> None:
    """Its phases follow each other to the end of the run, and in the last one nobody is left."""
    phases = SHAPES[name]
    ends = [phase.until for phase in phases]
    assert ends == sorted(set(ends))
    assert ends[-1] == 1.0
    assert phases[-1].users == 0
    assert all(0 < phase.users <= 1 and phase.hurry > 0 for phase in phases[:-1])
    assert phase_at(phases, 0) is phases[0]
    assert phase_at(phases, 0.999) is phases[-1]
    assert phase_at(phases, 1.0) is None
