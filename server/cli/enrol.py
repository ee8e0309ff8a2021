"""`beatbook enrol`: enrol a device and write the identity that its handset opens with."""

import re
from pathlib import Path

import click

from schemas.errors import UsageError
from schemas.ids import DEVICE_PATTERN, OFFICER_PATTERN, DeviceId, ScopeName
from schemas.scopes import grant_problem
from server.identity import Directory
from server.serving import DEVICES
from sync.device.keys import DeviceIdentity


def _device(_ctx: click.Context, _parameter: click.Parameter, value: str) -> DeviceId:
    if re.match(DEVICE_PATTERN, value) is None:
        raise click.BadParameter(f"{value!r} is no device id: 2 to 40 of a-z, 0-9 and -, as in hh-01")
    return DeviceId(value)


def _officer(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    if re.match(OFFICER_PATTERN, value) is None:
        raise click.BadParameter(f"{value!r} is no collar number: up to 40 of A-Z, a-z, 0-9, . and -, as in WM21877")
    return value


def _audiences(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for audience in value:
        wrong = grant_problem(audience)
        if wrong is not None:
            raise click.BadParameter(
                f"{wrong}. Give area:NAME, suite:NAME, team:NAME, force or custody; or one of these with :inbox behind "
                "it, as in suite:NAME:inbox, for the right to decide there"
            )
    return value


@click.command("enrol")
@click.argument("device", callback=_device)
@click.option("--officer", required=True, callback=_officer, help="Collar number of whoever it is issued to.")
@click.option(
    "--scope", "audiences", multiple=True, required=True,
    callback=_audiences,
    help="What it may see: area:NAME, suite:NAME, team:NAME, force, or custody (the cells of all suites); with :inbox "
    "behind one of these, as in suite:NAME:inbox, the right to decide there. Repeat it for more.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("beatbook-data"), show_default=True,
    help="The server's data folder.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="Folder of the handset; its identity is written there.",
)  # fmt: skip
@click.option("--renew", is_flag=True, help="Give an enrolled device a new key; its old handset is locked out.")
def command(  # noqa: PLR0917  one parameter per option
    device: DeviceId, officer: str, audiences: tuple[str, ...], data: Path, out: Path, renew: bool
) -> None:
    """Enrol DEVICE: make its key pair, tell the server the public half, give the handset the other."""
    if not data.is_dir():
        raise UsageError(f"{data} is no data folder: start `beatbook serve --data {data}` once, or name the right one")
    directory = Directory(data / DEVICES)
    if directory.find(device) is not None and not renew:
        raise UsageError(
            f"device {device} is enrolled already; --renew gives it a new key and locks the old handset out"
        )
    identity = DeviceIdentity.generate(device)
    path = out / "identity.json"
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made ({error.strerror}); name another folder with --out") from None
    # The handset's half first: a server that trusts a key which nobody holds locks the device out.
    identity.save(path)
    try:
        directory.enrol(device, officer, identity.public_key, [ScopeName(audience) for audience in audiences])
    except BaseException:
        path.unlink()
        raise
    click.echo(f"Device {device} is enrolled for {', '.join(sorted(audiences))}; its identity is in {path}")
