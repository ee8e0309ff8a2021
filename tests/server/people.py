"""People at a running server: taken in without ceremony, so that a test can call as whoever it needs.

They go through the authority as everybody does; what is left out are the passphrase and the code, which have tests of
their own.
"""

import itertools
from collections.abc import Iterable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.ids import DeviceId, OfficerId, ScopeName
from schemas.roles import Role
from server.cli.proving import DpopAuth, Held
from server.registry.acts import (
    SERVER,
    Act,
    DeviceEnrolled,
    OfficerAdded,
    Posted,
    RoleGiven,
    ScopeGranted,
    SeatOpened,
    UnitAdded,
)
from sync.device.keys import DeviceIdentity
from tests.server.running import Running

WORKING: Final = (
    Role.CONTROL_ROOM,
    Role.CUSTODY_OFFICER,
    Role.REVIEWING_OFFICER,
    Role.SUPERINTENDENT,
    Role.SUPERVISOR,
    Role.OFFICER,
)
PLACES: Final = (
    *("area:birmingham", "area:coventry", "area:dudley"),
    *("suite:perry-barr", "suite:perry-barr:medical", "suite:oldbury"),
)
EVERYTHING: Final = (
    *("force", "control", "custody", "force:inbox", "control:inbox", "custody:inbox"),
    *PLACES,
    *(f"{place}:inbox" for place in PLACES),
)
_numbers = itertools.count(1)


class Caller:
    """Somebody who calls.

    Attributes:
        officer, seat: who, where.
        identity: the device's key.
        auth: proves their calls.
    """

    def __init__(self, officer: str, identity: DeviceIdentity, auth: DpopAuth, seat: DeviceId) -> None:
        """Bind it."""
        self.officer = OfficerId(officer)
        self.identity = identity
        self.auth = auth
        self.seat = seat


async def program(
    server: Running, officer: str, roles: Iterable[Role] = WORKING, scopes: Iterable[str] = EVERYTHING
) -> Caller:
    """A program's seat with these scopes, of an officer with these roles; the officer may be there already."""
    identity = DeviceIdentity.generate(f"program-{next(_numbers)}")
    device = identity.device
    acts = _taken_in(server, officer, roles, identity)
    now = server.clock.now
    acts.append(SeatOpened(by=SERVER, at=now, seat=device, device=device, officer=OfficerId(officer), unattended=True))
    acts += [
        ScopeGranted(
            by=SERVER, at=now, span=f"{device}-{n}", seat=device, scope=ScopeName(scope), why="a test", start=now
        )
        for n, scope in enumerate(scopes)
    ]
    await server.beatbook.authority.ledger.perform(*acts)
    return Caller(officer, identity, DpopAuth(identity, Held(seat=device), clock=server.clock), device)


async def person(server: Running, officer: str, roles: Iterable[Role], area: str | None = None) -> Caller:
    """An officer who is signed in on a device of their own, posted to an area where one is given."""
    identity = DeviceIdentity.generate(f"device-{next(_numbers)}")
    acts = _taken_in(server, officer, roles, identity)
    now = server.clock.now
    authority = server.beatbook.authority
    if area is not None:
        if area not in authority.ledger.registry.units:
            place = (ScopeName(f"area:{area}"),)
            acts.append(UnitAdded(by=SERVER, at=now, unit=area, title=area, places=place, start=now))
        acts.append(
            Posted(by=SERVER, at=now, span=f"post-{identity.device}", officer=OfficerId(officer), unit=area, start=now)
        )
    await authority.ledger.perform(*acts)
    signed_in = await authority.signing.admit(identity.device, OfficerId(officer), "passphrase")
    auth = DpopAuth(identity, Held(seat=signed_in.seat), clock=server.clock)
    return Caller(officer, identity, auth, signed_in.seat)


def _taken_in(server: Running, officer: str, roles: Iterable[Role], identity: DeviceIdentity) -> list[Act]:
    """The acts that take in an officer, if they are new, and their device."""
    now, registry = server.clock.now, server.beatbook.authority.ledger.registry
    acts: list[Act] = []
    name = OfficerId(officer)
    if name not in registry.officers:
        acts.append(OfficerAdded(by=SERVER, at=now, officer=name, name=officer, start=now))
        acts += [
            RoleGiven(by=SERVER, at=now, span=f"{officer.lower()}-{role.value}", officer=name, role=role, start=now)
            for role in roles
        ]
    certificate = server.beatbook.authority.keys.certify(identity.device, identity.public_key, now)
    acts.append(
        DeviceEnrolled(
            by=SERVER, at=now, device=identity.device, public_key=identity.public_key, certificate=certificate
        )
    )
    return acts


def another_key() -> DeviceIdentity:
    """A key that no server knows."""
    return DeviceIdentity(DeviceId("stranger-1"), Ed25519PrivateKey.generate())
