"""Calling people back: a sample of incidents whose callers are asked how it went, hidden from the officers.

It is in a compartment of its own, not in the control room's scope: the control room's work is what is looked at, and an
officer who can see that an incident was drawn, or count how many were, knows which to take more care over. The seed is
kept here too, because whoever has it can tell beforehand.
"""

from typing import Annotated, Final

import msgspec

from schemas import scopes
from schemas.ids import MillisInt, RecordText, ScopeName, SlugText
from schemas.kinds.base import Kind
from schemas.kinds.common import Line, LogEntry, Note
from schemas.kinds.registry import record_kind
from schemas.policies import Asks, grow, once
from schemas.retention import RetentionGroup
from schemas.rights import Rights
from schemas.roles import Role

COMPARTMENT: Final = "call-backs"
"""Granted by name to those who do quality assurance, and to nobody along with anything else."""
HOUR_MS: Final = 60 * 60_000


class CallBack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person was called back.

    Attributes:
        incident: about which incident.
        called_at: when (ms since 1970).
        reached: whether they were reached.
        agrees: whether what they say is what was recorded; None where they were not reached.
        finding: what they said.
    """

    incident: RecordText
    called_at: MillisInt
    reached: bool
    agrees: bool | None = None
    finding: Note | None = None


_STANDS: Final = Asks(
    roles=(Role.REGISTRAR,),
    within_ms=24 * HOUR_MS,
    then=(Role.SUPERINTENDENT,),
    safe_because="What was settled first stands, so that nobody can draw again until the sample pleases them.",
)


@record_kind(
    "call-back-sample",
    retention=RetentionGroup.ADMINISTRATIVE,
    rights=Rights(
        makers=(Role.REGISTRAR, Role.SUPERINTENDENT),
        writers=(Role.REGISTRAR, Role.SUPERINTENDENT),
        because="Whether reports are dealt with and recorded as they should be is looked at by those who did not.",
    ),
)
class CallBackSample(Kind, frozen=True, kw_only=True):
    """One sample, drawn from the incidents of a time.

    Attributes:
        title: what it is for.
        area: slug of the area that it is drawn from; None for the force.
        from_at, until_at: incidents reported in from_at <= t < until_at are drawn from (ms since 1970).
        per_thousand: how many in a thousand are drawn.
        seed: what the draw follows from, with the incidents' ids; the same seed draws the same ones.
        calls: who was called back, and what they said.
        log: anything else.
    """

    title: Annotated[Line, once, _STANDS]
    area: Annotated[SlugText | None, once, _STANDS] = None
    from_at: Annotated[MillisInt, once, _STANDS]
    until_at: Annotated[MillisInt, once, _STANDS]
    per_thousand: Annotated[Annotated[int, msgspec.Meta(ge=1, le=1_000)], once, _STANDS]
    seed: Annotated[Line, once, _STANDS]
    calls: Annotated[tuple[CallBack, ...], grow] = ()
    log: Annotated[tuple[LogEntry, ...], grow] = ()

    def scopes(self) -> frozenset[ScopeName]:
        """The compartment of those who call back, and nothing else."""
        return frozenset({scopes.compartment(COMPARTMENT)})
