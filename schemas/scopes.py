"""Scope names: which families there are, who is meant by each, and in which lane a scope travels.

A scope is the unit of replication. A record's scopes are a pure function of its fields (`Kind.scopes`). Briefings have
scopes of their own beside the ones they address (`area:birmingham:briefing`), so that a live briefing never queues
behind a snapshot of the same area's incidents. Those on which officer safety hangs have scopes of their own once more
(`area:birmingham:safety`), which go ahead of everything but a removal and a lease. Decisions that wait for people
travel in scopes of their own too (`suite:perry-barr:inbox`): who holds one may decide.

What people say about having read a briefing goes up and is counted (`force:receipts`); nobody holds that scope. It
comes back to its author alone: in `officer:wm21877`, or for what is closed in their own part of the closed audience
(`compartment:larch:of-wm21877`), which leaves them together with it.

Two audiences are *closed*: a compartment, and the medical part of a suite. Nothing of what is in one travels in any
scope outside it, its inbox items and their escalation included: a person without the right learns nothing, counts
included.
"""

import enum
import functools
import re
from collections.abc import Iterable
from typing import Final

from schemas.ids import SCOPE_PATTERN, ScopeName
from schemas.roles import Role

BRIEFING: Final = "briefing"
SAFETY: Final = "safety"
INBOX: Final = "inbox"
RECEIPTS: Final = "receipts"
MEDICAL: Final = "medical"
_SUFFIXES: Final = (BRIEFING, SAFETY, INBOX, RECEIPTS)
_OF: Final = "of-"
_SUITE: Final = "suite"
_COMPARTMENT: Final = "compartment"
_ROLE: Final = "role"
_MEDICAL_PARTS: Final = 3
"""`suite`, its name, `medical`."""


class Lane(enum.IntEnum):
    """Order in which a connection's pending work is sent; lower first. Bulk is a snapshot of any scope."""

    CONTROL = 0
    SAFETY = 1
    BRIEFING = 2
    NORMAL = 3
    BULK = 4


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
    "role": (
        "Whoever has a role, wherever they are posted: `role:custody-officer`. Briefings are addressed to it; nothing "
        "else is in it, and no grant gives it but the role."
    ),
    "suite": (
        "A custody suite: `suite:perry-barr`. What it knows of people's health is `suite:perry-barr:medical`, which is "
        "granted by name and never along with the suite."
    ),
    "team": "A team or unit: `team:operations`.",
}
ALONE: Final = frozenset({"force", "custody", "control"})
"""The families that have no names."""
_ALONE_WORDS: Final = "{}, {} and {}".format(*sorted(ALONE))
_LANES: Final = {SAFETY: Lane.SAFETY, BRIEFING: Lane.BRIEFING, INBOX: Lane.BRIEFING}
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


def role(holders: Role) -> ScopeName:
    """The audience of everyone who has a role. It holds briefings only, in its `briefing` and `safety` scopes."""
    return ScopeName(f"{_ROLE}:{holders.value}")


def officer(collar: str) -> ScopeName:
    """The scope of one officer. Collar numbers that differ only in case are one officer's.

    `problem` tells when a collar number has what no scope can hold (a dot): such an officer cannot be named.
    """
    return ScopeName(f"officer:{collar.lower()}")


def briefing(audience: ScopeName) -> ScopeName:
    """The scope in which briefings to `audience` travel."""
    return ScopeName(f"{audience}:{BRIEFING}")


def safety(audience: ScopeName) -> ScopeName:
    """The scope in which briefings to `audience` travel on which officer safety hangs."""
    return ScopeName(f"{audience}:{SAFETY}")


def receipts(audience: ScopeName) -> ScopeName:
    """The scope in which receipts of briefings are counted: of `force`, or of a closed audience. Nobody holds it."""
    return ScopeName(f"{audience}:{RECEIPTS}")


def personal(collar: str, audience: ScopeName | None = None) -> ScopeName | None:
    """The scope of one officer alone; None where their collar number cannot stand in one.

    Args:
        collar: the officer.
        audience: their own part of this closed audience; None for what is not closed.
    """
    found = officer(collar) if audience is None else ScopeName(f"{audience}:{_OF}{collar.lower()}")
    return None if re.match(SCOPE_PATTERN, found) is None else found


def inbox(audience: ScopeName) -> ScopeName:
    """The scope of the decisions that wait for people about records of `audience`."""
    return ScopeName(f"{audience}:{INBOX}")


def audience(scope: ScopeName) -> ScopeName:
    """The audience that a scope belongs to: `area:birmingham` for `area:birmingham:briefing`."""
    head, _, last = scope.rpartition(":")
    part = last in _SUFFIXES or (last.startswith(_OF) and ":" in head)
    return ScopeName(head) if part and head else scope


def closed(scope: ScopeName) -> bool:
    """Whether what is in this scope is told to nobody outside its audience."""
    parts = audience(scope).split(":")
    return parts[0] == _COMPARTMENT or (len(parts) == _MEDICAL_PARTS and parts[0] == _SUITE and parts[2] == MEDICAL)


def kept_in(found: Iterable[ScopeName]) -> frozenset[ScopeName]:
    """The scopes of a record that its fields would put into `found`: where one is closed, no open one."""
    every = frozenset(found)
    return frozenset(filter(closed, every)) or every


def lane(scope: ScopeName) -> Lane:
    """The lane of a scope's live batches: officer safety, then what people must read or decide, then the records."""
    return _LANES.get(scope.rpartition(":")[2], Lane.NORMAL) if ":" in scope else Lane.NORMAL


def snapshot_lane(scope: ScopeName) -> Lane:
    """The lane of a scope's snapshot: records in bulk come last, briefings and decisions as when they are live."""
    live = lane(scope)
    return Lane.BULK if live is Lane.NORMAL else live


def with_briefings(audiences: frozenset[ScopeName]) -> frozenset[ScopeName]:
    """The scopes that a right to `audiences` gives: each one, and the briefings addressed to it in both lanes.

    The right to decide (`…:inbox`) and the medical part of a suite are never given along: each is granted by name.
    """
    whole = [scope for scope in audiences if audience(scope) == scope]
    return audiences | {briefing(scope) for scope in whole} | {safety(scope) for scope in whole}


def grant_problem(scope: str) -> str | None:
    """Why `scope` cannot be granted, or None when it can: an audience, or an audience's inbox."""
    return problem(scope.removesuffix(f":{INBOX}"))


@functools.lru_cache(maxsize=4096)
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
    if family == _ROLE and name not in {one.value for one in Role}:
        return f"{scope!r}: no such role; there are {', '.join(sorted(one.value for one in Role))}"
    if re.match(SCOPE_PATTERN, scope) is None:
        return f"{scope!r}: lower-case letters, digits and hyphens, as in area:birmingham"
    return None
