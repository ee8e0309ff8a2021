"""Signing administrators in with security keys: who may register one, on which device it signs in, and who must.

A ceremony is bound to the device that began it: what a security key says in it is worth nothing to any other device, so
an answer that is stolen on its way opens nothing.
"""

import hmac
from collections.abc import Callable
from typing import Any

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from schemas.roles import Role
from server.authority.credentials import StoreCredentials
from server.authority.ledger import Ledger
from server.authority.provider import Admit
from server.authority.signing import SignedInSeat
from server.federation.credentials import Credential
from server.federation.refusals import RefusedError
from server.federation.settings import WebAuthnSettings
from server.federation.webauthn import WebAuthn
from server.registry import roles_of


class _Begun(msgspec.Struct, frozen=True, kw_only=True):
    jkt: str
    handle: str


class SecurityKeys:
    """The security keys of one server's administrators."""

    def __init__(
        self,
        settings: WebAuthnSettings,
        credentials: StoreCredentials,
        ledger: Ledger,
        admit: Admit,
        now: Callable[[], Millis],
    ) -> None:
        """Bind it.

        Args:
            settings: domain, origins, and whether a key must be used.
            credentials: where the public keys are.
            ledger: who administers.
            admit: signs an officer in whose identity has been established.
            now: the server's clock (ms since 1970).
        """
        self._ledger = ledger
        self._admit = admit
        self._now = now
        self._webauthn = WebAuthn(settings, credentials)
        self._begun: dict[DeviceId, _Begun] = {}
        self.credentials = credentials

    async def begin_registration(self, officer: OfficerId, label: str) -> tuple[dict[str, Any], str]:
        """(options for the browser, handle of the ceremony) for another key of an administrator who is signed in.

        Raises:
            RefusedError: `webauthn_busy`, `webauthn_full`.
        """
        return await self._webauthn.begin_registration(officer, label, self._now())

    async def finish_registration(self, officer: OfficerId, handle: str, response: bytes) -> Credential:
        """Keep the key that the browser's answer shows.

        Raises:
            RefusedError: as `WebAuthn.finish_registration`.
            StoreError: it could not be kept.
        """
        return await self._webauthn.finish_registration(officer, handle, response, self._now())

    async def remove(self, credential_id: bytes, by: OfficerId, why: str) -> None:
        """Forget a key.

        Raises:
            UsageError: there is none.
        """
        if not await self.credentials.remove(credential_id, by, why):
            raise UsageError("no security key of that id is registered; see the list of them")

    async def begin_sign_in(self, device: DeviceId, jkt: str) -> tuple[dict[str, Any], str]:
        """(options for the browser, handle of the ceremony); one that the device had begun before is over.

        Args:
            device: which; whoever calls has seen a proof of its key.
            jkt: that key's thumbprint.

        Raises:
            RefusedError: `webauthn_busy`.
        """
        earlier = self._begun.pop(device, None)
        if earlier is not None:
            self._webauthn.forget(earlier.handle)
        options, handle = await self._webauthn.begin_authentication(self._now())
        self._begun[device] = _Begun(jkt=jkt, handle=handle)
        return options, handle

    async def finish_sign_in(self, device: DeviceId, jkt: str, handle: str, response: bytes) -> SignedInSeat:
        """Sign in the administrator whose key has answered.

        Args:
            device, jkt: as for `begin_sign_in`.
            handle: what that gave.
            response: what the browser sends: `AuthenticationResponseJSON`.

        Raises:
            RefusedError: `webauthn_no_ceremony`, `webauthn_invalid`, `webauthn_cloned`. The ceremony is over once its
                own device has asked.
            UsageError: the officer may not sign in on that device now.
            StoreError: it could not be made durable.
        """
        begun, now = self._begun.get(device), self._now()
        if begun is None or begun.jkt != jkt or not hmac.compare_digest(handle.encode(), begun.handle.encode()):
            raise RefusedError("webauthn_no_ceremony", f"device {device} has none of that handle")
        del self._begun[device]
        verified = await self._webauthn.finish_authentication(handle, response, now)
        if not self._administers(verified.collar, now):
            raise RefusedError("webauthn_invalid", f"a key of {verified.collar}, who does not administer any more")
        return await self._admit(device, verified.collar, verified.method.value)

    def _administers(self, officer: OfficerId, at: Millis) -> bool:
        return Role.ADMINISTRATOR in roles_of(self._ledger.registry, officer, at)


class KeyPolicy:
    """Whether an officer has to sign in with a security key."""

    def __init__(
        self, credentials: StoreCredentials, ledger: Ledger, now: Callable[[], Millis], *, required: bool
    ) -> None:
        """Bind it; `required` is whether the configuration asks it of administrators."""
        self._credentials = credentials
        self._ledger = ledger
        self._now = now
        self._required = required

    async def needs_key(self, officer: OfficerId) -> bool:
        """Whether they administer and have a key, on a server that asks for it.

        Who has none yet signs in another way, to register one. A key that was copied counts: else whoever copied it
        could bring the passphrase back.

        Raises:
            StoreError: the keys cannot be read.
        """
        if not self._required or officer not in self._ledger.registry.officers:
            return False
        if Role.ADMINISTRATOR not in roles_of(self._ledger.registry, officer, self._now()):
            return False
        return len(await self._credentials.of_officer(officer)) > 0
