"""The client written from docs/protocol.md alone gets along with the server's own session: the page is enough."""

import ast
import asyncio
import itertools
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest
import websockets

from schemas import limits
from schemas.errors import PeerError
from schemas.ids import FieldName, Generation, RecordId, Seq
from schemas.ops import Op
from server.store.memory import MemoryStore
from sync import digest as ours
from sync.session import Grant, Head
from tests import plain_client, plain_device, plain_evidence, plain_merge, plain_outbox, plain_sender
from tests.plain_client import PlainDevice, RefusedError, run, wait_s
from tests.protocol_examples import AREA, DEVICE, EPOCH, KEY, NOON, OFFICER, OTHER, RECORD, Server, Ticking, incident

ALLOWED = {
    "asyncio", "base64", "collections", "contextlib", "cryptography", "dataclasses", "hashlib", "itertools", "json",
    "msgpack", "pathlib", "random", "re", "secrets", "tests", "typing", "websockets",
}  # fmt: skip


class Link:
    """One device, and a server in the same process; their bytes are carried by hand."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self.wall, self.mono = Ticking(NOON), Ticking(1_000)
        self.device = PlainDevice(DEVICE, KEY, self.wall, self.mono)
        self.store = MemoryStore(EPOCH)
        self.grants = {AREA: Generation(1)}
        self.server = Server(store=self.store)
        self.down: list[dict[str, Any]] = []
        self.up: list[dict[str, Any]] = []

    def connect(self) -> None:
        """Open a new connection."""
        self.server = Server(store=self.store)
        self.server.grants = self.grants
        self.device.opened()
        self.down, self.up = [], []

    async def exchange(self, frames_max: int = 1_000) -> None:
        """Carry bytes both ways until nothing is left, or that many frames have come down."""
        while True:
            for frame in self.device.outgoing():
                self.up.append(msgpack.unpackb(frame))
                await self.server.receive(frame)
            frames = await self.server.frames()
            if not frames:
                return
            for frame in frames:
                if frames_max == 0:
                    return
                frames_max -= 1
                self.down.append(msgpack.unpackb(frame))
                self.device.receive(frame)

    async def session(self) -> None:
        """Connect and carry everything."""
        self.connect()
        await self.exchange()

    async def assert_whole(self) -> None:
        """The device holds what the store holds, and the two digests say so."""
        heads = await self.store.heads()
        for scope in self.grants:
            head = heads.get(scope, Head(Seq(0), ours.EMPTY, 0))
            place = self.device.places[scope]
            assert (place.gen, place.after) == (self.grants[scope], None)
            assert (plain_merge.digest(place.members.items()), len(place.members)) == (head.digest, head.count)
            for record, version in place.members.items():
                body = await self.store.record(RecordId(record))
                assert body is not None
                assert self.device.rows[record] == msgpack.unpackb(body)
                assert self.device.rows[record]["v"] == version


def record(n: int) -> RecordId:
    """The n-th of many ids."""
    return RecordId(f"019b796c-eba0-7000-8000-{n:012x}")


async def many(link: Link, count: int, size: int) -> None:
    """Fill the store with incidents of about that many bytes."""
    for n in range(1, count + 1):
        await link.server.write(incident(n, record(n), summary="x" * size))


def test_the_client_imports_nothing_of_ours() -> None:
    """Whoever writes a client needs a WebSocket, MessagePack, Ed25519 and SHA-256, and none of our code."""
    for module in (plain_client, plain_device, plain_evidence, plain_merge, plain_outbox, plain_sender):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        names = {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
        froms = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.split(".")[0] for name in names | froms} <= ALLOWED
        assert all(name.startswith("tests.plain_") for name in froms if name.startswith("tests"))
        opened = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert {each for each in opened if each.endswith((".md", ".json", ".py"))} <= {"protocol.md"}


async def test_an_edit_goes_up_and_its_row_comes_down() -> None:
    """The view is the same before and after the row comes, and the op is settled then."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    link.device.edit(RECORD, OFFICER, {"status": "attended", "log": [{"text": "On scene."}]})
    before = link.device.values(RECORD)
    assert before["log"] == [{"text": "On scene."}]
    await link.exchange()
    assert link.device.values(RECORD) == before
    assert link.device.ops[1].state == "settled"
    assert [message["t"] for message in link.down[-2:]] == ["results", "batch"]
    await link.assert_whole()


