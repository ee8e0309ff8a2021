"""`beatbook export`: what is given out to be published, and what those who scrutinise it make of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import click
import msgspec

from server.cli.newfile import new_file
from server.cli.remote import Remote, folder_option, open_remote, why_option
from server.exporting import force, force_scrutiny, scrutiny, searches, tables
from server.exporting.cells import checked_month
from server.http.exports import IncidentMap, PublishedRows
from server.http.operations import LIST_MAX


@click.group("export")
def command() -> None:
    """Give records out in the formats of others."""


_month_option = click.option("--month", required=True, help="Which month, as in 2026-11, by the time in UTC.")
_out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write: CSV."
)


@command.command("stop-search")
@_month_option
@_out_option
@why_option
@folder_option
def stop_search(month: str, out: Path, why: str, folder: Path) -> None:
    """Write the month's stops and searches in the columns of data.police.uk.

    There is no name in it, and no place but one that stands for all around it. What is closed is left out.
    """
    count = _write("/v1/export/stop-search", searches.COLUMNS, month, out, lambda: open_remote(folder, why))
    click.echo(f"{out}: {count} searches")


@command.command("use-of-force")
@_month_option
@_out_option
@why_option
@folder_option
def use_of_force(month: str, out: Path, why: str, folder: Path) -> None:
    """Write the month's uses of force, a row for each officer's report, in the columns that forces publish.

    There is no name in it, no account of what happened, and no place but its area. What is closed is left out.
    """
    count = _write("/v1/export/use-of-force", force.COLUMNS, month, out, lambda: open_remote(folder, why))
    click.echo(f"{out}: {count} reports")


def _write(
    path: str, columns: Sequence[str], month: str, out: Path, opened: Callable[[], AbstractContextManager[Remote]]
) -> int:
    """Write every page of a published table. Returns how many rows there are.

    Args:
        path: of the table on the server.
        columns: what must stand in its first line.
        month: which.
        out: the file to make.
        opened: opens the server, once the month is known to be one and the file is there.
    """
    checked_month(month)
    rows: list[list[str]] = []
    with new_file(out) as file, opened() as server:
        query = {"month": month, "limit": str(LIST_MAX)}
        while True:
            page = server.get(path, PublishedRows, query)
            rows += page.rows
            if page.next is None:
                break
            query["after"] = page.next
        file.write(tables.written(columns, rows))
    return len(rows)


@command.command("geojson")
@click.option("--scope", help="Only incidents in this scope, as in area:birmingham.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write: GeoJSON.")
@why_option
@folder_option
def geojson_command(scope: str | None, out: Path, why: str, folder: Path) -> None:
    """Write the incidents that you may see as GeoJSON, with their exact positions: for work, not for publishing.

    What is closed is left out.
    """
    count = 0
    with new_file(out) as file, open_remote(folder, why) as remote:
        query = {"limit": str(LIST_MAX)} | ({} if scope is None else {"scope": scope})
        file.write(b'{"type":"FeatureCollection","features":[')
        while True:
            page = remote.get("/v1/export/incidents.geojson", IncidentMap, query)
            for feature in page.features:
                file.write((b",\n" if count else b"\n") + msgspec.json.encode(feature))
                count += 1
            if page.next is None:
                break
            query["after"] = page.next
        file.write(b"\n]}\n")
    click.echo(f"{out}: {count} incidents")


@command.command("scrutiny")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--of", "power", type=click.Choice(["stop-search", "use-of-force"]), default="stop-search", show_default=True,
    help="What the files hold.",
)  # fmt: skip
@click.option(
    "--population", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with the columns group and people: how many live there, of Asian, Black, Mixed, Other and White.",
)  # fmt: skip
@click.option("--source", default="", help="Where those numbers come from; it stands in the report.")
@click.option(
    "--ethnicity", type=click.Choice(["self", "officer"]), default="self", show_default=True,
    help="Of searches: whose word counts, that of the person who was searched or the officer's.",
)  # fmt: skip
def scrutiny_command(
    files: tuple[Path, ...], power: str, population: Path | None, source: str, ethnicity: scrutiny.Eyes
) -> None:
    """Report on published FILES, of any force: of stops and searches, or of uses of force.

    Nothing but the files is read, so that whoever has them can check the report.
    """
    if (population is None) != (source == ""):
        raise click.UsageError("give --population and --source together: a rate is worth what its numbers are")
    people: dict[str, int] = {}
    if population is not None:
        people = scrutiny.populations(tables.read_file(population, scrutiny.POPULATION_COLUMNS), str(population))
    given = source or "none given, so there are no rates"
    columns = searches.COLUMNS if power == "stop-search" else force.COLUMNS
    rows = [row for file in files for row in tables.read_file(file, columns)]
    if power == "stop-search":
        _tell_searches(rows, people, ethnicity, given)
    else:
        _tell_force(rows, people, given)


def _tell_searches(rows: list[list[str]], people: Mapping[str, int], ethnicity: scrutiny.Eyes, given: str) -> None:
    told = scrutiny.report(rows, people, ethnicity)
    click.echo(f"{told.total} searches, {told.persons} of people; ethnicity as the {_WHOSE[ethnicity]} said")
    click.echo(f"Numbers of people: {given}\n")
    click.echo(_LINE.format("", "searches", "further", "linked", "clothing", "people", "per 1,000", "times"))
    for line in told.groups:
        counts = (line.searches, line.further, line.linked, line.more_clothing)
        click.echo(_LINE.format(line.group, *counts, *_rates(line)))
    _tell_all(
        {
            "Age range": told.ages,
            "Outcome": told.outcomes,
            "Legislation": told.powers,
            "Object of search": told.objects,
        }
    )


def _tell_force(rows: list[list[str]], people: Mapping[str, int], given: str) -> None:
    told = force_scrutiny.report(rows, people)
    click.echo(f"{told.total} reports, one for each officer; ethnicity as the officer saw it")
    click.echo(f"Numbers of people: {given}\n")
    click.echo(_LINE.format("", "reports", "taser", "fired", "injured", "people", "per 1,000", "times"))
    for line in told.groups:
        counts = (line.reports, line.taser, line.fired, line.injured)
        click.echo(_LINE.format(line.group, *counts, *_rates(line)))
    _tell_all(
        {
            "Tactic, in how many reports": told.tactics,
            "Tactic, how often it did what it was for": told.effective,
            "Reason for force": told.reasons,
            "Outcome": told.outcomes,
            "Age": told.ages,
        }
    )


_WHOSE = {"self": "person", "officer": "officer"}
_LINE = "{:12}{:>10}{:>10}{:>10}{:>10}{:>12}{:>11}{:>8}"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _rates(line: scrutiny.GroupLine | force_scrutiny.ForceLine) -> tuple[str, str, str]:
    return _shown(line.people, ""), _shown(line.per_thousand, ".2f"), _shown(line.times, ".2f")


def _tell_all(tables_told: Mapping[str, Mapping[str, int]]) -> None:
    click.echo(f"\ntimes: the rate in times of that of the group {scrutiny.REFERENCE}")
    for heading, counted in tables_told.items():
        _tell(heading, counted)


def _tell(heading: str, counted: Mapping[str, int]) -> None:
    click.echo(f"\n{heading}")
    for words, number in counted.items():
        # Of a file of others: nothing in it reaches the terminal but what can be seen.
        seen = "".join(one for one in words if one.isprintable())
        click.echo(f"{number:>8}  {seen or 'not recorded'}")
