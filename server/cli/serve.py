"""`beatbook serve`: run the sync server on a data folder."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

import click

from server.configuration import Configuration, read_configuration
from server.observing import logs
from server.redaction import secrets_of
from server.serving import Address, run

NOBODY: Final = "  Nobody administers it. This link makes an administrator, once, within a day:"


@click.command("serve")
@click.option(
    "--config", "config", type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file (TOML). What the options below say stands over it.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False),
    help="Data folder; it is made when it is not there.  [default: beatbook-data]",
)  # fmt: skip
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.  [default: 8700]")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much is logged, on standard error.  [default: info]",
)
@click.option(
    "--recover", is_flag=True,
    help="Print a link for an administrator although there are some: for when none of them can sign in any more.",
)  # fmt: skip
@click.option("--stop-on-eof", is_flag=True, help="Stop when standard input ends, for a program that starts a server.")
def command(  # noqa: PLR0917  one parameter per option
    config: Path | None,
    data: Path | None,
    host: str | None,
    port: int | None,
    log_level: str | None,
    recover: bool,
    stop_on_eof: bool,
) -> None:
    """Run the sync server until it is told to stop (Ctrl-C or SIGTERM)."""

    def read() -> Configuration:
        return read_configuration(
            config, os.environ, data=data, log_level=log_level, listen_host=host, listen_port=port
        )

    configuration = read()
    formatter = logs.formatter(configuration.log.format, personal=configuration.log.personal)
    os.environ[logs.CHILD_VARIABLE] = configuration.log.format
    formatter.know(secrets_of(os.environ))
    if (secret := configuration.oidc_client_secret(os.environ)) is not None:
        formatter.know([secret.reveal()])
    formatter.know(one.signer.reveal() for one in configuration.subscriptions(os.environ))
    logs.begin(formatter, configuration.log_level)

    def ready(address: Address, link: str | None) -> None:
        click.echo(f"Beatbook serves {configuration.data}")
        if link is not None:
            click.echo("  This link makes an administrator, once, with this run of the server:" if recover else NOBODY)
            click.echo(f"  {link}")
            click.echo(f"  beatbook setup LINK --server {address.http} --officer COLLAR --name NAME --device ID")
        click.echo(f"  handhelds: {address.sync}")
        # The last line, whoever waits for the server waits for this one.
        click.echo(f"  HTTP:      {address.http} (description at {address.http}/openapi.json)")

    if stop_on_eof:
        threading.Thread(target=_stop_on_eof, daemon=True).start()
    run(
        configuration,
        ready,
        lambda secret: formatter.know([secret]),
        name=formatter.name,
        recover=recover,
        reread=read if config else None,
    )


def _stop_on_eof() -> None:
    """Wait until whoever holds the other end of standard input has gone, then stop as a signal would."""
    while os.read(sys.stdin.fileno(), 1_024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
