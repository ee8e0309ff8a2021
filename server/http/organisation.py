"""Routes: an organisation as its files tell it, compared with the registry or brought into it.

The command that reads the files sends what they say, each line with where it stands, so that whatever the server finds
wrong is told with file and line.
"""

from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.roles import Role
from server.http.callers import caller_of
from server.http.operations import Handler, Operation, read_body
from server.http.problems import beatbook_of, reply
from server.organisation.definition import OrganisationTold
from server.organisation.organising import Plan

_ADMINISTRATION: Final = (Role.ADMINISTRATOR,)


class OrganisationChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that changes.

    Attributes:
        sign: `+` for what begins, `~` for what is otherwise, `-` for what ends.
        what: in words.
        where: file and line, or file and table; "" for what the files tell no more.
    """

    sign: Literal["+", "~", "-"]
    what: str
    where: str


class OrganisationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the files would change, or have changed.

    Attributes:
        changes: in the order in which they are done; none when the server is as the files say.
        notes: what differs and is left as it is, in words.
    """

    changes: list[OrganisationChange]
    notes: list[str]


async def plan_organisation(request: Request) -> Response:
    """Say what an organisation's files would change. Nothing does."""
    told = await read_body(request, OrganisationTold)
    return _plan(await beatbook_of(request).organising.plan(told, caller_of(request).officer))


async def apply_organisation(request: Request) -> Response:
    """Bring units, missions, people and cells to what an organisation's files say: all of it, or nothing."""
    told = await read_body(request, OrganisationTold)
    caller = caller_of(request)
    return _plan(await beatbook_of(request).organising.apply(told, caller.officer, caller.seat))


def _plan(plan: Plan) -> Response:
    changes = [OrganisationChange(sign=step.sign, what=step.what, where=step.where) for step in plan.steps]
    return reply(OrganisationPlan(changes=changes, notes=[str(note) for note in plan.changes.notes]))


def _post(path: str, handler: Handler) -> Operation:
    return Operation(
        method="POST", path=path, handler=handler, who=_ADMINISTRATION, takes=OrganisationTold, gives=OrganisationPlan
    )


OPERATIONS: Final = (
    _post("/v1/organisation/plan", plan_organisation),
    _post("/v1/organisation/apply", apply_organisation),
)
