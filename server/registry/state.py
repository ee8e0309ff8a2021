"""What the registry holds between two acts: mutable, keyed by the names that acts use. Only the fold changes it."""

import enum

import msgspec

from schemas.ids import DeviceId, Generation, Millis, OfficerId, RecordId, ScopeName
from schemas.roles import Role
from server.registry.acts import (
    DeviceRevoked,
    PersonSpan,
    RetentionReviewed,
    ScopeGranted,
    UnitAdded,
    WipeOrdered,
)
from server.registry.acts.organisation import MissionBegun
from server.registry.moments import Moments
from server.registry.rules import DEFAULT_RULES, Rules


class Unit(msgspec.Struct, eq=False):
    """A unit. `until` and `into` are of its end; `merged` are the units that went up in it, each when it did."""

    act: UnitAdded
    title: str
    until: Millis | None = None
    into: "Unit | None" = None
    merged: list["Unit"] = []
    officers: set[OfficerId] = set()
    """Who was ever connected with it by a role, posting or shift."""

    def at(self, at: Millis) -> "Unit | None":
        """The unit that does its work at a moment: itself, what it went up in, or None when nobody does."""
        unit = self
        while unit.into is not None and unit.until is not None and unit.until <= at:
            unit = unit.into
        ended = unit.until is not None and unit.until <= at
        return None if ended or at < unit.act.start else unit

    def whole(self, at: Millis) -> list["Unit"]:
        """The unit and every one that has gone up in it by then, itself first."""
        units = [self]
        for unit in units:
            units += [one for one in unit.merged if one.until is not None and one.until <= at]
        return units


class Mission(msgspec.Struct, eq=False):
    """A mission, with everyone who ever was a member."""

    act: MissionBegun
    until: Millis | None
    officers: set[OfficerId] = set()


class Span(msgspec.Struct, eq=False):
    """What entitles somebody from the act's start until a moment, which may come earlier than the act said."""

    act: PersonSpan | ScopeGranted
    until: Millis | None

    def holds(self, at: Millis) -> bool:
        """Whether it does so at a moment."""
        return self.act.start <= at and (self.until is None or at < self.until)


class Officer(msgspec.Struct, eq=False):
    """A person and all that ever entitled them."""

    officer: OfficerId
    name: str
    start: Millis
    until: Millis | None = None
    spans: list[Span] = []
    roles: list[Span] = []
    """Those of the spans that give a role: every push asks for them, and shifts are many."""
    seats: list["Seat"] = []
    locked: bool = False
    locked_until: Millis | None = None
    """When the lock opens by itself, if it is locked."""
    passphrase_at: Millis | None = None

    def serves(self, at: Millis) -> bool:
        """Whether they are of the force at a moment."""
        return self.start <= at and (self.until is None or at < self.until)


class SignIn(msgspec.Struct, eq=False):
    """One sign-in; it is live until its time or an earlier end."""

    sid: str
    seat: "Seat"
    method: str
    at: Millis
    until: Millis
    ended: bool = False


class Held(msgspec.Struct):
    """What was last recorded of a seat and a scope; `until` is when that grant ended (ms since 1970), once it did."""

    gen: Generation
    active: bool
    until: Millis | None = None


class HandOver(enum.Enum):
    """Whether what rests unsent at a seat of a revoked device may be handed over."""

    REFUSED = "refused"
    """Nobody has allowed it, or it came to its end."""
    ALLOWED = "allowed"
    """The next right sign-in is let in for it."""
    BEGUN = "begun"
    """The server's share was given out for it; the seat is wiped when all has come."""


class ReadsState(enum.Enum):
    """How a seat's read log stands to what the server holds of it."""

    WHOLE = "whole"
    SET_BACK = "set-back"
    """It lacks entries or has others: no lease is given, and nothing of it is taken, until somebody has looked."""
    PARDONED = "pardoned"
    """Somebody has looked: it may go on behind what the server holds."""


class Seat(msgspec.Struct, eq=False):
    """An officer's store on a device."""

    seat: DeviceId
    device: "Device"
    officer: Officer
    unattended: bool
    spans: list[Span] = []
    sign_in: SignIn | None = None
    held: dict[ScopeName, Held] = {}
    wipe: WipeOrdered | None = None
    hand_over: HandOver = HandOver.REFUSED
    hand_over_at: Millis = Millis(0)
    """When the hand-over was begun, once it was (ms since 1970)."""
    reads: ReadsState = ReadsState.WHOLE
    retired: bool = False
    """Whether it was wiped, or its device enrolled anew: it is never used again."""

    def grants(self) -> dict[ScopeName, Generation]:
        """The scopes that it holds as last recorded, with their generations."""
        return {scope: held.gen for scope, held in self.held.items() if held.active}


class Device(msgspec.Struct, eq=False):
    """A device. It stays known after it was revoked: its ids and keys are never given to another."""

    device: DeviceId
    public_key: bytes
    certificate: bytes
    enrolled_at: Millis
    revoked: DeviceRevoked | None = None
    wipe: WipeOrdered | None = None
    wiped: bool = False
    seats: list[Seat] = []


class Code(msgspec.Struct, eq=False):
    """A one-time code, by its hash."""

    device: DeviceId | None
    officer: OfficerId | None
    expires_at: Millis
    spent: str | None = None
    """Why it is good for nothing any more: `used` or `withdrawn`."""


class State:
    """Everything the registry knows.

    Attributes:
        rules: which role gives what.
        units, missions, officers, spans, codes, devices, seats, sign_ins: by name.
        compartments: name -> title.
        keys: public key -> the device that has or had it.
        leases: role -> lease (ms), where an act has set another one than the rules.
        reviews: record -> its last review; erased: records whose key is destroyed.
        own_scopes: the scope that is one officer's alone -> whose it is.
        overseers: officers who ever had a role that reaches every unit.
        moments: when something begins or ends, and for whom.
    """

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        """Begin with nothing but the rules."""
        self.rules = rules
        self.units: dict[str, Unit] = {}
        self.missions: dict[str, Mission] = {}
        self.compartments: dict[str, str] = {}
        self.officers: dict[OfficerId, Officer] = {}
        self.own_scopes: dict[ScopeName, OfficerId] = {}
        self.overseers: set[OfficerId] = set()
        self.spans: dict[str, Span] = {}
        self.codes: dict[bytes, Code] = {}
        self.devices: dict[DeviceId, Device] = {}
        self.keys: dict[bytes, DeviceId] = {}
        self.seats: dict[DeviceId, Seat] = {}
        self.sign_ins: dict[str, SignIn] = {}
        self.leases: dict[Role | None, Millis] = {}
        self.reviews: dict[RecordId, RetentionReviewed] = {}
        self.erased: set[RecordId] = set()
        self.moments: Moments[Unit | Mission | Officer | Seat] = Moments()

    def next_seat(self, device: DeviceId) -> DeviceId:
        """An id for another seat on the device: its own for the first one, then with a number behind it."""
        if self._is_free(device, device):
            return device
        n = 2
        while not self._is_free(f"{device}-{n}", device):
            n += 1
        return DeviceId(f"{device}-{n}")

    def _is_free(self, seat: str, device: DeviceId) -> bool:
        return seat not in self.seats and (seat == device or seat not in self.devices)
