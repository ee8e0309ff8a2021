"""`beatbook seat`: the seats of programs, and what is let go on at an officer's."""

from pathlib import Path

import click

from server.cli.forms import device_form, officer_form
from server.cli.remote import folder_option, open_remote
from server.http.administration import ActsDone
from server.http.identities import Done


class _SeatGroup(click.Group):
    """`beatbook seat DEVICE …` opens one, as `beatbook seat open DEVICE …` does."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See `click.Group`."""
        known = bool(args) and args[0] in self.commands
        return super().resolve_command(ctx, args if known else ["open", *args])


@click.group("seat", cls=_SeatGroup)
def seat() -> None:
    """Seats on devices: open a program's, or let an officer's read log go on that was set back."""


@seat.command("open")
@click.argument("device", callback=device_form)
@click.option("--officer", required=True, callback=officer_form, help="In whose name the program acts.")
@folder_option
def open_command(device: str, officer: str, folder: Path) -> None:
    """Open the seat of a program on DEVICE: nobody signs in there, and it has only what is granted to it."""
    act = {"t": "seat-opened", "seat": device, "device": device, "officer": officer, "unattended": True}
    with open_remote(folder) as remote:
        remote.post("/v1/seats", {"acts": [act]}, ActsDone)
    click.echo(f"The program's seat {device} is open; `beatbook grant give {device} --seat --scope …` lets it see")


@seat.command("pardon")
@click.argument("name", metavar="SEAT", callback=device_form)
@click.option("--why", required=True, help="What was found when somebody looked into it; it stays in the log.")
@folder_option
def pardon(name: str, why: str, folder: Path) -> None:
    """Let the read log of SEAT, which was set back, go on behind what the server holds, and leases be given again."""
    with open_remote(folder) as remote:
        remote.post(f"/v1/seats/{name}/pardon", {"why": why}, Done)
    click.echo(f"{name} goes on with its read log, and is given leases again, once its officer signs in anew")
