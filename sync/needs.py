"""What an ending needs and has not: the entries of a `grow` field that have no counterpart in another (`Needs`).

Two entries are about the same when the declared parts say the same, however they are spaced and in capitals or not.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.policies import Needs

_Plain = Mapping[str, Any]


def lacking(entries: Iterable[_Plain], found: Iterable[_Plain], needs: Needs) -> list[tuple[str, ...]]:
    """What names the entries without a counterpart, in order.

    Args:
        entries: of the field `needs.each`, in order: of several about the same the last one counts. One that is taken
            back needs nothing.
        found: of the field `needs.has`.
        needs: the declaration.
    """
    last = {named(entry, needs): entry for entry in entries}
    has = {named(entry, needs) for entry in found}
    return [key for key, entry in last.items() if entry.get(needs.void) is None and key not in has]


def named(entry: _Plain, needs: Needs) -> tuple[str, ...]:
    """What entries about the same have in common."""
    return tuple(" ".join(str(entry.get(part) or "").casefold().split()) for part in needs.same)


def in_words(entries: Iterable[_Plain], missing: Iterable[tuple[str, ...]], needs: Needs) -> str:
    """What is missing, for a reader: as it was written."""
    written = {named(entry, needs): entry for entry in entries}
    return ", ".join(
        " ".join(str(written[key][part]) for part in needs.same if written[key].get(part)) for key in missing
    )
