"""Routes: how sound the recording of crime is, for those who answer for it: call-backs, and cancelled crimes.

Which incidents a call-back sample draws follows from its seed, and whoever could see that would know which to take more
care over; so it is told to those alone who hold the sample's compartment, and for everybody else there is no sample.
Both go through the incidents that the caller may see, a page at a time, and every page says its share of the whole.
"""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.ids import MillisInt, RecordId, RecordText, ScopeName, SlugText
from schemas.kinds import CallBackSample, Incident
from schemas.kinds.call import Involved, Part
from schemas.roles import Role
from server.http.callers import caller_of
from server.http.consulting import listed
from server.http.operations import AFTER_ID_MEANING, LIMIT_MEANING, Operation, after_id_of, limit_of
from server.http.problems import beatbook_of, reply
from server.http.sight import page, seen_record, walk
from sync.policing.incidents.numbers import called
from sync.policing.incidents.recording import Finding, accuracy
from sync.policing.incidents.sampling import Agreement, agreement, drawn

OVERSEERS: Final = (Role.REGISTRAR, Role.SUPERINTENDENT)
"""Who looks at how others have recorded."""
_CALLED: Final = frozenset({Part.CALLER, Part.VICTIM})


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """An incident of a sample.

    Attributes:
        incident: its id.
        called: its number, or what it is called while it has none.
        opened_at: when it was reported (ms since 1970).
        area: slug of its area.
        summary: what it was recorded as, in words.
        people: who called and who suffered it, to be called back.
        calls: how often somebody has been called about it.
    """

    incident: RecordText
    called: str
    opened_at: MillisInt
    area: SlugText
    summary: str
    people: list[Involved]
    calls: int


class DrawnPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a sample's incidents, and what calling back about them has shown.

    Attributes:
        incidents: in order of id.
        agreement: counted over these.
        next: pass it as `after` for the next page, also behind one without incidents; null on the last one.
    """

    incidents: list[Drawn]
    agreement: Agreement
    next: RecordText | None


class AccuracyPage(msgspec.Struct, frozen=True, kw_only=True):
    """How sound the cancelled crimes of some incidents are.

    Attributes:
        recorded: crimes recorded in them.
        cancelled: cancellations written.
        sound: those with which nothing is wrong.
        findings: what is wrong with the others.
        next: pass it as `after` for the next page; null on the last one.
    """

    recorded: int
    cancelled: int
    sound: int
    findings: list[Finding]
    next: RecordText | None


async def draw_sample(request: Request) -> Response:
    """The incidents that a call-back sample draws, of those that the caller may see: the same ones every time."""
    state = await seen_record(request, called="call-back sample")
    sample = state.build()
    if not isinstance(sample, CallBackSample):
        raise HTTPException(404, f"there is no call-back sample {state.id!r}")
    limit, after = limit_of(request), after_id_of(request)
    found, behind = await page(walk(beatbook_of(request).store, "incident", caller_of(request), None, after), limit)
    built = ((each.id, each.build()) for each in found)
    held = {record: one for record, one in built if isinstance(one, Incident)}
    chosen = drawn(sample, held)
    await listed(request, chosen)
    return reply(
        DrawnPage(
            incidents=[_drawn(record, held[record], sample) for record in chosen],
            agreement=agreement(sample, held),
            next=behind,
        )
    )


async def find_unsound(request: Request) -> Response:
    """What is wrong with cancelled crimes, by what is recorded and who in truth wrote it."""
    scope = request.query_params.get("scope")
    limit, after = limit_of(request), after_id_of(request)
    held = None if scope is None else ScopeName(scope)
    beatbook = beatbook_of(request)
    found, behind = await page(walk(beatbook.store, "incident", caller_of(request), held, after), limit)
    told = accuracy({state.id: state for state in found}, beatbook.office.settings.incidents)
    await listed(request, list(dict.fromkeys(one.incident for one in told.findings)))
    return reply(
        AccuracyPage(
            recorded=told.recorded,
            cancelled=told.cancelled,
            sound=told.sound,
            findings=list(told.findings),
            next=behind,
        )
    )


def _drawn(record: RecordId, incident: Incident, sample: CallBackSample) -> Drawn:
    return Drawn(
        incident=record,
        called=called(record, incident),
        opened_at=incident.opened_at,
        area=incident.area,
        summary=incident.summary,
        people=[one for one in incident.people if one.part in _CALLED],
        calls=sum(one.incident == record for one in sample.calls),
    )


_PAGE: Final = {"after": AFTER_ID_MEANING, "limit": LIMIT_MEANING}
OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/call-backs/{record}",
        handler=draw_sample,
        who=OVERSEERS,
        gives=DrawnPage,
        query=_PAGE,
    ),
    Operation(
        method="GET",
        path="/v1/cancelled-crimes",
        handler=find_unsound,
        who=OVERSEERS,
        gives=AccuracyPage,
        query={"scope": "Only of incidents in this scope, as in area:birmingham.", **_PAGE},
    ),
)
