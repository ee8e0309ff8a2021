"""For which records a role counts: everywhere, or where the record is or was; and never for fewer by a further move."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import ScopeName
from schemas.roles import Role
from server.roles import Roles, place_of

PERRY_BARR, OLDBURY = ScopeName("suite:perry-barr"), ScopeName("suite:oldbury")
CUSTODY = Roles(frozenset({Role.OFFICER}), {Role.CUSTODY_OFFICER: frozenset({PERRY_BARR})})
SCOPES = st.frozensets(
    st.sampled_from(
        [ScopeName(f"{place}{part}") for place in (PERRY_BARR, OLDBURY) for part in ("", ":inbox", ":medical")]
        + [ScopeName(scope) for scope in ("area:dudley", "compartment:larch", "custody", "force", "officer:wm1")]
    )
)
ROLES = st.builds(
    Roles, st.frozensets(st.sampled_from(Role)), st.dictionaries(st.sampled_from(Role), SCOPES, max_size=3)
)


def test_a_role_of_one_suite_counts_for_all_of_that_suite_and_for_no_other() -> None:
    """Its inbox and its medical part are of it; cells of other suites and what is for the force are not."""
    for scope in (PERRY_BARR, ScopeName("suite:perry-barr:medical"), ScopeName("suite:perry-barr:medical:inbox")):
        assert CUSTODY.among([scope]) == {Role.OFFICER, Role.CUSTODY_OFFICER}
    for others in ([OLDBURY], [ScopeName("custody"), OLDBURY], [ScopeName("force")], []):
        assert CUSTODY.among(others) == {Role.OFFICER}
    assert CUSTODY.every == {Role.OFFICER, Role.CUSTODY_OFFICER}


def test_in_a_compartment_every_role_counts() -> None:
    """It says nothing of places, and lets in whoever was cleared by name."""
    assert Role.CUSTODY_OFFICER in CUSTODY.among([ScopeName("compartment:larch:inbox")])


@given(ROLES, SCOPES, SCOPES)
def test_a_further_place_never_takes_a_role_away(
    roles: Roles, held_in: frozenset[ScopeName], more: frozenset[ScopeName]
) -> None:
    """Otherwise a move that came first would take something from an op that was made before it."""
    assert roles.among(held_in) <= roles.among(held_in | more) <= roles.every


@given(ROLES, ROLES, SCOPES)
def test_two_peoples_roles_together_are_those_of_either(
    one: Roles, other: Roles, held_in: frozenset[ScopeName]
) -> None:
    """Who adopts another's edit has what that one had, and where."""
    assert one.joined(other).among(held_in) == one.among(held_in) | other.among(held_in)
    assert one.joined(other).every == one.every | other.every


def test_the_place_of_a_scope_is_its_first_two_words() -> None:
    """`suite:perry-barr:medical:inbox` is of `suite:perry-barr`."""
    assert place_of(ScopeName("suite:perry-barr:medical:inbox")) == PERRY_BARR
