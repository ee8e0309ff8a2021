"""Routes: a victim follows their own report. An officer gives a token out; with it the report's progress is shown.

The token travels in a header or in a form's body, never in an address. The page is a form without any script: whoever
has been given a token pastes it. A token that never was and one that holds no longer are answered alike, and trying is
slow for everybody.
"""

import html
import time
import urllib.parse
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas.ids import Millis, MillisInt
from schemas.kinds.common import Line
from schemas.limits import REASON_CHARS_MAX
from schemas.rights import POLICE
from server.beatbook import Beatbook
from server.edge.addresses import source_of
from server.edge.bounds import ADDRESSES_MAX
from server.edge.buckets import Buckets, Rate
from server.http.callers import TooFastError, address_of, caller_of
from server.http.operations import ANYBODY, Operation, read_body
from server.http.problems import reply
from server.http.sight import seen_record
from server.public_status import StatusTokens
from sync.policing.incidents.numbers import london_day
from sync.policing.public import Progress, progress

LOOKS: Final = Rate(per_s=0.2, burst=20)
"""How often one address may look: enough for a family behind one, far too little to try tokens."""
DAYS: Final = 90
DAYS_MAX: Final = 365
FORM_BYTES_MAX: Final = 1_024
UNKNOWN: Final = (
    "there is no report to show for this token: it is mistyped, or holds no longer; ask whoever gave it out"
)
_SLOW: Final = "You have asked too often. Please come back in a few minutes."
_SCHEME: Final = "bearer "
_FORM: Final = """<form method="post" action="/status">
<p><label for="token">The code that you were given</label></p>
<p><input id="token" name="token" type="password" autocomplete="off" required maxlength="64"></p>
<p><button type="submit">Show my report</button></p>
</form>"""
_PAGE: Final = """<!doctype html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Your report</title></head>
<body><main><h1>Your report</h1>
{body}
</main></body></html>
"""
# With the edge's `no-referrer` a browser would send the form with the Origin `null`, which is nobody's.
_HEADERS: Final = {"Referrer-Policy": "same-origin"}
_Why = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARS_MAX)]


class NewStatusToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to give to a victim.

    Attributes:
        person: the victim, as the incident names them in `people`.
        why: what for; it is kept, with who gave it out and to whom.
        days: how many days it holds.
    """

    person: Line
    why: _Why
    days: Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)] = DAYS


class StatusToken(msgspec.Struct, frozen=True, kw_only=True):
    """What to give to the victim, and to nobody else; it cannot be shown again.

    Attributes:
        token: 256 random bits in base64url.
        until: the first moment at which it no longer holds (ms since 1970).
    """

    token: str
    until: MillisInt


class StatusEnd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every token of an incident is to hold no longer.

    Attributes:
        why: what for; it is kept, with who ended them.
    """

    why: _Why


class StatusEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens hold no longer.

    Attributes:
        ended: how many there were.
    """

    ended: int


class StatusDesk:
    """Where a running server's tokens are given out and shown."""

    def __init__(self, beatbook: Beatbook, clock: Callable[[], float] = time.monotonic) -> None:
        """Bind it; everybody is rested.

        Args:
            beatbook: the running server.
            clock: seconds, never going back.
        """
        self._beatbook = beatbook
        self._looks = Buckets(LOOKS, ADDRESSES_MAX, clock)
        self.tokens = StatusTokens(beatbook.store, beatbook.authority.ledger, beatbook.now)

    async def show(self, token: str, address: str | None) -> Progress | None:
        """What a token shows; None for one that shows nothing, whyever.

        Raises:
            TooFastError: somebody at this address has looked too often.
        """
        wait_ms = self._looks.take(source_of(address or ""))
        if wait_ms is not None:
            raise TooFastError(wait_ms)
        found = await self.tokens.find(token)
        if found is None:
            return None
        record, incident, person = found
        unit = self._beatbook.authority.ledger.registry.units.get(incident.area)
        contact = incident.area.replace("-", " ").title() if unit is None else unit.title
        return progress(record, incident, person, contact, self._beatbook.office.settings.incidents)


