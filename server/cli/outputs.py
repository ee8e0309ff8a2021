"""Files that a command will write at its end: tried before it begins, so that a run is not lost to a wrong path."""

from pathlib import Path

import click


def writable(_ctx: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """The path, once it has been opened for writing; what stands there already is left as it is.

    Raises:
        click.BadParameter: it cannot be written.
    """
    if path is None:
        return None
    was_there = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}") from None
    if not was_there:
        path.unlink()
    return path
