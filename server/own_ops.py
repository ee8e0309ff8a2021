"""The server's own ops: numbered so that no number ever names two, made of changes, checked, committed.

They are ops like any other, of the device `control-room`. `server.office` says what is written with them.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.codec import decode_op, encode
from schemas.errors import FrameError, UsageError
from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import KindSpec
from schemas.limits import INT_MAX, SALT_BYTES
from schemas.ops import Op
from schemas.wire import Result
from server.commits import Submission
from server.committer import Committer
from server.logbook import OFFICE
from server.roles import Roles
from server.store import Store
from sync import check, clock
from sync.merge import RecordState
from sync.replica.writing import sight

NUMBERS_PER_MS: Final = 1_024
"""The first number of a run is the clock's reading (ms since 1970) times this: more ops than a server makes in a ms.

A server that was set back to a backup does not know how far its lost history had counted, and a number must never name
two ops. Counting on from the clock, it begins above every number that any earlier run can have come to."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """By what right somebody asks the office to write something; the committer holds each op to it, as a device's.

    Attributes:
        scopes: what they may see: they write to no other record.
        roles: what they are, and for which records.
        seat: where they are; None where that is not known.
    """

    scopes: frozenset[ScopeName]
    roles: Roles
    seat: DeviceId | None = None


class OwnOps:
    """Makes and commits the ops of one running server."""

    def __init__(self, store: Store, committer: Committer, now: Callable[[], Millis]) -> None:
        """Bind it; `start` follows before the first op."""
        self._store = store
        self._committer = committer
        self._now = now
        self._next = OpNumber(1)

    async def start(self) -> None:
        """Number its ops behind those of every earlier run, also one whose history was lost."""
        behind = await self._store.last_op(OFFICE) + 1
        by_clock = self._now() * NUMBERS_PER_MS
        self._next = OpNumber(max(behind, by_clock) if by_clock < INT_MAX else behind)

    def make(  # noqa: PLR0917  the parts of one op, in its order
        self,
        record: RecordId,
        spec: KindSpec,
        state: RecordState | None,
        changes: Mapping[FieldName, Any],
        author: OfficerId,
        saw: Mapping[FieldName, tuple[OpId, ...]] | None = None,
        via: DeviceId | None = None,
    ) -> Op:
        """The next op, checked: what a device could not read would end every session that has to carry it.

        Args:
            record, spec: about which record, of which kind.
            state: that record as it stands; None to make it.
            changes: field -> change.
            author: on whose behalf.
            saw: what they had seen, field by field; by default all that stands there.
            via: the seat at which they are; None for nobody's.

        Raises:
            UsageError: it cannot be.
        """
        now = self._now()
        op = Op(
            device=OFFICE,
            n=self._next,
            record=record,
            kind=spec.name,
            author=author,
            create=state is None,
            base=Seq(0) if state is None else state.version,
            hlc=clock.next_hlc(now, clock.ZERO if state is None else state.seen()),
            occurred_at=now,
            wall=now,
            changes=dict(changes),
            saw=dict(sight(spec, state, changes) if saw is None else saw),
            salt=secrets.token_bytes(SALT_BYTES),
            via=via,
        )
        found = check.op_alone(op, by_rule=spec.by_rule)
        refusal = found if isinstance(found, check.Refusal) else check.op_on(state, op, spec)
        if refusal is not None:
            raise UsageError(f"{spec.name} {record}: {refusal.code}: {refusal.detail}")
        try:
            decode_op(encode(op))
        except (FrameError, OverflowError) as error:
            raise UsageError(f"{spec.name} {record}: cannot be sent to devices: {error}") from None
        self._next = OpNumber(self._next + 1)
        return op

    async def commit(self, ops: Sequence[Op], standing: Standing | None = None) -> tuple[Result, ...]:
        """Have ops committed together, and wait for their results.

        Args:
            ops: as `make` gave them.
            standing: by what right; None for the server's own, which may write everything.

        Raises:
            StoreError: it could not be said whether they are durable; the same ops again are safe.
        """
        bodies = tuple(encode(op) for op in ops)
        if standing is None:
            return await self._committer.commit(Submission(OFFICE, None, bodies))
        return await self._committer.commit(Submission(OFFICE, standing.scopes, bodies, roles=standing.roles))