async def test_what_is_written_offline_goes_up_in_order() -> None:
    """Ops on one record wait for each other, a refused one holds what was built on it, the rest goes on."""
    link = Link()
    link.device.create(RECORD, "incident", OFFICER, {"opened_at": NOON, "area": "birmingham", "category": "crime"})
    link.device.edit(RECORD, OFFICER, {"status": "closed"})
    made = {"opened_at": NOON, "area": "birmingham", "category": "crime", "summary": "Bag found"}
    link.device.create(OTHER, "incident", OFFICER, made)
    link.device.edit(OTHER, OFFICER, {"status": "assigned"})
    await link.session()
    assert [own.state for own in link.device.ops.values()] == ["held", "waiting", "settled", "settled"]
    assert link.device.ops[1].result["code"] == "op_field_missing"
    assert (link.device.ops[2].op["after"], link.device.ops[2].result["status"]) == (1, "waiting")
    assert link.device.values(OTHER)["status"] == "assigned"
    await link.assert_whole()


async def test_a_lost_result_is_given_again() -> None:
    """A cut after PUSH costs nothing: the same op is answered with its stored result and applied once."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    link.device.edit(RECORD, OFFICER, {"log": [{"text": "Once only."}]})
    for frame in link.device.outgoing():
        await link.server.receive(frame)
    await link.session()
    assert link.device.ops[1].state == "settled"
    assert link.device.values(RECORD)["log"] == [{"text": "Once only."}]
    await link.assert_whole()


async def test_a_result_that_comes_after_its_record_left_leaves_no_ghost() -> None:
    """A record that was made here and moved away before the result was heard is not shown for ever."""
    link = Link()
    await link.session()
    made = {"opened_at": NOON, "area": "birmingham", "category": "crime", "summary": "Car on fire"}
    link.device.create(RECORD, "incident", OFFICER, made)
    for frame in link.device.outgoing():
        await link.server.receive(frame)
    moved = incident(1, RECORD)
    away = Op(**{**{name: getattr(moved, name) for name in moved.__struct_fields__}, "create": False,
                 "changes": {"area": "solihull"}, "hlc": (NOON + 9_000, 0)})  # fmt: skip
    await link.server.write(away)
    await link.session()
    assert link.device.ops[1].state == "settled"
    assert link.device.values(RECORD) == {}
    await link.assert_whole()


async def test_a_snapshot_goes_on_where_it_was_cut() -> None:
    """Pages are not sent twice, and what changed meanwhile follows as batches."""
    link = Link()
    await many(link, 300, 3_000)
    link.connect()
    await link.exchange(frames_max=4)
    assert [message["t"] for message in link.down] == ["challenge", "welcome", "snapshot", "snapshot"]
    held = link.device.places[AREA].after
    assert held == link.down[-1]["upto"]
    await link.server.write(incident(301, record(5_000)))
    await link.session()
    pages = [message for message in link.down if message["t"] == "snapshot"]
    assert pages[0]["after"] == held
    assert [message["t"] for message in link.down if message["t"] == "repair"] == []
    assert not any(message["t"] == "repair" for message in link.up)
    await link.assert_whole()


async def test_credit_bounds_what_is_on_the_way() -> None:
    """The server sends no page that the device has no credit for, and goes on when it is given back."""
    link = Link()
    await many(link, 700, 3_000)
    link.connect()
    for frame in await link.server.frames():
        link.device.receive(frame)
    (hello,) = link.device.outgoing()
    await link.server.receive(hello)
    frames = await link.server.frames()
    sent = sum(len(frame) for frame in frames if msgpack.unpackb(frame)["t"] == "snapshot")
    assert limits.CREDIT_BYTES - limits.MESSAGE_BYTES_MAX < sent <= limits.CREDIT_BYTES
    for frame in frames:
        link.device.receive(frame)
    await link.exchange()
    await link.assert_whole()


async def test_a_push_stays_within_the_credit() -> None:
    """Many large ops go up in several messages, none beyond what the server granted."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    for n in range(60):
        made = {"opened_at": NOON, "area": "birmingham", "category": "crime", "summary": "x" * 4_000, "location": "y"}
        made["log"] = [{"text": "z" * 4_000} for _ in range(9)]
        link.device.create(record(n + 1), "incident", OFFICER, made)
    frames = link.device.outgoing()
    assert limits.CREDIT_BYTES - limits.MESSAGE_BYTES_MAX < sum(map(len, frames)) <= limits.CREDIT_BYTES
    for frame in frames:
        assert len(frame) <= limits.MESSAGE_BYTES_MAX
        await link.server.receive(frame)
    await link.exchange()
    assert link.server.session.ending is None
    assert {own.state for own in link.device.ops.values()} == {"settled"}
    await link.assert_whole()


