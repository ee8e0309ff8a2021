"""The connection over real sockets: every kind of bad link is survived, and it comes back when it should."""

import asyncio
import random
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas import wire
from schemas.codec import decode_hello_body, encode
from schemas.ids import Millis, Seq
from schemas.kinds import Incident
from schemas.kinds.incident import Grade
from schemas.limits import BACKOFF_FIRST_MS, BACKOFF_MAX_MS, MESSAGE_BYTES_MAX, PING_INTERVAL_MS, PONG_TIMEOUT_MS
from sync.device import DeviceIdentity, Handheld, RecordChanged
from tests.sync.device.support import (
    BIRMINGHAM,
    NOON,
    VirtualClock,
    caught_up,
    change_of,
    connected,
    incident,
    opened,
    record_id,
    said,
    server_has,
    unnumbered,
)
from tests.toy_server import ToyServer, toy_server

# --- links that lie --------------------------------------------------------------------------------------------------


async def test_a_server_that_falls_silent_is_noticed(tmp_path: Path, identity: DeviceIdentity, toy: ToyServer) -> None:
    """The socket stays open and nothing comes: a heartbeat goes out, and its missing answer ends the connection."""
    clock = VirtualClock()
    async with connected(tmp_path / "replica", identity, toy, clock=clock) as handheld:
        toy.unmuted.clear()
        ping = toy.next_message(wire.Ping)
        clock.advance(PING_INTERVAL_MS)
        await ping
        clock.advance(PONG_TIMEOUT_MS - 1)
        assert handheld.status.connected
        clock.advance(1)
        await handheld.wait_until(said("server_silent"))
        toy.unmuted.set()
        handheld.network_returned()
        await handheld.wait_until(caught_up)


async def test_a_heartbeat_that_is_answered_ends_nothing(tmp_path: Path, identity: DeviceIdentity) -> None:
    """Minutes without news are minutes of answered heartbeats on one connection, and the replica counts as fresh."""
    clock = VirtualClock()
    async with (
        toy_server([(identity, [BIRMINGHAM])], now=lambda: Millis(clock.wall_ms())) as toy,
        connected(tmp_path / "replica", identity, toy, clock=clock) as handheld,
    ):
        (connection,) = toy.connections
        for _ in range(20):
            ping = toy.next_message(wire.Ping)
            clock.advance(PING_INTERVAL_MS)
            await ping
            await handheld.wait_until(lambda status: status.last_synced_at == clock.wall_ms())
        assert toy.connections == [connection]
        assert handheld.status.connected


GAP: Final = encode(wire.Batch(scope=BIRMINGHAM, gen=1, frm=90, to=91))  # type: ignore[arg-type]
BAD_FRAMES: Final[list[tuple[bytes | str, str]]] = [
    ("text", "text_frame"),
    (b"", "not_msgpack"),
    (b"\xc1", "bad_value"),
    (b"\x81\xa1t\xa7unknown", "unknown_type"),
    (GAP, "gap"),
    (encode(wire.Results(results=(wire.Result(n=99, status="durable"),))), "not_welcome"),  # type: ignore[arg-type]
    (encode(wire.Challenge(nonce=bytes(32), server_time=NOON, proto_min=1, proto_max=1)), "out_of_order"),  # type: ignore[arg-type]
    (encode(wire.Batch(scope=BIRMINGHAM, gen=1, frm=1, to=2, rows=(msgspec.Raw(b"\x80"),))), "wrong_field"),  # type: ignore[arg-type]
    (bytes(MESSAGE_BYTES_MAX + 1), "was lost"),
]


@pytest.mark.parametrize(("frame", "code"), BAD_FRAMES, ids=[code for _, code in BAD_FRAMES])
async def test_a_faulty_server_costs_a_connection_and_nothing_else(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer, frame: bytes | str, code: str
) -> None:
    """The error is told to the server and in the status; the loop goes on and the next connection is whole."""
    async with connected(tmp_path / "replica", identity, toy) as handheld:
        written = await handheld.create(incident())
        await handheld.wait_until(caught_up)
        told = toy.next_message(wire.Error)
        ended = asyncio.ensure_future(handheld.wait_until(said(code)))
        await asyncio.sleep(0)
        await toy.connections[0].say(frame)
        await ended
        if code != "was lost":
            assert (await told).code == code
        await handheld.edit(written.record, grade=Grade.P1)
        await handheld.wait_until(caught_up)
        assert unnumbered(await handheld.get(Incident, written.record)) == incident(grade=Grade.P1)


