"""`Handheld`: the API for applications. Reading and writing touch this device's replica only, never the network.

async with Handheld.open("replica", identity=identity, keys=KeyFile("data.key"), author="WM21877",
server="ws://beatbook.example:8700") as handheld:
made = await handheld.create(Incident(...))
await handheld.append(made.record, "log", LogEntry(text="On scene."))
"""

import asyncio
import functools
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, OfficerId, RecordId
from schemas.kinds import Kind, spec_of
from sync.clock import Learned
from sync.device.alarm_watch import AlarmWatch
from sync.device.alarming import Alarming
from sync.device.applier import Applier
from sync.device.arrivals import Arrivals
from sync.device.backoff import BackoffLimits
from sync.device.changes import STREAM_LEN_MAX, ChangeStream
from sync.device.claiming import Claiming
from sync.device.client import SyncClient, sync_url
from sync.device.clocks import Clock, DeviceTime, SystemClock
from sync.device.deciding import Deciding
from sync.device.drafting import Drafting
from sync.device.enrolment import Enrolment
from sync.device.entering import Entering
from sync.device.explaining import explain
from sync.device.findings import findings
from sync.device.holding import Holding
from sync.device.judging import Judging
from sync.device.keeping import Keeping
from sync.device.keys import DeviceIdentity, KeyHolder
from sync.device.leased import OfficersStore, watch_lease
from sync.device.lookups import field_of, get_one, get_some
from sync.device.opening import Opening
from sync.device.receipting import Receipting
from sync.device.signed_in import LEASE_KEY, SignedIn
from sync.device.status import StatusBoard, SyncStatus
from sync.device.store import Committed, Held, ReplicaStore, last_learned, last_synced
from sync.device.ties import Ties
from sync.device.views import RecordView, record_view
from sync.explain.values import moment as utc

