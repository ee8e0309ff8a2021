"""`python -m loadtest.bench.page FILE`: docs/benchmarks.md from what a run wrote; only the words are by hand.

They stand in `page.template`. The run that the page shows is kept in `results/latest.json`, so that a test can hold the
page to it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.__main__ import words_of
from loadtest.bench.comparison import COLUMNS, markdown, number, rows
from loadtest.bench.jobs import growth
from loadtest.bench.outcome import Outcome
from loadtest.bench.prepared import AREA_DEVICES
from loadtest.bench.suite import ROOT, Peer, Run
from loadtest.bench.targets import TARGETS, same_size
from schemas.errors import UsageError

LATEST: Final = Path(__file__).with_name("results") / "latest.json"
MILLION: Final = LATEST.with_name("growth-million.json")
"""A run of `growth` alone, as large as it may be: it takes too long to be in each."""
TEMPLATE: Final = Path(__file__).with_name("page.template")
PAGE: Final = ROOT / "docs" / "benchmarks.md"
_LENGTHS: Final = {
    "quick": "quick: **its sizes only show that everything works; rely on no figure of it**",
    "usual": "usual, as `make bench` does",
    "full": "full",
}
_AXES: Final = {"data": "records on the server", "devices": "devices connected"}
"""What grows -> the head of its table."""
_BUSY: Final = 1.0
_PEER_FIGURES: Final = (
    ("ack", "edits_per_s", "edits a second"),
    ("fanout", "single_per_s", "deliveries a second, singly"),
    ("fanout", "burst_per_s", "in bursts"),
    ("bootstrap", "records_per_s", "bootstrap, records a second"),
    ("storm", "durable_s", "storm, durable, s"),
    ("storm", "equal_s", "storm, all equal, s"),
    ("idle", "device_kb", "kB for a device"),
)


def read(path: Path) -> Run:
    """A run from its file.

    Raises:
        UsageError: there is no such file, or it holds no run.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name what `python -m loadtest.bench all --json` wrote") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path}: holds no run of all jobs: {error}") from None


def page(run: Run) -> str:
    """The page that shows a run."""
    words = words_of()
    parts = {
        "machine": _machine(run),
        "results": markdown(COLUMNS, rows(run, words)),
        "missed": _missed(run),
        "peers": _peers(run),
        "notes": _notes(run),
        "figures": "\n\n".join(_figures(name, each, words[each.job]) for name, each in run.outcomes.items()),
        "million": _million(read(MILLION)),
        "area": str(AREA_DEVICES),
    }
    text = TEMPLATE.read_text("utf-8")
    for name, part in parts.items():
        text = text.replace(f"{{{{{name}}}}}", part)
    return text


def _machine(run: Run) -> str:
    told = dict(run.machine)
    versions = told.pop("versions", {})
    named = ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else ""
    load = float(str(told.pop("load_average", 0.0)))
    busy = load > _BUSY
    lines = [
        ("when", f"{run.at} UTC; the run took {number(run.took_s / 60)} minutes"),
        ("length", _LENGTHS[run.length]),
        *((name.replace("_", " "), str(value)) for name, value in told.items()),
        (
            "load average at the start",
            f"{load:.1f}" + (": **not alone on its machine, read ratios only**" if busy else ""),
        ),
        ("versions", named),
    ]
    return markdown(("", ""), lines)


def _missed(run: Run) -> str:
    found = [target.met(run) for target in TARGETS]
    met, missed, unknown = map(found.count, (True, False, None))
    return f"Of {len(found)} targets {met} are met, {missed} are not, and {unknown} were not measured."


def _peers(run: Run) -> str:
    """One line for each peer: what it is, what it loses, and its figures; fan-out at the largest size it did."""
    if not run.peers:
        return f"None in this run: {run.failed.get('peers', 'they were left out')}."
    names = list(dict.fromkeys(row.peer for row in run.peers))
    lines = []
    for name in names:
        own = [row for row in run.peers if row.peer == name]
        lost = next((row.lost_pct for row in own if row.lost_pct is not None), None)
        figures = [_largest(own, job, figure) for job, figure, _ in _PEER_FIGURES]
        lines.append(
            [f"{name} {own[0].version}", own[0].durability, "" if lost is None else f"{number(lost)}%", *figures]
        )
    columns = ["peer", "its acknowledgement", "lost by kill -9", *(words for _, _, words in _PEER_FIGURES)]
    return markdown(columns, lines)


