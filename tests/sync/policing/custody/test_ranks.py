"""Who is of at least a rank."""

import pytest

from schemas.kinds.detention import Rank
from sync.policing.custody.ranks import at_least, in_words


@pytest.mark.parametrize(
    ("rank", "needed", "enough"),
    [
        (Rank.INSPECTOR, Rank.INSPECTOR, True),
        (Rank.SUPERINTENDENT, Rank.INSPECTOR, True),
        (Rank.SERGEANT, Rank.INSPECTOR, False),
        (None, Rank.CONSTABLE, False),
        (Rank("commodore"), Rank.CONSTABLE, False),
        (Rank("commodore"), Rank("commodore"), True),
        (Rank.COURT, Rank.INSPECTOR, False),
        (Rank.ASSISTANT_CHIEF_CONSTABLE, Rank.COURT, False),
        (Rank.COURT, Rank.COURT, True),
    ],
)
def test_a_rank_is_enough_or_it_is_not(rank: Rank | None, needed: Rank, *, enough: bool) -> None:
    """What is not recorded, or not known here, is never enough; a court is no rank."""
    assert at_least(rank, needed) is enough


def test_a_rank_has_its_article() -> None:
    """In a sentence for an officer."""
    assert in_words(Rank.INSPECTOR) == "an inspector"
    assert in_words(Rank.CHIEF_SUPERINTENDENT) == "a chief superintendent"
