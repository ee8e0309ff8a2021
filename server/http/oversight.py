"""Routes for those who answer for others' work: by which grant a record is on a device, quarantine, and alarms."""

from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.codec import decode_row
from schemas.ids import DeviceId, DeviceText, Millis, OfficerText, RecordText, ScopeText
from schemas.limits import PAGE_ROWS_MAX
from schemas.rights import SUPERVISING
from schemas.roles import Role
from server.alarms import Alarm
from server.http.callers import caller_of, sees, standing_of
from server.http.identities import Done
from server.http.operations import LIMIT_MEANING, Operation, after_place_of, limit_of, read_body, record_in
from server.http.problems import beatbook_of, reply
from server.intake import KeptReceipt
from server.logbook import ALARM, RECEIPT
from server.quarantine import Edit
from server.registry import rights_of
from server.registry.acts.base import Why
from server.registry.state import Seat
from sync import merge

WATCHERS: Final = (Role.AUDITOR, Role.ADMINISTRATOR)
_ALARM: Final = msgspec.msgpack.Decoder(Alarm)
_RECEIPT: Final = msgspec.msgpack.Decoder(KeptReceipt)


class GrantBody(msgspec.Struct, frozen=True, kw_only=True):
    """One scope by which a record is on a device.

    Attributes:
        scope, gen: the scope and its generation.
        words: the reasons for which the seat holds it now, each a sentence; none when the right has ended and the
            device has not been in contact since.
    """

    scope: ScopeText
    gen: int
    words: list[str]


class EndedBody(msgspec.Struct, frozen=True, kw_only=True):
    """One scope by which a record was on a device, until that grant ended.

    Attributes:
        scope, gen: the scope and its generation.
        until: when the grant ended (ms since 1970).
        removed_at: when the device removed it, as it has signed (ms since 1970); null while there is no receipt.
    """

    scope: ScopeText
    gen: int
    until: int
    removed_at: int | None


class HolderBody(msgspec.Struct, frozen=True, kw_only=True):
    """A seat of the device.

    Attributes:
        seat, officer: which, whose.
        grants: the scopes by which it holds the record; none where it does not.
        ended: the scopes by which it held it.
        wipe: why the seat is to be wiped, or was; null when it is not.
        wiped_at: when it was, as the device has signed (ms since 1970); null while there is no receipt.
    """

    seat: DeviceText
    officer: OfficerText
    grants: list[GrantBody]
    ended: list[EndedBody]
    wipe: str | None
    wiped_at: int | None


class WhyBody(msgspec.Struct, frozen=True, kw_only=True):
    """By which grant a record is on a device.

    Attributes:
        record, device: which.
        seats: the device's seats, in use or not.
    """

    record: RecordText
    device: DeviceText
    seats: list[HolderBody]


class QuarantineLine(msgspec.Struct, frozen=True, kw_only=True):
    """An edit in quarantine, in a list: that it is there, and not what it says.

    Attributes:
        key: its name.
        seat: where it was written.
        author: by whom; "" for one that cannot be read.
        kind, record: of what; the record is null for a new one.
        at, occurred_at: when it came, when it happened as its author says (ms since 1970).
    """

    key: str
    seat: DeviceText
    author: str
    kind: str
    record: RecordText | None
    at: int
    occurred_at: int


class QuarantineList(msgspec.Struct, frozen=True, kw_only=True):
    """The edits that wait for somebody, as they came; at most 500."""

    edits: list[QuarantineLine]


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody looks into an edit.

    Attributes:
        key: its name in the list.
        why: what for; it is in the log before the edit is told.
    """

    key: str
    why: Why


class QuarantineBody(msgspec.Struct, frozen=True, kw_only=True):
    """An edit in quarantine.

    Attributes:
        line: as in the list.
        why: its author's reason.
        changes: field -> change, as in an op.
    """

    line: QuarantineLine
    why: str
    changes: dict[str, Any]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of an edit.

    Attributes:
        key: its name in the list.
        adopt: whether it is written into its record after all, in its author's name; else it is discarded.
        why: the reason; it stays in the log for ever.
    """

    key: str
    adopt: bool
    why: Why


class AlarmBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person must look at.

    Attributes:
        code: what.
        seat: whose.
        detail: in words.
        at: when it was noticed (ms since 1970).
    """

    code: str
    seat: DeviceText
    detail: str
    at: int


class AlarmList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of alarms.

    Attributes:
        alarms: as they were noticed.
        next: pass it as `after` for the next page; null on the last one.
    """

    alarms: list[AlarmBody]
    next: int | None


