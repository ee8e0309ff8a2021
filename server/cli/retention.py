"""`beatbook retention`: what is due for review, its review, and the erasure that a second officer carries out."""

from datetime import UTC, datetime
from pathlib import Path

import click

from schemas.errors import UsageError
from server.cli.forms import record_named
from server.cli.remote import folder_option, open_remote
from server.http.identities import Done
from server.http.retention import DueList
from sync.explain.values import moment


@click.group("retention")
def command() -> None:
    """Look again at records whose time is over: keep them until a date, or have them erased by two officers."""


@command.command("due")
@folder_option
def due(folder: Path) -> None:
    """List the records that somebody must look at, those that are due longest first; at most 500."""
    with open_remote(folder) as remote:
        found = remote.get("/v1/retention/due", DueList, {"limit": "500"}).due
    for one in found:
        proposed = f"; {one.proposed_by} proposes to erase it" if one.proposed_by else ""
        click.echo(f"{one.record}  {one.kind}, {one.group}, due since {moment(one.due_at)}: {one.because}{proposed}")
    click.echo(f"{len(found)} due")


@command.command("review")
@click.argument("record")
@click.option("--keep-until", metavar="DATE", help="Keep it, and look at it again then: 2034-04-01.")
@click.option("--erase", is_flag=True, help="Propose that another officer erase it.")
@click.option("--early", metavar="REASON", help="With --erase: the order or request for which it goes before its time.")
@click.option("--why", required=True, help="The reason; it stays in the log.")
@folder_option
def review(  # noqa: PLR0917  one parameter per option
    record: str, keep_until: str | None, erase: bool, early: str | None, why: str, folder: Path
) -> None:
    """Say of RECORD that it is kept, or propose its erasure."""
    if erase == (keep_until is not None):
        raise UsageError("give either --keep-until with a date, or --erase")
    if early is not None and not erase:
        raise UsageError("--early goes with --erase: it says why a record goes before its time")
    body: dict[str, object] = {"outcome": "erase", "why": why}
    if early is not None:
        body["early"] = early
    if keep_until is not None:
        body = {"outcome": "keep", "why": why, "until": _moment(keep_until)}
    with open_remote(folder) as remote:
        remote.post(f"/v1/records/{record_named(record)}/reviews", body, Done)
    click.echo("Another officer can erase it now" if erase else f"It is kept until {keep_until}")


@command.command("erase")
@click.argument("record")
@click.option("--why", required=True, help="Under which rule; it is what stays of the record.")
@folder_option
def erase_command(record: str, why: str, folder: Path) -> None:
    """Carry out the erasure of RECORD, which another officer has proposed. Nothing brings it back."""
    with open_remote(folder) as remote:
        remote.post(f"/v1/records/{record_named(record)}/erasure", {"why": why}, Done)
    click.echo("It is erased, here at once and on every device at its next contact")


def _moment(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--keep-until {text!r}: give a date as in 2034-04-01") from None
    # A date without a zone is UTC, like every time that is told.
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000)