def _largest(own: Sequence[Peer], job: str, figure: str) -> str:
    found = [row for row in own if row.job == job and figure in row.figures]
    if not found:
        return ""
    row = max(found, key=lambda each: each.size.get("devices", 0))
    return number(row.figures[figure])


def _notes(run: Run) -> str:
    """What a reader must know of peers' figures, and why there are none."""
    found = []
    for row in run.peers:
        ours = [one for name, one in run.outcomes.items() if name.partition("-")[0] == row.job]
        smaller = bool(row.figures and ours) and not any(same_size(row, one) for one in ours)
        size = ", ".join(f"{name} {value}" for name, value in row.size.items())
        said = [
            *([f"at another size than ours ({size}), so it is held against nothing"] if smaller else []),
            *row.notes,
        ]
        found += [f"- {row.peer}, `{row.job}`: {'; '.join(said)}."] if said else []
    return "\n".join(dict.fromkeys(found))


def _growth(outcome: Outcome) -> str:
    """A table for each thing that grows: what an operation costs at each size, and how much of that at the first."""
    tables = [_steps(outcome, axis, title) for axis, title in _AXES.items()]
    filled = number(outcome.spreads["fill_per_s"].median)
    return "\n\n".join([*filter(None, tables), f"The server was filled at {filled} records a second."])


def _steps(outcome: Outcome, axis: str, title: str) -> str:
    """The operations of which there are figures at every size; "" without any."""
    first, *more = growth.STEPS
    columns = [title, f"{first}x", *(column for step in more for column in (f"{step}x", f"of {first}x"))]
    lines = []
    for name, words in growth.AXES[axis].items():
        found = [outcome.spreads.get(f"{axis}_{name}_{step}") for step in growth.STEPS]
        costs = [one.median for one in found if one is not None]
        if len(costs) < len(growth.STEPS):
            continue
        cells = [_cost(costs[0])]
        for step, cost in zip(more, costs[1:], strict=True):
            ratio = outcome.ratios.get(f"{axis}_{name}_grows_{step}") if min(costs[0], cost) > 0 else None
            cells += [_cost(cost), "" if ratio is None else number(ratio)]
        lines.append((words, *cells))
    return markdown(columns, lines) if lines else ""


def _cost(value: float) -> str:
    """A cost, which is a difference of two measurements: below zero it was less than what they vary by."""
    return number(value) if value >= 0 else "too little to tell"


def _million(run: Run) -> str:
    outcome = run.outcomes["growth"]
    size = " and ".join(f"{number(value)} {what}" for what, value in outcome.size.items())
    return f"{_machine(run)}\n\nAsked for: {size}.\n\n{_growth(outcome)}{_remarks(outcome)}"


def _remarks(outcome: Outcome) -> str:
    return "".join(f"\n\n{remark[:1].upper()}{remark[1:]}." for remark in outcome.remarks)


def _figures(name: str, outcome: Outcome, words: Mapping[str, str]) -> str:
    size = ", ".join(f"{what} {number(value)}" for what, value in outcome.size.items())
    lines = [
        *(
            (words.get(what, what), *map(number, (one.median, one.least, one.most)))
            for what, one in outcome.spreads.items()
        ),
        *(
            (f"floor: {words.get(what, what)}", *map(number, (one.median, one.least, one.most)))
            for what, one in outcome.floors.items()
        ),
        *((words.get(what, what), number(value), "", "") for what, value in outcome.ratios.items()),
    ]
    if outcome.job == "growth" and outcome.spreads.keys() >= growth.FIGURES:
        return f"### `{name}`: {size}\n\n{_growth(outcome)}"
    return f"### `{name}`: {size}\n\n{markdown(('', 'median', 'least', 'most'), lines)}{_remarks(outcome)}"


def main(arguments: list[str]) -> int:
    """Keep a run, and write the page from it; with `--check` only say whether the page is what the kept run gives."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.page", description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, default=LATEST, metavar="FILE", help="what a run wrote")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is another one")
    given = parser.parse_args(arguments)
    try:
        text = page(read(given.run))
    except UsageError as error:
        parser.error(str(error))
    if given.check:
        same = PAGE.read_text("utf-8") == text
        sys.stdout.write(f"{PAGE}: {'is' if same else 'is not'} what {given.run} gives\n")
        return 0 if same else 1
    if given.run.resolve() != LATEST:
        LATEST.write_bytes(given.run.read_bytes())
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