async def tell_why(request: Request) -> Response:
    """By which grant a record is on a device: the scopes, and the reasons in words."""
    caller, beatbook = caller_of(request), beatbook_of(request)
    record = record_in(request)
    row = await beatbook.store.record(record)
    scopes = frozenset() if row is None else frozenset(merge.from_row(decode_row(row)).scopes())
    if not scopes or not (sees(caller, scopes) or not caller.roles.isdisjoint(WATCHERS)):
        raise HTTPException(404, f"there is no record {record!r}")
    registry = beatbook.authority.ledger.registry
    device = DeviceId(request.path_params["device"])
    seats: list[Seat] = []
    if device in registry.devices:
        seats = list(registry.devices[device].seats)
    elif device in registry.seats:
        seats = [registry.seats[device]]
    else:
        raise HTTPException(404, f"there is no device or seat {device!r}")
    now = beatbook.now()
    receipts = await _receipts(request, {seat.seat for seat in seats})
    holders = []
    for seat in seats:
        reasons = rights_of(registry, seat.seat, now)
        grants = [
            GrantBody(scope=scope, gen=gen, words=[f"{reason.words}." for reason in reasons.get(scope, ())])
            for scope, gen in sorted(seat.grants().items())
            if scope in scopes
        ]
        wiped_at = receipts.get((seat.seat, "", 0))
        ended = [
            EndedBody(
                scope=scope,
                gen=held.gen,
                until=held.until,
                removed_at=receipts.get((seat.seat, scope, held.gen), wiped_at),
            )
            for scope, held in sorted(seat.held.items())
            if scope in scopes and not held.active and held.until is not None
        ]
        wipe = seat.device.wipe or seat.wipe
        holders.append(
            HolderBody(
                seat=seat.seat,
                officer=seat.officer.officer,
                grants=grants,
                ended=ended,
                wipe=None if wipe is None else wipe.why,
                wiped_at=wiped_at,
            )
        )
    return reply(WhyBody(record=record, device=device, seats=holders))


async def _receipts(request: Request, seats: set[DeviceId]) -> dict[tuple[DeviceId, str, int], Millis]:
    """(seat, scope, generation) -> when it was removed, as the device signed; "" and 0 of everything, for a wipe."""
    store, found, place = beatbook_of(request).store, dict[tuple[DeviceId, str, int], Millis](), 0
    while page := await store.journal(RECEIPT, place, PAGE_ROWS_MAX):
        for kept in page:
            if kept.body is not None and kept.key.partition(":")[0] in seats:
                receipt = _RECEIPT.decode(kept.body)
                # Sent again in a later session: the first one counts.
                found.setdefault((receipt.seat, receipt.scope, receipt.gen), receipt.at)
        place = page[-1].place
    return found


async def list_quarantine(request: Request) -> Response:
    """The edits in quarantine about which nobody has decided, of records that the caller may see."""
    limit = limit_of(request)
    found: list[QuarantineLine] = []
    async for edit in beatbook_of(request).quarantine.waiting(caller_of(request).scopes):
        found.append(_line(edit))
        if len(found) == limit:
            break
    return reply(QuarantineList(edits=found))


async def open_quarantined(request: Request) -> Response:
    """Look into an edit in quarantine: a consultation, with its reason in the log before it is told."""
    body = await read_body(request, Look)
    caller = caller_of(request)
    edit = await beatbook_of(request).quarantine.look(body.key, caller.officer, body.why, standing_of(caller))
    changes = {str(name): change for name, change in edit.changes.items()}
    return reply(QuarantineBody(line=_line(edit), why=edit.why, changes=changes))


async def settle_quarantined(request: Request) -> Response:
    """Adopt an edit in quarantine into its record, or discard it, with a reason."""
    body = await read_body(request, Verdict)
    caller, quarantine = caller_of(request), beatbook_of(request).quarantine
    if body.adopt:
        await quarantine.adopt(body.key, caller.officer, body.why, standing_of(caller))
    else:
        await quarantine.discard(body.key, caller.officer, body.why, standing_of(caller))
    return reply(Done())


async def list_alarms(request: Request) -> Response:
    """What a person must look at: chains that differ, read logs that are missing, logs that forked."""
    limit, after = limit_of(request), after_place_of(request)
    store = beatbook_of(request).store
    page = await store.journal(ALARM, after, limit)
    alarms = [
        AlarmBody(code=alarm.code, seat=alarm.seat, detail=alarm.detail, at=alarm.at)
        for alarm in (_ALARM.decode(kept.body) for kept in page if kept.body is not None)
    ]
    more = bool(page) and bool(await store.journal(ALARM, page[-1].place, 1))
    return reply(AlarmList(alarms=alarms, next=page[-1].place if more else None))


def _line(edit: Edit) -> QuarantineLine:
    return QuarantineLine(
        key=edit.key,
        seat=edit.seat,
        author=edit.author,
        kind=edit.kind,
        record=edit.record,
        at=edit.at,
        occurred_at=edit.occurred_at,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/why/{record}/{device}",
        handler=tell_why,
        who=(*SUPERVISING, *WATCHERS),
        gives=WhyBody,
    ),
    Operation(
        method="GET",
        path="/v1/quarantine",
        handler=list_quarantine,
        who=SUPERVISING,
        gives=QuarantineList,
        query={"limit": LIMIT_MEANING},
    ),
    Operation(
        method="POST",
        path="/v1/quarantine/consultations",
        handler=open_quarantined,
        who=SUPERVISING,
        takes=Look,
        gives=QuarantineBody,
    ),
    Operation(
        method="POST",
        path="/v1/quarantine/verdicts",
        handler=settle_quarantined,
        who=SUPERVISING,
        takes=Verdict,
        gives=Done,
    ),
    Operation(
        method="GET",
        path="/v1/alarms",
        handler=list_alarms,
        who=WATCHERS,
        gives=AlarmList,
        query={"after": "The place behind which to go on.", "limit": LIMIT_MEANING},
    ),
)
