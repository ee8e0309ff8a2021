"""What is aimed at: each target is met, missed or not measured, by what a run says and nothing else."""

import pytest

from loadtest.bench.__main__ import words_of
from loadtest.bench.comparison import HEADLINES, number, rows, text
from loadtest.bench.figures import spread
from loadtest.bench.outcome import Outcome
from loadtest.bench.suite import Peer, Run, parts
from loadtest.bench.targets import TARGETS, best, durable


def outcome(job: str, figures: dict[str, float], ratios: dict[str, float] | None = None, **size: int) -> Outcome:
    """What a job found in one round."""
    return Outcome(
        job=job,
        machine={"load_average": 0.0},
        size=size,
        rounds=[figures],
        spreads={name: spread([value]) for name, value in figures.items()},
        floors={},
        ratios=ratios or {},
    )


def run(outcomes: dict[str, Outcome], *peers: Peer, **failed: str) -> Run:
    """A run of them."""
    return Run(
        at="2026-01-01 00:00", length="usual", took_s=60, machine={}, outcomes=outcomes, peers=peers, failed=failed
    )


def peer(name: str, job: str, lost: float | None = None, devices: int = 50, **figures: float) -> Peer:
    """A row of a peer's."""
    return Peer(peer=name, job=job, size={"devices": devices}, figures=figures, lost_pct=lost)


def met(found: Run, part: str) -> list[bool | None]:
    """Of a part's targets, in order."""
    return [target.met(found) for target in TARGETS if target.part == part]


def test_each_target_is_beside_a_figure_of_the_table() -> None:
    """A target that no row shows would never be seen to be missed; and each part is one that the run has."""
    shown = {(one.part, one.figure) for one in HEADLINES}
    assert all((target.part, target.figure) in shown for target in TARGETS)
    assert {target.part for target in TARGETS} <= {part.name for part in parts("full")}


def test_only_a_peer_that_loses_nothing_is_durable() -> None:
    """Ours is held against the best of those with half as much again, and must be above each of the others."""
    peers = [
        peer("slow and kept", "ack", lost=0.0, edits_per_s=1_000),
        peer("fast and lost", "ack", lost=0.5, edits_per_s=9_000),
        peer("never tried", "ack", edits_per_s=100),
    ]
    assert durable(run({}, *peers)) == {"slow and kept"}
    assert met(run({"ack": outcome("ack", {"edits_per_s": 1_500.0})}, *peers), "ack") == [True, False]
    assert met(run({"ack": outcome("ack", {"edits_per_s": 1_499.0})}, *peers), "ack") == [False, False]
    assert met(run({"ack": outcome("ack", {"edits_per_s": 9_001.0})}, *peers), "ack") == [True, True]


def test_bursts_are_held_against_the_relay_at_the_same_size() -> None:
    """Four times as many deliveries as Node ws to as many devices; at another size it says nothing."""
    relay = [peer("Node ws, relay", "fanout", devices=500, burst_per_s=50_000)]
    relay.append(peer("Node ws, relay", "fanout", devices=2_000, burst_per_s=100_000))
    ours = {"fanout-500": outcome("fanout", {"burst_per_s": 200_000.0}, {"of_floor": 0.79}, devices=500)}
    assert met(run(ours, *relay), "fanout-500") == [False, True]
    assert met(run(ours, relay[1]), "fanout-500") == [False, None]


@pytest.mark.parametrize(("kb", "is_met"), [(24.0, True), (24.1, False)])
def test_a_most_is_a_most(kb: float, is_met: bool) -> None:  # noqa: FBT001 - what a case expects
    """The bound itself is still within it."""
    assert met(run({"idle": outcome("idle", {"device_kb": kb})}), "idle") == [is_met]


def test_what_was_not_measured_is_not_met_and_not_missed() -> None:
    """A run of nothing says nothing."""
    assert {target.met(run({})) for target in TARGETS} == {None}


def test_the_best_of_times_is_the_least() -> None:
    """And of rates the most; a peer that could not do a job is none of them."""
    ours = {"storm": outcome("storm", {"equal_s": 3.0})}
    found = run(ours, peer("a", "storm", equal_s=2.0), peer("b", "storm", equal_s=1.0), peer("c", "storm"))
    assert best(found, "storm", "equal_s", most=False) == ("b", 1.0)
    assert best(found, "storm", "equal_s", most=True) == ("a", 2.0)
    assert best(found, "storm", "seconds", most=True) is None
    assert best(run({}, *found.peers), "storm", "equal_s", most=True) is None


def test_a_peer_that_did_less_is_not_compared() -> None:
    """A storm of fifty is over sooner than one of two hundred; a silent connection costs the same in any number."""
    few = [peer("few", "storm", devices=50, equal_s=1.0), peer("few", "idle", devices=50, device_kb=1.0)]
    ours = {
        "storm": outcome("storm", {"equal_s": 3.0}, devices=200),
        "idle": outcome("idle", {"device_kb": 3.0}, devices=8_000),
    }
    assert best(run(ours, *few), "storm", "equal_s", most=False) is None
    assert best(run(ours, *few), "idle", "device_kb", most=False) == ("few", 1.0)


def test_the_table_shows_results_beside_peers_and_targets_and_what_failed() -> None:
    """One line for each headline figure that there is, and one for each part that is not there, with its reason."""
    ours = {"storm": outcome("storm", {"durable_s": 1.0, "equal_s": 4.0}, {"of_floor": 0.5})}
    found = rows(run(ours, peer("b", "storm", equal_s=10.0), force="given up after 900 s"), words_of())
    assert [line[0] for line in found] == ["storm", "storm", "force"]
    assert found[1][2:] == ("4", "", "b: 10", "0.40", "≤ 0.50 of the best peer: 0.40", "yes", "")
    assert found[0][3:] == ("0.50", "", "", "≤ 0.50 of the best peer", "not measured", "")
    assert "force  failed: given up after 900 s" in text(found)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (3, "3"), (0.333, "0.33"), (12.34, "12.3"), (1_234.5, "1,234"), (9.999, "10.00")]
)
def test_a_number_has_the_digits_that_say_something(value: float, shown: str) -> None:
    """No more of them than a reader needs."""
    assert number(value) == shown
