"""`beatbook explain`: why the values of a record stand, in plain words."""

from pathlib import Path

import click

from server.cli.forms import record_named
from server.cli.remote import folder_option, open_remote, why_option
from server.http.accounts import Explanation


@click.command("explain")
@click.argument("record")
@click.argument("field", required=False)
@why_option
@folder_option
def command(record: str, field: str | None, why: str, folder: Path) -> None:
    """Tell why the values of RECORD stand, or only why that of FIELD does.

    Who said it, on which device, when it happened and when it was recorded; the rule; what it replaced and who had
    seen that; what differed; and what people were asked and decided.
    """
    named = record_named(record)
    query = None if field is None else {"field": field}
    with open_remote(folder, why) as remote:
        told = remote.get(f"/v1/records/{named}/explanation", Explanation, query)
    click.echo(f"{told.kind} {told.record}")
    for one in told.fields:
        click.echo()
        for line in one.words:
            click.echo(line)
