"""Something scarce that one person or case at a time can have: a cell, a vehicle, a call sign."""

from typing import Annotated

from schemas import scopes
from schemas.ids import ScopeName, ScopeText
from schemas.kinds.base import Kind
from schemas.kinds.claims import Hold
from schemas.kinds.common import Line, LogEntry
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, claim, grow, latest, once
from schemas.roles import Role
from schemas.tokens import Token

MINUTE_MS = 60_000


class Category(Token):
    """What it is."""

    CELL = "cell"
    VEHICLE = "vehicle"
    CALL_SIGN = "call-sign"


class Service(Token):
    """Whether it can be used."""

    IN_SERVICE = "in-service"
    OUT_OF_SERVICE = "out-of-service"


@record_kind("resource")
class Resource(Kind, frozen=True, kw_only=True):
    """One scarce thing.

    Attributes:
        category: what it is.
        name: what people call it: `M3`, `BX-21`, `Tango 4`.
        home: the scope it belongs to: a suite for a cell, an area or a team for the others.
        hold: who has it.
        service: whether it can be used.
        note: what to know of it: a cell without a toilet, a van with a cage.
        log: what happened to it.
    """

    category: Annotated[
        Category,
        once,
        Asks(
            roles=(Role.SUPERVISOR,),
            within_ms=24 * 60 * MINUTE_MS,
            then=(Role.ADMINISTRATOR,),
            safe_because="The first description stands, so that nobody loses sight of a thing that is held.",
        ),
    ]
    name: Annotated[Line, latest]
    home: Annotated[ScopeText, latest]
    hold: Annotated[
        Hold | None,
        claim,
        Asks(
            roles=(Role.CUSTODY_OFFICER, Role.SUPERVISOR),
            within_ms=10 * MINUTE_MS,
            then=(Role.REVIEWING_OFFICER, Role.CONTROL_ROOM),
            safe_because="The first that reached the server keeps it: nobody is moved by the software.",
        ),
    ] = None
    service: Annotated[Service, latest] = Service.IN_SERVICE
    note: Annotated[Line | None, latest] = None
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """Its home; a cell is also known to every custody desk, so that one suite can help another."""
        shared = {scopes.CUSTODY} if self.category is Category.CELL else set()
        return frozenset({ScopeName(self.home), *shared})
