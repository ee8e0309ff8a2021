"""One of everything that travels, with invented people and places: what golden files and codec tests are made from.

They are of the present version of the kinds. What earlier versions sent is in tests/golden/, and nothing makes it anew.
"""

import hashlib
from typing import Any, Final

import msgspec

from schemas import codec, wire
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
)
from schemas.ops import Doubt, Op, Row, Stamp
from schemas.reads import Read

Sent = wire.Up | wire.Down | wire.HelloBody | Op | Row

T0: Final = Millis(1_760_000_000_000)
"""The moment at which these examples play."""
INCIDENT: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a1")
BRIEFING: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000b2")
BOOKING: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000c3")
CELL: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000d4")
SUSPECT: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000e5")
MEDICAL: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000c4")
ITEM: Final = RecordId("0199c8a1-7c00-8a11-8b22-0000000000f6")
"""An inbox item about BOOKING's relevant time."""
AREA: Final = ScopeName("area:birmingham")
SUITE: Final = ScopeName("suite:perry-barr")
HANDHELD: Final = DeviceId("hh-0042")
OTHER: Final = DeviceId("hh-0117")
EPOCH: Final = Epoch("00c0ffee00c0ffee")
GEN: Final = Generation(1)


def noise(label: str, size: int) -> bytes:
    """Bytes that stand for a digest, a nonce or a signature: SHA-256 of a label, repeated to `size`."""
    return (hashlib.sha256(label.encode()).digest() * 3)[:size]


def op(n: int, record: RecordId, kind: str, changes: dict[str, Any], **rest: object) -> Op:
    """An op of the handheld, made `n` minutes after T0."""
    at = Millis(T0 + n * 60_000)
    made: dict[str, Any] = {"device": HANDHELD, "author": OfficerId("WM21877"), "hlc": (int(at), 0)}
    facts = made | {"occurred_at": at, "wall": at} | rest
    named = {FieldName(name): value for name, value in changes.items()}
    return Op(n=OpNumber(n), record=record, kind=kind, changes=named, **facts)


def stamp(device: DeviceId, n: int, seq: int = 0, doubt: Doubt = Doubt(0)) -> Stamp:  # noqa: B008  a whole number
    """The stamp of a device's n-th op, in commit `seq` or only pending."""
    at = T0 + n * 60_000
    recorded_at = at + 1_500 if seq else 0
    return Stamp(device, OpNumber(n), at, 0, OfficerId("WM21877"), at, recorded_at, seq, int(doubt))


def row(
    record: RecordId, kind: str, v: int, stamps: list[Stamp], cells: dict[str, list[Any]], **rest: dict[Any, Any]
) -> Row:
    """A row from plain cells. `upto` follows from the stamps where it is not given."""
    upto: dict[DeviceId, OpNumber] = {}
    for one in stamps:
        upto[one.device] = max(one.n, upto.get(one.device, one.n))
    named = {FieldName(k): cell for k, cell in cells.items()}
    return Row(id=record, kind=kind, v=Seq(v), stamps=stamps, cells=named, **({"upto": upto} | rest))


