"""What a device does for its server with what rests closed on it, before anybody signs in and without any PIN.

A seat that is open hears of its wipe over its own session. A closed one cannot: so the device asks, by its key alone,
and carries out what is ordered of the rest. What destroys needs no PIN. What was sealed to the server while a seat was
shut goes up first, since the server alone can read it; then the keys go, then the files, then the device says so,
signed. Asked again after a power cut, it carries on.

Of a device that is trusted no more every cached share goes at once: from then on nothing on it opens without the
server. The rest stays, keys included: it may hold what was not sent, and that may be handed over.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

import msgspec

from schemas.errors import ReplicaError
from schemas.ids import DeviceId, Millis
from sync.device.account import Account, ReadsPlace, RefusedError
from sync.device.clocks import Clock
from sync.device.drafts import DRAFTS_FILE, DraftBox
from sync.device.handover import DRAFTS_FROM
from sync.device.keystore import KeyStore
from sync.device.lease import StoredShareCache
from sync.device.wiping import is_wiped, wipe

_log = logging.getLogger(__name__)

HAND_IN_MAX: Final = 32
"""Drafts in one call: the longest of them, in base64, stay well below what a server reads of a body."""
REVOKED: Final = "device_revoked"
_NO_KEY: Final = b""
"""Drafts are read here and none is written: that asks for no key."""


class Obeyed(msgspec.Struct, frozen=True, kw_only=True):
    """What was ordered, and done.

    Attributes:
        revoked: whether the device is trusted no more.
        wiped: why everything on it was destroyed; None where it was not.
        seats: the seats that were destroyed now.
        reads: seat -> behind what its read log goes on, where that was set back and pardoned.
    """

    revoked: bool = False
    wiped: str | None = None
    seats: tuple[DeviceId, ...] = ()
    reads: dict[DeviceId, ReadsPlace] = {}


async def obey(account: Account, root: Path, store: KeyStore, clock: Clock) -> Obeyed:
    """Ask the server what it orders of this device, and do it.

    A seat whose replica is open is left to its own session. Of a device that was enrolled anew elsewhere, whose key is
    not its own any more, nothing is known but that: it is trusted no more.

    Args:
        account: the device's, at its server.
        root: the folder of its seats.
        store: its keystore.
        clock: the machine's.

    Raises:
        RefusedError: the server does not know this device's key.
        UnreachableError: the server cannot be asked, or not be told: the next contact carries on.
        ReplicaError: something cannot be destroyed; the next contact carries on.
    """
    here = _folders(root)
    try:
        orders = await account.orders()
    except RefusedError as refused:
        if refused.code != REVOKED:
            raise
        await asyncio.to_thread(drop_shares, here, store)
        return Obeyed(revoked=True)
    if orders.revoked or orders.wipe is not None:
        await asyncio.to_thread(drop_shares, here, store)
    named = [seat.seat for seat in orders.seats if seat.wipe is not None]
    doomed = sorted({*named, *(here if orders.wipe is not None else ())})
    gone = [seat for seat in doomed if await _destroy(account, root / seat, seat, store)]
    told = [seat for seat in gone if seat in named]
    if told:
        await account.say_wiped(told, Millis(clock.wall_ms()))
    return Obeyed(
        revoked=orders.revoked,
        wiped=orders.wipe,
        seats=tuple(told),
        reads={seat.seat: seat.reads for seat in orders.seats if seat.reads is not None},
    )


def drop_shares(seats: list[DeviceId], store: KeyStore) -> None:
    """Destroy the cached shares of seats: nothing of theirs opens without the server from now on.

    Raises:
        ReplicaError: one cannot be destroyed; the others were.
    """
    failed: list[ReplicaError] = []
    for seat in seats:
        try:
            StoredShareCache(store, seat).drop()
        except ReplicaError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _folders(root: Path) -> list[DeviceId]:
    """The seats that have a folder here, whatever is left in it."""
    return sorted(DeviceId(path.name) for path in root.glob("*") if path.is_dir())


async def _destroy(account: Account, folder: Path, seat: DeviceId, store: KeyStore) -> bool:
    """Destroy a seat; False where it is open, and its own session does that."""
    if not is_wiped(folder):
        await _hand_in(account, folder, seat)
    try:
        await asyncio.to_thread(wipe, folder, seat, store)
    except ReplicaError as error:
        if not is_wiped(folder):
            _log.info("%s is left to its own session: %s", seat, error)
            return False
        raise
    return True


async def _hand_in(account: Account, folder: Path, seat: DeviceId) -> None:
    """Have the server keep the drafts that wait at a seat: nobody else can read them."""
    if not (folder / DRAFTS_FILE).exists():
        return
    box = DraftBox(folder, seat, _NO_KEY)
    while drafts := await asyncio.to_thread(box.sealed, 0, HAND_IN_MAX):
        await account.hand_in(seat, [(DRAFTS_FROM + n, sealed) for n, sealed in drafts])
        await asyncio.to_thread(box.drop, drafts[-1][0])
