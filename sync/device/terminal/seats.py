"""Opening what a terminal handheld works on: an officer's seat once they have shown who they are, or a program's."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from schemas.errors import ReplicaError
from schemas.ids import OfficerId
from sync.device.account import UnreachableError
from sync.device.enrolment import ENROLMENT_FILE, Enrolment
from sync.device.handheld import Handheld
from sync.device.handing import PartedError, hand_over
from sync.device.installation import Installation
from sync.device.keys import DeviceIdentity, KeyFile
from sync.device.signed_in import SignedIn
from sync.device.terminal.terminal import Facts


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What an officer has shown at the handheld. It is nowhere in a text of this.

    Attributes:
        pin: their passphrase or PIN.
        new: what they choose in its place; a one-time one asks for it.
        former: the one before, where the seat is still under it.
        keep_share: whether the server's share of the keys stays in the keystore for the lease.
    """

    pin: str
    new: str | None = None
    former: str | None = None
    keep_share: bool = False

    def __repr__(self) -> str:
        return "Shown(…)"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs.

    Attributes:
        folder: the handheld's; of a program the replica's.
        author: the officer.
        shown: what the officer has shown; None at a program's seat.
        identity: of a program: file of the device's identity.
        key_file: of a program: file of the replica's key; made when it is not there.
        server: of a program: address of the server.
        offline: whether to begin without a connection.
        commands: carry these out and end; none to take them from standard input.
        again: the program and its arguments to start anew as, when the seat is locked; none to end then.
    """

    folder: Path
    author: OfficerId
    shown: Shown | None = None
    identity: Path = Path("identity.json")
    key_file: Path = Path("replica.key")
    server: str = ""
    offline: bool = False
    commands: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Handheld, Facts]]:
    """The handheld, still without a connection, and what is told of it. Its keys are gone when it is closed.

    Raises:
        ReplicaError: identity, key or replica cannot be used.
        UsageError: the server refuses the officer, or an address is none.
        UnreachableError: the server cannot be asked, and the seat does not open without it.
        PartedError: the device is trusted no more, and what was not sent was handed over: nothing opens.
    """
    if settings.shown is None:
        async with _programs(settings) as found:
            yield found
        return
    async with Installation.open(settings.folder, keep_shares=settings.shown.keep_share) as installation:
        signed_in = await _signed_in(installation, settings, settings.shown)
        if signed_in.hands_over:
            try:
                raise PartedError(await hand_over(signed_in, installation.enrolment))
            finally:
                signed_in.keys.lock()
        try:
            async with Handheld.open_seat(signed_in, installation.enrolment) as handheld:
                await handheld.go_offline()
                yield (
                    handheld,
                    Facts(
                        device=signed_in.seat.id,
                        author=signed_in.officer,
                        server=installation.enrolment.server,
                        folder=str(signed_in.seat.folder),
                        offline=settings.offline,
                        signed_in=True,
                    ),
                )
        finally:
            signed_in.keys.lock()


async def _signed_in(installation: Installation, settings: Settings, shown: Shown) -> SignedIn:
    if settings.offline:
        return await installation.unlock(settings.author, shown.pin)
    try:
        return await installation.sign_in(settings.author, shown.pin, new_passphrase=shown.new, former=shown.former)
    except UnreachableError as unreachable:
        try:
            return await installation.unlock(settings.author, shown.pin)
        except ReplicaError as shut:
            raise UnreachableError(f"{unreachable}. Without it: {shut}") from None


@contextlib.asynccontextmanager
async def _programs(settings: Settings) -> AsyncIterator[tuple[Handheld, Facts]]:
    identity = DeviceIdentity.load(settings.identity)
    if (settings.folder / "replica.check").exists() and not settings.key_file.exists():
        raise ReplicaError(
            f"the key file {settings.key_file} is missing, and the replica in {settings.folder} opens with no other: "
            "restore the file, or name it with --key-file"
        )
    told = settings.identity.parent
    opening = Handheld.open(
        settings.folder,
        identity=identity,
        keys=KeyFile(settings.key_file),
        author=settings.author,
        server=settings.server,
        enrolment=Enrolment.load(told) if (told / ENROLMENT_FILE).exists() else None,
    )
    async with opening as handheld:
        # Before the loop turns: no connection is made until the terminal is ready for what it brings.
        await handheld.go_offline()
        yield (
            handheld,
            Facts(
                device=identity.device,
                author=settings.author,
                server=settings.server,
                folder=str(settings.folder),
                offline=settings.offline,
            ),
        )
