"""Ranks in their order: who is of at least the rank that the Act asks for."""

from typing import Final

from schemas.kinds.detention import Rank

_ORDER: Final = (
    Rank.CONSTABLE,
    Rank.SERGEANT,
    Rank.INSPECTOR,
    Rank.CHIEF_INSPECTOR,
    Rank.SUPERINTENDENT,
    Rank.CHIEF_SUPERINTENDENT,
    Rank.ASSISTANT_CHIEF_CONSTABLE,
)


def at_least(rank: Rank | None, needed: Rank) -> bool:
    """Whether a rank is enough. One that is not recorded, or that this program does not know, is not.

    A court stands outside the order: only it decides what takes a court, and that alone.
    """
    if rank not in _ORDER or needed not in _ORDER:
        return rank is not None and rank == needed
    return _ORDER.index(rank) >= _ORDER.index(needed)


def in_words(rank: Rank) -> str:
    """A rank for a reader, with its article: `an inspector`."""
    word = rank.value.replace("-", " ")
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
