"""The port through which connections ask who somebody is and what they may see.

`server.authority` is the real one. Tests of the sync path bring one that knows its devices by heart.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from schemas.ids import DeviceId, Generation, Millis, OfficerId, ScopeName
from schemas.wire import HelloBody, Lease
from server.registry.state import ReadsState
from server.roles import Roles


class Seated(msgspec.Struct, frozen=True, kw_only=True):
    """Who said HELLO.

    Attributes:
        public_key: the device's Ed25519 key, 32 bytes.
        officer: whose seat it is; None where that is not asked.
        wipe: why it must destroy what it holds; None when it need not.
        welcome: whether it may do more than remove what it holds: not so for a device that is revoked.
        reads: how its read log stands to what the server holds, as far as that was looked at before.
        closing: whether it is here to hand over what it had not sent: then `handed_over` is to follow.
        until: when its sign-in ends (ms since 1970); None where it never does.
    """

    public_key: bytes
    officer: OfficerId | None = None
    wipe: str | None = None
    welcome: bool = True
    reads: ReadsState = ReadsState.WHOLE
    closing: bool = False
    until: Millis | None = None


class Gate(Protocol):
    """Who may connect, as what, and what they see."""

    async def look(self, device: DeviceId, body: HelloBody) -> Seated:
        """Who it is, with their rights brought up to this moment.

        Args:
            device: the seat that HELLO names.
            body: all that it says, the token among it. Its proof is checked by whoever asks.

        Raises:
            PeerError: it may not connect; the code says why.
            StoreError: that cannot be found out now.
        """

    def grants(self, device: DeviceId) -> Mapping[ScopeName, Generation]:
        """The scopes that a seat holds at this moment."""

    def roles(self, device: DeviceId, since: Millis) -> Roles | None:
        """What the seat's officer is now, or was at `since` (ms since 1970); None where nobody asks for roles."""

    async def wiped(self, device: DeviceId, receipt: bytes) -> None:
        """A seat says, signed, that it has destroyed all that it held.

        Args:
            device: the seat.
            receipt: what it signed.

        Raises:
            StoreError: that cannot be kept now.
        """

    async def handed_over(self, device: DeviceId) -> None:
        """A seat that is `closing` has removed all, and all that it had not sent is durable here.

        Args:
            device: the seat.

        Raises:
            StoreError: what follows from it cannot be kept now.
        """

    async def reads_differ(self, device: DeviceId, kept: int) -> bool:
        """The seat's read log is not the one that is held: no lease is given until somebody has looked into it.

        Args:
            device: the seat.
            kept: how many entries are held.

        Returns:
            Whether that is new.

        Raises:
            StoreError: it cannot be noted now.
        """

    async def reads_resumed(self, device: DeviceId) -> None:
        """A read log that was pardoned goes on behind what is held.

        Args:
            device: the seat.

        Raises:
            StoreError: it cannot be noted now.
        """

    async def lease(self, device: DeviceId, *, fresh_share: bool = False) -> Lease | None:
        """A new lease for a seat; None where none is given.

        Args:
            device: the seat.
            fresh_share: whether to bring another share: something has left the replica, and what is left of it on the
                disk must not be opened by anything that is still to be had.

        Raises:
            StoreError: it cannot be given now.
        """

    async def checkpoint(self, pinned: int) -> tuple[int, bytes, tuple[bytes, ...]]:
        """(the log's size, its signed checkpoint, proof that it continues the log of size `pinned`).

        A size beyond the log's own gets no proof: the device will see that the log has shrunk.
        """
