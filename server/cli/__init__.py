"""The `beatbook` command: one module per subcommand, loaded when it is called."""

from importlib import import_module
from typing import Final

import click

from schemas.errors import BeatbookError

COMMANDS: Final = {
    "serve": "server.cli.serve",
    "enrol": "server.cli.enrol",
    "import": "server.cli.importing",
    "handset": "server.cli.handset",
    "explain": "server.cli.explain",
    "inbox": "server.cli.inbox",
    "witness": "server.cli.witness",
    "demo": "server.cli.demo",
}
"""Subcommand -> the module whose `command` it is."""


class _LazyGroup(click.Group):
    """Loads a subcommand's module only when it is asked for: a handset does not wait for the server's imports."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[name]).command
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
