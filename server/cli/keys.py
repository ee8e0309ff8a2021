"""`beatbook keys`: the master keys of a data folder whose server is stopped."""

from pathlib import Path

import click

from schemas.errors import UsageError
from server.store.masters import key_file
from server.store.sqlite.folder import database_of
from server.store.sqlite.rotation import rotate


@click.group("keys")
def command() -> None:
    """Look after the keys that a data folder's records are sealed under."""


@command.command("rotate")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"), show_default=True,
    help="Data folder. No server may be running on it.",
)  # fmt: skip
def rotate_command(data: Path) -> None:
    """Give a data folder a new master key and destroy the old ones.

    Stopped half-way, it is ended by calling it again. A backup of the database from before needs the key file of its
    time: destroy that one too where records have been erased since, and keep a copy of the new one apart from the data.
    """
    if not database_of(data).exists():
        raise UsageError(f"--data {data}: there is no database in it; name the folder that the server runs on")
    done = rotate(data)
    click.echo(f"{key_file(data)}: {done.moved} record keys are under {done.newest} now")
    click.echo(f"Destroyed: {', '.join(done.retired) or 'none'}")
