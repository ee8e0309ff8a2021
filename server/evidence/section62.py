"""Who did what with whose data: the log that section 62 of the Data Protection Act 2018 asks for, searched and told.

Nothing is written twice for it. Collection and alteration are the ops, erasure and disclosure the acts, and what was
consulted or combined is in the read logs of handhelds and in the journal of the server's own callers. A search walks
all of these in the order of the log, and each finding names its entry there, so that it can be proven. Searching tells
much about people, so every search is itself in the journal, with who and why, before a line of it is shown.
"""

import csv
import enum
import heapq
import io
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Annotated, Final

import msgspec

from schemas.codec import reread_op
from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, MillisInt, OfficerId, OfficerText, RecordId, RecordText, split_op_id
from schemas.limits import PAGE_ROWS_MAX, REASON_CHARS_MAX
from server import dossier
from server.commits import Submission
from server.events.kept import SHARED, Shared
from server.evidence.consulted import CONSULTED, KEY_BYTES, Commits, consultations
from server.falling_due import AUTHOR
from server.intake import ReadBatch
from server.logbook import ACT, OFFICE, READS, Entry, KeptEntry
from server.quarantine import OPENED, Opened
from server.registry.acts import Disclosed, RecordErased, decode, seat_of
from server.store import Store
from server.store.port import KeptOp
from sync.explain.values import moment

