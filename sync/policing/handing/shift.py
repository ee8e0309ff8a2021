"""A shift's handover as people do it: what is named, what is taken on, and what would be left lying between the two.

The view (`sync.policing.handover`) is what waits, computed. Compared with it, the record of a handover
(`schemas.kinds.handover`) shows what nobody named and what nobody has taken on.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schemas.kinds import Handover
from schemas.kinds.handover import KEY_CHARS_MAX, HandedItem
from sync.policing.handover import Matter, Part


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, against what was handed over.

    Attributes:
        unnamed: what waits and is in no item: the next shift sees it all the same.
        waiting: the items that nobody has taken on, each once.
        taken: the items that somebody has.
    """

    unnamed: tuple[Matter, ...]
    waiting: tuple[HandedItem, ...]
    taken: tuple[HandedItem, ...]


def items(found: Iterable[Matter], notes: Mapping[str, str] | None = None) -> tuple[HandedItem, ...]:
    """What waits, as a shift hands it over.

    Args:
        found: as `sync.policing.handover.handover` gives it. What an earlier shift handed over and nobody took on is
            in that shift's own record, and is not handed over twice.
        notes: item (`HandedItem.ref`) -> what the giver has to say of it.
    """
    made = (
        HandedItem(
            record=one.record,
            kind=one.kind,
            part=one.part.value,
            key=one.key[:KEY_CHARS_MAX],
            words=one.words,
            at=one.at,
        )
        for one in found
        if one.part is not Part.HANDED
    )
    said = {} if notes is None else notes
    return tuple(msgspec.structs.replace(one, note=said.get(one.ref())) for one in made)


def compare(handed: Handover | None, found: Iterable[Matter]) -> Comparison:
    """What would be left lying at the change of shift, if nobody looked.

    Args:
        handed: the record of the handover; None where nobody has written one.
        found: what waits now for the same audience.
    """
    named = {} if handed is None else {one.ref(): one for one in handed.items}
    waiting = () if handed is None else handed.waiting()
    lying = {one.ref() for one in waiting}
    return Comparison(
        unnamed=tuple(one for one in found if not {each.ref() for each in items([one])} <= named.keys()),
        waiting=waiting,
        taken=tuple(named[name] for name in sorted(named.keys() - lying)),
    )
