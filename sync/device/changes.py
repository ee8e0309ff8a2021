"""What an application is told while it runs: a stream per reader, bounded, that never holds the engine up."""

import asyncio
from collections import deque
from typing import Final, Literal, Self
from weakref import WeakSet

import msgspec

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, OpId, RecordId
from schemas.kinds import Kind

STREAM_LEN_MAX: Final = 1_024
"""Changes that wait for one reader. A page of a snapshot brings as many; past them it is cheaper to read anew."""


class RecordChanged(msgspec.Struct, frozen=True):
    """A record came, may show something else, or has gone: `Handheld.get` tells.

    Attributes:
        record, kind: which, and what kind of record it is.
        origin: `local` when this handheld wrote it, `server` when it arrived.
    """

    record: RecordId
    kind: type[Kind]
    origin: Literal["local", "server"]


class OpDurable(msgspec.Struct, frozen=True):
    """An own op is on the server's disk, for good. Said once per op."""

    op: OpId


class OpReissued(msgspec.Struct, frozen=True):
    """An own op goes on under another name; what else is told of it is told of that one.

    An op that it waited behind was mended or withdrawn, or a copy of this device had used its number.

    Attributes:
        op: the name that `Written` gave, or an earlier one of these.
        now: its name from here on.
    """

    op: OpId
    now: OpId


class OpHeld(msgspec.Struct, frozen=True):
    """An own op was refused. It stays on the device, with what depends on it.

    Attributes:
        op: which.
        code: an entry of the error registry (`schemas.errors.ERRORS`).
        detail: what in the op it is about.
    """

    op: OpId
    code: str
    detail: str


class InboxArrived(msgspec.Struct, frozen=True):
    """Something waits for a person: it came to this handheld, or it is open again. `Handheld.inbox` has all of it.

    Attributes:
        item: the inbox item.
        subject, field: what it is about.
        due_at: by when to decide (ms since 1970).
    """

    item: RecordId
    subject: RecordId
    field: FieldName
    due_at: Millis


class ClaimConfirmed(msgspec.Struct, frozen=True):
    """An own claim or reservation holds: the server has it, and nobody was there first.

    Attributes:
        record, field: of what.
        op: the op that claimed it.
    """

    record: RecordId
    field: FieldName
    op: OpId


class ClaimDisplaced(msgspec.Struct, frozen=True):
    """An own claim does not hold: another was there first. A person is asked; `Handheld.alternatives` has what is free.

    Attributes:
        record, field: of what.
        op: the op that claimed it.
        item: the inbox item that asks.
    """

    record: RecordId
    field: FieldName
    op: OpId
    item: RecordId


class EditsSealed(msgspec.Struct, frozen=True):
    """The right to a record ended before own edits of it were sent. They are sealed to the server, for a supervisor.

    Attributes:
        ops: which; this device can no longer read them.
    """

    ops: tuple[OpId, ...]


class EditsErased(msgspec.Struct, frozen=True):
    """A record was erased before the server had taken in own edits of it. They went with it, and nobody has them.

    Attributes:
        ops: which.
    """

    ops: tuple[OpId, ...]


class AlarmRaised(msgspec.Struct, frozen=True):
    """Something was found that somebody must look at. It is kept: `Handheld.alarms` has all of it.

    Attributes:
        code: `log`: the server's log is not the one that was seen before. `copied`: the server holds this seat's ops
            otherwise than this replica; one of them was set back, or another program uses this device's identity.
            `reads`: the server holds more of this seat's read log than this replica has written, and gives no lease.
        detail: in words.
    """

    code: Literal["log", "copied", "reads"]
    detail: str


class AlarmFired(msgspec.Struct, frozen=True):
    """Something falls due, and the officer is one of those who are warned: said once, by the server or by the handheld.

    `Handheld.due_alarms` has all that wait, and `Handheld.acknowledge_alarm` takes one up.

    Attributes:
        alarm: its record; the handheld may be ahead of the server, and there is none yet.
        subject: the record in which something falls due; None for the lease of this handheld.
        about: what that is called.
        what, key: what falls due, and of which of several (a victim's name).
        due_at: when (ms since 1970).
        words: what to do.
    """

    alarm: RecordId
    subject: RecordId | None
    about: str
    what: str
    key: str
    due_at: Millis
    words: str


class LeaseEnded(msgspec.Struct, frozen=True):
    """Records cannot be read until the server gives a new lease; `Handheld.draft` keeps what is written meanwhile."""


class Wiped(msgspec.Struct, frozen=True):
    """On the server's order everything here was destroyed. The last change that is told.

    Attributes:
        reason: in words.
    """

    reason: str


class Missed(msgspec.Struct, frozen=True):
    """This reader was too slow: changes were dropped at this place. Read anew whatever is on the screen.

    Attributes:
        count: how many.
    """

    count: int


Change = (
    RecordChanged
    | OpDurable
    | OpReissued
    | OpHeld
    | InboxArrived
    | ClaimConfirmed
    | ClaimDisplaced
    | EditsSealed
    | EditsErased
    | AlarmRaised
    | AlarmFired
    | LeaseEnded
    | Wiped
    | Missed
)


class ChangeStream:
    """One reader's changes, from the moment it was made. Ends when the handheld is closed, or by `close`."""

    def __init__(self, length_max: int) -> None:
        """Use `Handheld.changes`."""
        if length_max < 2:  # noqa: PLR2004  one for the marker, one for what came after it
            raise UsageError(f"a stream of changes needs room for at least 2, not {length_max}")
        self._length_max = length_max
        self._waiting: deque[Change] = deque()
        self._awake = asyncio.Event()
        self._closed = False

    def put(self, change: Change) -> None:
        """Add a change; one too many drops all that wait and leaves a `Missed` in their place."""
        if self._closed:
            return
        if len(self._waiting) >= self._length_max:
            # All and not the oldest: the reader has to read anew in any case, and then only what follows is of use.
            count = sum(waiting.count if isinstance(waiting, Missed) else 1 for waiting in self._waiting)
            self._waiting.clear()
            self._waiting.append(Missed(count))
        self._waiting.append(change)
        self._awake.set()

    def close(self) -> None:
        """End after what already waits."""
        self._closed = True
        self._awake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._awake.clear()
            await self._awake.wait()
        return self._waiting.popleft()


class ChangeFeed:
    """Every reader's stream. A stream that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        """Start without readers."""
        self._streams: WeakSet[ChangeStream] = WeakSet()
        self._closed = False

    def subscribe(self, length_max: int) -> ChangeStream:
        """A stream of what happens from now on."""
        stream = ChangeStream(length_max)
        if self._closed:
            stream.close()
        self._streams.add(stream)
        return stream

    def tell(self, change: Change) -> None:
        """Tell every reader."""
        for stream in list(self._streams):
            stream.put(change)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for stream in list(self._streams):
            stream.close()
