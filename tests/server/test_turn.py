"""The end of a turn of the loop: whom it puts to, in which order, and how many at a time. Sessions and hub are real."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas import wire
from schemas.codec import decode_down, encode
from schemas.errors import PeerError
from schemas.ids import DeviceId, Generation, ScopeName, Seq
from server import turn as module
from server.framing import WIRE
from server.hub import Hub
from server.observing.measures import Measures
from server.outgoing import Outgoing
from server.store import Store
from server.turn import Listener, Turn
from sync.session import Grant
from tests.examples import AREA, SUITE, T0
from tests.server.test_hub import change, settled
from tests.sync.session.server_end import at, live, past_snapshots


class FakeWire:
    """A wire that remembers each write, message by message."""

    def __init__(self) -> None:
        self.takes = True
        self.claimed = False
        self.writes: list[list[wire.Down]] = []

    def put(self, frames: Sequence[bytes]) -> None:
        """What is said behind each other."""
        self.send(b"".join(frames))

    def send(self, data: bytes) -> None:
        """Take it apart: every message here is of a medium length, or short."""
        said = []
        while data:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            said.append(decode_down(data[start : start + size]))
            data = data[start + size :]
        self.writes.append(said)


class Phone:
    """A connection of a device that has everything."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.session = live()
        past_snapshots(self.session)
        self.wire = FakeWire()
        self.sent: list[wire.Down] = []
        self.scope = {"extensions": {WIRE: self.wire}}
        store = cast("Store", SimpleNamespace())
        self.outgoing = Outgoing(cast("Any", self), self.session, hub, store, hub.turn)
        self.outgoing.begin()
        hub.open(cast("Listener", self))
        hub.enter(DeviceId(name), cast("Listener", self))

    @property
    def follows(self) -> bool:
        """As a connection."""
        return self.outgoing.follows

    def wake(self) -> None:
        """As a connection."""
        self.outgoing.wake()

    async def send_bytes(self, frame: bytes) -> None:
        """Through ASGI."""
        self.sent.append(decode_down(frame))

    async def close(self, _code: int, _reason: str) -> None:
        """The end."""

    def pings(self) -> None:
        """Something to answer."""
        self.session.receive(encode(wire.Ping(id=1)), T0)
        self.wake()

    @property
    def batches(self) -> list[tuple[ScopeName, Seq, Seq]]:
        """Those that it was told of, in order."""
        said = [*(one for write in self.wire.writes for one in write), *self.sent]
        return [(one.scope, one.frm, one.to) for one in said if isinstance(one, wire.Batch)]


async def turns(count: int = 10) -> None:
    """Let everything that is ready run, so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def gathered(count: int) -> tuple[Hub, list[Phone]]:
    """As many, none of which follows with others yet."""
    hub = Hub(Turn(Measures()))
    return hub, [Phone(hub, f"hh-{n}") for n in range(count)]


async def test_a_commit_goes_to_all_who_stand_there() -> None:
    """In one write each, all commits of a turn together; the first of them has them join."""
    hub, phones = gathered(3)
    hub.publish(settled(change(5, 0)))
    hub.publish(settled(change(6, 5)))
    assert [phone.wire.writes for phone in phones] == [[]] * 3
    await turns()
    hub.publish(settled(change(7, 6)))
    await turns()
    assert [[len(write) for write in phone.wire.writes] for phone in phones] == [[2, 1]] * 3
    assert [phone.batches for phone in phones] == [[(AREA, 0, 5), (AREA, 5, 6), (AREA, 6, 7)]] * 3
    assert hub.turn.measures.wires == 6


async def test_a_commit_for_very_many_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five two are put to in a turn; who is answered meanwhile comes first, and hears of it in that write."""
    monkeypatch.setattr(module, "TURN_SOCKETS_MAX", 2)
    hub, phones = gathered(5)
    hub.publish(settled(change(5, 0)))
    seen: list[int] = []
    first = phones[0]
    while sum(bool(phone.wire.writes) for phone in phones) < 5:
        seen.append(sum(bool(phone.wire.writes) for phone in phones))
        if seen[-1] == 2:
            first = next(phone for phone in phones if not phone.wire.writes)
            first.pings()
        await turns(1)
    assert seen == [0, 2]
    assert [type(one) for one in first.wire.writes[0]] == [wire.Pong, wire.Batch]
    assert [phone.batches for phone in phones] == [[(AREA, 0, 5)]] * 5


