"""What is asked before a briefing is issued or changed, in words its author uses.

Source: DOMAIN, Briefings and information: validity, expiry, review date.
"""

from collections.abc import Iterator
from typing import Final

from schemas.kinds import Briefing
from sync.policing.guards import Breach, Guard, Look


def times_make_sense(look: Look) -> Iterator[Breach]:
    """A briefing begins before it runs out, and is reviewed before that: otherwise nobody is ever shown or asked it."""
    after = look.after
    if not isinstance(after, Briefing) or not any(map(look.sets, ("valid_from", "expires_at", "review_at"))):
        return
    if after.expires_at is not None and after.valid_from is not None and after.expires_at <= after.valid_from:
        yield Breach(
            rule="briefing-validity",
            why="This briefing would run out before it begins.",
            remedy="Give a later expiry or an earlier beginning.",
            source="validity of briefings",
        )
    if after.expires_at is not None and after.review_at is not None and after.review_at > after.expires_at:
        yield Breach(
            rule="briefing-review",
            why="This briefing would be reviewed after it has run out.",
            remedy="Give a review date before its expiry, or none.",
            source="review of briefings",
        )


GUARDS: Final[tuple[Guard, ...]] = (times_make_sense,)
