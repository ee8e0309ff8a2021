"""What the examples of ops, rows and messages are about and made by, with invented people and places."""

import hashlib
from typing import Any, Final

from schemas.ids import DeviceId, Epoch, FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds.alarm import alarm_id
from schemas.kinds.handover import handover_id
from schemas.ops import Doubt, Op, Row, Stamp

T0: Final = Millis(1_760_000_000_000)
"""The moment at which these examples play."""
INCIDENT: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a1")
BRIEFING: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000b2")
BOOKING: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000c3")
CELL: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000d4")
SUSPECT: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000e5")
MEDICAL: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000c4")
RECEIPT: Final = RecordId("0199c8a1-7c00-8a11-8b22-0000000000b9")
COHORT: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000ba")
SEARCH: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000bb")
FORCE: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000bf")
DEPLOYMENT: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000bc")
PLAN: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a7")
SAMPLE: Final = RecordId("0199c8a1-7c00-7a11-8b22-0000000000a8")
ITEM: Final = RecordId("0199c8a1-7c00-8a11-8b22-0000000000f6")
"""An inbox item about BOOKING's relevant time."""
ALARM: Final = alarm_id(BOOKING, "review", "", T0 + 6 * 3_600_000, 3_600_000, ("reviewing-officer",))
"""The warning, an hour before, that BOOKING's first review falls due."""
HANDED: Final = handover_id("team:response-a", T0)
"""What a shift of a response team hands over."""
AREA: Final = ScopeName("area:birmingham")
SUITE: Final = ScopeName("suite:perry-barr")
HANDHELD: Final = DeviceId("hh-0042")
OTHER: Final = DeviceId("hh-0117")
EPOCH: Final = Epoch("00c0ffee00c0ffee")
GEN: Final = Generation(1)

LEAST: Final[dict[str, dict[str, Any]]] = {
    "incident": {"opened_at": T0, "area": "birmingham", "category": "transport", "summary": "A spill."},
    "custody-booking": {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": T0},
    "briefing": {"title": "Routes", "body": "Two coaches.", "audience": ["force"], "issued_at": T0},
    "receipt": {"briefing": BRIEFING, "edition": "0123456789abcdef", "officer": "WM20417", "device": "hh-0042"},
    "deployment-request": {
        "asking": "birmingham",
        "lending": "coventry",
        "what": "Public order serial",
        "how_many": 2,
        "purpose": "A march tonight.",
        "asked_at": T0,
        "until": T0 + 8 * 3_600_000,
    },
    "handover": {"audience": "team:response-a", "ends_at": T0},
    "cohort": {"mission": "castle", "title": "Castle cohort"},
    "stop-search": {
        "searched_at": T0,
        "area": "birmingham",
        "officer": "WM30012",
        "searched": "person",
        "power": "misuse-of-drugs-23",
        "object": "controlled-drugs",
        "grounds": "Seen to pass a small bag for money.",
    },
    "use-of-force": {
        "used_at": T0,
        "area": "birmingham",
        "officer": "WM30012",
        "account": "He swung a bottle at my head and would not put it down.",
    },
    "resource": {"category": "cell", "name": "M7", "home": "suite:perry-barr"},
    "suspect": {"name": "Sam Example", "wanted_for": "Burglary", "area": "birmingham"},
    "medical": {"booking": BOOKING, "suite": "perry-barr"},
    "settings": {"body": "{}"},
    "protection-plan": {
        "child": "Kim Example",
        "concern": "Left alone at night.",
        "team": "public-protection",
        "begun_at": T0,
        "review_at": T0 + 15 * 86_400_000,
    },
    "call-back-sample": {
        "title": "Spring",
        "from_at": T0,
        "until_at": T0 + 86_400_000,
        "per_thousand": 20,
        "seed": "kept apart",
    },
    "number-series": {"series": "incidents", "day": "2025-10-09", "last": 1},
    "inbox-item": {
        "subject": BOOKING,
        "subject_kind": "custody-booking",
        "field": "relevant_time",
        "policy": "once",
        "places": ["suite:perry-barr"],
        "roles": ["custody-officer"],
        "opened_at": 1,
        "due_at": 2,
        "safe_because": "x",
    },
    "alarm": {
        "subject": BOOKING,
        "subject_kind": "custody-booking",
        "what": "review",
        "key": "",
        "due_at": T0 + 6 * 3_600_000,
        "warn_ms": 3_600_000,
        "roles": ["reviewing-officer"],
        "then": ["superintendent"],
        "within_ms": 900_000,
        "words": "Review the detention.",
        "source": "PACE 1984 section 40",
        "places": ["suite:perry-barr"],
        "raised_at": T0 + 5 * 3_600_000,
    },
}
"""Kind -> what a new record of it must have; the rules make inbox items, alarms and series, officers the others."""


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