OPS: Final[dict[str, Op]] = {
    "op-incident-create": op(
        1,
        INCIDENT,
        "incident",
        {
            "opened_at": T0,
            "area": "birmingham",
            "category": "public-safety",
            "summary": "Smoke from a bin store behind the Anchor Exchange; caller says nobody hurt.",
            "location": "Newhall Street",
            "position": {"longitude": -1.9042, "latitude": 52.4814},
            "grade": "p1",
            "units": ["BW31", "BW32"],
        },
        create=True,
    ),
    "op-incident-log": op(
        2,
        INCIDENT,
        "incident",
        {
            "status": "attended",
            "log": [{"text": "Fire out on arrival."}, {"text": "Bin store, not car.", "corrects": ["hh-0117/9", 0]}],
        },
        base=Seq(41),
        after=OpNumber(1),
        why="Corrects the first report.",
    ),
    "op-briefing-create": op(
        3,
        BRIEFING,
        "briefing",
        {
            "title": "Köln fixture: visitors’ routes",
            "body": "Two coaches by way of Aston Road North.\nMeet at 17:30.",
            "audience": ["area:birmingham", "team:operations", "force"],
            "issued_at": T0,
            "classification": "official-sensitive",
            "urgent": True,
            "expires_at": T0 + 12 * 3_600_000,
        },
        create=True,
    ),
    "op-briefing-receipt": op(4, BRIEFING, "briefing", {"receipts": [{"read_at": T0 + 240_000}]}, base=Seq(42)),
    "op-booking-create": op(
        5,
        BOOKING,
        "custody-booking",
        {
            "suite": "perry-barr",
            "detainee": "Robin Example",
            "arrested_at": T0,
            "arresting_officer": "WM30012",
            "risk": None,
            "observation": "l2",
        },
        create=True,
    ),
    "op-booking-check": op(
        6,
        BOOKING,
        "custody-booking",
        {
            "relevant_time": T0 + 1_200_000,
            "checks": [{"checked_at": T0 + 360_000, "where": "M7", "response": "roused", "note": "Spoke, wants tea."}],
        },
        base=Seq(43),
        hlc=(T0 + 360_000, 2),
    ),
    "op-incident-close": op(
        7,
        INCIDENT,
        "incident",
        {
            "status": "closed",
            "outcome": "Fire out, no offence",
            "arrests": [{"person": "Robin Example", "arrested_at": T0, "offence": "arson"}],
            "markers": {"add": [{"warning": "needles"}], "remove": [{"warning": "dog at address", "source": "caller"}]},
        },
        base=Seq(45),
        after=OpNumber(2),
        after_digest=noise("op 2", 16),
        saw={"status": ("hh-0042/2",), "arrests": (), "markers": ("hh-0117/9", "hh-0117/12")},
    ),
    "op-booking-care": op(
        8,
        BOOKING,
        "custody-booking",
        {
            "status": "detained",
            "appropriate_adult": "needed",
            "disposal": "bail",
            "risk": "high",
        },
        base=Seq(43),
        saw={
            "status": (),
            "appropriate_adult": (),
            "disposal": (),
            "risk": ("hh-0042/5",),
        },
        doubt=int(Doubt.EARLIER_OFFSET | Doubt.SET_BACK),
        replaces=OpNumber(6),
    ),
    "op-booking-correct": op(
        9,
        BOOKING,
        "custody-booking",
        {"arrested_at": T0 - 60_000},
        base=Seq(51),
        why="The film shows it.",
        saw={"arrested_at": ("hh-0042/5", "hh-0117/8")},
        correct=True,
        doubt=int(Doubt.RENUMBERED),
    ),
    "op-resource-create": op(
        10,
        CELL,
        "resource",
        {
            "category": "cell",
            "name": "M7",
            "home": "suite:perry-barr",
            "note": "No natural light",
            "service": "in-service",
        },
        create=True,
    ),
    "op-resource-reserve": op(
        11,
        CELL,
        "resource",
        {"hold": {"holder": "perry-barr", "until": T0 + 3_600_000}},
        base=Seq(52),
        saw={"hold": ()},
    ),
    "op-suspect-create": op(
        12,
        SUSPECT,
        "suspect",
        {
            "name": "Sam Example",
            "wanted_for": "Burglary, Aston",
            "area": "birmingham",
            "claimed": {"holder": "WM21877"},
        },
        create=True,
    ),
    "op-suspect-release": op(
        13, SUSPECT, "suspect", {"claimed": None}, base=Seq(53), saw={"claimed": ("hh-0042/12",)}, why="Off duty."
    ),
    "op-inbox-decide": op(
        14,
        ITEM,
        "inbox-item",
        {"decision": {"value": T0 + 1_200_000, "reason": "The arrival is on film."}},
        base=Seq(54),
        saw={"decision": (), "candidates": ("hh-0042/6", "hh-0117/10")},
    ),
    "op-medical-create": op(
        15,
        MEDICAL,
        "medical",
        {
            "booking": BOOKING,
            "suite": "perry-barr",
            "medication": ["insulin"],
            "conditions": ["diabetes"],
            "visits": [{"seen_at": T0 + 900_000, "by": "N. Salter", "note": "Fit to be detained."}],
        },
        create=True,
        link=noise("link", 32),
        salt=noise("salt", 16),
    ),
    "op-medical-care": op(
        16,
        MEDICAL,
        "medical",
        {"medication": None, "allergies": ["nuts"], "given": [{"text": "10 units at 18:00."}]},
        base=Seq(62),
        saw={"medication": ("hh-0042/15",), "allergies": ()},
        link=noise("next link", 32),
        salt=noise("more salt", 16),
    ),
    "op-incident-share": op(
        17,
        INCIDENT,
        "incident",
        {
            "teams": {"add": ["operations"]},
            "missions": {"add": ["castle"], "remove": ["lantern"]},
            "named": {"add": ["wm30012"]},
            "compartment": "larch",
            "retention": "serious",
        },
        base=Seq(58),
        saw={"teams": (), "missions": ("hh-0117/9",), "named": ()},
        link=noise("third link", 32),
        salt=noise("third salt", 16),
    ),
}
"""An op of each kind that makes a record (the rules make inbox items), and ones that change it."""

