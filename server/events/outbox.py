"""What one subscription is sent next, and what of that must be kept: pure, with the time passed in.

What is to be told lies in logs that only grow: the ops, and the acts (an erasure is one). A subscription has read each
log up to a place; what it has read and not sent stands in queues, one for each record. The first of a queue is sent;
the others wait for it, so the events of one record never overtake each other, and no record waits for another one.

Kept are a place in each log, up to which everything was sent or stands in a queue that is kept, and of the queues only
those that have met a failure, until they are empty. A start reads on from there, so what was under way is sent again:
at least once, and never a gap. After as many tries as the force allows a queue is a dead letter: its events wait for a
person.

    waiting  --sent-->    its next event waits, or it is gone
    waiting  --failed-->  waiting, until its next try   (after `tries_max`: dead)
    dead     --retry-->   waiting
    dead     --drop-->    its next event waits, or it is gone
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.ids import Millis, RecordId

AHEAD_MAX: Final = 500
"""Events that a subscription has read and that wait for their first or next try: beyond, it reads no further."""
HELD_MAX: Final = 100_000
"""Events in queues that are dead letters: beyond, it reads no further until somebody looks at them."""


class Log(enum.IntEnum):
    """Where an event comes from. The numbers are kept."""

    OPS = 0
    ACTS = 1


class Item(NamedTuple):
    """One event that is to be sent: an op or an act, by its place in its log."""

    log: Log
    place: int


class Backoff(msgspec.Struct, frozen=True):
    """How often and when an event is tried again.

    Attributes:
        tries_max: after so many failures it is a dead letter.
        first_ms, most_ms: the wait after the first failure, and the longest one; each is twice the one before.
    """

    tries_max: int
    first_ms: int
    most_ms: int

    def wait_ms(self, failures: int, share: float) -> int:
        """How long to wait after so many failures (1 or more), in ms.

        Half of it is left to chance, so that what failed together does not come back together.

        Args:
            failures: how many there were in a row.
            share: a random number in [0, 1).
        """
        doubled = self.first_ms << min(failures - 1, 40)
        whole = min(doubled, self.most_ms)
        return int(whole / 2 + share * whole / 2)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that has met a failure, as it is kept.

    Attributes:
        items: its events in their order.
        tries: how often the first has failed.
        due_at: when it is tried next (ms since 1970).
        dead_at: since when it is a dead letter (ms since 1970); None while it is not.
        why: how the last try ended.
    """

    items: tuple[Item, ...]
    tries: int
    due_at: Millis
    dead_at: Millis | None
    why: str


class _Queue:
    """The events of one record that wait."""

    __slots__ = ("apart", "dead_at", "due_at", "items", "sending", "tries", "why")

    def __init__(self, held: Held | None = None) -> None:
        self.items: list[Item] = [] if held is None else list(held.items)
        self.apart = held is not None
        """Whether it is kept."""
        self.sending = False
        self.tries, self.due_at, self.dead_at, self.why = 0, Millis(0), None, ""
        if held is not None:
            self.tries, self.due_at, self.dead_at, self.why = held.tries, held.due_at, held.dead_at, held.why

    tries: int
    due_at: Millis
    dead_at: Millis | None
    why: str

    def held(self) -> Held:
        """As it is kept."""
        return Held(items=tuple(self.items), tries=self.tries, due_at=self.due_at, dead_at=self.dead_at, why=self.why)

    def knows(self, item: Item) -> bool:
        """Whether an event is in it, or was sent before those that are."""
        return any(one.log is item.log and item.place <= one.place for one in self.items)

    def rest(self) -> None:
        """What is first now has not been tried."""
        self.tries, self.due_at, self.dead_at, self.why = 0, Millis(0), None, ""


class Changes(msgspec.Struct, frozen=True):
    """What has to be kept.

    Attributes:
        places: by log, the place behind which a start goes on.
        held: record -> its queue; None: it is kept no longer.
    """

    places: tuple[int, int]
    held: Mapping[RecordId, Held | None]


