"""`beatbook serve`: run the sync server on a data folder."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click

from server.serving import TOKEN, Address, run


@click.command("serve")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"), show_default=True,
    help="Data folder; it is made when it is not there.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8700, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much is logged, on standard error.",
)
@click.option("--stop-on-eof", is_flag=True, help="Stop when standard input ends, for a program that starts a server.")
def command(data: Path, host: str, port: int, log_level: str, stop_on_eof: bool) -> None:
    """Run the sync server until it is told to stop (Ctrl-C or SIGTERM)."""
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def ready(address: Address) -> None:
        click.echo(f"Beatbook serves {data}")
        click.echo(f"  handhelds: {address.sync}")
        click.echo(f"  HTTP:      {address.http} (description at {address.http}/openapi.json)")
        click.echo(f"  token:     in {data / TOKEN}")

    if stop_on_eof:
        threading.Thread(target=_stop_on_eof, daemon=True).start()
    run(data, host, port, ready)


def _stop_on_eof() -> None:
    """Wait until whoever holds the other end of standard input has gone, then stop as a signal would."""
    while os.read(sys.stdin.fileno(), 1_024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
