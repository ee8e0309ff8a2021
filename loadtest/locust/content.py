"""What users write: changes to records, as docs/reference/records.md has them. All people and texts are invented."""

import random
import secrets
import uuid
from typing import Final

from loadtest.locust.street import Report
from loadtest.locust.wire import Message

_ENTRIES: Final = (
    "On scene. Spoke to the caller, who will give a statement.",
    "Area searched on foot, nobody matching the description.",
    "House-to-house begun on the even numbers.",
    "Camera footage asked for from the shop opposite.",
    "Victim visited. Crime prevention advice given, reference left.",
    "Witness gave part of a number plate: ends in 4 and a letter.",
    "Scene preserved, waiting for forensics.",
    "Caller rang again: the group has come back.",
)
_CHECKS: Final = (
    ("awake", "Sitting up, reading. Said all is well."),
    ("awake", "Asked for the time and was told."),
    ("asleep", "Asleep on the left side, breathing regularly, chest seen to rise."),
    ("roused", "Roused by name, answered, knew where they were."),
)
_BRIEFINGS: Final = (
    ("Grey van", "Seen near three break-ins. Do not stop alone."),
    ("Missing girl", "Fourteen, red coat, last seen at the bus station."),
    ("Knife seized", "Searches at the shopping centre are authorised until six."),
    ("Road closed", "Burst main. Use the ring road to the hospital."),
)
_FIRST: Final = ("Ann", "Bea", "Carl", "Dev", "Esme", "Farid", "Gwen", "Hal")
_LAST: Final = ("Example", "Sample", "Specimen", "Placeholder")
_RANDOM_BYTES: Final = 10


def record_id(now: int) -> str:
    """A new record's id (RFC 9562, version 7).

    Args:
        now: ms since 1970.
    """
    raw = bytearray(now.to_bytes(6, "big") + secrets.token_bytes(_RANDOM_BYTES))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def incident(report: Report, now: int, rng: random.Random) -> Message:
    """A new incident, as a call handler or an officer takes it down."""
    return {
        "opened_at": now,
        "area": report.area,
        "category": report.category,
        "summary": report.summary,
        "location": report.location,
        "position": {"longitude": report.longitude, "latitude": report.latitude},
        "grade": rng.choices(("p1", "p2", "scheduled"), (1, 3, 6))[0],
    }


def log_entry(rng: random.Random) -> Message:
    """An entry in an incident's log."""
    return {"log": [{"text": rng.choice(_ENTRIES)}]}


def deployment(officer: str, now: int, rng: random.Random) -> Message:
    """A unit says where it is."""
    step = rng.choice(("en-route", "at-scene", "clear"))
    return {"deployments": [{"call_sign": f"U-{officer[-4:]}", "step": step, "at": now}]}


def steering(rng: random.Random) -> Message:
    """The control room sends somebody, or grades anew."""
    if rng.random() < 0.5:  # noqa: PLR2004  one or the other
        return {"status": "assigned", "units": [f"BX-{rng.randrange(1, 60)}"]}
    return {"grade": rng.choice(("p1", "p2"))}


def briefing(audience: str, now: int, rng: random.Random) -> Message:
    """A briefing to a scope."""
    title, body = rng.choice(_BRIEFINGS)
    return {
        "title": title,
        "body": body,
        "audience": [audience],
        "issued_at": now,
        "priority": rng.choice(("routine", "urgent", "officer-safety")),
    }


def booking(suite: str, now: int, rng: random.Random) -> Message:
    """Somebody arrested is booked in."""
    minute = 60_000
    return {
        "suite": suite,
        "detainee": f"{rng.choice(_FIRST)} {rng.choice(_LAST)}",
        "arrested_at": now - 40 * minute,
        "arrived_at": now - 5 * minute,
        "offence": "Theft from a shop",
        "detention": [
            {"what": "arrest", "at": now - 40 * minute},
            {"what": "arrival", "at": now - 5 * minute, "suite": suite},
            {"what": "authorised", "at": now, "by": "Custody sergeant", "rank": "sergeant", "reason": "To interview."},
        ],
    }


def check(now: int, rng: random.Random) -> Message:
    """An observation of one detainee."""
    response, note = rng.choice(_CHECKS)
    return {"checks": [{"checked_at": now, "where": "cell", "place": "cell", "response": response, "note": note}]}


def care(now: int, rng: random.Random) -> Message:
    """Something seen to."""
    return {"care": [{"at": now, "what": rng.choice(("main-meal", "light-meal", "drink", "wash"))}]}
