"""The bytes that docs/protocol.md shows: a message of every type, two vectors, and one whole small session.

Nothing in it is drawn at random or read from a clock, so the page shows the same bytes after every run. The session is
a real one: the plain client (written from the page) talks to `sync.session.ServerSession` over a store in memory.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgpack
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

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
    OpNumber,
    RecordId,
    ScopeName,
    Seq,
)
from schemas.ops import Op
from server import intake
from server.commits import Settled, Submission
from server.hub import batch_frame
from server.store.memory import MemoryStore
from sync import digest
from sync.evidence import checkpoint
from sync.evidence.chain import genesis
from sync.evidence.note import KeyType, VerifierKey
from sync.session import Admission, Grant, Head, ServerSession
from sync.session.steps import (
    CheckHello,
    Commit,
    KeepReads,
    KeepSealed,
    Receipt,
    Send,
    Step,
    WantChanges,
    WantPage,
    WantRanges,
)
from tests.plain_client import PlainDevice

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NONCE: Final = bytes(range(0xA0, 0xC0))
LOG_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
LOG: Final = VerifierKey("police.example/beatbook", KeyType.ED25519, LOG_KEY.public_key().public_bytes_raw())
QUARANTINE_KEY: Final = X25519PrivateKey.from_private_bytes(bytes(range(64, 96)))
SEAL_TO: Final = QUARANTINE_KEY.public_key().public_bytes_raw()
TOKEN: Final = "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln"
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
        self.lease: wire.Lease | None = None
        self.wipe: str | None = None

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
            case CheckHello(device, body):
                heads = await self.heads()
                grants = {scope: Grant(gen, heads[scope]) for scope, gen in self.grants.items()}
                reads = await self.store.chain(intake.reads_chain(device))
                signed, proof = await self.checkpoint(body.pinned)
                self.session.admit(
                    Admission(
                        public_key=KEY.public_key().public_bytes_raw(),
                        grants=grants,
                        epoch=self.store.epoch,
                        last_op=await self.store.last_op(device),
                        chain=await self.store.chain(device) or genesis(device),
                        lease=self.lease,
                        checkpoint=signed,
                        consistency=proof,
                        reads_kept=0 if reads is None else reads.n,
                        wipe=self.wipe,
                    ),
                    self.now,
                )
            case Commit(ops, size, times, head):
                scopes = frozenset(self.session.scopes)
                done = await self._commit(Submission(self.device, scopes, ops, self.session.schema, times, head=head))
                self.session.committed(tuple(result for settled in done for result in settled.results), size)
                for settled in done:
                    for change in settled.scopes:
                        self.session.head_moved(change.scope, change.head.seq)
            case KeepReads(first, entries, size):
                held = await self.store.chain(intake.reads_chain(self.device))
                submission, at = intake.take_reads(self.device, None, held, first, entries)
                if submission is not None:
                    await self._commit(submission)
                self.session.reads_kept(at.n, size)
            case KeepSealed(edits, size):
                await self._commit(intake.sealed_entries(self.device, None, edits))
                self.session.quarantined(tuple(n for n, _ in edits), size)
            case Receipt(message):
                await self._commit(intake.receipt_entry(self.device, message))
            case None:
                pass

    async def _commit(self, submission: Submission) -> list[Settled]:
        return await self.store.commit([submission], self.now)

    async def checkpoint(self, pinned: int) -> tuple[bytes, tuple[bytes, ...]]:
        """The log as it is now, signed, and the proof that it continues that of a size; nothing without a lease."""
        if self.lease is None:
            return b"", ()
        tree = await self.store.tree()
        proof = tuple(await self.store.consistency(pinned, tree.size)) if 0 < pinned < tree.size else ()
        return signed_checkpoint(tree.size, tree.root), proof

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
                frame = batch_frame(scope, gen, after, found.to, found.rows, found.gone, found.head, found.erased)
                return self.session.changes_read(step, found.to, frame)
            case WantPage(scope, after, upto):
                page = await self.store.page(scope, after, upto)
                return self.session.page_read(step, list(page.rows), page.upto, page.erased)
            case WantRanges(scope, ranges):
                self.session.ranges_read(step, await self.store.ranges(scope, ranges))
                return None


def signed_checkpoint(size: int, root: bytes) -> bytes:
    """A checkpoint of the examples' log."""
    return checkpoint.sign(checkpoint.Checkpoint(LOG.name, size, root), LOG, LOG_KEY.sign)


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
    device.salt = lambda: hashlib.sha256(b"salt %d" % device.next_op).digest()[:16]

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
    inner = [*message.get("ops", ()), *message.get("entries", ())]
    inner += [message["body"]] if message["t"] == "hello" else []
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
