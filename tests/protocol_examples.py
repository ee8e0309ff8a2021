"""The bytes that docs/protocol.md shows: a message of every type, two vectors, and one whole small session.

Nothing in it is drawn at random or read from a clock, so the page shows the same bytes after every run. The session is
a real one: the plain client (written from the page) talks to `sync.session.ServerSession` over a store in memory.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import msgpack
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas import wire
from schemas.codec import encode
from schemas.errors import PeerError
from schemas.ids import (
    DeviceId,
    Epoch,
    FieldName,
    Generation,
    Millis,
    OfficerId,
    OpId,
    OpNumber,
    RecordId,
    ScopeName,
    Seq,
    op_id,
)
from schemas.ops import Doubt, Op
from server.hub import batch_frame
from server.settle import Submission
from server.store.memory import MemoryStore
from sync import digest
from sync.session import Admission, Grant, Head, ServerSession
from sync.session.steps import CheckHello, Commit, Send, Step, WantChanges, WantPage, WantRanges
from tests.plain_client import PlainDevice

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NONCE: Final = bytes(range(0xA0, 0xC0))
EPOCH: Final = Epoch("00c0ffee00c0ffee")
NOON: Final = Millis(1_767_268_800_000)
AREA: Final = ScopeName("area:birmingham")
DEVICE: Final = DeviceId("hh-0042")
DESK: Final = DeviceId("desk-1")
OFFICER: Final = OfficerId("WM20417")
RECORD: Final = RecordId("019b796c-eba0-7000-8000-0000000000a1")
OTHER: Final = RecordId("019b796d-4960-7000-8000-0000000000b2")

Message = wire.Down | wire.Up


class Server:
    """The server's end over a store in memory, one device, its frames in order."""

    def __init__(self, nonce: bytes = NONCE, store: MemoryStore | None = None, device: DeviceId = DEVICE) -> None:
        """Open a connection of that device at NOON."""
        self.device = device
        self.store = MemoryStore(EPOCH) if store is None else store
        self.now = NOON
        self.session = ServerSession(nonce, verify, self.now)
        self.grants: Mapping[ScopeName, Generation] = {AREA: Generation(1)}

    async def heads(self) -> dict[ScopeName, Head]:
        """Where the granted scopes stand."""
        heads = await self.store.heads()
        return {scope: heads.get(scope, Head(Seq(0), digest.EMPTY, 0)) for scope in self.grants}

    async def write(self, *ops: Op) -> None:
        """Commit ops of a control room's desk."""
        for settled in await self.store.commit([Submission(DESK, None, tuple(map(encode, ops)))], self.now):
            for change in settled.scopes:
                self.session.head_moved(change.scope, change.head.seq)

    async def receive(self, frame: bytes) -> None:
        """Take in one frame and do what the session asks for."""
        match self.session.receive(frame, self.now):
            case CheckHello(device):
                heads = await self.heads()
                grants = {scope: Grant(gen, heads[scope]) for scope, gen in self.grants.items()}
                last_op = await self.store.last_op(device)
                key = KEY.public_key().public_bytes_raw()
                self.session.admit(
                    Admission(public_key=key, grants=grants, epoch=self.store.epoch, last_op=last_op), self.now
                )
            case Commit(ops, size, times):
                group = [Submission(self.device, frozenset(self.session.scopes), ops, self.session.schema, times)]
                done = await self.store.commit(group, self.now)
                self.session.committed(tuple(result for settled in done for result in settled.results), size)
                for settled in done:
                    for change in settled.scopes:
                        self.session.head_moved(change.scope, change.head.seq)
            case None:
                pass

    async def frames(self) -> list[bytes]:
        """Frames that the session sends now."""
        found = []
        while (step := self.session.next_step()) is not None:
            frame = await self._carry_out(step)
            if frame is not None:
                found.append(frame)
        return found

    async def _carry_out(self, step: Step) -> bytes | None:
        match step:
            case Send(frame):
                return frame
            case WantChanges(scope, gen, after):
                found = await self.store.changes(scope, after)
                frame = batch_frame(scope, gen, after, found.to, found.rows, found.gone, found.head)
                return self.session.changes_read(step, found.to, frame)
            case WantPage(scope, after, upto):
                page = await self.store.page(scope, after, upto)
                return self.session.page_read(step, list(page.rows), page.upto)
            case WantRanges(scope, ranges):
                self.session.ranges_read(step, await self.store.ranges(scope, ranges))
                return None


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Accept what fits and let the rest raise: a wrong proof here is a defect of the example."""
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    return True


class Ticking:
    """A clock that only a test moves."""

    def __init__(self, ms: int) -> None:
        """Start at `ms`."""
        self.ms = ms

    def __call__(self) -> int:
        """The reading."""
        return self.ms


def incident(n: int, record: RecordId, **changes: object) -> Op:
    """An op of the desk that makes an incident."""
    made: dict[str, Any] = {
        "opened_at": NOON - 60_000,
        "area": "birmingham",
        "category": "crime",
        "summary": "Shop window broken",
    }
    return Op(
        device=DESK,
        n=OpNumber(n),
        record=record,
        kind="incident",
        author=OfficerId("WM30008"),
        hlc=(NOON - 60_000, 0),
        occurred_at=Millis(NOON - 60_000),
        wall=Millis(NOON - 60_000),
        changes={FieldName(name): value for name, value in (made | changes).items()},
        create=True,
    )


# --- the whole session --------------------------------------------------------------------------------------------

Line = tuple[str, bytes]
"""("S" from the server or "D" from the device, the message's bytes)."""


async def session() -> list[Line]:
    """Challenge, hello, welcome, snapshot, push, results, batch, ack, error."""
    lines: list[Line] = []
    server = Server()
    await server.write(incident(1, RECORD))
    wall, mono = Ticking(NOON + 40), Ticking(5_000)
    device = PlainDevice(DEVICE, KEY, wall, mono)

    async def exchange() -> None:
        while frames := await server.frames():
            for frame in frames:
                lines.append(("S", frame))
                device.receive(frame)
                for answer in device.outgoing():
                    lines.append(("D", answer))
                    await server.receive(answer)

    await exchange()
    mono.ms += 30_000
    wall.ms += 30_000
    server.now = Millis(server.now + 30_050)
    device.edit(RECORD, OFFICER, {"status": "attended", "log": [{"text": "On scene, shop closed."}]})
    device.edit(OTHER, OFFICER, {"status": "closed"}, kind="incident")
    for frame in device.outgoing():
        lines.append(("D", frame))
        await server.receive(frame)
    await exchange()
    server.session.fail(PeerError("server_stopping", retry_after_ms=3_100))
    await exchange()
    return lines


NOTES: Final = (
    "The nonce is new for every connection.",
    "The first time: no epoch, no positions. The body is shown unpacked below it.",
    "One scope is granted; its one record comes as a snapshot pinned at commit 1.",
    "The only page: from before the first id to behind the last.",
    "It is in the replica, on disk: the position is told, the bytes of the page are given back.",
    "The batch that ends every snapshot, here with nothing in it: its digest says that the replica is whole.",
    "The same for the batch.",
    "Two ops. The first changes the record it has seen (`base` 1); the second one that the server does not hold.",
    "The first is durable as commit 2; the second is refused and held on the device. The bytes of PUSH are given back.",
    "Then the row as it stands now. Two ops have values in it, so it has two stamps.",
    "From here on op 1 is in the row and no longer laid over it.",
    "The server goes down for an update; close code 1012 follows.",
)


def session_text() -> str:
    """The session with notes."""
    lines = asyncio.run(session())
    parts = []
    for at, ((side, frame), note) in enumerate(zip(lines, NOTES, strict=True), start=1):
        sender = "server" if side == "S" else "device"
        parts.append(f"**{at}. {sender}: `{unpack(frame)['t']}`** ({len(frame)} bytes). {note}\n\n{block(frame)}")
    return "\n".join(parts)


# --- bytes as text ------------------------------------------------------------------------------------------------


def unpack(frame: bytes) -> dict[str, Any]:
    """One message, by a MessagePack library that knows nothing of ours."""
    found: dict[str, Any] = msgpack.unpackb(frame)
    return found


def block(frame: bytes) -> str:
    """A message as hex, and what it says; packed parts (`body`, `ops`) are shown unpacked behind it."""
    message = unpack(frame)
    inner = message.get("ops", []) if message["t"] == "push" else [message["body"]] if message["t"] == "hello" else []
    texts = [notation(message), *(notation(msgpack.unpackb(each)) for each in inner)]
    return f"```hex\n{hex_text(frame)}\n```\n\n```text\n" + "\n".join(texts) + "\n```\n"


def hex_text(data: bytes) -> str:
    """32 bytes a line."""
    return "\n".join(data[at : at + 32].hex(" ") for at in range(0, len(data), 32))


def notation(value: object) -> str:
    """JSON, with h'..' for bin (as in RFC 8949 section 8)."""
    match value:
        case bytes():
            return f"h'{value.hex()}'" if len(value) <= 64 else f"h'{value[:8].hex()}…' ({len(value)} bytes)"
        case dict():
            return "{" + ", ".join(f"{notation(key)}: {notation(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(notation, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


# --- a message of every type --------------------------------------------------------------------------------------


def tag_of(message: type) -> str:
    """The value of `t`."""
    info = msgspec.inspect.type_info(message)
    assert isinstance(info, msgspec.inspect.StructType)
    return str(info.tag)


def examples() -> dict[str, Message]:
    """Tag -> a small message of that type."""
    d = digest.of([(RECORD, Seq(1)), (OTHER, Seq(7))])
    one = digest.of([(RECORD, Seq(9))])
    position = wire.Position(scope=AREA, gen=Generation(1), seq=Seq(7), digest=d)
    body = wire.HelloBody(
        proto=1,
        schema=wire.SCHEMA,
        device=DEVICE,
        epoch=EPOCH,
        scopes=(position,),
        next_op=OpNumber(3),
        wall=Millis(NOON + 40),
        mono=5_000,
        credit=1_048_576,
    )
    raw = encode(body)
    row = msgspec.Raw(encode_row())
    plan = wire.Plan(scope=AREA, gen=Generation(1), action="resume", seq=Seq(7), digest=d, count=2)
    dropped = wire.Plan(scope=ScopeName("team:operations"), gen=Generation(3), action="drop")
    all_of_it = wire.Range(after="", upto="", digest=d, count=2)
    durable = wire.Result(
        n=OpNumber(1), status="durable", seq=Seq(8), scopes=(AREA,), stands={"status": OpId("hh-0007/12")}
    )
    refused = wire.Result(n=OpNumber(2), status="refused", code="op_value_wrong", detail="grade: Expected `str`")
    waiting = wire.Result(n=OpNumber(3), status="waiting", code="op_value_wrong", detail="behind op 2")
    return {
        tag_of(type(message)): message
        for message in (
            wire.Challenge(nonce=NONCE, server_time=NOON, proto_min=1, proto_max=1),
            wire.Hello(body=raw, proof=KEY.sign(wire.PROOF_CONTEXT + NONCE + raw)),
            wire.Welcome(
                proto=1,
                schema_min=wire.SCHEMA_MIN,
                schema_max=wire.SCHEMA_MAX,
                epoch=EPOCH,
                server_time=NOON,
                last_op=OpNumber(2),
                credit=1_048_576,
                scopes=(dropped, plan),
            ),
            wire.Batch(
                scope=AREA, gen=Generation(1), frm=Seq(7), to=Seq(9), rows=(row,), gone=(OTHER,), digest=one, count=1
            ),
            wire.Snapshot(scope=AREA, gen=Generation(1), at=Seq(9), after="", upto=RECORD, rows=(row,)),
            wire.Results(results=(durable, refused, waiting), credit=412),
            wire.Retract(scope=AREA, gen=Generation(1)),
            wire.ScopeAdd(plan=wire.Plan(scope=AREA, gen=Generation(2), action="snapshot", seq=Seq(9), count=2)),
            wire.Notice(code="clock_skew", value=-3_600_000),
            wire.Pong(id=17, server_time=NOON),
            wire.AddCredit(bytes=65_536),
            wire.Error(code="server_stopping", recovery="retry", retry_after_ms=3_100, detail=""),
            wire.Push(ops=(encode(closing()),), times=((OpNumber(2), Millis(NOON - 45_000)),)),
            wire.Ack(scopes={AREA: Seq(9)}, credit=2_048),
            wire.Retracted(scope=AREA, gen=Generation(1), removed=2),
            wire.Ping(id=17),
            wire.Repair(scope=AREA, gen=Generation(1), ranges=(all_of_it,)),
        )
    }


def closing() -> Op:
    """An op that tells of everything: what its author saw, which op it follows, and that its time is doubtful."""
    return Op(
        device=DEVICE,
        n=OpNumber(2),
        record=RECORD,
        kind="incident",
        author=OFFICER,
        hlc=(NOON - 3_600_000, 0),
        occurred_at=Millis(NOON - 3_600_000),
        wall=Millis(NOON - 3_600_000),
        changes={
            FieldName("status"): "closed",
            FieldName("markers"): {"add": [{"warning": "glass"}], "remove": [{"warning": "crowd"}]},
        },
        base=Seq(1),
        after=OpNumber(1),
        after_digest=bytes(range(16)),
        saw={
            FieldName("status"): (op_id(DEVICE, OpNumber(1)),),
            FieldName("arrests"): (),
            FieldName("markers"): (op_id(DESK, OpNumber(1)),),
        },
        doubt=int(Doubt.NEVER_SET),
    )


def encode_row() -> bytes:
    """A row in which the cells of most policies are seen, some of them in dispute."""
    stamps = [
        [DESK, 1, NOON - 60_000, 0, "WM30008", NOON - 60_000, NOON - 59_900, 1, 0],
        [DEVICE, 1, NOON, 0, "WM20417", NOON, NOON + 300, 9, int(Doubt.CORRECTED)],
        ["hh-0007", 12, NOON - 5_000, 0, "WM21877", NOON - 5_000, NOON - 4_800, 8, 0],
    ]
    cells = {
        "summary": ["Shop window broken", 0],
        "opened_at": [NOON - 60_000, 0, [[NOON - 90_000, 1]]],
        "grade": ["p1", 1, [["p2", 2]]],
        "status": ["closed", 2, [], "", [["hh-0007/12", "hh-0042/1"]]],
        "log": [[{"text": "On scene."}, 1, 0]],
        "arrests": [[{"person": "Robin Example", "arrested_at": NOON}, 1, 0]],
        "markers": [[{"warning": "glass"}, 0, 0]],
    }
    upto = {DESK: 1, DEVICE: 1, "hh-0007": 12}
    row = {"id": RECORD, "kind": "incident", "v": 9, "stamps": stamps, "cells": cells, "upto": upto}
    packed: bytes = msgpack.packb(row)
    return packed


def example_text(tag: str) -> str:
    """The page's example of one message, or of a row."""
    return block(encode(examples()[tag.replace("-", "_")]))


# --- vectors ------------------------------------------------------------------------------------------------------


def proof_vector() -> str:
    """What is signed in the session above."""
    hello = unpack(asyncio.run(session())[1][1])
    rows = {
        "private key (seed)": KEY.private_bytes_raw(),
        "public key": KEY.public_key().public_bytes_raw(),
        "context": wire.PROOF_CONTEXT,
        "nonce": NONCE,
        "body": hello["body"],
        "signature": hello["proof"],
    }
    return "```text\n" + "".join(f"{name}: {value.hex()}\n" for name, value in rows.items()) + "```\n"


def digest_vector() -> str:
    """Two elements and their sum."""
    pairs = [(RECORD, Seq(1)), (OTHER, Seq(7))]
    lines = [f'SHA-256("{record} {seq}") = {digest.of([(record, seq)]).hex()}\n' for record, seq in pairs]
    return "```text\n" + "".join(lines) + f"sum modulo 2^256 = {digest.of(pairs).hex()}\n```\n"
