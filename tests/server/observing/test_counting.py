"""A histogram of plain numbers says what Prometheus's own would."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as Theirs

from server.observing.counting import LATENCIES_S, SIZES, Histogram

values = st.lists(st.one_of(st.sampled_from(LATENCIES_S), st.floats(0, 100)), max_size=50)


@given(values)
def test_it_equals_the_client_librarys(observed: list[float]) -> None:
    """Each value is in the bucket that ends at or above it, also one that stands right on an end."""
    ours, registry = Histogram(), CollectorRegistry()
    theirs = Theirs("x", "x", buckets=LATENCIES_S, registry=registry)
    for value in observed:
        ours.observe(value)
        theirs.observe(value)
    (family,) = theirs.collect()
    wanted = {sample.labels["le"]: sample.value for sample in family.samples if sample.name == "x_bucket"}
    assert dict(ours.buckets()) == wanted
    assert ours.count == len(observed)
    assert ours.total == next(sample.value for sample in family.samples if sample.name == "x_sum")


def test_one_value_counts_as_often_as_it_is_told() -> None:
    """Whoever knows that a value held for several says it once."""
    found = Histogram(SIZES)
    found.observe(3, 4)
    assert (found.count, found.total) == (4, 12)
    assert dict(found.buckets())["2.0"] == 0
    assert dict(found.buckets())["4.0"] == 4
