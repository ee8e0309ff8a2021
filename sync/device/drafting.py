"""What an officer writes while nothing may be read here: sealed to the server as it is written, for a supervisor."""

import asyncio
from typing import Any

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Kind, spec_of
from sync.device.drafts import Draft, DraftBox
from sync.device.lookups import field_of, plain_values
from sync.device.writing import Writer


class Drafting(Writer):
    """The part of `Handheld` that works without a lease."""

    _drafts: DraftBox | None = None

    async def draft(
        self,
        kind: type[Kind],
        record: RecordId | None = None,
        /,
        *,
        occurred_at: int | None = None,
        **changes: Any,  # noqa: ANN401  each is of the type that its field declares
    ) -> int:
        """Keep what happened while the lease has ended: it goes to the server's quarantine, for a supervisor.

        This handheld cannot show it again. Works with and without a lease.

        Args:
            kind: what it is about: `Incident`, `CustodyBooking` …
            record: which record; None for a new one, or where its id is not known.
            occurred_at: when it happened (ms since 1970); now by default.
            changes: field=value, typed as in the record; of a `grow` field a list of entries.

        Returns:
            The draft's number at this seat, once it is on this device's disk.

        Raises:
            UsageError: nobody has signed in here, there is nothing in it, or the kind has no such field.
            ReplicaError: it cannot be kept.
        """
        if self._drafts is None:
            raise UsageError("drafts are an officer's: open the handheld with open_seat")
        if not changes:
            raise UsageError("a draft says something: draft(Incident, summary='…')")
        spec = spec_of(kind)
        for name in changes:
            field_of(spec, FieldName(name))
        plain = plain_values({FieldName(name): value for name, value in changes.items()})
        now = self._time.now()
        made = Draft(
            seat=self._store.device,
            kind=spec.name,
            record=record,
            changes={str(name): value for name, value in plain.items()},
            occurred_at=now if occurred_at is None else Millis(occurred_at),
            author=self._author,
            wall=Millis(self._time.clock.wall_ms()),
        )
        number = await asyncio.to_thread(self._drafts.append, made)
        if self._client is not None:
            self._client.wake()
        return number
