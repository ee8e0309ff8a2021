"""Retention as it runs: what is due is listed, reviews are recorded as acts, and a second officer's act erases.

Who may do what is `server.retention`'s to say, what goes with a record `server.erasure`'s. Here the acts and the record
are brought together, in one commit: there is no erasure without its act, and no act of an erasure that did not happen.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId, Seq
from schemas.roles import Role
from server import retention
from server.authority.ledger import Ledger
from server.logbook import ACT, Erasure
from server.registry import held_roles
from server.registry.acts import (
    RecordErased,
    RecordErasedAt,
    RetentionReviewed,
    RetentionReviewedAt,
    checked,
    decode,
)
from server.retention import Due, Held, ReviewAct, Reviews, Schedule
from server.store import Store
from sync import merge

_PAGE: Final = 500


class Actor(msgspec.Struct, frozen=True):
    """Who does something, and at which seat."""

    officer: OfficerId
    seat: DeviceId


class Reviewing:
    """The retention of a running server."""

    def __init__(self, store: Store, ledger: Ledger, now: Callable[[], Millis], schedule: Schedule) -> None:
        """Bind it.

        Args:
            store: where records and acts are read.
            ledger: where acts are done.
            now: the server's clock (ms since 1970).
            schedule: the force's schedule.
        """
        self._store = store
        self._ledger = ledger
        self._now = now
        self.schedule = schedule
        """The force's retention schedule."""
        self._reviews = Reviews()
        self._seen: dict[RecordId, Seq] = {}
        self._place = 0

    async def due(self) -> list[Due]:
        """The records that somebody must look at now, those that are due longest first. Reads all records once.

        Raises:
            StoreError: the store failed.
        """
        await self._read_on()
        found = [held async for held in retention.survey(self._store)]
        return retention.due(found, self._now(), self.schedule, self._reviews)

    async def review(
        self,
        by: Actor,
        record: RecordId,
        outcome: Literal["keep", "erase"],
        why: str,
        *,
        until: Millis | None = None,
        early: str | None = None,
    ) -> None:
        """Keep a record until a date, or propose that somebody else erase it.

        Args:
            by: who has reviewed it, and where.
            record: which.
            outcome: `keep`, or `erase`.
            why: in words.
            until: when it is looked at again, if it is kept (ms since 1970).
            early: why it is to be erased although it is not due; None where it is.

        Raises:
            UsageError: it may not be; the text says why and what to do.
            StoreError: it could not be made durable.
        """
        act = RetentionReviewedAt(
            record=record,
            outcome=outcome,
            until=until,
            why=why,
            early=early,
            by=by.officer,
            seat=by.seat,
            at=self._now(),
        )
        await self._check(act)
        await self._ledger.perform(act)

    async def erase(self, by: Actor, record: RecordId, why: str) -> None:
        """Carry out the erasure that another officer has proposed. When this returns, it is done and on disk.

        Args:
            by: who carries it out, and where.
            record: which.
            why: under which rule, in words.

        Raises:
            UsageError: it may not be, or somebody has written into the record since; nothing was erased.
            StoreError: whether it was made durable is not known; ask again.
        """
        act = RecordErasedAt(record=record, why=why, by=by.officer, seat=by.seat, at=self._now())
        await self._check(act)
        erasure = Erasure(record, self._seen[record], retention.erased_text(act))
        await self._ledger.perform(act, erasure=erasure)

    async def _check(self, act: ReviewAct) -> None:
        checked(act)
        await self._read_on()
        row = await self._store.record(act.record)
        held: Held | None = None
        roles: frozenset[Role] = frozenset()
        if row is not None:
            state = merge.from_row(decode_row(row))
            held = retention.held(state)
            roles = held_roles(self._ledger.registry, OfficerId(act.by), act.at).among(state.scopes())
        self._reviews.check(act, roles, held, self.schedule)
        if isinstance(act, RecordErased) and act.record not in self._seen:
            raise UsageError(f"record {act.record}: nobody has proposed that it be erased; review it first")

    async def _read_on(self) -> None:
        """Take in the acts that were recorded since."""
        while page := await self._store.journal(ACT, self._place, _PAGE):
            for entry in page:
                act = None if entry.body is None else decode(entry.body)
                if isinstance(act, RetentionReviewed | RecordErased):
                    self._reviews.apply(act)
                    self._seen[act.record] = entry.seq
                self._place = entry.place
