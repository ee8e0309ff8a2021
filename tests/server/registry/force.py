"""A small invented force, built by acts that are checked as they would be: the tests' way to a registry."""

import hashlib
from typing import TypeVar, cast

from schemas.ids import DeviceId, Millis, OfficerId, ScopeName
from schemas.roles import Role
from server.registry import DEFAULT_RULES, Registry, Rules, plan, rights_of
from server.registry import acts as a

T = TypeVar("T", bound=a.BaseAct)
S = TypeVar("S", bound=a.SpanAct)

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = Millis(1_700_000_000_000)
"""When everything begins."""
BOSS = "WM9"
"""Who makes the acts, unless a test says otherwise."""


def digest(word: str) -> bytes:
    """32 bytes that depend on the word alone: a hash, a key."""
    return hashlib.sha256(word.encode()).digest()


class Force:
    """A registry with its acts; `do` checks and applies, as whoever commits does."""

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        """Begin with the rules alone."""
        self.registry = Registry(rules)
        self.acts: list[a.Act] = []
        self.now: int = T0
        self._n = 0

    def do(self, kind: type[T], **values: object) -> T:
        """Make an act of this kind now; `by` and `at` are given unless the test does."""
        made = kind(**{"by": BOSS, "at": self.now, **values})  # type: ignore[arg-type]  # `check` looks at each value
        act = cast("a.Act", made)
        self.registry.check(act)
        self.registry.apply(act)
        self.acts.append(act)
        return made

    def span(self, kind: type[S], **values: object) -> str:
        """Make an act with a span that begins now; its name comes back."""
        self._n += 1
        return self.do(kind, **{"span": f"s-{self._n}", "start": self.now, **values}).span

    def unit(self, unit: str, *places: str, title: str | None = None, start: int | None = None) -> None:
        """Add a unit."""
        self.do(a.UnitAdded, unit=unit, title=title or unit.title(), places=places, start=start or self.now)

    def officer(self, officer: str, *roles: Role, unit: str | None = None) -> OfficerId:
        """Add an officer with roles, posted to a unit if one is named."""
        self.do(a.OfficerAdded, officer=officer, name=f"Officer {officer}", start=self.now)
        for role in roles:
            self.span(a.RoleGiven, officer=officer, role=role)
        if unit is not None:
            self.span(a.Posted, officer=officer, unit=unit)
        return OfficerId(officer)

    def device(self, device: str) -> DeviceId:
        """Enrol a device."""
        key = digest(f"{device} {len(self.acts)}")
        self.do(a.DeviceEnrolled, device=device, public_key=key, certificate=b"signed")
        return DeviceId(device)

    def seat(self, officer: str, device: str, *, unattended: bool = False) -> DeviceId:
        """Open a seat; the device is enrolled when it is not yet."""
        if device not in self.registry.devices:
            self.device(device)
        seat = self.registry.next_seat(DeviceId(device))
        self.do(a.SeatOpened, seat=seat, device=device, officer=officer, unattended=unattended)
        return seat

    def sign_in(self, seat: str, hours: float = 24 * 365) -> str:
        """Sign the seat's officer in."""
        self._n += 1
        sid = f"in-{self._n}"
        until = self.now + int(hours * HOUR)
        self.do(a.SignedIn, sid=sid, seat=seat, method="passphrase", until=until)
        return sid

    def handheld(self, officer: str, device: str) -> DeviceId:
        """Open a seat and sign in at it."""
        seat = self.seat(officer, device)
        self.sign_in(seat)
        return seat

    def scopes(self, seat: str, at: int | None = None) -> set[ScopeName]:
        """What the seat may hold, without what comes along: briefings, and its officer's part of what is closed."""
        found = rights_of(self.registry, DeviceId(seat), Millis(self.now if at is None else at))
        return {scope for scope in found if not scope.endswith((":briefing", ":safety")) and ":of-" not in scope}

    def words(self, seat: str, scope: str, at: int | None = None) -> list[str]:
        """Why the seat may hold the scope."""
        found = rights_of(self.registry, DeviceId(seat), Millis(self.now if at is None else at))
        return [reason.words for reason in found.get(ScopeName(scope), ())]

    def record(self, seat: str) -> a.SeatRights | None:
        """Evaluate the seat, and keep what is to be recorded."""
        act = plan(self.registry, DeviceId(seat), Millis(self.now))
        if act is not None:
            self.registry.check(act)
            self.registry.apply(act)
            self.acts.append(act)
        return act
