"""Finding out that the server was set back, so that it gives no number of its lost history to something else.

A server that runs on a backup does not know what it gave out after it: the number on an officer's paper would name two
incidents. So from the restore on, the numbers of that day bear its time (`server.numbering`), and nothing that the lost
history can have given out has that form. It is told in two ways:

- **by the folder.** A file of the data folder that is never written again has a time of change that no copy has: it is
  that of the copying, and nobody can set it. What it was is kept beside it (`server.store.sqlite.folder`); a folder
  that was unpacked, copied or moved to another disk says something else. Its store begins another epoch when it is
  opened, so that devices offer again what was lost. A folder that was only moved gets both in vain, which harms nobody;
- **by a device** that has seen more commits than there are: a disk that was set back as a whole keeps its times. Then
  the numbers that were given between the restore and that device's first word can stand twice.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import StoreError
from schemas.ids import Epoch, FieldName, Millis, ScopeName
from schemas.wire import Position
from server import numbering
from server.falling_due import AUTHOR
from server.rule_writer import RuleWriter
from server.store import Store
from server.store.sqlite.folder import PLACE, place_of
from sync.merge import RecordState
from sync.session.steps import Grant

_log = logging.getLogger(__name__)


class Restores:
    """Looks for a restore, and has it remembered before another number is given."""

    def __init__(self, store: Store, office: RuleWriter, now: Callable[[], Millis]) -> None:
        """Bind it.

        Args:
            store: where records are.
            office: writes down that there was one.
            now: the server's clock (ms since 1970).
        """
        self._store = store
        self._office = office
        self._now = now
        self._told = False
        self.count = 0
        """How often it was found, since the start, that the server was set back."""
        self._one_at_a_time = asyncio.Lock()

    async def look_at(self, folder: Path) -> bool:
        """Look whether a data folder is a copy, before anything of it is numbered.

        Args:
            folder: the store's data folder.

        Returns:
            Whether it is one.

        Raises:
            StoreError: the folder cannot be read or written, or the store failed. The same call again is safe.
        """
        here = await asyncio.to_thread(_told_now, folder, self._store.epoch)
        told = await asyncio.to_thread(_told_before, folder)
        moved = told is not None and told != here
        if moved:
            await self.tell("its data folder is a copy")
        if told != here:
            # Only now: whoever is killed in between finds the same again.
            await asyncio.to_thread(_remember, folder, here)
        return moved

    async def tell(self, how: str) -> None:
        """Take note that the server was set back; once in its life, for devices keep coming that show it.

        Args:
            how: by what it is known, for whoever runs the server.

        Raises:
            StoreError: it could not be made durable.
        """
        async with self._one_at_a_time:
            if self._told:
                return
            now = self._now()

            def says(state: RecordState | None) -> Mapping[FieldName, Any]:
                return numbering.set_back(state, now)

            await self._office.by_rule(numbering.SET_BACK, numbering.SPEC, says, AUTHOR)
            self._told = True
            self.count += 1
        _log.warning("this server was set back to a backup: %s. Numbers of today bear its time from now on", how)


def is_ahead(positions: Iterable[Position], grants: Mapping[ScopeName, Grant]) -> bool:
    """Whether a device has seen commits that are not there.

    Args:
        positions: where it stands, in the server's epoch.
        grants: what it may see, with the heads.
    """
    return any(
        one.scope in grants and one.gen == grants[one.scope].gen and one.seq > grants[one.scope].head.seq
        for one in positions
    )


def _told_now(folder: Path, epoch: Epoch) -> str:
    return f"{place_of(folder)}\n{epoch}\n"


def _told_before(folder: Path) -> str | None:
    """What was written down of the folder; None of one that is new, or of an earlier program."""
    try:
        return (folder / PLACE).read_text("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{folder / PLACE}: cannot be read ({error.strerror}); mend it, or remove it") from None


def _remember(folder: Path, here: str) -> None:
    beside = folder / f"{PLACE}.new"
    try:
        with beside.open("w", encoding="ascii") as file:
            file.write(here)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / PLACE)
    except OSError as error:
        raise StoreError(f"{folder / PLACE}: cannot be written ({error.strerror})") from None
