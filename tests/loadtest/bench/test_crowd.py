"""Many devices in one process: each reads what comes, and they take turns at taking it in."""

import asyncio

import msgspec
import pytest

from loadtest.bench.crowd import Device
from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, Epoch, Generation, Millis, OpNumber, ScopeName, Seq
from sync import digest
from sync.device import DeviceIdentity
from tests.example_rows import ROWS

AREA = ScopeName("area:storm")
GEN = Generation(1)


class Quiet(Device):
    """A device whose connection takes what it says, and brings what the test says."""

    def __init__(self, name: str) -> None:
        super().__init__(DeviceIdentity.generate(DeviceId(name)), "WM00001", "storm")
        plan = wire.Plan(scope=AREA, gen=GEN, action="snapshot", seq=Seq(1))
        welcome = wire.Welcome(
            proto=1, schema_min=1, schema_max=1, epoch=Epoch("0" * 16), server_time=Millis(1), last_op=OpNumber(0),
            credit=1, scopes=(plan,),
        )  # fmt: skip
        self.replica.welcome(welcome)
        self.replica.page(wire.Snapshot(scope=AREA, gen=GEN, at=Seq(1), after="", upto="", last=True))
        self.acked: list[tuple[dict[ScopeName, Seq], int]] = []

    @property
    def session(self) -> "Quiet":  # type: ignore[override]
        """Notes what is acknowledged."""
        return self

    def applied(self, positions: dict[ScopeName, Seq], size: int) -> None:
        """One acknowledgement."""
        self.acked.append((positions, size))

    def flush(self) -> None:
        """Nothing leaves."""


def batch(frm: int) -> wire.Batch:
    """One row."""
    row = msgspec.structs.replace(ROWS["row-latest"], v=Seq(frm + 1))
    return wire.Batch(scope=AREA, gen=GEN, frm=Seq(frm), to=Seq(frm + 1), rows=(msgspec.Raw(encode(row)),))


@pytest.fixture
def devices() -> list[Quiet]:
    """Two of them."""
    return [Quiet("hh-0001"), Quiet("hh-0002")]


async def test_what_came_is_taken_in_later_together_and_acknowledged_once(devices: list[Quiet]) -> None:
    """Two batches, read one after the other: nothing is taken in before the loop's next turn, then both are."""
    first, second = devices
    first.heard(batch(1), b"12345")
    second.heard(batch(1), b"1")
    first.heard(batch(2), b"123")
    assert (first.held(AREA), second.held(AREA)) == (0, 0)
    await asyncio.sleep(0)
    # One of them in a turn, the one that waited longest first.
    assert (first.acked, second.acked) == ([({AREA: Seq(3)}, 8)], [])
    await asyncio.sleep(0)
    assert second.acked == [({AREA: Seq(2)}, 1)]
    assert first.digest(AREA) == digest.of([(ROWS["row-latest"].id, Seq(3))])


async def test_what_was_not_taken_in_is_forgotten_with_its_connection(devices: list[Quiet]) -> None:
    """The next connection tells it again, from where the replica stands."""
    first, _ = devices
    first.heard(batch(1), b"12345")
    first._forget()
    await asyncio.sleep(0)
    assert (first.acked, first.held(AREA)) == ([], 0)
    first.heard(batch(1), b"12345")
    await asyncio.sleep(0)
    assert first.held(AREA) == 1
