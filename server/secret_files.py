"""Secrets come from files that only their owner can read, or from the environment; never from the configuration.

A `Secret` does not show what it holds: not in a representation, not in a log line, not in an error.
"""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import StoreError, UsageError

SECRET_BYTES_MAX: Final = 64 * 1_024
"""What a secret's file may hold; the longest is a private key."""


class Secret:
    """A text that is not shown by accident."""

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str) -> None:
        """Keep it.

        Args:
            text: the secret.
            source: where it came from: a file's path, or a variable's name.
        """
        self._text = text
        self.source = source

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret(from {self.source})"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        # It would be in clear wherever the pickle goes.
        raise TypeError("a secret is not pickled")


def check_private(path: Path) -> None:
    """Refuse a file that others than its owner can read or change.

    Raises:
        StoreError: they can, it belongs to another user, or it is no file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: is no file; name the file that holds the secret")
    if sys.platform == "win32":
        return
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise StoreError(f"{path}: other users may read or change it; close it with: chmod 600 {path}")
    if status.st_uid not in {os.geteuid(), 0}:
        raise StoreError(f"{path}: belongs to another user; give it to the one that runs the server")


def read_secret(path: Path) -> Secret:
    """The secret in a file, without the line's end.

    Raises:
        StoreError: the file is not private, cannot be read, is empty, too long, or holds no text.
    """
    check_private(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise StoreError(f"{path}: holds no text; write the secret there as one line") from None
    if not text or len(data) > SECRET_BYTES_MAX:
        raise StoreError(f"{path}: is {'empty' if not text else 'too long'}; write the secret there as one line")
    return Secret(text, str(path))


def find_secret(name: str, path: Path | None, environment: Mapping[str, str]) -> Secret | None:
    """A secret by its name, from the first of: the variable NAME_FILE, the variable NAME, the configured file.

    Args:
        name: the variable's name, as in `BEATBOOK_OIDC_CLIENT_SECRET`.
        path: the file that the configuration names, or None.
        environment: the process's variables.

    Raises:
        UsageError: both variables are set: which one is meant cannot be known.
        StoreError: the file cannot be used.
    """
    file = environment.get(f"{name}_FILE")
    if file and environment.get(name):
        raise UsageError(f"{name} and {name}_FILE are both set: set one of them")
    if file:
        return read_secret(Path(file))
    if text := environment.get(name):
        return Secret(text, name)
    return None if path is None else read_secret(path)
