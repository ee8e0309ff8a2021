"""Finding what an act refers to: it is there, or the act cannot be, and the text says what to do about that."""

from collections.abc import Mapping
from typing import TypeVar

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import Millis, ScopeName
from server.registry.rules import BY_NAME_ONLY, PLACE_FAMILIES
from server.registry.state import Seat

K = TypeVar("K")
V = TypeVar("V")


def found(known: Mapping[K, V], name: K, what: str, remedy: str) -> V:
    """The thing of that name.

    Args:
        known: all of its sort.
        name: as the act says.
        what: `unit`, `officer`.
        remedy: what to do when there is none.

    Raises:
        UsageError: there is none.
    """
    one = known.get(name)
    if one is None:
        raise UsageError(f"there is no {what} {_shown(name)}; {remedy}")
    return one


def fresh(known: Mapping[K, V], name: K, what: str, remedy: str) -> None:
    """Make sure that a name was never used.

    Raises:
        UsageError: it was.
    """
    if name in known:
        raise UsageError(f"{what} {_shown(name)} exists already; {remedy}")


def order(what: str, start: Millis, until: Millis | None) -> None:
    """Make sure that something ends after it begins.

    Raises:
        UsageError: it does not.
    """
    if until is not None and until <= start:
        raise UsageError(f"{what} would end ({until}) before it begins ({start}); give a later end, or none")


def shorter(what: str, start: Millis, was: Millis | None, until: Millis) -> None:
    """Make sure that an end is not before the start, and not after the end that stands.

    Raises:
        UsageError: it is.
    """
    if until < start:
        raise UsageError(f"{what} cannot end ({until}) before it began ({start}); give its start to undo it whole")
    if was is not None and until > was:
        raise UsageError(f"{what} ends already ({was}); an end can only come earlier, begin a new one instead")


def grantable(scope: ScopeName) -> None:
    """Make sure that a scope can be given by assignment or grant.

    Raises:
        UsageError: it is none, or has a way of its own.
    """
    if scope.partition(":")[0] in BY_NAME_ONLY:
        raise UsageError(
            f"{scope!r} cannot be granted: clear the officer for a compartment, make them a member of a mission; what "
            "names an officer reaches that officer alone, and what names a role whoever is given the role"
        )
    wrong = scopes.grant_problem(scope)
    if wrong is not None:
        raise UsageError(wrong)


def places(wanted: tuple[ScopeName, ...]) -> None:
    """Make sure that a unit or a mission can serve these.

    Raises:
        UsageError: one is no area, suite or team, or comes twice.
    """
    for scope in wanted:
        family, _, name = scope.partition(":")
        if family not in PLACE_FAMILIES or ":" in name or scopes.problem(scope) is not None:
            raise UsageError(f"{scope!r} is no place to serve; give an area, a suite or a team, as in area:birmingham")
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"a place comes twice in {', '.join(wanted)}; give each once")


def usable_seat(seat: Seat) -> None:
    """Make sure that a seat is still in use.

    Raises:
        UsageError: it never is again.
    """
    if seat.retired:
        raise UsageError(f"seat {seat.seat!r} is never used again; open another one")


def _shown(name: object) -> str:
    """A name as it is read; of a hash the first digits, enough to find it and too few to be of use."""
    return f"{name.hex()[:12]}…" if isinstance(name, bytes) else repr(name)