async def issue_status_token(request: Request) -> Response:
    """A token with which one victim sees how their report stands; that it was given out is in the log first."""
    body = await read_body(request, NewStatusToken)
    state = await seen_record(request, called="incident")
    caller = caller_of(request)
    token, until = await _desk(request).tokens.issue(
        state, body.person, by=caller.officer, seat=caller.seat, why=body.why, days=body.days
    )
    return reply(StatusToken(token=token, until=until), 201)


async def end_status_tokens(request: Request) -> Response:
    """End every token of an incident, at once."""
    body = await read_body(request, StatusEnd)
    state = await seen_record(request, called="incident")
    caller = caller_of(request)
    ended = await _desk(request).tokens.end(state.id, by=caller.officer, seat=caller.seat, why=body.why)
    return reply(StatusEnded(ended=ended))


async def read_public_status(request: Request) -> Response:
    """How a victim's own report stands, for the token in the Authorization header (RFC 6750 section 2.1)."""
    given = request.headers.get("authorization", "")
    token = given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""
    shown = await _desk(request).show(token, address_of(request))
    if shown is None:
        raise HTTPException(404, UNKNOWN)
    return reply(shown)


async def ask_for_status(_request: Request) -> Response:
    """The page on which a victim gives their token."""
    return _page(_FORM)


async def show_status_page(request: Request) -> Response:
    """How a victim's own report stands, as a page, for the form's field `token`."""
    fields = urllib.parse.parse_qs((await _form(request)).decode("latin-1"), max_num_fields=4)
    try:
        shown = await _desk(request).show(fields.get("token", [""])[0].strip(), address_of(request))
    except TooFastError:
        return _page(f"<p>{_SLOW}</p>", 429)
    if shown is None:
        return _page(f"<p>{html.escape(_sentence(UNKNOWN))}</p>\n{_FORM}", 404)
    return _page(_told(shown))


def _desk(request: Request) -> StatusDesk:
    found: StatusDesk = request.app.state.status
    return found


async def _form(request: Request) -> bytes:
    whole = b""
    async for part in request.stream():
        whole += part
        if len(whole) > FORM_BYTES_MAX:
            raise HTTPException(413, f"at most {FORM_BYTES_MAX} bytes in this form")
    return whole


def _page(body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(body=body), status, headers=_HEADERS)


def _told(shown: Progress) -> str:
    lines = [
        ("Reference", shown.reference),
        ("Reported", _day(shown.reported_at)),
        ("Where it stands", shown.stands),
        ("What was decided", shown.decided),
        ("We told you why on", "" if shown.told_at is None else _day(shown.told_at)),
        ("You will hear from us by", "" if shown.next_update_at is None else _day(shown.next_update_at)),
        ("Who deals with it", shown.contact),
    ]
    rows = (f"<dt>{name}</dt><dd>{html.escape(words)}</dd>" for name, words in lines if words)
    return "<dl>\n" + "\n".join(rows) + "\n</dl>"


def _day(moment: Millis) -> str:
    day = london_day(moment)
    return f"{day.day} {day:%B %Y}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/v1/incidents/{record}/status-token",
        handler=issue_status_token,
        who=POLICE,
        takes=NewStatusToken,
        gives=StatusToken,
        status=201,
    ),
    Operation(
        method="POST",
        path="/v1/incidents/{record}/status-token/revocation",
        handler=end_status_tokens,
        who=POLICE,
        takes=StatusEnd,
        gives=StatusEnded,
    ),
    Operation(
        method="GET",
        path="/v1/public/status",
        handler=read_public_status,
        who=ANYBODY,
        gives=Progress,
        holds="status",
    ),
    Operation(method="GET", path="/status", handler=ask_for_status, who=ANYBODY),
    Operation(method="POST", path="/status", handler=show_status_page, who=ANYBODY),
)
