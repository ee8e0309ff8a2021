"""`beatbook organisation`: a force's files checked, compared with a running server, and applied there."""

from pathlib import Path

import click

from server.cli.remote import folder_option, open_remote
from server.http.organisation import OrganisationPlan
from server.organisation.definition import OrganisationTold
from server.organisation.reading import read_organisation

_file = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group("organisation")
def command() -> None:
    """The organisation as files: units, missions, people and cells, told in TOML and CSV."""


@command.command("check")
@_file
def check(file: Path) -> None:
    """Say what is wrong with FILE and the tables that it names, or what is in them. No server is asked."""
    click.echo(_counted(read_organisation(file)))


@command.command("plan")
@_file
@folder_option
def plan(file: Path, folder: Path) -> None:
    """Show what FILE and its tables would change at the server. Nothing does."""
    _send("plan", read_organisation(file), folder)
    click.echo("Nothing was changed", err=True)


@command.command("apply")
@_file
@folder_option
def apply(file: Path, folder: Path) -> None:
    """Bring the server to what FILE and its tables say, all of it or nothing. Again, it changes nothing."""
    _send("apply", read_organisation(file), folder)


def _send(way: str, organisation: OrganisationTold, folder: Path) -> None:
    with open_remote(folder) as remote:
        done = remote.post(f"/v1/organisation/{way}", organisation, OrganisationPlan)
    for note in done.notes:
        click.echo(note, err=True)
    for change in done.changes:
        click.echo(f"{change.sign} {change.what}" + (f"  ({change.where})" if change.where else ""))
    click.echo(f"{len(done.changes)} changes" if done.changes else "The server is as the files say", err=True)


def _counted(told: OrganisationTold) -> str:
    counts = {
        "units": told.units, "missions": told.missions, "officers": told.officers, "spans": told.spans,
        "cells": told.cells,
    }  # fmt: skip
    words = {"spans": "roles, postings, shifts and memberships"}
    said = [f"{len(lines)} {words.get(name, name)}" for name, lines in counts.items() if lines is not None]
    return f"{told.title}: {', '.join(said)}"
