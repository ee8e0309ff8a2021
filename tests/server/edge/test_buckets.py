"""Token buckets hold their pace, and their memory is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.buckets import Bucket, Buckets, Rate


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


def test_a_burst_passes_and_then_the_pace_holds() -> None:
    """The wait that is told is the wait that is needed: a moment before it is too early."""
    bucket = Bucket(Rate(per_s=2, burst=3), 10.0)
    assert [bucket.take(1, 10.0) for _ in range(3)] == [None] * 3
    assert bucket.take(1, 10.0) == 500
    assert bucket.take(1, 10.499) is not None
    assert bucket.take(1, 10.5) is None
    assert bucket.take(1, 10.5) == 500


def test_rest_fills_it_no_higher_than_the_burst() -> None:
    """A week of rest does not buy a flood; a clock that goes back buys nothing."""
    bucket = Bucket(Rate(per_s=1, burst=2), 0.0)
    assert [bucket.take(1, 1e6) for _ in range(3)] == [None, None, 1_000]
    assert bucket.take(1, 0.0) == 1_000


@given(
    st.lists(st.tuples(st.floats(0, 5, allow_nan=False), st.integers(1, 4)), max_size=60),
    st.floats(0.1, 10),
    st.integers(1, 8),
)
def test_nobody_gets_more_than_the_burst_and_the_pace(steps: list[tuple[float, int]], per_s: float, burst: int) -> None:
    """Whatever the order of takes and rests, at most burst + pace x time is taken, and a refusal takes nothing."""
    bucket = Bucket(Rate(per_s=per_s, burst=burst), 0.0)
    now = taken = 0.0
    for rest, count in steps:
        now += rest
        wait = bucket.take(count, now)
        if wait is None:
            taken += count
        else:
            assert wait > 0
        assert taken <= burst + per_s * now + 1e-6


def test_keys_do_not_share_a_pace() -> None:
    """One address that floods is no reason to refuse another."""
    buckets = Buckets(Rate(per_s=1, burst=1), 10, Clock())
    assert buckets.take("a") is None
    assert buckets.take("a") == 1_000
    assert buckets.take("b") is None


def test_memory_is_bounded_and_the_quietest_is_forgotten_first() -> None:
    """However many addresses come, so many are remembered; one that goes on flooding is not forgotten."""
    clock = Clock()
    buckets = Buckets(Rate(per_s=0.001, burst=1), 8, clock)
    for number in range(1_000):
        buckets.take("flood")
        buckets.take(f"other-{number}")
        assert len(buckets) <= 8
    assert buckets.take("flood") is not None
    assert buckets.take("other-999") is not None
    assert buckets.take("other-1") is None


def test_who_has_rested_is_let_go() -> None:
    """A full bucket is as good as none, and costs no memory for long."""
    clock = Clock()
    buckets = Buckets(Rate(per_s=1, burst=1), 1_000, clock)
    for number in range(100):
        buckets.take(str(number))
    clock.now = 60.0
    for number in range(100):
        buckets.take(f"late-{number}")
    assert len(buckets) <= 101


@pytest.mark.parametrize("count", [5, 5.5])
def test_more_than_the_burst_at_once_never_passes(count: float) -> None:
    """A single thing larger than the budget is refused, however long it waits."""
    assert Bucket(Rate(per_s=1, burst=4), 0.0).take(count, 1e9) is not None
