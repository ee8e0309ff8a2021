"""`beatbook import`: records from files of other systems."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN, OfficerId, RecordId
from server.cli.outputs import writable
from server.cli.remote import folder_option
from server.importing import cap, eido, street
from server.importing.areas import Areas
from server.importing.target import open_target
from server.office import Draft

AUTHOR: Final = OfficerId("import")
CHUNK: Final = 500
SHOWN_MAX: Final = 20
"""Unusable rows that are told one by one; `--report` writes all of them."""


_data_option = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"), show_default=True,
    help="The server's data folder; the server may be running.",
)  # fmt: skip


@click.group("import")
def command() -> None:
    """Import records from files of other systems."""


@command.command("street")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_data_option
@click.option(
    "--areas", "areas_file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with the columns lsoa11cd and lpa, for a force whose areas do not follow the districts.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), callback=writable,
    help="Write every row that could not be used, with line and reason, to this file.",
)  # fmt: skip
@folder_option
def street_command(file: Path, data: Path, areas_file: Path | None, report: Path | None, folder: Path) -> None:
    """Import FILE, a street-level crime file of data.police.uk, as incidents. Importing it again changes nothing."""
    areas = Areas.of_west_midlands() if areas_file is None else Areas.from_table(areas_file)
    console = Console(stderr=True)
    counts, unusable = asyncio.run(load(file, data, folder, areas, console))
    for one in unusable[:SHOWN_MAX]:
        console.print(f"line {one.line}: {one.reason}", highlight=False, soft_wrap=True)
    if len(unusable) > SHOWN_MAX:
        console.print(f"… and {len(unusable) - SHOWN_MAX} more; --report FILE writes all of them")
    if report is not None:
        report.write_text("".join(f"{one.line}\t{one.reason}\n" for one in unusable))
    click.echo(
        f"{sum(counts.values()) + len(unusable)} rows: {counts['created']} incidents created, "
        f"{counts['changed']} changed, {counts['same']} already there, {len(unusable)} rows not usable"
    )


@command.command("cap")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_data_option
@folder_option
def cap_command(files: tuple[Path, ...], data: Path, folder: Path) -> None:
    """Import FILES, each an OASIS CAP 1.2 alert, as briefings. Importing one again changes nothing.

    An alert that is not sound is refused, and the others are imported.
    """

    def read(file: Path) -> list[Draft]:
        found = cap.read(file)
        if isinstance(found, Draft):
            return [found]
        click.echo(f"{file}: makes no briefing: {found.reason}", err=True)
        return []

    _import_files(files, read, data, folder, ("alerts", "briefings"))


@command.command("eido")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--area", help="Area of an incident whose place names none, as in birmingham.")
@_data_option
@folder_option
def eido_command(files: tuple[Path, ...], area: str | None, data: Path, folder: Path) -> None:
    """Import FILES, each a NENA EIDO or a notification with some, as incidents. Importing one again changes nothing.

    A message that is not sound is refused, and the others are imported.
    """
    if area is not None and re.match(SLUG_PATTERN, area) is None:
        raise UsageError(f"--area: {area!r} is no area; write it as in birmingham")
    _import_files(files, lambda file: eido.read(file, area), data, folder, ("messages", "incidents"))


def _import_files(
    files: Sequence[Path], read: Callable[[Path], list[Draft]], data: Path, folder: Path, words: tuple[str, str]
) -> None:
    """Bring what can be read in the files; what cannot is told, and ends the command with 1.

    Args:
        files: which.
        read: what makes drafts of one.
        data, folder: as for `open_target`.
        words: what the files and the records are called.
    """
    drafts: dict[RecordId, Draft] = {}
    refused = 0
    for file in files:
        try:
            # The same thing in two files is one record, which no call may bring twice.
            drafts |= {draft.record: draft for draft in read(file)}
        except UsageError as error:
            click.echo(str(error), err=True)
            refused += 1
    counts = asyncio.run(_bring(list(drafts.values()), data, folder)) if drafts else Counter()
    click.echo(
        f"{len(files)} {words[0]}: {counts['created']} {words[1]} created, {counts['changed']} changed, "
        f"{counts['same']} already there, {refused} refused"
    )
    if refused:
        raise SystemExit(1)


async def _bring(drafts: list[Draft], data: Path, folder: Path) -> Counter[str]:
    async with open_target(data, folder) as target:
        return Counter(made.outcome for made in await target.bring(drafts, AUTHOR))


async def load(
    file: Path, data: Path, folder: Path, areas: Areas, console: Console
) -> tuple[Counter[str], list[street.Unusable]]:
    """Import a street file: how many drafts were created, changed, the same; and the rows that could not be used."""
    found = list(street.rows(file, areas))
    drafts = (one for one in found if isinstance(one, Draft))
    unusable = [one for one in found if isinstance(one, street.Unusable)]
    counts: Counter[str] = Counter()
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("import", total=len(found) - len(unusable))
        async with open_target(data, folder) as target:
            while chunk := list(islice(drafts, CHUNK)):
                counts.update(made.outcome for made in await target.bring(chunk, AUTHOR))
                progress.advance(task, len(chunk))
    return counts, unusable
