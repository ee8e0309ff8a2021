"""The table of roles is looked at when it is made, and its forms mean what they say."""

import pytest

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import Millis, ScopeName
from schemas.roles import Role
from server.registry import DEFAULT_RULES, RoleRule, Rules
from server.registry.rules import BY_NAME_ONLY, expand


def test_every_role_is_in_the_default_rules_or_outside() -> None:
    """A new role is thought about here before anybody has it."""
    assert set(DEFAULT_RULES.roles) | DEFAULT_RULES.outside == set(Role)
    assert not set(DEFAULT_RULES.roles) & DEFAULT_RULES.outside


@pytest.mark.parametrize("role", DEFAULT_RULES.roles, ids=lambda role: role.value)
def test_what_a_role_gives_is_a_scope_that_there_can_be(role: Role) -> None:
    """Every form of the defaults, at a place of its family, and every fixed scope."""
    rule = DEFAULT_RULES.roles[role]
    given = {scope for family in ("area", "suite", "team") for scope in expand(rule.here, ScopeName(f"{family}:x"))}
    given |= set(expand(rule.everywhere, ScopeName("area:x"))) | set(rule.always)
    assert given
    assert [scopes.grant_problem(scope) for scope in sorted(given)] == [None] * len(given)


def test_a_form_fits_its_own_family_alone() -> None:
    """An area's form says nothing at a suite."""
    forms = ("area:*", "area:*:inbox", "suite:*:medical")
    assert expand(forms, ScopeName("area:dudley")) == ["area:dudley", "area:dudley:inbox"]
    assert expand(forms, ScopeName("suite:dudley")) == ["suite:dudley:medical"]
    assert expand(forms, ScopeName("team:dudley")) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RoleRule(here=("area:dudley",)), "'area:dudley' is no form; write area:\\*"),
        (RoleRule(here=("force",)), "'force' is no form"),
        (RoleRule(everywhere=("compartment:*",)), "'compartment:\\*' is no form"),
        (RoleRule(always=(ScopeName("compartment:larch"),)), "'compartment:larch' cannot be given by a role"),
        (RoleRule(always=(ScopeName("officer:wm1"),)), "'officer:wm1' cannot be given by a role"),
        (RoleRule(always=(ScopeName("Area X"),)), "'Area X' cannot be given by a role"),
    ],
)
def test_no_configuration_opens_what_only_a_name_opens(rule: RoleRule, words: str) -> None:
    """A compartment is opened by clearance and by nothing that can be written into a file."""
    with pytest.raises(UsageError, match=words):
        Rules(roles={Role.OFFICER: rule})


def test_nothing_is_given_to_those_outside() -> None:
    """Configuration cannot make the auditor an officer."""
    with pytest.raises(UsageError, match="auditor is outside operations and can give no scopes"):
        Rules(roles={Role.AUDITOR: RoleRule(always=(scopes.CONTROL,))})


def test_what_everybody_holds_is_no_compartment_either() -> None:
    """The same guard on the scopes of everyone, and a lease for those who have none of their own."""
    with pytest.raises(UsageError, match="everyone: 'compartment:larch' cannot be given by a role"):
        Rules(roles={}, everyone=(scopes.compartment("larch"),))
    with pytest.raises(UsageError, match="say how long a lease is"):
        Rules(roles={}, leases={Role.OFFICER: Millis(1)})
    assert {"compartment", "officer"} <= set(BY_NAME_ONLY)
