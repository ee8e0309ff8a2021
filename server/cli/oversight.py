"""`beatbook why` and `beatbook quarantine`: for those who answer for others' work."""

from pathlib import Path

import click
import msgspec

from server.cli.forms import device_form, record_named
from server.cli.remote import folder_option, open_remote
from server.http.identities import Done
from server.http.oversight import HolderBody, QuarantineBody, QuarantineList, WhyBody
from sync.explain.values import moment


@click.command("why")
@click.argument("record")
@click.argument("device", callback=device_form)
@folder_option
def why(record: str, device: str, folder: Path) -> None:
    """Tell by which grant RECORD is on DEVICE."""
    with open_remote(folder) as remote:
        told = remote.get(f"/v1/why/{record_named(record)}/{device}", WhyBody)
    for seat in told.seats:
        _tell_holder(seat)
    if not told.seats:
        click.echo(f"{device} has no seat")


def _tell_holder(seat: HolderBody) -> None:
    who = f"{seat.seat} ({seat.officer})"
    for grant in seat.grants:
        click.echo(f"{who}: by {grant.scope}, generation {grant.gen}")
        for words in grant.words or ["The right has ended; it is removed at the next contact."]:
            click.echo(f"    {words}")
    for ended in seat.ended:
        click.echo(f"{who}: was there by {ended.scope}, generation {ended.gen}, until {moment(ended.until)}")
        click.echo(f"    {_confirmed('Its removal', ended.removed_at)}")
    if not seat.grants and not seat.ended:
        click.echo(f"{who}: holds no scope that the record is in, and held none")
    if seat.wipe is not None:
        click.echo(f"    The seat is to be wiped ({seat.wipe}). {_confirmed('That it was', seat.wiped_at)}")


def _confirmed(what: str, at: int | None) -> str:
    if at is None:
        return f"{what} is not confirmed: no receipt yet. Until there is one, take the record to be on the device."
    return f"{what} is confirmed: the device's receipt is of {moment(at)}."


@click.group("quarantine")
def quarantine() -> None:
    """Edits that a device could not send any more: list, look into, adopt or discard."""


@quarantine.command("list")
@folder_option
def list_command(folder: Path) -> None:
    """List the edits that wait for somebody, of records that you may see."""
    with open_remote(folder) as remote:
        edits = remote.get("/v1/quarantine", QuarantineList, {"limit": "500"}).edits
    for edit in edits:
        what = f"{edit.kind or 'something unreadable'} {edit.record or '(new)'}"
        click.echo(f"{edit.key}  {what}, by {edit.author or 'nobody'} at seat {edit.seat}, {moment(edit.occurred_at)}")
    click.echo(f"{len(edits)} waiting")


@quarantine.command("open")
@click.argument("key")
@click.option("--why", required=True, help="What for; it is in the log before the edit is shown.")
@folder_option
def open_command(key: str, why: str, folder: Path) -> None:
    """Look into the edit KEY: a consultation, which is logged."""
    with open_remote(folder) as remote:
        told = remote.post("/v1/quarantine/consultations", {"key": key, "why": why}, QuarantineBody)
    click.echo(
        f"{told.line.kind} {told.line.record or '(new)'} by {told.line.author} at {moment(told.line.occurred_at)}"
    )
    for name, change in told.changes.items():
        click.echo(f"    {name}: {msgspec.json.encode(change).decode()}")
    if told.why:
        click.echo(f"    The reason given: {told.why}")


@quarantine.command("adopt")
@click.argument("key")
@click.option("--why", required=True, help="The reason; it stays in the log.")
@folder_option
def adopt_command(key: str, why: str, folder: Path) -> None:
    """Write the edit KEY into its record after all, in its author's name."""
    _settle(key, why, folder, adopt=True)
    click.echo("It is written, in its author's name")


@quarantine.command("discard")
@click.argument("key")
@click.option("--why", required=True, help="The reason; it stays in the log.")
@folder_option
def discard_command(key: str, why: str, folder: Path) -> None:
    """Decide that the edit KEY is not written; it stays in the log."""
    _settle(key, why, folder, adopt=False)
    click.echo("It is not written")


def _settle(key: str, why: str, folder: Path, *, adopt: bool) -> None:
    with open_remote(folder) as remote:
        remote.post("/v1/quarantine/verdicts", {"key": key, "adopt": adopt, "why": why}, Done)
