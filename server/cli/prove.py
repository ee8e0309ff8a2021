"""`beatbook prove`: fetch a file that proves one entry of the log, for whoever has neither server nor database."""

import re
from pathlib import Path
from typing import Final

import click

from schemas.errors import UsageError
from schemas.ids import OP_PATTERN, is_record_id
from server.cli.newfile import new_file
from server.cli.remote import folder_option, open_remote
from server.http.consulting import recipient_headers
from server.http.proofs import ProofBody

_ENTRY: Final = re.compile("[0-9]{1,15}")


@click.command("prove")
@click.argument("target")
@click.option("--to", "recipients", multiple=True, help="To whom the proof is given outside. Repeat it for more.")
@click.option("--why", required=True, help="What for. It is kept.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="New file to write: *.tlog-proof."
)
@folder_option
def command(target: str, recipients: tuple[str, ...], why: str, out: Path, folder: Path) -> None:
    """Prove that TARGET is in the log: a record's id, an op as in hh-01/7, or the number of an entry of the log.

    A record or an op is for whoever may give the record out, an entry for auditors, who find its number with
    `beatbook audit search`. The file (C2SP tlog-proof) holds the entry, which names hashes and no content, its proof,
    and the log's head; `beatbook verify FILE` checks it with no server. Say with --to where it goes outside: that is a
    disclosure, and in the log before the file is written.
    """
    path = _path_of(target)
    if recipients and path.startswith("/v1/log/"):
        raise UsageError("--to is for a record or an op: an entry of the log is proven for the auditor who asks")
    with new_file(out) as file, open_remote(folder, why) as remote:
        told = remote.get(path, ProofBody, headers=recipient_headers(recipients))
        file.write(told.proof)
    click.echo(f"{out}: {told.words} is entry {told.entry}; the log's key is {told.log}")


def _path_of(target: str) -> str:
    """The route that proves it.

    Raises:
        UsageError: it is nothing that can be proven.
    """
    if is_record_id(target):
        return f"/v1/records/{target}/proof"
    if re.match(OP_PATTERN, target) is not None:
        return f"/v1/ops/{target}/proof"
    if _ENTRY.fullmatch(target) is not None:
        return f"/v1/log/entries/{int(target)}/proof"
    raise UsageError(f"{target!r} is no record id, no op as in hh-01/7 and no number of an entry of the log")
