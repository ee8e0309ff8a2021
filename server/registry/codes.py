"""What acts about one-time codes need, and what they change; and the names that a device can have."""

from typing import Final, assert_never

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis
from server.registry import lookups
from server.registry.acts import SERVER, CodeAct, CodeIssued, CodeUsed, CodeWithdrawn
from server.registry.state import Code, State

RESERVED: Final = frozenset({DeviceId(SERVER), DeviceId("control-room")})
"""Names in which the server itself writes ops and acts."""


def check(state: State, act: CodeAct) -> None:
    """Whether the act can be.

    Raises:
        UsageError: it cannot; the text says why and what to do.
    """
    match act:
        case CodeIssued():
            _check_issue(state, act)
        case CodeUsed():
            code = good_code(state, act.code, act.at)
            if code.device is not None:
                raise UsageError(f"the code is for enrolling device {code.device!r}; enrol that device with it")
        case CodeWithdrawn():
            _unspent(lookups.found(state.codes, act.code, "code", "issue one"))
        case _:
            assert_never(act)


def apply(state: State, act: CodeAct) -> None:
    """Change the state by an act that can be."""
    match act:
        case CodeIssued():
            state.codes[act.code] = Code(act.device, act.officer, act.expires_at)
        case CodeUsed():
            state.codes[act.code].spent = "used"
        case CodeWithdrawn():
            state.codes[act.code].spent = "withdrawn"
        case _:
            assert_never(act)


def check_name(state: State, name: DeviceId) -> None:
    """Make sure that a device can have this id.

    Raises:
        UsageError: it is the server's own, or a seat's on another device.
    """
    if name in RESERVED:
        raise UsageError(f"{name!r} is the server's own name for what it writes; give the device another id")
    seat = state.seats.get(name)
    if seat is not None and seat.device.device != name:
        raise UsageError(f"{name!r} is a seat on device {seat.device.device!r}; give the device another id")


def good_code(state: State, name: bytes, at: Millis) -> Code:
    """A code that is good at a moment, by its hash.

    Raises:
        UsageError: there is none, or it was used or withdrawn, or has expired.
    """
    code = _unspent(lookups.found(state.codes, name, "code", "issue one"))
    if code.expires_at <= at:
        raise UsageError("the code has expired; issue another one")
    return code


def _unspent(code: Code) -> Code:
    if code.spent is not None:
        raise UsageError(f"the code was {code.spent}; issue another one")
    return code


def _check_issue(state: State, act: CodeIssued) -> None:
    lookups.fresh(state.codes, act.code, "code", "make another one")
    if act.expires_at <= act.at:
        raise UsageError(f"the code would have expired ({act.expires_at}) when it is issued ({act.at})")
    if act.officer is not None:
        lookups.found(state.officers, act.officer, "officer", "add the officer first")
    if act.device is not None:
        check_name(state, act.device)
        known = state.devices.get(act.device)
        if known is not None and known.revoked is None and known.wipe is None:
            raise UsageError(
                f"device {act.device!r} is enrolled, so a code for it would open nothing; revoke it first, or choose "
                "another id for the new one"
            )
