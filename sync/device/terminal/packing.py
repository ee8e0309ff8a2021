"""The briefing pack of a shift on a handset: assembled from what this handheld holds, with no server asked."""

from rich.console import Group, RenderableType
from rich.text import Text

from schemas.ids import Millis, RecordId
from schemas.kinds import Briefing, Incident, Kind, Suspect
from schemas.kinds.receipts import edition_of
from sync.device.describing import short
from sync.device.handheld import Handheld
from sync.device.terminal.reader import BAD, LABEL, WARN, WHO, Reader
from sync.device.terminal.rendering import RANKS
from sync.device.terminal.values import safe
from sync.policing.briefings.markers import Hold, ShownMarker, ending
from sync.policing.briefings.pack import Pack, pack


async def shift_pack(handheld: Handheld, begin: Millis, end: Millis) -> Pack:
    """The pack of a shift for whoever this handheld belongs to.

    What is in it is handed over to a person: reading it is logged, as a search is.

    Raises:
        UsageError: nobody has said why (`Handheld.matter`).
        ReplicaError: the database failed.
    """
    settings = await handheld.settings()
    records: dict[RecordId, Kind] = {}
    briefings = await handheld.find(Briefing)
    records.update(briefings)
    records.update(await handheld.find(Suspect))

    def ends(one: Incident) -> bool:
        return bool(ending(one.markers, settings, begin))

    warned = await handheld.find(Incident, ends)
    records.update(warned)
    said = await handheld.all_confirmed()
    confirmed = {
        record
        for record, one in briefings
        if (known := said.get((record, edition_of(one)))) is not None and known.acknowledged_at is not None
    }
    audiences = await handheld.audiences()
    return pack(records, audiences, begin, end, settings, confirmed=confirmed)


def page(found: Pack, reader: Reader) -> RenderableType:
    """A pack to be read out: briefings numbered as `show` takes them, then warnings that end, then who is wanted."""
    parts: list[RenderableType] = [Text(f"Briefings: {len(found.items)}", LABEL)]
    for number, item in enumerate(found.items, 1):
        ahead = RANKS.get(item.briefing.ranked, "")
        text = Text.assemble(f"{number}  ", (f"[{ahead}] " if ahead else "", BAD), safe(item.briefing.title))
        text.append("" if item.unread else "  [read]", WHO)
        if item.replaces:
            text.append(f"  in the place of {', '.join(map(short, item.replaces))}", WHO)
        parts.append(text)
    parts.append(Text(f"Warnings about to end: {len(found.ending)}", LABEL))
    for one in found.ending:
        until = "" if one.marker.expires_at is None else reader.time.text(one.marker.expires_at)
        parts.append(Text(f"{safe(one.marker.warning)}: {one.kind} {safe(one.about)}, until {until}"))
    parts.append(Text(f"Wanted: {len(found.wanted)}", LABEL))
    for wanted in found.wanted:
        text = Text(f"{safe(wanted.suspect.name)}, {safe(wanted.suspect.wanted_for)}")
        text.append(f"  claimed by {safe(wanted.claimed_by)}" if wanted.claimed_by else "  nobody's yet", WHO)
        for shown in wanted.warnings:
            text.append(f"  {_marker(shown)}", WHO if shown.hold == Hold.EXPIRED else WARN)
        parts.append(text)
    return Group(*parts)


def _marker(shown: ShownMarker) -> str:
    """A warning in a few words, with its source; one that has expired is called so."""
    ended = ", expired" if shown.hold == Hold.EXPIRED else ""
    return f"{safe(shown.marker.warning)} ({safe(shown.source)}{ended})"
