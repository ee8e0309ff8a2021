"""`beatbook disclose`: give a record out with what proves it."""

from pathlib import Path

import click

from server.cli.forms import record_named
from server.cli.newfile import new_file
from server.cli.remote import folder_option, open_remote
from server.http.evidence import DisclosureDone, NewDisclosure


@click.command("disclose")
@click.argument("record")
@click.option("--to", "recipients", multiple=True, required=True, help="To whom it is given. Repeat it for more.")
@click.option("--why", required=True, help="What for.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write: a zip.")
@folder_option
def command(record: str, recipients: tuple[str, ...], why: str, out: Path, folder: Path) -> None:
    """Write all that is kept about RECORD into a file that proves itself.

    People read index.html in it. Anybody checks it with `beatbook verify FILE --log VKEY`, with neither server nor
    database. To whom it was given and why is in the log before the file is written.
    """
    named = record_named(record)
    with new_file(out) as file, open_remote(folder) as remote:
        body = NewDisclosure(recipients=recipients, why=why)
        done = remote.post(f"/v1/records/{named}/disclosures", body, DisclosureDone)
        file.write(done.export)
    click.echo(f"{out}: {len(done.export)} bytes, SHA-256 {done.sha256}")
