"""The one table of a run: each result beside its floor, its best peer and its targets."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from loadtest.bench.figures import Spread
from loadtest.bench.jobs import growth
from loadtest.bench.outcome import Outcome
from loadtest.bench.suite import Run
from loadtest.bench.targets import TARGETS, Target, best, durable, of_peer

# The last one tells how much of its core the load used: close to 1, and the load is what was measured.
COLUMNS: Final = ("job", "figure", "median (least to most)", "of floor", "best peer", "of it", "target", "met", "load")
_THOUSAND: Final = 1_000
_TEN: Final = 10


class Headline(msgspec.Struct, frozen=True):
    """A figure that the table shows.

    Attributes:
        part, figure: of which part, which; a ratio too.
        floor: the ratio to its floor, by name; "" for none.
        most: whether the most is the best, when it is held against peers; None when it is not.
        kept: whether only peers count that keep what they acknowledged.
    """

    part: str
    figure: str
    floor: str = ""
    most: bool | None = None
    kept: bool = False


_GROWING: Final = (
    "data_edit_us", "data_alone_p99_us", "data_record_us", "data_return_us", "data_local_p50_us",
    "devices_edit_us", "devices_delivery_us", "devices_return_us", "devices_device_kb",
)  # fmt: skip
"""Of what `growth` measures, what the table shows; the page has all of it."""
HEADLINES: Final = (
    Headline("ack", "edits_per_s", "of_floor", most=True, kept=True),
    Headline("ack", "ack_p50_ms", most=False, kept=True),
    Headline("ack", "ack_p99_ms", most=False, kept=True),
    Headline("fanout-500", "single_per_s", "of_floor", most=True),
    Headline("fanout-500", "burst_per_s", "burst_of_floor", most=True),
    Headline("fanout-500", "last_ms", most=False),
    Headline("fanout-2000", "single_per_s", "of_floor", most=True),
    Headline("fanout-2000", "burst_per_s", "burst_of_floor", most=True),
    Headline("fanout-2000", "last_ms", most=False),
    Headline("bootstrap", "records_per_s", "of_floor", most=True),
    Headline("bootstrap", "wire_mb", most=False),
    Headline("storm", "durable_s", "of_floor", most=False),
    Headline("storm", "equal_s", most=False),
    Headline("reconnect", "current_ms", "of_floor"),
    Headline("reconnect", "desk_p99_ms"),
    Headline("idle", "device_kb", "of_floor", most=False),
    Headline("idle", "heartbeat_us"),
    Headline("force", "ack_p50_ms", "ack_of_floor"),
    Headline("force", "ack_p99_ms"),
    Headline("force", "brief_p50_ms", "brief_of_floor"),
    Headline("force", "brief_p99_ms"),
    Headline("force", "consult_p99_ms"),
    Headline("force", "lost"),
    Headline("force", "server_mb"),
    Headline("force", "server_cores"),
    Headline("force", "writer_cores"),
    Headline("stalled", "meanwhile_p99_ms"),
    Headline("stalled", "stalled_kb"),
    Headline("replica", "edit_p50_ms", "of_floor"),
    Headline("replica", "edit_p99_ms"),
    Headline("replica", "bulk_per_s", "bulk_of_floor"),
    Headline("wire", "edit_bytes"),
    *(Headline("growth", f"{name}_grows_{growth.STEPS[-1]}") for name in _GROWING),
    Headline("revoke", "last_ms", "of_floor"),
)


def rows(run: Run, words: Mapping[str, Mapping[str, str]]) -> list[tuple[str, ...]]:
    """The rows of the table, a text for each of COLUMNS.

    Args:
        run: what is shown.
        words: job -> what its figures are called.
    """
    found = []
    for headline in HEADLINES:
        outcome = run.outcomes.get(headline.part)
        spread = None if outcome is None else _spread(outcome, headline.figure)
        if outcome is not None and spread is not None:
            found.append(_row(run, headline, outcome, spread, words[outcome.job]))
    found += [(part, f"failed: {why}", *[""] * (len(COLUMNS) - 2)) for part, why in run.failed.items()]
    return found


def _spread(outcome: Outcome, name: str) -> Spread | None:
    """A figure over its rounds, or a ratio."""
    ratio = outcome.ratios.get(name)
    return outcome.spreads.get(name) if ratio is None else Spread(median=ratio, least=ratio, most=ratio)


def _row(run: Run, headline: Headline, outcome: Outcome, spread: Spread, words: Mapping[str, str]) -> tuple[str, ...]:
    ratio = outcome.ratios.get(headline.floor)
    peer = None
    if headline.most is not None:
        known = durable(run)
        peer = best(
            run,
            headline.part,
            headline.figure,
            most=headline.most,
            among=lambda row: row.peer in known or not headline.kept,
        )
    beside = of_peer(run, headline.part, headline.figure, peer)
    load = outcome.spreads.get("load_cores")
    targets = [each for each in TARGETS if (each.part, each.figure) == (headline.part, headline.figure)]
    return (
        headline.part,
        words.get(headline.figure, headline.figure),
        shown(spread),
        "" if ratio is None else number(ratio),
        "" if peer is None else f"{peer[0]}: {number(peer[1])}",
        "" if beside is None else number(beside),
        "; ".join(aim(each, run) for each in targets),
        ", ".join(_MET[each.met(run)] for each in targets),
        "" if load is None else number(load.median),
    )


_MET: Final = {True: "yes", False: "no", None: "not measured"}


def aim(target: Target, run: Run) -> str:
    """A target, and what was found, in words."""
    value = target.value(run)
    told = f"{'≥' if target.least else '≤'} {number(target.bound)}{target.unit}"
    behind = f" {target.words}" if target.words else ""
    return f"{told}{behind}" + ("" if value is None or not target.words else f": {number(value)}")


def shown(spread: Spread) -> str:
    """A figure over its rounds."""
    if spread.least == spread.most:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)} to {number(spread.most)})"


def number(value: float) -> str:
    """A number with as many digits as say something."""
    size = abs(value)
    if size >= _THOUSAND:
        return f"{value:,.0f}"
    if float(value).is_integer():
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= _TEN else f"{value:.2f}"


def text(found: Sequence[tuple[str, ...]]) -> str:
    """The table for a terminal."""
    lines = [COLUMNS, *found]
    # What failed is told in whole; it makes no column wide.
    wide = [max(len(line[n]) for line in lines if line[2] or n == 0) for n in range(len(COLUMNS))]
    return "".join("  ".join(f"{cell:{wide[n]}}" for n, cell in enumerate(line)).rstrip() + "\n" for line in lines)


def markdown(columns: Sequence[str], found: Sequence[Sequence[str]]) -> str:
    """A table for a page."""
    lines = [columns, ["---"] * len(columns), *found]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
