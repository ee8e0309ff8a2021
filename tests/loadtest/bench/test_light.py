"""What devices without a replica count: deliveries, once each, whenever they are asked for."""

from loadtest.bench.light import Arrivals, Light
from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, Generation, ScopeName, Seq
from sync.device.keys import DeviceIdentity


def batch(to: int) -> bytes:
    """A batch that leads to a commit."""
    return encode(wire.Batch(scope=ScopeName("force"), gen=Generation(1), frm=Seq(to - 1), to=Seq(to)))


class Sent:
    """In the place of a connection."""

    heard_at = 7.0

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, frame: bytes) -> None:
        """Keep it."""
        self.frames.append(frame)


def listening() -> tuple[Light, Sent]:
    """A device that listens, and what it sends."""
    device, sent = Light(DeviceIdentity.generate(DeviceId("hh-1")), "WM1", "dudley"), Sent()
    device._wire = sent  # type: ignore[assignment]
    device.listen()
    return device, sent


async def test_a_delivery_counts_once() -> None:
    """With the batch that leads to the commit or past it, or at once where that came before it was asked for."""
    device, _ = listening()
    early, late = Arrivals(1), Arrivals(2)
    device.took(batch(4))
    device.expect(4, early)
    assert early.all_there.is_set()
    device.expect(6, late)
    device.took(batch(5))
    device.took(batch(7))
    device.took(batch(8))
    assert not late.all_there.is_set()
    late.came(8.0)
    assert (late.all_there.is_set(), late.last_at, device.messages) == (True, 8.0, 4)


async def test_what_came_is_paid_for() -> None:
    """Credit goes back for the bytes of batches, or the server would stop sending."""
    device, sent = listening()
    frame = encode(wire.Batch(scope=ScopeName("force"), gen=Generation(1), frm=Seq(0), to=Seq(1)))
    while not sent.frames:
        device.took(frame)
    paid = wire.Ack(scopes={}, credit=device.messages * len(frame))
    assert sent.frames == [encode(paid)]
