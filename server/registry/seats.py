"""What acts about seats and their recorded rights need, and what they change."""

import re
from typing import assert_never

from schemas.errors import UsageError
from server.registry import lookups
from server.registry.acts import (
    Began,
    Ended,
    ScopeGranted,
    SeatAct,
    SeatOpened,
    SeatRights,
)
from server.registry.devices import usable_device
from server.registry.state import Held, Seat, Span, State

NO_SEAT = "open one for the officer on the device"
NO_OFFICER = "add the officer first"


def check(state: State, act: SeatAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case SeatOpened():
            _check_opening(state, act)
        case ScopeGranted():
            lookups.fresh(state.spans, act.span, "role, posting, shift or grant", "choose another name")
            lookups.usable_seat(lookups.found(state.seats, act.seat, "seat", NO_SEAT))
            lookups.grantable(act.scope)
            lookups.order(f"{act.span!r}", act.start, act.until)
        case SeatRights():
            _check_rights(lookups.found(state.seats, act.seat, "seat", NO_SEAT), act)
        case _:
            assert_never(act)


def apply(state: State, act: SeatAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case SeatOpened():
            device, officer = state.devices[act.device], state.officers[act.officer]
            seat = state.seats[act.seat] = Seat(act.seat, device, officer, act.unattended)
            device.seats.append(seat)
            officer.seats.append(seat)
        case ScopeGranted():
            seat = state.seats[act.seat]
            span = state.spans[act.span] = Span(act, act.until)
            seat.spans.append(span)
            state.moments.add(act.start, seat)
            state.moments.add(act.until, seat)
        case SeatRights():
            held = state.seats[act.seat].held
            held.update({ended.scope: Held(ended.gen, active=False, until=act.at) for ended in act.ended})
            held.update({began.scope: Held(began.gen, active=True) for began in act.began})
        case _:
            assert_never(act)


def _check_opening(state: State, act: SeatOpened) -> None:
    device = usable_device(state, act.device)
    officer = lookups.found(state.officers, act.officer, "officer", NO_OFFICER)
    lookups.fresh(state.seats, act.seat, "seat", f"open it as {state.next_seat(act.device)!r}")
    if re.fullmatch(re.escape(act.device) + r"(-[1-9][0-9]{0,5})?", act.seat) is None:
        raise UsageError(f"seat {act.seat!r} does not say its device; open it as {state.next_seat(act.device)!r}")
    if act.seat != act.device and act.seat in state.devices:
        raise UsageError(f"{act.seat!r} is another device; open the seat as {state.next_seat(act.device)!r}")
    if officer.until is not None and officer.until <= act.at:
        raise UsageError(f"officer {act.officer!r} has left; nobody can sit there")
    for seat in device.seats:
        if seat.officer is officer and not seat.retired:
            raise UsageError(f"officer {act.officer!r} has seat {seat.seat!r} on device {act.device!r}; use that one")


def _check_rights(seat: Seat, act: SeatRights) -> None:
    changes: tuple[Began | Ended, ...] = (*act.began, *act.ended)
    named = [one.scope for one in changes]
    if len(set(named)) < len(named):
        raise UsageError(f"seat {act.seat!r}: a scope comes twice in one change of rights; evaluate them again")
    for began in act.began:
        held = seat.held.get(began.scope)
        if held is not None and (held.active or began.gen <= held.gen):
            raise UsageError(f"seat {act.seat!r}: {began.scope!r} {began.gen} is no new generation; evaluate again")
    for ended in act.ended:
        held = seat.held.get(ended.scope)
        if held is None or not held.active or held.gen != ended.gen:
            raise UsageError(f"seat {act.seat!r} does not hold {ended.scope!r} {ended.gen}; evaluate its rights again")
