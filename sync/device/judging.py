"""The call of `Handheld` for rules that ask who wrote what and when: checks, what was believed, what a tutor must see.

Most rules of police work look at a record's values, which `get` gives. Some look at its stamps too; those are asked
inside one reading, which is logged like any other.
"""

from collections.abc import Callable
from typing import TypeVar

from schemas.ids import RecordId
from schemas.settings import Settings
from sync.device.consulting import Consulting
from sync.device.force_settings import settings_in
from sync.device.store import Held
from sync.merge import RecordState

_T = TypeVar("_T")


class Judging(Consulting):
    """The part of `Handheld` that asks a rule about a record."""

    async def judge(self, record: RecordId, rule: Callable[[RecordState, Settings], _T]) -> _T | None:
        """Ask a rule about a record, with all that is known of who wrote it.

        Args:
            record: which.
            rule: takes the record and the force's settings; quick, and without side effects.

        Returns:
            What the rule says; None when there is no record of that id here.

        Raises:
            UsageError: a reason must be given first (`ReasonNeededError`, `matter`).
            ReplicaError: the database failed.
        """

        def look(held: Held) -> _T | None:
            state = held.replica.view(record)
            return None if state is None else rule(state, settings_in(held))

        return await self._consult(record, look)
