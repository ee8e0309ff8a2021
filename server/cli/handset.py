"""`beatbook handset`: a handheld in the terminal."""

import asyncio
import logging
import re
import sys
from pathlib import Path

import click

from schemas.ids import OFFICER_PATTERN, OfficerId
from server.cli.outputs import writable
from sync.device.terminal import Settings, run_handset


def _author(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> OfficerId:
    if value is None:
        raise click.UsageError(
            "Missing option '--author': the officer who uses this handheld, as in --author WM21877. "
            "Every change bears the collar number, and the device's identity does not tell it."
        )
    if re.match(OFFICER_PATTERN, value) is None:
        raise click.BadParameter(f"{value!r} is no collar number: up to 40 of A-Z, a-z, 0-9, . and -, as in WM21877")
    return OfficerId(value)


@click.command("handset")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--server", default="ws://127.0.0.1:8700/v1/sync", show_default=True, help="Address of the sync server.")
@click.option("--author", callback=_author, help="Collar number of the officer who uses it.  [required]")
@click.option(
    "--identity", type=click.Path(path_type=Path, dir_okay=False),
    help="File of the device's identity, as `beatbook enrol` wrote it.  [default: FOLDER/identity.json]",
)  # fmt: skip
@click.option(
    "--key-file", type=click.Path(path_type=Path, dir_okay=False),
    help="File of the replica's key; it is made when it is not there.  [default: FOLDER/replica.key]",
)  # fmt: skip
@click.option("--offline", is_flag=True, help="Begin without a connection.")
@click.option("--command", "commands", multiple=True, help="Carry this command out and end. Repeat it for more.")
@click.option(
    "--log-file", type=click.Path(path_type=Path, dir_okay=False), callback=writable,
    help="Write the engine's log to this file.",
)  # fmt: skip
def command(  # noqa: PLR0917  one parameter per option
    folder: Path,
    server: str,
    author: OfficerId,
    identity: Path | None,
    key_file: Path | None,
    offline: bool,
    commands: tuple[str, ...],
    log_file: Path | None,
) -> None:
    """Use the handheld in FOLDER: list, show and write records, online and offline.

    At a terminal it asks for commands; `help` tells them. From a pipe it takes one a line, and ends with 1 at the
    first that fails.
    """
    if log_file is None:
        # Without any handler Python would write warnings over the screen; the handset tells them itself.
        logging.getLogger().addHandler(logging.NullHandler())
    else:
        logging.basicConfig(filename=log_file, level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings(
        folder=folder,
        identity=identity or folder / "identity.json",
        key_file=key_file or folder / "replica.key",
        author=author,
        server=server,
        offline=offline,
        commands=commands,
    )
    sys.exit(asyncio.run(run_handset(settings)))
