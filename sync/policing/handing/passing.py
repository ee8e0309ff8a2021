"""The rules of an incident that passes from one team to another, from response to investigation for one.

Whose it is follows from the offers and their answers (`schemas.kinds.passing`). The rules here keep a person from
writing what would leave that in doubt, and see that an offer does not lie unanswered.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds import Incident, Kind
from schemas.kinds.incident import IncidentStatus
from schemas.kinds.passing import Keeping, Passing, PassingStep
from schemas.roles import Role
from schemas.settings import Settings
from sync.policing.due import Due, What
from sync.policing.guards import Breach, Guard, Look

_PASSING: Final = FieldName("passing")
_SOURCE: Final = "handover between teams: whoever has it keeps it until the other accepts"
_BOTH: Final = "two teams"


def passed(look: Look) -> Iterator[Breach]:
    """An offer is the word of whoever has the incident; an answer belongs to an open offer, and a no has its reason."""
    after, before = look.after, look.before
    if not isinstance(after, Incident) or not look.sets(_PASSING):
        return
    had = before.kept() if isinstance(before, Incident) else Keeping()
    for one in msgspec.convert(look.changes[_PASSING], list[Passing]):
        if one.step is PassingStep.OFFERED:
            yield from _offered(had, one)
        elif one.offer not in {each.offer for each in had.pending}:
            yield Breach(
                rule="passing-answer",
                why=f"No offer of {one.giver} to {one.to} waits for an answer.",
                remedy=f"It is with {_held_by(had)}; ask them to offer it.",
                source=_SOURCE,
            )
        elif one.step is PassingStep.REFUSED and one.why is None:
            yield Breach(
                rule="passing-refused",
                why=f"{one.to} refuses the incident and does not say why.",
                remedy="Write the reason; whoever keeps it has to know what is missing.",
                source=_SOURCE,
            )


def _offered(had: Keeping, offer: Passing) -> Iterator[Breach]:
    if offer.giver == offer.to:
        yield Breach(
            rule="passing-own",
            why=f"{offer.giver} offers the incident to itself.",
            remedy="Name the team that is to have it.",
            source=_SOURCE,
        )
    if had.holders and offer.giver not in had.holders:
        yield Breach(
            rule="passing-giver",
            why=f"{offer.giver} does not have the incident: it is with {_held_by(had)}.",
            remedy="The team that has it offers it, or withdraws its offer.",
            source=_SOURCE,
        )
    waiting = [one for one in had.pending if one.giver == offer.giver]
    if waiting:
        yield Breach(
            rule="passing-open",
            why=f"It is offered to {waiting[0].to} already, and they have not answered.",
            remedy="Withdraw that offer first, so that two teams do not both accept.",
            source=_SOURCE,
        )
    if offer.why is None:
        yield Breach(
            rule="passing-why",
            why="The offer does not say why it passes, and what is still to be done.",
            remedy="Write it: whoever takes it on begins from there.",
            source=_SOURCE,
            override=True,
        )


def closed_while_offered(look: Look) -> Iterator[Breach]:
    """What another team is asked to take on is not closed behind its back."""
    after = look.after
    closes = isinstance(after, Incident) and look.sets("status") and after.status is IncidentStatus.CLOSED
    if closes and isinstance(after, Incident) and after.kept().pending:
        yield Breach(
            rule="passing-closed",
            why=f"It is offered to {after.kept().pending[0].to}, and they have not answered.",
            remedy="Withdraw the offer, or wait for the answer.",
            source=_SOURCE,
            override=True,
        )


def dues(record: Kind, settings: Settings, _now: Millis) -> Iterator[Due]:
    """That an offer waits for its answer, and that two teams have both accepted. Computed from the record alone."""
    if not isinstance(record, Incident) or not record.passing or record.status is IncidentStatus.CLOSED:
        return
    had = record.kept()
    for one in had.pending:
        yield Due(
            what=What.ACCEPTANCE,
            key=f"{one.giver} to {one.to}",
            at=Millis(one.offered_at + settings.handover.accept_ms),
            roles=(Role.SUPERVISOR,),
            then=(Role.CONTROL_ROOM,),
            within_ms=settings.handover.acknowledge_ms,
            words=f"{one.to}: accept the incident from {one.giver}, or refuse it and say why. {one.giver} has it.",
            source=_SOURCE,
        )
    if had.also:
        yield Due(
            what=What.ACCEPTANCE,
            key=_BOTH,
            at=Millis(max(one.at for one in record.passing if one.step is PassingStep.ACCEPTED)),
            roles=(Role.SUPERVISOR,),
            then=(Role.CONTROL_ROOM,),
            within_ms=settings.handover.acknowledge_ms,
            words=f"{_held_by(had)} have both accepted the incident: settle who has it; the other offers it to them.",
            source=_SOURCE,
        )


def _held_by(had: Keeping) -> str:
    return " and ".join(sorted(had.holders)) or "its area"


GUARDS: Final[tuple[Guard, ...]] = (passed, closed_while_offered)
