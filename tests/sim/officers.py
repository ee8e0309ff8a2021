"""What officers write in the simulation: new records, changes to each field, claims, corrections and decisions.

Everything follows from small whole numbers. Few values and few records, so that two officers often mean the same thing
and often differ.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.ids import named_record_id
from tests.sim import model

BEGIN_MS: Final = 1_700_000_000_000
KIND_NAMES: Final = ("briefing", "custody-booking", "incident", "resource", "suspect", "medical")
"""Kinds with every merge policy among their fields; the recorded cases count them, so that a later one comes last."""
BOOKING: Final = named_record_id("a booking that no device holds")
AREAS: Final = ("north", "south")
AUDIENCES: Final = (
    ["area:north"],
    ["area:south"],
    ["force"],
    ["area:north", "area:south"],
    ["area:south", "force"],
    ["area:north", "area:south", "force"],
)
RESERVED_MS: Final = 20_000

Changes = dict[str, Any]


def marker(what: int) -> dict[str, str]:
    """One of two warnings."""
    return {"warning": ("violent", "dog at address")[what % 2]}


def new_record(kind: str, what: int, text: str, when: int) -> Changes:
    """The fields of a new record."""
    changes: Changes
    match kind:
        case "incident":
            changes = {"opened_at": when, "area": AREAS[what % 2], "category": "crime", "summary": text}
            if what % 3 == 0:
                changes["log"] = [{"text": text}]
        case "custody-booking":
            changes = {"suite": "one", "detainee": text, "arrested_at": when}
        case "resource":
            category, home = (("cell", "suite:one"), ("vehicle", "area:north"))[what % 2]
            changes = {"category": category, "name": text, "home": home}
        case "medical":
            changes = {"booking": BOOKING, "suite": "one"}
        case "suspect":
            changes = {"name": text, "wanted_for": text, "area": AREAS[what % 2]}
        case _:
            audience = AUDIENCES[what % len(AUDIENCES)]
            changes = {"title": text, "body": text, "audience": audience, "issued_at": when}
    return changes


def change(kind: str, what: int, text: str, now: int, held: Mapping[str, Any]) -> Changes:
    """A change to a record.

    Args:
        kind: of the record.
        what: which change.
        text: what no other change says.
        now: the officer's clock (ms since 1970).
        held: what the record shows.
    """
    choices = _CHOICES[kind](what, text, now, held)
    return choices[what // 6 % len(choices)]


def _incident(what: int, text: str, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    arrest = {"person": f"person {what % 2}", "arrested_at": BEGIN_MS}
    return (
        {"summary": text},
        {"status": "closed"},
        {"arrests": [arrest]},
        {"area": AREAS[what % 2]},
        {"grade": ("p1", "p2", "scheduled")[what % 3], "location": None},
        {"log": [{"text": text}, {"text": f"{text}, too"}]},
        {"status": ("attended", "assigned", "open")[what % 3]},
        {"source": f"source {what % 3}"},
        {"markers": {"add": [marker(what)]}},
        {"markers": {"remove": [marker(what)]}},
        {"status": ("closed", "attended")[what % 2], "arrests": [arrest], "markers": {"add": [marker(what)]}},
        {"area": AREAS[what % 2], "summary": text, "grade": ("no-deployment", "p2")[what % 2]},
    )


def _booking(what: int, text: str, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    return (
        {"detainee": text},
        {"appropriate_adult": ("needed", "not-needed", None)[what % 3]},
        {"relevant_time": BEGIN_MS + what % 3},
        {"risk": ("high", "medium", None)[what % 3], "observation": ("l1", "l4")[what % 2]},
        _moved(("detained", "hospital", "released")[what % 3], now),
        {
            "checks": [
                {"checked_at": BEGIN_MS + what % 3, "where": ("cell 1", "hospital")[what % 2], "response": "awake"}
            ]
        },
        {"offence": f"offence {what % 2}", "disposal": ("bail", "caution")[what % 2]},
        {"markers": {"add": [marker(what)]}, "risk": ("standard", "high")[what % 2]},
        {"markers": {"remove": [marker(0), marker(1)]}},
        {"arresting_officer": f"officer {what % 2}", "arrived_at": BEGIN_MS + what % 2},
    )


def _moved(status: str, now: int) -> Changes:
    """A booking's next status; nobody is released without an assessment of the risk."""
    assessed = {"at": now, "level": "standard", "plan": "Home by bus."}
    return {"status": status} | ({"release_assessments": [assessed]} if status == "released" else {})


def _claims(field: str, what: int, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    holder = f"case {what % 2}"
    until = now + RESERVED_MS * (1 + what % 2)
    stands = held.get(field)
    return (
        {field: {"holder": holder}},
        {field: None},
        {field: {"holder": holder, "until": until}},
        {field: {"holder": holder if stands is None else stands["holder"]}},
    )


def _resource(what: int, text: str, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    return (*_claims("hold", what, now, held), {"note": text, "service": ("in-service", "out-of-service")[what % 2]})


def _suspect(what: int, text: str, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    return (
        *_claims("claimed", what, now, held),
        {"area": AREAS[what % 2], "wanted_for": text},
        {"markers": {"add": [marker(what)]}},
        {"markers": {"add": [marker(what)], "remove": [marker(what + 1)]}},
    )


def _briefing(what: int, text: str, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    return (
        {"title": text},
        {"audience": AUDIENCES[what % len(AUDIENCES)]},
        {"review_at": BEGIN_MS + what % 3},
        {"audience": AUDIENCES[(what + 1) % len(AUDIENCES)], "body": text},
    )


def _medical(what: int, text: str, now: int, held: Mapping[str, Any]) -> tuple[Changes, ...]:
    return (
        {"medication": [f"medicine {what % 2}"]},
        {"allergies": (["nuts"], ["milk", "nuts"], None)[what % 3], "conditions": [f"condition {what % 2}"]},
        {"injuries": [{"text": text}], "visits": [{"seen_at": BEGIN_MS + what % 3, "by": "N. Salter"}]},
    )


_CHOICES: Final = {
    "incident": _incident,
    "custody-booking": _booking,
    "resource": _resource,
    "suspect": _suspect,
    "medical": _medical,
    "briefing": _briefing,
}


def correction(kind: str, what: int) -> Changes:
    """Another value for a field that `once` protects."""
    fields = [field for field, policy in sorted(model.POLICIES[kind].items()) if policy == "once"]
    if not fields:
        return {}
    field = fields[what % len(fields)]
    match field:
        case "category":
            return {field: ("cell", "vehicle")[what % 2]}
        case "booking":
            return {field: named_record_id("another", str(what % 3))}
        case "source" | "arresting_officer":
            return {field: f"corrected {what % 3}"}
        case _:
            return {field: BEGIN_MS + 10 + what % 3}


def decision(item: Mapping[str, Any], what: int, text: str) -> Changes | None:
    """A decision for one of an inbox item's candidates, or, of claims, that nobody holds it; None when it has none."""
    candidates = [one["value"] for one in item.get("candidates", ())]
    if candidates and item["policy"] == "claim":
        candidates.append(None)
    if not candidates:
        return None
    return {"decision": {"value": candidates[what % len(candidates)], "reason": text}}
