"""The table of metrics is in order, and its page is what the table says."""

import re

import pytest

from server.observing.declared import METRICS, OPTIONAL, Metric, samples
from server.observing.page import PAGE, page

NAME = re.compile(r"beatbook(_[a-z]+)*")
UNITS = ("seconds", "bytes")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_each_is_named_as_prometheus_names(metric: Metric) -> None:
    """Ours by its prefix, units whole and last; what counts up is no gauge, and each says what it means."""
    assert NAME.fullmatch(metric.name)
    assert not metric.name.endswith("_total")
    assert metric.meaning.endswith(".")
    assert bool(metric.labels) == bool(metric.values)
    words = metric.name.split("_")
    for unit in UNITS:
        assert unit not in words or words[-1] == unit or words[-1] == "max"


def test_no_two_share_a_name() -> None:
    """A sample belongs to one metric."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert set(names) >= OPTIONAL
    assert {"beatbook_ops_total", "beatbook_ack_seconds_bucket", "beatbook_info"} <= samples()


def test_the_page_is_what_the_table_says() -> None:
    """`python -m server.observing.page` was run after the last change."""
    assert PAGE.read_text(encoding="utf-8") == page()
