"""What somebody is, and for which records: a role that covers one unit makes nobody that in another. Pure.

An op is judged by the roles that its author has for the record that it is about. Every record is asked for all places
that it is in *or ever was*: what an author could know of it when they wrote is among them, so that no move that came
first takes anything from an op that was made before it, and the answer hangs on no order of arrival.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schemas import scopes
from schemas.ids import ScopeName
from schemas.roles import Role

_COMPARTMENT = "compartment:"


class Roles(msgspec.Struct, frozen=True):
    """The roles of one person.

    Attributes:
        everywhere: those that count wherever they may write.
        bound: a role that covers units alone -> the places of these units.
    """

    everywhere: frozenset[Role] = frozenset()
    bound: Mapping[Role, frozenset[ScopeName]] = {}

    @property
    def every(self) -> frozenset[Role]:
        """All of them, wherever they count."""
        return self.everywhere | self.bound.keys() if self.bound else self.everywhere

    def among(self, held_in: Iterable[ScopeName]) -> frozenset[Role]:
        """Those that count for a record.

        Args:
            held_in: the scopes that the record is in or was. One that covers a unit counts where any of them belongs to
                a place of it; and in a compartment, which says nothing of places and lets in whoever was cleared by
                name.
        """
        if not self.bound:
            return self.everywhere
        places = {place_of(scope) for scope in held_in}
        closed = any(place.startswith(_COMPARTMENT) for place in places)
        return self.everywhere | {
            role for role, covers in self.bound.items() if closed or not covers.isdisjoint(places)
        }

    def joined(self, other: "Roles") -> "Roles":
        """What either has."""
        none: frozenset[ScopeName] = frozenset()
        bound = {role: self.bound.get(role, none) | other.bound.get(role, none) for role in {*self.bound, *other.bound}}
        return Roles(self.everywhere | other.everywhere, bound)


def place_of(scope: ScopeName) -> ScopeName:
    """The place that a scope belongs to: `suite:perry-barr` for its inbox and for its medical part."""
    return ScopeName(":".join(scopes.audience(scope).split(":")[:2]))
