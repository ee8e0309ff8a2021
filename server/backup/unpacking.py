"""The files of an archive, written into a folder that nobody uses yet."""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from server.store.masters import sync_folder
from server.store.sqlite.trouble import store_errors


class Folder:
    """Takes what comes out of an archive (`server.backup.archive.Unpacked`); each file its owner's alone."""

    def __init__(self, path: Path) -> None:
        """Write into a folder that is there and empty."""
        self._path = path
        self._file: BinaryIO | None = None
        self._name = path

    def begin(self, name: str) -> None:
        """A file begins.

        Raises:
            StoreError: it cannot be made, or the one before not be written to its end.
        """
        self.close()
        self._name = self._path / name
        with store_errors(self._name):
            self._name.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = os.fdopen(os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def piece(self, data: bytes) -> None:
        """More of it; as `begin`."""
        if self._file is not None:
            with store_errors(self._name):
                self._file.write(data)

    def close(self) -> None:
        """What was written is on disk; as `begin`."""
        file, self._file = self._file, None
        if file is None:
            return
        with store_errors(self._name), file:
            file.flush()
            os.fsync(file.fileno())
        with store_errors(self._name):
            sync_folder(self._name.parent)

    def abandon(self) -> None:
        """Let go of a file that is not to be finished."""
        file, self._file = self._file, None
        if file is not None:
            # Closing writes what is left, and there may be no room for it: nobody needs it any more.
            with contextlib.suppress(OSError):
                file.close()