async def test_the_scopes_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is for few is not kept waiting by what is for very many."""
    monkeypatch.setattr(module, "TURN_SOCKETS_MAX", 2)
    hub, phones = gathered(7)
    for phone in phones[1:]:
        phone.session.regrant(SUITE, None)
        hub._ignore(cast("Listener", phone), SUITE)
        phone.session.next_step()
    hub.publish(settled(change(5, 0), change(5, 0, SUITE)))
    while (SUITE, 0, 5) not in phones[0].batches:
        await turns(1)
    assert not all((AREA, 0, 5) in phone.batches for phone in phones)
    await turns()
    assert all((AREA, 0, 5) in phone.batches for phone in phones)


async def test_an_answer_goes_first_although_it_waits_behind_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has an answer coming is not told of a commit before it, in whichever turn either comes."""
    monkeypatch.setattr(module, "TURN_SOCKETS_MAX", 2)
    hub, phones = gathered(6)
    for phone in phones:
        phone.pings()
    hub.publish(settled(change(5, 0)))
    await turns()
    assert [[type(one) for write in phone.wire.writes for one in write] for phone in phones] == [
        [wire.Pong, wire.Batch]
    ] * 6


async def test_a_client_that_stopped_reading_is_not_put_to() -> None:
    """It follows alone, and hears of all of it, in order, by the writer, that waits in its socket."""
    hub, phones = gathered(2)
    hub.publish(settled(change(5, 0)))
    await turns()
    hub.publish(settled(change(6, 5)))
    phones[0].wire.takes = False
    await turns()
    hub.publish(settled(change(7, 6)))
    await turns()
    assert len(phones[0].wire.writes) == 1
    assert len(phones[0].sent) == 2
    phones[0].wire.takes = True
    hub.publish(settled(change(8, 7)))
    await turns()
    assert [type(one) for one in phones[0].wire.writes[1]] == [wire.Batch]
    assert [to for _, _, to in phones[1].batches] == [5, 6, 7, 8]
    assert sorted(phones[0].batches) == phones[1].batches


@pytest.mark.parametrize("how", ["revoked", "retracted", "replaced", "gone"])
async def test_who_has_lost_a_scope_in_the_middle_hears_nothing_more_of_it(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Between the commit and its turn it was revoked, or replaced, or it left: no row comes behind that."""
    monkeypatch.setattr(module, "TURN_SOCKETS_MAX", 1)
    hub, phones = gathered(3)
    hub.publish(settled(change(5, 0)))
    await turns(2)
    lost, name = next((phone, f"hh-{n}") for n, phone in enumerate(phones) if not phone.wire.writes)
    match how:
        case "revoked":
            lost.session.fail(PeerError("device_revoked"))
            lost.wake()
        case "retracted":
            hub.regrant(DeviceId(name), {})
        case "replaced":
            Phone(hub, name)
        case _:
            lost.outgoing.stop()
            hub.leave(cast("Listener", lost))
    await turns()
    hub.publish(settled(change(6, 5)))
    await turns()
    assert lost.batches == []
    others = [phone for phone in phones if phone is not lost]
    assert [phone.batches for phone in others] == [[(AREA, 0, 5), (AREA, 5, 6)]] * 2


async def test_a_grant_that_changed_in_the_middle_is_told_before_anything_of_it() -> None:
    """RETRACT, SCOPE_ADD and a snapshot; the commit that was due came under the old grant."""
    hub, phones = gathered(2)
    hub.publish(settled(change(5, 0)))
    phones[0].session.regrant(AREA, Grant(Generation(2), at(5)))
    phones[0].wake()
    await asyncio.sleep(0)
    assert [type(one) for write in phones[0].wire.writes for one in write] == [wire.Retract, wire.ScopeAdd]
    assert phones[1].batches == [(AREA, 0, 5)]
    for task in phones[0].outgoing.stop():
        task.cancel()


async def test_a_defect_while_somebody_is_put_to_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """The loop reports it, and the next turn goes on."""
    hub, phones = gathered(3)
    hub.publish(settled(change(5, 0)))
    found: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context.get("exception")))
    broken = phones[-1].wire

    def breaks(_: bytes) -> None:
        raise RuntimeError("planted")

    broken.send = breaks  # type: ignore[assignment, method-assign]
    await turns()
    assert [phone.batches for phone in phones[:2]] == [[(AREA, 0, 5)]] * 2
    assert len(found) == 1
    assert not caplog.records
