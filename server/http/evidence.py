"""Routes: the log's signed head, a record given out with proof, and searches of who did what with whose data."""

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas.limits import REASON_CHARS_MAX
from schemas.roles import Role
from server.evidence.section62 import EVENTS_MAX, Page, Query, Searched
from server.http import proofs
from server.http.callers import caller_of, check_roles
from server.http.operations import SIGNED_IN, Operation, read_body
from server.http.problems import beatbook_of, reply
from server.http.proofs import DISCLOSERS
from server.http.sight import seen_record

_Why = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARS_MAX)]


class CheckpointBody(msgspec.Struct, frozen=True, kw_only=True):
    """The log's head, to keep: whoever has it will notice when the log is cut or rewritten.

    Attributes:
        log: the log's verifier key (vkey).
        size: its entries.
        checkpoint: the signed note (C2SP tlog-checkpoint), with the cosignatures of the witnesses that answered.
    """

    log: str
    size: int
    checkpoint: str


class NewDisclosure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record to give out.

    Attributes:
        recipients: to whom.
        why: what for.
    """

    recipients: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=64)]
    why: _Why


class DisclosureDone(msgspec.Struct, frozen=True, kw_only=True):
    """What to hand over.

    Attributes:
        sha256: of the export, as the log's act of disclosure has it; hexadecimal.
        export: a zip, in base64.
    """

    sha256: str
    export: bytes


class LogSearch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search of who did what with whose data.

    Attributes:
        why: what for; it is kept, with who searched and for what.
        query: for what; everything when absent.
        after: `next` of the page before.
        limit: how many findings.
    """

    why: _Why
    query: Query = Query()
    after: Annotated[str, msgspec.Meta(max_length=40)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=EVENTS_MAX)] = EVENTS_MAX


async def read_checkpoint(request: Request) -> Response:
    """The log's signed head as it is now, cosigned by the witnesses that answer."""
    checkpoints = beatbook_of(request).authority.checkpoints
    size, checkpoint = await checkpoints.witnessed()
    return reply(CheckpointBody(log=str(checkpoints.verifier), size=size, checkpoint=checkpoint.decode()))


async def disclose_record(request: Request) -> Response:
    """Give a record out with what proves it; that it was given out is in the log first."""
    body = await read_body(request, NewDisclosure)
    state = await seen_record(request)
    caller, beatbook = caller_of(request), beatbook_of(request)
    check_roles(caller, DISCLOSERS, state.scopes())
    export = await beatbook.disclosures.make(
        state.id,
        by=caller.officer,
        seat=caller.seat,
        recipients=body.recipients,
        why=body.why,
        at=beatbook.now(),
    )
    return reply(DisclosureDone(sha256=export.digest.hex(), export=export.content))


async def search_log(request: Request) -> Response:
    """Who did what with whose data, and why (Data Protection Act 2018 section 62); the search itself is kept first."""
    body = await read_body(request, LogSearch)
    caller, beatbook = caller_of(request), beatbook_of(request)
    search = Searched(
        officer=caller.officer, seat=caller.seat, at=beatbook.now(), query=body.query, after=body.after, why=body.why
    )
    return reply(await beatbook.section62.search(search, body.limit))


OPERATIONS: Final = (
    *proofs.OPERATIONS,
    Operation(method="GET", path="/v1/log/checkpoint", handler=read_checkpoint, who=SIGNED_IN, gives=CheckpointBody),
    Operation(
        method="POST",
        path="/v1/records/{record}/disclosures",
        handler=disclose_record,
        who=DISCLOSERS,
        takes=NewDisclosure,
        gives=DisclosureDone,
    ),
    Operation(
        method="POST",
        path="/v1/log/searches",
        handler=search_log,
        who=(Role.AUDITOR,),
        takes=LogSearch,
        gives=Page,
    ),
)
