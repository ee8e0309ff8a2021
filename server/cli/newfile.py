"""A file that holds what others must not read: the owner's alone, and never written over one that is there."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from schemas.errors import StoreError


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file to write, made at once: what is about to be put into the log must then find its place.

    It is gone again where something goes wrong inside.

    Raises:
        StoreError: it cannot be made, because one is there for instance, or it cannot be written.
    """
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise StoreError(f"{path}: cannot be made ({error.strerror}); name another file") from None
    try:
        with file:
            yield file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written ({error.strerror}); see to the disk, and begin again") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
