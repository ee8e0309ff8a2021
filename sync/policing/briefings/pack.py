"""The briefing pack of a shift: what a team is told as it comes on duty, assembled from the records that it holds.

Pure, so that a sergeant without signal assembles the same pack as the control room. Source: DOMAIN, Briefings and
information; what is in it and in which order is the purpose of issue 5, point 4.
"""

from collections.abc import Collection, Mapping

import msgspec

from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import Briefing, Incident, Kind, Suspect
from schemas.kinds.common import Marker
from schemas.scopes import closed
from schemas.settings import Settings
from sync.policing.briefings import markers as warning_markers
from sync.policing.briefings.standing import Standing, order, places


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A briefing in the pack.

    Attributes:
        record, briefing: which.
        unread: whether its reader has not confirmed it as it stands.
        replaces: the briefings in whose place it stands.
    """

    record: RecordId
    briefing: Briefing
    unread: bool
    replaces: tuple[RecordId, ...]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A warning marker that is about to expire: somebody who knows the person says whether it still holds.

    Attributes:
        record, kind, about: where it stands, the record's kind, and whom or what it is about.
        marker: it.
    """

    record: RecordId
    kind: str
    about: str
    marker: Marker


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is looked for.

    Attributes:
        record, suspect: who.
        claimed_by: the officer who has taken them on; None for nobody.
        warnings: every marker with how it stands, those that have expired too.
    """

    record: RecordId
    suspect: Suspect
    claimed_by: str | None
    warnings: tuple[warning_markers.ShownMarker, ...]


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """What a team is told for a shift.

    Attributes:
        items: the briefings that are valid in it, those that its reader has not confirmed first, each part by priority
            and then the newest first.
        ending: markers that are about to expire, the first to end first.
        wanted: whom its areas look for, those whom nobody has claimed first.
    """

    items: tuple[Item, ...]
    ending: tuple[Ending, ...]
    wanted: tuple[Wanted, ...]


def pack(
    records: Mapping[RecordId, Kind],
    audiences: Collection[ScopeName],
    begin: Millis,
    end: Millis,
    settings: Settings,
    *,
    confirmed: Collection[RecordId] = (),
) -> Pack:
    """Assemble the pack of a team for a shift.

    Args:
        records: what is at hand: briefings, wanted suspects, incidents; others are passed over.
        audiences: whom the team belongs to: its own scope, its areas, the force. What is addressed to one of them is in
            the pack; what is closed only where the closed audience itself is named.
        begin, end: of the shift (ms since 1970). A briefing that is valid at any moment of it is in the pack.
        settings: the force's.
        confirmed: the briefings that its reader has confirmed as they stand.
    """
    held = {record: one for record, one in records.items() if isinstance(one, Briefing)}
    stand = places(held, begin)
    told = {
        record: one
        for record, one in held.items()
        if _addressed(one, audiences) and _in_shift(one, stand[record].standing, end)
    }
    items = [
        Item(record=record, briefing=one, unread=record not in confirmed, replaces=stand[record].replaces)
        for record, one in order(told.items())
    ]
    wanted = [
        Wanted(
            record=record,
            suspect=one,
            claimed_by=None if one.claimed is None else one.claimed.holder,
            warnings=warning_markers.warnings(one.markers, settings, begin),
        )
        for record, one in records.items()
        if isinstance(one, Suspect) and not one.scopes().isdisjoint(audiences)
    ]
    return Pack(
        items=tuple(sorted(items, key=lambda item: not item.unread)),
        ending=tuple(
            sorted(
                _ending(records, audiences, begin, settings), key=lambda one: (one.marker.expires_at or 0, one.record)
            )
        ),
        wanted=tuple(sorted(wanted, key=lambda one: (one.claimed_by is not None, one.suspect.name, one.record))),
    )


def _addressed(briefing: Briefing, audiences: Collection[ScopeName]) -> bool:
    counts = briefing.closed or tuple(one for one in briefing.audience if not closed(one))
    return not set(counts).isdisjoint(audiences)


def _in_shift(briefing: Briefing, standing: Standing, end: Millis) -> bool:
    """Whether it is valid at the beginning of the shift, or becomes so before its end."""
    if standing == Standing.TO_COME:
        return briefing.valid_from is not None and briefing.valid_from < end
    return bool(standing == Standing.VALID)


def _ending(
    records: Mapping[RecordId, Kind], audiences: Collection[ScopeName], now: Millis, settings: Settings
) -> list[Ending]:
    found = []
    for record, one in records.items():
        if not isinstance(one, Suspect | Incident) or one.scopes().isdisjoint(audiences):
            continue
        kind, about = ("suspect", one.name) if isinstance(one, Suspect) else ("incident", one.summary)
        found += [
            Ending(record=record, kind=kind, about=about, marker=marker)
            for marker in warning_markers.ending(one.markers, settings, now)
        ]
    return found
