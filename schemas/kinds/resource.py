"""Something scarce that one person or case at a time can have: a cell, a vehicle, a call sign."""

from typing import Annotated, Any, ClassVar, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, MillisInt, RecordText, ScopeName, ScopeText, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.claims import Hold
from schemas.kinds.common import Line, LogEntry
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, claim, grow, latest, once
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes
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


class Duty(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The status of a unit, as it says itself. When it was told is its stamp's.

    Attributes:
        code: its number in the force's list.
        at: since when (ms since 1970).
        incident: the incident that it is about.
    """

    code: Annotated[int, msgspec.Meta(ge=0, le=999)]
    at: MillisInt
    incident: RecordText | None = None


class Loan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another area has the use of it for a time.

    Attributes:
        area: slug of that area.
        until: until when (ms since 1970).
        request: the deployment request under which it was lent.
    """

    area: SlugText
    until: MillisInt
    request: RecordText | None = None


_KEEPERS: Final = (*SUPERVISING, Role.CUSTODY_OFFICER, Role.ADMINISTRATOR)
_ANYONE: Final = (*POLICE, Role.ADMINISTRATOR)
_FAULT: Final = (
    "Whoever finds a fault takes the thing out of use and writes it down; those who answer for it put it back."
)


@record_kind(
    "resource",
    retention=RetentionGroup.ADMINISTRATIVE,
    rights=Rights(
        makers=_KEEPERS,
        writers=_KEEPERS,
        because="What there is, and where it belongs, is settled by those who answer for it.",
    ),
)
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
        duty: of a call sign: the status of the unit.
        loan: which other area has the use of it, and until when. Lent by those it belongs to, given back by either.
    """

    SIDED: ClassVar[frozenset[FieldName]] = frozenset({FieldName("loan")})

    category: Annotated[
        Category,
        once,
        Asks(
            roles=(Role.SUPERVISOR,),
            within_ms=24 * 60 * MINUTE_MS,
            then=(Role.SUPERINTENDENT,),
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
        writes(*POLICE, because="Whoever needs a cell, a vehicle or a call sign takes it, and says so at once."),
    ] = None
    service: Annotated[
        Service,
        latest,
        writes(
            *SUPERVISING, Role.CUSTODY_OFFICER, Role.ADMINISTRATOR, to={Service.OUT_OF_SERVICE: _ANYONE}, because=_FAULT
        ),
    ] = Service.IN_SERVICE
    note: Annotated[Line | None, latest, writes(*_ANYONE, because=_FAULT)] = None
    log: Annotated[tuple[LogEntry, ...], grow, writes(*_ANYONE, because=_FAULT)] = ()
    duty: Annotated[Duty | None, latest, writes(*POLICE, because="A unit says itself what it is doing.")] = None

    loan: Annotated[
        Loan | None,
        latest,
        writes(*SUPERVISING, because="What belongs to an area is lent, and given back, by those who answer for it."),
    ] = None

    def scopes(self) -> frozenset[ScopeName]:
        """Its home, and the area that has it on loan.

        A cell is also known to every custody desk, so that one suite can help another; it is lent to nobody.
        """
        if self.category is Category.CELL:
            return scopes.kept_in({ScopeName(self.home), scopes.CUSTODY})
        return scopes.kept_in({ScopeName(self.home), *({scopes.area(self.loan.area)} if self.loan else ())})

    def sides(self, field: FieldName, value: Any) -> frozenset[ScopeName]:  # noqa: ARG002  see `Kind.sides`
        """It is lent by somebody whom it belongs to; either gives it back."""
        return frozenset() if value is None else frozenset({ScopeName(self.home)})
