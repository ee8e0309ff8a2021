"""`beatbook handset`: a handheld in the terminal.

A PIN is asked for at a prompt, or comes from a file or the environment; it is never an argument, which every other user
of the machine could read.
"""

import asyncio
import logging
import os
import secrets
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from schemas.ids import OfficerId
from server.cli.forms import officer_form
from server.cli.outputs import writable
from server.observing import logs
from server.secret_files import find_secret
from sync.device.account import RefusedError
from sync.device.enrolment import ENROLMENT_FILE
from sync.device.installation import Installation
from sync.device.seat_opening import FormerPinError
from sync.device.terminal import Settings, Shown, run_handset

PIN_VARIABLE: Final = "BEATBOOK_PIN"
_ONCE: Final = "passphrase_once"


@click.command("handset")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--server", help="Address of the server: with --enrol of its HTTP side (https://…), else of a program's sync."
)
@click.option("--enrol", metavar="CODE", help="Enrol this handheld with a one-time code, and end.")
@click.option(
    "--ca-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --enrol: PEM file of the authority that vouches for the server.  [default: the machine's own]",
)  # fmt: skip
@click.option("--officer", callback=officer_form, help="Collar number of the officer who signs in.")
@click.option(
    "--pin-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"File that holds the officer's PIN or passphrase. Else it is taken from {PIN_VARIABLE}, or asked for.",
)  # fmt: skip
@click.option("--keep-share", is_flag=True, help="Keep the server's share for the lease, to open with no signal.")
@click.option(
    "--author", callback=officer_form, help="At a program's own seat: the collar number that its changes bear."
)
@click.option(
    "--identity", type=click.Path(path_type=Path, dir_okay=False),
    help="Of a program: file of the device's identity.  [default: FOLDER/identity.json]",
)  # fmt: skip
@click.option(
    "--key-file", type=click.Path(path_type=Path, dir_okay=False),
    help="Of a program: file of the replica's key; made when it is not there.  [default: FOLDER/replica.key]",
)  # fmt: skip
@click.option("--offline", is_flag=True, help="Begin without a connection; the seat opens with the PIN alone.")
@click.option("--command", "commands", multiple=True, help="Carry this command out and end. Repeat it for more.")
@click.option(
    "--log-file", type=click.Path(path_type=Path, dir_okay=False), callback=writable,
    help="Write the engine's log to this file.",
)  # fmt: skip
def command(  # noqa: PLR0913, PLR0917  one parameter per option
    folder: Path,
    server: str | None,
    enrol: str | None,
    ca_file: Path | None,
    officer: OfficerId | None,
    pin_file: Path | None,
    keep_share: bool,
    author: OfficerId | None,
    identity: Path | None,
    key_file: Path | None,
    offline: bool,
    commands: tuple[str, ...],
    log_file: Path | None,
) -> None:
    """Use the handheld in FOLDER: list, show and write records, online and offline.

    Enrol it once with --enrol and --server; then an officer signs in with --officer. At a terminal it asks for
    commands; `help` tells them. From a pipe it takes one a line, and ends with 1 at the first that fails.
    """
    if log_file is None:
        # Without any handler Python would write warnings over the screen; the handset tells them itself.
        logging.getLogger().addHandler(logging.NullHandler())
    else:
        # It is a file in clear beside a replica that is not: nothing of a record, and not who reads it.
        told = logs.formatter("text")
        told.name(lambda word: word.lower() in {str(officer).lower(), str(author).lower()}, secrets.token_bytes(32))
        logs.begin(told, "info", log_file)
    if enrol is not None:
        _enrol(folder, server, enrol, ca_file)
        return
    if officer is not None:
        given = find_secret(PIN_VARIABLE, pin_file, os.environ)
        pin = click.prompt("PIN or passphrase", hide_input=True, err=True) if given is None else given.reveal()
        shown = Shown(pin=pin, keep_share=keep_share)
        # Locked, it asks at the prompt again. A PIN from elsewhere would open it at once: then it ends.
        again = (sys.executable, *sys.orig_argv[1:]) if given is None else ()
        settings = Settings(folder=folder, author=officer, shown=shown, offline=offline, commands=commands, again=again)
        sys.exit(_run(settings))
    if author is None:
        raise click.UsageError(
            "Missing option '--author' of a program's own seat, or '--officer' of an officer who signs in, as in "
            "--officer WM21877. Every change bears the collar number, and the device's identity does not tell it."
        )
    settings = Settings(
        folder=folder,
        identity=identity or folder / "identity.json",
        key_file=key_file or folder / "replica.key",
        author=author,
        server=server or "ws://127.0.0.1:8700/v1/sync",
        offline=offline,
        commands=commands,
    )
    sys.exit(asyncio.run(run_handset(settings)))


def _enrol(folder: Path, server: str | None, code: str, ca_file: Path | None) -> None:
    if server is None:
        raise click.UsageError("Missing option '--server': whose code it is, as in --server https://beatbook.example")
    ca = "" if ca_file is None else str(ca_file.absolute())
    enrolment = asyncio.run(Installation.enrol(folder, server, code, ca_file=ca))
    click.echo(f"This handheld is {enrolment.device} now; its key is in {folder}, what the server said beside it")
    click.echo(f"  {ENROLMENT_FILE}: the server's log is {enrolment.log_key}")


def _run(settings: Settings) -> int:
    """Run it; ask for what the server or the seat wants to see besides, each once."""
    shown = settings.shown
    assert shown is not None
    try:
        return asyncio.run(run_handset(settings))
    except RefusedError as refused:
        if refused.code != _ONCE or shown.new is not None or not sys.stdin.isatty():
            raise
        new = click.prompt(
            "This one was for once: choose your own", hide_input=True, confirmation_prompt=True, err=True
        )
        return _run(msgspec.structs.replace(settings, shown=msgspec.structs.replace(shown, new=new)))
    except FormerPinError as needed:
        if shown.former is not None or not sys.stdin.isatty():
            raise
        click.echo(str(needed), err=True)
        former = click.prompt("The one before", hide_input=True, err=True)
        # The server knows the new one by now: what was good for once is good for nothing any more.
        again = Shown(pin=shown.new or shown.pin, former=former, keep_share=shown.keep_share)
        return _run(msgspec.structs.replace(settings, shown=again))
