"""Routes: what a team is told as it comes on duty, and what the neighbourhood may be told.

Both are assembled from the records that whoever asks may see; the second gives away none of their words
(`sync.policing.briefings.neighbourhood`), so that what it gives can be published as it is.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import SLUG_PATTERN, Millis, MillisInt, RecordId, RecordText, ScopeName
from schemas.kinds import Briefing, Incident, Kind, Suspect, spec_of
from schemas.limits import INT_MAX
from schemas.rights import SUPERVISING
from server.beatbook import Beatbook
from server.http.callers import caller_of, sees
from server.http.consulting import listed
from server.http.operations import Operation
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, walk
from server.importing.areas import WEST_MIDLANDS
from sync.policing.briefings import neighbourhood
from sync.policing.briefings.pack import Pack, pack

SHIFT_MS: Final = 12 * 60 * 60_000
"""A shift, where nobody says when it ends."""
PERIOD_MS_MAX: Final = 92 * 24 * 60 * 60_000
"""An update is of three months at most: what is counted is read record by record."""
NAME_CHARS_MAX: Final = 60
_NAMES: Final = {name.lower(): name for name in WEST_MIDLANDS}
_BEGIN: Final = "From when (ms since 1970)"
_END: Final = "Until when (ms since 1970), not included"


class PackItem(msgspec.Struct, frozen=True, kw_only=True):
    """A briefing of the pack.

    Attributes:
        record: which.
        title, body, audience, classification, handling, valid_from, expires_at: as in its record.
        priority: how far ahead of everything else it goes.
        replaces: the briefings in whose place it stands.
    """

    record: RecordText
    title: str
    body: str
    audience: tuple[str, ...]
    classification: str
    handling: str | None
    priority: str
    valid_from: MillisInt | None
    expires_at: MillisInt | None
    replaces: tuple[RecordText, ...]


class PackWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A warning marker.

    Attributes:
        warning: what.
        source: where it comes from.
        expires_at: until when it holds (ms since 1970); null for no end.
        hold: whether it still holds.
    """

    warning: str
    source: str
    expires_at: MillisInt | None
    hold: str


class PackWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is looked for.

    Attributes:
        record: which.
        name, wanted_for, area: as in their record.
        claimed_by: the officer who has taken them on; null for nobody.
        warnings: every marker, those that have expired too.
    """

    record: RecordText
    name: str
    wanted_for: str
    area: str
    claimed_by: str | None
    warnings: list[PackWarning]


class BriefingPack(msgspec.Struct, frozen=True, kw_only=True):
    """What a team is told for a shift.

    Attributes:
        team: which.
        begin, end: of the shift (ms since 1970).
        items: the briefings that are valid in it, by priority and then the newest first.
        wanted: whom its areas look for, those whom nobody has claimed first.
    """

    team: str
    begin: MillisInt
    end: MillisInt
    items: list[PackItem]
    wanted: list[PackWanted]


class NeighbourhoodUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What can be published of an area.

    Attributes:
        area: slug of the Local Policing Area.
        begin, end: of the period (ms since 1970), the end not included.
        text: the update, to be published as it is.
    """

    area: str
    begin: MillisInt
    end: MillisInt
    text: str


async def read_pack(request: Request) -> Response:
    """The briefing pack of a team for a shift: what is valid in it, and who is wanted in the areas that it serves."""
    team, beatbook = request.path_params["team"], beatbook_of(request)
    own = _place(team, scopes.team, "team")
    if not sees(caller_of(request), {own}):
        raise HTTPException(404, f"there is no team {team!r}")
    begin = _moment(request, "begin", int(beatbook.now()))
    end = _moment(request, "end", begin + SHIFT_MS)
    if end <= begin:
        raise UsageError("end: a shift ends after it has begun")
    audiences = _served(beatbook, own) | {own, scopes.FORCE}
    # Of all that the team's units serve, what whoever asks may see themselves.
    found = await _records(request, Briefing, None) | await _records(request, Suspect, None)
    told = pack(found, audiences, begin, end, beatbook.office.settings)
    await listed(request, [*(one.record for one in told.items), *(one.record for one in told.wanted)])
    return reply(_pack(team, begin, end, told))


