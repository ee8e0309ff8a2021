"""`Ledger`: the registry, in step with the journal. Acts go through here one after the other; rights follow at once.

An act, and what it changes of anybody's rights, is one commit. Sessions hear of it when it is durable. When time passes
a moment at which a right begins or ends, that is an act too, by the server.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from schemas.codec import encode as encode_op
from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Generation, Millis, RecordId, ScopeName
from schemas.ops import Op
from server.commits import Submission
from server.logbook import ACT, OFFICE, Entry, Erasure
from server.registry import DEFAULT_RULES, Registry, Rules, affected, due, next_change, plan
from server.registry.acts import Act, SeatRights, decode, encode
from server.store import Store

_log = logging.getLogger(__name__)
_PAGE: Final = 500
_LOOK_MS: Final = 60_000
"""How often the clock is looked at when nothing is due: it may have been set."""
_RETRY_S: Final = 1.0
"""Wait after rights that were due could not be committed."""


class Commits(Protocol):
    """Where acts are made durable: the committer."""

    async def commit(self, submission: Submission) -> object:
        """Have it committed."""


class Ledger:
    """The registry of a running server."""

    def __init__(
        self,
        store: Store,
        commits: Commits,
        now: Callable[[], Millis],
        regranted: Callable[[DeviceId, Mapping[ScopeName, Generation]], object],
        done: Callable[[Act], object],
        *,
        rules: Rules = DEFAULT_RULES,
    ) -> None:
        """Bind it; `start` reads what was committed.

        Args:
            store, commits: where acts are read and made durable.
            now: the server's clock (ms since 1970).
            regranted: called with a seat and the scopes that it holds, whenever its rights were looked at anew: they,
                or whether its officer serves, may have changed. What is told is durable.
            done: called with every act that is durable, after that.
            rules: which role gives which scopes.
        """
        self._done = done
        self._store = store
        self._commits = commits
        self._now = now
        self._regranted = regranted
        self._rules = rules
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        self._count = 0
        self._looked_at = Millis(0)
        self.registry = Registry(rules)

    async def start(self) -> None:
        """Read all acts that were committed, and bring rights up to now.

        Raises:
            StoreError: they cannot be read, or the rights that have changed meanwhile cannot be kept.
        """
        async with self._one_at_a_time:
            await self._reload()
            # What began or ended while the server was down.
            await self._commit([], {}, self.registry.seats.keys())
            self._looked_at = self._now()

    async def _reload(self) -> None:
        acts = await self._acts()
        self.registry = Registry.of(acts, self._rules)
        self._count = len(acts)

    async def _acts(self) -> list[Act]:
        acts: list[Act] = []
        place = 0
        while page := await self._store.journal(ACT, place, _PAGE):
            acts += [decode(entry.body) for entry in page if entry.body is not None]
            place = page[-1].place
        return acts

    async def trial(self) -> Registry:
        """A registry of the caller's own, as the durable acts make it: what is tried on it is not done.

        Raises:
            StoreError: the acts cannot be read.
        """
        # Years of shifts take a second to go through: the sockets are not kept waiting for it.
        return await asyncio.to_thread(Registry.of, await self._acts(), self._rules)

    async def perform(
        self,
        *acts: Act,
        secrets: Mapping[str, bytes | None] | None = None,
        erasure: Erasure | None = None,
        ops: Sequence[Op] = (),
    ) -> None:
        """Do acts, all of them or none, with what follows from them for anybody's rights.

        Args:
            acts: in order.
            secrets: what to keep or forget in the same commit, by name.
            erasure: the record that the acts erase; without it they are not kept either.
            ops: the server's own, that go with the acts: the acts are kept with the last of them.

        Raises:
            UsageError: one cannot be done; the text says why. Nothing was done.
            StoreError: they could not be made durable.
        """
        async with self._one_at_a_time:
            await self._commit(acts, secrets or {}, (), erasure, ops)

    async def bring_up(self, seat: DeviceId) -> None:
        """Bring what is recorded of a seat's rights up to this moment.

        Raises:
            StoreError: the change could not be made durable.
        """
        if plan(self.registry, seat, self._moment()) is not None:
            async with self._one_at_a_time:
                await self._commit((), {}, (seat,))

    async def keep(self, secrets: Mapping[str, bytes | None], entries: Sequence[Entry] = ()) -> None:
        """Keep or forget secrets, durably, apart from any act.

        Args:
            secrets: by name.
            entries: what the journal is to say of it, in the same commit.

        Raises:
            StoreError: it could not be done.
        """
        submission = Submission(OFFICE, frozenset(), (), entries=tuple(entries), secrets=dict(secrets))
        await self._commits.commit(submission)

    async def run(self) -> None:
        """Let rights begin and end as time passes, until cancelled."""
        while True:
            self._changed.clear()
            soonest = next_change(self.registry, self._looked_at)
            wait_ms = _LOOK_MS if soonest is None else max(0, min(_LOOK_MS, soonest - self._now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1_000):
                    await self._changed.wait()
            try:
                await self.pass_time()
            except StoreError as error:
                _log.error("rights that have changed cannot be kept: %s", error)
                await asyncio.sleep(_RETRY_S)

    async def pass_time(self) -> None:
        """Carry out what time has brought since it was last looked at.

        Raises:
            StoreError: it could not be made durable; it is tried again.
        """
        async with self._one_at_a_time:
            now = self._moment()
            seats = due(self.registry, self._looked_at, now)
            await self._commit((), {}, seats)
            self._looked_at = now

    def _moment(self) -> Millis:
        """Now, never before a moment that was acted on: time that goes back would give rights back."""
        return max(self._looked_at, self._now())

    async def _commit(
        self,
        acts: Sequence[Act],
        secrets: Mapping[str, bytes | None],
        seats: Iterable[DeviceId],
        erasure: Erasure | None = None,
        ops: Sequence[Op] = (),
    ) -> None:
        """Apply acts and what follows, then make them durable; with neither, what was applied is taken back."""
        applied: list[Act] = []
        touched = set(seats)
        try:
            for act in acts:
                self.registry.check(act)
                self.registry.apply(act)
                applied.append(act)
                touched |= affected(self.registry, act)
            applied += self._rights(touched)
            if applied or secrets or ops:
                entries = tuple(
                    Entry(ACT, f"{self._count + i:012d}", encode(act)) for i, act in enumerate(applied, start=1)
                )
                # The server's own ops may change every record.
                await self._commits.commit(
                    Submission(
                        OFFICE,
                        None if ops else frozenset(),
                        tuple(map(encode_op, ops)),
                        entries=entries,
                        secrets=dict(secrets),
                        erasure=erasure,
                    )
                )
            if erasure is not None:
                await self._require_erased(erasure.record)
        except BaseException:
            if applied:
                await asyncio.shield(self._reload())
            raise
        self._count += len(applied)
        for seat in sorted(touched):
            self._regranted(seat, self.registry.seats[seat].grants())
        for act in applied:
            self._done(act)
        self._changed.set()

    async def _require_erased(self, record: RecordId) -> None:
        """Tell whoever asked for an erasure that the commit has not carried it out, if it has not."""
        if await self._store.erased(record) is None:
            raise UsageError(
                f"record {record}: somebody has written into it since its erasure was proposed, so it was not erased; "
                "review it as it is now"
            )

    def _rights(self, seats: Iterable[DeviceId]) -> list[SeatRights]:
        found = []
        for seat in sorted(seats):
            change = plan(self.registry, seat, self._moment())
            if change is not None:
                self.registry.apply(change)
                found.append(change)
        return found
