"""Administrators' security keys as a running server keeps them: among the secrets, each change with a journal entry.

Nothing here opens anything by itself, for these are public halves. They lie among the secrets because they change with
every use, and the journal never does. That a key was registered, removed or found to be copied is an entry, in the
commit that makes it so: a key that the list shows and the journal does not know is nobody's to trust.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from schemas.ids import Millis, MillisInt, OfficerId
from server.authority.ledger import Ledger
from server.federation.credentials import Credential
from server.logbook import SECURITY_KEY, Entry
from server.store import Store

PREFIX: Final = "security-key/"
"""Before a key's name among the secrets."""
_NOISE_BYTES: Final = 4


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a security key, as the journal keeps it.

    Attributes:
        change: what.
        id: the credential's.
        officer, label: whose, and what they call it.
        by: the officer who did it; whose key it is, where a use of it showed that it was copied.
        at: when (ms since 1970).
        why: what for; "" where it explains itself.
    """

    change: Literal["added", "removed", "cloned"]
    id: bytes
    officer: str
    label: str
    by: str
    at: MillisInt
    why: str = ""


class StoreCredentials:
    """Credentials in the server's store. See `server.federation.credentials.Credentials`."""

    def __init__(self, ledger: Ledger, store: Store, now: Callable[[], Millis]) -> None:
        """Bind it; `now` is the server's clock (ms since 1970)."""
        self._ledger = ledger
        self._store = store
        self._now = now
        # Between what is read and what is written on the strength of it nobody else writes.
        self._one_at_a_time = asyncio.Lock()

    async def all(self) -> list[Credential]:
        """Everybody's, oldest first.

        Raises:
            StoreError: they cannot be read.
        """
        kept = await self._store.secrets(PREFIX)
        found = [msgspec.msgpack.decode(raw, type=Credential) for raw in kept.values()]
        return sorted(found, key=lambda each: (each.registered_at, each.id))

    async def of_officer(self, officer: OfficerId) -> Sequence[Credential]:
        """See `Credentials`."""
        return [each for each in await self.all() if each.officer == officer]

    async def find(self, credential_id: bytes) -> Credential | None:
        """See `Credentials`."""
        kept = await self._store.secret(_name(credential_id))
        return None if kept is None else msgspec.msgpack.decode(kept, type=Credential)

    async def add(self, credential: Credential) -> bool:
        """See `Credentials`; it is its officer's own doing."""
        async with self._one_at_a_time:
            if await self.find(credential.id) is not None:
                return False
            await self._keep(credential, self._change("added", credential, credential.officer))
            return True

    async def replace(self, before: Credential, after: Credential) -> bool:
        """See `Credentials`."""
        async with self._one_at_a_time:
            if await self.find(before.id) != before:
                return False
            cloned = before.cloned_at is None and after.cloned_at is not None
            await self._keep(after, self._change("cloned", after, after.officer) if cloned else None)
            return True

    async def remove(self, credential_id: bytes, by: OfficerId | None = None, why: str = "") -> bool:
        """See `Credentials`.

        Args:
            credential_id: which.
            by: who does it; its officer by default.
            why: what for.
        """
        async with self._one_at_a_time:
            kept = await self.find(credential_id)
            if kept is None:
                return False
            entry = self._change("removed", kept, by or kept.officer, why)
            await self._ledger.keep({_name(credential_id): None}, [entry])
            return True

    async def _keep(self, credential: Credential, entry: Entry | None) -> None:
        kept = {_name(credential.id): msgspec.msgpack.encode(credential)}
        await self._ledger.keep(kept, [] if entry is None else [entry])

    def _change(
        self, change: Literal["added", "removed", "cloned"], credential: Credential, by: str, why: str = ""
    ) -> Entry:
        at = self._now()
        body = KeyChange(
            change=change, id=credential.id, officer=credential.officer, label=credential.label, by=by, at=at, why=why
        )
        raw = msgspec.msgpack.encode(body)
        # The same key may come and go more than once in a moment that the clock does not tell apart.
        name = f"{_digest(credential.id)}:{at}:{change}:{secrets.token_hex(_NOISE_BYTES)}"
        return Entry(SECURITY_KEY, name, raw)


def _digest(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()


def _name(credential_id: bytes) -> str:
    return PREFIX + _digest(credential_id)
