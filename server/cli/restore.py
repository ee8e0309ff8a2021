"""`beatbook restore`: a data folder out of a backup, which the server then takes for one that was set back."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from schemas.errors import UsageError
from server.backup.erasures import Carried, joined
from server.backup.keys import BackupKey, Opener
from server.backup.restoring import Archive, Restored, erasures_in, restore
from server.backup.stream import Source
from server.backup.target import STDOUT
from server.secret_files import read_secret
from server.store.masters import FILE_NAME, VARIABLE
from sync.explain.values import moment

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_TOLD_MAX: Final = 20


@click.command("restore")
@click.argument("backup", metavar="BACKUP")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="The data folder to make. It is empty or not there.",
)  # fmt: skip
@click.option("--key", type=_FILE, help="The file of `beatbook backup keygen` that opens the backup.")
@click.option("--passphrase-file", type=_FILE, help="Or the file with the passphrase that does.")
@click.option("--verify", is_flag=True, help="Check everything, as `beatbook verify` does, before it takes its place.")
@click.option("--replace", is_flag=True, help="Move a folder that is there aside; it is not removed.")
@click.option(
    "--erasures", type=_FILE, multiple=True,
    help="A younger backup, or list of erasures: what was erased by then is erased again. Repeat it for more.",
)  # fmt: skip
def command(  # noqa: PLR0917  one parameter per option
    backup: str,
    data: Path,
    key: Path | None,
    passphrase_file: Path | None,
    verify: bool,
    replace: bool,
    erasures: tuple[Path, ...],
) -> None:
    """Make a data folder of BACKUP (a file, or - for standard input). Nothing is there before all of it is."""
    opener = _opener(key, passphrase_file)
    with ExitStack() as stack:
        lists = [erasures_in(Archive(stack.enter_context(path.open("rb")), opener, str(path))) for path in erasures]
        source: Source
        if backup == STDOUT:
            source = sys.stdin.buffer
        elif Path(backup).is_file():
            source = stack.enter_context(Path(backup).open("rb"))
        else:
            raise UsageError(f"{backup}: there is no such file; name a backup, or - for standard input")
        done = restore(Archive(source, opener, backup), data, check=verify, replace=replace, erasures=joined(lists))
    for line in _told(data, done, younger=bool(erasures)):
        click.echo(line)


def _opener(key: Path | None, passphrase_file: Path | None) -> Opener:
    if key is not None and passphrase_file is None:
        return BackupKey.read(key)
    if passphrase_file is not None and key is None:
        return read_secret(passphrase_file)
    raise UsageError("say what opens the backup: either --key or --passphrase-file")


def _told(data: Path, done: Restored, *, younger: bool) -> list[str]:
    told = done.description
    lines = [
        f"{data}: as it was on {moment(told.at)}, with everything up to commit {told.seq} at least",
        "The next server on it begins another epoch: devices offer again what came after the backup.",
    ]
    if done.aside is not None:
        lines.append(f"What was there is in {done.aside}; remove it once you are sure.")
    if done.report is not None:
        lines += [f"proven  {words}" for words in done.report.proven]
        lines += [f"note    {words}" for words in done.report.notes]
    lines += _erasures(done.erasures)
    if not younger:
        lines.append(
            "What was erased after this backup is back: give a younger list with --erasures, or erase it again."
        )
    if os.environ.get(VARIABLE):
        lines.append(f"{VARIABLE} is set: move {data / FILE_NAME} to where it points before the server starts.")
    return lines


def _erasures(carried: Carried) -> list[str]:
    lines = [f"erased  {record}, which was erased after the backup" for record in carried.done[:_TOLD_MAX]]
    if len(carried.done) > _TOLD_MAX:
        lines.append(f"erased  and {len(carried.done) - _TOLD_MAX} more")
    if carried.unknown:
        some = ", ".join(carried.unknown[:_TOLD_MAX])
        lines.append(
            f"note    {len(carried.unknown)} records came after the backup and were erased: where a device offers one "
            f"again, have it erased again ({some})"
        )
    return lines