_ABOUT_TIME: Final[dict[str, list[Any]]] = {
    "subject": [BOOKING, 0],
    "subject_kind": ["custody-booking", 0],
    "field": ["relevant_time", 0],
    "policy": ["once", 0],
    "roles": [["custody-officer"], 0],
    "opened_at": [T0 + 601_500, 0],
    "due_at": [T0 + 601_500 + 1_800_000, 0],
    "safe_because": ["The time that was recorded first stands.", 0],
    "ended_by": [None, 0],
    "places": [["suite:perry-barr"], 0],
    "shown": [T0 + 1_200_000, 0],
    "candidates": [
        [{"value": T0 + 1_200_000, "base": 43, "saw": ["hh-0042/5"], "wall": T0 + 360_000}, 1, 0],
        [{"value": T0 + 1_300_000, "why": "By the desk's clock."}, 0, 0],
    ],
}

ROWS: Final[dict[str, Row]] = {
    "row-latest": row(
        INCIDENT,
        "incident",
        44,
        [stamp(HANDHELD, 1, 41), stamp(OTHER, 7, 44)],
        {
            "area": ["birmingham", 0],
            "location": [None, 1],
            "position": [{"longitude": -1.9042, "latitude": 52.0}, 0],
            "units": [["BW31"], 1],
        },
    ),
    "row-once": row(BOOKING, "custody-booking", 43, [stamp(HANDHELD, 5, 43)], {"arrested_at": [T0, 0]}),
    "row-once-differing": row(
        BOOKING,
        "custody-booking",
        51,
        [stamp(HANDHELD, 5, 43), stamp(OTHER, 8, 50), stamp(OTHER, 9, 51)],
        {"arrested_at": [T0, 0, [[T0 + 60_000, 1], [T0 + 120_000, 2]]]},
    ),
    "row-grow": row(
        INCIDENT,
        "incident",
        45,
        [stamp(HANDHELD, 1, 41), stamp(HANDHELD, 2, 45)],
        {
            "log": [
                [{"text": "First on scene."}, 0, 0],
                [{"text": "Fire out on arrival."}, 1, 0],
                [{"text": "Bin store, not car.", "corrects": ["hh-0117/9", 0]}, 1, 1],
            ],
        },
    ),
    "row-pending": row(BRIEFING, "briefing", 0, [stamp(HANDHELD, 3)], {"title": ["Visitors’ routes", 0]}),
    "row-once-decided": row(
        BOOKING,
        "custody-booking",
        55,
        [stamp(HANDHELD, 14, 55)],
        {"relevant_time": [T0 + 1_200_000, 0, [], "hh-0042/14"]},
        upto={HANDHELD: 6, OTHER: 10},
    ),
    "row-highest": row(
        BOOKING,
        "custody-booking",
        56,
        [stamp(HANDHELD, 8, 56, Doubt.EARLIER_OFFSET | Doubt.CORRECTED), stamp(OTHER, 11, 55)],
        {"risk": ["high", 0, [["standard", 1]]], "observation": [None, 1]},
    ),
    "row-judged": row(
        BOOKING,
        "custody-booking",
        57,
        [stamp(OTHER, 12, 57, Doubt.AHEAD), stamp(HANDHELD, 8, 56)],
        {
            "appropriate_adult": ["not-needed", 0, [["needed", 1]]],
            "disposal": ["bail", 1, [], "hh-0042/4"],
        },
    ),
    "row-medical": row(
        MEDICAL,
        "medical",
        63,
        [stamp(HANDHELD, 15, 62), stamp(OTHER, 20, 63)],
        {
            "booking": [BOOKING, 0],
            "suite": ["perry-barr", 0],
            "allergies": [["nuts", "latex"], 0, [[None, 1]], "hh-0042/4"],
            "visits": [[{"seen_at": T0 + 900_000, "by": "N. Salter", "note": "Fit to be detained."}, 0, 0]],
        },
    ),
    "row-state": row(
        INCIDENT,
        "incident",
        58,
        [stamp(HANDHELD, 7, 58), stamp(OTHER, 13, 57)],
        {
            "status": ["closed", 0, [], "hh-0042/3", [["hh-0042/7", "hh-0117/13"]]],
            "arrests": [[{"person": "Robin Example", "arrested_at": T0}, 1, 0]],
        },
    ),
    "row-state-differing": row(
        BOOKING,
        "custody-booking",
        59,
        [stamp(OTHER, 14, 59), stamp(HANDHELD, 8, 56)],
        {"status": ["hospital", 0, [["released", 1]]]},
    ),
    "row-tags": row(
        SUSPECT,
        "suspect",
        60,
        [stamp(HANDHELD, 12, 53), stamp(OTHER, 15, 60)],
        {
            "markers": [
                [{"warning": "violent"}, 0, 0],
                [{"warning": "weapon", "source": "caller", "expires_at": T0 + 86_400_000}, 1, 0],
                [{"warning": "violent"}, 1, 1],
            ],
            "claimed": [None, 1],
        },
    ),
    "row-claim": row(
        CELL,
        "resource",
        61,
        [stamp(HANDHELD, 10, 52), stamp(HANDHELD, 11, 53), stamp(OTHER, 16, 61)],
        {
            "category": ["cell", 0],
            "name": ["M7", 0],
            "home": ["suite:perry-barr", 0],
            "hold": [{"holder": "perry-barr", "until": T0 + 3_600_000}, 1, [[{"holder": "0199c8a1"}, 2]], "hh-0042/4"],
        },
    ),
    "row-inbox-item": row(
        ITEM, "inbox-item", 54, [stamp(OTHER, 10, 54), stamp(HANDHELD, 6, 44)], dict(_ABOUT_TIME), upto={}
    ),
    "row-inbox-item-decided": row(
        ITEM,
        "inbox-item",
        56,
        [stamp(OTHER, 10, 54), stamp(HANDHELD, 6, 44), stamp(HANDHELD, 14, 55), stamp(OTHER, 17, 56)],
        {
            **_ABOUT_TIME,
            "escalations": [[{"to": "reviewing-officer", "overdue_ms": 60_000}, 0, 0]],
            "decision": [
                {"value": T0 + 1_200_000, "reason": "The arrival is on film."},
                2,
                [[{"value": T0 + 1_300_000, "reason": "By the desk's clock."}, 3]],
            ],
        },
        upto={HANDHELD: 14, OTHER: 17},
    ),
    "row-trust": row(
        CELL,
        "resource",
        62,
        [stamp(HANDHELD, 10, 52), stamp(OTHER, 18, 62), stamp(OTHER, 19, 62)],
        {"category": ["cell", 0], "name": ["M7", 0], "home": ["suite:perry-barr", 0]},
        trust={
            "beds": [[1, 1, None, 52], [{"count": 2, "bunk": True}, 2, ["hh-0117/18"], 62]],
            "category": [["cell-block", 2, ["hh-0042/10"], 62, True]],
        },
    ),
}
"""A row of each form that a cell can have, one that only its device holds, and one with what nobody here can read."""

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

