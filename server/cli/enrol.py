"""`beatbook enrol`: enrol a device and write the identity that its handset opens with."""

from pathlib import Path

import click

from schemas.ids import DeviceId, ScopeName
from server.identity import Directory
from server.serving import DEVICES
from sync.device.keys import DeviceIdentity


@click.command("enrol")
@click.argument("device")
@click.option("--officer", required=True, help="Collar number of whoever it is issued to.")
@click.option(
    "--scope", "audiences", multiple=True, required=True,
    help="What it may see: area:NAME, suite:NAME, team:NAME or force. Repeat it for more.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"), show_default=True,
    help="The server's data folder.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="Folder of the handset; its identity is written there.",
)  # fmt: skip
def command(device: str, officer: str, audiences: tuple[str, ...], data: Path, out: Path) -> None:
    """Enrol DEVICE: make its key pair, tell the server the public half, give the handset the other."""
    identity = DeviceIdentity.generate(DeviceId(device))
    Directory(data / DEVICES).enrol(
        DeviceId(device), officer, identity.public_key, [ScopeName(audience) for audience in audiences]
    )
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = out / "identity.json"
    identity.save(path)
    click.echo(f"Device {device} is enrolled for {', '.join(sorted(audiences))}; its identity is in {path}")
