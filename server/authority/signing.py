"""Enrolling devices and signing officers in: codes, passphrases, tries, sign-ins.

A code or link is good once; a try is counted before it is checked; an unknown collar number costs and is told the same
as a wrong passphrase.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from schemas.wire import Lease
from server.authority.gatekeeper import Gatekeeper
from server.authority.keys import ServerKeys
from server.authority.ledger import Ledger
from server.authority.passphrases import Passphrases
from server.federation import codes, links
from server.federation.refusals import RefusedError
from server.federation.tries import Count, Tries, subjects
from server.federation.verified import Method
from server.registry import may_sign_in
from server.registry.acts import (
    SERVER,
    Act,
    CodeIssued,
    CodeUsed,
    DeviceEnrolled,
    OfficerAdded,
    PassphraseChanged,
    RoleGiven,
    SeatOpened,
    SignedIn,
    SignedOut,
    SignInLocked,
    SignInRefused,
    SignInUnlocked,
)
from server.store import Store

TRIES: Final = "tries/"
SIGN_IN_MS: Final = 12 * 60 * 60_000
"""How long a sign-in lasts: the longest shift."""
CODE_MS: Final = 24 * 60 * 60_000
_SID_BYTES: Final = 12
_PASSPHRASE: Final = Method.PASSPHRASE.value
_WEBAUTHN: Final = Method.WEBAUTHN.value


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """A device that was enrolled.

    Attributes:
        device: its id.
        certificate: X.509 in DER, by the server.
        log_key: the vkey of the server's log, for the device to pin.
        seal_to: the quarantine's public key, 32 bytes.
    """

    device: DeviceId
    certificate: bytes
    log_key: str
    seal_to: bytes


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


class _TriesKeeper:
    """Keeps counts of tries among the secrets."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def keep(self, counts: Mapping[str, Count | None]) -> None:
        """See `server.federation.tries.Keeper`."""
        await self._ledger.keep(
            {TRIES + name: None if count is None else msgspec.msgpack.encode(count) for name, count in counts.items()}
        )


