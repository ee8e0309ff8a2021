"""`beatbook restore`: a data folder out of a backup, which the server then takes for one that was set back."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from schemas.errors import UsageError
from schemas.ids import Millis
from server.backup.configured import FOLDER, PATHS
from server.backup.erasures import Carried
from server.backup.keys import BackupKey, Opener
from server.backup.restoring import Archive, Beside, Restored, beside, description_of, restore
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
    """Make a data folder of BACKUP (a file, or - for standard input). Nothing is there before all of it is.

    What younger backups and lists of erasures beside it tell of erasures is carried out again.
    """
    opener = _opener(key, passphrase_file)
    with ExitStack() as stack:
        lists = [description_of(Archive(stack.enter_context(one.open("rb")), opener, str(one))) for one in erasures]
        found = Beside()
        source: Source
        if backup == STDOUT:
            source = sys.stdin.buffer
        elif Path(backup).is_file():
            found = beside(Path(backup), opener)
            source = stack.enter_context(Path(backup).open("rb"))
        else:
            raise UsageError(f"{backup}: there is no such file; name a backup, or - for standard input")
        lists += found.descriptions
        done = restore(Archive(source, opener, backup), data, check=verify, replace=replace, erasures=lists)
    for line in _told(data, done, max((one.at for one in lists), default=None), found.closed):
        click.echo(line)


def _opener(key: Path | None, passphrase_file: Path | None) -> Opener:
    if key is not None and passphrase_file is None:
        return BackupKey.read(key)
    if passphrase_file is not None and key is None:
        return read_secret(passphrase_file)
    raise UsageError("say what opens the backup: either --key or --passphrase-file")


def _told(data: Path, done: Restored, known_until: Millis | None, closed: tuple[str, ...]) -> list[str]:
    told = done.description
    lines = [
        f"{data}: as it was on {moment(told.at)}, with everything up to commit {told.seq} at least",
        "The next server on it begins another epoch: devices offer again what came after the backup.",
    ]
    if done.aside is not None:
        lines.append(f"What was there is in {done.aside}; remove it once you are sure.")
    if (data / PATHS).exists():
        lines.append(f"What the server was told is in {data / FOLDER}, and over nothing; paths.txt says where it was.")
    if done.report is not None:
        lines += [f"proven  {words}" for words in done.report.proven]
        lines += [f"note    {words}" for words in done.report.notes]
    lines += _erasures(done.erasures)
    until = told.at if known_until is None else max(told.at, known_until)
    lines.append(
        f"What was erased after {moment(until)} is back: give a younger list with --erasures, or erase it again."
    )
    if closed:
        lines.append(f"note    not opened, and so not asked what was erased: {', '.join(closed[:_TOLD_MAX])}")
    if os.environ.get(VARIABLE):
        lines.append(f"{VARIABLE} is set: move {data / FILE_NAME} to where it points before the server starts.")
    return lines


def _erasures(carried: Carried) -> list[str]:
    lines = [f"erased  {record}, which was erased after the backup" for record in carried.done[:_TOLD_MAX]]
    if len(carried.done) > _TOLD_MAX:
        lines.append(f"erased  and {len(carried.done) - _TOLD_MAX} more")
    if carried.ahead:
        lines.append(
            f"erased  {len(carried.ahead)} records that came after the backup: where a device offers one, it is refused"
        )
    return lines
