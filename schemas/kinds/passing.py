"""How an incident passes from one team to another: it is offered, and it is the giver's until the other team accepts.

Inspections found cases that nobody worked on, because one team had sent them and the other had not taken them. So what
is written down is an offer and its answer, and whose the incident is follows from the two alone, on every device: at no
moment is it nobody's, whatever two teams wrote without sight of each other. Source: general practice of hubs and of
response and investigation teams; the reason is Beatbook's.
"""

from collections.abc import Iterable

import msgspec

from schemas.ids import MillisInt, SlugText
from schemas.kinds.common import Note
from schemas.tokens import Token


class PassingStep(Token):
    """A step of an incident's way from one team to another."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Passing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A team offers the incident to another one, or one of the two answers. Who wrote it is its stamp's.

    Attributes:
        step: which step.
        giver: slug of the team that has it, and offers it.
        to: slug of the team that is to have it.
        offered_at: when it was offered (ms since 1970). An answer names its offer by giver, receiver and this.
        at: when this step was taken (ms since 1970); of an offer the same.
        why: of an offer why it passes, and what is still to be done; of a refusal the reason.
    """

    step: PassingStep
    giver: SlugText
    to: SlugText
    offered_at: MillisInt
    at: MillisInt
    why: Note | None = None

    @property
    def team(self) -> str | None:
        """The team whose word it is; None of an offer: whoever works on the incident may offer it."""
        if self.step in {PassingStep.ACCEPTED, PassingStep.REFUSED}:
            return self.to
        return self.giver if self.step is PassingStep.WITHDRAWN else None

    @property
    def offer(self) -> tuple[int, str, str]:
        """Which offer it is about; offers in this order are in order of time."""
        return (self.offered_at, self.giver, self.to)


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """Whose an incident is.

    Attributes:
        keeper: slug of the team that has it; None where it was never offered: it is its area's and its teams'.
        also: teams that have accepted it as well: two offers, made without sight of each other, were both accepted.
        pending: the offers that nobody has answered, the earliest first.
    """

    keeper: str | None = None
    also: tuple[str, ...] = ()
    pending: tuple[Passing, ...] = ()

    @property
    def holders(self) -> frozenset[str]:
        """The teams that have it."""
        return frozenset(self.also) if self.keeper is None else frozenset({self.keeper, *self.also})

    @property
    def teams(self) -> frozenset[str]:
        """Every team that it concerns: whoever has it, and both sides of each open offer."""
        return self.holders | {team for one in self.pending for team in (one.giver, one.to)}


def keeping(steps: Iterable[Passing]) -> Keeping:
    """Whose an incident is, from what was offered and answered, in any order.

    An acceptance stands over a refusal and over an offer taken back that were written without sight of it: the team
    that accepts has said that it works on it, and the other answers leave nobody without it. Where the giver of an
    accepted offer had passed the incident on already, both teams that accepted keep it, until one of them passes it on
    to the other.
    """
    # Written twice, an offer is read once: the same one on every device.
    every = sorted(steps, key=lambda one: (one.at, one.why or ""), reverse=True)
    offers = {one.offer: one for one in every if one.step is PassingStep.OFFERED}
    answered = {one.offer for one in every if one.team is not None}
    accepted: dict[tuple[int, str, str], int] = {}
    for one in every:
        if one.step is PassingStep.ACCEPTED and one.offer in offers:
            accepted[one.offer] = min(one.at, accepted.get(one.offer, one.at))
    keeper = offers[min(offers)].giver if offers else None
    also: set[str] = set()
    for offer, _ in sorted(accepted.items(), key=lambda one: (one[1], one[0])):
        _, giver, to = offer
        if keeper is not None and giver != keeper:
            also.add(keeper)
        also -= {giver, to}
        keeper = to
    return Keeping(
        keeper=keeper,
        also=tuple(sorted(also)),
        pending=tuple(offers[one] for one in sorted(offers) if one not in answered),
    )
