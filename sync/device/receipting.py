"""Receipts of briefings: `opened` as one is shown, `acknowledged` by the officer; `on device` is the device's own.

All are written offline like any edit (`sync.device.arrivals`). Saying again what is said already writes nothing.
"""

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import Briefing
from schemas.settings import Settings
from sync.device.arrivals import RECEIPT, STEPS, AllConfirmed, Confirmed, all_of, comes_back, confirmed_of, to_say
from sync.device.force_settings import settings_in
from sync.device.store import Held
from sync.device.writing import Draft, Writer, Written


class Receipting(Writer):
    """The part of `Handheld` that confirms briefings."""

    async def opened(self, briefing: RecordId) -> Written | None:
        """Say that the officer was shown a briefing. A program that draws a list has not shown it.

        Returns:
            The receipt; None when it is said already, or on the seat of a program, which is nobody.

        Raises:
            UsageError: there is no such briefing here.
            ReplicaError: the database failed. Nothing was written.
        """
        return await self._say(briefing, ("on_device_at", "opened_at"), asked=False)

    async def acknowledge(self, briefing: RecordId) -> Written | None:
        """Say that the officer has read a briefing and acts on it.

        Returns:
            The receipt; None when it is said already.

        Raises:
            UsageError: there is no such briefing here, or this seat is nobody's own: a program's, or of a collar number
                that no scope can bear. Nothing was written.
            ReplicaError: the database failed. Nothing was written.
        """
        return await self._say(briefing, STEPS, asked=True)

    async def confirmed(self, briefing: RecordId) -> Confirmed:
        """What this officer has said of a briefing as it stands here, on this device or another of theirs.

        Raises:
            UsageError: there is no such briefing here.
            ReplicaError: the database failed.
        """

        def look(held: Held) -> Confirmed:
            return confirmed_of(held, briefing, _briefing(held, briefing), self._author)

        return await self._store.read(look)

    async def all_confirmed(self) -> AllConfirmed:
        """All that this officer has said of briefings.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._store.read(lambda held: all_of(held, self._author))

    async def audiences(self) -> frozenset[ScopeName]:
        """Whom this seat belongs to: the audiences whose briefings it holds.

        Raises:
            ReplicaError: the database failed.
        """
        positions = await self._store.read(lambda held: held.replica.positions())
        return frozenset(scopes.audience(one.scope) for one in positions)

    async def settings(self) -> Settings:
        """The force's settings, as this handheld goes by them.

        Raises:
            ReplicaError: the database failed.
        """
        return await self._store.read(settings_in)

    async def _say(self, briefing: RecordId, steps: tuple[str, ...], *, asked: bool) -> Written | None:
        def prepare(held: Held, now: Millis) -> list[Draft]:
            value = _briefing(held, briefing)
            if not comes_back(held, value, self._author):
                if asked:
                    raise UsageError(
                        f"briefing {briefing} cannot be confirmed here: what {self._author} says of it would not come "
                        "back to this seat. Sign in at a seat of your own; if you have, ask for the right to the "
                        "briefing, or for a collar number without a dot"
                    )
                return []
            word = to_say(held, briefing, value, self._author, dict.fromkeys(steps, now))
            if word is None:
                return []
            return [Draft(record=word.receipt, spec=RECEIPT, changes=word.changes, create=word.create)]

        return next(iter(await self._write_all(prepare, None, "")), None)


def _briefing(held: Held, record: RecordId) -> Briefing:
    state = held.replica.view(record)
    value = None if state is None else state.build()
    if not isinstance(value, Briefing):
        raise UsageError(f"there is no briefing {record} here: only a briefing is confirmed")
    return value
