"""Decisions that are overdue: more people are asked, once for each level, also after a restart.

What has been asked already stands in the inbox item itself (`escalations`); the task is `server.falling_due`'s.
"""

import logging
from collections.abc import Callable, Iterable

from schemas import scopes
from schemas.ids import FieldName, Millis, RecordId, ScopeName
from schemas.kinds import Escalation, InboxItem, kind_named
from server.falling_due import AUTHOR, FallingDue, Part, Wait, wait_in_real_time
from server.rule_writer import RuleWriter
from server.store import Store
from sync import inbox
from sync.merge import RecordState

_log = logging.getLogger(__name__)


def levels(item: InboxItem) -> list[tuple[Millis, Escalation]]:
    """When whom to ask as well: (ms since 1970, what is then noted), in order; what was asked before is not left out.

    The roles are those that the field declares (`Asks.then`). The first is asked when the time to decide has passed,
    each other one after as long again.
    """
    kind = kind_named(item.subject_kind)
    field = None if kind is None else kind.fields.get(FieldName(item.field))
    if field is None or field.asks is None:
        return []
    within = max(item.due_at - item.opened_at, 1)
    return [
        (Millis(item.due_at + level * within), Escalation(to=role, overdue_ms=level * within))
        for level, role in enumerate(field.asks.then)
    ]


def next_due(item: InboxItem) -> Millis | None:
    """When the next level is due (ms since 1970); None when nobody is left to be asked, or nothing to decide."""
    left = levels(item)[len(item.escalations) :] if item.open else []
    return left[0][0] if left else None


def missed(item: InboxItem, now: Millis) -> list[Escalation]:
    """The levels that are due and were not asked, in order; each says by how much it is late."""
    left = levels(item)[len(item.escalations) :] if item.open else []
    return [Escalation(to=asked.to, overdue_ms=now - item.due_at) for due, asked in left if due <= now]


class Escalations(FallingDue):
    """The task that asks."""

    def __init__(
        self, store: Store, office: RuleWriter, now: Callable[[], Millis], wait: Wait = wait_in_real_time
    ) -> None:
        """Bind it.

        Args:
            store: where the items are.
            office: writes what is asked.
            now: the server's clock (ms since 1970).
            wait: how time passes.
        """
        super().__init__(store, now, wait)
        self._office = office
        self._open: dict[RecordId, Millis] = {}
        """The items that wait for a decision, with the time by which it is to be made."""

    def questions(self) -> tuple[int, int, int]:
        """(how many wait for a decision, how many of them are overdue, for how long the longest of those is, ms)."""
        now = self._now()
        late = [now - due for due in self._open.values() if due < now]
        return len(self._open), len(late), max(late, default=0)

    def _concerns(self, kind: str) -> bool:
        return kind == inbox.SPEC.name

    def _at_start(self, scopes: Iterable[ScopeName]) -> Iterable[Part]:
        return [part for scope in sorted(scopes) for part in self._moved(scope)]

    def _moved(self, scope: ScopeName) -> Iterable[Part]:
        # What waits for somebody is in an inbox, and what is settled in none.
        return [(inbox.SPEC.name, scope)] if is_inbox(scope) else []

    def _next(self, state: RecordState) -> Millis | None:
        item = state.build()
        if not isinstance(item, InboxItem):
            return None
        if item.open:
            self._open[state.id] = item.due_at
        else:
            self._open.pop(state.id, None)
        return next_due(item)

    async def _do(self, record: RecordId) -> None:
        # The item is read anew: it may have been decided meanwhile, or asked about by a commit nobody heard of.
        asked = await self._office.escalate(record, lambda about: missed(about, self._now()), AUTHOR)
        for one in asked:
            _log.warning("inbox item %s is overdue by %d s; asked: %s", record, one.overdue_ms // 1_000, one.to.value)
        row = None if asked else await self._store.record(record)
        if row is not None:
            self._look_again(record, row)


def is_inbox(scope: ScopeName) -> bool:
    """Whether a scope holds what waits for people."""
    return scopes.inbox(scopes.audience(scope)) == scope
