"""Officers' passphrases and PINs: kept as verifiers among the secrets, changed by their owner, reset for one sign-in.

Whoever resets a passphrase learns the new one. So it is good for one sign-in only, within a day, and at that sign-in
the officer chooses another: from then on nobody else knows it (NIST SP 800-63B section 4.2, replacement of an
authenticator that was lost).
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import Millis, OfficerId
from server.authority.ledger import Ledger
from server.federation.passphrases import Parameters, Policy, Verifiers
from server.registry.acts import PassphraseChanged
from server.store import Store

PASSPHRASE: Final = "passphrase/"  # noqa: S105  a prefix of names
ONCE: Final = "passphrase-once/"
ONCE_MS: Final = 24 * 60 * 60_000
"""How long a reset passphrase waits to be used."""
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter looks like a digit."""
_GROUPS: Final = 4
_GROUP_CHARS: Final = 4


class Passphrases:
    """What officers show beside the device's key."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        pepper: bytes,
        now: Callable[[], Millis],
        parameters: Parameters | None = None,
    ) -> None:
        """Bind it.

        Args:
            ledger, store: where verifiers are kept.
            pepper: the server's, 32 bytes (RFC 9106 section 3.1).
            now: its clock (ms since 1970).
            parameters: what a hash costs; the default is what a server has.
        """
        self._ledger = ledger
        self._store = store
        self._now = now
        self._verifiers = Verifiers(pepper, parameters)
        self._policy = Policy()
        # Two at once: each takes a core and its memory for a while.
        self._hashing = asyncio.Semaphore(2)

    async def kept(self, officer: OfficerId, passphrase: str) -> dict[str, bytes | None]:
        """The secrets to keep so that an officer's passphrase is this one, and is no one-time one.

        Raises:
            UsageError: it may not be chosen; the text says why.
        """
        wrong = self._policy.problem(passphrase, officer)
        if wrong is not None:
            raise UsageError(wrong)
        return {PASSPHRASE + officer: await self._made(passphrase), ONCE + officer: None}

    async def check(self, officer: OfficerId, passphrase: str) -> bool:
        """Whether this is the officer's passphrase; for whom there is none, that costs the same. Count the try before.

        Raises:
            StoreError: what is kept cannot be read.
        """
        kept = await self._store.secret(PASSPHRASE + officer)
        verifier = None if kept is None else kept.decode()
        async with self._hashing:
            right = await asyncio.to_thread(self._verifiers.check, verifier, passphrase)
        if right and verifier is not None and self._verifiers.is_stale(verifier):
            await self._ledger.keep({PASSPHRASE + officer: await self._made(passphrase)})
        return right

    async def once_until(self, officer: OfficerId) -> Millis | None:
        """When a one-time passphrase ends (ms since 1970); None for one that the officer chose."""
        kept = await self._store.secret(ONCE + officer)
        return None if kept is None else Millis(msgspec.msgpack.decode(kept, type=int))

    async def change(self, officer: OfficerId, passphrase: str) -> None:
        """Give an officer the passphrase that they have chosen.

        Raises:
            UsageError: there is no such officer, or it may not be chosen.
        """
        kept = await self.kept(officer, passphrase)
        await self._keep(PassphraseChanged(by=officer, at=self._now(), officer=officer), kept)

    async def reset(self, officer: OfficerId, by: str) -> tuple[str, Millis]:
        """(a passphrase that is good for one sign-in, until when), in place of the officer's.

        Raises:
            UsageError: there is no such officer.
        """
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS))
        passphrase, until = "-".join(groups), Millis(self._now() + ONCE_MS)
        kept = {PASSPHRASE + officer: await self._made(passphrase), ONCE + officer: msgspec.msgpack.encode(until)}
        await self._keep(PassphraseChanged(by=by, at=self._now(), officer=officer, reset=True), kept)
        return passphrase, until

    async def _keep(self, act: PassphraseChanged, kept: Mapping[str, bytes | None]) -> None:
        await self._ledger.perform(act, secrets=kept)

    async def _made(self, passphrase: str) -> bytes:
        async with self._hashing:
            return (await asyncio.to_thread(self._verifiers.make, passphrase)).encode()
