"""A row of each form that a cell can have, as a server or a device keeps it."""

from typing import Any, Final

from schemas.ops import Doubt, Row
from tests.examples import BOOKING, BRIEFING, CELL, HANDHELD, INCIDENT, ITEM, MEDICAL, OTHER, SUSPECT, T0, row, stamp

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
