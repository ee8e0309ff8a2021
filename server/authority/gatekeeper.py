"""The gate of a running server: tokens, devices and leases as the registry has them (`server.gate`)."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final

import msgspec

from schemas.errors import PeerError, UsageError
from schemas.ids import DeviceId, Generation, Millis, ScopeName
from schemas.wire import SHARE_BYTES, HelloBody, Lease
from server.authority.checkpoints import Checkpoints
from server.authority.ledger import Ledger
from server.federation.refusals import RefusedError
from server.federation.tokens import TokenIssuer
from server.gate import Seated
from server.registry import held_roles, live_sign_in, roles_of
from server.registry.acts import SERVER, ReadsResumed, ReadsSetBack, Wiped, WipeOrdered
from server.registry.rights import lease_ms
from server.registry.state import HandOver, ReadsState, Seat, SignIn
from server.roles import Roles
from server.store import Store
from sync.device.dpop import thumbprint

SHARE_PREFIX: Final = "share/"
HAND_OVER_MS: Final = 15 * 60_000
"""For how long the share that is given out to hand over may be used."""
HANDED_OVER: Final = "all that was not sent was handed over"
"""Why the seat is wiped afterwards."""


class KeptShare(msgspec.Struct, frozen=True):
    """The server's share of the key that wraps a seat's keys (DESIGN section 9).

    Attributes:
        no: its number; it rises with each new one.
        share: 32 random bytes; b"" once it was destroyed, and the replica with it.
        before: the one before, until the device says that it holds this one.
        due: whether something left the replica while that was not known: another share follows as soon as it is. Were
            two handed out at once, the keys could be under one that is no longer kept.
    """

    no: int
    share: bytes
    before: bytes = b""
    due: bool = False


class Gatekeeper:
    """See `server.gate.Gate`."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        *,
        issuer: TokenIssuer,
        checkpoints: Checkpoints,
        seal_to: bytes,
        now: Callable[[], Millis],
    ) -> None:
        """Bind the parts.

        Args:
            ledger, store: where rights and shares are kept.
            issuer: of session tokens.
            checkpoints: of the log.
            seal_to: the quarantine's public key, 32 bytes.
            now: the server's clock (ms since 1970).
        """
        self._ledger = ledger
        self._store = store
        self._issuer = issuer
        self._checkpoints = checkpoints
        self._seal_to = seal_to
        self._now = now
        # Between reading a share and writing the next, nobody else writes one: what was destroyed stays so.
        self._one_at_a_time = asyncio.Lock()

    async def look(self, device: DeviceId, body: HelloBody) -> Seated:
        """See `Gate`."""
        seat = self._ledger.registry.seats.get(device)
        if seat is None or seat.retired:
            raise PeerError("unknown_device", device)
        thing = seat.device
        wipe = thing.wipe or seat.wipe
        if wipe is not None:
            await self._ledger.bring_up(device)
            return Seated(public_key=thing.public_key, officer=seat.officer.officer, wipe=wipe.why, welcome=False)
        now = self._now()
        if thing.revoked is not None or not seat.officer.serves(now):
            # Let in to remove what it holds, and for nothing else.
            await self._ledger.bring_up(device)
            return Seated(
                public_key=thing.public_key,
                officer=seat.officer.officer,
                welcome=False,
                closing=seat.hand_over is HandOver.BEGUN,
            )
        until = None if seat.unattended else self._sign_in(seat, body.token, now).until
        await self.confirm_share(device, body.share_no)
        await self._ledger.bring_up(device)
        return Seated(public_key=thing.public_key, officer=seat.officer.officer, until=until, reads=seat.reads)

    def _sign_in(self, seat: Seat, token: str, now: Millis) -> SignIn:
        """The sign-in that a token stems from, if both hold for this seat."""
        try:
            said = self._issuer.verify(token, now)
        except RefusedError as error:
            raise PeerError("bad_token", error.spec.meaning) from None
        if said.seat != seat.seat or said.jkt != thumbprint(seat.device.public_key):
            raise PeerError("bad_token", "it is another seat's")
        live = live_sign_in(self._ledger.registry, seat.seat, now)
        if live is None or live.sid != said.sign_in:
            raise PeerError("bad_token", "its sign-in has ended")
        return live

    def grants(self, device: DeviceId) -> Mapping[ScopeName, Generation]:
        """See `Gate`."""
        seat = self._ledger.registry.seats.get(device)
        return {} if seat is None else seat.grants()

    def roles(self, device: DeviceId, since: Millis) -> Roles | None:
        """See `Gate`.

        What an officer was when they wrote something with no signal counts as well: the end of a shift takes nothing
        back of what was done in it.
        """
        seat = self._ledger.registry.seats.get(device)
        if seat is None or seat.device.revoked is not None or seat.device.wipe is not None:
            return Roles()
        now = self._now()
        return held_roles(self._ledger.registry, seat.officer.officer, now, min(since, now))

    async def wiped(self, device: DeviceId, receipt: bytes) -> None:
        """See `Gate`.

        It counts where a wipe was ordered: the seat is never used again, and the device may be enrolled anew once the
        last of its seats has said so.
        """
        seat = self._ledger.registry.seats.get(device)
        if seat is None or seat.retired or (seat.device.wipe is None and seat.wipe is None):
            return
        others = any(not other.retired for other in seat.device.seats if other is not seat)
        whole = seat.device.wipe is not None and not others
        await self._ledger.perform(
            Wiped(
                by=device,
                at=self._now(),
                device=seat.device.device,
                seat=None if whole else device,
                receipt=hashlib.sha256(receipt).digest(),
            )
        )

    async def handed_over(self, device: DeviceId) -> None:
        """See `Gate`.

        The seat is wiped as it would be by an administrator: in one commit the share goes with which the replica could
        be opened again.
        """
        seat = self._ledger.registry.seats.get(device)
        if seat is None or seat.retired or seat.wipe is not None or seat.hand_over is not HandOver.BEGUN:
            return
        async with self.destroying([device]) as shares:
            order = WipeOrdered(by=SERVER, at=self._now(), device=seat.device.device, seat=device, why=HANDED_OVER)
            await self._ledger.perform(order, secrets=shares)

    async def reads_differ(self, device: DeviceId, kept: int) -> bool:
        """See `Gate`. One that was pardoned stays so: its device may not have heard of that yet."""
        seat = self._ledger.registry.seats.get(device)
        if seat is None or seat.retired or seat.reads is not ReadsState.WHOLE:
            return False
        await self._ledger.perform(ReadsSetBack(by=SERVER, at=self._now(), seat=device, kept=kept))
        return True

    async def reads_resumed(self, device: DeviceId) -> None:
        """See `Gate`."""
        seat = self._ledger.registry.seats.get(device)
        if seat is not None and not seat.retired and seat.reads is ReadsState.PARDONED:
            await self._ledger.perform(ReadsResumed(by=SERVER, at=self._now(), seat=device))

    async def parting_lease(self, device: DeviceId) -> Lease:
        """What opens a replica to hand over what was not sent in it: the share, for a short time, and no token.

        Raises:
            UsageError: the share is no longer kept.
        """
        share = await self.share(device)
        if not share.share:
            raise UsageError(f"the server's share of the keys of {device} was destroyed: nothing opens them any more")
        return Lease(
            until=Millis(self._now() + HAND_OVER_MS),
            lasts_ms=HAND_OVER_MS,
            token="",
            token_lasts_ms=HAND_OVER_MS,
            share_no=share.no,
            share=share.share,
            share_before=share.before,
            roles=(),
            seal_to=self._seal_to,
        )

    async def lease(self, device: DeviceId, *, fresh_share: bool = False, provisional: bool = False) -> Lease | None:
        """See `Gate`.

        Args:
            device, fresh_share: as there.
            provisional: whether it is to last only until the sync session has looked at the seat's read log: what
                signing in gives.
        """
        registry, now = self._ledger.registry, self._now()
        seat = registry.seats.get(device)
        if seat is None or seat.retired or seat.device.revoked is not None or not seat.officer.serves(now):
            return None
        live = live_sign_in(registry, device, now)
        if live is None:
            return None
        lasts = min(lease_ms(registry, seat.officer.officer, now), live.until - now)
        if provisional:
            lasts = min(lasts, registry.rules.provisional_ms)
        share = await (self._fresh_share(device) if fresh_share else self.share(device))
        if not share.share:
            return None
        token = self._issuer.issue(
            seat.officer.officer, device, sign_in=live.sid, jkt=thumbprint(seat.device.public_key), now=now
        )
        return Lease(
            until=Millis(now + lasts),
            lasts_ms=lasts,
            token=token,
            token_lasts_ms=min(self._issuer.lifetime_ms, live.until - now),
            share_no=share.no,
            share=share.share,
            share_before=share.before,
            roles=tuple(sorted(role.value for role in roles_of(registry, seat.officer.officer, now))),
            seal_to=self._seal_to,
        )

    async def share(self, device: DeviceId) -> KeptShare:
        """The server's share for a seat; number 0, empty, before there is one."""
        kept = await self._store.secret(SHARE_PREFIX + device)
        return KeptShare(0, b"") if kept is None else msgspec.msgpack.decode(kept, type=KeptShare)

    async def new_share(self, device: DeviceId) -> KeptShare:
        """Another share for a seat: once the device has taken it, what was wrapped under the old one opens no more.

        One that was destroyed stays destroyed.
        """
        async with self._one_at_a_time:
            last = await self.share(device)
            if last.no and not last.share:
                return last
            # Before a device has confirmed one, its keys may still be wrapped under the one before that.
            share = KeptShare(last.no + 1, secrets.token_bytes(SHARE_BYTES), last.before or last.share)
            await self._keep(device, share)
            return share

    async def _fresh_share(self, device: DeviceId) -> KeptShare:
        """Another share now; or, while the last one is not known to have arrived, once it is."""
        async with self._one_at_a_time:
            last = await self.share(device)
            if last.before:
                await self._keep(device, msgspec.structs.replace(last, due=True))
                return last
        return await self.new_share(device)

    async def confirm_share(self, device: DeviceId, no: int) -> None:
        """The device's keys are wrapped under that share: forget the one before."""
        async with self._one_at_a_time:
            last = await self.share(device)
            confirmed = last.no == no and bool(last.before)
            if confirmed:
                await self._keep(device, KeptShare(last.no, last.share))
        if confirmed and last.due:
            await self.new_share(device)

    @contextlib.asynccontextmanager
    async def destroying(self, seats: Iterable[DeviceId]) -> AsyncIterator[dict[str, bytes | None]]:
        """The secrets to keep so that nothing opens these seats' replicas any more, whoever holds the device.

        While the context is open nobody else writes a share, so that what is committed in it stays.
        """
        async with self._one_at_a_time:
            yield {
                SHARE_PREFIX + seat: msgspec.msgpack.encode(KeptShare(max(1, (await self.share(seat)).no), b""))
                for seat in seats
            }

    async def _keep(self, device: DeviceId, share: KeptShare) -> None:
        await self._ledger.keep({SHARE_PREFIX + device: msgspec.msgpack.encode(share)})

    async def checkpoint(self, pinned: int) -> tuple[int, bytes, tuple[bytes, ...]]:
        """See `Gate`."""
        return await self._checkpoints.since(pinned)
