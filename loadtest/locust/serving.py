"""A server for a run on one machine: the real `beatbook serve`, in a folder of its own, as a process of its own."""

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import click

_LISTENS: Final = re.compile(r"HTTP:\s+(http\S+)")
_STOP_S: Final = 30.0
_CONFIGURATION: Final = """\
# Everybody here comes from one address, and all at once.
log_level = "warning"
[limits]
connections_per_address_max = 20000
requests_per_s = 1000000
requests_burst = 1000000
"""


class ServerError(Exception):
    """The server did not start; what it said is told."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a server in a folder; gives its address, and the one-time link that it printed.

    Raises:
        ServerError: it did not start.
    """
    told = folder / "server.toml"
    told.write_text(_CONFIGURATION, encoding="utf-8")
    command = [sys.executable, "-m", "server.cli", "serve", "--config", str(told), "--data", str(folder / "data")]
    process = subprocess.Popen(
        [*command, "--port", "0", "--stop-on-eof"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    passing: threading.Thread | None = None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if (listens := _LISTENS.search(said)) is not None:
                break
        else:
            raise ServerError(f"the server did not start: {said}")
        # What it says later is shown: a warning is part of the outcome, and a full pipe would stop it.
        passing = threading.Thread(target=_pass_on, args=(process.stdout,), daemon=True)
        passing.start()
        yield listens.group(1), said
    finally:
        process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if passing is not None:
            passing.join(_STOP_S)
        process.stdout.close()


def _pass_on(output: IO[str]) -> None:
    for line in output:
        click.echo(f"server: {line}", nl=False, err=True)