async def read_update(request: Request) -> Response:
    """What the neighbourhood may be told of an area: counts, and texts that were written for everybody."""
    area, beatbook = request.path_params["area"], beatbook_of(request)
    place = _place(area, scopes.area, "area")
    if not sees(caller_of(request), {place}):
        raise HTTPException(404, f"there is no area {area!r}")
    begin, end = _moment(request, "begin", None), _moment(request, "end", None)
    if not 0 < end - begin <= PERIOD_MS_MAX:
        raise UsageError(f"begin, end: give a period of up to {PERIOD_MS_MAX // 86_400_000} days, its beginning first")
    name = _name(request, area)
    incidents = await _records(request, Incident, place, lambda one: begin <= one.opened_at < end)
    briefings = await _records(request, Briefing, None)
    text = neighbourhood.update(
        area,
        {area: name},
        (one for one in briefings.values() if isinstance(one, Briefing)),
        (one for one in incidents.values() if isinstance(one, Incident)),
        begin,
        end,
        beatbook.office.settings,
    )
    await listed(request, list(incidents))
    return reply(NeighbourhoodUpdate(area=area, begin=begin, end=end, text=text))


async def _records(
    request: Request, kind: type[Kind], place: ScopeName | None, wanted: Callable[[Any], bool] = bool
) -> dict[RecordId, Kind]:
    """The records of a kind that the caller may see: of one scope only, where it is given, and of which that holds."""
    found: dict[RecordId, Kind] = {}
    async for state in walk(beatbook_of(request).store, spec_of(kind).name, caller_of(request), place, ""):
        value = state.build()
        if isinstance(value, kind) and wanted(value):
            found[state.id] = value
    return found


def _served(beatbook: Beatbook, team: ScopeName) -> frozenset[ScopeName]:
    """The areas of the units that work as a team, as they are now."""
    now = beatbook.now()
    units = (unit.at(now) for unit in beatbook.authority.ledger.registry.units.values())
    working = [unit for unit in units if unit is not None and team in unit.act.places]
    areas = scopes.area("")
    return frozenset(place for unit in working for place in unit.act.places if place.startswith(areas))


def _pack(team: str, begin: Millis, end: Millis, told: Pack) -> BriefingPack:
    return BriefingPack(
        team=team,
        begin=begin,
        end=end,
        items=[
            PackItem(
                record=one.record,
                title=one.briefing.title,
                body=one.briefing.body,
                audience=tuple(one.briefing.audience),
                classification=str(one.briefing.classification.value),
                handling=one.briefing.handling,
                priority=str(one.briefing.ranked.value),
                valid_from=one.briefing.valid_from,
                expires_at=one.briefing.expires_at,
                replaces=one.replaces,
            )
            for one in told.items
        ],
        wanted=[
            PackWanted(
                record=one.record,
                name=one.suspect.name,
                wanted_for=one.suspect.wanted_for,
                area=one.suspect.area,
                claimed_by=one.claimed_by,
                warnings=[
                    PackWarning(
                        warning=shown.marker.warning,
                        source=shown.source,
                        expires_at=shown.marker.expires_at,
                        hold=shown.hold.name.lower().replace("_", "-"),
                    )
                    for shown in one.warnings
                ],
            )
            for one in told.wanted
        ],
    )


def _place(slug: str, scope: Callable[[str], ScopeName], what: str) -> ScopeName:
    if re.match(SLUG_PATTERN, slug) is None:
        raise HTTPException(404, f"there is no {what} {slug!r}")
    return scope(slug)


def _moment(request: Request, name: str, otherwise: int | None) -> Millis:
    """A parameter that is a moment (ms since 1970).

    Raises:
        UsageError: it is none, or is needed and not there.
    """
    given = request.query_params.get(name)
    if given is None and otherwise is not None:
        return Millis(otherwise)
    if given is None or re.fullmatch("[0-9]{1,16}", given) is None or int(given) > INT_MAX:
        raise UsageError(f"{name}={given or ''!r}: give a moment in milliseconds since 1970")
    return Millis(int(given))


def _name(request: Request, area: str) -> str:
    """What the area is called where everybody reads it: as the caller says, who publishes it; never out of a record.

    Raises:
        UsageError: nobody says, and it is not known.
    """
    name = request.query_params.get("name", _NAMES.get(area, ""))
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise UsageError(f"name: say in 1 to {NAME_CHARS_MAX} characters what {area!r} is called where it is published")
    return name


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/teams/{team}/briefing-pack",
        handler=read_pack,
        who=READERS,
        gives=BriefingPack,
        query={"begin": f"{_BEGIN}; now when absent.", "end": f"{_END}; 12 hours later when absent."},
    ),
    Operation(
        method="GET",
        path="/v1/areas/{area}/neighbourhood-update",
        handler=read_update,
        who=SUPERVISING,
        gives=NeighbourhoodUpdate,
        query={
            "begin": f"{_BEGIN}; needed.",
            "end": f"{_END}; needed.",
            "name": "What the area is called in it; needed where it is none of the seven of the West Midlands.",
        },
    ),
)
