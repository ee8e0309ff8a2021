"""`beatbook setup`, `enrol`, `sign-in`, `sign-out` and `passphrase`: how somebody comes to have access to a server.

A passphrase is asked for at a prompt, or comes from a file or the environment; it is never an argument, which every
other user of the machine could read.
"""

import getpass
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from schemas.errors import UsageError
from server.cli.access import Access
from server.cli.forms import device_form, officer_form
from server.cli.remote import Remote, folder_option, open_remote, set_up, sign_in, use_seat
from server.cli.remote import enrol as enrol_device
from server.http.identities import Done, Me
from server.secret_files import find_secret

_F = TypeVar("_F", bound=Callable[..., Any])
VARIABLE: Final = "BEATBOOK_PASSPHRASE"
NEW_VARIABLE: Final = "BEATBOOK_NEW_PASSPHRASE"


def passphrase_option(command: _F) -> _F:
    """The option `--passphrase-file`."""
    return click.option(
        "--passphrase-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help=f"File that holds the passphrase. Else it is taken from {VARIABLE}, or asked for.",
    )(command)  # fmt: skip


def server_options(command: _F) -> _F:
    """The options `--server` and `--ca-file`."""
    options = (
        click.option("--server", required=True, help="Address of the server, as in https://beatbook.example."),
        click.option(
            "--ca-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="PEM file of the authority that vouches for the server's certificate.  [default: the machine's own]",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def ask(prompt: str, path: Path | None, variable: str = VARIABLE, *, again: bool = False) -> str:
    """A passphrase: from its file, its variable, or whoever sits there.

    Raises:
        UsageError, StoreError: the file or the variables cannot be used.
    """
    found = find_secret(variable, path, os.environ)
    if found is not None:
        return found.reveal()
    try:
        with warnings.catch_warnings():
            # Without a terminal it would be read in the open.
            warnings.simplefilter("error", getpass.GetPassWarning)
            asked: str = click.prompt(prompt, hide_input=True, confirmation_prompt=again, err=True)
    except getpass.GetPassWarning:
        raise UsageError(
            f"there is no terminal to ask for a passphrase: put it into the variable {variable}, or into a file that "
            "only you can read, and name that file"
        ) from None
    return asked


def code_of(link: str) -> str:
    """The secret of a one-time link, or the secret itself."""
    return link.rpartition("#")[2].strip()


def _ca(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


@click.command("setup")
@click.argument("link")
@server_options
@folder_option
@click.option("--officer", required=True, callback=officer_form, help="Your collar number.")
@click.option("--name", required=True, help="Your name.")
@click.option("--device", required=True, callback=device_form, help="An id for this device, as in admin-01.")
@passphrase_option
def setup(  # noqa: PLR0917  one parameter per option
    link: str,
    server: str,
    ca_file: Path | None,
    folder: Path,
    officer: str,
    name: str,
    device: str,
    passphrase_file: Path | None,
) -> None:
    """Become the first administrator with LINK, the one-time link that the server's first start prints."""
    passphrase = ask("Choose a passphrase", passphrase_file, again=True)
    body = {"officer": officer, "name": name, "device": device, "passphrase": passphrase}
    access = set_up(folder, server, code_of(link), body, _ca(ca_file))
    click.echo(f"{officer} administers {access.file.server}; this device is {device}, its key is in {folder}")
    click.echo(f"The server's log is {access.file.log_key}: write it down, `beatbook verify` and witnesses ask for it")


@click.command("enrol")
@click.argument("code")
@server_options
@folder_option
@click.option("--seat", callback=device_form, help="Use this seat of a program, at which nobody signs in.")
def enrol(code: str, server: str, ca_file: Path | None, folder: Path, seat: str | None) -> None:
    """Enrol this device with CODE, which `beatbook code` gives out; its key is made here."""
    access = enrol_device(folder, server, code, _ca(ca_file))
    if seat is not None:
        use_seat(access, seat, "")
    click.echo(f"This is device {access.identity.device} now; its key is in {folder}")


@click.command("sign-in")
@click.option("--officer", required=True, callback=officer_form, help="Your collar number.")
@folder_option
@passphrase_option
@click.option(
    "--new-passphrase-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"File that holds the passphrase you choose, after a one-time one. Else {NEW_VARIABLE}, or it is asked for.",
)  # fmt: skip
@click.option("--choose", is_flag=True, help="Choose a new passphrase along with it: a one-time one asks for that.")
def sign_in_command(
    officer: str, folder: Path, passphrase_file: Path | None, new_passphrase_file: Path | None, choose: bool
) -> None:
    """Sign in on this device, in place of whoever was."""
    access = Access.open(folder)
    passphrase = ask("Passphrase", passphrase_file)
    chosen = None
    if choose or new_passphrase_file is not None:
        chosen = ask("Choose a new passphrase", new_passphrase_file, NEW_VARIABLE, again=True)
    told = sign_in(access, officer, passphrase, chosen)
    click.echo(f"{told.officer} is signed in on {access.identity.device}, at seat {told.seat}")
    click.echo(f"  roles: {', '.join(told.lease.roles) or 'none'}")


@click.command("sign-out")
@folder_option
def sign_out(folder: Path) -> None:
    """End your sign-in, on the server at once."""
    access = Access.open(folder)
    with Remote.open(access) as remote:
        remote.post("/v1/sign-out", {}, Done)
    use_seat(access, "", "")
    click.echo(f"Nobody is signed in at {folder} any more")


@click.command("passphrase")
@folder_option
@passphrase_option
@click.option(
    "--new-passphrase-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"File that holds the new one. Else it is taken from {NEW_VARIABLE}, or asked for.",
)  # fmt: skip
def passphrase_command(folder: Path, passphrase_file: Path | None, new_passphrase_file: Path | None) -> None:
    """Change your own passphrase."""
    old = ask("Passphrase", passphrase_file)
    new = ask("Choose a new passphrase", new_passphrase_file, NEW_VARIABLE, again=True)
    if old == new:
        raise UsageError("the new passphrase is the old one; choose another")
    with open_remote(folder) as remote:
        remote.post("/v1/passphrase", {"old": old, "new": new}, Done)
    click.echo("The passphrase is changed")


@click.command("who")
@folder_option
def who(folder: Path) -> None:
    """Tell who you are to the server: seat, roles, and what you may see."""
    with open_remote(folder) as remote:
        me = remote.get("/v1/me", Me)
    click.echo(f"{me.officer} at seat {me.seat} of device {me.device}")
    click.echo(f"  roles:  {', '.join(me.roles) or 'none'}")
    click.echo(f"  scopes: {', '.join(me.scopes) or 'none'}")
