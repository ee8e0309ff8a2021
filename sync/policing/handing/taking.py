"""The rules of what one shift hands over and the next takes on (`schemas.kinds.handover`)."""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds import Handover, Kind
from schemas.kinds.handover import HandedAnswer
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.due import Due, What
from sync.policing.guards import Breach, Guard, Look

_SOURCE: Final = "handover of a shift: what is handed over is taken on by somebody"
_WARNED: Final = (Role.SUPERVISOR, Role.CUSTODY_OFFICER)
_NOT_TAKEN: Final = "not taken on"
_WORDS_CHARS_MAX: Final = 400
"""So much of an item is in its alarm; the whole of it is in the record."""


def answered(look: Look) -> Iterator[Breach]:
    """An answer is to something that was handed over, and a no says why."""
    handed = look.after
    if not isinstance(handed, Handover):
        return
    known = {one.ref() for one in handed.items}
    for one in msgspec.convert(look.changes.get(FieldName("answers"), []), list[HandedAnswer]):
        if one.item not in known:
            yield Breach(
                rule="handover-item",
                why=f"{one.item} is nothing that this shift hands over.",
                remedy="Take on what is listed, or have it handed over first.",
                source=_SOURCE,
            )
        elif not one.taken and one.note is None:
            yield Breach(
                rule="handover-refused",
                why="It is refused without a reason.",
                remedy="Write why; it stays with whoever handed it over until somebody takes it on.",
                source=_SOURCE,
            )


def dues(record: Kind, settings: Settings, _now: Millis) -> Iterator[Due]:
    """That what a shift handed over is taken on by nobody; of each item that was refused, from then on."""
    if not isinstance(record, Handover):
        return
    waiting, refused = record.waiting(), record.refused()
    open_ones = [one for one in waiting if one.ref() not in refused]
    if open_ones:
        words = f"{len(open_ones)} handed over and taken on by nobody: take on or refuse each, the first: "
        yield _due(
            settings, record.ends_at + settings.handover.take_ms, "", words + open_ones[0].words[:_WORDS_CHARS_MAX]
        )
    for one in waiting:
        answer = refused.get(one.ref())
        if answer is not None:
            words = f"Handed over and refused: settle who has it: {one.words[:_WORDS_CHARS_MAX]}"
            yield _due(settings, answer.at, f"{_NOT_TAKEN} {one.ref()}", words)


def _due(settings: Settings, at: int, key: str, words: str) -> Due:
    return Due(
        what=What.HANDOVER,
        key=key,
        at=Millis(at),
        roles=_WARNED,
        then=(Role.CONTROL_ROOM,),
        within_ms=settings.handover.acknowledge_ms,
        words=words,
        source=_SOURCE,
    )


GUARDS: Final[tuple[Guard, ...]] = (answered,)
