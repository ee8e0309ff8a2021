"""A request for officers or units of another area: who asked whom for what, and what was said to it.

Each area has its own resource control (DOMAIN, Organisation), so nobody sends another area's people on their own word.
The area that lends says yes or no; either area ends it. Both see the record, and it is in the log of ops: that is what
makes the deployment a logged request. Source: mutual aid between areas, general practice.
"""

from typing import Annotated, Any, ClassVar, Final

import msgspec

from schemas import scopes
from schemas.ids import FieldName, MillisInt, RecordText, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Line, LogEntry, Note
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, flow, grow, latest, once, state
from schemas.retention import RetentionGroup
from schemas.rights import POLICE, SUPERVISING, Rights, writes
from schemas.roles import Role
from schemas.tokens import Token

HOUR_MS: Final = 60 * 60_000


class DeploymentStatus(Token):
    """Where the request stands."""

    REQUESTED = "requested"
    AGREED = "agreed"
    REFUSED = "refused"
    ENDED = "ended"


class Lent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An officer or a unit that is lent. Who named it is its stamp's.

    Attributes:
        officer: collar number, in lower case; they see the request wherever they are posted.
        resource: the record of the unit.
        called: what people call it: `Tango 4`, a name.
        back: true when it is given back before the time.
    """

    officer: SlugText | None = None
    resource: RecordText | None = None
    called: Line
    back: bool | None = None


_STANDS: Final = "What was asked first stands: the areas agreed on that and on nothing else."
_LENDER: Final = "Officers and units are lent by somebody who answers for them, in the area that they belong to."
_EITHER: Final = "A deployment is ended by somebody who answers for the work, in either of the two areas."


@record_kind(
    "deployment-request",
    retention=RetentionGroup.ADMINISTRATIVE,
    rights=Rights(
        makers=SUPERVISING,
        writers=SUPERVISING,
        because="Another area is asked for help by somebody who answers for the work.",
    ),
)
class DeploymentRequest(Kind, frozen=True, kw_only=True):
    """One request of one area to another.

    Attributes:
        asking: slug of the area that asks.
        lending: slug of the area that is asked.
        what: what is asked for: `public order serial`, `dog unit`.
        how_many: how many of it.
        purpose: what for.
        asked_at: when (ms since 1970); the time to answer runs from then.
        until: until when they are wanted (ms since 1970).
        incident: the incident that they are wanted for, where there is one.
        status: where it stands. The lending area alone agrees or refuses.
        lent: who and what is lent, named by the lending area when it agrees, and later.
        refused_because: of a refusal: why.
        ended_because: why it ended before its time.
        log: what happened, entry by entry.
    """

    SIDED: ClassVar[frozenset[FieldName]] = frozenset(map(FieldName, ("status", "lent", "refused_because")))

    asking: Annotated[
        SlugText,
        once,
        Asks(roles=(Role.CONTROL_ROOM,), within_ms=HOUR_MS, then=(Role.SUPERINTENDENT,), safe_because=_STANDS),
    ]
    lending: Annotated[
        SlugText,
        once,
        Asks(roles=(Role.CONTROL_ROOM,), within_ms=HOUR_MS, then=(Role.SUPERINTENDENT,), safe_because=_STANDS),
    ]
    what: Annotated[Line, latest]
    how_many: Annotated[Annotated[int, msgspec.Meta(ge=1, le=9_999)], latest]
    purpose: Annotated[Note, latest]
    asked_at: Annotated[
        MillisInt,
        once,
        Asks(roles=(Role.CONTROL_ROOM,), within_ms=HOUR_MS, then=(Role.SUPERINTENDENT,), safe_because=_STANDS),
    ]
    until: Annotated[MillisInt, latest]
    incident: Annotated[RecordText | None, latest] = None
    status: Annotated[
        DeploymentStatus,
        state,
        flow(
            {
                DeploymentStatus.REQUESTED: (
                    DeploymentStatus.AGREED,
                    DeploymentStatus.REFUSED,
                    DeploymentStatus.ENDED,
                ),
                DeploymentStatus.AGREED: (DeploymentStatus.ENDED,),
                DeploymentStatus.REFUSED: (DeploymentStatus.AGREED, DeploymentStatus.ENDED),
                DeploymentStatus.ENDED: (),
            },
            # Who was told that help comes relies on it, so a yes stands over a no; what is over is over.
            precedence=(
                DeploymentStatus.REQUESTED,
                DeploymentStatus.REFUSED,
                DeploymentStatus.AGREED,
                DeploymentStatus.ENDED,
            ),
            asks=(DeploymentStatus.AGREED, DeploymentStatus.REFUSED),
        ),
        Asks(
            roles=(Role.SUPERVISOR, Role.CONTROL_ROOM),
            within_ms=HOUR_MS // 4,
            then=(Role.SUPERINTENDENT,),
            safe_because="Help that was promised is shown as promised until somebody has settled it.",
        ),
        writes(*SUPERVISING, to={DeploymentStatus.ENDED: SUPERVISING}, because=f"{_LENDER} {_EITHER}"),
    ] = DeploymentStatus.REQUESTED
    lent: Annotated[tuple[Lent, ...], grow, writes(*SUPERVISING, because=_LENDER)] = ()
    refused_because: Annotated[Note | None, latest, writes(*SUPERVISING, because=_LENDER)] = None
    ended_because: Annotated[Note | None, latest] = None
    log: Annotated[
        tuple[LogEntry, ...], grow, writes(*POLICE, because="Whoever is sent or sends writes down what happened.")
    ] = ()

    @property
    def open(self) -> bool:
        """Whether it waits for an answer or runs."""
        return self.status in {DeploymentStatus.REQUESTED, DeploymentStatus.AGREED}

    def scopes(self) -> frozenset[ScopeName]:
        """Both areas; and each officer who is lent, as long as they are."""
        officers = {one.officer: not one.back for one in self.lent if one.officer is not None}
        there = {scopes.officer(officer) for officer, lent in officers.items() if lent and self.open}
        return frozenset({scopes.area(self.asking), scopes.area(self.lending), *there})

    def sides(self, field: FieldName, value: Any) -> frozenset[ScopeName]:
        """A yes, a no, and who is lent are the lending area's word; either area ends it."""
        if field == "status" and value not in {DeploymentStatus.AGREED.value, DeploymentStatus.REFUSED.value}:
            return frozenset()
        return frozenset({scopes.area(self.lending)})