@pytest.mark.parametrize("damage", ["lost", "extra", "old"])
async def test_a_difference_is_repaired(damage: str) -> None:
    """A replica that differs for whatever reason finds out by its digest and is made whole by range."""
    link = Link()
    await many(link, 40, 10)
    await link.session()
    place = link.device.places[AREA]
    match damage:
        case "lost":
            del place.members[record(7)], link.device.rows[record(7)]
        case "extra":
            place.members[record(9_999)] = 3
            link.device.rows[record(9_999)] = {**link.device.rows[record(1)], "id": record(9_999)}
        case _:
            place.members[record(40)] = 1
    await link.session()
    assert sum(message["t"] == "repair" for message in link.up) == 1
    assert sum(message.get("repair", False) for message in link.down) == 1
    await link.assert_whole()


async def test_a_gap_ends_the_session() -> None:
    """A batch that does not start at the position is never guessed at: ERROR `gap`, and nothing has changed."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    link.device.receive(msgpack.packb({"t": "batch", "scope": AREA, "gen": 1, "from": 4, "to": 5, "gone": [RECORD]}))
    (error,) = link.device.outgoing()
    assert msgpack.unpackb(error)["code"] == "gap"
    assert (link.device.places[AREA].seq, RECORD in link.device.rows) == (1, True)
    await link.server.receive(error)
    assert link.server.session.ending is not None


async def test_a_batch_of_an_ended_generation_is_ignored() -> None:
    """What was on the way when a grant changed does nothing but give its credit back."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    late = msgpack.packb({"t": "batch", "scope": AREA, "gen": 9, "from": 1, "to": 5, "gone": [RECORD]})
    link.device.receive(late)
    (ack,) = link.device.outgoing()
    assert msgpack.unpackb(ack) == {"t": "ack", "credit": len(late)}
    assert RECORD in link.device.rows


def without_receipt(message: dict[str, Any]) -> dict[str, Any]:
    """A message, but for what was signed and when."""
    return {name: value for name, value in message.items() if name not in {"at", "receipt"}}


async def test_a_grant_that_ends_takes_its_records_along() -> None:
    """RETRACT in the session and `drop` at the next both leave nothing of the scope, and are answered."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    link.server.session.regrant(AREA, None)
    await link.exchange()
    assert link.device.rows == {}
    assert without_receipt(link.up[-1]) == {"t": "retracted", "scope": AREA, "gen": 1, "removed": 1}
    head = (await link.store.heads())[AREA]
    link.server.session.regrant(AREA, Grant(Generation(2), head))
    link.grants[AREA] = Generation(2)
    await link.exchange()
    await link.assert_whole()
    del link.grants[AREA]
    await link.session()
    assert (link.device.rows, link.device.places) == ({}, {})
    assert without_receipt(link.up[-1]) == {"t": "retracted", "scope": AREA, "gen": 2, "removed": 1}


async def test_an_ack_that_crosses_a_retract_costs_nothing() -> None:
    """The device acknowledged a batch before it heard that the grant has ended: the session goes on."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    link.connect()
    for frame in await link.server.frames():
        link.device.receive(frame)
    for frame in link.device.outgoing():
        await link.server.receive(frame)
    on_the_way = await link.server.frames()
    link.server.session.regrant(AREA, None)
    for frame in on_the_way:
        link.device.receive(frame)
    await link.exchange()
    assert link.server.session.ending is None
    assert link.device.rows == {}


