"""`beatbook demo`: a shift in a minute that ends by checking the promises."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from server.cli.outputs import writable
from server.demo.cast import OFFICERS_MIN
from server.demo.report import Report
from server.demo.run import Options, run


async def _until_told_to_stop(options: Options, console: Console) -> tuple[Report, Sequence[str]]:
    """Run the demo; a closed terminal or a SIGTERM ends it as Ctrl-C does, with server and folder cleared away."""
    running = asyncio.ensure_future(run(options, console))
    for told in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(told, running.cancel)
    try:
        return await running
    except asyncio.CancelledError:
        raise click.Abort from None


@click.command("demo")
@click.option(
    "--seconds", type=click.FloatRange(4, 600), default=20, show_default=True, help="How long the shift lasts."
)
@click.option(
    "--devices", type=click.IntRange(OFFICERS_MIN, 500), default=24, show_default=True, help="Officers' handhelds."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of everything random in it.")
@click.option(
    "--street", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A street file of data.police.uk for the shift's incidents, in place of invented ones.",
)  # fmt: skip
@click.option("--headless", is_flag=True, help="Plain lines in place of the live view.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), callback=writable,
    help="Write the figures to this file.",
)  # fmt: skip
def command(  # noqa: PLR0917  one parameter per option
    seconds: float, devices: int, seed: int, street: Path | None, headless: bool, json_file: Path | None
) -> None:
    """Run a real server, custody desks, a control room and handhelds; cut signal, kill the server, check the promises.

    Everybody is enrolled with a one-time code and signs in. One handheld is revoked and another one wiped.

    Exits with 1 when a promise does not hold.
    """
    # What the handhelds log of their lost connections is the demo's own doing.
    logging.basicConfig(level=logging.ERROR)
    console = Console()
    live = console.is_terminal and not headless
    options = Options(seconds=seconds, devices=devices, seed=seed, street=street, live=live)
    report, told = asyncio.run(_until_told_to_stop(options, console))
    console.print()
    for line in told:
        console.print(line, highlight=False)
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    sys.exit(0 if report.holds else 1)
