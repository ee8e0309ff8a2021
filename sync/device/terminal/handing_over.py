"""What a shift hands over, on a handset: from what this handheld holds, with no server asked."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import Alarm, Kind, kind_named
from sync.device.alarm_watch import report
from sync.device.describing import called, short
from sync.device.handheld import Handheld
from sync.device.terminal.reader import BAD, LABEL, WHO, Reader
from sync.device.terminal.values import safe
from sync.policing.handover import KINDS, Matter, handover


async def shift_handover(
    handheld: Handheld, now: Millis, until: Millis, audiences: frozenset[ScopeName] | None = None
) -> tuple[tuple[Matter, ...], dict[RecordId, Kind]]:
    """All that waits, for whoever this handheld belongs to; and the records in which it does.

    It is handed over to a person: reading it is logged, as a search is.

    Args:
        handheld: it.
        now: the clock (ms since 1970).
        until: the end of the shift that takes over (ms since 1970).
        audiences: for whom; None for whoever this handheld belongs to.

    Raises:
        UsageError: nobody has said why (`Handheld.matter`).
        ReplicaError: the database failed.
    """
    settings = await handheld.settings()
    wanted = await handheld.audiences() if audiences is None else audiences

    def all_that_waits(records: dict[RecordId, Kind]) -> tuple[Matter, ...]:
        return handover(records, wanted, until=until, settings=settings, now=now, report=report)

    def waits(one: Kind) -> bool:
        return bool(all_that_waits({RecordId(""): one}))

    records: dict[RecordId, Kind] = {}
    for name in KINDS:
        spec = kind_named(name)
        if spec is not None:
            records.update(await handheld.find(spec.struct, waits))
    return all_that_waits(records), records


def rows(found: Sequence[Matter]) -> list[RecordId]:
    """The records in which something waits, the one with the least time left first."""
    return list(dict.fromkeys(matter.record for matter in found))


def page(found: Sequence[Matter], records: dict[RecordId, Kind], reader: Reader) -> RenderableType:
    """What is handed over: records numbered as `show` takes them, under each what waits and by when."""
    parts: list[RenderableType] = [Text(f"Handed over: {len(found)} in {len(rows(found))} records", LABEL)]
    for number, record in enumerate(rows(found), 1):
        parts.append(Text(f"{number}  {safe(_called(records[record]))} ({short(record)})"))
        for matter in (one for one in found if one.record == record):
            when = "no time" if matter.at is None else reader.time.text(matter.at)
            overdue = matter.at is not None and matter.at <= reader.now
            text = Text.assemble(
                f"   {matter.part.value}  ", (when + (", overdue" if overdue else ""), BAD if overdue else "")
            )
            text.append(f"  {safe(matter.words)}")
            text.append(f"  {', '.join(matter.roles)}" if matter.roles else "", WHO)
            parts.append(text)
    return Group(*parts)


def _called(record: Kind) -> str:
    return f"{record.what} of a {record.subject_kind}" if isinstance(record, Alarm) else called(record)
