"""Scope names: which families there are, who is meant by each, and in which lane a scope travels.

A scope is the unit of replication. A record's scopes are a pure function of its fields (`Kind.scopes`). Briefings have
scopes of their own beside the ones they address (`area:birmingham:briefing`), so that a live briefing never queues
behind a snapshot of the same area's incidents.
"""

import enum
import re
from typing import Final

from schemas.ids import SCOPE_PATTERN, ScopeName

BRIEFING: Final = "briefing"


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
}


def area(slug: str) -> ScopeName:
    """The scope of a Local Policing Area."""
    return ScopeName(f"area:{slug}")


def suite(slug: str) -> ScopeName:
    """The scope of a custody suite."""
    return ScopeName(f"suite:{slug}")


def briefing(audience: ScopeName) -> ScopeName:
    """The scope in which briefings to `audience` travel."""
    return ScopeName(f"{audience}:{BRIEFING}")


def lane(scope: ScopeName) -> Lane:
    """The lane of a scope's live batches."""
    return Lane.BRIEFING if scope.endswith(f":{BRIEFING}") else Lane.NORMAL


def with_briefings(audiences: frozenset[ScopeName]) -> frozenset[ScopeName]:
    """The scopes that a right to `audiences` gives: each one, and the briefings addressed to it."""
    return audiences | {briefing(scope) for scope in audiences}


def problem(scope: str) -> str | None:
    """Why `scope` cannot be a granted scope or a briefing's audience, or None when it can."""
    family, _, name = scope.partition(":")
    if family not in FAMILIES:
        return f"{scope!r}: no such family of scopes; there are {', '.join(sorted(FAMILIES))}"
    if (family == "force") != (name == ""):
        return f"{scope!r}: `force` stands alone, every other family needs a name behind it, as in area:birmingham"
    if name == BRIEFING:
        return f"{scope!r}: no audience is named {BRIEFING}; a scope that ends so holds the briefings to an audience"
    if ":" in name:
        return f"{scope!r}: an audience has one name behind its family"
    if re.match(SCOPE_PATTERN, scope) is None:
        return f"{scope!r}: lower-case letters, digits and hyphens, as in area:birmingham"
    return None
