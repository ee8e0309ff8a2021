"""Which role gives which scopes: one declared table, with the defaults of a force; another one is configuration.

A form is a scope with `*` for the name of a place: `area:*:inbox` at a unit that serves `area:birmingham` gives
`area:birmingham:inbox`. What a role gives depends on the family of the place, so an officer posted to a custody suite
is no custody officer.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import SCOPE_PATTERN, Millis, ScopeName
from schemas.roles import Role

PLACE_FAMILIES: Final = ("area", "suite", "team")
"""The families of scopes that a unit or a mission may serve."""
BY_NAME_ONLY: Final = ("compartment", "officer", "role")
"""The families that no unit, assignment or direct grant can give: only clearance does, being that officer, and having
that role."""
_FORM: Final = re.compile(r"^(area|suite|team):\*((?::[a-z]+)*)$")
HOUR_MS: Final = 60 * 60_000
SHIFT_MS: Final = Millis(12 * HOUR_MS)
CUSTODY_LEASE_MS: Final = Millis(15 * 60_000)
PROVISIONAL_LEASE_MS: Final = Millis(5 * 60_000)
"""Long enough to connect on a bad link, and short for whoever never does."""


class RoleRule(msgspec.Struct, frozen=True, kw_only=True):
    """What one role gives.

    Attributes:
        here: forms, for the places of the units where the role is held.
        everywhere: forms, for the places of every unit there is or was.
        always: scopes, wherever the role is held.
    """

    here: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()
    always: tuple[ScopeName, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The force's rules. They are checked when they are made.

    Attributes:
        roles: role -> what it gives; a role that is not in it gives nothing.
        everyone: what every officer holds.
        on_shift: roles that give something only while their holder is on shift.
        apart: pairs of roles that one person never has at the same time.
        outside: roles whose holder has no operational scope at all, whatever else entitles them: who runs the system or
            audits it does not read what is in it.
        leases: role -> how long a replica opens without the server (ms); None for everybody else.
        provisional_ms: how long it does after signing in (ms), until the sync session has looked at its read log and
            gives the whole lease.

    Raises:
        UsageError: a form or scope is none, an outside role gives something, or a lease is missing.
    """

    roles: Mapping[Role, RoleRule]
    everyone: tuple[ScopeName, ...] = (scopes.FORCE,)
    on_shift: frozenset[Role] = frozenset()
    apart: tuple[tuple[Role, Role], ...] = ((Role.AUDITOR, Role.ADMINISTRATOR),)
    outside: frozenset[Role] = frozenset({Role.AUDITOR, Role.ADMINISTRATOR})
    leases: Mapping[Role | None, Millis] = msgspec.field(
        default_factory=lambda: {None: SHIFT_MS, Role.CUSTODY_OFFICER: CUSTODY_LEASE_MS}
    )
    provisional_ms: Millis = PROVISIONAL_LEASE_MS

    @property
    def reaching(self) -> frozenset[Role]:
        """The roles that give something at every unit there is."""
        return frozenset(role for role, rule in self.roles.items() if rule.everywhere)

    def __post_init__(self) -> None:
        """Check every form, scope and pair."""
        for role, rule in self.roles.items():
            for form in (*rule.here, *rule.everywhere):
                if _FORM.match(form) is None:
                    raise UsageError(f"rules: {role.value}: {form!r} is no form; write area:*, suite:*:inbox, team:*")
            for scope in rule.always:
                _check_fixed(role.value, scope)
        for scope in self.everyone:
            _check_fixed("everyone", scope)
        for role in self.outside & self.roles.keys():
            if self.roles[role] != RoleRule():
                raise UsageError(f"rules: {role.value} is outside operations and can give no scopes")
        if None not in self.leases:
            raise UsageError("rules: say how long a lease is for roles that have none of their own")


def _check_fixed(whose: str, scope: ScopeName) -> None:
    family = scope.partition(":")[0]
    if re.match(SCOPE_PATTERN, scope) is None or family in BY_NAME_ONLY:
        raise UsageError(f"rules: {whose}: {scope!r} cannot be given by a role")


def expand(forms: tuple[str, ...], place: ScopeName) -> list[ScopeName]:
    """The scopes that the forms give at a place: `area:*:inbox` at `area:dudley` gives `area:dudley:inbox`."""
    family, _, name = place.partition(":")
    prefix = f"{family}:*"
    return [ScopeName(f"{family}:{name}{form[len(prefix) :]}") for form in forms if form.startswith(prefix)]


DEFAULT_RULES: Final = Rules(
    roles={
        Role.OFFICER: RoleRule(here=("area:*", "team:*")),
        Role.SUPERVISOR: RoleRule(here=("area:*", "area:*:inbox", "team:*", "team:*:inbox")),
        Role.CUSTODY_OFFICER: RoleRule(
            here=("suite:*", "suite:*:inbox", "suite:*:medical", "suite:*:medical:inbox"), always=(scopes.CUSTODY,)
        ),
        # Reviews detention (PACE s.40) on the booking and what was said about it; the medical record stays with those
        # who care for the person, unless it is in dispute.
        Role.REVIEWING_OFFICER: RoleRule(here=("suite:*", "suite:*:inbox", "suite:*:medical:inbox")),
        Role.SUPERINTENDENT: RoleRule(
            here=("area:*", "area:*:inbox", "suite:*", "suite:*:inbox", "team:*", "team:*:inbox")
        ),
        Role.CONTROL_ROOM: RoleRule(
            everywhere=("area:*", "area:*:inbox", "team:*", "team:*:inbox"),
            always=(scopes.CONTROL, scopes.inbox(scopes.CONTROL), scopes.inbox(scopes.FORCE)),
        ),
        # The Force Crime Registrar decides what was recorded as a crime anywhere in the force.
        Role.REGISTRAR: RoleRule(everywhere=("area:*", "area:*:inbox")),
    }
)
"""A force's rules unless it configures its own."""
