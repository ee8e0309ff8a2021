"""Routes: the devices, who sits at them, and their end: one-time codes, revocation, wipe."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import DeviceId, DeviceText, Millis, OfficerId, OfficerText, ScopeName, ScopeText, Seq
from schemas.roles import Role
from server.http.callers import NotEntitledError, caller_of
from server.http.identities import Done
from server.http.operations import Operation, read_body
from server.http.problems import beatbook_of, reply
from server.registry.acts.base import Why
from server.registry.rights import live_sign_in
from server.registry.state import Device, Seat, State

ADMINISTRATION: Final = (Role.ADMINISTRATOR,)
REVOKERS: Final = (Role.ADMINISTRATOR, Role.CONTROL_ROOM)
"""A handheld is reported lost to the control room, at any hour. To revoke it destroys nothing."""
LIFETIME_MS_MAX: Final = 31 * 24 * 60 * 60_000


class NewCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A one-time code to give out.

    Attributes:
        device: the id that the device is to have.
        officer: for whom it is; absent for a handheld that is shared.
        lifetime_ms: how long the code waits to be used; a day when absent.
    """

    device: DeviceText
    officer: OfficerText | None = None
    lifetime_ms: Annotated[int, msgspec.Meta(ge=1, le=LIFETIME_MS_MAX)] | None = None


class CodeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time code. It is told once: the server keeps its hash alone.

    Attributes:
        device: the id that the device will have.
        code: to be typed on it.
        expires_at: when it is good for nothing any more (ms since 1970).
    """

    device: DeviceText
    code: str
    expires_at: int


class SeatBody(msgspec.Struct, frozen=True, kw_only=True):
    """An officer's store on a device.

    Attributes:
        seat, officer: which, whose.
        unattended: whether it is a program's, where nobody signs in.
        signed_in_until: when the sign-in there ends (ms since 1970); null when nobody is signed in.
        retired: whether it is never used again.
        wipe: why it is to be wiped; null when it is not.
        hand_over: `allowed` when its officer may sign in to hand over what was not sent, `begun` once they have, else
            `refused`.
        reads: how its read log stands to what the server holds: `whole`, `set-back` or `pardoned`.
        scopes: what it holds, with the generation.
        connected: whether it has a session now.
        acked: scope -> seq that it says is on its disk, while it is connected.
    """

    seat: DeviceText
    officer: OfficerText
    unattended: bool
    signed_in_until: int | None
    retired: bool
    wipe: str | None
    hand_over: str
    reads: str
    scopes: dict[ScopeText, int]
    connected: bool
    acked: dict[ScopeText, int]


class DeviceBody(msgspec.Struct, frozen=True, kw_only=True):
    """A device.

    Attributes:
        device: its id.
        public_key: its Ed25519 key, 32 bytes.
        enrolled_at: since when (ms since 1970).
        revoked: why it is trusted no more; null while it is.
        wipe: why it is to be wiped; null when it is not.
        wiped: whether it has said that it was.
        seats: who sits or sat at it.
    """

    device: DeviceText
    public_key: bytes
    enrolled_at: int
    revoked: str | None
    wipe: str | None
    wiped: bool
    seats: list[SeatBody]


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """Every device that was ever enrolled, by id."""

    devices: list[DeviceBody]


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The end of trust in a device, or in all devices of an officer.

    Attributes:
        why: what for; it stays with the act for ever.
    """

    why: Why


class WipeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order to destroy what a device holds.

    Attributes:
        why: what for.
        seat: of this seat only; absent for all of them.
    """

    why: Why
    seat: DeviceText | None = None


class HandOverOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A permission to hand over what rests unsent on a device that is revoked, once.

    Attributes:
        why: what for.
        seat: of this seat only; absent for all that are in use.
    """

    why: Why
    seat: DeviceText | None = None


class Pardon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A read log that was set back may go on behind what the server holds of it.

    Attributes:
        why: what was found when somebody looked into it.
    """

    why: Why


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that are revoked from now on."""

    devices: list[DeviceText]


async def list_devices(request: Request) -> Response:
    """Every device, who sits at it, and which are connected."""
    beatbook = beatbook_of(request)
    registry, connected = beatbook.authority.ledger.registry, beatbook.hub.connected()
    found = [_device(registry, registry.devices[name], connected, beatbook.now()) for name in sorted(registry.devices)]
    return reply(DeviceList(devices=found))


async def read_device(request: Request) -> Response:
    """One device with its seats."""
    return reply(_one(request, _named(request)))


async def issue_code(request: Request) -> Response:
    """Give out a one-time code with which one device is enrolled."""
    body = await read_body(request, NewCode)
    enrolling = beatbook_of(request).authority.enrolling
    given = {} if body.lifetime_ms is None else {"lifetime_ms": body.lifetime_ms}
    code, expires_at = await enrolling.issue_code(body.device, caller_of(request).officer, body.officer, **given)
    return reply(CodeBody(device=body.device, code=code, expires_at=expires_at), 201)


async def revoke_device(request: Request) -> Response:
    """Trust a device no more: its sign-ins and tokens end at once, and it is let in only to remove what it holds."""
    body = await read_body(request, Revocation)
    device = _named(request)
    _not_here(request, [device])
    await beatbook_of(request).authority.revoke([device], caller_of(request).officer, body.why)
    return reply(Revoked(devices=[device]))


