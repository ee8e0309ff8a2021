"""How a subscription stands in the store: small rows under names of their own, written in one commit each time.

    event-cursor/NAME              how far it has come, and whether it is off
    event-held/NAME/RECORD         a queue that has met a failure
    event-told/NAME/RECORD         that it was told of a record, before it is: to be told as well when that goes
    event-part/NAME/ABOUT/RECORD   the same of a record that is a part of another one, to be found with it

None of them holds anything that a record says.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from schemas.errors import StoreError
from schemas.ids import MillisInt, RecordId
from server.events.outbox import Changes, Held
from server.logbook import Entry
from server.store import Store

SHARED: Final = "event-disclosure"
"""Journal entries: a record is told to a subscriber."""
_CURSOR: Final = "event-cursor"
_HELD: Final = "event-held"
_TOLD: Final = "event-told"
_PART: Final = "event-part"
_Row = TypeVar("_Row", bound=msgspec.Struct)
_ENCODER: Final = msgspec.msgpack.Encoder()


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a subscription has come.

    Attributes:
        places: by log, the place behind which it goes on.
        off: why it is sent nothing any more; "" while it is.
        off_at: since when (ms since 1970).
    """

    places: tuple[int, int]
    off: str = ""
    off_at: MillisInt | None = None


class Told(msgspec.Struct, frozen=True):
    """That a subscriber was told of a record.

    Attributes:
        kind: its kind.
        about: the record that it is a part of; "" when it stands alone.
    """

    kind: str
    about: str = ""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """That a record is told to a subscriber from then on, as the journal keeps it: a disclosure, until it is withdrawn.

    Source: Data Protection Act 2018 section 62(1)(d), (3).

    Attributes:
        record, kind: which.
        webhook, host: to whom.
        fields: which fields of it.
        at: when (ms since 1970).
    """

    record: RecordId
    kind: str
    webhook: str
    host: str
    fields: tuple[str, ...]
    at: MillisInt


Rows = dict[str, bytes | None]
"""Name -> what to keep under it; None forgets it."""


def cursor_rows(name: str, cursor: Cursor, changes: Changes) -> Rows:
    """What to write so that a subscription stands there."""
    rows: Rows = {f"{_CURSOR}/{name}": _ENCODER.encode(cursor)}
    for record, held in changes.held.items():
        rows[f"{_HELD}/{name}/{record}"] = None if held is None else _ENCODER.encode(held)
    return rows


def told_name(name: str, record: RecordId) -> str:
    """Under what is kept that a subscriber was told of a record."""
    return f"{_TOLD}/{name}/{record}"


def shared_entry(shared: Shared) -> Entry:
    """What the journal keeps of it. It is filed under no record: that it was told must outlast what was told."""
    return Entry(SHARED, f"{shared.webhook}:{shared.record}:{shared.at}", _ENCODER.encode(shared))


def told_rows(name: str, record: RecordId, told: Told) -> Rows:
    """What to write before a subscriber is told of a record."""
    rows: Rows = {told_name(name, record): _ENCODER.encode(told)}
    if told.about:
        rows[f"{_PART}/{name}/{told.about}/{record}"] = b""
    return rows


def forgotten_rows(name: str, record: RecordId, told: Told) -> Rows:
    """What to write when a subscriber has been told that a record has gone."""
    return dict.fromkeys(told_rows(name, record, told))


async def read_cursor(store: Store, name: str) -> Cursor | None:
    """Where a subscription stands; None of a new one.

    Raises:
        StoreError: the store failed, or what it keeps is damaged.
    """
    raw = await store.secret(f"{_CURSOR}/{name}")
    return None if raw is None else _decoded(raw, Cursor, name)


async def read_held(store: Store, name: str) -> Mapping[RecordId, Held]:
    """Its queues that have met a failure.

    Raises:
        StoreError: the store failed, or what it keeps is damaged.
    """
    prefix = f"{_HELD}/{name}/"
    rows = await store.secrets(prefix)
    return {RecordId(key.removeprefix(prefix)): _decoded(raw, Held, name) for key, raw in sorted(rows.items())}


async def read_told(store: Store, name: str, record: RecordId) -> Told | None:
    """Whether a subscriber was told of a record, and what of.

    Raises:
        StoreError: the store failed, or what it keeps is damaged.
    """
    raw = await store.secret(told_name(name, record))
    return None if raw is None else _decoded(raw, Told, name)


async def read_whole(store: Store, name: str, record: RecordId) -> list[RecordId]:
    """Those of a record and everything that is a part of it, of which a subscriber was told.

    Raises:
        StoreError: the store failed, or what it keeps is damaged.
    """
    found: dict[RecordId, bool] = {}
    waiting = [record]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found[one] = await read_told(store, name, one) is not None
        prefix = f"{_PART}/{name}/{one}/"
        waiting += [RecordId(key.removeprefix(prefix)) for key in await store.secrets(prefix)]
    return [one for one, told in found.items() if told]


def _decoded(raw: bytes, of: type[_Row], name: str) -> _Row:
    try:
        return msgspec.msgpack.decode(raw, type=of)
    except msgspec.MsgspecError as error:
        raise StoreError(f"where webhook {name} stands cannot be read ({error}); restore a backup") from None
