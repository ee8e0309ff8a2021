"""Which guards stand before which record kind, and the asking of them."""

from collections.abc import Mapping
from typing import Final

from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId
from schemas.ops import Op
from schemas.roles import Role
from schemas.settings import Settings
from sync.merge import RecordState
from sync.policing.briefings import guards as briefings
from sync.policing.custody import guards as custody
from sync.policing.custody import guards_detention, placing
from sync.policing.guards import Beside, Breach, Find, Guard, Look, breaches, in_words, nobody, nothing
from sync.policing.handing import deployment, passing, taking
from sync.policing.incidents import guards as incidents
from sync.policing.incidents import protection, sampling
from sync.policing.powers import force
from sync.policing.powers import guards as powers

GUARDS: Final[Mapping[str, tuple[Guard, ...]]] = {
    "briefing": briefings.GUARDS,
    "call-back-sample": sampling.GUARDS,
    "custody-booking": (*custody.GUARDS, *guards_detention.GUARDS),
    "deployment-request": deployment.GUARDS,
    "handover": taking.GUARDS,
    "incident": (*incidents.GUARDS, *passing.GUARDS),
    "protection-plan": protection.GUARDS,
    "resource": (*incidents.RESOURCE_GUARDS, *deployment.LOAN_GUARDS, *placing.RESOURCE_GUARDS),
    "stop-search": powers.GUARDS,
    "use-of-force": force.GUARDS,
}
"""Record kind -> its guards."""
LOOKS_BESIDE: Final[Mapping[str, FieldName]] = {
    "custody-booking": FieldName("checks"),
    "use-of-force": FieldName("used_at"),
}
"""Record kind -> the field of which a guard asks what the records beside say: where they are not at hand, only its
change is worth looking for them."""


def looks_for(op: Op) -> RecordId | None:
    """The record of another kind that a guard of this change asks for; None where none does."""
    return placing.holder_of(op.changes.get(placing.HOLD)) if op.kind == "resource" else None


class RuleError(UsageError):
    """A rule of police work is against a change.

    Attributes:
        breaches: which rules, each with its reason, its source and how to go on.
    """

    def __init__(self, found: tuple[Breach, ...]) -> None:
        """Say them all at once: whoever mends one must not meet the next afterwards."""
        super().__init__(" ".join(map(in_words, found)))
        self.breaches = found


def require(
    op: Op,
    before: RecordState | None,
    after: RecordState,
    roles: frozenset[Role] | None,
    settings: Settings,
    *,
    beside: Beside = nothing,
    find: Find = nobody,
) -> None:
    """Ask every guard of the record's kind.

    Args:
        op: the change.
        before: the record as its author sees it; None for a new one.
        after: the record as it would be.
        roles: what the author is; None where nobody has roles.
        settings: the force's.
        beside: the other records of the kind that the author sees, where they are at hand.
        find: finds a record of another kind that the author sees, where it is at hand.

    Raises:
        RuleError: one of them is against it, and its author has not given a reason for going on where that is allowed.
    """
    guards = GUARDS.get(op.kind, ())
    if not guards:
        return
    look = Look(
        before=None if before is None else before.build(),
        after=after.build(),
        changes=op.changes,
        author=op.author,
        roles=roles,
        now=Millis(op.hlc[0]),
        occurred_at=op.occurred_at,
        settings=settings,
        beside=beside,
        find=find,
        why=op.why,
    )
    found = breaches(guards, look)
    if found:
        raise RuleError(found)
