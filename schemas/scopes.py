"""Scope names: which families there are, who is meant by each, and in which lane a scope travels.

A scope is the unit of replication. A record's scopes are a pure function of its fields (`Kind.scopes`). Briefings have
scopes of their own beside the ones they address (`area:birmingham:briefing`), so that a live briefing never queues
behind a snapshot of the same area's incidents. Decisions that wait for people travel in scopes of their own too
(`suite:perry-barr:inbox`): who holds one may decide.

Two audiences are *closed*: a compartment, and the medical part of a suite. Nothing of what is in one travels in any
scope outside it, its inbox items and their escalation included: a person without the right learns nothing, counts
included.
"""

import enum
import re
from collections.abc import Iterable
from typing import Final

from schemas.ids import SCOPE_PATTERN, ScopeName

BRIEFING: Final = "briefing"
INBOX: Final = "inbox"
MEDICAL: Final = "medical"
_SUFFIXES: Final = (BRIEFING, INBOX)
_SUITE: Final = "suite"
_COMPARTMENT: Final = "compartment"
_MEDICAL_PARTS: Final = 3
"""`suite`, its name, `medical`."""


class Lane(enum.IntEnum):
    """Order in which a connection's pending work is sent; lower first. Bulk is a snapshot of any scope."""

    CONTROL = 0
    BRIEFING = 1
    NORMAL = 2
    BULK = 3


FAMILIES: Final = {
    "area": "A Local Policing Area: `area:birmingham`.",
    "compartment": (
        "Those who are cleared for one closed matter: `compartment:larch`. A record in it is in no other scope."
    ),
    "control": "The control room: `control`, with no name behind it.",
    "custody": "Every custody desk: `custody`, with no name behind it. It knows the cells of all suites.",
    "force": "Everyone: `force`, with no name behind it.",
    "mission": "Those on a mission that cuts across areas: `mission:castle`.",
    "officer": "One officer by collar number, in lower case: `officer:wm21877`.",
    "suite": (
        "A custody suite: `suite:perry-barr`. What it knows of people's health is `suite:perry-barr:medical`, which is "
        "granted by name and never along with the suite."
    ),
    "team": "A team or unit: `team:operations`.",
}
ALONE: Final = frozenset({"force", "custody", "control"})
"""The families that have no names."""
_ALONE_WORDS: Final = "{}, {} and {}".format(*sorted(ALONE))
CONTROL: Final = ScopeName("control")
CUSTODY: Final = ScopeName("custody")
FORCE: Final = ScopeName("force")


def area(slug: str) -> ScopeName:
    """The scope of a Local Policing Area."""
    return ScopeName(f"area:{slug}")


def suite(slug: str) -> ScopeName:
    """The scope of a custody suite."""
    return ScopeName(f"{_SUITE}:{slug}")


def medical(slug: str) -> ScopeName:
    """The scope of what a custody suite knows of people's health."""
    return ScopeName(f"{_SUITE}:{slug}:{MEDICAL}")


def team(slug: str) -> ScopeName:
    """The scope of a team or unit."""
    return ScopeName(f"team:{slug}")


def mission(slug: str) -> ScopeName:
    """The scope of those on a mission."""
    return ScopeName(f"mission:{slug}")


def compartment(slug: str) -> ScopeName:
    """The scope of those who are cleared for one closed matter."""
    return ScopeName(f"{_COMPARTMENT}:{slug}")


def officer(collar: str) -> ScopeName:
    """The scope of one officer. Collar numbers that differ only in case are one officer's.

    `problem` tells when a collar number has what no scope can hold (a dot): such an officer cannot be named.
    """
    return ScopeName(f"officer:{collar.lower()}")


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


def closed(scope: ScopeName) -> bool:
    """Whether what is in this scope is told to nobody outside its audience."""
    parts = audience(scope).split(":")
    return parts[0] == _COMPARTMENT or (len(parts) == _MEDICAL_PARTS and parts[0] == _SUITE and parts[2] == MEDICAL)


def kept_in(found: Iterable[ScopeName]) -> frozenset[ScopeName]:
    """The scopes of a record that its fields would put into `found`: where one is closed, no open one."""
    every = frozenset(found)
    return frozenset(filter(closed, every)) or every


def lane(scope: ScopeName) -> Lane:
    """The lane of a scope's live batches: what people must read or decide goes ahead of the records."""
    return Lane.BRIEFING if scope.rpartition(":")[2] in _SUFFIXES else Lane.NORMAL


def with_briefings(audiences: frozenset[ScopeName]) -> frozenset[ScopeName]:
    """The scopes that a right to `audiences` gives: each one, and the briefings addressed to it.

    The right to decide (`…:inbox`) and the medical part of a suite are never given along: each is granted by name.
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
            f"{scope!r}: {_ALONE_WORDS} stand alone, every other family needs a name behind it, as in area:birmingham"
        )
    if family == _SUITE:
        name = name.removesuffix(f":{MEDICAL}")
    if name in (*_SUFFIXES, MEDICAL):
        return f"{scope!r}: no audience is named {name}; a scope that ends so holds what is addressed to an audience"
    if ":" in name:
        return f"{scope!r}: an audience has one name behind its family"
    if re.match(SCOPE_PATTERN, scope) is None:
        return f"{scope!r}: lower-case letters, digits and hyphens, as in area:birmingham"
    return None
