"""A device made from docs/protocol.md alone chains, signs, seals and logs as the server and an expert expect it."""

import hashlib
from typing import Any

import msgpack
import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas import wire
from schemas.ids import Generation, Millis, RecordId
from server.intake import KeptReceipt, ReadBatch, SealedEdit
from server.logbook import HEAD, QUARANTINE, READS, RECEIPT
from server.store.memory import MemoryStore
from sync import sealing
from sync.evidence import chain
from sync.evidence.chain import SignedHead
from sync.session import Grant
from tests.plain_client import PlainDevice
from tests.plain_evidence import ForkedError, Pin
from tests.protocol_examples import (
    AREA,
    DEVICE,
    EPOCH,
    KEY,
    LOG,
    LOG_KEY,
    NOON,
    OFFICER,
    QUARANTINE_KEY,
    RECORD,
    SEAL_TO,
    TOKEN,
    Server,
    Ticking,
    incident,
)

LEASE = wire.Lease(
    until=Millis(NOON + 1_000_000),
    lasts_ms=1_000_000,
    token=TOKEN,
    token_lasts_ms=1_000,
    share_no=1,
    share=bytes(32),
    seal_to=SEAL_TO,
)


class Link:
    """One device and a server in the same process, with leases and a log."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self.store = MemoryStore(EPOCH)
        self.device = self.machine()
        self.grants = {AREA: Generation(1)}
        self.server = Server(store=self.store)

    @staticmethod
    def machine() -> PlainDevice:
        """A device that trusts the log."""
        device = PlainDevice(DEVICE, KEY, Ticking(NOON), Ticking(1_000))
        device.pin = Pin(LOG.name, LOG_KEY.public_key().public_bytes_raw())
        return device

    def connect(self, wipe: str | None = None) -> None:
        """Open a connection."""
        self.server = Server(store=self.store)
        self.server.grants, self.server.lease, self.server.wipe = self.grants, LEASE, wipe
        self.device.opened()

    async def exchange(self) -> None:
        """Carry bytes both ways until nothing is left."""
        while True:
            for frame in self.device.outgoing():
                await self.server.receive(frame)
            frames = await self.server.frames()
            if not frames:
                return
            for frame in frames:
                self.device.receive(frame)

    async def take_away(self) -> None:
        """The grant ends, and the device hears of it before it has said anything more."""
        self.server.session.regrant(AREA, None)
        for frame in await self.server.frames():
            self.device.receive(frame)
        await self.exchange()

    async def session(self, wipe: str | None = None) -> None:
        """Connect and carry everything."""
        self.connect(wipe)
        await self.exchange()
        assert self.server.session.ending is None
        assert self.device.failed is None

    async def kept(self, what: str, kind: type[Any]) -> list[Any]:
        """The journal's entries of one sort, decoded."""
        found = await self.store.journal(what, 0, 100)
        return [msgspec.msgpack.decode(entry.body or b"", type=kind) for entry in found]


@pytest.fixture
async def link() -> Link:
    """A device that holds one incident of the area."""
    made = Link()
    await made.server.write(incident(1, RECORD))
    await made.session()
    return made


async def test_its_chain_is_the_server_s_and_every_head_verifies(link: Link) -> None:
    """Over mended, refused and sealed ops: the same links, and signatures that an expert can check."""
    link.device.edit(RECORD, OFFICER, {"status": "attended"})
    await link.session()
    refused = link.device.edit(RECORD, OFFICER, {"grade": "no such grade"})
    link.device.edit(RECORD, OFFICER, {"location": "behind it"})
    await link.session()
    link.device.mend(refused, {"grade": "p1"})
    await link.session()
    held = await link.store.chain(DEVICE)
    assert held is not None
    assert (held.n, held.link) == (max(link.device.links), link.device.links[max(link.device.links)])
    heads: list[SignedHead] = await link.kept(HEAD, SignedHead)
    assert len(heads) >= 3
    for head in heads:
        words = chain.head_words(DEVICE, head.head)
        Ed25519PublicKey.from_public_bytes(KEY.public_key().public_bytes_raw()).verify(head.signature, words)
    told = {n: digest for head in heads for n, digest in head.ops}
    assert told == {n: own.sha for n, own in link.device.ops.items()}
    assert link.device.values(RECORD)["grade"] == "p1"


async def test_more_was_given_up_than_one_push_tells(link: Link) -> None:
    """The chain is brought on in several messages."""
    for n in range(1_100):
        link.device.edit(RECORD, OFFICER, {"location": f"place {n}"})
        link.device.ops[max(link.device.ops)].state = "withdrawn"
    last = link.device.edit(RECORD, OFFICER, {"location": "the last"})
    await link.session()
    assert link.device.ops[last].state == "settled"
    assert (await link.store.chain(DEVICE) or chain.genesis(DEVICE)).n == last


async def test_a_copy_goes_on_behind_what_the_other_wrote(link: Link) -> None:
    """Both say everything once, under numbers and links of their own."""
    first, link.device = link.device, link.machine()
    link.device.next_op, link.device.links = first.next_op, dict(first.links)
    await link.session()
    first.edit(RECORD, OFFICER, {"log": [{"text": "from the one"}]})
    first.edit(RECORD, OFFICER, {"log": [{"text": "and more"}]})
    link.device.edit(RECORD, OFFICER, {"log": [{"text": "from the other"}]})
    await link.session()
    link.device = first
    await link.session()
    await link.session()
    texts = [entry["text"] for entry in first.values(RECORD)["log"]]
    assert sorted(texts) == ["and more", "from the one", "from the other"]


