"""Enrolling devices: the first administrator's link, one-time codes, certificates.

A code or link is good once. What enrols a device is what uses its code up, in one commit.
"""

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server import alarms
from server.alarms import Alarm
from server.authority.keys import ServerKeys
from server.authority.ledger import Ledger
from server.authority.passphrases import Passphrases
from server.federation import codes, links
from server.federation.refusals import RefusedError
from server.federation.tries import Tries, subjects
from server.logbook import OFFICE
from server.registry import roles_of
from server.registry.acts import (
    SERVER,
    Act,
    CodeIssued,
    CodeUsed,
    DeviceEnrolled,
    OfficerAdded,
    OfficerReturned,
    PassphraseChanged,
    RoleGiven,
    SignInUnlocked,
)

RECOVERY: Final = "administration_recovered"
"""The alarm of a server that was started to make another administrator."""


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


class Enrolling:
    """The desk at which devices are enrolled."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        keys: ServerKeys,
        log_key: str,
        passphrases: Passphrases,
        tries: Tries,
        now: Callable[[], Millis],
    ) -> None:
        """Bind the parts; `log_key` is the log's vkey."""
        self._ledger = ledger
        self._keys = keys
        self._log_key = log_key
        self._passphrases = passphrases
        self._tries = tries
        self._now = now
        self._recovering: set[bytes] = set()
        """Hashes of links that are good although somebody administers."""

    # --- the first administrator -------------------------------------------------------------------------------------

    async def first_link(self, *, recover: bool = False) -> str | None:
        """The code of a one-time link for whoever is to administer; None while somebody does.

        Each start makes a new one while nobody has used any: what an earlier start printed may have been lost.

        Args:
            recover: make one although somebody administers: they have lost passphrase or device, or are locked. It is
                for whoever runs the server's machine, is good with this run alone, and leaves an alarm in the log.
        """
        now = self._now()
        if self._administered() and not recover:
            return None
        code, record = links.make(now)
        if recover:
            self._recovering.add(bytes.fromhex(record.digest))
            words = "the server was started to make an administrator beside those there are"
            await self._ledger.keep({}, [alarms.entry(Alarm(RECOVERY, OFFICE, words, now))])
        await self._ledger.perform(
            CodeIssued(by=SERVER, at=now, code=bytes.fromhex(record.digest), expires_at=record.expires_at)
        )
        return code

    def _administered(self) -> bool:
        """Whether anybody is administrator now."""
        registry, now = self._ledger.registry, self._now()
        return any(Role.ADMINISTRATOR in roles_of(registry, officer, now) for officer in registry.officers)

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
        """Use a link to administer: the officer, their passphrase and their device, all at once.

        An officer who is there already keeps their name; what they lack of the role is given to them, and their sign-in
        opened.

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
        if self._administered() and known not in self._recovering:
            # A link of an earlier start, found in a terminal's history: it is for the first one, and there is one.
            raise RefusedError("code_used", "there is an administrator already")
        used = CodeUsed(by=SERVER, at=now, code=known)
        kept = await self._passphrases.kept(officer, passphrase)
        certificate = self._keys.certify(device, public_key, now)
        known_before = officer in self._ledger.registry.officers
        await self._ledger.perform(
            used,
            *self._appointed(officer, name, now),
            PassphraseChanged(by=SERVER, at=now, officer=officer, reset=known_before),
            DeviceEnrolled(by=SERVER, at=now, device=device, public_key=public_key, certificate=certificate),
            secrets=kept,
        )
        self._recovering.discard(known)
        if known_before:
            await self._tries.unlock(subjects(officer, None, None)[0])
        return self._enrolled(device, certificate)

    def _appointed(self, officer: OfficerId, name: str, now: Millis) -> list[Act]:
        """What it takes for somebody to be an administrator who can sign in."""
        found: list[Act] = []
        there = self._ledger.registry.officers.get(officer)
        if there is None:
            found.append(OfficerAdded(by=SERVER, at=now, officer=officer, name=name, start=now))
        elif not there.serves(now):
            found.append(OfficerReturned(by=SERVER, at=now, officer=officer, start=now))
        if Role.ADMINISTRATOR not in roles_of(self._ledger.registry, officer, now):
            span = f"first-{secrets.token_hex(6)}"
            found.append(RoleGiven(by=SERVER, at=now, span=span, officer=officer, role=Role.ADMINISTRATOR, start=now))
        if there is not None and there.locked:
            found.append(SignInUnlocked(by=SERVER, at=now, officer=officer, why="set up anew at the server's machine"))
        return found

    # --- devices -----------------------------------------------------------------------------------------------------

    async def issue_code(
        self, device: DeviceId, by: str, officer: OfficerId | None = None, lifetime_ms: int = codes.LIFETIME_MS
    ) -> tuple[str, Millis]:
        """(a one-time code for enrolling a device, when it expires).

        Raises:
            UsageError: the device cannot have that id, there is no such officer, or the lifetime is none.
        """
        now = self._now()
        text, record = codes.make(now, lifetime_ms=lifetime_ms)
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
