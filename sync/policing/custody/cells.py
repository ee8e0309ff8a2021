"""The cells of a suite: how many are free, out of use and held twice over.

Suites are data: a suite is there as soon as a cell has its scope for a home, and no program or restart is needed for
another. Who has a cell is a claim on the cell's own record (`schemas.kinds.resource`): the first to reach the server
holds it, the other is told what else is free (`sync.device.claims`).
"""

from collections.abc import Iterable

import msgspec

from schemas import scopes
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Resource
from schemas.kinds.resource import Category, Service
from sync.merge import RecordState
from sync.policies import Cell
from sync.policies.claim import is_free

HOLD = FieldName("hold")


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of one suite, each in one of the lists, by name.

    Attributes:
        slug: the suite.
        free: that can be taken now.
        held: that somebody has, or has reserved.
        contested: that two have claimed, and a person decides about; they are not among `held`.
        out_of_service: that cannot be used and that nobody has.
    """

    slug: str
    free: tuple[RecordId, ...]
    held: tuple[RecordId, ...]
    contested: tuple[RecordId, ...]
    out_of_service: tuple[RecordId, ...]

    @property
    def cells(self) -> int:
        """How many there are."""
        return len(self.free) + len(self.held) + len(self.contested) + len(self.out_of_service)


def suites(records: Iterable[RecordState], now: Millis) -> tuple[Suite, ...]:
    """Every suite that has a cell, by slug.

    Args:
        records: resources; what is no cell of a suite is passed over.
        now: the moment (ms since 1970), for reservations that have run out.
    """
    found: dict[str, dict[str, list[tuple[str, RecordId]]]] = {}
    for state in records:
        resource = state.build()
        if not isinstance(resource, Resource) or resource.category != Category.CELL:
            continue
        slug = resource.home.rpartition(":")[2]
        if resource.home != scopes.suite(slug):
            continue
        lists = found.setdefault(slug, {})
        lists.setdefault(_standing(state, resource, now), []).append((resource.name, state.id))
    return tuple(_suite(slug, found[slug]) for slug in sorted(found))


def _suite(slug: str, lists: dict[str, list[tuple[str, RecordId]]]) -> Suite:
    named = {name: tuple(record for _, record in sorted(cells)) for name, cells in lists.items()}
    return Suite(
        slug=slug,
        free=named.get("free", ()),
        held=named.get("held", ()),
        contested=named.get("contested", ()),
        out_of_service=named.get("out-of-service", ()),
    )


def _standing(state: RecordState, resource: Resource, now: Millis) -> str:
    cell = state.cells.get(HOLD, Cell())
    if cell.beside:
        return "contested"
    if not is_free(cell.said, now):
        return "held"
    return "free" if resource.service == Service.IN_SERVICE else "out-of-service"
