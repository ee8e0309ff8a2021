"""`python -m loadtest.bench JOB --json FILE`."""

import argparse
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from loadtest.bench.jobs import ack, bootstrap, fanout, force, idle, reconnect, replica, revoke, stalled, storm
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


JOBS: Final = {
    module.__name__.rpartition(".")[2]: Job(module.Size, module.measure, module.WORDS, module.__doc__ or "")
    for module in (ack, bootstrap, fanout, force, idle, reconnect, replica, revoke, stalled, storm)
}


def main(arguments: list[str]) -> int:
    """Run one job, print its table, write its JSON."""
    given = vars(_parser().parse_args(arguments))
    job, json = JOBS[given.pop("job")], given.pop("json")
    outcome = uvloop.run(job.measure(job.size(**given), lambda text: sys.stderr.write(f"{text}\n")))
    sys.stdout.write(table(outcome, job.words))
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=2) + b"\n")
    return 0


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
    return parser


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
