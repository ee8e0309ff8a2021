"""`beatbook audit`: who did what with whose data, for an auditor; and the log's signed head, for whoever keeps one."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis
from server.cli.newfile import new_file
from server.cli.remote import Remote, folder_option, open_remote
from server.evidence.section62 import Event, Kind, Page, Query, as_csv, as_json
from server.http.evidence import CheckpointBody, LogSearch
from sync.evidence.note import Note, VerifierKey

_OUT: Final = click.Path(path_type=Path, dir_okay=False)


@click.group("audit")
def command() -> None:
    """Look after the log: search who did what with whose data, and keep its signed head."""


@command.command("search")
@click.option("--why", required=True, help="What you search for, in words. It is kept, with your name.")
@click.option("--officer", help="Only what this officer did.")
@click.option("--record", help="Only what was done to this record.")
@click.option("--since", help="Only from this moment on: 2031-04-01 or 2031-04-01T09:00Z.")
@click.option("--until", help="Only before this moment.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([kind.value for kind in Kind]),
    help="Only this kind of doing. Repeat it for more.",
)  # fmt: skip
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="Form.")
@click.option("--out", type=_OUT, help="New file to write, for you alone to read.  [default: shown]")
@folder_option
def search(  # noqa: PLR0913, PLR0917  click passes one for each option, by name
    why: str,
    officer: str | None,
    record: str | None,
    since: str | None,
    until: str | None,
    kinds: tuple[str, ...],
    form: str,
    out: Path | None,
    folder: Path,
) -> None:
    """Search who collected, altered, consulted, disclosed, combined or erased what (DPA 2018 section 62).

    For auditors. The search is itself in the log before anything is shown. Cells that a spreadsheet would run as a
    formula get an apostrophe before them.
    """
    query = _query(officer=officer, record=record, since=since, until=until, kinds=kinds)
    with contextlib.ExitStack() as stack:
        file = None if out is None else stack.enter_context(new_file(out))
        events = _found(stack.enter_context(open_remote(folder)), why, query)
        text = as_csv(events) if form == "csv" else as_json(events).decode()
        if file is not None:
            file.write(text.encode())
    click.echo(text if out is None else f"{out}: {len(events)} findings", nl=out is not None)


@command.command("checkpoint")
@click.option("--out", type=_OUT, help="New file to write, for you alone to read.  [default: shown]")
@folder_option
def checkpoint(out: Path | None, folder: Path) -> None:
    """Fetch the log's signed head. Keep it where the server's keepers cannot reach it.

    `beatbook verify --checkpoint` finds out with it whether the log was cut, rewritten or restored since.
    """
    with contextlib.ExitStack() as stack:
        file = None if out is None else stack.enter_context(new_file(out))
        told = stack.enter_context(open_remote(folder)).get("/v1/log/checkpoint", CheckpointBody)
        if file is not None:
            file.write(told.checkpoint.encode())
    if out is None:
        click.echo(told.checkpoint, nl=False)
    else:
        click.echo(f"{out}: {told.size} entries; {cosigners(told)}; the log's key is {told.log}")


def cosigners(told: CheckpointBody) -> str:
    """Which witnesses have signed a head beside its log, in words; whether rightly is for `beatbook verify`."""
    log = VerifierKey.parse(told.log).name
    names = sorted({one.name for one in Note.parse(told.checkpoint.encode()).signatures} - {log})
    return f"cosigned by {', '.join(names)}" if names else "no witness has cosigned it"


def _query(**asked: object) -> Query:
    for name in ("since", "until"):
        asked[name] = _moment(name, asked[name])
    given = {name: value for name, value in asked.items() if value is not None}
    try:
        return msgspec.convert(given, Query)
    except msgspec.ValidationError as error:
        raise UsageError(f"this cannot be searched for: {error}") from None


def _moment(name: str, text: object) -> Millis | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise UsageError(f"--{name} {text!r}: give a moment as in 2031-04-01 or 2031-04-01T09:00Z") from None
    # A moment without a zone is UTC, like every time that is told.
    return Millis(round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000))


def _found(remote: Remote, why: str, query: Query) -> list[Event]:
    events: list[Event] = []
    after: str | None = ""
    while after is not None:
        page = remote.post("/v1/log/searches", LogSearch(why=why, query=query, after=after), Page)
        events += page.events
        after = page.next
    return events
