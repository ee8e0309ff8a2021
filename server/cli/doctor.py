"""`beatbook doctor`: what is wrong with a machine, a configuration or a data folder, and what to do about it."""

import os
from pathlib import Path
from typing import Final

import click
import msgspec

from schemas.errors import UsageError
from server.backup.taking import wall_clock
from server.configuration import Configuration, read_configuration
from server.doctor.examining import Line, Report, examine
from server.doctor.report import Level, Subject

_WIDTH: Final = 15


@click.command("doctor")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Configuration file of the server (TOML).",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False),
    help="Data folder; it stands over the file's.  [default: beatbook-data]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(config: Path | None, data: Path | None, as_json: bool) -> None:
    """Look whether Beatbook can run here, and whether what runs is well. It changes nothing; a server may be at work.

    Ends with 0 when nothing is wrong, with 1 when something is; a warning is told and is no trouble.
    """
    report = examine(subject_of(config, data))
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        for line in report.lines:
            click.echo(_told(line))
        click.echo(_verdict(report))
    if not report.well:
        raise click.exceptions.Exit(1)


def subject_of(config: Path | None, data: Path | None) -> Subject:
    """What is examined; a configuration that cannot be used is told as trouble, and the defaults stand in for it."""
    now = wall_clock()
    try:
        return Subject(read_configuration(config, os.environ, data=data), now, file=config)
    except UsageError as error:
        stand_in = Configuration() if data is None else Configuration(data=data)
        return Subject(stand_in, now, configured=str(error), file=config)


def _told(line: Line) -> str:
    level = line.level.value.upper() if line.level is Level.TROUBLE else line.level.value
    advice = f"\n{'':8}  {'':{_WIDTH}}  -> {line.advice}" if line.advice else ""
    return f"{level:8}  {line.check:{_WIDTH}}  {line.words}{advice}"


def _verdict(report: Report) -> str:
    troubles = sum(line.level is Level.TROUBLE for line in report.lines)
    warnings = sum(line.level is Level.WARNING for line in report.lines)
    return f"{troubles} troubles, {warnings} warnings"
