"""`beatbook backup`: a data folder into one encrypted file, while its server runs; and keys that open it."""

import os
from pathlib import Path

import click

from schemas.errors import UsageError
from server.backup import configured, target
from server.backup.keys import BackupKey, Recipient
from server.backup.taking import Readers, take, take_erasures
from server.cli.newfile import new_file
from server.secret_files import read_secret
from sync.explain.values import moment

_FILE = click.Path(path_type=Path, dir_okay=False)
_data = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"), show_default=True,
    help="Data folder. Its server may be running.",
)  # fmt: skip
_recipients = click.option(
    "--recipient", "recipients", multiple=True, metavar="BBK1-…",
    help="Whose key opens the backup, as `beatbook backup keygen` printed it. Repeat it for more.",
)  # fmt: skip
_passphrase = click.option("--passphrase-file", type=_FILE, help="File with a passphrase that opens the backup.")


@click.group("backup", invoke_without_command=True)
@_data
@click.option(
    "--to", metavar="PATH",
    help="The file, or a folder in which the backup gets a name by its time; - is standard output.",
)  # fmt: skip
@_recipients
@_passphrase
@click.option(
    "--keep", type=click.IntRange(1, target.KEEP_MAX),
    help="Of the backups in the folder, remove all but so many of the newest, once this one is there.",
)  # fmt: skip
@click.option(
    "--with-config", type=_FILE,
    help="The server's configuration (TOML): it and every file that it names are taken along.",
)  # fmt: skip
@click.option(
    "--with", "others", type=_FILE, multiple=True, help="A file to take along, as of the proxy. Repeat it for more."
)
@click.pass_context
def command(  # noqa: PLR0917  one parameter per option
    ctx: click.Context,
    data: Path,
    to: str | None,
    recipients: tuple[str, ...],
    passphrase_file: Path | None,
    keep: int | None,
    with_config: Path | None,
    others: tuple[Path, ...],
) -> None:
    """Back up a data folder, keys and all, into one encrypted file, whether its server runs or not."""
    if ctx.invoked_subcommand is not None:
        return
    if to is None:
        raise UsageError("say where the backup goes: --to with a file, a folder, or - for standard output")
    path = None if to == target.STDOUT else Path(to)
    if keep is not None and (path is None or not path.is_dir()):
        raise UsageError(f"--keep goes with a folder of backups, and --to {to} is none")
    told = () if with_config is None else configured.named_in(with_config, os.environ)
    taken = take(data, path, _readers(recipients, passphrase_file), configuration=(*told, *others))
    click.echo(
        f"{to}: {taken.bytes:,} bytes; everything up to commit {taken.seq}, {taken.leaves} entries of the log, of "
        f"{moment(taken.at)}",
        err=path is None,
    )
    if keep is not None and path is not None:
        for old in target.pruned(path, keep):
            click.echo(f"{old}: removed")


@command.command("keygen")
@click.option("--to", type=_FILE, required=True, help="Where the private half goes. Keep it away from the server.")
def keygen(to: Path) -> None:
    """Make a key pair: the file opens backups, what is printed goes to the server as --recipient."""
    key = BackupKey.make()
    with new_file(to) as file:
        file.write(key.text().encode())
    click.echo(f"{key.recipient}")
    click.echo(
        f"{to} opens every backup that is made for it. Without it they open for nobody: keep two copies.", err=True
    )


@command.command("erasures")
@_data
@click.option("--to", required=True, metavar="PATH", help="The file; - is standard output.")
@_recipients
@_passphrase
def erasures(data: Path, to: str, recipients: tuple[str, ...], passphrase_file: Path | None) -> None:
    """Write down what was erased, for restores of older backups: small, and worth doing every few minutes."""
    path = None if to == target.STDOUT else Path(to)
    count = take_erasures(data, path, _readers(recipients, passphrase_file))
    click.echo(f"{to}: {count} erasures", err=path is None)


def _readers(recipients: tuple[str, ...], passphrase_file: Path | None) -> Readers:
    passphrase = None if passphrase_file is None else read_secret(passphrase_file)
    if not recipients and passphrase is None:
        raise UsageError(
            "say who can open the backup: --recipient, from `beatbook backup keygen`, or --passphrase-file"
        )
    return Readers(tuple(map(Recipient.parse, recipients)), passphrase)
