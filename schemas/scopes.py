"""Scope names: which families there are, who is meant by each, and in which lane a scope travels.

A scope is the unit of replication. A record's scopes are a pure function of its fields (`Kind.scopes`). Briefings have
scopes of their own beside the ones they address (`area:birmingham:briefing`), so that a live briefing never queues
behind a snapshot of the same area's incidents. Decisions that wait for people travel in scopes of their own too
(`suite:perry-barr:inbox`): who holds one may decide.
"""

import enum
import re
from typing import Final

from schemas.ids import SCOPE_PATTERN, ScopeName

BRIEFING: Final = "briefing"
INBOX: Final = "inbox"
_SUFFIXES: Final = (BRIEFING, INBOX)


class Lane(enum.IntEnum):
    """Order in which a connection's pending work is sent; lower first. Bulk is a snapshot of any scope."""

    CONTROL = 0
    BRIEFING = 1
    NORMAL = 2
    BULK = 3


FAMILIES: Final = {
    "area": "A Local Policing Area: `area:birmingham`.",
    "suite": "A custody suite: `suite:perry-barr`.",
    "team": "A team or unit: `team:operations`.",
    "force": "Everyone: `force`, with no name behind it.",
    "custody": "Every custody desk: `custody`, with no name behind it. It knows the cells of all suites.",
}
ALONE: Final = frozenset({"force", "custody"})
"""The families that have no names."""
CUSTODY: Final = ScopeName("custody")
FORCE: Final = ScopeName("force")


def area(slug: str) -> ScopeName:
    """The scope of a Local Policing Area."""
    return ScopeName(f"area:{slug}")


def suite(slug: str) -> ScopeName:
    """The scope of a custody suite."""
    return ScopeName(f"suite:{slug}")


def briefing(audience: ScopeName) -> ScopeName:
    """The scope in which briefings to `audience` travel."""
    return ScopeName(f"{audience}:{BRIEFING}")


def inbox(audience: ScopeName) -> ScopeName:
    """The scope of the decisions that wait for people about records of `audience`."""
    return ScopeName(f"{audience}:{INBOX}")


def audience(scope: ScopeName) -> ScopeName:
    """The audience that a scope belongs to: `area:birmingham` for `area:birmingham:briefing`."""
    head, _, last = scope.rpartition(":")
    return ScopeName(head) if last in _SUFFIXES and head else scope


def lane(scope: ScopeName) -> Lane:
    """The lane of a scope's live batches: what people must read or decide goes ahead of the records."""
    return Lane.BRIEFING if scope.rpartition(":")[2] in _SUFFIXES else Lane.NORMAL


def with_briefings(audiences: frozenset[ScopeName]) -> frozenset[ScopeName]:
    """The scopes that a right to `audiences` gives: each one, and the briefings addressed to it.

    The right to decide (`…:inbox`) is never given along: it is granted by name.
    """
    return audiences | {briefing(scope) for scope in audiences if audience(scope) == scope}


def grant_problem(scope: str) -> str | None:
    """Why `scope` cannot be granted, or None when it can: an audience, or an audience's inbox."""
    return problem(scope.removesuffix(f":{INBOX}"))


def problem(scope: str) -> str | None:
    """Why `scope` cannot be an audience, or None when it can."""
    family, _, name = scope.partition(":")
    if family not in FAMILIES:
        return f"{scope!r}: no such family of scopes; there are {', '.join(sorted(FAMILIES))}"
    if (family in ALONE) != (name == ""):
        return (
            f"{scope!r}: {' and '.join(sorted(ALONE))} stand alone, every other family needs a name behind it, "
            "as in area:birmingham"
        )
    if name in _SUFFIXES:
        return f"{scope!r}: no audience is named {name}; a scope that ends so holds what is addressed to an audience"
    if ":" in name:
        return f"{scope!r}: an audience has one name behind its family"
    if re.match(SCOPE_PATTERN, scope) is None:
        return f"{scope!r}: lower-case letters, digits and hyphens, as in area:birmingham"
    return None
