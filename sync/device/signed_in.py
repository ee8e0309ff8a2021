"""`SignedIn`: an officer who has signed in on this handheld, as the engine needs them: keys, lease, roles and token.

What the server says of it comes with each lease: at sign-in, in WELCOME, and whenever it is renewed or something has
left the replica (then with another share). A lease is taken up whole, on the thread that owns the database: the key
slots first, since only a share that they are under is ever said to be held.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from schemas import wire
from schemas.errors import PeerError, ReplicaError, UsageError
from schemas.ids import DeviceId, OfficerId
from schemas.roles import Role
from sync import sealing
from sync.device.account import ReadsPlace
from sync.device.keys import DeviceIdentity
from sync.device.lease import Lease
from sync.device.seat import Seat
from sync.device.slotfile import share_name
from sync.device.slots import Unlocked

LEASE_KEY = "lease"
"""The last lease that was taken up, without its shares: MessagePack of a `schemas.wire.Lease`."""


_PROVISIONAL: Final = (
    "the lease has ended: it was the short one that signing in gives. The whole one comes when this handheld has "
    "connected and the server has looked at what was read on it; `alarms` tells if it found anything"
)


class SignedIn:
    """One officer at one seat, from signing in or unlocking to locking.

    Attributes:
        seat: theirs on this device.
        officer: collar number.
        keys: the seat's, unlocked.
        identity: the device's key under the seat's id.
        lease: the last lease that is known, without its shares; None before the first.
        fresh: the lease that signing in gave, until the replica has taken it up.
        hands_over: whether the device is trusted no more, and this is to hand over what was not sent, and nothing else.
        reads: behind which entry the read log goes on, where it was set back and somebody has looked into it.
    """

    def __init__(  # noqa: PLR0913  who has signed in, and what can be asked of the server for them
        self,
        seat: Seat,
        officer: OfficerId,
        keys: Unlocked,
        identity: DeviceIdentity,
        *,
        lease: wire.Lease | None = None,
        renew: Callable[[DeviceId], Awaitable[str]] | None = None,
        change: Callable[["SignedIn", str, str], Awaitable[None]] | None = None,
        dismissed: Callable[[], Awaitable[object]] | None = None,
        hands_over: bool = False,
        reads: ReadsPlace | None = None,
    ) -> None:
        """Bind them.

        Args:
            seat, officer, keys: as they are told above.
            identity: the device's own.
            lease: what signing in gave; None when the seat was unlocked with the share that was here.
            renew: gets another token for a seat, by the device's key alone; None where that cannot be asked for.
            change: has the server change the officer's passphrase from one to another; None as with `renew`.
            dismissed: carries out what the server orders of a device that it trusts no more; None as with `renew`.
            hands_over, reads: as they are told above.
        """
        self.seat = seat
        self.officer = officer
        self.keys = keys
        self.identity = identity.named(seat.id)
        self.lease: wire.Lease | None = None
        self.fresh = lease
        self._renew = renew
        self._change = change
        self._dismissed = dismissed
        self.hands_over = hands_over
        self.reads = reads
        self._let_go = False
        self._provisional = False
        self._token = ""
        if lease is not None:
            self.know(lease)

    def __repr__(self) -> str:
        return f"SignedIn({self.officer!r} at {self.seat.id!r})"

    # --- what the server says ----------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The token to show; "" when none is known."""
        return self._token

    @property
    def share_no(self) -> int:
        """Number of the share that the keys are under, as the last lease said it; 0 when none is known."""
        return 0 if self.lease is None or self.fresh is not None else self.lease.share_no

    @property
    def roles(self) -> frozenset[Role] | None:
        """What the officer is; None while that is not known, and nothing is then refused for it."""
        return None if self.lease is None else frozenset(map(Role, self.lease.roles))

    @property
    def seal_to(self) -> bytes:
        """The server's quarantine key, as the last lease said it; b"" when it did not."""
        return b"" if self.lease is None else self.lease.seal_to

    def know(self, lease: wire.Lease) -> None:
        """Go on by what a lease says, leaving out its shares."""
        self.lease = msgspec.structs.replace(lease, share=b"", share_before=b"")
        self._token = lease.token

    def take(self, lease: wire.Lease) -> bytes:
        """Take a lease up. On the database's thread: it rewrites the key slots, as changing the ring does.

        Returns:
            What to keep of it under LEASE_KEY, once this has returned.

        Raises:
            PeerError: `not_welcome`: no such lease is believed. The one before stands.
            ReplicaError: slots or cache cannot be written; what they hold opens with the share before.
        """
        granted = Lease(lease.until - lease.lasts_ms, lease.until)
        try:
            granted.length_ms()
            share = lease.share or self.seat.lease.share()
            if share_name(share) != self.seat.slots.wanted_share():
                self.keys.take_share(share)
            if lease.seal_to:
                self.keys.take_quarantine_key(lease.seal_to)
            self.seat.lease.grant(granted, share)
        except UsageError as error:
            raise PeerError("not_welcome", f"a lease that is not believed: {error}") from None
        self.know(lease)
        self._provisional = self.fresh is not None and lease.until == self.fresh.until
        self.fresh = None
        return msgspec.msgpack.encode(self.lease)

    def remember(self, kept: bytes) -> None:
        """Go on by what `take` gave, in an earlier run; signing in since then told more."""
        if self.fresh is None:
            self.know(msgspec.msgpack.decode(kept, type=wire.Lease))

    # --- what the engine asks ----------------------------------------------------------------------------------------

    def seal(self, body: bytes) -> bytes:
        """Seal what the officer may no longer read to the server's quarantine."""
        return sealing.seal(body, self.seal_to or self.seat.slots.quarantine_key())

    async def renew(self) -> None:
        """Get another token, by the device's key alone.

        Raises:
            LocalError: the server cannot be asked.
            UsageError: the sign-in has ended, or there is nobody to ask.
        """
        if self._renew is None:
            raise UsageError("nobody is signed in on the server: sign in again")
        self._token = await self._renew(self.seat.id)

    async def dismissed(self) -> None:
        """The server has said that it trusts this device no more: nothing on it may open without the server.

        Raises:
            LocalError: the server cannot be asked what else is to be done, or something cannot be destroyed.
        """
        self._let_go = True
        self.seat.lease.end()
        if self._dismissed is not None:
            await self._dismissed()

    async def change_passphrase(self, old: str, new: str) -> None:
        """Have the server change the passphrase. The seat's own keys are to follow: `Unlocked.change_pin`.

        Raises:
            LocalError: the server cannot be asked; it may have changed it.
            UsageError: it refuses, or there is nobody to ask.
        """
        if self._change is None:
            raise UsageError("a PIN is changed while signed in to the server")
        await self._change(self, old, new)

    def again(self, lease: wire.Lease) -> None:
        """The officer has signed in again: go on with the new token at once, and with the lease when it is taken up."""
        self.fresh = lease
        self._token = lease.token

    def require_lease(self) -> None:
        """Let a reading pass only while the lease lasts.

        Raises:
            ReplicaError: it has ended, or the keys were locked; or this is to hand over, and shows nothing to anybody.
        """
        if self._let_go:
            raise ReplicaError(f"{self.seat.id} is trusted no more: nothing on it opens; hand it in")
        if self.hands_over:
            raise ReplicaError(f"{self.seat.id} is open to hand over what was not sent, and shows nothing to anybody")
        if self.keys.locked:
            raise ReplicaError(f"{self.seat.id} is locked: enter the PIN")
        try:
            self.seat.lease.require()
        except ReplicaError:
            if self._provisional:
                raise ReplicaError(_PROVISIONAL) from None
            raise

    def wipe(self) -> None:
        """Destroy the seat: its keys in memory and on disk, then its files. Close the replica first.

        Raises:
            ReplicaError: something cannot be removed; calling again carries on.
        """
        self.keys.lock()
        self.seat.wipe()