UP: Final[dict[str, wire.Up]] = {
    "hello": wire.Hello(body=codec.encode(HELLO_BODY), proof=noise("proof", 64)),
    "push": wire.Push(ops=tuple(codec.encode(OPS[name]) for name in ("op-incident-create", "op-incident-log"))),
    "push-times": wire.Push(
        ops=(codec.encode(OPS["op-booking-care"]), codec.encode(OPS["op-booking-correct"])),
        times=((OpNumber(8), Millis(T0 + 420_000)),),
    ),
    "ack": wire.Ack(scopes={AREA: Seq(45), SUITE: Seq(51)}, credit=4_096),
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
    "welcome": wire.Welcome(
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
    ),
    "welcome-lease": wire.Welcome(
        proto=wire.PROTO,
        schema_min=wire.SCHEMA_MIN,
        schema_max=wire.SCHEMA_MAX,
        epoch=EPOCH,
        server_time=T0,
        last_op=OpNumber(6),
        credit=1_048_576,
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
    "batch-unfinished": wire.Batch(scope=AREA, gen=GEN, frm=Seq(41), to=Seq(43)),
    "snapshot": wire.Snapshot(
        scope=SUITE,
        gen=Generation(3),
        at=Seq(51),
        after="",
        upto=ITEM,
        rows=(msgspec.Raw(codec.encode(ROWS["row-once-differing"])), msgspec.Raw(codec.encode(ROWS["row-inbox-item"]))),
    ),
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
