"""`Handheld`: the API for applications. Reading and writing touch this device's replica only, never the network.

async with Handheld.open("replica", identity=identity, keys=KeyFile("data.key"), author="WM21877",
server="ws://beatbook.example:8700") as handheld:
made = await handheld.create(Incident(...))
await handheld.append(made.record, "log", LogEntry(text="On scene."))
"""

import functools
import random
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from schemas.errors import UsageError
from schemas.ids import UUID_RANDOM_BYTES, FieldName, Millis, OfficerId, OpId, RecordId, new_record_id
from schemas.kinds import Kind, KindSpec, spec_of
from schemas.limits import PAGE_ROWS_MAX
from schemas.ops import Op
from schemas.policies import grow
from sync.clock import Learned
from sync.device.applier import Applier
from sync.device.backoff import BackoffLimits
from sync.device.changes import STREAM_LEN_MAX, ChangeFeed, ChangeStream, RecordChanged
from sync.device.client import SyncClient, sync_url
from sync.device.clocks import Clock, DeviceTime, SystemClock
from sync.device.keys import DeviceIdentity, KeyHolder
from sync.device.lookups import field_of, get_one, get_some, plain_values, spec_of_record
from sync.device.opening import Opening
from sync.device.status import StatusBoard, SyncStatus
from sync.device.store import Committed, Held, ReplicaStore, last_learned, last_synced
from sync.device.views import HeldOp, RecordView, held_op, record_view
from sync.replica import WriteFacts

K = TypeVar("K", bound=Kind)

_FIND_ROWS: Final = 256
"""Records that one look of `find` reads: writes need not wait for the whole of it."""


class Written(msgspec.Struct, frozen=True):
    """A change that is on this device's disk.

    Attributes:
        record: the record that was made or changed.
        op: the change's own name, as `OpDurable` and `OpHeld` tell it.
    """

    record: RecordId
    op: OpId


