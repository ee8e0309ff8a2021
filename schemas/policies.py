"""The merge policies by name, and what a field declares beside its policy (DESIGN section 5).

A field declares in its type how concurrent changes to it combine, and what the policy needs to know:

    risk: Annotated[Risk | None, highest, rising(Risk.STANDARD, Risk.MEDIUM, Risk.HIGH)]

Merge, validation, history, the inbox, JSON Schema, docs and property tests derive from that declaration. This module
only names things; `sync.policies` carries them out, and `schemas.kinds.declare` reads the declarations.
"""

import enum
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from schemas.roles import Role


class Policy(msgspec.Struct, frozen=True):
    """A policy's name and its meaning in one sentence."""

    name: str
    meaning: str


latest: Final = Policy("latest", "The change with the highest corrected time stands; the other stays in history.")
once: Final = Policy(
    "once", "The first value stands; a different one goes to the inbox, and only an entitled correction replaces it."
)
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
    "claim", "The first commit holds; made offline it is provisional, and the displaced one goes to the inbox."
)

POLICIES: Final = (latest, once, highest, grow, tags, state, judged, claim)
MANY: Final = (grow, tags)
"""The policies whose fields hold any number of values."""


class Ranks(msgspec.Struct, frozen=True):
    """For `highest`: the values from the lowest to the highest. No value (None) is below them all."""

    order: tuple[str, ...]


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """For `Ending`: what must be there for each entry of a `grow` field before the work may end.

    Attributes:
        each: the `grow` field whose entries need something.
        has: the `grow` field in which it is.
        same: the parts by which an entry of the one is matched to one of the other; both have them.
        void: the part of an entry of `each` that, once it is said, takes the entry back.
        because: the reason, in one sentence for the person who is refused.
    """

    each: str
    has: str
    same: tuple[str, ...]
    void: str
    because: str


class Ending(msgspec.Struct, frozen=True):
    """For `state`: a state that ends work must have seen the work that it ends.

    Attributes:
        states: the states that end.
        unless: `grow` fields; an entry there that the ending had not seen contests it.
        shown: the state that is shown until a person has decided.
        needs: what must be there for each entry that its author saw; without it the ending is refused.
    """

    states: tuple[str, ...]
    unless: tuple[str, ...]
    shown: str
    needs: tuple[Needs, ...] = ()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """For `state`: what may follow what, and which of two concurrent states stands.

    Attributes:
        moves: state -> the states that may follow it.
        precedence: all states; of concurrent ones the later in this list stands.
        asks: states that go to a person when they are concurrent with another one. The rule stands meanwhile.
        ending: the states that must have seen the work they end, if there are any.
    """

    moves: Mapping[str, tuple[str, ...]]
    precedence: tuple[str, ...]
    asks: tuple[str, ...] = ()
    ending: Ending | None = None


class Safe(msgspec.Struct, frozen=True):
    """For `judged`: what is shown while people differ.

    Attributes:
        way: `first`: the value that comes first in `order`. `together`: all that was said, for a field that lists
            things. `nothing`: no value, as if nothing had been said.
        order: of `first`: the values, the safest first; None stands for "not said".
    """

    way: Literal["first", "together", "nothing"]
    order: tuple[str | None, ...] = ()


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """Who decides what the policy does not, by when, and why what is shown meanwhile is the safe choice.

    Attributes:
        roles: who may decide.
        within_ms: how long they have.
        then: who is asked as well once that has passed.
        safe_because: one sentence for the person who reads it.
    """

    roles: tuple[Role, ...]
    within_ms: int
    then: tuple[Role, ...]
    safe_because: str


class Sees(msgspec.Struct, frozen=True):
    """A change to this field also says what its author saw of these fields."""

    fields: tuple[str, ...]


class Means(msgspec.Struct, frozen=True):
    """The parts of this field's value by which two people say the same; what else is in it (a reason) may differ."""

    parts: tuple[str, ...]


class Retired(msgspec.Struct, frozen=True):
    """A field that older programs still write. It is kept and shown, and no longer written by this one.

    Attributes:
        since: the schema version that retired it.
        instead: what to do instead, in words for the officer.
    """

    since: int
    instead: str


class ByRule(msgspec.Struct, frozen=True):
    """A field that only the rules write, never a person."""


def rising(*values: enum.Enum) -> Ranks:
    """The ranks of an enumeration, the lowest first."""
    return Ranks(tuple(value.value for value in values))


def flow(
    moves: Mapping[enum.Enum, tuple[enum.Enum, ...]],
    *,
    precedence: tuple[enum.Enum, ...],
    asks: tuple[enum.Enum, ...] = (),
    ending: Ending | None = None,
) -> Flow:
    """The transitions of an enumeration (see `Flow`)."""
    return Flow(
        moves={one.value: tuple(after.value for after in afters) for one, afters in moves.items()},
        precedence=tuple(one.value for one in precedence),
        asks=tuple(one.value for one in asks),
        ending=ending,
    )


def safest_first(*values: enum.Enum | None) -> Safe:
    """While people differ, the first of these that one of them said is shown."""
    return Safe("first", tuple(None if value is None else value.value for value in values))


SAFE_TOGETHER: Final = Safe("together")
SAFE_NOTHING: Final = Safe("nothing")