async def test_what_a_lost_grant_takes_goes_to_quarantine_and_is_signed_for(link: Link) -> None:
    """The server opens just what was written; nothing of it is left on the device; the receipt verifies."""
    link.connect()
    await link.exchange()
    link.device.edit(RECORD, OFFICER, {"location": "AMBERGRIS"})
    unsent = link.device.ops[max(link.device.ops)].body
    await link.take_away()
    link.grants.clear()
    await link.session()
    [sealed] = await link.kept(QUARANTINE, SealedEdit)
    assert sealing.SUITE.decrypt(sealed.sealed, QUARANTINE_KEY, info=sealing.INFO) == unsent
    assert b"AMBERGRIS" not in b"".join(own.body for own in link.device.ops.values())
    assert [own.state for own in link.device.ops.values()] == ["quarantined"]
    receipts: list[KeptReceipt] = await link.kept(RECEIPT, KeptReceipt)
    said = msgspec.msgpack.encode([DEVICE, AREA, 1, 1, receipts[0].at])
    KEY.public_key().verify(receipts[0].signature, wire.RECEIPT_CONTEXT + said)


async def test_what_it_looked_at_reaches_the_server_once_and_is_forgotten_then(link: Link) -> None:
    """Each entry with the hash of the one before; said again after a cut, kept once."""
    link.device.consult(OFFICER, [RECORD], why="Called to the scene.", matter=RECORD)
    link.device.consult(OFFICER, [str(RecordId(f"019b796c-eba0-7000-8000-{n:012x}")) for n in range(100)])
    link.connect()
    for frame in await link.server.frames():
        link.device.receive(frame)
    await link.server.receive(link.device.outgoing()[0])
    for frame in await link.server.frames():
        link.device.receive(frame)
    for frame in link.device.outgoing():
        await link.server.receive(frame)
    await link.session()
    assert link.device.reads.waiting == {}
    batches: list[ReadBatch] = await link.kept(READS, ReadBatch)
    entries = [entry for batch in batches for entry in batch.entries]
    reads = [msgpack.unpackb(entry) for entry in entries]
    assert [read["n"] for read in reads] == [1, 2, 3]
    assert [read["link"] for read in reads[1:]] == [hashlib.sha256(entry).digest() for entry in entries[:-1]]
    assert reads[0]["why"] == "Called to the scene."


async def test_a_wipe_leaves_nothing_and_is_signed_for(link: Link) -> None:
    """Rows, ops and keys are gone; whoever ordered it has the proof."""
    link.device.edit(RECORD, OFFICER, {"location": "gone with it"})
    await link.session(wipe="Reported as lost.")
    assert (link.device.rows, link.device.ops, link.device.lease) == ({}, {}, None)
    receipts: list[KeptReceipt] = await link.kept(RECEIPT, KeptReceipt)
    said = wire.WIPED_CONTEXT + msgspec.msgpack.encode([DEVICE, receipts[-1].at])
    KEY.public_key().verify(receipts[-1].signature, said)


async def test_checkpoints_are_followed_from_one_size_to_the_next(link: Link) -> None:
    """However far the log has grown between two contacts, the proof connects the two."""
    assert link.device.pin is not None
    for n in range(2, 40):
        for _ in range(n % 5):
            link.device.edit(RECORD, OFFICER, {"location": f"place {n}"})
        await link.session()
        assert 0 < link.device.pin.size <= (await link.store.tree()).size
    assert link.device.pin.size > 40


@pytest.mark.parametrize("what", ["another history", "fewer entries", "another root"])
async def test_a_log_that_was_rewritten_is_noticed(link: Link, what: str) -> None:
    """A checkpoint that does not continue the pinned one raises an alarm, whatever its signature."""
    pin = link.device.pin
    assert pin is not None
    link.device.edit(RECORD, OFFICER, {"location": "here"})
    await link.session()
    other = Server(store=MemoryStore(EPOCH))
    for n in range(1, 9 if what == "another history" else 2):
        await other.write(incident(n, RecordId(f"019b796c-eba0-7000-8000-{n:012x}")))
    other.lease = LEASE
    if what == "another root":
        pin._root = bytes(32)
        other = link.server
    note, proof = await other.checkpoint(pin.size)
    with pytest.raises(ForkedError):
        pin.take(note, list(proof))


async def test_a_checkpoint_of_another_key_is_none(link: Link) -> None:
    """Name and signature must be those of the log that is trusted."""
    note, _ = await link.server.checkpoint(0)
    with pytest.raises(ValueError, match=LOG.name):
        Pin(LOG.name, KEY.public_key().public_bytes_raw()).take(note, [])
    with pytest.raises((InvalidSignature, ValueError)):
        Pin(LOG.name, LOG_KEY.public_key().public_bytes_raw()).take(note.replace(b"\n", b"\n0", 1), [])


async def test_a_grant_that_comes_back_finds_the_chain_as_it_was(link: Link) -> None:
    """New ops follow the sealed ones by their hashes."""
    link.connect()
    await link.exchange()
    link.device.edit(RECORD, OFFICER, {"location": "sealed"})
    await link.take_away()
    heads = await link.store.heads()
    link.grants[AREA] = Generation(2)
    link.server.session.regrant(AREA, Grant(Generation(2), heads[AREA]))
    await link.exchange()
    link.device.edit(RECORD, OFFICER, {"location": "after it"})
    await link.session()
    assert link.device.values(RECORD)["location"] == "after it"
    assert [own.state for own in link.device.ops.values()] == ["quarantined", "settled"]
