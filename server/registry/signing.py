"""What acts about signing in need, and what they change."""

from typing import assert_never

from schemas.errors import UsageError
from server.registry import lookups
from server.registry.acts import SignedIn, SignedOut, SignInAct, SignInLocked, SignInRefused, SignInUnlocked
from server.registry.ends import end_sign_in
from server.registry.rights import may_sign_in
from server.registry.state import SignIn, State

NO_OFFICER = "add the officer first"


def check(state: State, act: SignInAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case SignedIn():
            _check_sign_in(state, act)
        case SignedOut():
            if lookups.found(state.sign_ins, act.sid, "sign-in", "give the name it began with").ended:
                raise UsageError(f"sign-in {act.sid!r} has ended already; nothing is left to do")
        case SignInRefused():
            pass  # whoever was refused may have typed anything
        case SignInLocked():
            lookups.found(state.officers, act.officer, "officer", NO_OFFICER)
            lookups.order("the lock", act.at, act.until)
        case SignInUnlocked():
            if not lookups.found(state.officers, act.officer, "officer", NO_OFFICER).locked:
                raise UsageError(f"the sign-in of officer {act.officer!r} is not locked; nothing is left to do")
        case _:
            assert_never(act)


def apply(state: State, act: SignInAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case SignedIn():
            seat = state.seats[act.seat]
            for other in seat.device.seats:
                end_sign_in(other)
            seat.sign_in = state.sign_ins[act.sid] = SignIn(act.sid, seat, act.method, act.at, act.until)
        case SignedOut():
            end_sign_in(state.sign_ins[act.sid].seat)
        case SignInLocked():
            officer = state.officers[act.officer]
            officer.locked, officer.locked_until = True, act.until
        case SignInUnlocked():
            officer = state.officers[act.officer]
            officer.locked, officer.locked_until = False, None
        case SignInRefused():
            pass  # evidence only: nothing follows from it here
        case _:
            assert_never(act)


def _check_sign_in(state: State, act: SignedIn) -> None:
    lookups.fresh(state.sign_ins, act.sid, "sign-in", "make another name")
    seat = lookups.found(state.seats, act.seat, "seat", "open one for the officer on the device")
    lookups.usable_seat(seat)
    if seat.unattended:
        raise UsageError(f"seat {act.seat!r} is a program's, nobody signs in there; open one for the officer")
    if seat.wipe is not None:
        raise UsageError(f"seat {act.seat!r} is to be wiped; wait for the device's contact")
    wrong = may_sign_in(state, seat.officer.officer, seat.device.device, act.at)
    if wrong is not None:
        raise UsageError(wrong)
    lookups.order(f"sign-in {act.sid!r}", act.at, act.until)
