"""An incident that is offered to another team, and what that team says; and requests of one area to another."""

import re
from typing import Final

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN, Millis, RecordId
from schemas.kinds import DeploymentRequest, Incident, Kind, Resource
from schemas.kinds.deployment import DeploymentStatus, Lent
from schemas.kinds.passing import Keeping, Passing, PassingStep
from schemas.kinds.resource import Category, Loan
from sync.device.terminal import rendering
from sync.device.terminal.spec import matched, one, spec
from sync.device.terminal.values import listed
from sync.device.terminal.work import Errand, Work
from sync.device.views import RecordView

_TEAM: Final = scopes.team("")
_WHY: Final = "to lend what another area asks for"
_COLLAR: Final = re.compile(r"[a-z]{0,4}[0-9]+")
_DONE: Final = {
    PassingStep.ACCEPTED: "{to} has it now",
    PassingStep.REFUSED: "refused; {giver} keeps it",
    PassingStep.WITHDRAWN: "taken back; {giver} keeps it",
}


class Offer(Errand, frozen=True):
    """`offer`: another team is asked to take an incident on."""

    which: str
    to: str
    giver: str | None
    why: str

    async def run(self, work: Work) -> None:
        """Offer it, as the team that has it."""
        view, had = await _incident(work, self.which)
        giver = self.giver or had.keeper or await _own_team(work)
        # Its time is part of an offer's name: one that is made again must not be taken for the one that was answered.
        before = (
            max((one.offered_at for one in view.value.passing), default=0) if isinstance(view.value, Incident) else 0
        )
        now = Millis(max(work.reader().now, before + 1))
        step = Passing(
            step=PassingStep.OFFERED, giver=_slug(giver), to=_slug(self.to), offered_at=now, at=now, why=self.why
        )
        await work.enter(view.record, f"offered to {step.to}; until they accept, {step.giver} has it", passing=[step])


class Answer(Errand, frozen=True):
    """`accept`, `refuse` and `takeback`: what a team says to an offer; or an area's no to a request.

    Attributes:
        which: the incident, or the request.
        step: which of the three.
        why: the reason; None where none was given.
    """

    which: str
    step: PassingStep
    why: str | None

    async def run(self, work: Work) -> None:
        """Answer for this handheld's team; for its area, where it is a request."""
        if self.step is PassingStep.REFUSED:
            view = await work.view(self.which)
            if isinstance(view.value, DeploymentRequest):
                said = {"status": DeploymentStatus.REFUSED, "refused_because": self.why}
                await work.enter(view.record, f"refused to {view.value.asking}", **said)
                return
        view, had = await _incident(work, self.which)
        teams = await _teams(work)
        for offer in had.pending:
            if (offer.giver if self.step is PassingStep.WITHDRAWN else offer.to) in teams:
                break
        else:
            held = listed(sorted(had.holders)) or "its area"
            raise UsageError(f"{rendering.heading(view)}: no offer waits for your team; it is with {held}")
        said_now = Passing(
            step=self.step,
            giver=offer.giver,
            to=offer.to,
            offered_at=offer.offered_at,
            at=work.reader().now,
            why=self.why,
        )
        done = _DONE[self.step].format(to=offer.to, giver=offer.giver)
        await work.enter(view.record, done, passing=[said_now])


class Request(Errand, frozen=True):
    """`request`: another area is asked for officers or units."""

    lending: str
    asking: str
    many: int
    what: str
    until: str
    why: str

    async def run(self, work: Work) -> None:
        """Ask."""
        reader = work.reader()
        request = DeploymentRequest(
            asking=_slug(self.asking),
            lending=_slug(self.lending),
            what=self.what,
            how_many=self.many,
            purpose=self.why,
            asked_at=reader.now,
            until=reader.time.read(self.until, reader.now),
        )
        await work.create(request, f"asked of {request.lending} until {reader.time.text(request.until)}")


class Agree(Errand, frozen=True):
    """`agree`: an area lends what another one asks for; each who is named is an officer or a unit."""

    which: str
    who: tuple[str, ...]

    async def run(self, work: Work) -> None:
        """Say yes with who is lent, in one change; then give the units on loan."""
        view = await work.view(self.which)
        request = view.value
        if not isinstance(request, DeploymentRequest):
            raise UsageError(f"{rendering.heading(view)} is no request of another area")
        lent = [await _lent(work, named) for named in self.who]
        done = f"lent to {request.asking}: {listed([each.called for each in lent])}"
        await work.enter(view.record, done, status=DeploymentStatus.AGREED, lent=lent)
        loan = Loan(area=request.asking, until=request.until, request=view.record)
        for each in lent:
            if each.resource is not None:
                await work.enter(RecordId(each.resource), f"on loan to {request.asking}", loan=loan)
        work.sight.turn_to(view)


