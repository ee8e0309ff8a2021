"""Routes: a file of another system becomes records, in one call that can be repeated.

What comes is the file itself, as it was sent. It is read whole before anything is written: one that is not sound is
refused with where in it and what is wrong, and nothing of it is taken. The same file again makes the same records and
changes nothing. Who calls is the author; the rules of police work are asked as of anybody.
"""

import re
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN
from schemas.roles import Role
from server.http import bodies
from server.http.callers import caller_of, standing_of
from server.http.operations import Operation, read_bytes
from server.http.problems import beatbook_of, reply
from server.http.records import created
from server.importing import cap, eido
from server.office import Draft

_WHO: Final = (Role.CONTROL_ROOM,)
_NAME: Final = "the body"
"""What a file is called in a refusal: it came without a name."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file.

    Attributes:
        records: the records that it makes, each with what was done: `created`, `changed` or `same`.
        reason: why a sound file makes none; "" where it makes some.
    """

    records: list[bodies.Created]
    reason: str


async def import_cap(request: Request) -> Response:
    """Take in one OASIS CAP 1.2 (or 1.1) alert, as a briefing."""
    found = cap.parse(await read_bytes(request, cap.FILE_BYTES_MAX), _NAME)
    if isinstance(found, Draft):
        return await _bring(request, [found])
    return reply(Imported(records=[], reason=found.reason))


async def import_eido(request: Request) -> Response:
    """Take in a NENA EIDO 1.0, or a notification with some, as incidents."""
    area = request.query_params.get("area")
    if area is not None and re.match(SLUG_PATTERN, area) is None:
        raise UsageError(f"area={area!r}: is no area; write it as in birmingham")
    drafts = {draft.record: draft for draft in eido.parse(await read_bytes(request, eido.FILE_BYTES_MAX), _NAME, area)}
    return await _bring(request, list(drafts.values()))


async def _bring(request: Request, drafts: list[Draft]) -> Response:
    caller = caller_of(request)
    made = await beatbook_of(request).office.bring(drafts, caller.officer, standing_of(caller))
    return reply(Imported(records=[created(one) for one in made], reason=""))


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/import/cap",
        handler=import_cap,
        who=_WHO,
        raw="application/xml",
        gives=Imported,
    ),
    Operation(
        method="POST",
        path="/v1/import/eido",
        handler=import_eido,
        who=_WHO,
        raw="application/json",
        gives=Imported,
        query={"area": "The area of an incident whose place names none, as in birmingham."},
    ),
)
