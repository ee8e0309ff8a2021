"""What else is free: resources that could be had instead of one that two people claimed.

Computed when somebody asks, never kept: what was free a minute ago may be taken.
"""

from typing import Final

import msgspec

from schemas.codec import decode_row
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Resource, spec_of
from schemas.kinds.resource import Service
from server.store import Store
from sync import merge
from sync.merge import RecordState
from sync.policies.claim import is_free

HOLD: Final = FieldName("hold")
SPEC: Final = spec_of(Resource)
ROWS_AT_ONCE: Final = 128
"""Rows that are decoded between two turns of the event loop: some milliseconds."""
ALTERNATIVES_MAX: Final = 32
"""How many are told: more than a person reads before deciding."""


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that nobody holds and that is not reserved.

    Attributes:
        record: its id.
        name: what people call it.
        home: the scope it belongs to.
        near: whether that is the home of the one in dispute.
        note: what to know of it; null for nothing.
    """

    record: RecordId
    name: str
    home: str
    near: bool
    note: str | None


def why_not(state: RecordState, now: Millis) -> str | None:
    """Why a resource cannot be had now, in words; None when it can.

    Args:
        state: a record of kind `resource`.
        now: the server's clock (ms since 1970).
    """
    built = state.build()
    if not isinstance(built, Resource):
        return f"it is no resource but a {state.spec.name}"
    cell = state.cells.get(HOLD)
    if cell is not None and not is_free(cell.said, now) and built.hold is not None:
        reserved = "" if built.hold.until is None else "reserved and "
        return f"it is {reserved}held for {built.hold.holder}"
    return "it is out of service" if built.service != Service.IN_SERVICE else None


async def free_like(store: Store, wanted: RecordState, now: Millis) -> list[Alternative]:
    """Free resources of the same category: those of the same home first, then others, each by name.

    Args:
        store: where to look.
        wanted: the resource in dispute; of a record of another kind there is no like.
        now: the server's clock (ms since 1970).
    """
    like = wanted.build()
    if not isinstance(like, Resource):
        return []
    found: list[Alternative] = []
    after = ""
    while rows := await store.records(SPEC.name, None, after, ROWS_AT_ONCE):
        for row in rows:
            state = merge.from_row(decode_row(row))
            built = state.build()
            after = state.id
            if not isinstance(built, Resource) or state.id == wanted.id or built.category != like.category:
                continue
            if why_not(state, now) is None:
                near = built.home == like.home
                found.append(Alternative(record=state.id, name=built.name, home=built.home, near=near, note=built.note))
    return sorted(found, key=lambda one: (not one.near, one.home, one.name, one.record))[:ALTERNATIVES_MAX]
