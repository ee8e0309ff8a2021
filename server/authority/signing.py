"""Signing officers in: passphrases, tries, sign-ins.

A try is counted before it is checked; an unknown collar number costs and is told the same as a wrong passphrase.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.wire import Lease
from server.authority.gatekeeper import HAND_OVER_MS, Gatekeeper
from server.authority.ledger import Ledger
from server.authority.passphrases import Passphrases
from server.federation.refusals import RefusedError
from server.federation.tries import Tries, subjects
from server.federation.verified import Method
from server.registry import may_sign_in
from server.registry.acts import (
    SERVER,
    Act,
    HandOverBegun,
    SeatOpened,
    SignedIn,
    SignedOut,
    SignInLocked,
    SignInRefused,
    SignInUnlocked,
)
from server.registry.state import HandOver, Seat

SIGN_IN_MS: Final = 12 * 60 * 60_000
"""How long a sign-in lasts: the longest shift."""
_SID_BYTES: Final = 12
_PASSPHRASE: Final = Method.PASSPHRASE.value
_WEBAUTHN: Final = Method.WEBAUTHN.value


class SignedInSeat(msgspec.Struct, frozen=True, kw_only=True):
    """An officer who has signed in.

    Attributes:
        seat: the id under which their store on this device is known; its ops are numbered under it.
        officer: collar number.
        until: when the sign-in ends (ms since 1970).
        lease: token, share and the rest.
        server_time: the server's clock (ms since 1970).
    """

    seat: DeviceId
    officer: OfficerId
    until: Millis
    lease: Lease
    server_time: Millis


class SigningIn:
    """The desk at which officers sign in."""

    def __init__(
        self,
        ledger: Ledger,
        gatekeeper: Gatekeeper,
        *,
        passphrases: Passphrases,
        tries: Tries,
        now: Callable[[], Millis],
        needs_key: Callable[[OfficerId], Awaitable[bool]],
    ) -> None:
        """Bind the parts; `needs_key` says who signs in with a security key and in no other way."""
        self._ledger = ledger
        self._gatekeeper = gatekeeper
        self._now = now
        self._needs_key = needs_key
        self._passphrases = passphrases
        self._tries = tries

    async def sign_in(
        self,
        device: DeviceId,
        officer: OfficerId,
        passphrase: str,
        address: str | None,
        new_passphrase: str | None = None,
    ) -> SignedInSeat:
        """Sign an officer in on a device; whoever calls has seen a proof of the device's key.

        Args:
            device, officer: who signs in, where.
            passphrase: theirs, or the one-time one that they were given.
            address: where the call came from, for counting tries.
            new_passphrase: what they choose in its place; a one-time passphrase asks for it.

        Raises:
            RefusedError: `sign_in_wrong`, whatever was wrong; `passphrase_once`; `tries_wait` or `tries_locked`;
                `webauthn_needed`.
            UsageError: the new passphrase may not be chosen. Nobody was signed in.
            StoreError: it could not be made durable.
        """
        now = self._now()
        names = subjects(officer, device, address)
        await self._tries.begin(names, now)
        right = await self._passphrases.check(officer, passphrase)
        barred = may_sign_in(self._ledger.registry, officer, device, now)
        once_until = await self._passphrases.once_until(officer) if right else None
        if barred is None and once_until is not None and once_until <= now:
            barred = "the one-time passphrase has expired"
        if not right or barred is not None:
            await self._refuse(officer, device, barred or "wrong passphrase", now)
            raise RefusedError("sign_in_wrong", barred or f"wrong passphrase for {officer} on {device}")
        await self._tries.succeed(names, now)
        await self._check_way(device, officer, _PASSPHRASE)
        await self._choose(officer, passphrase, new_passphrase, once=once_until is not None)
        return await self.admit(device, officer, _PASSPHRASE)

    # --- handing over ------------------------------------------------------------------------------------------------

    def hands_over(self, device: DeviceId, officer: OfficerId) -> bool:
        """Whether an officer may sign in on a revoked device to hand over what was not sent, and for nothing else."""
        return self._to_hand_over(device, officer, self._now()) is not None

    async def hand_over(
        self, device: DeviceId, officer: OfficerId, passphrase: str, address: str | None
    ) -> SignedInSeat:
        """Let an officer hand over what rests on a revoked device, once they have shown their passphrase.

        It uses the permission up; one that was broken off can be taken up again for a quarter of an hour. They get the
        share of their seat's keys and no token: the device's key alone lets its session in, and that takes what was not
        sent, and sends no record.

        Args:
            device, officer, passphrase, address: as in `sign_in`.

        Raises:
            RefusedError: as in `sign_in`.
            UsageError: nobody has allowed it, or the share is no longer kept.
            StoreError: it could not be made durable.
        """
        now = self._now()
        names = subjects(officer, device, address)
        await self._tries.begin(names, now)
        right = await self._passphrases.check(officer, passphrase)
        person = self._ledger.registry.officers[officer]
        locked = person.locked and (person.locked_until is None or now < person.locked_until)
        if not right or locked:
            why = "wrong passphrase" if not right else "the sign-in is locked"
            await self._refuse(officer, device, f"{why}, to hand over", now)
            raise RefusedError("sign_in_wrong", f"{why}: {officer} on {device}, to hand over")
        await self._tries.succeed(names, now)
        seat = self._to_hand_over(device, officer, now)
        if seat is None:
            raise UsageError(f"nobody has allowed {officer} to hand over from {device}, or it was used meanwhile")
        lease = await self._gatekeeper.parting_lease(seat)
        if self._ledger.registry.seats[seat].hand_over is HandOver.ALLOWED:
            await self._ledger.perform(HandOverBegun(by=officer, at=now, seat=seat))
        return SignedInSeat(seat=seat, officer=officer, until=lease.until, lease=lease, server_time=now)

    def _to_hand_over(self, device: DeviceId, officer: OfficerId, now: Millis) -> DeviceId | None:
        known = self._ledger.registry.devices.get(device)
        if known is None or known.revoked is None or known.wipe is not None:
            return None
        return next(
            (
                seat.seat
                for seat in known.seats
                if seat.officer.officer == officer
                and not seat.retired
                and seat.wipe is None
                and (seat.hand_over is HandOver.ALLOWED or _goes_on(seat, now))
            ),
            None,
        )

    # --- signing in --------------------------------------------------------------------------------------------------

    async def _check_way(self, device: DeviceId, officer: OfficerId, method: str) -> None:
        if method != _WEBAUTHN and await self._needs_key(officer):
            # Whoever came so far knows the rest of what an administrator shows: that must not go by unseen.
            await self._refuse(officer, device, f"right {method}, where a security key is asked for", self._now())
            raise RefusedError("webauthn_needed", f"officer {officer}, by {method}")

    async def _choose(self, officer: OfficerId, passphrase: str, chosen: str | None, *, once: bool) -> None:
        if chosen is None:
            if once:
                raise RefusedError("passphrase_once", f"officer {officer}")
            return
        if chosen == passphrase:
            raise UsageError("choose another passphrase than the one that you have shown")
        await self._passphrases.change(officer, chosen)

    async def change_passphrase(
        self, device: DeviceId, officer: OfficerId, old: str, new: str, address: str | None
    ) -> None:
        """Give an officer who is signed in the passphrase that they choose, once they have shown the old one.

        Raises:
            RefusedError: `sign_in_wrong`, `tries_wait` or `tries_locked`.
            UsageError: the new one may not be chosen.
        """
        now = self._now()
        names = subjects(officer, device, address)
        await self._tries.begin(names, now)
        if not await self._passphrases.check(officer, old):
            await self._refuse(officer, device, "wrong passphrase, to change it", now)
            raise RefusedError("sign_in_wrong", f"wrong passphrase for {officer} on {device}, to change it")
        await self._tries.succeed(names, now)
        await self._choose(officer, old, new, once=False)

    async def unlock(self, officer: OfficerId, by: str, why: str) -> None:
        """Let an officer try again, after somebody who knows them has asked.

        Raises:
            UsageError: the sign-in is not locked.
        """
        await self._ledger.perform(SignInUnlocked(by=by, at=self._now(), officer=officer, why=why))
        await self._tries.unlock(subjects(officer, None, None)[0])

    async def admit(self, device: DeviceId, officer: OfficerId, method: str) -> SignedInSeat:
        """Sign an officer in whose identity has been established otherwise (OIDC, WebAuthn).

        Raises:
            RefusedError: `webauthn_needed`: they have to use a security key; `seat_wiped`: what they had there is to be
                destroyed first.
            UsageError: they may not sign in on that device now.
        """
        await self._check_way(device, officer, method)
        now = self._now()
        acts: list[Act] = []
        registry = self._ledger.registry
        thing = registry.devices.get(device)
        seats = [] if thing is None else [each for each in thing.seats if each.officer.officer == officer]
        present = next((each for each in seats if not each.retired), None)
        if present is not None and present.wipe is not None:
            raise RefusedError("seat_wiped", f"seat {present.seat}: {present.wipe.why}")
        seat = None if present is None else present.seat
        if seat is None:
            seat = registry.next_seat(device)
            acts.append(SeatOpened(by=SERVER, at=now, seat=seat, device=device, officer=officer))
        until = Millis(now + SIGN_IN_MS)
        sid = secrets.token_hex(_SID_BYTES)
        acts.append(SignedIn(by=SERVER, at=now, sid=sid, seat=seat, method=method, until=until))
        await self._ledger.perform(*acts)
        if not (await self._gatekeeper.share(seat)).share:
            await self._gatekeeper.new_share(seat)
        lease = await self._gatekeeper.lease(seat, provisional=True)
        if lease is None:
            raise UsageError(f"no lease can be given to seat {seat!r} now; sign in again")
        return SignedInSeat(seat=seat, officer=officer, until=until, lease=lease, server_time=now)

    async def _refuse(self, officer: OfficerId, device: DeviceId, why: str, now: Millis) -> None:
        known = self._ledger.registry.officers.get(officer)
        if known is None:
            # What was typed may be anything, a passphrase in the wrong field included: it is counted, not kept.
            return
        acts: list[Act] = [SignInRefused(by=SERVER, at=now, officer=officer, device=device, why=why)]
        if not known.locked and subjects(officer, None, None)[0] in self._tries.locked():
            acts.append(SignInLocked(by=SERVER, at=now, officer=officer))
        await self._ledger.perform(*acts)

    async def sign_out(self, sign_in: str, by: str, why: str) -> None:
        """End a sign-in.

        Raises:
            UsageError: there is none of that name, or it has ended.
        """
        await self._ledger.perform(SignedOut(by=by, at=self._now(), sid=sign_in, why=why))


def _goes_on(seat: Seat, now: Millis) -> bool:
    """Whether a hand-over was begun a short while ago: what broke it off is no reason to ask for another permission."""
    return seat.hand_over is HandOver.BEGUN and seat.hand_over_at <= now < seat.hand_over_at + HAND_OVER_MS
