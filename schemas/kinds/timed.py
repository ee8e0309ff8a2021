"""What the entries of a custody record have in common: when it happened, and which earlier entry it corrects.

Nothing is overwritten (PACE Code C 2.6): a correction is a further entry that names the one it corrects, by what that
one says and not by the op that brought it (as in `schemas.kinds.detention`). So what falls due can be told from a
record's values alone, on every device.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from schemas.ids import MillisInt
from schemas.kinds.detention import EntryRef


class Corrigible(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry that another one can correct. Who made it, where and when it was recorded is its stamp's.

    Attributes:
        corrects: the entry that this one replaces or takes back; the old one stays in the record.
        in_error: true when that entry was made in error: it is taken back, and this one says nothing instead.
    """

    corrects: EntryRef | None = None
    in_error: bool | None = None

    def happened(self) -> int:
        """When it happened (ms since 1970)."""
        raise TypeError(f"{type(self).__name__} does not say when it happened")

    def sort(self) -> str:
        """What it is an entry of; "" where a field holds one sort only."""
        return ""

    def ref(self) -> str:
        """The name by which another entry corrects this one.

        The first 16 hexadecimal digits of the SHA-256 of the MessagePack of [sort, when it happened, corrects]; `sort`
        is what the entry is about, where its field holds several sorts. Never of more: a program that does not know a
        later part of an entry must come to the same name.
        """
        said = [self.sort(), self.happened(), self.corrects]
        return hashlib.sha256(msgspec.msgpack.encode(said)).hexdigest()[:16]


class Timed(Corrigible, frozen=True, kw_only=True, omit_defaults=True):
    """One timed entry.

    Attributes:
        at: when it happened (ms since 1970).
    """

    at: MillisInt

    def happened(self) -> int:
        """See `Corrigible`."""
        return self.at


C = TypeVar("C", bound=Corrigible)


def standing(entries: tuple[C, ...]) -> tuple[C, ...]:
    """The entries that hold, by when they happened: without what was corrected or taken back.

    What a correction replaced holds again once that correction is itself taken back: the wrong entry was corrected, and
    saying so must leave no hole.

    Args:
        entries: of one field, in any order.
    """
    out = gone((one.ref(), one.corrects, one.in_error is True) for one in entries)
    held = [one for one in entries if not one.in_error and one.ref() not in out]
    return tuple(sorted(held, key=lambda one: (one.happened(), one.ref())))


def gone(said: Iterable[tuple[EntryRef, EntryRef | None, bool]]) -> frozenset[EntryRef]:
    """The names of the entries that no longer hold.

    A name covers what its entry corrects, so corrections form no ring: those that nobody corrects are settled first.

    Args:
        said: of every entry: its name, the one that it corrects, and whether it only takes that one back.
    """
    by_name: defaultdict[EntryRef, list[tuple[EntryRef | None, bool]]] = defaultdict(list)
    waiting: defaultdict[EntryRef, int] = defaultdict(int)
    for name, target, takes_back in said:
        by_name[name].append((target, takes_back))
        if target is not None:
            waiting[target] += 1
    void: set[EntryRef] = set()
    replaced: set[EntryRef] = set()
    ready = [name for name in by_name if not waiting[name]]
    while ready:
        name = ready.pop()
        for target, takes_back in by_name[name]:
            if target is None or target not in by_name:
                continue
            # What was taken back does nothing any more; a correction that was itself corrected still replaces.
            if name not in void and not (takes_back and name in replaced):
                (void if takes_back else replaced).add(target)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return frozenset(void | replaced)
