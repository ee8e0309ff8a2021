"""What the locustfile hangs on locust: its options, the start of a run, and the verdict at its end."""

import json
import logging
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtest.locust.calls import CallError
from loadtest.locust.cast import CastError
from loadtest.locust.client import LinkError
from loadtest.locust.ledger import Verdict, audit
from loadtest.locust.phases import NO_SHAPE, SHAPES
from loadtest.locust.rates import SORTS
from loadtest.locust.running import Running, Wishes
from loadtest.locust.shapes import BY_NAME
from loadtest.locust.street import StreetError
from loadtest.locust.thresholds import Thresholds, ThresholdsError
from loadtest.locust.users import SORTED, BeatbookUser

_LOG: Final = logging.getLogger("beatbook.load")
_UNUSABLE: Final = 2
_RUN_S: Final = 600.0
_SPAWN_PER_S: Final = 20.0
"""Each brings a sign-in, with some 50 ms of Argon2id on the server."""


def options(parser: LocustArgumentParser) -> None:
    """Add ours to locust's."""
    group = parser.add_argument_group("Beatbook")
    group.add_argument("--cast", default="build/load/cast.json", help="who takes part, as enrolling has made it")
    group.add_argument("--street", default="", help="street CSV of data.police.uk for incidents; invented when absent")
    group.add_argument("--shape", default="quiet-night", choices=[*SHAPES, NO_SHAPE], help="how the run goes over time")
    group.add_argument("--hurry", type=float, default=1.0, help="multiplies how often everything is done")
    group.add_argument("--seed", default="1", help="of everything random that users do")
    group.add_argument("--thresholds", default="", help="TOML file of what must be reached; sets the exit code")
    group.add_argument("--summary", default="", help="JSON file for the figures")
    group.add_argument(
        "--sources", type=int, default=1, help="call from so many addresses of the loopback, for more than 28,000 links"
    )


def begin(environment: Environment) -> None:
    """A process starts: read the files, choose the shape. What is unusable ends it with exit code 2."""
    told = environment.parsed_options
    assert told is not None
    try:
        thresholds = Thresholds.read(Path(told.thresholds)) if told.thresholds else Thresholds()
        running = Running.begin(environment, _wishes(told), thresholds)
    except (ThresholdsError, CastError, StreetError, ValueError) as error:
        _LOG.error("%s", error)
        sys.exit(_UNUSABLE)
    if not running.wishes.peak:
        seats = sum(len(running.cast.of(sort.name)) for sort in SORTS)
        running.wishes = replace(running.wishes, peak=seats)
    BeatbookUser.running = running
    for user, sort in zip(SORTED, SORTS, strict=True):
        # With as many users as seats, exactly those of each sort; with fewer, in the same proportion.
        user.weight = len(running.cast.of(sort.name))
    for shape in BY_NAME.values():
        shape.running = running
    if not told.class_picker and running.leads:
        environment.shape_class = None if told.shape == NO_SHAPE else BY_NAME[told.shape]()
        if environment.shape_class is not None:
            environment.shape_class.runner = running.runner


def _wishes(told: Namespace) -> Wishes:
    cast = Path(told.cast)
    if told.hurry <= 0:
        raise ValueError(f"--hurry {told.hurry:g}: more than 0")
    return Wishes(
        cast=cast,
        street=Path(told.street) if told.street else None,
        seed=told.seed,
        hurry=told.hurry,
        peak=told.num_users or 0,  # 0: as many as have seats, see `begin`
        run_s=float(told.run_time or _RUN_S),
        spawn_per_s=float(told.spawn_rate or _SPAWN_PER_S),
        sources=tuple(f"127.0.0.{number}" for number in range(2, told.sources + 2)) if told.sources > 1 else ("",),
    )


def judge(environment: Environment) -> None:
    """The run is over: look for every acknowledged edit, hold the figures against the thresholds, set the exit code."""
    running = getattr(BeatbookUser, "running", None)
    told = environment.parsed_options
    if running is None or told is None or not running.leads:
        return
    breaches = []
    verdict: Verdict | None = None
    try:
        running.cast.write(running.wishes.cast)
        verdict = audit(running.cast, running.acked)
        _LOG.info("lost edits: %d of %d acknowledged", len(verdict.lost), verdict.acked)
        for record, seat, n, _ in verdict.lost[:20]:
            _LOG.error("lost: op %s/%d on record %s", seat, n, record)
    except (CastError, CallError, LinkError, OSError) as error:
        breaches.append(f"lost edits: could not look for them: {error}")
    entries = {entry.name: entry for entry in environment.stats.entries.values()}
    lost = len(verdict.lost) if verdict is not None else 0
    breaches += running.thresholds.breaches(entries, environment.stats.total, lost)
    breaches += [f"{each['count']} x {each['msg']}" for each in running.runner.exceptions.values()]
    for breach in breaches:
        _LOG.error("not reached: %s", breach)
    environment.process_exit_code = 1 if breaches else 0
    if told.summary:
        _summarise(Path(told.summary), environment, verdict, breaches)


def _summarise(path: Path, environment: Environment, verdict: Verdict | None, breaches: list[str]) -> None:
    names: dict[str, dict[str, Any]] = {}
    for entry in environment.stats.entries.values():
        p50, p99 = (entry.get_response_time_percentile(percent) for percent in (0.50, 0.99))
        figures = {"samples": entry.num_requests, "failures": entry.num_failures}
        names[entry.name] = {**figures, "p50_ms": p50, "p99_ms": p99, "max_ms": entry.max_response_time}
    summary = {
        "acked": None if verdict is None else verdict.acked,
        "lost": None if verdict is None else len(verdict.lost),
        "not_reached": breaches,
        "names": names,
    }
    path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
