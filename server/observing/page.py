"""Writes `docs/reference/metrics.md` from the declared metrics.

python -m server.observing.page     write it; a test fails when it is stale
"""

from pathlib import Path
from typing import Final

from server.observing.counting import LATENCIES_S, SIZES
from server.observing.declared import METRICS, OPTIONAL, Metric

PAGE: Final = Path(__file__).resolve().parent.parent.parent / "docs/reference/metrics.md"
_HEAD: Final = f"""# Metrics

*Written by `python -m server.observing.page` from the table in `server/observing/declared.py`; change it there.*

What `/metrics` of the port under [`[metrics]`](configuration.md#metrics) tells. How to scrape it, and what to do when
an alert goes off, stands in [monitoring](../howto/monitoring.md).

No figure holds anything of a record, and no label is the name of a person, a device, a record or a scope. Scopes are
told by their sort, and what is in a compartment or in the medical part of a suite is left out of those
figures. Counters begin at 0 with each start.

Histograms of seconds end their buckets at {", ".join(f"{bound:g}" for bound in LATENCIES_S[:8])},
{", ".join(f"{bound:g}" for bound in LATENCIES_S[8:])}; of sizes at {", ".join(f"{bound:g}" for bound in SIZES)}.

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(map(_row, METRICS))


def _row(metric: Metric) -> str:
    shown = f"{metric.name}_info" if metric.kind == "info" else metric.shown
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    values = f" {metric.values[0].upper()}{metric.values[1:]}." if metric.values else ""
    if metric.values.startswith("`"):
        values = f" {metric.values}."
    absent = " Not there where there is nothing to tell." if metric.name in OPTIONAL else ""
    return f"| `{shown}` | {metric.kind} | {labels} | {metric.meaning}{values}{absent} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
