"""How a briefing stands: to come, valid, run out, withdrawn or replaced; and which replaces which, told both ways.

All of it follows from the records; nothing is stored, so a withdrawn replacement lets the one before stand again.
Source: DOMAIN, Briefings and information: validity, expiry, review date; issue of a newer item in place of an older.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.ids import Millis, RecordId
from schemas.kinds import Briefing
from schemas.kinds.briefing import Priority
from schemas.tokens import Token

ORDER: Final = {Priority.OFFICER_SAFETY: 0, Priority.URGENT: 1, Priority.ROUTINE: 2}
"""What is told first."""


class Standing(Token):
    """How a briefing stands."""

    TO_COME = "to-come"
    VALID = "valid"
    EXPIRED = "expired"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A briefing among the others.

    Attributes:
        standing: how it stands.
        replaced_by: the briefing that stands in its place, the newest of them; None where none does.
        replaces: the briefings in whose place it stands, the one that it names first; those that it does not hold here
            are named too.
    """

    standing: Standing
    replaced_by: RecordId | None = None
    replaces: tuple[RecordId, ...] = ()


def standing(briefing: Briefing, now: Millis, *, replaced: bool = False) -> Standing:
    """How a briefing stands at a moment (ms since 1970).

    Withdrawn comes before replaced and replaced before run out: the reader is told what its author did, before what
    time did. Both ends are as people read them: from `valid_from` on, and up to but not at `expires_at`.
    """
    if briefing.withdrawn:
        return Standing.WITHDRAWN
    if replaced:
        return Standing.REPLACED
    if briefing.expires_at is not None and briefing.expires_at <= now:
        return Standing.EXPIRED
    if briefing.valid_from is not None and now < briefing.valid_from:
        return Standing.TO_COME
    return Standing.VALID


def places(briefings: Mapping[RecordId, Briefing], now: Millis) -> dict[RecordId, Place]:
    """How each of some briefings stands, and what stands in the place of what.

    A replacement counts from when it is valid, until it is withdrawn. One that was issued before what it names, or that
    comes back to itself through others, replaces nothing.

    Args:
        briefings: all that are to be seen; one that replaces another and is not among them cannot be told.
        now: the moment (ms since 1970).
    """
    replacing: dict[RecordId, list[RecordId]] = {}
    for record, one in sorted(briefings.items(), key=lambda pair: (pair[1].issued_at, pair[0])):
        begun = one.valid_from is None or one.valid_from <= now
        if one.withdrawn or not begun or record in _before(briefings, record):
            continue
        for old in _named(one):
            before = briefings.get(old)
            if before is None or before.issued_at <= one.issued_at:
                replacing.setdefault(old, []).append(record)
    return {
        record: Place(
            standing=standing(one, now, replaced=record in replacing),
            replaced_by=replacing[record][-1] if record in replacing else None,
            replaces=_chain(briefings, record),
        )
        for record, one in briefings.items()
    }


def _chain(briefings: Mapping[RecordId, Briefing], record: RecordId) -> tuple[RecordId, ...]:
    """What a briefing replaces, what those replaced, and so on; nothing where it comes back to itself."""
    found = _before(briefings, record)
    return () if record in found else tuple(found)


def _before(briefings: Mapping[RecordId, Briefing], record: RecordId) -> dict[RecordId, None]:
    """All that one leads back to, those that it names itself first: itself is among them where it comes back to it."""
    found: dict[RecordId, None] = {}
    ahead = deque([record])
    while ahead:
        one = briefings.get(ahead.popleft())
        for old in () if one is None else _named(one):
            if old not in found:
                found[old] = None
                ahead.append(old)
    return found


def _named(briefing: Briefing) -> tuple[RecordId, ...]:
    """What it names itself as replaced, each once."""
    first = () if briefing.replaces is None else (briefing.replaces,)
    return tuple(map(RecordId, dict.fromkeys((*first, *briefing.also_replaces))))


def order(briefings: Iterable[tuple[RecordId, Briefing]]) -> list[tuple[RecordId, Briefing]]:
    """Briefings as they are told: officer safety first, then urgent ones; of one priority the newest first."""
    return sorted(briefings, key=lambda pair: (ORDER[pair[1].ranked], -pair[1].issued_at, pair[0]))
