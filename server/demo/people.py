"""Who takes part in the demo and in the end-to-end tests, and how an administrator takes them in over HTTP."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from schemas.ids import DeviceId, OfficerId, ScopeName
from schemas.roles import Role
from server.cli.access import Access
from server.cli.proving import DpopAuth, wall_clock
from server.cli.remote import Remote, enrol, set_up, sign_in
from server.http.administration import ACTS_MAX, ActsDone, DoneAct, ResetDone
from server.http.devices import CodeBody, DeviceBody
from server.http.identities import EnrolledBody
from sync.device import DeviceIdentity

OFFICER: Final = (Role.OFFICER,)
_PASSPHRASE_BYTES: Final = 12


def passphrase() -> str:
    """One that nobody guesses and that any policy takes."""
    return secrets.token_urlsafe(_PASSPHRASE_BYTES)


class Person:
    """An officer with a device of their own.

    Attributes:
        device: its id, and that of the officer's seat on it.
        officer: collar number.
        roles: what they are.
        posts: the units they are posted to.
        named: scopes for which they are named, beyond what role and posts give.
        audiences: all that they are to hold, briefings apart: what the checks hold a replica against.
    """

    def __init__(
        self,
        device: str,
        officer: str,
        audiences: Iterable[str],
        roles: Sequence[Role] = OFFICER,
        *,
        posts: Sequence[str] = (),
        named: Iterable[str] = (),
    ) -> None:
        """Say who it is; no server knows them yet."""
        self.device = DeviceId(device)
        self.officer = OfficerId(officer)
        self.roles = tuple(roles)
        self.posts = tuple(posts)
        self.named = frozenset(map(ScopeName, named))
        self.audiences = frozenset(map(ScopeName, audiences))


class Program:
    """A program with a device and a seat of its own, at which nobody signs in: its key alone lets it in.

    Attributes:
        device: its id, and its seat's.
        officer: who answers for it.
        audiences: the scopes that are granted to its seat.
        roles: what the officer is.
        identity: the device's key.
    """

    def __init__(
        self,
        device: str,
        officer: str,
        audiences: Iterable[str],
        roles: Sequence[Role] = OFFICER,
        *,
        identity: DeviceIdentity | None = None,
    ) -> None:
        """Make the key, unless the program brings one."""
        self.device = DeviceId(device)
        self.officer = OfficerId(officer)
        self.audiences = frozenset(map(ScopeName, audiences))
        self.roles = tuple(roles)
        self.identity = identity or DeviceIdentity.generate(self.device)


class Administration:
    """The first administrator of a server. Every call is made over HTTP and proved by their device's key.

    Attributes:
        access: their device, and who is signed in there.
        auth: proves their calls.
    """

    def __init__(self, base: str, link: str, folder: Path, ca_file: str = "") -> None:
        """Use the one-time link that the server printed, and sign in.

        Args:
            base: of the server's HTTP side.
            link: as it was printed.
            folder: where the access is kept.
            ca_file: as in `Remote`.
        """
        self._base = base
        self._ca_file = ca_file
        self._known: set[OfficerId] = set()
        self._spans: dict[tuple[str, str], str] = {}
        body = {"officer": "ADMIN1", "name": "Ada Administrator", "device": "admin-01", "passphrase": passphrase()}
        self.access = set_up(folder, base, link.rpartition("#")[2], body, ca_file)
        self.auth = self.access.auth()

    # --- the force ---------------------------------------------------------------------------------------------------

    def do(self, family: str, acts: Sequence[Mapping[str, object]]) -> list[DoneAct]:
        """Do acts of one family (`organisation`, `officers`, `grants`, `seats`), as many in a call as it takes."""
        done: list[DoneAct] = []
        with self._remote() as remote:
            for start in range(0, len(acts), ACTS_MAX):
                part = acts[start : start + ACTS_MAX]
                done += remote.post(f"/v1/{family}", {"acts": part}, ActsDone).acts
        return done

    def take_in(self, people: Iterable[Person | Program]) -> None:
        """Take officers in, with their roles, posts and grants by name. Whoever is known is left as they are."""
        new = {person.officer: person for person in people if person.officer not in self._known}
        self._known.update(new)
        self.do("officers", [{"t": "officer-added", "officer": name, "name": name} for name in new])
        given = [(name, role.value) for name, person in new.items() for role in person.roles]
        self.do("grants", [{"t": "role-given", "officer": name, "role": role} for name, role in given])
        officers = [person for person in new.values() if isinstance(person, Person)]
        self._begin({(one.officer, unit): _posting(one.officer, unit) for one in officers for unit in one.posts})
        self._begin({(one.officer, scope): _named(one.officer, scope) for one in officers for scope in one.named})

    def name(self, officer: OfficerId, scopes: Iterable[str]) -> None:
        """Name an officer for these scopes, and no longer for others."""
        wanted = set(scopes)
        held = {what for whose, what in self._spans if whose == officer}
        for scope in sorted(held - wanted):
            self.end(officer, scope)
        self._begin({(officer, scope): _named(officer, scope) for scope in sorted(wanted - held)})

    def end(self, officer: OfficerId, what: str) -> None:
        """End an officer's posting to a unit, or their grant of a scope."""
        span = self._spans.pop((officer, what))
        self.do("grants", [{"t": "span-ended", "span": span, "until": wall_clock(), "why": "it is over"}])

    def _begin(self, acts: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        done = self.do("grants", list(acts.values()))
        self._spans.update({key: str(one.span) for key, one in zip(acts, done, strict=True)})

    # --- devices -----------------------------------------------------------------------------------------------------

    def code(self, device: DeviceId) -> str:
        """A one-time code that enrols a device."""
        with self._remote() as remote:
            return remote.post("/v1/devices/codes", {"device": device}, CodeBody).code

    def new_passphrase(self, officer: OfficerId) -> str:
        """A passphrase with which an officer signs in once, to choose their own."""
        with self._remote() as remote:
            return remote.post(f"/v1/officers/{officer}/passphrase", {}, ResetDone).passphrase

    def seat(self, program: Program) -> None:
        """Enrol a program's device under its own key, and open its seat with what is granted to it."""
        with Remote(self._base, DpopAuth(program.identity), self._ca_file) as device:
            device.post("/v1/enrol", {"code": self.code(program.device)}, EnrolledBody)
        seat = {"seat": program.device, "device": program.device, "officer": program.officer, "unattended": True}
        self.do("seats", [{"t": "seat-opened", **seat}])
        granted = {"t": "scope-granted", "seat": program.device, "why": "a program of the force"}
        self.do("grants", [{**granted, "scope": scope} for scope in sorted(program.audiences)])

    def wipe(self, device: DeviceId, why: str) -> None:
        """Have a device destroy everything it holds."""
        with self._remote() as remote:
            remote.post(f"/v1/devices/{device}/wipe", {"why": why}, DeviceBody)

    def caller(self, person: Person, folder: Path) -> Access:
        """The access of an officer who calls over HTTP and has no replica: enrolled, and signed in."""
        self.take_in([person])
        access = enrol(folder, self._base, self.code(person.device), self._ca_file)
        sign_in(access, person.officer, self.new_passphrase(person.officer), passphrase())
        return access

    def _remote(self) -> Remote:
        return Remote(self._base, self.auth, self._ca_file)


def _posting(officer: OfficerId, unit: str) -> dict[str, object]:
    return {"t": "posted", "officer": officer, "unit": unit}


def _named(officer: OfficerId, scope: str) -> dict[str, object]:
    return {"t": "named-grant", "officer": officer, "scope": scope, "why": "on duty"}
