"""One of every message that travels, and everything that has a golden file.

They are of the present version of the kinds. What earlier versions sent is in tests/golden/, and nothing makes it anew.
"""

import base64
from typing import Final

import msgspec

from schemas import codec, wire
from schemas.ids import Generation, Millis, OfficerId, OpId, OpNumber, ScopeName, Seq, record_bytes
from schemas.ops import Op, Row
from schemas.reads import Read
from tests.example_ops import OPS
from tests.example_rows import ROWS
from tests.examples import AREA, BOOKING, BRIEFING, EPOCH, GEN, HANDHELD, INCIDENT, ITEM, SUITE, T0, noise

Sent = wire.Up | wire.Down | wire.HelloBody | Op | Row

HELLO_BODY: Final = wire.HelloBody(
    proto=wire.PROTO,
    schema=wire.SCHEMA,
    device=HANDHELD,
    epoch=EPOCH,
    scopes=(
        wire.Position(scope=AREA, gen=GEN, seq=Seq(45), digest=noise("area", 32)),
        wire.Position(scope=SUITE, gen=Generation(3), seq=Seq(51), after=BOOKING),
        wire.Position(scope=ScopeName("force:briefing"), gen=GEN, seq=Seq(44), after=""),
    ),
    next_op=OpNumber(7),
    wall=T0,
    mono=86_400_123,
    credit=1_048_576,
)
PACKED: Final = base64.b64decode(
    "KLUv/WAoAGUGADQKkYaiaWTZJDAxOTljOGExLTdjMDAtN2ExMS04YjIyLTBjM6RraW5kr2N1c3RvZHktYm9va2luZ6F2M6ZzdGFt"
    "cHOTmadoaC0wMDQyBc8AAAGZyDFT4ACnV00yMTg3N1m8KwAxMTcINBMANBMANBjcMgn9YP1gNQM8MwClY2VsbHOBq2FycmVzdGVk"
    "X2F0kyzAAACSki2qYAEulMACpHVwdG+CCRAAJiOgaQpyyeQ1SgIzBhgaQA1kATYBwwB9gEGmGsSSgdcsEAV4Ag=="
)
"""A page's rows as one library packed them: another one may find fewer bytes, and all of them unpack these."""
HELLO_BODY_SIGNED_IN: Final = msgspec.structs.replace(
    HELLO_BODY,
    token="eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln",
    chain=wire.ChainPlace(n=OpNumber(6), link=noise("link", 32)),
    pinned=4_711,
    next_read=9,
)

_LEASE: Final = wire.Lease(
    until=Millis(T0 + 36_000_000),
    lasts_ms=36_000_000,
    token="eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln",
    token_lasts_ms=900_000,
    share_no=2,
    roles=("officer", "custody-officer"),
    share=noise("share", 32),
    seal_to=noise("seal", 32),
)
_PLAN: Final = wire.Plan(scope=AREA, gen=GEN, action="resume", seq=Seq(45), digest=noise("area", 32), count=2)
_WELCOME: Final = wire.Welcome(
    proto=wire.PROTO,
    schema_min=wire.SCHEMA_MIN,
    schema_max=wire.SCHEMA_MAX,
    epoch=EPOCH,
    server_time=T0,
    last_op=OpNumber(6),
    credit=1_048_576,
    scopes=(
        _PLAN,
        wire.Plan(scope=SUITE, gen=Generation(3), action="snapshot", seq=Seq(51), count=1),
        wire.Plan(scope=ScopeName("team:operations"), gen=Generation(2), action="drop"),
    ),
)

