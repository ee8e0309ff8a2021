"""That callers look at records is noted before they are answered (Data Protection Act 2018 section 62).

Whoever is signed in says why, once for each incident or booking, in a header: addresses end up in the logs of others.
A program's seat is there for one purpose, which its grant has named, and is not asked again.
"""

import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from schemas.errors import UsageError
from schemas.ids import RecordId, is_record_id
from server.evidence.consulted import Consulted, UnjustifiedError, What
from server.http.callers import caller_of
from server.http.problems import beatbook_of
from sync.merge import RecordState

REASON: Final = "beatbook-reason"
"""The header that says why, percent-encoded UTF-8."""
MATTER: Final = "beatbook-matter"
"""The header that names for the sake of which incident or booking; by default the record that is looked at."""
RECIPIENTS: Final = "beatbook-recipients"
"""The header that says to whom something goes: each percent-encoded UTF-8, with commas between."""
PROGRAM: Final = "a program, for what its seat was granted"
WAITING: Final = "to see what waits for a decision"


async def looked_at(request: Request, state: RecordState) -> None:
    """Note that the caller looks at a record; answer them once this returns.

    Raises:
        HTTPException: 428: they have to say why first (RFC 6585 section 3).
        UsageError: the matter that they name is no record.
        StoreError: it could not be made durable.
    """
    await _note(request, "consultation", [state.id], state.build().about() or state.id, "")


async def listed(request: Request, records: Sequence[RecordId], why: str = "") -> None:
    """Note that the caller is given a list of records; as `looked_at`.

    Args:
        request: the request.
        records: what is in it; of an empty list nothing is noted.
        why: the reason where none has to be said.
    """
    if records:
        await _note(request, "combination", records, None, why)


async def named(request: Request, records: Sequence[RecordId], matter: RecordId | None = None) -> None:
    """Note that the caller is given what names these records and tells when something was done to them; as `looked_at`.

    Args:
        request: the request.
        records: which; of none nothing is noted.
        matter: for the sake of which incident or booking, where they do not say it.
    """
    if records:
        await _note(request, "consultation", records, matter, "")


async def _note(request: Request, what: What, records: Sequence[RecordId], matter: RecordId | None, why: str) -> None:
    caller, beatbook = caller_of(request), beatbook_of(request)
    named = request.headers.get(MATTER)
    if named is not None and not is_record_id(named):
        raise UsageError(f"{MATTER}: {named!r} is no record id: name the incident or booking for whose sake you look")
    said = reason_of(request)
    look = Consulted(
        what=what,
        officer=caller.officer,
        seat=caller.seat,
        records=tuple(records),
        at=beatbook.now(),
        matter=matter if named is None else RecordId(named),
        why=said or why or (PROGRAM if caller.sign_in is None else ""),
    )
    try:
        await beatbook.consultations.note(look)
    except UnjustifiedError as error:
        raise HTTPException(428, f"{error}; send it in the header {REASON}") from None


def reason_of(request: Request) -> str:
    """Why, as the caller says in the header; "" where they do not."""
    return urllib.parse.unquote(request.headers.get(REASON, ""))


def recipients_of(request: Request) -> tuple[str, ...]:
    """To whom, as the caller says in the header; nobody where they do not."""
    given = request.headers.get(RECIPIENTS, "").split(",")
    return tuple(urllib.parse.unquote(one.strip()) for one in given if one.strip())


def recipient_headers(recipients: Iterable[str]) -> dict[str, str]:
    """The header that says to whom, as a caller sends it; none for nobody."""
    told = ",".join(urllib.parse.quote(one, safe="") for one in recipients)
    return {RECIPIENTS: told} if told else {}


def reason_headers(why: str) -> dict[str, str]:
    """The header that says why, as a caller sends it; none for ""."""
    return {REASON: urllib.parse.quote(why)} if why else {}
