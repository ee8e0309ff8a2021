"""A slow, obvious reference: which records each seat must hold, read off the acts and the rows anew for every question.

Whom a record concerns is written out here once more, and not asked of the kinds; who may see what is the registry's own
reference. It shares neither state nor shortcuts with the server.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.codec import decode_row
from schemas.ids import Millis, RecordId
from server.registry import DEFAULT_RULES
from server.registry import acts as a
from sync import merge
from tests.server.registry import reference

Acts = Sequence[a.Act]


def concerns(row: bytes) -> set[str]:
    """The scopes of a record, by what its fields say."""
    decoded = decode_row(row)
    held = {str(name): value for name, value in merge.from_row(decoded).values().items()}
    match decoded.kind:
        case "incident":
            return _incident(held)
        case "briefing":
            lane = "safety" if held.get("priority") == "officer-safety" or held.get("urgent") else "briefing"
            return {f"{audience}:{lane}" for audience in _inner(held["audience"])}
        case "medical":
            return {f"suite:{held['suite']}:medical"}
        case "inbox-item":
            places = _inner(held["places"])
            waits = held.get("decision") is None and held.get("ended_by") is None
            return places | {f"{place}:inbox" for place in places if waits}
        case other:
            raise AssertionError(f"the reference knows nothing of {other}")


def _incident(held: Mapping[str, Any]) -> set[str]:
    if held.get("compartment") is not None:
        return {f"compartment:{held['compartment']}"}
    return {
        f"area:{held['area']}",
        *(f"team:{each}" for each in held.get("teams", ())),
        *(f"mission:{each}" for each in held.get("missions", ())),
        *(f"officer:{each}" for each in held.get("named", ())),
    }


def _inner(places: Sequence[str]) -> set[str]:
    """Where one of them is told to nobody outside, none but such."""
    shut = {place for place in places if place.startswith("compartment:") or place.endswith(":medical")}
    return shut or set(places)


def rights(acts: Acts, seat: str, at: Millis) -> set[str]:
    """The scopes that a seat may hold at a moment."""
    return reference.rights(acts, DEFAULT_RULES, seat, at)


def holds(own: set[str], rows: Mapping[RecordId, bytes]) -> dict[RecordId, bytes]:
    """The records that whoever holds these scopes must hold, and no others."""
    return {record: row for record, row in rows.items() if not own.isdisjoint(concerns(row))}


def ever_cleared(acts: Acts) -> set[str]:
    """Officers who were ever cleared for any compartment."""
    return {act.officer for act in acts if isinstance(act, a.Cleared)}