UP: Final[dict[str, wire.Up]] = {
    "hello": wire.Hello(body=codec.encode(HELLO_BODY), proof=noise("proof", 64)),
    "hello-packs": wire.Hello(body=codec.encode(HELLO_BODY), proof=noise("proof", 64), packs=("zstd", "of-tomorrow")),
    "hello-diff": wire.Hello(body=codec.encode(HELLO_BODY), proof=noise("proof", 64), packs=("zstd", "diff")),
    "push": wire.Push(ops=tuple(codec.encode(OPS[name]) for name in ("op-incident-create", "op-incident-log"))),
    "push-edits": wire.Push(ops=(), edits=(b"\x00\x1a\x21ok\x40", b"\x40whole"), head=noise("head", 64)),
    "push-times": wire.Push(
        ops=(codec.encode(OPS["op-booking-care"]), codec.encode(OPS["op-booking-correct"])),
        times=((OpNumber(8), Millis(T0 + 420_000)),),
    ),
    "ack": wire.Ack(scopes={AREA: Seq(45), SUITE: Seq(51)}, credit=4_096),
    "short-ack": wire.ShortAck(c=8_192),
    "push-head": wire.Push(
        ops=(codec.encode(OPS["op-medical-create"]), codec.encode(OPS["op-incident-share"])),
        head=noise("head", 64),
        unsent=((OpNumber(16), noise("op 16", 32)),),
    ),
    "retracted": wire.Retracted(scope=SUITE, gen=Generation(3), removed=17),
    "retracted-receipt": wire.Retracted(
        scope=SUITE, gen=Generation(3), removed=17, at=Millis(T0 + 700_000), receipt=noise("receipt", 64)
    ),
    "retracted-sealed": wire.Retracted(
        scope=AREA, gen=GEN, removed=3, at=Millis(T0 + 705_000), receipt=noise("receipt", 64), sealed=2
    ),
    "wiped": wire.Wiped(at=Millis(T0 + 710_000), receipt=noise("wiped", 64)),
    "reads": wire.Reads(
        first=8,
        entries=(
            msgspec.msgpack.encode(
                Read(
                    n=8,
                    link=noise("read", 32),
                    what="disclosure",
                    author=OfficerId("WM21877"),
                    records=(BOOKING,),
                    at=Millis(T0 + 600_000),
                    wall=Millis(T0 + 601_000),
                    matter=INCIDENT,
                    why="Asked for by the duty solicitor.",
                    recipients=("P. Marlow, solicitor",),
                )
            ),
        ),
    ),
    "quarantine": wire.Quarantine(edits=((3, noise("sealed", 80)),)),
    "credit": wire.AddCredit(bytes=65_536),
    "ping": wire.Ping(id=300),
    "repair": wire.Repair(
        scope=AREA,
        gen=GEN,
        ranges=(
            wire.Range(after="", upto=INCIDENT, digest=noise("low", 32), count=16),
            wire.Range(after=INCIDENT, upto="", digest=noise("high", 32), count=3),
        ),
    ),
}
"""A device's messages, by name."""