class Back(Errand, frozen=True):
    """`back`: a unit that is on loan goes back."""

    which: str

    async def run(self, work: Work) -> None:
        """End the loan."""
        view = await work.view(self.which)
        if not isinstance(view.value, Resource) or view.value.loan is None:
            raise UsageError(f"{rendering.heading(view)} is not on loan")
        await work.enter(view.record, f"back from {view.value.loan.area}", loan=None)


async def _incident(work: Work, which: str) -> tuple[RecordView[Kind], Keeping]:
    view = await work.view(which)
    if not isinstance(view.value, Incident):
        raise UsageError(f"{rendering.heading(view)} is no incident: only an incident passes from team to team")
    return view, view.value.kept()


async def _teams(work: Work) -> frozenset[str]:
    """The teams that this handheld belongs to."""
    held = await work.handheld.audiences()
    return frozenset(scope.removeprefix(_TEAM) for scope in held if scope.startswith(_TEAM))


async def _own_team(work: Work) -> str:
    teams = sorted(await _teams(work))
    if len(teams) != 1:
        raise UsageError("say which team has it: offer ID TEAM from TEAM WHY…")
    return teams[0]


async def _lent(work: Work, named: str) -> Lent:
    """Who or what was named: a unit by what it is called, with - for a space; else an officer by collar number."""
    called = named.casefold()
    with work.handheld.matter(why=_WHY):
        units = await work.handheld.find(
            Resource,
            lambda unit: unit.category is not Category.CELL and unit.name.casefold().replace(" ", "-") == called,
        )
    if len(units) > 1:
        raise UsageError(
            f"{named}: {len(units)} units are called so: give the end of its id in lend, or its whole name"
        )
    if units:
        ((record, unit),) = units
        return Lent(resource=record, called=unit.name)
    if _COLLAR.fullmatch(called) is None:
        raise UsageError(f"{named!r} is no unit on this handheld, and no collar number, as wm30012")
    return Lent(officer=called, called=named)


def _slug(text: str) -> str:
    """The name of a team or an area, as scopes have it.

    Raises:
        UsageError: it can be none.
    """
    name = text.casefold()
    if re.match(SLUG_PATTERN, name) is None:
        raise UsageError(f"{text!r} is no team or area: its name has a-z, 0-9 and -, as in investigation-a")
    return name


def _offer(rest: str) -> Offer:
    return Offer(**matched(r"(?P<which>\S+)\s+(?P<to>\S+)(?:\s+from\s+(?P<giver>\S+))?\s+(?P<why>.+)", rest))


def _request(rest: str) -> Request:
    parts = matched(
        r"(?P<lending>\S+)\s+for\s+(?P<asking>\S+)\s+(?P<many>[0-9]{1,4})\s+(?P<what>.+?)\s+until\s+(?P<until>.+?)"
        r"\s+because\s+(?P<why>.+)",
        rest,
    )
    return Request(**(parts | {"many": int(parts["many"])}))


def _agree(rest: str) -> Agree:
    which, *who = rest.split()
    if not who:
        raise ValueError
    return Agree(which, tuple(who))


def _accept(rest: str) -> Answer:
    return Answer(**matched(r"(?P<which>\S+)\s*", rest), step=PassingStep.ACCEPTED, why=None)


def _refuse(rest: str) -> Answer:
    return Answer(**matched(r"(?P<which>\S+)\s+(?P<why>.+)", rest), step=PassingStep.REFUSED)


def _take_back(rest: str) -> Answer:
    return Answer(which=one(rest), step=PassingStep.WITHDRAWN, why=None)


SPECS: Final = (
    spec(
        "offer ID TEAM [from TEAM] WHY…",
        "ask another team to take an incident on; until it accepts, yours has it",
        _offer,
    ),
    spec("accept ID", "take on an incident that is offered to your team", _accept),
    spec(
        "refuse ID REASON…",
        "say no to an incident that is offered to your team, or to a request of another area",
        _refuse,
    ),
    spec("takeback ID", "take back an incident that your team has offered and nobody has accepted", _take_back),
    spec(
        "request AREA for AREA N WHAT… until TIME because WHY…",
        "ask another area for officers or units; the second area is the one that asks",
        _request,
    ),
    spec("agree ID WHO…", "lend what another area asks for: collar numbers, or units, with - for a space", _agree),
    spec("back ID", "end the loan of a unit", lambda rest: Back(one(rest))),
)
