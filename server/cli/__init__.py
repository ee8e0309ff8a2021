"""The `beatbook` command: its subcommands in modules of their own, each loaded when it is called."""

from importlib import import_module
from typing import Final

import click

from schemas.errors import BeatbookError

COMMANDS: Final = {
    "serve": "server.cli.serve:command",
    "setup": "server.cli.joining:setup",
    "enrol": "server.cli.joining:enrol",
    "sign-in": "server.cli.joining:sign_in_command",
    "sign-out": "server.cli.joining:sign_out",
    "passphrase": "server.cli.joining:passphrase_command",
    "who": "server.cli.joining:who",
    "code": "server.cli.administration:code",
    "device": "server.cli.administration:device",
    "revoke": "server.cli.administration:revoke",
    "wipe": "server.cli.administration:wipe",
    "officer": "server.cli.administration:officer",
    "unit": "server.cli.administration:unit",
    "grant": "server.cli.administration:grant",
    "organisation": "server.cli.organisation:command",
    "seat": "server.cli.seats:seat",
    "why": "server.cli.oversight:why",
    "quarantine": "server.cli.oversight:quarantine",
    "retention": "server.cli.retention:command",
    "events": "server.cli.events:command",
    "keys": "server.cli.keys:command",
    "backup": "server.cli.backup:command",
    "restore": "server.cli.restore:command",
    "doctor": "server.cli.doctor:command",
    "import": "server.cli.importing:command",
    "export": "server.cli.exporting:command",
    "quality": "server.cli.quality:command",
    "handset": "server.cli.handset:command",
    "explain": "server.cli.explain:command",
    "inbox": "server.cli.inbox:command",
    "verify": "server.cli.verify:command",
    "disclose": "server.cli.disclose:command",
    "prove": "server.cli.prove:command",
    "audit": "server.cli.audit:command",
    "witness": "server.cli.witness:command",
    "demo": "server.cli.demo:command",
}
"""Subcommand -> its module and the name of the command there."""


class _LazyGroup(click.Group):
    """Loads a subcommand's module only when it is asked for: a handset does not wait for the server's imports."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Turn our errors into one line and exit code 1; a defect keeps its traceback."""
        try:
            return super().invoke(ctx)
        except BeatbookError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="beatbook")
def main() -> None:
    """Beatbook: incidents, briefings and custody bookings that go on working with no signal."""
