"""Acts about officers: who they are, and each thing that entitles them, with its start and end."""

from typing import TypeAlias

from schemas.ids import MillisInt, OfficerText, RecordText, ScopeText, SlugText
from schemas.roles import Role
from server.registry.acts.base import BaseAct, SpanAct, SpanText, Title, Why


class OfficerAdded(BaseAct, frozen=True, kw_only=True, tag="officer-added-1"):
    """A person joins, or is told to the registry.

    Attributes:
        officer: collar number, for ever this person's.
        name: as colleagues read it.
        start: from when (ms since 1970).
    """

    officer: OfficerText
    name: Title
    start: MillisInt


class OfficerEnded(BaseAct, frozen=True, kw_only=True, tag="officer-ended-1"):
    """A person leaves: nothing that entitled them counts from `until` on."""

    officer: OfficerText
    until: MillisInt
    why: Why


class OfficerReturned(BaseAct, frozen=True, kw_only=True, tag="officer-returned-1"):
    """A person who has left joins again. What had begun before they left has ended with that, sign-ins included."""

    officer: OfficerText
    start: MillisInt


class RoleGiven(SpanAct, frozen=True, kw_only=True, tag="role-given-1"):
    """An officer has a role.

    Attributes:
        officer: who.
        role: which; it must be one that this program knows.
        unit: the unit that the role covers, whether or not the officer is posted there (a superintendent and a suite);
            None for wherever they are posted or on shift.
    """

    officer: OfficerText
    role: Role
    unit: SlugText | None = None


class Posted(SpanAct, frozen=True, kw_only=True, tag="posted-1"):
    """An officer is posted to a unit."""

    officer: OfficerText
    unit: SlugText


class ShiftSet(SpanAct, frozen=True, kw_only=True, tag="shift-set-1"):
    """An officer is on duty.

    Attributes:
        officer: who.
        unit: a unit that they help out at for this shift; None for where they are posted.
    """

    officer: OfficerText
    unit: SlugText | None = None


class Assigned(SpanAct, frozen=True, kw_only=True, tag="assigned-1"):
    """An officer is assigned to work that lies in a scope: an incident of another area, another team's case.

    Attributes:
        officer: who.
        scope: the audience that the work is in.
        why: what for.
    """

    officer: OfficerText
    scope: ScopeText
    why: Why


class MissionJoined(SpanAct, frozen=True, kw_only=True, tag="mission-joined-1"):
    """An officer is a member of a mission.

    Attributes:
        officer: who.
        mission: which.
        decides: whether they decide what waits for people in it.
    """

    officer: OfficerText
    mission: SlugText
    decides: bool = False


class NamedGrant(SpanAct, frozen=True, kw_only=True, tag="named-grant-1"):
    """An officer is named for a scope.

    Attributes:
        officer: who.
        scope: for which.
        record: no longer given: a grant reaches scopes, and a record says itself whom it names (`named` of an
            incident), which reaches them in the scope that is theirs alone (`officer:COLLAR`).
        why: what for.
    """

    officer: OfficerText
    scope: ScopeText | None = None
    record: RecordText | None = None
    why: Why


class Cleared(SpanAct, frozen=True, kw_only=True, tag="cleared-1"):
    """An officer is cleared for a compartment.

    Attributes:
        officer: who.
        compartment: which.
        decides: whether they decide what waits for people in it.
        why: what for.
    """

    officer: OfficerText
    compartment: SlugText
    decides: bool = False
    why: Why


class SpanEnded(BaseAct, frozen=True, kw_only=True, tag="span-ended-1"):
    """A role, posting, shift, assignment, membership, grant or clearance ends earlier than it said.

    Attributes:
        span: its name.
        until: the first moment at which it no longer holds; its start when it shall never have held.
        why: what for.
    """

    span: SpanText
    until: MillisInt
    why: Why


class PassphraseChanged(BaseAct, frozen=True, kw_only=True, tag="passphrase-changed-1"):
    """An officer's passphrase is another one. The act has nothing of it.

    Attributes:
        officer: whose.
        reset: whether somebody else gave them a new one.
    """

    officer: OfficerText
    reset: bool = False


class LeaseSet(BaseAct, frozen=True, kw_only=True, tag="lease-set-1"):
    """How long a replica opens without the server.

    Attributes:
        role: for whoever has this role; None for everybody whose roles have no lease of their own.
        lease_ms: how long (ms).
    """

    role: Role | None = None
    lease_ms: MillisInt


PersonSpan: TypeAlias = RoleGiven | Posted | ShiftSet | Assigned | MissionJoined | NamedGrant | Cleared
PeopleAct: TypeAlias = (
    OfficerAdded | OfficerEnded | OfficerReturned | PersonSpan | SpanEnded | PassphraseChanged | LeaseSet
)
