"""What acts about devices need, and what they change."""

from typing import Final, assert_never

from schemas.errors import UsageError
from schemas.ids import DeviceId
from server.registry import lookups
from server.registry.acts import (
    DeviceAct,
    DeviceEnrolled,
    DeviceRevoked,
    KeyRenewed,
    Wiped,
    WipeOrdered,
)
from server.registry.codes import check_name, good_code
from server.registry.ends import end_sign_in, retire
from server.registry.state import Device, Seat, State

NO_DEVICE: Final = "enrol it first"


def check(state: State, act: DeviceAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case DeviceEnrolled():
            _check_enrolment(state, act)
        case KeyRenewed():
            usable_device(state, act.device)
            _check_key(state, act.public_key)
        case DeviceRevoked():
            device = lookups.found(state.devices, act.device, "device", NO_DEVICE)
            if device.revoked is not None:
                raise UsageError(f"device {act.device!r} is revoked already; nothing is left to do")
        case WipeOrdered():
            device, seat = _target(state, act.device, act.seat)
            if device.wipe is not None or (seat is not None and seat.wipe is not None):
                raise UsageError(f"{act.seat or act.device!r} is to be wiped already; wait for its contact")
        case Wiped():
            device, seat = _target(state, act.device, act.seat)
            if device.wipe is None and (seat is None or seat.wipe is None):
                raise UsageError(f"{act.seat or act.device!r} says it is wiped, and nobody ordered that; look into it")
        case _:
            assert_never(act)


def apply(state: State, act: DeviceAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case DeviceEnrolled():
            _enrol(state, act)
        case KeyRenewed():
            device = state.devices[act.device]
            device.public_key, device.certificate = act.public_key, act.certificate
            state.keys[act.public_key] = act.device
        case DeviceRevoked():
            device = state.devices[act.device]
            device.revoked = act
            for seat in device.seats:
                end_sign_in(seat)
        case WipeOrdered():
            device = state.devices[act.device]
            if act.seat is None:
                device.wipe = act
            else:
                state.seats[act.seat].wipe = act
            for seat in _meant(state, act):
                end_sign_in(seat)
        case Wiped():
            device = state.devices[act.device]
            device.wiped = device.wiped or act.seat is None
            for seat in _meant(state, act):
                retire(seat)
        case _:
            assert_never(act)


def usable_device(state: State, name: DeviceId) -> Device:
    """A device that is enrolled, trusted and not to be wiped.

    Raises:
        UsageError: it is not.
    """
    device = lookups.found(state.devices, name, "device", NO_DEVICE)
    if device.revoked is not None:
        raise UsageError(f"device {name!r} is revoked; enrol it again with a new code and a new key")
    if device.wipe is not None:
        raise UsageError(f"device {name!r} is to be wiped; once it has been, enrol it again")
    return device


def _enrol(state: State, act: DeviceEnrolled) -> None:
    if act.code is not None:
        state.codes[act.code].spent = "used"
    state.keys[act.public_key] = act.device
    device = state.devices.get(act.device)
    if device is None:
        state.devices[act.device] = Device(act.device, act.public_key, act.certificate, act.at)
        return
    for seat in device.seats:
        retire(seat)
    device.public_key, device.certificate, device.enrolled_at = act.public_key, act.certificate, act.at
    device.revoked, device.wipe, device.wiped = None, None, False


def _check_enrolment(state: State, act: DeviceEnrolled) -> None:
    check_name(state, act.device)
    if act.code is not None:
        code = good_code(state, act.code, act.at)
        if code.device != act.device:
            raise UsageError(f"the code is not for device {act.device!r}; use the one that was issued for it")
    _check_key(state, act.public_key)
    device = state.devices.get(act.device)
    if device is not None and device.revoked is None and not device.wiped:
        raise UsageError(f"device {act.device!r} is enrolled already; revoke it first, or choose another id")


def _check_key(state: State, key: bytes) -> None:
    if key in state.keys:
        raise UsageError(f"the key is or was device {state.keys[key]!r}'s; make a new one on the device")


def _meant(state: State, act: WipeOrdered | Wiped) -> list[Seat]:
    return state.devices[act.device].seats if act.seat is None else [state.seats[act.seat]]


def _target(state: State, name: DeviceId, which: DeviceId | None) -> tuple[Device, Seat | None]:
    device = lookups.found(state.devices, name, "device", NO_DEVICE)
    if which is None:
        if device.wiped:
            raise UsageError(f"device {name!r} is wiped already; enrol it again to use it")
        return device, None
    seat = lookups.found(state.seats, which, "seat", "choose one of the device's")
    if seat.device is not device:
        raise UsageError(f"seat {which!r} is on device {seat.device.device!r}, not on {name!r}")
    if seat.retired:
        raise UsageError(f"seat {which!r} is never used again; nothing is left to wipe")
    return device, seat
