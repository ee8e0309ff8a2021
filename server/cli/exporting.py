"""`beatbook export`: what is given out to be published, and what those who scrutinise it make of it."""

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from server.cli.newfile import new_file
from server.cli.remote import folder_option, open_remote, why_option
from server.exporting import scrutiny, tables
from server.exporting.searches import COLUMNS, checked_month
from server.http.exports import IncidentMap, SearchRows
from server.http.operations import LIST_MAX


@click.group("export")
def command() -> None:
    """Give records out in the formats of others."""


@command.command("stop-search")
@click.option("--month", required=True, help="Which month, as in 2026-11, by the time in UTC.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write: CSV.")
@why_option
@folder_option
def stop_search(month: str, out: Path, why: str, folder: Path) -> None:
    """Write the month's stops and searches in the columns of data.police.uk.

    There is no name in it, and no place but one that stands for all around it. What is closed is left out.
    """
    checked_month(month)
    rows: list[list[str]] = []
    with new_file(out) as file, open_remote(folder, why) as remote:
        query = {"month": month, "limit": str(LIST_MAX)}
        while True:
            page = remote.get("/v1/export/stop-search", SearchRows, query)
            rows += page.rows
            if page.next is None:
                break
            query["after"] = page.next
        file.write(tables.written(COLUMNS, rows))
    click.echo(f"{out}: {len(rows)} searches")


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
    "--population", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with the columns group and people: how many live there, of Asian, Black, Mixed, Other and White.",
)  # fmt: skip
@click.option("--source", default="", help="Where those numbers come from; it stands in the report.")
@click.option(
    "--ethnicity", type=click.Choice(["self", "officer"]), default="self", show_default=True,
    help="Whose word counts: that of the person who was searched, or the officer's.",
)  # fmt: skip
def scrutiny_command(files: tuple[Path, ...], population: Path | None, source: str, ethnicity: scrutiny.Eyes) -> None:
    """Report on FILES of stops and searches in the columns of data.police.uk, of any force.

    Nothing but the files is read, so that whoever has them can check the report.
    """
    if (population is None) != (source == ""):
        raise click.UsageError("give --population and --source together: a rate is worth what its numbers are")
    people: dict[str, int] = {}
    if population is not None:
        people = scrutiny.populations(tables.read_file(population, scrutiny.POPULATION_COLUMNS), str(population))
    rows = [row for file in files for row in tables.read_file(file, COLUMNS)]
    told = scrutiny.report(rows, people, ethnicity)
    click.echo(f"{told.total} searches, {told.persons} of people; ethnicity as the {_WHOSE[ethnicity]} said")
    click.echo(f"Numbers of people: {source or 'none given, so there are no rates'}\n")
    click.echo(_LINE.format("", "searches", "further", "linked", "clothing", "people", "per 1,000", "times"))
    for line in told.groups:
        counts = (line.searches, line.further, line.linked, line.more_clothing)
        rates = (_shown(line.people, ""), _shown(line.per_thousand, ".2f"), _shown(line.times, ".2f"))
        click.echo(_LINE.format(line.group, *counts, *rates))
    click.echo(f"\ntimes: the rate in times of that of the group {scrutiny.REFERENCE}")
    for heading, counted in (
        ("Age range", told.ages),
        ("Outcome", told.outcomes),
        ("Legislation", told.powers),
        ("Object of search", told.objects),
    ):
        _tell(heading, counted)


_WHOSE = {"self": "person", "officer": "officer"}
_LINE = "{:12}{:>10}{:>10}{:>10}{:>10}{:>12}{:>11}{:>8}"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _tell(heading: str, counted: Mapping[str, int]) -> None:
    click.echo(f"\n{heading}")
    for words, number in counted.items():
        # Of a file of others: nothing in it reaches the terminal but what can be seen.
        seen = "".join(one for one in words if one.isprintable())
        click.echo(f"{number:>8}  {seen or 'not recorded'}")
