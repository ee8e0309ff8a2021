"""What a device is told to do with what rests shut on it, and what it has to show to be believed that it did."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from schemas import wire
from schemas.ids import DeviceId
from schemas.roles import Role
from server.cli.proving import DpopAuth
from server.intake import SealedEdit
from server.logbook import QUARANTINE, RECEIPT
from server.registry.acts import SERVER, ReadsSetBack
from sync.device import DeviceIdentity
from tests.server.people import Caller, person
from tests.server.running import Running, running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server whose sockets too are let in by the authority."""
    async with running(tmp_path / "server", real=True) as server:
        yield server


@pytest.fixture
async def holder(server: Running) -> Caller:
    """An officer with a seat on a device."""
    return await person(server, "WM1", [Role.OFFICER])


async def asked(server: Running, caller: Caller, path: str = "/v1/orders", **body: object) -> tuple[int, Any]:
    """A call by the device's key alone: (status, what it gives)."""
    auth = DpopAuth(caller.identity, clock=server.clock)
    async with httpx.AsyncClient(base_url=server.url, auth=auth, trust_env=False) as http:
        answer = await http.post(path, json={"device": caller.identity.device, **body})
    return answer.status_code, answer.json()


def receipt(identity: DeviceIdentity, seat: DeviceId, at: int) -> str:
    """A receipt as JSON carries it."""
    return base64.b64encode(identity.sign(wire.WIPED_CONTEXT + msgspec.msgpack.encode([seat, at]))).decode()


async def kept(server: Running, what: str) -> int:
    """How many entries of a sort the journal has."""
    return len(await server.store.journal(what, 0, 100))


async def test_a_device_of_which_nothing_is_ordered_is_told_so(server: Running, holder: Caller) -> None:
    """It goes on as it was."""
    told = {"device": holder.identity.device, "revoked": False, "wipe": None, "seats": []}
    assert await asked(server, holder) == (200, told)


async def test_what_is_ordered_is_told_by_seat(server: Running, holder: Caller) -> None:
    """A hand-over that is allowed; then a wipe, which ends that."""
    authority, device = server.beatbook.authority, holder.identity.device
    await authority.revoke([device], "ADM1", "lost")
    assert (await asked(server, holder))[1]["revoked"]
    await authority.allow_hand_over(device, None, "ADM1", "it was found")
    (seat,) = (await asked(server, holder))[1]["seats"]
    assert seat == {"seat": holder.seat, "wipe": None, "hand_over": True, "reads": None}
    await authority.wipe(device, None, "ADM1", "broken")
    _, told = await asked(server, holder)
    assert (told["wipe"], told["seats"][0]["wipe"], told["seats"][0]["hand_over"]) == ("broken", "broken", False)


async def test_where_a_pardoned_log_goes_on_is_told(server: Running, holder: Caller) -> None:
    """Only once it was pardoned; before there is any entry there is nothing to go on behind."""
    act = ReadsSetBack(by=SERVER, at=server.clock.now, seat=holder.seat, kept=0)
    await server.beatbook.authority.ledger.perform(act)
    assert (await asked(server, holder))[1]["seats"] == []
    await server.beatbook.authority.pardon(holder.seat, "ADM1", "the disk was put back")
    assert (await asked(server, holder))[1]["seats"] == []


async def test_a_receipt_counts_once_it_is_ordered_and_signed_by_the_device(server: Running, holder: Caller) -> None:
    """Not before the order, not by another key, not for another seat or time; and again it changes nothing."""
    other = await person(server, "WM2", [Role.OFFICER])
    path, at = "/v1/orders/wiped", int(server.clock.now)
    right = {"seat": holder.seat, "at": at, "receipt": receipt(holder.identity, holder.seat, at)}
    assert (await asked(server, holder, path, seats=[right]))[0] == 422
    await server.beatbook.authority.wipe(holder.identity.device, None, "ADM1", "lost")
    wrong = (
        {**right, "receipt": receipt(other.identity, holder.seat, at)},
        {**right, "at": at + 1},
        {**right, "seat": other.seat, "receipt": receipt(holder.identity, other.seat, at)},
        {**right, "receipt": base64.b64encode(bytes(63)).decode()},
    )
    for each in wrong:
        assert (await asked(server, holder, path, seats=[right, each]))[0] in {400, 422}, each
    assert (await asked(server, other, path, seats=[right]))[0] == 422
    assert (await asked(server, holder, path, seats=[]))[0] == 422
    registry = server.beatbook.authority.ledger.registry
    assert (await kept(server, RECEIPT), registry.seats[holder.seat].retired) == (0, False)
    for _ in range(2):
        assert (await asked(server, holder, path, seats=[right]))[0] == 200
    assert (await kept(server, RECEIPT), registry.seats[holder.seat].retired) == (1, True)
    assert registry.devices[holder.identity.device].wiped


async def test_what_a_shut_seat_sealed_is_kept_once_and_of_its_own_device_alone(
    server: Running, holder: Caller
) -> None:
    """Revoked or not: it is the work of somebody, and a supervisor waits for it."""
    other = await person(server, "WM2", [Role.OFFICER])
    await server.beatbook.authority.revoke([holder.identity.device], "ADM1", "lost")
    path, edit = "/v1/orders/sealed", {"id": 7, "sealed": base64.b64encode(b"sealed").decode()}
    assert (await asked(server, other, path, seat=holder.seat, edits=[edit]))[0] == 422
    assert (await asked(server, holder, path, seat=holder.seat, edits=[]))[0] == 422
    for _ in range(2):
        assert (await asked(server, holder, path, seat=holder.seat, edits=[edit]))[0] == 200
    (found,) = await server.store.journal(QUARANTINE, 0, 10)
    assert found.body is not None
    assert msgspec.msgpack.decode(found.body, type=SealedEdit) == SealedEdit(holder.seat, "WM1", 7, b"sealed")  # type: ignore[arg-type]  # a collar number