class Handheld:
    """One officer's handheld: a replica, and the connection that keeps it in step. Make one with `open`."""

    def __init__(
        self, store: ReplicaStore, author: OfficerId, time: DeviceTime, rng: random.Random, board: StatusBoard
    ) -> None:
        """Use `open`."""
        self._store = store
        self._author = author
        self._time = time
        self._rng = rng
        self._board = board
        self._feed = ChangeFeed()
        self._client: SyncClient | None = None

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        identity: DeviceIdentity,
        keys: KeyHolder,
        author: OfficerId | str,
        server: str | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        backoff: BackoffLimits | None = None,
    ) -> Opening[Self]:
        """Open the replica in a folder, or make a new one, and begin to connect. Await it, or use it in `async with`.

        Args:
            folder: of this replica alone; made if it is not there, and closed to other users of the machine.
            identity: the device, as the server has enrolled it. A replica belongs to one device for ever.
            keys: who holds the data key.
            author: the officer's collar number; written into every op.
            server: `ws://host:port` or `wss://host:port`; None works on this device only.
            clock: for tests and simulation; the machine's by default.
            rng: of record ids and backoff; the operating system's by default.
            backoff: the waits between attempts to connect.

        Raises:
            ReplicaError: the replica cannot be opened; the text says why, and where a damaged one was moved to.
            UsageError: `server` is no address, or the replica belongs to another device.
        """
        return Opening(
            cls._open(
                Path(folder),
                identity,
                keys,
                OfficerId(author),
                None if server is None else sync_url(server),
                ports=(clock or SystemClock(), rng or random.SystemRandom(), backoff or BackoffLimits()),
            )
        )

    @classmethod
    async def _open(
        cls,
        folder: Path,
        identity: DeviceIdentity,
        keys: KeyHolder,
        author: OfficerId,
        url: str | None,
        *,
        ports: tuple[Clock, random.Random, BackoffLimits],
    ) -> Self:
        clock, rng, backoff = ports
        store = await ReplicaStore.open(folder, keys, identity.device)
        try:
            board = StatusBoard()

            def look(held: Held) -> tuple[Learned | None, Millis | None]:
                return last_learned(held), last_synced(held)

            def count(_result: object, committed: Committed) -> None:
                board.count(committed.revision, committed.waiting, committed.held)

            learned, synced_at = await store.change(look, count)
            board.update(last_synced_at=synced_at)
            time = DeviceTime(clock, learned)
            handheld = cls(store, author, time, rng, board)
            if url is not None:
                applier = Applier(store, handheld._feed, board, time)
                handheld._client = SyncClient(
                    url, identity=identity, applier=applier, board=board, clock=clock, rng=rng, backoff=backoff
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
        finally:
            self._board.close()
            self._feed.close()
            await self._store.close()

    # --- writing -----------------------------------------------------------------------------------------------------

    async def create(self, record: Kind, *, occurred_at: int | None = None, why: str = "") -> Written:
        """Make a record. Fields that hold their default are left unsaid; entries of `grow` fields are appended.

        Args:
            record: its values, as an `Incident`, `Briefing` or `CustodyBooking`.
            occurred_at: when it happened (ms since 1970); now by default.
            why: the author's reason, if there is one to give.

        Returns:
            The new record's id and the op's, once both are on this device's disk.

        Raises:
            UsageError: the server would refuse it; the text says what is wrong. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        spec = spec_of(type(record))
        changes = {
            FieldName(field.name): getattr(record, field.name)
            for field in msgspec.structs.fields(record)
            if field.required or getattr(record, field.name) != field.default
        }
        plain = plain_values(changes)
        new = new_record_id(self._time.now(), self._rng.randbytes(UUID_RANDOM_BYTES))
        return await self._write(lambda _held: (new, spec, plain), occurred_at, why, create=True)

    async def edit(
        self,
        record: RecordId,
        /,
        *,
        occurred_at: int | None = None,
        why: str = "",
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> Written:
        """Change fields of a record to new values.

        Args:
            record: which.
            occurred_at: when it happened (ms since 1970); now by default.
            why: the author's reason, if there is one to give.
            changes: field=value, typed as in the record.

        Raises:
            UsageError: there is no such record or field here, the field only grows (use `append`), or the server would
                refuse the change. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        if not changes:
            raise UsageError(f"nothing to change in {record}: give fields, as in edit(record, summary=…)")
        plain = plain_values({FieldName(name): value for name, value in changes.items()})

        def prepare(held: Held) -> tuple[RecordId, KindSpec, dict[FieldName, Any]]:
            spec = spec_of_record(held, record)
            for name in plain:
                if field_of(spec, name).policy is grow:
                    raise UsageError(f"{name} only grows: append(record, {name!r}, entry) adds to it")
            return record, spec, plain

        return await self._write(prepare, occurred_at, why)

    async def append(
        self, record: RecordId, field: str, entry: object, /, *, occurred_at: int | None = None, why: str = ""
    ) -> Written:
        """Add an entry to a field that grows: a log, checks, receipts.

        Args:
            record: which.
            field: its name, as in `log`.
            entry: the entry, typed as in the record: `LogEntry(text=…)`.
            occurred_at: when it happened (ms since 1970), which decides its place; now by default.
            why: the author's reason, if there is one to give.

        Raises:
            UsageError: there is no such record or field here, the field does not grow (use `edit`), or the server would
                refuse the entry. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        plain = plain_values({FieldName(field): [entry]})

        def prepare(held: Held) -> tuple[RecordId, KindSpec, dict[FieldName, Any]]:
            spec = spec_of_record(held, record)
            if field_of(spec, FieldName(field)).policy is not grow:
                raise UsageError(f"{field} holds one value: edit(record, {field}=…) changes it")
            return record, spec, plain

        return await self._write(prepare, occurred_at, why)

    async def _write(
        self,
        prepare: Callable[[Held], tuple[RecordId, KindSpec, dict[FieldName, Any]]],
        occurred_at: int | None,
        why: str,
        *,
        create: bool = False,
    ) -> Written:
        made, now, doubt = self._time.reading()
        facts = WriteFacts(
            author=self._author,
            now=now,
            wall=Millis(made.wall_ms),
            made=made,
            doubt=doubt,
            occurred_at=now if occurred_at is None else Millis(occurred_at),
            why=why,
        )

        def work(held: Held) -> tuple[Op, KindSpec]:
            record, spec, changes = prepare(held)
            return held.replica.write(record, spec, changes, facts, create=create), spec

        def told(written: tuple[Op, KindSpec], committed: Committed) -> None:
            op, spec = written
            self._board.count(committed.revision, committed.waiting, committed.held)
            self._feed.tell(RecordChanged(op.record, spec.struct, "local"))
            if self._client is not None:
                self._client.wake()

        op, _ = await self._store.change(work, told)
        return Written(op.record, op.id)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def get(self, kind: type[K], record: RecordId) -> K | None:
        """A record as this handheld shows it: the server's, with own ops that it does not hold yet laid over it.

        Args:
            kind: what it is: `Incident`, `Briefing`, `CustodyBooking`.
            record: its id.

        Returns:
            The record, or None when there is none of that id here.

        Raises:
            UsageError: it is of another kind.
            ReplicaError: the database failed.
        """
        return await self._store.read(functools.partial(get_one, kind, record))

    async def inspect(self, record: RecordId) -> RecordView[Kind] | None:
        """A record with who said what and when, what differs, and which own ops are pending or held.

        Returns:
            The view, or None when there is no record of that id here.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._store.read(lambda held: record_view(held, record))

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
        records = await self._store.read(lambda held: held.tables.records_of_kind(spec.name))
        found: list[tuple[RecordId, K]] = []
        for start in range(0, len(records), _FIND_ROWS):
            part = records[start : start + _FIND_ROWS]
            for record, value in await self._store.read(functools.partial(get_some, kind, part)):
                if all(getattr(value, name) == wanted for name, wanted in equals.items()) and (
                    where is None or where(value)
                ):
                    found.append((record, value))
        return found

    async def held(self) -> list[HeldOp]:
        """Own ops that the server refused, the oldest first, with the reason and what to do; at most PAGE_ROWS_MAX.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._store.read(lambda held: [held_op(held, op) for op in held.replica.held(PAGE_ROWS_MAX)])

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
