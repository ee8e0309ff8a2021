"""What is refused before it is written, in words an officer uses: which rule, why, and how to go on.

Merge policies settle what two people wrote without sight of each other; rights say who may write. A guard looks at what
one person is about to write onto what they see: a cell check while the detainee is in hospital, a domestic abuse
incident closed without a risk assessment for each victim. It runs where a person writes: on the device, at the desk and
in the server's HTTP side. What two devices did without sight of each other no guard can refuse; the kinds declare what
is shown then, and who is asked.

Where the law leaves judgement a rule can be overridden: the same change carries a log entry that names the rule
(`LogEntry.overrides`) and says why. It stays in the record with its author, for ever.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.ids import FieldName, Millis, OfficerId, RecordId
from schemas.kinds import Kind
from schemas.kinds.common import LogEntry
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from sync.merge import RecordState

_LOG: Final = FieldName("log")


Find = Callable[[RecordId], Kind | None]
"""Finds a record that its author sees; None where there is none of that id."""


def nobody(_record: RecordId) -> None:
    """Of a guard that is asked where no other record is at hand."""


Beside = Callable[[], Iterable[RecordState]]


def nothing() -> Iterable[RecordState]:
    """Of a guard that is asked where no other record is at hand."""
    return ()


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule has against a change.

    Attributes:
        rule: its id, as in docs/policing.md.
        why: what is wrong, in words an officer uses.
        remedy: how to go on.
        source: where it is laid down: a PACE section, a Code paragraph, an inspection.
        override: whether whoever writes may go on all the same, with a reason.
    """

    rule: str
    why: str
    remedy: str
    source: str
    override: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to be written.

    Attributes:
        before: the record as its author sees it; None for a new one.
        after: the record as it would be.
        changes: field -> plain change, as in an op.
        author: who writes.
        roles: what they are; None where nobody has roles.
        now: the clock (ms since 1970).
        occurred_at: when it happened, as the author says (ms since 1970).
        settings: the force's.
        beside: the other records of the kind that its author sees, where they are at hand.
        find: finds a record of another kind that the change is about, where it is at hand.
        why: the reason that its author gave for the change as a whole; "" for none.
    """

    before: Kind | None
    after: Kind
    changes: Mapping[FieldName, Any]
    author: OfficerId
    roles: frozenset[Role] | None
    now: Millis
    occurred_at: Millis
    settings: Settings = DEFAULTS
    beside: Beside = nothing
    find: Find = nobody
    why: str = ""

    def sets(self, field: str) -> bool:
        """Whether the change writes that field."""
        return field in self.changes


Guard = Callable[[Look], Iterable[Breach]]


def breaches(guards: Iterable[Guard], look: Look) -> tuple[Breach, ...]:
    """What the rules have against a change, without what its author overrides with a reason."""
    overridden = {entry.overrides for entry in _entries(look) if entry.overrides is not None}
    found = (breach for guard in guards for breach in guard(look))
    return tuple(breach for breach in found if not (breach.override and breach.rule in overridden))


def in_words(breach: Breach) -> str:
    """A breach for the person who is refused."""
    how = f"{breach.remedy} Or give your reason for going on." if breach.override else breach.remedy
    return f"{breach.why} {how} [{breach.rule}: {breach.source}]"


def _entries(look: Look) -> list[LogEntry]:
    return msgspec.convert(look.changes.get(_LOG, []), list[LogEntry])
