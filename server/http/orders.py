"""Routes: what a device is ordered to do with what rests closed on it, and what it says of having done so.

Nobody's PIN is needed for any of it: the device's key alone proves these calls, whatever has become of the device. Who
destroys what nobody can open any more, and hands in what only the server can read, must not have to open it first.
"""

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas import wire
from schemas.errors import UsageError
from schemas.ids import DeviceId, DeviceText, Millis, MillisInt
from schemas.limits import INT_MAX, OPS_PER_PUSH_MAX, SEALED_BYTES_MAX
from server import intake
from server.http.callers import TooFastError, callers_of
from server.http.identities import Done
from server.http.operations import KEY_HOLDER, Operation, read_body
from server.http.problems import beatbook_of, reply
from server.pump import verify
from server.registry.state import HandOver, ReadsState, Seat

PARTS_MAX: Final = OPS_PER_PUSH_MAX
"""Edits or seats in one call."""
SIGNATURE_BYTES: Final = 64


class Asking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device asks what it is ordered to do.

    Attributes:
        device: its id.
    """

    device: DeviceText


class ReadsPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Behind which entry a read log goes on.

    Attributes:
        n: number of the last entry that the server holds; 0 for none.
        link: its SHA-256, which the next one bears; 32 zero bytes before the first.
    """

    n: int
    link: bytes


class SeatOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What is ordered of one seat.

    Attributes:
        seat: which.
        wipe: why it is to be destroyed; null when it is not.
        hand_over: whether its officer may sign in to hand over what was not sent.
        reads: behind what its read log goes on after it was set back and pardoned; null for none.
    """

    seat: DeviceText
    wipe: str | None
    hand_over: bool
    reads: ReadsPlace | None


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a device is ordered to do.

    Attributes:
        device: which.
        revoked: whether it is trusted no more: nothing on it may be opened without the server from now on.
        wipe: why all of it is to be destroyed; null when it is not.
        seats: its seats that are in use, as far as anything is ordered of them.
    """

    device: DeviceText
    revoked: bool
    wipe: str | None
    seats: list[SeatOrders]


class SealedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One edit that was sealed to the server.

    Attributes:
        id: the device's own.
        sealed: HPKE (RFC 9180) to the quarantine's key.
    """

    id: Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]
    sealed: Annotated[bytes, msgspec.Meta(min_length=1, max_length=SEALED_BYTES_MAX)]


class HandIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a closed seat holds sealed to the server, for quarantine.

    Attributes:
        device, seat: whose.
        edits: 1 to 128 of them; the same one again is kept once.
    """

    device: DeviceText
    seat: DeviceText
    edits: list[SealedBody]


class WipedSeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seat of which nothing is left.

    Attributes:
        seat: which.
        at: since when, by the device's clock (ms since 1970).
        receipt: the device's signature, as in WIPED of the sync protocol.
    """

    seat: DeviceText
    at: MillisInt
    receipt: Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class WipedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device says, signed, what it has destroyed as it was ordered.

    Attributes:
        device: which.
        seats: 1 to 128 of them.
    """

    device: DeviceText
    seats: list[WipedSeat]


async def tell_orders(request: Request) -> Response:
    """What a device is ordered to do with what rests on it; it asks before anybody signs in."""
    body = await read_body(request, Asking)
    device = _proved(request, body.device)
    beatbook = beatbook_of(request)
    known = beatbook.authority.ledger.registry.devices[device]
    seats = []
    for seat in known.seats:
        if not seat.retired:
            reads = await _reads_of(request, seat)
            wipe = known.wipe or seat.wipe
            hand_over = wipe is None and known.revoked is not None and seat.hand_over is HandOver.ALLOWED
            if wipe is not None or hand_over or reads is not None:
                why = None if wipe is None else wipe.why
                seats.append(SeatOrders(seat=seat.seat, wipe=why, hand_over=hand_over, reads=reads))
    wipe_all = None if known.wipe is None else known.wipe.why
    return reply(Orders(device=device, revoked=known.revoked is not None, wipe=wipe_all, seats=seats))


async def hand_in(request: Request) -> Response:
    """Take what a closed seat holds sealed into quarantine."""
    body = await read_body(request, HandIn)
    seat = _seat_of(request, _proved(request, body.device), body.seat)
    _check_parts(len(body.edits))
    edits = [(edit.id, edit.sealed) for edit in body.edits]
    await beatbook_of(request).committer.commit(intake.sealed_entries(seat.seat, seat.officer.officer, edits))
    return reply(Done())


async def take_receipts(request: Request) -> Response:
    """Take note, with the device's signature, that seats were destroyed as it was ordered."""
    body = await read_body(request, WipedBody)
    device = _proved(request, body.device)
    _check_parts(len(body.seats))
    beatbook = beatbook_of(request)
    told = [(_seat_of(request, device, one.seat), one) for one in body.seats]
    for seat, one in told:
        said = wire.WIPED_CONTEXT + msgspec.msgpack.encode([one.seat, one.at])
        if not verify(seat.device.public_key, said, one.receipt):
            raise UsageError(f"the receipt for {one.seat!r} is not signed by the key of {device!r}; sign what it says")
        if not seat.retired and seat.wipe is None and seat.device.wipe is None:
            raise UsageError(f"nobody has ordered to wipe {one.seat!r}; ask what is ordered first")
    for seat, one in told:
        if not seat.retired:
            message = wire.Wiped(at=Millis(one.at), receipt=one.receipt)
            await beatbook.committer.commit(intake.receipt_entry(seat.seat, message))
            await beatbook.authority.gatekeeper.wiped(seat.seat, one.receipt)
    return reply(Done())


def _proved(request: Request, device: DeviceId) -> DeviceId:
    """The device that calls, whatever has become of it."""
    callers_of(request).prove_key(request, device)
    wait_ms = beatbook_of(request).pace.call(device)
    if wait_ms is not None:
        raise TooFastError(wait_ms)
    return device


def _check_parts(count: int) -> None:
    if not 1 <= count <= PARTS_MAX:
        raise UsageError(f"{count} at once: send 1 to {PARTS_MAX} in one call")


def _seat_of(request: Request, device: DeviceId, name: DeviceId) -> Seat:
    seat = beatbook_of(request).authority.ledger.registry.seats.get(name)
    if seat is None or seat.device.device != device:
        raise UsageError(f"{name!r} is no seat of {device!r}")
    return seat


async def _reads_of(request: Request, seat: Seat) -> ReadsPlace | None:
    if seat.reads is not ReadsState.PARDONED:
        return None
    head = await beatbook_of(request).store.chain(intake.reads_chain(seat.seat))
    return None if head is None else ReadsPlace(n=head.n, link=head.link)


OPERATIONS: Final = (
    Operation(method="POST", path="/v1/orders", handler=tell_orders, who=KEY_HOLDER, takes=Asking, gives=Orders),
    Operation(method="POST", path="/v1/orders/sealed", handler=hand_in, who=KEY_HOLDER, takes=HandIn, gives=Done),
    Operation(
        method="POST", path="/v1/orders/wiped", handler=take_receipts, who=KEY_HOLDER, takes=WipedBody, gives=Done
    ),
)