class SigningIn:
    """The desk at which devices are enrolled and officers sign in."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        gatekeeper: Gatekeeper,
        *,
        keys: ServerKeys,
        log_key: str,
        passphrases: Passphrases,
        now: Callable[[], Millis],
        needs_key: Callable[[OfficerId], Awaitable[bool]],
    ) -> None:
        """Bind the parts; `start` reads what was kept.

        `log_key` is the log's vkey; `needs_key` says who signs in with a security key and in no other way.
        """
        self._ledger = ledger
        self._store = store
        self._gatekeeper = gatekeeper
        self._keys = keys
        self._log_key = log_key
        self._now = now
        self._needs_key = needs_key
        self._passphrases = passphrases
        self._tries = Tries(_TriesKeeper(ledger), {})

    async def start(self) -> None:
        """Read the counts of tries that were kept."""
        kept = await self._store.secrets(TRIES)
        counts = {name.removeprefix(TRIES): msgspec.msgpack.decode(raw, type=Count) for name, raw in kept.items()}
        self._tries = Tries(_TriesKeeper(self._ledger), counts)

    # --- the first administrator -------------------------------------------------------------------------------------

    async def first_link(self) -> str | None:
        """The code of a one-time link for the first administrator; None once there is one.

        Each start makes a new one while nobody has used any: what an earlier start printed may have been lost.
        """
        now = self._now()
        if self._has_administrator():
            return None
        code, record = links.make(now)
        await self._ledger.perform(
            CodeIssued(by=SERVER, at=now, code=bytes.fromhex(record.digest), expires_at=record.expires_at)
        )
        return code

    def _has_administrator(self) -> bool:
        """Whether anybody was ever made one."""
        spans = (span for officer in self._ledger.registry.officers.values() for span in officer.spans)
        return any(isinstance(span.act, RoleGiven) and span.act.role is Role.ADMINISTRATOR for span in spans)

    async def set_up(
        self,
        code: str,
        *,
        officer: OfficerId,
        name: str,
        passphrase: str,
        device: DeviceId,
        public_key: bytes,
    ) -> Enrolled:
        """Use the first administrator's link: the officer, their passphrase and their device, all at once.

        Args:
            code: of the link.
            officer, name: collar number and name of whoever administers.
            passphrase: theirs.
            device, public_key: the device that they will administer from; whoever calls has seen a proof of its key.

        Raises:
            RefusedError: the link is unknown, used or has expired.
            UsageError: a name has not its form, or the passphrase is too weak.
        """
        now = self._now()
        known = _known(links.digest(code), self._ledger, now)
        if self._has_administrator():
            # A link of an earlier start, found in a terminal's history: it is for the first one, and there is one.
            raise RefusedError("code_used", "there is an administrator already")
        used = CodeUsed(by=SERVER, at=now, code=known)
        kept = await self._passphrases.kept(officer, passphrase)
        certificate = self._keys.certify(device, public_key, now)
        await self._ledger.perform(
            used,
            OfficerAdded(by=SERVER, at=now, officer=officer, name=name, start=now),
            RoleGiven(
                by=SERVER,
                at=now,
                span=f"first-{secrets.token_hex(6)}",
                officer=officer,
                role=Role.ADMINISTRATOR,
                start=now,
            ),
            PassphraseChanged(by=SERVER, at=now, officer=officer),
            DeviceEnrolled(by=SERVER, at=now, device=device, public_key=public_key, certificate=certificate),
            secrets=kept,
        )
        return self._enrolled(device, certificate)

    # --- devices -----------------------------------------------------------------------------------------------------

    async def issue_code(
        self, device: DeviceId, by: str, officer: OfficerId | None = None, lifetime_ms: int = CODE_MS
    ) -> tuple[str, Millis]:
        """(a one-time code for enrolling a device, when it expires).

        Raises:
            UsageError: the device cannot have that id, there is no such officer, or the lifetime is none.
        """
        now = self._now()
        text, record = codes.make(now, device, by=by, officer=officer, lifetime_ms=lifetime_ms)
        await self._ledger.perform(
            CodeIssued(
                by=by,
                at=now,
                code=bytes.fromhex(record.digest),
                device=device,
                officer=officer,
                expires_at=record.expires_at,
            )
        )
        return text, record.expires_at

    async def enrol(self, code: str, public_key: bytes, address: str | None) -> Enrolled:
        """Enrol the device that a code is for, under the key that it has made.

        Args:
            code: as it was typed.
            public_key: 32 bytes; whoever calls has seen a proof of the private half.
            address: where the call came from, for counting tries.

        Raises:
            RefusedError: the code is mistyped, unknown, used or has expired, or there were too many tries.
            UsageError: the key is none, or is or was another device's.
        """
        digest = codes.digest(code)
        now = self._now()
        names = subjects("", None, address)[1:]
        await self._tries.begin(names, now)
        again = self._enrolled_by(bytes.fromhex(digest), public_key)
        if again is not None:
            await self._tries.succeed(names, now)
            return again
        known = _known(digest, self._ledger, now)
        kept = self._ledger.registry.codes[known]
        if kept.device is None:
            raise RefusedError("code_unknown", "a link for the first administrator, used to enrol a device")
        certificate = self._keys.certify(kept.device, public_key, now)
        await self._ledger.perform(
            DeviceEnrolled(
                by=SERVER, at=now, device=kept.device, public_key=public_key, certificate=certificate, code=known
            )
        )
        await self._tries.succeed(names, now)
        return self._enrolled(kept.device, certificate)

    def _enrolled_by(self, code: bytes, public_key: bytes) -> Enrolled | None:
        """What the same call was told before: its answer may have been lost on the way, and the code is used up."""
        registry = self._ledger.registry
        kept = registry.codes.get(code)
        device = None if kept is None or kept.device is None else registry.devices.get(kept.device)
        if kept is None or device is None or kept.spent != "used" or device.public_key != public_key:
            return None
        return None if device.revoked is not None else self._enrolled(device.device, device.certificate)

    def _enrolled(self, device: DeviceId, certificate: bytes) -> Enrolled:
        return Enrolled(device=device, certificate=certificate, log_key=self._log_key, seal_to=self._keys.seal_to)

    # --- officers ----------------------------------------------------------------------------------------------------

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
            RefusedError: `webauthn_needed`: they have to use a security key.
            UsageError: they may not sign in on that device now.
        """
        await self._check_way(device, officer, method)
        now = self._now()
        acts: list[Act] = []
        registry = self._ledger.registry
        thing = registry.devices.get(device)
        seats = [] if thing is None else [each for each in thing.seats if each.officer.officer == officer]
        seat = next((each.seat for each in seats if not each.retired), None)
        if seat is None:
            seat = registry.next_seat(device)
            acts.append(SeatOpened(by=SERVER, at=now, seat=seat, device=device, officer=officer))
        until = Millis(now + SIGN_IN_MS)
        sid = secrets.token_hex(_SID_BYTES)
        acts.append(SignedIn(by=SERVER, at=now, sid=sid, seat=seat, method=method, until=until))
        await self._ledger.perform(*acts)
        if not (await self._gatekeeper.share(seat)).share:
            await self._gatekeeper.new_share(seat)
        lease = await self._gatekeeper.lease(seat)
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


def _known(digest: str, ledger: Ledger, now: Millis) -> bytes:
    """A code or link that waits, by its hash.

    Raises:
        RefusedError: `code_unknown`, `code_used` or `code_expired`.
    """
    name = bytes.fromhex(digest)
    kept = ledger.registry.codes.get(name)
    if kept is None:
        raise RefusedError("code_unknown", "no such code")
    if kept.spent is not None:
        raise RefusedError("code_used", f"the code was {kept.spent}")
    if kept.expires_at <= now:
        raise RefusedError("code_expired", "the code has expired")
    return name
