"""All webhooks of a running server: their tasks, how they stand, and what administrators do about dead letters.

Each thing an administrator does here is in the journal, and so in the log, before it is done.
"""

import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, MillisInt, OfficerId, RecordId
from server.commits import Settled
from server.events.courier import Commits, Courier
from server.events.outbox import Log
from server.events.sending import HttpPost, Post
from server.events.subscription import Subscription
from server.logbook import Entry
from server.store import Store

LETTERS: Final = "event-letters"
"""Journal entries: what an administrator has done about the events of a webhook."""
_NOISE_BYTES: Final = 4


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator has done, as the journal keeps it.

    Attributes:
        webhook: whose events.
        what: `retry`, `drop`, `drop-all` or `turn-on`.
        records: of which records; none for `turn-on`.
        by, seat: who, where.
        at: when (ms since 1970).
        why: what for.
    """

    webhook: str
    what: str
    records: tuple[RecordId, ...]
    by: OfficerId
    seat: DeviceId
    at: MillisInt
    why: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one webhook stands.

    Attributes:
        name, host: which, and where it goes.
        off, off_at: why it is sent nothing any more, and since when (ms since 1970); "" and null while it is.
        trouble: how the last call failed; "" when it did not.
        place: the op up to which it has read the log.
        waiting: events that were read and not taken yet.
        dead_letters: records with an event that was given up, until somebody looks at it.
    """

    name: str
    host: str
    off: str
    off_at: MillisInt | None
    trouble: str
    place: int
    waiting: int
    dead_letters: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one record that a subscriber did not take.

    Attributes:
        webhook, record: whose, of which record.
        events: how many wait; the first has failed, the others wait for it.
        tries: how often it was tried.
        dead_at: since when it is tried no more (ms since 1970); null while it is.
        due_at: when it is tried next (ms since 1970); null when it is not.
        why: how the last try ended.
    """

    webhook: str
    record: RecordId
    events: int
    tries: int
    dead_at: MillisInt | None
    due_at: MillisInt | None
    why: str


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something, where, and what for."""

    by: OfficerId
    seat: DeviceId
    why: str


class Webhooks:
    """See the module's text."""

    def __init__(
        self,
        store: Store,
        commits: Commits,
        now: Callable[[], Millis],
        subscriptions: Iterable[Subscription] = (),
        post: Callable[[Subscription, Callable[[], Millis]], Post] = HttpPost,
    ) -> None:
        """Bind it.

        Args:
            store, commits: see `Courier`.
            now: the server's clock (ms since 1970).
            subscriptions: whom to serve.
            post: makes what posts to one of them.
        """
        self._now = now
        self._couriers = {one.name: Courier(store, commits, one, post(one, now), now) for one in subscriptions}

    async def start(self) -> None:
        """Read where each stands; a new one begins at this moment.

        Raises:
            StoreError: the store failed.
        """
        for courier in self._couriers.values():
            await courier.start()

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What is to run while the server does."""
        return [courier.run() for courier in self._couriers.values()]

    def published(self, settled: Settled) -> None:
        """A commit is durable. The committer calls this, so nothing is read here."""
        for courier in self._couriers.values():
            courier.committed(erased=bool(settled.erased))

    @property
    def names(self) -> frozenset[str]:
        """The webhooks that there are."""
        return frozenset(self._couriers)

    def standings(self) -> list[Standing]:
        """How each stands."""
        found = []
        for name, courier in sorted(self._couriers.items()):
            waiting, dead = courier.outbox.count()
            found.append(
                Standing(
                    name=name,
                    host=courier.subscription.host,
                    off=courier.off,
                    off_at=courier.off_at,
                    trouble=courier.trouble,
                    place=courier.outbox.reached(Log.OPS),
                    waiting=waiting,
                    dead_letters=dead,
                )
            )
        return found

    def letters(self, name: str, *, dead_only: bool = True) -> list[Letter]:
        """The events of a webhook that were not taken, by record.

        Raises:
            UsageError: there is no such webhook.
        """
        return [
            Letter(
                webhook=name,
                record=record,
                events=len(held.items),
                tries=held.tries,
                dead_at=held.dead_at,
                due_at=held.due_at if held.dead_at is None else None,
                why=held.why,
            )
            for record, held in sorted(self._courier(name).outbox.held().items())
            if held.dead_at is not None or not dead_only
        ]

    async def retry(self, name: str, record: RecordId | None, actor: Actor) -> int:
        """Try a record's dead letter again, or all there are; how many.

        Raises:
            UsageError: there is no such webhook, or no such dead letter.
            StoreError: it could not be made durable.
        """
        records = self._dead(name, record)
        await self._courier(name).retry(records, self._entry(name, "retry", records, actor))
        return len(records)

    async def drop(self, name: str, record: RecordId, actor: Actor, *, every: bool) -> int:
        """Give up the event of a record that failed, or every one of it that waits; how many.

        Raises:
            UsageError: there is no such webhook, or no such dead letter.
            StoreError: it could not be made durable.
        """
        records = self._dead(name, record)
        courier = self._courier(name)
        count = len(courier.outbox.held()[record].items) if every else 1
        await courier.drop(record, self._entry(name, "drop-all" if every else "drop", records, actor), every=every)
        return count

    async def turn_on(self, name: str, actor: Actor) -> None:
        """Send again to a subscriber who wanted nothing any more; it goes on where it was.

        Raises:
            UsageError: there is no such webhook, or it is not off.
            StoreError: it could not be made durable.
        """
        courier = self._courier(name)
        if not courier.off:
            raise UsageError(f"webhook {name} is not off; see how it stands with: beatbook events list")
        await courier.turn_on(self._entry(name, "turn-on", (), actor))

    def _courier(self, name: str) -> Courier:
        found = self._couriers.get(name)
        if found is None:
            known = ", ".join(sorted(self._couriers)) or "none"
            raise UsageError(f"there is no webhook {name!r}; the configuration has {known}")
        return found

    def _dead(self, name: str, record: RecordId | None) -> tuple[RecordId, ...]:
        dead = [letter.record for letter in self.letters(name)]
        if record is None:
            if not dead:
                raise UsageError(f"webhook {name} has no dead letter")
            return tuple(dead)
        if record not in dead:
            raise UsageError(f"webhook {name} has no dead letter of record {record}; list them first")
        return (record,)

    def _entry(self, name: str, what: str, records: Sequence[RecordId], actor: Actor) -> Entry:
        now = self._now()
        deed = Deed(
            webhook=name, what=what, records=tuple(records), by=actor.by, seat=actor.seat, at=now, why=actor.why
        )
        key = f"{name}:{now}:{secrets.token_hex(_NOISE_BYTES)}"
        # Under its record where it is about one: what somebody wrote as the reason goes with that.
        return Entry(LETTERS, key, msgspec.msgpack.encode(deed), records[0] if len(records) == 1 else None)
