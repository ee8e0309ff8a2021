"""Who is on shift: what each of them is, where they are posted, and what they are to hold because of it."""

from collections.abc import Sequence
from typing import Final

from schemas import scopes
from schemas.ids import DeviceId
from schemas.roles import Role
from server.demo import content
from server.demo.actors import Actor, ControlRoomDesk, CustodyDesk
from server.demo.people import OFFICER, Person

DESK: Final = DeviceId("custody-desk")
OTHER_DESK: Final = DeviceId("custody-desk-2")
SERGEANT: Final = DeviceId("custody-sergeant")
ACROSS_EVERY: Final = 5
"""Every fifth officer works across a boundary of areas."""
STOLEN, LOST, RETURNED, MOVED = range(2, 6)
"""Who of the officers loses what; the first two disagree."""
OFFICERS_MIN: Final = 6


def everybody(officers: int) -> list[tuple[type[Actor], Person]]:
    """The officers, then the desks."""
    return [*((Actor, _officer(at)) for at in range(officers)), *_desks()]


def _officer(at: int) -> Person:
    areas = [content.AREAS[at % len(content.AREAS)]]
    if (at + 1) % ACROSS_EVERY == 0 or at == MOVED:
        areas.append(content.AREAS[(at + 1) % len(content.AREAS)])
    if at == 1:
        # The second officer shares an area with the first: they will disagree.
        areas = [content.AREAS[0], *areas]
    held = [scopes.area(area) for area in areas]
    roles: tuple[Role, ...] = OFFICER
    if at in {0, 1}:
        # These two answer for others' work: one of them closes an incident.
        roles = (*OFFICER, Role.SUPERVISOR)
        held += [scopes.inbox(scope) for scope in held]
    return _person(f"hh-{at + 1:03}", f"WM{21_000 + at}", held, roles, areas)


def _desks() -> list[tuple[type[Actor], Person]]:
    suite, medical = scopes.suite(content.SUITE), scopes.medical(content.SUITE)
    custody = [scopes.CUSTODY, suite, scopes.inbox(suite), medical, scopes.inbox(medical)]
    keeps, posts = (Role.CUSTODY_OFFICER,), (content.CUSTODY,)
    desks = ((DESK, "WM30001"), (OTHER_DESK, "WM30003"), (SERGEANT, "WM30004"))
    areas = [scopes.area(area) for area in content.AREAS]
    control = [scopes.CONTROL, *areas, *map(scopes.inbox, (scopes.CONTROL, scopes.FORCE, *areas))]
    return [
        *((CustodyDesk, _person(desk, officer, custody, keeps, posts)) for desk, officer in desks),
        (ControlRoomDesk, _person("control-desk", "WM30002", control, (Role.CONTROL_ROOM,), ())),
    ]


def _person(device: str, officer: str, held: Sequence[str], roles: Sequence[Role], posts: Sequence[str]) -> Person:
    """Somebody who holds, beside these scopes, what everybody does and what is theirs alone."""
    return Person(device, officer, [scopes.FORCE, scopes.officer(officer), *held], roles, posts=posts)