async def test_a_defect_of_ours_is_told_and_survived(
    handheld: Handheld, toy: ToyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nobody planned for ends one connection, is logged whole, and the loop goes on."""
    applier = handheld._client._applier  # type: ignore[union-attr]

    async def broken(*_args: object) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(applier, "apply_rows", broken)
    ended = asyncio.ensure_future(handheld.wait_until(said("ZeroDivisionError")))
    await toy.make(record_id(1), incident())
    await ended
    await handheld.wait_until(caught_up)
    assert unnumbered(await handheld.get(Incident, record_id(1))) == incident()
    assert "planted" in caplog.text


# --- when to come back -----------------------------------------------------------------------------------------------


async def test_an_unreachable_server_is_tried_with_growing_waits_and_at_once_on_a_hint(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """The waits are the backoff's, in virtual time; `network_returned` ends one, and a good connection forgets them."""
    clock = VirtualClock()
    await toy.stop()
    async with await opened(tmp_path / "replica", identity, server=toy.url, clock=clock) as handheld:
        await handheld.wait_until(said("cannot connect"))
        for _ in range(3):
            again = clock.next_nap(0)
            clock.advance(BACKOFF_MAX_MS)
            await again
        assert not handheld.status.connected
        await toy.start()
        handheld.network_returned()
        await handheld.wait_until(caught_up)
        assert handheld.status.last_error == ""


class Highest(random.Random):
    """Always the highest draw: the wait is the ceiling."""

    def randint(self, a: int, b: int) -> int:
        """The upper bound."""
        assert a <= b
        return b


async def test_a_server_that_is_faulty_every_time_is_met_ever_less_often(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """A session that met a fault does not make the next wait short, though it was LIVE; one that was cut does."""
    clock = VirtualClock()
    async with connected(tmp_path / "replica", identity, toy, clock=clock, rng=Highest(), backoff=None) as handheld:
        for doubled in (1, 2, 4):
            nap = clock.next_nap(doubled * BACKOFF_FIRST_MS, doubled * BACKOFF_FIRST_MS)
            await toy.connections[-1].say(GAP)
            await nap
            assert "gap" in handheld.status.last_error
            handheld.network_returned()
            await handheld.wait_until(caught_up)
        nap = clock.next_nap(BACKOFF_FIRST_MS, BACKOFF_FIRST_MS)
        toy.connections[-1].cut()
        await nap


async def test_a_stranger_is_told_and_waits_the_longest(tmp_path: Path, toy: ToyServer) -> None:
    """An unknown device sees why in its status, does not hammer the server, and keeps what it wrote."""
    clock = VirtualClock()
    nap = clock.next_nap(BACKOFF_MAX_MS)
    stranger = DeviceIdentity.generate("hh-9999")
    async with await opened(tmp_path / "replica", stranger, server=toy.url, clock=clock) as handheld:
        await handheld.create(incident())
        await handheld.wait_until(said("unknown_device"))
        await nap
        assert handheld.status.waiting == 1


async def test_a_wrong_signature_is_refused(tmp_path: Path, toy: ToyServer) -> None:
    """Someone with the right id and another key gets nothing."""
    impostor = DeviceIdentity.generate("hh-0042")
    async with await opened(tmp_path / "replica", impostor, server=toy.url) as handheld:
        await handheld.wait_until(said("bad_proof"))
        assert await handheld.find(Incident) == []


async def test_a_server_that_asks_for_time_gets_it(tmp_path: Path, identity: DeviceIdentity, toy: ToyServer) -> None:
    """`retry_after_ms` is never undercut: here there is no jitter that could hide it."""
    clock = VirtualClock()
    async with connected(tmp_path / "replica", identity, toy, clock=clock) as handheld:
        nap = clock.next_nap(4_000, 4_000)
        stopping = wire.Error(code="server_stopping", recovery="retry", retry_after_ms=4_000)
        await toy.connections[0].say(encode(stopping))
        await handheld.wait_until(said("server_stopping"))
        await nap


async def test_an_error_that_asks_for_a_new_snapshot_gives_the_position_up(handheld: Handheld, toy: ToyServer) -> None:
    """The next HELLO stands at the scope's beginning, and what was held stays readable meanwhile."""
    await toy.make(record_id(1), incident())
    stream = handheld.changes()
    await change_of(stream, RecordChanged)
    hello = toy.next_message(wire.Hello)
    await toy.connections[0].say(encode(wire.Error(code="not_granted", recovery="resnapshot", scope=BIRMINGHAM)))
    (position,) = decode_hello_body((await hello).body).scopes
    assert (position.seq, position.after) == (Seq(0), "")
    assert unnumbered(await handheld.get(Incident, record_id(1))) == incident()
    await handheld.wait_until(caught_up)


async def test_offline_means_offline_until_told_otherwise(handheld: Handheld, toy: ToyServer) -> None:
    """The switch closes the connection before it returns, hints do not override it, and coming back catches up."""
    await handheld.go_offline()
    assert not handheld.status.connected
    written = await handheld.create(incident())
    handheld.network_returned()
    await asyncio.sleep(0)
    assert toy.connections == [] or all(each.session.ending is None for each in toy.connections)
    assert not await server_has(toy, written.record)
    await handheld.go_online()
    await handheld.wait_until(caught_up)
    assert await server_has(toy, written.record)


async def test_closing_while_the_server_does_not_answer_does_not_hang(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """Nothing waits for the network, closing included; what was written is there at the next opening."""
    async with await opened(tmp_path / "replica", identity, server=toy.url) as handheld:
        await handheld.wait_until(caught_up)
        toy.unmuted.clear()
        await handheld.create(incident())
    async with await opened(tmp_path / "replica", identity) as again:
        assert again.status.waiting == 1
