"""A store, a courier over it, and a subscriber that answers as a test says; time passes when a test says so."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.codec import encode
from schemas.ids import Epoch, FieldName, OfficerId, RecordId, ScopeName, Seq
from server.commits import Settled, Submission
from server.events.courier import Courier
from server.events.outbox import Backoff
from server.events.sending import Outcome, Verdict
from server.events.signature import Signer
from server.events.subscription import Subscription
from server.logbook import ACT, OFFICE, Entry, Erasure
from server.registry.acts import RecordErased
from server.registry.acts import encode as encode_act
from server.secret_files import Secret
from server.store import Store
from server.store.memory import MemoryStore
from tests.examples import HANDHELD, LEAST, op
from tests.server.running import Clock

SECRET: Final = "a-key-of-nobody-but-the-tests-0123456789"
SOURCE: Final = "https://beatbook.example"
BACKOFF: Final = Backoff(tries_max=3, first_ms=1_000, most_ms=8_000)
FIELDS: Final = {"incident": ("grade", "summary", "urn"), "custody-booking": ("suite",), "medical": ("suite",)}
TAKEN: Final = Outcome(Verdict.TAKEN, "answered 204")
FAILED: Final = Outcome(Verdict.FAILED, "answered 500")
NOBODY: Final = Outcome(Verdict.UNREACHABLE, "cannot be reached")
GONE: Final = Outcome(Verdict.GONE, "answered 410")
Answers = Callable[[dict[str, Any]], Outcome]


def subscription(**changes: Any) -> Subscription:  # noqa: ANN401  any field
    """One of Birmingham's incidents, and of a suite's bookings."""
    fields = {kind: frozenset(map(FieldName, names)) for kind, names in FIELDS.items()}
    given: dict[str, Any] = {
        "name": "records",
        "url": "https://records.example/hook",
        "mode": "structured",
        "scopes": frozenset({ScopeName("area:birmingham"), ScopeName("suite:perry-barr")}),
        "fields": fields,
        "signer": Signer("records", Secret(SECRET, "a test")),
        "source": SOURCE,
        "backoff": BACKOFF,
    }
    return Subscription(**{**given, **changes})


def record_id(n: int) -> RecordId:
    """The n-th record."""
    return RecordId(f"0199c8a1-7c00-7a11-8b22-{n:012x}")


class Subscriber:
    """What stands for the subscriber: keeps what came, answers as `answers` says.

    Attributes:
        came: every event that was posted, in its order.
        taken: those that were taken.
        gate: a call is answered once it is set.
    """

    def __init__(self) -> None:
        """Take everything."""
        self.came: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.answers: Answers = lambda _event: TAKEN
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.closed = False

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Take one in."""
        event: dict[str, Any] = json.loads(body)
        self.came.append(event)
        self.waiting += 1
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1
        outcome = self.answers(event)
        if outcome.verdict is Verdict.TAKEN:
            self.taken.append(event)
        return outcome

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    def told(self) -> list[tuple[str, str]]:
        """(what happened, record) of what was taken."""
        return [(one["type"].rpartition(".")[2], one["subject"]) for one in self.taken]


class Station:
    """See the module's text.

    Attributes:
        store, clock, subscriber, courier: the parts.
        commits: how many the courier has made.
    """

    def __init__(self, chosen: Subscription | None = None, store: Store | None = None) -> None:
        """Nothing runs yet."""
        self.clock = Clock()
        self.store: Store = MemoryStore(Epoch("00c0ffee00c0ffee")) if store is None else store
        self.subscriber = Subscriber()
        self.chosen = subscription() if chosen is None else chosen
        self.commits = 0
        self._numbers = itertools.count(1)
        self._acts = itertools.count(1)
        self._asleep = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.courier = self._made()

    def _made(self) -> Courier:
        return Courier(self.store, self, self.chosen, self.subscriber, self.clock, wait=self._wait, share=lambda: 0.0)

    async def commit(self, submission: Submission) -> None:
        """The courier's own writes."""
        self.commits += 1
        await self.store.commit([submission], self.clock.now)

    async def _wait(self, event: asyncio.Event, ms: int) -> None:
        assert ms > 0
        self._asleep.set()
        await event.wait()

    # --- its life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """As a server does."""
        await self.courier.start()
        self._task = asyncio.create_task(self.courier.run())

    async def rest(self) -> None:
        """Until nothing happens by itself any more."""
        quiet = 0
        while quiet < 3:
            self._asleep.clear()
            self.courier._changed.set()
            await self._asleep.wait()
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self.courier._calls) == self.subscriber.waiting else 0

    async def pass_time(self, ms: int) -> None:
        """Let time pass, and what falls due happen."""
        self.clock.advance(ms)
        await self.rest()

    async def stop(self) -> None:
        """In order."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def kill(self) -> None:
        """At once: nothing more is kept, and what is under way is nobody's."""
        dead, self.courier = self.courier, self._made()
        old = self._task
        assert old is not None

        dead._commits = _Deaf()
        old.cancel()
        await asyncio.gather(old, return_exceptions=True)
        await self.start()

    # --- what is committed -------------------------------------------------------------------------------------------

    async def write(self, n: int, kind: str = "incident", *, create: bool = False, **changes: Any) -> Settled:  # noqa: ANN401
        """A handheld's change to the n-th record."""
        values = {**LEAST[kind], **changes} if create else changes
        # It has seen everything before it.
        made = op(next(self._numbers), record_id(n), kind, values, create=create, base=Seq(0 if create else 1_000_000))
        (settled,) = await self.store.commit([Submission(HANDHELD, None, (encode(made),))], self.clock.now)
        assert [one.status for one in settled.results] == ["durable"], settled.results
        self.courier.committed()
        return settled

    async def make(self, n: int, kind: str = "incident", **values: Any) -> Settled:  # noqa: ANN401
        """The n-th record."""
        return await self.write(n, kind, create=True, **values)

    async def erase(self, n: int) -> None:
        """Erase the n-th record, as the ledger does."""
        act = RecordErased(by=OfficerId("WM40002"), at=self.clock.now, record=record_id(n), why="MoPI group 4")
        entry = Entry(ACT, f"{next(self._acts):012d}", encode_act(act))
        asked = Submission(
            OFFICE, frozenset(), (), entries=(entry,), erasure=Erasure(record_id(n), Seq(1_000_000), "erased")
        )
        await self.store.commit([asked], self.clock.now)
        assert await self.store.erased(record_id(n)) is not None
        self.courier.committed()


class _Deaf:
    """Commits of somebody who is dead."""

    async def commit(self, submission: Submission) -> None:
        """Never made."""
