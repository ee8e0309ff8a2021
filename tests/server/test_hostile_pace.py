"""Devices that send too much, too fast, or do not read, acknowledge or speak at all.

One server serves the whole module. A well-behaved handheld stays connected through all of it; after every test it gets
an answer and a briefing, so whatever a test did to the server shows at once.
"""

import hashlib
import itertools

import pytest

from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, Millis
from schemas.limits import (
    CREDIT_BYTES,
    CREDIT_BYTES_TOTAL_MAX,
    FRAMES_BURST_MAX,
    HELLO_TIMEOUT_MS,
    IDLE_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
)
from server import incoming, pump
from sync.evidence.chain import behind, genesis
from tests.server.handheld import Handheld
from tests.server.hostile import GOOD_PING, op_of, refused
from tests.server.pushes import signed_push
from tests.server.rawsocket import BINARY, frame
from tests.server.running import NOW, Running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("others_lose_nothing")]

# --- too much, too fast, not at all ----------------------------------------------------------------------------------


async def test_more_than_the_credit_is_refused(shared: Running, good: Handheld) -> None:
    """While nothing is committed a device may send its credit and no byte more."""
    raw = await shared.live("bad")
    numbers = itertools.count(1_000)
    since = genesis(DeviceId("bad"))
    shared.store.commits.clear()
    try:
        sent = 0
        while sent <= CREDIT_BYTES:
            made = [op_of("bad", next(numbers), "x" * 3_900) for _ in range(60)]
            ops = [encode(op) for op in made]
            payload = encode(signed_push(shared.key("bad"), *ops, since=since))
            since = behind(since, [(op.n, hashlib.sha256(raw).digest()) for op, raw in zip(made, ops, strict=True)])
            sent += len(payload)
            await raw.send(frame(BINARY, payload))
        await good.ping()
        await refused(raw, "credit_exceeded")
    finally:
        shared.store.commits.set()


@pytest.mark.parametrize(
    "message", [wire.Ack(credit=CREDIT_BYTES_TOTAL_MAX), wire.AddCredit(bytes=CREDIT_BYTES_TOTAL_MAX)]
)
async def test_more_credit_than_anyone_may_hold_is_refused(shared: Running, message: wire.Up) -> None:
    """Credit that was never spent is not believed."""
    raw = await shared.live("bad")
    await raw.send_message(message)
    await refused(raw, "credit_overflow")


async def test_messages_that_come_too_fast_end_the_connection(shared: Running, good: Handheld) -> None:
    """The burst is answered to the last message of it; the next one is too many."""
    raw = await shared.live("bad")
    ping = frame(BINARY, GOOD_PING)
    await raw.send(ping * (FRAMES_BURST_MAX - 1))
    for _ in range(FRAMES_BURST_MAX - 1):
        await raw.until(wire.Pong)
    await good.ping()
    await raw.send(ping)
    assert (await refused(raw, "too_fast")).retry_after_ms == 1_000


async def test_a_device_that_never_acks_costs_its_position_only(shared: Running, good: Handheld) -> None:
    """When its credit is used up nothing is sent and nothing is queued for it; the others go on, and so may it."""
    shared.enrol("mute", "force")
    raw = await shared.live("mute", credit=MESSAGE_BYTES_MAX)
    first = await shared.brief()
    await good.until(lambda: good.holds(first))
    mute = shared.beatbook.hub._devices[DeviceId("mute")].session
    spent = mute._credit.bytes
    assert spent < MESSAGE_BYTES_MAX
    for _ in range(5):
        record = await shared.brief()
        await good.until(lambda record=record: good.holds(record))  # type: ignore[misc]
    assert mute._credit.bytes == spent
    assert mute.waiting == 0
    assert mute.next_step() is None
    batch = None
    while batch is None or batch.scope != "force:briefing":
        # Each message needs so much credit; the empty lane of officer safety goes first.
        await raw.send_message(wire.AddCredit(bytes=MESSAGE_BYTES_MAX))
        batch = await raw.until(wire.Batch)
    assert len(batch.rows) == 6
    raw.close()


async def test_a_device_that_asks_and_never_reads_is_not_read_from(shared: Running, good: Handheld) -> None:
    """Answers are not queued without end: behind a few of them the server stops reading, and goes on when they left."""
    raw, _ = await shared.narrow("bad")
    session = shared.beatbook.hub._devices[DeviceId("bad")].session
    asked = stood = 0
    while stood < 5:
        shared.clock.advance(1_000)  # as slow as may be: only the answers are too many
        await raw.send(frame(BINARY, GOOD_PING) * 100)
        asked += 100
        await good.ping()
        assert session.waiting <= incoming.ANSWERS_WAITING_MAX + 1
        stood = stood + 1 if session.waiting >= incoming.ANSWERS_WAITING_MAX else 0
    for _ in range(asked):
        shared.clock.advance(1_000 // 200)
        await raw.until(wire.Pong)
    raw.close()


# --- time ------------------------------------------------------------------------------------------------------------


async def test_a_socket_without_hello_is_given_up(shared: Running) -> None:
    """Whoever connects and says nothing is told so after the time for HELLO, and not before."""
    raw, _ = await shared.challenged()
    shared.clock.advance(HELLO_TIMEOUT_MS - 1)
    shared.beatbook.hub.tick(shared.clock.now)
    shared.clock.advance(1)
    shared.beatbook.hub.tick(shared.clock.now)
    await refused(raw, "hello_late")


async def test_a_silent_device_is_given_up(shared: Running, good: Handheld) -> None:
    """A device that stops its heartbeat is told so; one that goes on is kept."""
    raw = await shared.live("bad")
    shared.clock.advance(IDLE_TIMEOUT_MS - 1)
    await good.ping()
    shared.clock.advance(1)
    shared.beatbook.hub.tick(shared.clock.now)
    await refused(raw, "silent")


async def test_a_device_that_does_not_read_is_given_up_all_the_same(
    shared: Running, good: Handheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the socket takes nothing more, not even the last words, the connection still ends."""
    monkeypatch.setattr(pump, "LAST_WORDS_S", 0.01)
    shared.enrol("stuck", "force")
    _, protocol = await shared.narrow("stuck")
    while protocol.takes:
        record = await shared.brief(body="x" * 16_000)
        await good.until(lambda record=record: good.holds(record))  # type: ignore[misc]
    shared.clock.advance(IDLE_TIMEOUT_MS - 1)
    await good.ping()
    shared.clock.advance(1)
    shared.beatbook.hub.tick(shared.clock.now)
    while DeviceId("stuck") in shared.beatbook.hub.connected():
        await good.ping()
    while not protocol.transport.is_closing():
        shared.clock.advance(10)  # or so many heartbeats in one moment would be too many
        await good.ping()


async def test_every_connection_of_the_module_has_gone(shared: Running, good: Handheld) -> None:
    """Whatever was done above, only the well-behaved device still has a socket."""
    while len(shared.beatbook.hub) > 1:
        shared.clock.advance(10)  # as above
        await good.ping()
    assert list(shared.beatbook.hub.connected()) == [good.device]
    assert shared.clock.now >= Millis(NOW)
