"""An op of each kind and of each form that one can have, with invented people and places."""

from typing import Final

import msgspec

from schemas.ids import DeviceId, OpNumber, Seq
from schemas.ops import Doubt, Op
from schemas.settings import SETTINGS_RECORD
from tests.examples import ALARM, BOOKING, BRIEFING, CELL, INCIDENT, ITEM, LEAST, MEDICAL, SUSPECT, T0, noise, op

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
    "op-settings-create": op(
        20,
        SETTINGS_RECORD,
        "settings",
        {"body": '{"custody":{},"incidents":{},"briefings":{}}'},
        create=True,
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
    "op-alarm-acknowledge": op(
        22,
        ALARM,
        "alarm",
        {**LEAST["alarm"], "acknowledged": [{"note": "On my way to the suite."}]},
        create=True,
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
    "op-resource-elsewhere": msgspec.structs.replace(
        op(21, CELL, "resource", {"note": "The light is mended"}, base=Seq(60), salt=noise("fourth salt", 16)),
        device=DeviceId("control-room"),
        via=DeviceId("desk-1"),
    ),
}
"""An op of each kind that makes a record (the rules make inbox items), and ones that change it."""
