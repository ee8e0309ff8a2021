"""Routes: records in the formats of others, to be published or to be put on a map."""

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas import scopes
from schemas.ids import RecordId, RecordText, ScopeName
from schemas.kinds import Incident, Kind, StopSearch, UseOfForce
from server.exporting import force, geojson, searches
from server.exporting.cells import checked_month
from server.http.callers import caller_of
from server.http.consulting import listed
from server.http.operations import AFTER_ID_MEANING, LIMIT_MEANING, Operation, after_id_of, limit_of
from server.http.problems import beatbook_of, reply
from server.http.sight import READERS, page, walk


class PublishedRows(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records as they are published.

    Attributes:
        columns: as they are published.
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
    settings = beatbook_of(request).office.settings.powers

    def cells(search: Kind) -> list[str] | None:
        return searches.row(search, settings) if isinstance(search, StopSearch) else None

    return await _published(request, "stop-search", cells, searches.is_of, searches.COLUMNS)


async def export_force(request: Request) -> Response:
    """A page of the month's uses of force, in the columns that forces publish, without names, accounts or places."""

    def cells(report: Kind) -> list[str] | None:
        return force.row(report) if isinstance(report, UseOfForce) else None

    return await _published(request, "use-of-force", cells, force.is_of, force.COLUMNS)


async def _published(
    request: Request,
    kind: str,
    cells_of: Callable[[Kind], list[str] | None],
    is_of: Callable[[list[str], str], bool],
    columns: tuple[str, ...],
) -> Response:
    """A page of a month of a kind.

    Args:
        request: the request.
        kind: which.
        cells_of: what is published of a record; None of one that this program does not know.
        is_of: whether such a row is of a month.
        columns: of the rows.
    """
    month = checked_month(request.query_params.get("month", ""))
    limit, after = limit_of(request), after_id_of(request)
    found, behind = await page(walk(beatbook_of(request).store, kind, caller_of(request), None, after), limit)
    taken: list[RecordId] = []
    rows: list[list[str]] = []
    for state in found:
        # What is closed is published by nobody, whoever may see it.
        cells = None if any(map(scopes.closed, state.scopes())) else cells_of(state.build())
        if cells is not None and is_of(cells, month):
            taken.append(state.id)
            rows.append(cells)
    await listed(request, taken)
    return reply(PublishedRows(columns=columns, rows=rows, next=behind))


MONTH: Final = {"month": "Which, as in 2026-11; needed.", "after": AFTER_ID_MEANING, "limit": LIMIT_MEANING}
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
        gives=PublishedRows,
        query=MONTH,
    ),
    Operation(
        method="GET",
        path="/v1/export/use-of-force",
        handler=export_force,
        who=READERS,
        gives=PublishedRows,
        query=MONTH,
    ),
)
