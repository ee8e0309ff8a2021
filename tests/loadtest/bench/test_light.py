"""What devices without a replica count: deliveries, once each, whenever they are asked for."""

from pathlib import Path

import pytest

from loadtest.bench.force import Force
from loadtest.bench.light import Arrivals, Light, ReadsHead
from loadtest.bench.lines import Lines
from loadtest.bench.machine import Cores
from loadtest.bench.process import Listening
from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, Generation, ScopeName, Seq
from sync.device.keys import DeviceIdentity
from sync.session import DeviceSession


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


async def test_a_slow_server_is_waited_for_more_than_once() -> None:
    """The next commit may be asked for before the last one has come: each is counted, by one batch or by two."""
    device, _ = listening()
    first, second, third = Arrivals(1), Arrivals(1), Arrivals(1)
    for seq, arrivals in ((4, first), (6, second), (7, third)):
        device.expect(seq, arrivals)
    device.took(batch(5))
    assert (first.all_there.is_set(), second.all_there.is_set()) == (True, False)
    device.took(batch(7))
    assert second.all_there.is_set()
    assert third.all_there.is_set()


async def test_what_came_is_paid_for() -> None:
    """Credit goes back for the bytes of batches, or the server would stop sending."""
    device, sent = listening()
    frame = encode(wire.Batch(scope=ScopeName("force"), gen=Generation(1), frm=Seq(0), to=Seq(1)))
    while not sent.frames:
        device.took(frame)
    paid = wire.Ack(scopes={}, credit=device.messages * len(frame))
    assert sent.frames == [encode(paid)]


class Refused(Light):
    """A device that is sent away a few times before it is let in."""

    def __init__(self, *answers: wire.Error) -> None:
        super().__init__(DeviceIdentity.generate(DeviceId("hh-1")), "WM1", "dudley")
        self.answers = list(answers)

    async def come(self, host: str, port: int) -> None:
        """Be told the next of the answers, and be let in when there is none."""
        del host, port
        self._session = DeviceSession(self.facts(), self.identity.sign, 0)
        self._wire = Sent()  # type: ignore[assignment]
        if self.answers:
            self.took(encode(self.answers.pop(0)))
            raise ConnectionError(self.ended)


async def test_who_may_come_again_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a handheld would, behind the time that it was told; who may not is an error of the run."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("loadtest.bench.force.asyncio.sleep", wait)
    monkeypatch.setattr("loadtest.bench.force.HOST", "")
    crew = Force(Listening("", 0, "", 0, Path()), Lines("http://127.0.0.1:1"), Path(), Cores(0, 0))
    late = Refused(wire.Error(code="hello_late", recovery="retry"))
    busy = Refused(*[wire.Error(code="server_busy", recovery="retry", retry_after_ms=1_500)] * 2)
    await crew.connect([late, busy])
    assert (sorted(waited), late.answers, busy.answers) == ([0.0, 1.5, 1.5], [], [])
    with pytest.raises(ConnectionError, match="device_revoked"):
        await crew.connect([Refused(wire.Error(code="device_revoked", recovery="stop"))])


async def test_a_read_log_goes_on_where_it_was() -> None:
    """A device that comes back says which entry comes next: a server takes no other from it."""
    device, _ = listening()
    assert device.facts().next_read == 1
    device._reads = ReadsHead(4, b"link")
    assert device.facts().next_read == 5
