"""The merge policies by name: how concurrent changes to one field combine (DESIGN section 5).

A field declares its policy in its type: `grade: Annotated[Grade, latest]`. Merge, validation, JSON Schema, docs and
property tests derive from that declaration. This module only names the policies; `sync.policies` carries them out.
"""

from typing import Final

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """A policy's name and its meaning in one sentence."""

    name: str
    meaning: str


latest: Final = Policy("latest", "The change with the highest corrected time stands; the other stays in history.")
once: Final = Policy("once", "The first value stands; a different one is kept beside it for a person to decide.")
grow: Final = Policy(
    "grow", "Every entry is kept, ordered by time; a correction is a new entry that points at the old."
)
highest: Final = Policy("highest", "The higher risk stands; a lowering counts only if it saw the value that it lowers.")
tags: Final = Policy("tags", "A tag is removed only by someone who saw it.")
state: Final = Policy(
    "state", "Only declared transitions, with declared precedence; an illegal one is refused with the reason."
)
judged: Final = Policy(
    "judged", "All values are kept, the declared safe one is shown, and a named role decides by a deadline."
)
claim: Final = Policy(
    "claim", "The first commit holds; made offline it is provisional, and the displaced one goes to a person."
)

POLICIES: Final = (latest, once, highest, grow, tags, state, judged, claim)
IMPLEMENTED: Final = frozenset({latest.name, once.name, grow.name})
"""What `sync.policies` carries out today. A kind that declares another policy fails at import
(see `schemas.kinds.base`)."""
