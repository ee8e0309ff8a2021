"""What acts about handing over and about read logs need, and what they change."""

from typing import assert_never

from schemas.errors import UsageError
from schemas.ids import DeviceId
from server.registry import lookups
from server.registry.acts import (
    HandOverAllowed,
    HandOverBegun,
    PartingAct,
    ReadsPardoned,
    ReadsResumed,
    ReadsSetBack,
)
from server.registry.state import HandOver, ReadsState, Seat, State

NO_DEVICE = "enrol it first"
NO_SEAT = "choose one of the device's; `beatbook device list` names them"


def check(state: State, act: PartingAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case HandOverAllowed():
            _check_hand_over(state, act)
        case HandOverBegun():
            if _seat(state, act.seat).hand_over is not HandOver.ALLOWED:
                raise UsageError(f"seat {act.seat!r}: nobody has allowed a hand-over, or it was used")
        case ReadsSetBack():
            _seat(state, act.seat)
        case ReadsPardoned():
            _check_reads(_seat(state, act.seat), ReadsState.SET_BACK, "its read log is as it should be")
        case ReadsResumed():
            _check_reads(_seat(state, act.seat), ReadsState.PARDONED, "nobody has pardoned its read log")
        case _:
            assert_never(act)


def apply(state: State, act: PartingAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case HandOverAllowed():
            for seat in _meant(state, act):
                seat.hand_over = HandOver.ALLOWED
        case HandOverBegun():
            seat = state.seats[act.seat]
            seat.hand_over, seat.hand_over_at = HandOver.BEGUN, act.at
        case ReadsSetBack():
            state.seats[act.seat].reads = ReadsState.SET_BACK
        case ReadsPardoned():
            state.seats[act.seat].reads = ReadsState.PARDONED
        case ReadsResumed():
            state.seats[act.seat].reads = ReadsState.WHOLE
        case _:
            assert_never(act)


def _check_hand_over(state: State, act: HandOverAllowed) -> None:
    device = lookups.found(state.devices, act.device, "device", NO_DEVICE)
    if act.seat is not None and _seat(state, act.seat).device is not device:
        raise UsageError(f"seat {act.seat!r} is not on device {act.device!r}; {NO_SEAT}")
    if device.wipe is not None:
        raise UsageError(f"device {act.device!r} is to be wiped: what rests on it opens with nothing any more")
    if device.revoked is None:
        raise UsageError(f"device {act.device!r} is trusted: what was not sent goes up at its next contact by itself")
    if not _meant(state, act):
        raise UsageError(f"no seat of {act.seat or act.device!r} is left that could hand anything over")


def _meant(state: State, act: HandOverAllowed) -> list[Seat]:
    seats = state.devices[act.device].seats if act.seat is None else [state.seats[act.seat]]
    return [seat for seat in seats if not seat.retired and not seat.unattended and seat.wipe is None]


def _check_reads(seat: Seat, wanted: ReadsState, otherwise: str) -> None:
    if seat.reads is not wanted:
        raise UsageError(f"seat {seat.seat!r}: {otherwise}; nothing is left to do")


def _seat(state: State, name: DeviceId) -> Seat:
    seat = lookups.found(state.seats, name, "seat", NO_SEAT)
    lookups.usable_seat(seat)
    return seat
