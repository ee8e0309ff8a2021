"""Routes: records in the formats of others, to be published or to be put on a map."""

from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas import scopes
from schemas.ids import RecordId, RecordText, ScopeName
from schemas.kinds import Incident, StopSearch
from server.exporting import geojson, searches
from server.http.callers import caller_of
from server.http.consulting import listed
from server.http.operations import AFTER_ID_MEANING, LIMIT_MEANING, Operation, after_id_of, limit_of
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, page, walk


class SearchRows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of searches as they are published.

    Attributes:
        columns: as data.police.uk has them.
        rows: cell by cell; in the order in which they were first written down.
        next: pass it as `after` for the next page, also behind one without rows; null on the last one.
    """

    columns: tuple[str, ...]
    rows: list[list[str]]
    next: RecordText | None


class IncidentMap(msgspec.Struct, frozen=True, kw_only=True):
    """A page of incidents as GeoJSON, whole in itself (RFC 7946 section 3.3).

    Attributes:
        type: always `FeatureCollection`.
        features: an incident each, in order of id.
        next: pass it as `after` for the next page, also behind one without features; null on the last one.
    """

    type: Literal["FeatureCollection"]
    features: list[geojson.Feature]
    next: RecordText | None


async def export_incidents(request: Request) -> Response:
    """A page of incidents as GeoJSON, with their exact positions; what is in a compartment is left out."""
    limit, after = limit_of(request), after_id_of(request)
    scope = request.query_params.get("scope")
    held = None if scope is None else ScopeName(scope)
    found, behind = await page(walk(beatbook_of(request).store, "incident", caller_of(request), held, after), limit)
    features: list[geojson.Feature] = []
    for state in found:
        incident = state.build()
        if isinstance(incident, Incident) and not any(map(scopes.closed, state.scopes())):
            features.append(geojson.feature(state.id, incident))
    await listed(request, [RecordId(one.id) for one in features])
    return reply(IncidentMap(type="FeatureCollection", features=features, next=behind))


async def export_searches(request: Request) -> Response:
    """A page of the month's stops and searches, in the columns of data.police.uk, without names or exact places."""
    month = searches.checked_month(request.query_params.get("month", ""))
    limit, after = limit_of(request), after_id_of(request)
    beatbook = beatbook_of(request)
    found, behind = await page(walk(beatbook.store, "stop-search", caller_of(request), None, after), limit)
    taken: list[RecordId] = []
    rows: list[list[str]] = []
    for state in found:
        search = state.build()
        # What is closed is published by nobody, whoever may see it.
        if not isinstance(search, StopSearch) or any(map(scopes.closed, state.scopes())):
            continue
        cells = searches.row(search, beatbook.office.settings.powers)
        if searches.is_of(cells, month):
            taken.append(state.id)
            rows.append(cells)
    await listed(request, taken)
    return reply(SearchRows(columns=searches.COLUMNS, rows=rows, next=behind))


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/export/incidents.geojson",
        handler=export_incidents,
        who=READERS,
        gives=IncidentMap,
        query={
            "scope": "Only incidents in this scope, as in area:birmingham.",
            "after": AFTER_ID_MEANING,
            "limit": LIMIT_MEANING,
        },
    ),
    Operation(
        method="GET",
        path="/v1/export/stop-search",
        handler=export_searches,
        who=READERS,
        gives=SearchRows,
        query={"month": "Which, as in 2026-11; needed.", "after": AFTER_ID_MEANING, "limit": LIMIT_MEANING},
    ),
)
