"""`python -m loadtest.bench JOB --json FILE`; with `all` as the job, every job and the peers."""

import argparse
import functools
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from loadtest.bench import comparison, suite
from loadtest.bench.jobs import (
    ack,
    bootstrap,
    fanout,
    force,
    growth,
    idle,
    reconnect,
    replica,
    revoke,
    stalled,
    storm,
    wire,
)
from loadtest.bench.outcome import Outcome, table


class Job(msgspec.Struct, frozen=True):
    """One job.

    Attributes:
        size: its size, a struct of whole numbers.
        measure: runs it.
        words: what its figures are called.
        about: what it measures.
    """

    size: type[Any]
    measure: Callable[[Any, Callable[[str], object]], Coroutine[Any, Any, Outcome]]
    words: Mapping[str, str]
    about: str


ALL: Final = "all"
JOBS: Final = {
    module.__name__.rpartition(".")[2]: Job(module.Size, module.measure, module.WORDS, module.__doc__ or "")
    for module in (ack, bootstrap, fanout, force, growth, idle, reconnect, replica, revoke, stalled, storm, wire)
}


def main(arguments: list[str]) -> int:
    """Run one job, print its table, write its JSON."""
    given = vars(_parser().parse_args(arguments))
    name, json = given.pop("job"), given.pop("json")
    if name == ALL:
        return _all(given, json)
    job = JOBS[name]
    outcome = uvloop.run(job.measure(job.size(**given), _say))
    sys.stdout.write(table(outcome, job.words))
    _keep(outcome, json)
    return 0


def _all(given: Mapping[str, Any], json: Path | None) -> int:
    """Run everything; 1 when a part of it failed."""
    keep = functools.partial(_keep, json=json)
    run = suite.run_all(given["length"], given["only"], _say, keep, peers=given["peers"])
    sys.stdout.write(comparison.text(comparison.rows(run, words_of())))
    return 1 if run.failed else 0


def words_of() -> dict[str, Mapping[str, str]]:
    """Job -> what its figures are called."""
    return {name: job.words for name, job in JOBS.items()}


def _keep(found: Outcome | suite.Run, json: Path | None) -> None:
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    jobs = parser.add_subparsers(dest="job", required=True, metavar="JOB")
    for name, job in JOBS.items():
        one = jobs.add_parser(
            name, help=job.about.partition("\n")[0], description=job.about,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )  # fmt: skip
        one.add_argument("--json", type=Path, help="file to write the outcome to")
        for field in msgspec.structs.fields(job.size):
            one.add_argument(f"--{field.name}", type=_count, default=field.default, metavar="N", help="1 or more")
    everything = jobs.add_parser(ALL, help="every job, and the peers, in one table", description=suite.__doc__)
    everything.add_argument("--json", type=Path, help="file to write the run to")
    length = everything.add_mutually_exclusive_group()
    length.set_defaults(length="usual")
    length.add_argument("--quick", dest="length", action="store_const", const="quick", help="only see that it works")
    length.add_argument("--full", dest="length", action="store_const", const="full", help="all sizes; takes hours")
    everything.add_argument("--no-peers", dest="peers", action="store_false", help="leave the peers out")
    everything.add_argument("--only", type=_parts, default=(), metavar="PART,PART", help="only these parts, or jobs")
    return parser


def _parts(text: str) -> list[str]:
    """Parts of a run by name.

    Raises:
        argparse.ArgumentTypeError: there is no such part.
    """
    chosen = [each.strip() for each in text.split(",")]
    there = {name for part in suite.parts("full") for name in (part.name, part.job)}
    wrong = [each for each in chosen if each not in there]
    if wrong:
        raise argparse.ArgumentTypeError(f"there is no part {wrong[0]!r}: choose of {', '.join(sorted(there))}")
    return chosen


def _count(text: str) -> int:
    """A number of things to measure.

    Raises:
        argparse.ArgumentTypeError: it is none, or less than 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
