"""`beatbook events`: how webhooks stand, and what becomes of events that a subscriber did not take."""

import json
from pathlib import Path

import click

from schemas.errors import UsageError
from schemas.kinds import KINDS
from server.cli.forms import record_named
from server.cli.remote import folder_option, open_remote
from server.events.telling import data_schema
from server.http.events import LetterList, Touched, WebhookList
from server.http.identities import Done
from sync.explain.values import moment


@click.group("events")
def command() -> None:
    """Events that leave as CloudEvents: how each webhook stands, its dead letters, and the schema of what is told."""


@command.command("list")
@folder_option
def list_command(folder: Path) -> None:
    """List the webhooks: what waits, what failed, what is off."""
    with open_remote(folder) as remote:
        webhooks = remote.get("/v1/events", WebhookList).webhooks
    for one in webhooks:
        state = f"off since {moment(one.off_at)}: {one.off}" if one.off_at is not None else one.trouble or "goes well"
        click.echo(f"{one.name} ({one.host})  {one.waiting} waiting, {one.dead_letters} dead letters; {state}")
    click.echo(f"{len(webhooks)} webhooks")


@command.command("letters")
@click.argument("webhook")
@click.option("--all", "every", is_flag=True, help="Also those that are still tried again.")
@folder_option
def letters_command(webhook: str, every: bool, folder: Path) -> None:
    """List the records of which WEBHOOK's subscriber did not take an event; at most 500."""
    query = {"limit": "500", "which": "all" if every else "dead"}
    with open_remote(folder) as remote:
        letters = remote.get(f"/v1/events/{_named(webhook)}/letters", LetterList, query).letters
    for one in letters:
        when = f"next try {moment(one.due_at)}" if one.due_at is not None else f"given up {moment(one.dead_at or 0)}"
        click.echo(f"{one.record}  {one.events} waiting, {one.tries} tries, {when}: {one.why}")
    click.echo(f"{len(letters)} records")


@command.command("retry")
@click.argument("webhook")
@click.argument("record", required=False)
@click.option("--why", required=True, help="The reason; it stays in the log.")
@folder_option
def retry_command(webhook: str, record: str | None, why: str, folder: Path) -> None:
    """Have the dead letter of RECORD tried again, or every one of WEBHOOK's."""
    body = {"why": why, "record": None if record is None else record_named(record)}
    with open_remote(folder) as remote:
        count = remote.post(f"/v1/events/{_named(webhook)}/retries", body, Touched).count
    click.echo(f"{count} records are tried again")


@command.command("drop")
@click.argument("webhook")
@click.argument("record")
@click.option("--every", is_flag=True, help="Every event of the record that waits, not the first alone.")
@click.option("--why", required=True, help="The reason; it stays in the log.")
@folder_option
def drop_command(webhook: str, record: str, every: bool, why: str, folder: Path) -> None:
    """Give up the dead letter of RECORD; what is behind it goes on."""
    body = {"record": record_named(record), "every": every, "why": why}
    with open_remote(folder) as remote:
        count = remote.post(f"/v1/events/{_named(webhook)}/drops", body, Touched).count
    click.echo(f"{count} events are given up")


@command.command("turn-on")
@click.argument("webhook")
@click.option("--why", required=True, help="The reason; it stays in the log.")
@folder_option
def turn_on_command(webhook: str, why: str, folder: Path) -> None:
    """Send WEBHOOK events again, whose subscriber had answered 410."""
    with open_remote(folder) as remote:
        remote.post(f"/v1/events/{_named(webhook)}/turning-on", {"why": why}, Done)
    click.echo("It goes on where it was")


@command.command("schema")
@click.argument("kind")
def schema_command(kind: str) -> None:
    """Print the JSON Schema of what an event of KIND tells."""
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r}; there are {', '.join(sorted(KINDS))}")
    click.echo(json.dumps(data_schema(KINDS[kind]), indent=2, ensure_ascii=False))


def _named(webhook: str) -> str:
    # It stands in a path.
    if not webhook.replace("-", "").isalnum() or not webhook.isascii():
        raise UsageError(f"{webhook!r} is no name of a webhook: lower-case letters, digits and hyphens")
    return webhook