async def test_a_restored_server_gets_everything_again() -> None:
    """Another epoch: all ops are offered anew, and what the server still had or lost ends up the same on both sides."""
    link = Link()
    made = {"opened_at": NOON, "area": "birmingham", "category": "crime", "summary": "Bag found"}
    link.device.create(OTHER, "incident", OFFICER, made)
    for n in range(1, 6):
        await link.server.write(incident(n, record(n)))
    await link.session()
    link.device.edit(OTHER, OFFICER, {"log": [{"text": "Owner rang."}]})
    await link.exchange()
    link.store = MemoryStore(EPOCH.replace("c0", "d1"))  # type: ignore[arg-type]  # an epoch all the same
    await link.session()
    assert link.device.values(OTHER)["log"] == [{"text": "Owner rang."}]
    assert {own.state for own in link.device.ops.values()} == {"settled"}
    assert set(link.device.rows) == {OTHER}
    await link.assert_whole()


async def test_an_op_that_a_later_one_has_overtaken_stays_in_sight() -> None:
    """The restored server lacks what the first one's author saw; the second is in the row, and sessions begin anew."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    await link.session()
    raised = {FieldName("grade"): "p1"}
    await link.server.write(msgspec.structs.replace(incident(2, RECORD), create=False, changes=raised))
    await link.exchange()
    for changes in ({"grade": "p2"}, {"log": [{"text": "On scene."}]}):
        link.device.edit(RECORD, OFFICER, changes)
        await link.exchange()
    assert "after" not in link.device.ops[2].op
    before = link.device.values(RECORD)
    link.store = MemoryStore(EPOCH.replace("c0", "d1"))  # type: ignore[arg-type]  # an epoch all the same
    await Server(store=link.store).write(incident(1, RECORD))
    await link.session()
    assert [own.state for own in link.device.ops.values()] == ["waiting", "settled"]
    for frames in range(1, 7):
        link.connect()
        await link.exchange(frames)
        shown = link.device.values(RECORD)
        assert (shown["grade"], shown["log"]) == (before["grade"], before["log"])


async def test_a_row_of_a_lost_history_gives_way_to_a_lower_version() -> None:
    """After a restore the first row that comes replaces the kept one, whatever its number."""
    scopes = ["area:aston:briefing", "area:perry-barr:briefing"]
    device = PlainDevice(DEVICE, KEY, Ticking(NOON), Ticking(0))

    def say(**message: Any) -> None:  # noqa: ANN401  fields of any message
        device.receive(msgpack.packb(message))

    def welcome(epoch: str, seq: int) -> None:
        device.opened()
        say(t="challenge", nonce=bytes(32), server_time=NOON, proto_min=1, proto_max=1)
        plans = [{"scope": scope, "gen": 1, "action": "snapshot", "seq": seq} for scope in scopes]
        say(t="welcome", epoch=epoch, server_time=NOON, last_op=0, credit=0, scopes=plans)

    def page(scope: str, seq: int, *rows: dict[str, Any]) -> None:
        say(t="snapshot", scope=scope, gen=1, at=seq, after="", upto="", rows=rows, last=True)

    row = {"id": RECORD, "kind": "briefing", "v": 9, "stamps": [], "cells": {}}
    welcome("00" * 8, 9)
    for scope in scopes:
        page(scope, 9, row)
    welcome("11" * 8, 2)
    page(scopes[0], 2)
    say(t="batch", scope=scopes[0], gen=1, **{"from": 2}, to=3, rows=[row | {"v": 3}])
    page(scopes[1], 2)
    assert device.rows[RECORD]["v"] == 3
    assert device.failed is None


async def test_a_device_that_was_set_back_gives_no_number_twice() -> None:
    """The server's `last_op` lifts the next number."""
    link = Link()
    made = {"opened_at": NOON, "area": "birmingham", "category": "crime", "summary": "Bag found"}
    link.device.create(RECORD, "incident", OFFICER, made)
    await link.session()
    link.device = PlainDevice(DEVICE, KEY, link.wall, link.mono)
    await link.session()
    assert link.device.create(OTHER, "incident", OFFICER, made) == 2