async def revoke_officer(request: Request) -> Response:
    """Trust none of the devices any more at which an officer has a seat."""
    body = await read_body(request, Revocation)
    authority = beatbook_of(request).authority
    officer = OfficerId(request.path_params["officer"])
    known = authority.ledger.registry.officers.get(officer)
    if known is None:
        raise HTTPException(404, f"there is no officer {officer!r}")
    devices = sorted({seat.device.device for seat in known.seats if seat.device.revoked is None and not seat.retired})
    _not_here(request, devices)
    if devices:
        await authority.revoke(devices, caller_of(request).officer, body.why)
    return reply(Revoked(devices=list(devices)))


async def wipe_device(request: Request) -> Response:
    """Have a device, or one seat of it, destroy what it holds at its next contact; its share of the keys goes now."""
    body = await read_body(request, WipeOrder)
    device = _named(request)
    _not_here(request, [device])
    await beatbook_of(request).authority.wipe(device, body.seat, caller_of(request).officer, body.why)
    return reply(_one(request, device))


async def allow_hand_over(request: Request) -> Response:
    """Let the officers of a revoked device sign in on it once more, to hand over what was not sent, and only that."""
    body = await read_body(request, HandOverOrder)
    device = _named(request)
    await beatbook_of(request).authority.allow_hand_over(device, body.seat, caller_of(request).officer, body.why)
    return reply(_one(request, device))


async def pardon_seat(request: Request) -> Response:
    """Let a seat's read log that was set back go on behind what the server holds of it, and leases be given again."""
    body = await read_body(request, Pardon)
    seat = DeviceId(request.path_params["seat"])
    if seat not in beatbook_of(request).authority.ledger.registry.seats:
        raise HTTPException(404, f"there is no seat {seat!r}")
    await beatbook_of(request).authority.pardon(seat, caller_of(request).officer, body.why)
    return reply(Done())


def _not_here(request: Request, devices: Iterable[DeviceId]) -> None:
    """Nobody saws off the branch they sit on: after this call they could make no other.

    Raises:
        NotEntitledError: one of the devices is the one that calls.
    """
    own = caller_of(request).device
    if own in devices:
        raise NotEntitledError(f"{own!r} is the device that you call from: have that done from another one")


def _named(request: Request) -> DeviceId:
    device = DeviceId(request.path_params["device"])
    if device not in beatbook_of(request).authority.ledger.registry.devices:
        raise HTTPException(404, f"there is no device {device!r}")
    return device


def _one(request: Request, device: DeviceId) -> DeviceBody:
    beatbook = beatbook_of(request)
    registry = beatbook.authority.ledger.registry
    return _device(registry, registry.devices[device], beatbook.hub.connected(), beatbook.now())


_Connected = Mapping[DeviceId, Mapping[ScopeName, Seq]]


def _device(registry: State, device: Device, connected: _Connected, now: Millis) -> DeviceBody:
    return DeviceBody(
        device=device.device,
        public_key=device.public_key,
        enrolled_at=device.enrolled_at,
        revoked=None if device.revoked is None else device.revoked.why,
        wipe=None if device.wipe is None else device.wipe.why,
        wiped=device.wiped,
        seats=[_seat(registry, seat, connected, now) for seat in device.seats],
    )


def _seat(registry: State, seat: Seat, connected: _Connected, now: Millis) -> SeatBody:
    live = live_sign_in(registry, seat.seat, now)
    return SeatBody(
        seat=seat.seat,
        officer=seat.officer.officer,
        unattended=seat.unattended,
        signed_in_until=None if live is None else live.until,
        retired=seat.retired,
        wipe=None if seat.wipe is None else seat.wipe.why,
        hand_over=seat.hand_over.value,
        reads=seat.reads.value,
        scopes=dict(seat.grants()),
        connected=seat.seat in connected,
        acked=dict(connected.get(seat.seat, {})),
    )


OPERATIONS: Final = (
    Operation(method="GET", path="/v1/devices", handler=list_devices, who=ADMINISTRATION, gives=DeviceList),
    Operation(
        method="POST",
        path="/v1/devices/codes",
        handler=issue_code,
        who=ADMINISTRATION,
        takes=NewCode,
        gives=CodeBody,
        status=201,
    ),
    Operation(method="GET", path="/v1/devices/{device}", handler=read_device, who=ADMINISTRATION, gives=DeviceBody),
    Operation(
        method="POST",
        path="/v1/devices/{device}/revocation",
        handler=revoke_device,
        who=REVOKERS,
        takes=Revocation,
        gives=Revoked,
    ),
    Operation(
        method="POST",
        path="/v1/devices/{device}/wipe",
        handler=wipe_device,
        who=ADMINISTRATION,
        takes=WipeOrder,
        gives=DeviceBody,
    ),
    Operation(
        method="POST",
        path="/v1/devices/{device}/hand-over",
        handler=allow_hand_over,
        who=ADMINISTRATION,
        takes=HandOverOrder,
        gives=DeviceBody,
    ),
    Operation(
        method="POST",
        path="/v1/seats/{seat}/pardon",
        handler=pardon_seat,
        who=ADMINISTRATION,
        takes=Pardon,
        gives=Done,
    ),
    Operation(
        method="POST",
        path="/v1/officers/{officer}/revocation",
        handler=revoke_officer,
        who=REVOKERS,
        takes=Revocation,
        gives=Revoked,
    ),
)
