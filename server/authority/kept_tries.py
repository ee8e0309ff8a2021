"""The counts of tries, as they outlive the process: among the server's secrets.

Codes that are typed and passphrases are counted together: whoever guesses at one from some address has fewer tries at
the other.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from server.authority.ledger import Ledger
from server.federation.tries import Count, Tries
from server.store import Store

TRIES: Final = "tries/"
"""Before each subject's name among the secrets."""


class _Keeper:
    """Keeps counts of tries among the secrets."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def keep(self, counts: Mapping[str, Count | None]) -> None:
        """See `server.federation.tries.Keeper`."""
        await self._ledger.keep(
            {TRIES + name: None if count is None else msgspec.msgpack.encode(count) for name, count in counts.items()}
        )


class KeptTries(Tries):
    """The counts of one running server."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        """Bind it; `start` reads what was kept."""
        super().__init__(_Keeper(ledger), {})
        self._store = store

    async def start(self) -> None:
        """Read what was kept, before the first try.

        Raises:
            StoreError: it cannot be read.
        """
        kept = await self._store.secrets(TRIES)
        self._counts.update(
            {name.removeprefix(TRIES): msgspec.msgpack.decode(raw, type=Count) for name, raw in kept.items()}
        )