SEARCHED: Final = "search"
"""The journal's sort of searches."""
EVENTS_MAX: Final = 1_000
"""Findings of one page; a read log's entry that goes over is still told whole."""
LOOKED_AT_MAX: Final = 50_000
"""Ops and entries that one page looks at: a search that finds nothing must not hold a request for minutes."""
TOLD: Final = (READS, ACT, CONSULTED, SEARCHED, OPENED, SHARED)
"""The sorts of journal entries that tell of it. Others are never read: there is a signed head for each push."""
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection)."""
_COLUMNS: Final = ("at", "kind", "officer", "seat", "record", "why", "recipients", "matter", "words", "source", "entry")


class Kind(enum.Enum):
    """What was done with data: section 62(1), and searches of this log."""

    COLLECTION = "collection"
    ALTERATION = "alteration"
    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"
    ERASURE = "erasure"
    SEARCH = "search"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did.

    Attributes:
        at: when (ms since 1970): of ops and acts by the server's clock, of a handheld's reads by its corrected one.
        kind: what.
        officer, seat: who, and where; the officer is "" where only the erased op itself said it.
        record: whose data; "" of a search for no record.
        why: the justification, where one is asked for.
        recipients: of a disclosure.
        matter: for the sake of which incident or booking.
        words: of a search on a handheld: what was searched for.
        source: the op, act or journal entry that says so.
        entry: its place in the log.
    """

    at: Millis
    kind: Kind
    officer: str
    seat: str
    record: str
    why: str = ""
    recipients: tuple[str, ...] = ()
    matter: str = ""
    words: str = ""
    source: str
    entry: int


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is searched for; what is left out is not asked about.

    Attributes:
        officer: done by whom.
        record: to which record.
        since, until: in [since, until), ms since 1970.
        kinds: which kinds of doing.
    """

    officer: OfficerText | None = None
    record: RecordText | None = None
    since: MillisInt | None = None
    until: MillisInt | None = None
    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(max_length=len(Kind))] = ()

    def wants(self, event: Event) -> bool:
        """Whether an event is one of those."""
        return (
            self.officer in {None, event.officer}
            and self.record in {None, event.record}
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
            and (not self.kinds or event.kind in self.kinds)
        )


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody searched, as the journal keeps it.

    Attributes:
        officer, seat: who, where.
        at: when (ms since 1970).
        query: for what.
        after: from where on, of a further page.
        why: what for.
    """

    officer: OfficerId
    seat: DeviceId
    at: Millis
    query: Query
    after: str
    why: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of what was found, in the order of the log.

    Attributes:
        events: it; it may be empty though there is more.
        next: where the next page begins; None at the end.
    """

    events: tuple[Event, ...]
    next: str | None


class Section62:
    """Searches the log of one running server."""

    def __init__(self, store: Store, commits: Commits, officer_of: Callable[[DeviceId], OfficerId | None]) -> None:
        """Bind it.

        Args:
            store: whose log.
            commits: where searches are made durable.
            officer_of: whose a seat is, or was; None when nobody knows.
        """
        self._store = store
        self._commits = commits
        self._officer_of = officer_of

    async def search(self, search: Searched, limit: int = EVENTS_MAX) -> Page:
        """A page of what was found. That it was asked for is durable before anything is read.

        Args:
            search: who asks for what, and why; whoever calls has seen to it that they are an auditor.
            limit: how many events, 1 to EVENTS_MAX.

        Raises:
            UsageError: no reason was given, or `after` is none that a page has told.
            StoreError: the store failed: nothing was told.
        """
        if not search.why.strip() or len(search.why) > REASON_CHARS_MAX:
            raise UsageError(f"say why you search the log, in 1 to {REASON_CHARS_MAX} characters: it is kept")
        if not 1 <= limit <= EVENTS_MAX:
            raise UsageError(f"{limit} findings at once cannot be given: ask for 1 to {EVENTS_MAX}")
        op_place, journal_place = _place(search.after)
        key = f"{search.seat}:{search.at}:{secrets.token_hex(KEY_BYTES)}"
        entry = Entry(SEARCHED, key, msgspec.msgpack.encode(search))
        await self._commits.commit(Submission(OFFICE, frozenset(), (), entries=(entry,)))
        size = (await self._store.tree()).size
        found: list[Event] = []
        looked = 0
        async for one in self._walk(search.query, op_place, journal_place, size):
            if len(found) >= limit or looked >= LOOKED_AT_MAX:
                return Page(events=tuple(found), next=f"{op_place}.{journal_place}")
            looked += 1
            if isinstance(one, KeptOp):
                op_place, events = one.place, self._of_op(one)
            else:
                journal_place, events = one.place, list(_of_entry(one))
            found += [event for event in events if search.query.wants(event)]
        return Page(events=tuple(found), next=None)

    # --- in the order of the log -------------------------------------------------------------------------------------

    async def _walk(
        self, query: Query, op_place: int, journal_place: int, size: int
    ) -> AsyncIterator[KeptOp | KeptEntry]:
        """Ops and entries behind these places, in the order of the log as it stood when it was asked about."""
        streams: list[AsyncIterator[KeptOp | KeptEntry]] = [
            self._ops(query, op_place),
            *(self._entries(what, journal_place) for what in TOLD),
        ]
        ahead: list[tuple[int, int, KeptOp | KeptEntry]] = []
        for number, stream in enumerate(streams):
            if (one := await anext(stream, None)) is not None:
                heapq.heappush(ahead, (one.leaf, number, one))
        while ahead and ahead[0][0] < size:
            _, number, one = ahead[0]
            yield one
            behind = await anext(streams[number], None)
            if behind is None:
                heapq.heappop(ahead)
            else:
                heapq.heapreplace(ahead, (behind.leaf, number, behind))

    async def _ops(self, query: Query, place: int) -> AsyncIterator[KeptOp]:
        if query.record is not None:
            for kept in await self._ops_about(query.record):
                if kept.place > place:
                    yield kept
            return
        while page := await self._store.ops(None, place, PAGE_ROWS_MAX):
            for kept in page:
                yield kept
            place = page[-1].place

    async def _ops_about(self, record: RecordId) -> list[KeptOp]:
        """The ops on a record and on the inbox items about it: a decision changes the record too."""
        account = await dossier.account(self._store, record, Millis(0))
        found: list[KeptOp] = []
        for one in [record, *sorted({} if account is None else account.items)]:
            place = 0
            while page := await self._store.ops(one, place, PAGE_ROWS_MAX):
                found += page
                place = page[-1].place
        return sorted(found, key=lambda kept: kept.place)

    async def _entries(self, what: str, place: int) -> AsyncIterator[KeptEntry]:
        while page := await self._store.journal(what, place, PAGE_ROWS_MAX):
            for kept in page:
                if kept.body is not None:
                    yield kept
            place = page[-1].place

    def _of_op(self, kept: KeptOp) -> list[Event]:
        """What an op did, to its record and by a decision to another one; a refused one did nothing."""
        if kept.result.status != "durable":
            return []
        seat, _ = split_op_id(kept.id)
        if not kept.body:
            # What it said was erased. The log still knows which seat wrote it, and when.
            author, why, kind = self._officer_of(seat) or OfficerId(""), "(erased)", Kind.ALTERATION
        else:
            op = reread_op(kept.body)
            seat = op.seat
            author, why, kind = op.author, op.why, Kind.COLLECTION if op.create else Kind.ALTERATION
        also = dict.fromkeys(act.record for act in kept.acts if act.record != kept.record)
        return [
            Event(
                at=kept.recorded_at,
                kind=kind if record == kept.record else Kind.ALTERATION,
                officer=author,
                seat=seat,
                record=record,
                why=why,
                source=f"op {kept.id}",
                entry=kept.leaf,
            )
            for record in (kept.record, *also)
        ]


def _of_entry(kept: KeptEntry) -> Iterator[Event]:
    source = f"{kept.what} {kept.key}"
    body = kept.body or b""
    match kept.what:
        case "reads":
            batch = msgspec.msgpack.decode(body, type=ReadBatch)
            for read in batch.reads():
                for record in read.records:
                    yield Event(
                        at=read.at,
                        kind=Kind(read.what),
                        officer=read.author,
                        seat=batch.seat,
                        record=record,
                        why=read.why,
                        recipients=read.recipients,
                        matter=read.matter or "",
                        words=read.words,
                        source=f"{source} entry {read.n}",
                        entry=kept.leaf,
                    )
        case "consultation":
            for look in consultations(kept):
                for record in look.records:
                    yield Event(
                        at=look.at,
                        kind=Kind(look.what),
                        officer=look.officer,
                        seat=look.seat,
                        record=record,
                        why=look.why,
                        matter=look.matter or "",
                        source=source,
                        entry=kept.leaf,
                    )
        case "search":
            search = msgspec.msgpack.decode(body, type=Searched)
            yield Event(
                at=search.at,
                kind=Kind.SEARCH,
                officer=search.officer,
                seat=search.seat,
                record=search.query.record or "",
                why=search.why,
                source=source,
                entry=kept.leaf,
            )
        case "quarantine-opened":
            opened = msgspec.msgpack.decode(body, type=Opened)
            yield Event(
                at=opened.at,
                kind=Kind.CONSULTATION,
                officer=opened.by,
                seat=opened.seat,
                record=kept.record or "",
                why=opened.why,
                source=source,
                entry=kept.leaf,
            )
        case "event-disclosure":
            shared = msgspec.msgpack.decode(body, type=Shared)
            yield Event(
                at=shared.at,
                kind=Kind.DISCLOSURE,
                officer=AUTHOR,
                seat=OFFICE,
                record=shared.record,
                why=f"webhook {shared.webhook}: {', '.join(shared.fields) or 'that there is one'}, from then on",
                recipients=(f"{shared.webhook} ({shared.host})",),
                source=source,
                entry=kept.leaf,
            )
        case _:
            yield from _of_act(body, source, kept.leaf)


def _of_act(body: bytes, source: str, entry: int) -> Iterator[Event]:
    act = decode(body)
    if isinstance(act, Disclosed | RecordErased):
        disclosed = isinstance(act, Disclosed)
        yield Event(
            at=act.at,
            kind=Kind.DISCLOSURE if disclosed else Kind.ERASURE,
            officer=act.by,
            seat=seat_of(act) or OFFICE,
            record=act.record,
            why=act.why,
            recipients=act.recipients if isinstance(act, Disclosed) else (),
            source=source,
            entry=entry,
        )


def _place(after: str) -> tuple[int, int]:
    """(place of an op, place in the journal) behind which a page begins."""
    if not after:
        return 0, 0
    parts = after.split(".")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts):  # noqa: PLR2004
        raise UsageError(f"after={after!r}: give what `next` of the page before says")
    return int(parts[0]), int(parts[1])


def as_csv(events: Iterable[Event]) -> str:
    """The events as CSV (RFC 4180) with a line of heads; no cell is one that a spreadsheet would run."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for one in events:
        cells: Sequence[object] = (
            *(moment(one.at), one.kind.value, one.officer, one.seat, one.record, one.why),
            *("; ".join(one.recipients), one.matter, one.words, one.source, one.entry),
        )
        writer.writerow([_harmless(str(cell)) for cell in cells])
    return buffer.getvalue()


def as_json(events: Iterable[Event]) -> bytes:
    """The events as a JSON array, one object for each."""
    return msgspec.json.format(msgspec.json.encode(list(events)), indent=1)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_DANGEROUS) else cell
