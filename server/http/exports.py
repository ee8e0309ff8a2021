"""Routes: what is given out to be published."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from schemas import scopes
from schemas.ids import RecordId, RecordText
from schemas.kinds import StopSearch
from server.exporting import searches
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
        path="/v1/export/stop-search",
        handler=export_searches,
        who=READERS,
        gives=SearchRows,
        query={"month": "Which, as in 2026-11; needed.", "after": AFTER_ID_MEANING, "limit": LIMIT_MEANING},
    ),
)