class Outbox:
    """See the module's text."""

    def __init__(self, backoff: Backoff, places: tuple[int, int], held: Mapping[RecordId, Held]) -> None:
        """Go on from what was kept.

        Args:
            backoff: how often and when to try again.
            places: by log, the place behind which to go on.
            held: the queues that were kept.
        """
        self._backoff = backoff
        found = {record: _Queue(one) for record, one in held.items()}
        self._live = {record: queue for record, queue in found.items() if queue.dead_at is None}
        self._dead = {record: queue for record, queue in found.items() if queue.dead_at is not None}
        self._reached = list(places)
        self._kept_places = places
        self._touched: set[RecordId] = set()
        """Records whose queues are not kept as they stand."""

    # --- what comes in -----------------------------------------------------------------------------------------------

    def reached(self, log: Log) -> int:
        """The place up to which a log was read."""
        return self._reached[log]

    @property
    def has_room(self) -> bool:
        """Whether to read on."""
        ahead, dead = (sum(len(queue.items) for queue in some.values()) for some in (self._live, self._dead))
        return ahead < AHEAD_MAX and dead < HELD_MAX

    def take(self, record: RecordId, item: Item) -> None:
        """An event was read that is to be sent."""
        queue = self._dead.get(record) or self._live.setdefault(record, _Queue())
        if not queue.knows(item):
            queue.items.append(item)
            self._touch(record, queue)

    def has(self, record: RecordId) -> bool:
        """Whether anything of a record waits."""
        return record in self._live or record in self._dead

    def void(self, record: RecordId) -> None:
        """Nothing that waits of a record may be sent any more; what is under way is about to be told how it went."""
        queue = self._dead.pop(record, None) or self._live.get(record)
        if queue is None:
            return
        self._live[record] = queue
        queue.rest()
        self._cut(record, queue, slice(1 if queue.sending else 0, None))

    def read_to(self, log: Log, place: int) -> None:
        """A log was read up to this place; what of it is to be sent was taken."""
        self._reached[log] = max(self._reached[log], place)

    # --- what goes out -----------------------------------------------------------------------------------------------

    def ready(self, now: Millis, most: int) -> list[tuple[RecordId, Item]]:
        """At most so many events to send now; each is under way until one of the calls below says how it went."""
        found: list[tuple[RecordId, Item]] = []
        for record, queue in self._live.items():
            if len(found) >= most:
                break
            if not queue.sending and queue.due_at <= now:
                queue.sending = True
                found.append((record, queue.items[0]))
        return found

    def next_due(self) -> Millis | None:
        """When an event is to be tried next that is not under way (ms since 1970); None for none."""
        return min((queue.due_at for queue in self._live.values() if not queue.sending), default=None)

    def sent(self, record: RecordId) -> None:
        """The event of a record that is under way has arrived, or need not be sent any more."""
        # To the end: a record with much to tell must not keep its place before those that have waited longer.
        queue = self._live[record] = self._live.pop(record)
        queue.sending = False
        queue.rest()
        self._cut(record, queue, slice(0, 1))

    def put_back(self, record: RecordId) -> None:
        """It could not be tried for a reason that is not its own; that counts as no try."""
        self._live[record].sending = False

    def failed(self, record: RecordId, why: str, now: Millis, share: float) -> bool:
        """It was tried, and not taken. Returns whether it is a dead letter now.

        Args:
            record: whose.
            why: how the try ended, in words without anything of the event.
            now: the server's clock (ms since 1970).
            share: a random number in [0, 1).
        """
        queue = self._live[record]
        queue.sending, queue.apart, queue.why = False, True, why
        queue.tries += 1
        queue.due_at = Millis(now + self._backoff.wait_ms(queue.tries, share))
        self._touch(record, queue)
        if queue.tries < self._backoff.tries_max:
            return False
        queue.dead_at = now
        self._dead[record] = self._live.pop(record)
        return True

    # --- dead letters ------------------------------------------------------------------------------------------------

    def held(self) -> dict[RecordId, Held]:
        """The queues whose first event has failed: those that are tried again, then the dead letters."""
        waiting = {record: queue.held() for record, queue in self._live.items() if queue.tries}
        return waiting | {record: queue.held() for record, queue in self._dead.items()}

    def retry(self, records: Iterable[RecordId], now: Millis) -> int:
        """Try the dead letters of these records again, from now on; how many there were."""
        found = [record for record in records if record in self._dead]
        for record in found:
            queue = self._live[record] = self._dead.pop(record)
            queue.rest()
            queue.due_at = now
            self._touch(record, queue)
        return len(found)

    def drop(self, record: RecordId, *, every: bool) -> int:
        """Give up a record's dead letter, or that and every event behind it; how many that are. 0: it is none."""
        queue = self._dead.pop(record, None)
        if queue is None:
            return 0
        self._live[record] = queue
        count = len(queue.items) if every else 1
        queue.rest()
        self._cut(record, queue, slice(0, count))
        return count

    def _cut(self, record: RecordId, queue: _Queue, part: slice) -> None:
        del queue.items[part]
        self._touch(record, queue)
        if not queue.items:
            del self._live[record]

    def _touch(self, record: RecordId, queue: _Queue) -> None:
        if queue.apart:
            self._touched.add(record)

    # --- what is kept ------------------------------------------------------------------------------------------------

    def places(self) -> tuple[int, int]:
        """By log, the place behind which a start must go on: nothing up to it waits, but what is kept apart."""
        found = list(self._reached)
        for queue in self._live.values():
            for item in () if queue.apart else queue.items:
                found[item.log] = min(found[item.log], item.place - 1)
        return found[Log.OPS], found[Log.ACTS]

    def unkept(self) -> Changes:
        """What is not kept yet as it stands; tell `keep` when it is."""
        queues = {record: self._live.get(record) or self._dead.get(record) for record in self._touched}
        held = {record: None if queue is None or not queue.apart else queue.held() for record, queue in queues.items()}
        return Changes(self.places(), held)

    def behind(self, changes: Changes) -> int:
        """By how many places what is kept is behind."""
        return sum(changes.places) - sum(self._kept_places)

    def keep(self, changes: Changes) -> None:
        """What `unkept` gave is durable; what has changed since is not."""
        self._kept_places = changes.places
        for record, one in changes.held.items():
            queue = self._live.get(record) or self._dead.get(record)
            now = None if queue is None or not queue.apart else queue.held()
            if now == one:
                self._touched.discard(record)

    def count(self) -> tuple[int, int]:
        """(events that wait, dead letters among the records)."""
        queues = (*self._live.values(), *self._dead.values())
        return sum(len(queue.items) for queue in queues), len(self._dead)
