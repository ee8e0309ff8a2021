"""The messages and vectors that docs/protocol.md shows: one of every type, and what is signed, chained and summed.

As in `protocol_examples`, nothing in them is drawn at random or read from a clock.
"""

import asyncio
import hashlib

import msgpack
import msgspec

from schemas import wire
from schemas.codec import encode
from schemas.ids import FieldName, Generation, Millis, OpId, OpNumber, ScopeName, Seq, op_id, record_bytes
from schemas.ops import Doubt, Op
from schemas.reads import NO_LINK, Read
from sync import digest
from sync.evidence.chain import ChainHead, behind, genesis, head_words, link_after
from sync.evidence.merkle import leaf_hash
from tests.plain_evidence import receipt_words, wiped_words
from tests.protocol_examples import (
    AREA,
    DESK,
    DEVICE,
    EPOCH,
    KEY,
    NONCE,
    NOON,
    OFFICER,
    OTHER,
    RECORD,
    SEAL_TO,
    TOKEN,
    Message,
    block,
    session,
    signed_checkpoint,
    tag_of,
    unpack,
)


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
        token=TOKEN,
        chain=place(genesis(DEVICE)),
        pinned=1,
    )
    raw = encode(body)
    before = behind(genesis(DEVICE), [(OpNumber(1), hashlib.sha256(b"").digest())])
    op = encode(closing())
    head = behind(before, [(OpNumber(2), hashlib.sha256(op).digest())])
    lease = wire.Lease(
        until=Millis(NOON + 28_800_000),
        lasts_ms=28_800_000,
        token=TOKEN,
        token_lasts_ms=900_000,
        share_no=3,
        roles=("officer",),
        share=bytes(range(0x60, 0x80)),
        seal_to=SEAL_TO,
    )
    read = Read(
        n=1,
        link=NO_LINK,
        what="consultation",
        author=OFFICER,
        records=(RECORD,),
        at=NOON,
        wall=Millis(NOON + 40),
        matter=RECORD,
        why="Called to the scene.",
    )
    row = msgspec.Raw(encode_row())
    plan = wire.Plan(scope=AREA, gen=Generation(1), action="resume", seq=Seq(7), digest=d, count=2)
    dropped = wire.Plan(scope=ScopeName("team:operations"), gen=Generation(3), action="drop")
    all_of_it = wire.Range(after="", upto="", digest=d, count=2)
    edits = bytes.fromhex("00 57 12 09 00")
    changed = wire.Difference(record_bytes(RECORD), Seq(7), 0x9D2E0F11, edits)
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
            wire.ShortBatch(
                c=wire.ShortChange(AREA, Generation(1), Seq(7), Seq(9), 2, d[-8:], (changed,)),
            ),
            wire.ShortResults(c=wire.ShortDone(OpNumber(1), 1, Seq(8), 412, (AREA,))),
            wire.Retract(scope=AREA, gen=Generation(1)),
            wire.ScopeAdd(plan=wire.Plan(scope=AREA, gen=Generation(2), action="snapshot", seq=Seq(9), count=2)),
            wire.Notice(code="clock_skew", value=-3_600_000),
            wire.NewLease(lease=lease, checkpoint=signed_checkpoint(1, leaf_hash(b"")), consistency=()),
            wire.Wipe(reason="Reported as lost."),
            wire.ReadsKept(upto=1),
            wire.Quarantined(ids=(4,)),
            wire.Pong(id=17, server_time=NOON),
            wire.AddCredit(bytes=65_536),
            wire.Error(code="server_stopping", recovery="retry", retry_after_ms=3_100, detail=""),
            wire.Push(
                ops=(op,),
                times=((OpNumber(2), Millis(NOON - 45_000)),),
                head=KEY.sign(head_words(DEVICE, head)),
                unsent=((OpNumber(1), hashlib.sha256(b"").digest()),),
            ),
            wire.Ack(scopes={AREA: Seq(9)}, credit=2_048),
            wire.ShortAck(c=186),
            wire.Retracted(
                scope=AREA,
                gen=Generation(1),
                removed=2,
                at=NOON,
                receipt=KEY.sign(receipt_words(DEVICE, AREA, Generation(1), 2, NOON)),
            ),
            wire.Wiped(at=NOON, receipt=KEY.sign(wiped_words(DEVICE, NOON))),
            wire.Reads(first=1, entries=(msgspec.msgpack.encode(read),)),
            wire.Quarantine(edits=((4, bytes(range(48)) + b"\x00" * 16),)),
            wire.Ping(id=17),
            wire.Repair(scope=AREA, gen=Generation(1), ranges=(all_of_it,)),
        )
    }


def place(head: ChainHead) -> wire.ChainPlace:
    """Where a chain stands, as the wire says it."""
    return wire.ChainPlace(n=head.n, link=head.link)


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
        link=behind(genesis(DEVICE), [(OpNumber(1), hashlib.sha256(b"").digest())]).link,
        salt=bytes(range(0x40, 0x50)),
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


def chain_vector() -> str:
    """The first links of the session above, and the head that its PUSH signs."""
    push = next(message for _, frame in asyncio.run(session()) if (message := unpack(frame))["t"] == "push")
    link = genesis(DEVICE).link
    rows = {"link 0": link}
    for n, body in enumerate(push["ops"], 1):
        told = hashlib.sha256(body).digest()
        link = link_after(link, OpNumber(n), told)
        rows |= {f"SHA-256 of op {n}": told, f"link {n}": link}
    rows |= {"signed": head_words(DEVICE, ChainHead(OpNumber(len(push["ops"])), link)), "signature": push["head"]}
    return "```text\n" + "".join(f"{name}: {value.hex()}\n" for name, value in rows.items()) + "```\n"


def receipt_vector() -> str:
    """What the examples of RETRACTED and WIPED sign."""
    told = examples()
    retracted, wiped = told["retracted"], told["wiped"]
    assert isinstance(retracted, wire.Retracted)
    assert isinstance(wiped, wire.Wiped)
    rows = {
        "signed in `retracted`": receipt_words(DEVICE, AREA, retracted.gen, retracted.removed, retracted.at),
        "its signature": retracted.receipt,
        "signed in `wiped`": wiped_words(DEVICE, wiped.at),
        "the signature": wiped.receipt,
    }
    return "```text\n" + "".join(f"{name}: {value.hex()}\n" for name, value in rows.items()) + "```\n"


def digest_vector() -> str:
    """Two elements and their sum."""
    pairs = [(RECORD, Seq(1)), (OTHER, Seq(7))]
    lines = [f'SHA-256("{record} {seq}") = {digest.of([(record, seq)]).hex()}\n' for record, seq in pairs]
    return "```text\n" + "".join(lines) + f"sum modulo 2^256 = {digest.of(pairs).hex()}\n```\n"
