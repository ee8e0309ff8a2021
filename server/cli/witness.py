"""`beatbook witness`: cosign the checkpoints of logs, so that none of them can show two histories."""

from pathlib import Path

import click

from schemas.errors import UsageError
from server.observing.logs import begin, formatter
from server.witness.serving import HEADS, KEY, Listening, open_folder, run
from sync.evidence.note import VerifierKey


def _log_keys(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    try:
        return tuple(VerifierKey.parse(text) for text in value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from None


@click.command("witness")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-witness"), show_default=True,
    help=f"The witness's folder, with its key ({KEY}) and what it has seen ({HEADS}); it is made when it is not there.",
)  # fmt: skip
@click.option(
    "--name", help="The witness's name, as in witness.hmi.example; needed the first time, fixed from then on."
)
@click.option(
    "--log", "logs", multiple=True, required=True, callback=_log_keys, metavar="VKEY",
    help="Verifier key of a log to watch, NAME+ID+KEY; repeat it for more.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8701, show_default=True, help="Port; 0 takes a free one."
)
def command(data: Path, name: str | None, logs: tuple[VerifierKey, ...], host: str, port: int) -> None:
    """Cosign the checkpoints of logs until told to stop (Ctrl-C or SIGTERM).

    Run it on a machine, and under a person, that the logs' keepers do not command. A checkpoint is cosigned only when
    it is proven to follow from every one before; a log that forks is refused, and both heads are kept.
    """
    begin(formatter("text"), "info")
    folder = open_folder(data, name)

    def ready(listening: Listening) -> None:
        click.echo(f"Witness {listening.key.name} serves {listening.url}")
        click.echo(f"  key: {listening.key}")
        for log in logs:
            click.echo(f"  log: {log.name}")

    run(folder, logs, host, port, ready)