K = TypeVar("K", bound=Kind)


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is opened, whose it is, and where it connects to."""

    folder: Path
    identity: DeviceIdentity
    keys: KeyHolder
    author: OfficerId
    url: str | None
    ties: Ties
    tls: ssl.SSLContext | None = None
    justify: bool = True


def _begin(held: Held, ties: Ties) -> tuple[Learned | None, Millis | None, int]:
    """In the first transaction: take up what signing in told, or what was known before."""
    held.replica.seal_with(ties.seal)
    officer = ties.signed_in
    if officer is not None:
        if officer.reads is not None:
            held.replica.reads.go_on(officer.reads.n, officer.reads.link)
        kept = held.tables.meta(LEASE_KEY)
        if officer.fresh is not None:
            held.tables.set_meta(LEASE_KEY, officer.take(officer.fresh))
        elif kept is not None:
            officer.remember(kept)
    return last_learned(held), last_synced(held), len(findings(held))


_FIND_ROWS: Final = 256
"""Records that one look of `find` reads: writes need not wait for the whole of it."""


class Handheld(Entering, Claiming, Deciding, Alarming, Holding, Drafting, Judging, Receipting, Keeping):
    """One officer's handheld: a replica, and the connection that keeps it in step.

    Make one with `open_seat`, for an officer who has signed in; or with `open`, for a program.
    """

    _replica: ReplicaStore
    _watch: "asyncio.Task[None] | None" = None
    _alarms: "asyncio.Task[None] | None" = None

    @classmethod
    def open(  # noqa: PLR0913  what a handheld is made of
        cls,
        folder: Path | str,
        *,
        identity: DeviceIdentity,
        keys: KeyHolder,
        author: OfficerId | str,
        server: str | None = None,
        enrolment: Enrolment | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        backoff: BackoffLimits | None = None,
    ) -> Opening[Self]:
        """Open the replica in a folder, or make a new one, and begin to connect. Await it, or use it in `async with`.

        This is the form for a program's own seat, which its key alone lets in; an officer's is `open_seat`.

        Args:
            folder: of this replica alone; made if it is not there, and closed to other users of the machine.
            identity: the device, as the server has enrolled it. A replica belongs to one device for ever.
            keys: who holds the data key.
            author: the officer's collar number; written into every op.
            server: `ws://host:port` or `wss://host:port`; None works on this device only.
            enrolment: what the server said when the device was enrolled: whose log is checked, and to whom edits are
                sealed whose author may no longer see the record. Without it neither is done.
            clock: for tests and simulation; the machine's by default.
            rng: of record ids and backoff; the operating system's by default.
            backoff: the waits between attempts to connect.

        Raises:
            ReplicaError: the replica cannot be opened; the text says why, and where a damaged one was moved to.
            UsageError: `server` is no address, or the replica belongs to another device.
        """
        place = Path(folder)
        return Opening(
            cls._open(
                _Place(
                    folder=place,
                    identity=identity,
                    keys=keys,
                    author=OfficerId(author),
                    url=None if server is None else sync_url(server),
                    ties=Ties.of_program(place, identity.device, enrolment),
                ),
                ports=(clock or SystemClock(), rng or random.SystemRandom(), backoff or BackoffLimits()),
            )
        )

    @classmethod
    def open_seat(
        cls,
        signed_in: SignedIn,
        enrolment: Enrolment,
        *,
        connect: bool = True,
        justify: bool = True,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        backoff: BackoffLimits | None = None,
    ) -> Opening[Self]:
        """Open the seat of an officer who has signed in or unlocked it, and begin to connect.

        What the server would refuse the officer for their role is refused here, in words. Records can be read while the
        lease lasts.

        Args:
            signed_in: as `Installation.sign_in` or `Installation.unlock` gives it.
            enrolment: the device's.
            connect: whether to connect at all.
            justify: whether a reason is asked for, once for each incident, before its records are handed over. What is
                read is logged with and without.
            clock, rng, backoff: as in `open`.

        Raises:
            ReplicaError: as in `open`.
            UsageError: the enrolment's address or log key is none.
        """
        return Opening(
            cls._open(
                _Place(
                    folder=signed_in.seat.folder,
                    identity=signed_in.identity,
                    keys=signed_in.keys,
                    author=signed_in.officer,
                    url=sync_url("ws" + enrolment.server.removeprefix("http")) if connect else None,
                    ties=Ties.of_officer(signed_in, enrolment),
                    tls=ssl.create_default_context(cafile=enrolment.ca_file) if enrolment.ca_file else None,
                    justify=justify,
                ),
                ports=(clock or SystemClock(), rng or random.SystemRandom(), backoff or BackoffLimits()),
            )
        )

    @classmethod
    async def _open(cls, place: "_Place", *, ports: tuple[Clock, random.Random, BackoffLimits]) -> Self:
        clock, rng, backoff = ports
        ties, officer = place.ties, place.ties.signed_in
        store = await ReplicaStore.open(place.folder, place.keys, place.identity.device)
        try:
            board = StatusBoard()

            def count(_result: object, committed: Committed) -> None:
                board.count(committed.revision, committed.waiting, committed.held, committed.sealed)

            learned, synced_at, alarms = await store.change(functools.partial(_begin, ties=ties), count)
            board.update(last_synced_at=synced_at, alarms=alarms)
            time = DeviceTime(clock, learned)
            handheld = cls(OfficersStore(store, board, officer), place.author, time, rng, board, officer)
            handheld._replica, handheld._drafts, handheld._justify = store, ties.drafts, place.justify
            if officer is not None:
                watch = watch_lease(store, officer, board, handheld._feed, clock)
                handheld._watch = asyncio.create_task(watch, name=f"lease of {place.identity.device}")
            arrivals = None if officer is None else Arrivals(place.author, lambda: handheld._facts(None, ""))
            watched = OfficersStore(store, board, officer, patient=True)
            alarms_of = AlarmWatch(watched, handheld._feed, board, time, officer, handheld._timetable)
            handheld._alarms = asyncio.create_task(alarms_of.run(), name=f"alarms of {place.identity.device}")
            if place.url is not None:
                handheld._client = SyncClient(
                    place.url,
                    identity=place.identity,
                    applier=Applier(store, handheld._feed, board, time, ties, arrivals),
                    board=board,
                    clock=clock,
                    rng=rng,
                    backoff=backoff,
                    tls=place.tls,
                )
                handheld._client.start()
        except BaseException:
            await store.close()
            raise
        return handheld

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection and close the replica. What was written stays and is sent another time. Again: nothing."""
        try:
            if self._client is not None:
                await self._client.close()
            for task in filter(None, (self._watch, self._alarms)):
                task.cancel()
                await asyncio.wait({task})
        finally:
            self._board.close()
            self._feed.close()
            await self._store.close()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def get(self, kind: type[K], record: RecordId) -> K | None:
        """A record as this handheld shows it: the server's, with own ops that it does not hold yet laid over it.

        Args:
            kind: what it is: `Incident`, `Briefing`, `CustodyBooking`.
            record: its id.

        Returns:
            The record, or None when there is none of that id here.

        Raises:
            UsageError: it is of another kind; or a reason must be given first (`ReasonNeededError`, `matter`).
            ReplicaError: the database failed.
        """
        return await self._consult(record, functools.partial(get_one, kind, record))

    async def inspect(self, record: RecordId) -> RecordView[Kind] | None:
        """A record with who said what and when, what differs, and which own ops are pending or held.

        Returns:
            The view, or None when there is no record of that id here.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._consult(record, lambda held: record_view(held, record, self._author))

    async def explain(
        self, record: RecordId, field: str | None = None, *, moment: Callable[[int], str] = utc
    ) -> list[str]:
        """Why a record shows what it shows, in plain words, from what this handheld holds.

        Who said what stands, what stands beside it and by which rule, what is only on this device, how far a claim can
        be relied on, what a person is asked, and which times are doubtful.

        Args:
            record: which.
            field: one of its fields; all about which there is something to say by default.
            moment: tells a moment (ms since 1970); in UTC by default.

        Returns:
            Lines, each of a field, in the order of the record's fields.

        Raises:
            UsageError: there is no such record or field here.
            ReplicaError: the database failed.
        """
        now = self._time.now()
        told = await self._consult(record, lambda held: explain(held, record, field, now, moment))
        return [] if told is None else told

    async def find(
        self, kind: type[K], where: Callable[[K], bool] | None = None, /, **equals: object
    ) -> list[tuple[RecordId, K]]:
        """All records of a kind that fit, in order of id: those that were made earlier come first.

        Each record is whole; one that changes while this runs is given as it was before or after.

        Args:
            kind: `Incident`, `Briefing` or `CustodyBooking`.
            where: called with each record; false leaves it out.
            equals: field=value, typed as in the record.

        Raises:
            UsageError: the kind has no such field.
            ReplicaError: the database failed.
        """
        spec = spec_of(kind)
        for name in equals:
            field_of(spec, FieldName(name))
        await self._require_reason()
        records = await self._store.read(lambda held: held.tables.records_of_kind(spec.name))
        found: list[tuple[RecordId, K]] = []
        for start in range(0, len(records), _FIND_ROWS):
            part = records[start : start + _FIND_ROWS]
            for record, value in await self._store.read(functools.partial(get_some, kind, part)):
                if all(getattr(value, name) == wanted for name, wanted in equals.items()) and (
                    where is None or where(value)
                ):
                    found.append((record, value))
        await self._combined([record for record, _ in found], equals)
        return found

    # --- what happens ------------------------------------------------------------------------------------------------

    def changes(self, *, length_max: int = STREAM_LEN_MAX) -> ChangeStream:
        """What happens from this call on: `async for change in handheld.changes()`. Ends when the handheld is closed.

        Args:
            length_max: changes that may wait for this reader, at least 2. One more, and all become one `Missed`.

        Raises:
            UsageError: `length_max` is below 2.
        """
        return self._feed.subscribe(length_max)

    @property
    def status(self) -> SyncStatus:
        """How it stands with the server, at this moment."""
        return self._board.now

    async def wait_until(self, predicate: Callable[[SyncStatus], bool]) -> SyncStatus:
        """The first status, from now on, for which `predicate` holds.

        Raises:
            UsageError: the handheld was closed meanwhile.
        """
        return await self._board.wait_until(predicate)

    async def go_offline(self) -> None:
        """Close the connection and make no other until `go_online`. Everything else goes on working."""
        if self._client is not None:
            await self._client.go_offline()

    async def go_online(self) -> None:
        """Connect again, at once.

        Raises:
            UsageError: it was opened without a server.
        """
        if self._client is None:
            raise UsageError("this handheld was opened without a server: there is nothing to connect to")
        self._client.go_online()

    def network_returned(self) -> None:
        """A hint from the platform: try to connect now, without waiting for the backoff to end."""
        if self._client is not None:
            self._client.network_returned()