def test_messages_out_of_order_end_the_session() -> None:
    """A server that speaks out of turn is told so."""
    device = PlainDevice(DEVICE, KEY, Ticking(NOON), Ticking(0))
    device.receive(msgpack.packb({"t": "pong", "id": 1, "server_time": NOON}))
    assert [msgpack.unpackb(frame)["code"] for frame in device.outgoing()] == ["out_of_order"]
    assert device.state == "closed"


# --- the socket ---------------------------------------------------------------------------------------------------


async def serve(link: Link, socket: websockets.ServerConnection, ends: "itertools.count[int]") -> None:
    """Pump one connection; the first one is told to come back as soon as it is live."""
    assert socket.subprotocol == "beatbook.v1"
    link.server = Server(store=link.store)
    first = next(ends) == 0
    while True:
        for frame in await link.server.frames():
            await socket.send(frame)
        ending = link.server.session.ending
        if ending is not None:
            await socket.close(ending.spec.close or 1000)
            return
        data = await socket.recv()
        assert isinstance(data, bytes)
        await link.server.receive(data)
        if first and msgpack.unpackb(data)["t"] == "ack":
            link.server.session.fail(PeerError("server_stopping", retry_after_ms=1))


async def test_the_client_comes_back_over_a_real_socket() -> None:
    """It connects, is sent away, comes back, and what was written meanwhile becomes durable."""
    link = Link()
    await link.server.write(incident(1, RECORD))
    ends = itertools.count()
    written, settled = asyncio.Event(), asyncio.Event()

    def heard() -> None:
        if link.device.error is not None and not link.device.ops:
            link.device.edit(RECORD, OFFICER, {"log": [{"text": "Between two sessions."}]})
        if link.device.ops and link.device.ops[1].state == "settled":
            if len(link.device.ops) == 1:
                link.device.edit(RECORD, OFFICER, {"log": [{"text": "In the second one."}]})
                written.set()
            elif link.device.ops[2].state == "settled":
                settled.set()

    async def handler(socket: websockets.ServerConnection) -> None:
        await serve(link, socket, ends)

    subprotocol = websockets.Subprotocol("beatbook.v1")
    async with websockets.serve(handler, "127.0.0.1", 0, subprotocols=[subprotocol], compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = asyncio.create_task(run(link.device, f"ws://127.0.0.1:{port}/v1/sync", written, heard))
        await settled.wait()
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
    assert next(ends) == 2
    assert link.device.values(RECORD)["log"] == [{"text": "Between two sessions."}, {"text": "In the second one."}]


@pytest.mark.parametrize(
    ("error", "low", "high"),
    [
        ({"recovery": "retry", "retry_after_ms": 3_100}, 3.1, 3.1),
        ({"recovery": "stop"}, 15, 15),
        ({"recovery": "retry"}, 0, 1),
        (None, 0, 1),
    ],
)
def test_how_long_it_stays_away(error: dict[str, Any] | None, low: float, high: float) -> None:
    """What the server says goes before the drawn wait; a fault of the program waits longest."""
    device = PlainDevice(DEVICE, KEY, Ticking(NOON), Ticking(0))
    device.error = error
    assert all(low <= wait_s(device, 2) <= high for _ in range(50))


@pytest.mark.parametrize("recovery", ["reauth", "upgrade"])
def test_it_does_not_knock_in_vain(recovery: str) -> None:
    """After an error that only a person can mend it stays away."""
    device = PlainDevice(DEVICE, KEY, Ticking(NOON), Ticking(0))
    device.error = {"code": "unknown_device", "recovery": recovery}
    with pytest.raises(RefusedError):
        wait_s(device, 0)