DOWN: Final[dict[str, wire.Down]] = {
    "challenge": wire.Challenge(nonce=noise("nonce", 32), server_time=T0, proto_min=1, proto_max=wire.PROTO),
    "welcome": _WELCOME,
    "welcome-packs": msgspec.structs.replace(_WELCOME, packs=("diff",)),
    "welcome-lease": msgspec.structs.replace(
        _WELCOME,
        scopes=(),
        chain=wire.ChainPlace(n=OpNumber(6), link=noise("link", 32)),
        lease=_LEASE,
        checkpoint=b"beatbook.example/log\n4800\n",
        consistency=(noise("node", 32),),
        reads_kept=8,
    ),
    "batch": wire.Batch(
        scope=AREA,
        gen=GEN,
        frm=Seq(43),
        to=Seq(45),
        rows=(msgspec.Raw(codec.encode(ROWS["row-latest"])), msgspec.Raw(codec.encode(ROWS["row-grow"]))),
        gone=(BRIEFING,),
        digest=noise("area", 32),
        count=2,
    ),
    "batch-erased": wire.Batch(
        scope=AREA, gen=GEN, frm=Seq(45), to=Seq(46), gone=(BRIEFING, ITEM), erased=(ITEM,), digest=noise("less", 32)
    ),
    "batch-changed": wire.Batch(
        scope=AREA,
        gen=GEN,
        frm=Seq(45),
        to=Seq(46),
        changed=(wire.Difference(record_bytes(INCIDENT), Seq(45), 0x9D2E_0F11, b"\x00\x1a\x21ok\x40"),),
        digest=noise("changed", 32),
        count=2,
    ),
    "short-batch": wire.ShortBatch(
        c=wire.ShortChange(
            AREA,
            GEN,
            Seq(45),
            Seq(46),
            2,
            noise("changed", 32)[-8:],
            (wire.Difference(record_bytes(INCIDENT), Seq(45), 0x9D2E_0F11, b"\x00\x1a\x21ok\x40"),),
        )
    ),
    "short-results": wire.ShortResults(c=wire.ShortDone(OpNumber(7), 2, Seq(46), 412, (AREA,))),
    "batch-unfinished": wire.Batch(scope=AREA, gen=GEN, frm=Seq(41), to=Seq(43)),
    "snapshot": wire.Snapshot(
        scope=SUITE,
        gen=Generation(3),
        at=Seq(51),
        after="",
        upto=ITEM,
        rows=(msgspec.Raw(codec.encode(ROWS["row-once-differing"])), msgspec.Raw(codec.encode(ROWS["row-inbox-item"]))),
    ),
    "snapshot-packed": wire.Snapshot(scope=AREA, gen=GEN, at=Seq(50), after="", upto="", packed=PACKED, last=True),
    "snapshot-erased": wire.Snapshot(scope=SUITE, gen=GEN, at=Seq(51), after="", upto="", erased=(BOOKING,), last=True),
    "snapshot-repair": wire.Snapshot(
        scope=SUITE, gen=Generation(3), at=Seq(51), after=BOOKING, upto="", last=True, repair=True
    ),
    "results": wire.Results(
        results=(
            wire.Result(
                n=OpNumber(1),
                status="durable",
                seq=Seq(41),
                scopes=(AREA,),
                stands={"location": OpId("hh-0117/7")},
            ),
            wire.Result(n=OpNumber(2), status="refused", code="op_field_unknown", detail="colour"),
            wire.Result(n=OpNumber(3), status="waiting", code="op_field_unknown", detail="behind op 2"),
        ),
        credit=2_048,
    ),
    "results-waiting": wire.Results(
        results=(
            wire.Result(
                n=OpNumber(7),
                status="waiting",
                code="op_saw_unknown",
                detail="its author saw hh-0117/12, which has not come",
            ),
            wire.Result(n=OpNumber(8), status="waiting", code="op_reused", detail="behind another op 6"),
            wire.Result(
                n=OpNumber(9),
                status="refused",
                code="op_not_entitled",
                detail="a correction of arrested_at: only for whoever is custody officer or reviewing officer. What "
                "was recorded once is corrected by those who decide.",
            ),
        )
    ),
    "retract": wire.Retract(scope=SUITE, gen=Generation(3)),
    "scope_add": wire.ScopeAdd(plan=_PLAN),
    "lease": wire.NewLease(
        lease=msgspec.structs.replace(_LEASE, share=b"", share_no=3),
        checkpoint=b"beatbook.example/log\n4801\n",
        consistency=(noise("node", 32), noise("other node", 32)),
    ),
    "wipe": wire.Wipe(reason="Reported stolen."),
    "reads_kept": wire.ReadsKept(upto=8),
    "quarantined": wire.Quarantined(ids=(3,)),
    "notice": wire.Notice(code="clock_skew", value=-93_000),
    "pong": wire.Pong(id=300, server_time=Millis(T0 + 25)),
    "error": wire.Error(
        code="server_busy",
        recovery="retry",
        retry_after_ms=2_500,
        scope=AREA,
        detail="The writer is behind.",
    ),
}
"""A server's messages, by name; a second one of a type shows what the first leaves out."""

GOLDEN: Final[dict[str, Sent]] = {
    **{f"up-{name}": message for name, message in UP.items()},
    **{f"down-{name}": message for name, message in DOWN.items()},
    "hello-body": HELLO_BODY,
    "hello-body-signed-in": HELLO_BODY_SIGNED_IN,
    **OPS,
    **ROWS,
}
"""Everything that has a golden file, by its name."""
