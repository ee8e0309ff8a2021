"""The rules of a deployment across areas: what is asked, answered in time, lent for a time, and given back.

That the lending area alone says yes or no is a right (`DeploymentRequest.sides`), which the server asks of every op.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.ids import FieldName, Millis
from schemas.kinds import DeploymentRequest, Kind, Resource
from schemas.kinds.deployment import DeploymentStatus, Lent
from schemas.kinds.resource import Category
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.handover import HandoverSettings
from sync.policing.due import Due, What
from sync.policing.guards import Breach, Guard, Look

_SOURCE: Final = "deployment across areas: a logged request, answered by the area that lends"
_ANSWER: Final = "answer"
_RUNS_OUT: Final = "runs out"
_BOTH: Final = (Role.SUPERVISOR, Role.CONTROL_ROOM)


def asked(look: Look) -> Iterator[Breach]:
    """Another area is asked, and for a time that is still to come."""
    request = look.after
    if not isinstance(request, DeploymentRequest):
        return
    if look.before is None and request.asking == request.lending:
        yield Breach(
            rule="deployment-own-area",
            why=f"{request.asking} asks itself.",
            remedy="Name the area that is to lend; your own units you send yourself.",
            source=_SOURCE,
        )
    if look.sets("until") and request.until <= look.now:
        yield Breach(
            rule="deployment-until",
            why="The time until which they are wanted has passed.",
            remedy="Say until when they are wanted.",
            source=_SOURCE,
        )


def answered(look: Look) -> Iterator[Breach]:
    """A yes names who or what is lent, a no says why; who is lent is named one by one."""
    request = look.after
    if not isinstance(request, DeploymentRequest):
        return
    agrees = look.sets("status") and request.status is DeploymentStatus.AGREED
    refuses = look.sets("status") and request.status is DeploymentStatus.REFUSED
    if agrees and not request.lent:
        yield Breach(
            rule="deployment-lent",
            why="It is agreed, and nobody and nothing is named.",
            remedy="Name the officers or units that are lent, or go on and name them as they are found.",
            source=_SOURCE,
            override=True,
        )
    if refuses and request.refused_because is None:
        yield Breach(
            rule="deployment-refused",
            why="It is refused without a reason.",
            remedy="Write why, so that the other area knows whether to ask elsewhere.",
            source=_SOURCE,
        )
    for one in msgspec.convert(look.changes.get(FieldName("lent"), []), list[Lent]):
        if (one.officer is None) == (one.resource is None):
            yield Breach(
                rule="deployment-one",
                why=f"{one.called} is lent as neither an officer nor a unit, or as both.",
                remedy="Name the collar number of an officer, or the record of a unit.",
                source=_SOURCE,
            )


def lent_out(look: Look) -> Iterator[Breach]:
    """A unit is lent for a time to come, and a cell to nobody: people are taken to another suite, cells are not."""
    unit = look.after
    if not isinstance(unit, Resource) or not look.sets("loan") or unit.loan is None:
        return
    if unit.category is Category.CELL:
        yield Breach(
            rule="loan-cell",
            why="A cell is not lent.",
            remedy="Every custody desk sees the cells of all suites: claim it for the booking.",
            source=_SOURCE,
        )
    if unit.loan.until <= look.now:
        yield Breach(
            rule="loan-until",
            why="The time until which it is lent has passed.",
            remedy="Say until when it is lent.",
            source=_SOURCE,
        )


def dues(record: Kind, settings: Settings, _now: Millis) -> Iterator[Due]:
    """That a request waits for its answer, or that what was agreed runs out."""
    if not isinstance(record, DeploymentRequest):
        return
    if record.status is DeploymentStatus.REQUESTED:
        yield Due(
            what=What.DEPLOYMENT,
            key=_ANSWER,
            at=Millis(record.asked_at + settings.handover.deployment_answer_ms),
            roles=_BOTH,
            then=(Role.SUPERINTENDENT,),
            within_ms=settings.handover.acknowledge_ms,
            words=f"{record.lending}: agree or refuse what {record.asking} asks for: {record.what}.",
            source=_SOURCE,
        )
    if record.status is DeploymentStatus.AGREED:
        words = f"{record.what}, lent by {record.lending} to {record.asking}: end it, or agree a later time."
        yield _runs_out(record.until, words, settings.handover)


def loan_dues(record: Kind, settings: Settings, _now: Millis) -> Iterator[Due]:
    """That the loan of a unit runs out: it goes back then by itself, once the server hears of it (`server.loans`)."""
    if isinstance(record, Resource) and record.loan is not None:
        words = f"{record.name} is lent to {record.loan.area} until then: see that it is back, or lend it for longer."
        yield _runs_out(record.loan.until, words, settings.handover)


def _runs_out(until: int, words: str, settings: HandoverSettings) -> Due:
    return Due(
        what=What.DEPLOYMENT,
        key=_RUNS_OUT,
        at=Millis(until),
        warn_ms=settings.deployment_warn_ms,
        roles=_BOTH,
        then=(Role.SUPERINTENDENT,),
        within_ms=settings.acknowledge_ms,
        words=words,
        source=_SOURCE,
    )


GUARDS: Final[tuple[Guard, ...]] = (asked, answered)
LOAN_GUARDS: Final[tuple[Guard, ...]] = (lent_out,)
