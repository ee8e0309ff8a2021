"""All at once: `python -m loadtest.locust --devices 50 --shape shift-change --run-time 2m` (`make load ARGS="…"`).

A server of its own in a folder that goes away, a cast enrolled on it, a shape run with locust, and a verdict in which
every acknowledged edit was looked for. Server and load share this machine: for figures, give each a machine or at least
a core of its own (docs/howto/loadtest.md); this is for seeing whether everything holds.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from loadtest.locust.calls import CallError
from loadtest.locust.cast import CastError
from loadtest.locust.enrolling import begin, code_of, enrol
from loadtest.locust.phases import NO_SHAPE, SHAPES
from loadtest.locust.rates import shares
from loadtest.locust.serving import ServerError, serving

_LOCUSTFILE: Final = Path(__file__).resolve().parent.parent / "locustfile.py"


def many_files() -> None:
    """Let this process and those that it starts open as many files as the machine allows: each link is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--devices", default=25, show_default=True, help="How many, shared out as in rates.")
@click.option("--shape", type=click.Choice([*SHAPES, NO_SHAPE]), default="quiet-night", show_default=True)
@click.option("--run-time", default="60s", show_default=True, help="How long, as in 90s, 10m, 1h.")
@click.option("--hurry", default=50.0, show_default=True, help="Multiplies how often everything is done.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def main(devices: int, shape: str, run_time: str, hurry: float, more: tuple[str, ...]) -> None:
    """Start a server in a scratch folder, enrol, run a shape, and look for every acknowledged edit.

    MORE are options of locust and of the locustfile, as in `--street FILE`, `--thresholds FILE`, `--processes 2`.
    """
    many_files()
    with tempfile.TemporaryDirectory(prefix="beatbook-load-") as name:
        folder = Path(name)
        path, summary = folder / "cast.json", folder / "summary.json"
        try:
            with serving(folder) as (address, said):
                cast = begin(address, code_of(said))
                count = enrol(cast, shares(devices))
                cast.write(path)
                click.echo(f"{count} let in at {address}")
                command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary"]
                command += ["--cast", str(path), "--shape", shape, "--run-time", run_time, "--hurry", str(hurry)]
                done = subprocess.run([*command, "--summary", str(summary), *more], check=False)
        except (ServerError, CastError, CallError, ValueError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        if summary.exists():
            told = json.loads(summary.read_text(encoding="utf-8"))
            click.echo(f"lost edits: {told['lost']} of {told['acked']} acknowledged")
            for breach in told["not_reached"]:
                click.echo(f"not reached: {breach}")
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
