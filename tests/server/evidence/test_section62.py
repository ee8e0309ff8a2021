"""`server.evidence.section62`: who did what with whose data is found, in order, and no search goes without a trace."""

import csv
import io
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from server.commits import Submission
from server.evidence import section62
from server.evidence.consulted import Consultations, Consulted
from server.evidence.findings import Report
from server.evidence.section62 import (
    EVENTS_MAX,
    SEARCHED,
    Event,
    Kind,
    Query,
    Searched,
    Section62,
    as_csv,
    as_json,
)
from server.evidence.whole import verify
from server.logbook import OFFICE, Entry, KeptEntry
from server.quarantine import OPENED, Opened
from server.registry import acts as a
from server.store.port import KeptOp
from server.store.sqlite.inspection import Inspection
from tests.server.evidence import mutations, station
from tests.server.evidence.station import BOSS, DESK, HANDSET, WHO, Station, record_id

AUDITOR = OfficerId("WM7777")
VAN = record_id("van")


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Station]:
    """A folder with ops, read logs, a disclosure, an erasure and a consultation over HTTP."""
    made, _ = await station.make(tmp_path / "data", rounds=6)
    await Consultations(made).note(
        Consulted(
            what="combination",
            officer=BOSS,
            seat=DESK,
            records=(VAN, record_id("shed")),
            at=made.clock(),
            matter=VAN,
            why="linked offences",
        )
    )
    await made.do(
        a.Disclosed, by=BOSS, record=VAN, recipients=("Crown Prosecution Service",), export=bytes(32), why="charging"
    )
    yield made
    await made.store.close()


def log_of(one: Station) -> Section62:
    """The searching side."""
    return Section62(one.store, one, WHO.get)


async def found(one: Station, limit: int = EVENTS_MAX, **asked: object) -> list[Event]:
    """Everything that a query finds, page by page."""
    events: list[Event] = []
    after: str | None = ""
    while after is not None:
        query = msgspec.convert(asked, Query)
        search = Searched(officer=AUDITOR, seat=DESK, at=one.clock(), query=query, after=after, why="yearly audit")
        page = await log_of(one).search(search, limit)
        events += page.events
        after = page.next
    return events


async def test_every_kind_of_processing_is_found(one: Station) -> None:
    """Section 62(1) names six, and each is somewhere in what a force does."""
    assert {event.kind for event in await found(one)} == set(Kind)


async def test_findings_come_in_the_order_of_the_log_and_each_once(one: Station) -> None:
    """Small pages tell the same as one large one, but for the searches themselves."""
    whole = [event for event in await found(one) if event.kind is not Kind.SEARCH]
    paged = [event for event in await found(one, limit=3) if event.kind is not Kind.SEARCH]
    assert paged == whole
    assert [event.entry for event in whole] == sorted(event.entry for event in whole)
    assert len({(event.entry, event.source, event.record) for event in whole}) == len(whole)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
async def test_a_page_has_as_many_findings_as_were_asked_for(one: Station, most: int) -> None:
    """Neither one more nor one less, but on the last page; nothing is told that was not asked for."""
    asked = Query(kinds=(Kind.COLLECTION,))
    whole = await found(one, kinds=("collection",))
    assert len(whole) == 3
    sizes: list[int] = []
    events: list[Event] = []
    after: str | None = ""
    while after is not None:
        search = Searched(officer=AUDITOR, seat=DESK, at=one.clock(), query=asked, after=after, why="yearly audit")
        page = await log_of(one).search(search, most)
        sizes.append(len(page.events))
        events += page.events
        after = page.next
    assert events == whole
    assert set(sizes[:-1]) <= {most}
    assert 0 <= sizes[-1] <= most


@pytest.mark.parametrize("asked", [Query(officer=OfficerId("WM0000")), Query(record=VAN, officer=OfficerId("WM0000"))])
async def test_a_page_that_finds_nothing_ends_where_enough_was_looked_at(
    one: Station, asked: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search for what is not there is many short requests, none of them twice over the same, and not one long one."""
    looked_at: list[list[str]] = []

    class Counting(Section62):
        async def _walk(self, *places: Any) -> AsyncIterator[KeptOp | KeptEntry]:  # noqa: ANN401  as it is called
            async for kept in super()._walk(*places):
                # The last one of a page is only seen to be there: the next page begins with it.
                looked_at[-1].append(f"{type(kept).__name__} {kept.place}")
                yield kept

    monkeypatch.setattr(section62, "LOOKED_AT_MAX", 7)
    counting = Counting(one.store, one, WHO.get)
    after: str | None = ""
    while after is not None:
        looked_at.append([])
        search = Searched(officer=AUDITOR, seat=DESK, at=one.clock(), query=asked, after=after, why="yearly audit")
        page = await counting.search(search)
        assert page.events == ()
        assert (len(looked_at[-1]) == 8) == (page.next is not None)
        after = page.next
    assert len(looked_at) > 3
    for names, further in itertools.pairwise(looked_at):
        assert names[-1] == further[0]
    counted = [name for names in looked_at for name in names[:7]]
    assert len(set(counted)) == len(counted)


async def test_a_page_tells_the_log_as_it_stood(one: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done while a page is being made is in no page of this search's beginning; a later search finds it."""
    ops = one.store.ops

    async def busy(record: RecordId | None, after: int, limit: int) -> list[KeptOp]:
        await one.commit(one.seats[HANDSET].push(one.note(HANDSET, "van", "in between")))
        return await ops(record, after, limit)

    before = [event.source for event in await found(one, kinds=("alteration",))]
    monkeypatch.setattr(one.store, "ops", busy)
    search = Searched(
        officer=AUDITOR, seat=DESK, at=one.clock(), query=Query(kinds=(Kind.ALTERATION,)), after="", why="audit"
    )
    page = await log_of(one).search(search)
    assert [event.source for event in page.events] == before
    monkeypatch.setattr(one.store, "ops", ops)
    assert len(await found(one, kinds=("alteration",))) > len(before)


async def test_entries_that_tell_of_nobodys_data_are_not_read(one: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are as many signed heads as pushes: who asks about one record must not wait until all are read."""
    asked: set[str | None] = set()
    journal = one.store.journal

    async def watched(what: str | None, after: int, limit: int) -> list[KeptEntry]:
        asked.add(what)
        return await journal(what, after, limit)

    monkeypatch.setattr(one.store, "journal", watched)
    await found(one, record=VAN)
    assert asked == {"reads", "act", "consultation", "search", "quarantine-opened", "event-disclosure"}


async def test_who_which_when_and_what_narrow_it(one: Station) -> None:
    """Each word of a query leaves out what it does not mean, and together they leave out what either does."""
    everything = await found(one)
    middle = sorted(event.at for event in everything)[len(everything) // 2]
    for asked in (
        {"officer": WHO[HANDSET]},
        {"record": VAN},
        {"since": middle},
        {"until": middle},
        {"kinds": ("consultation", "disclosure")},
        {"officer": WHO[HANDSET], "record": VAN, "kinds": ("alteration",)},
    ):
        query = msgspec.convert(asked, Query)
        wanted = [event for event in everything if query.wants(event) and event.kind is not Kind.SEARCH]
        got = [event for event in await found(one, **asked) if event.kind is not Kind.SEARCH]
        assert got == wanted
        assert 0 < len(got) < len(everything)


async def test_what_is_told_says_who_where_why_and_for_whom(one: Station) -> None:
    """Of a disclosure the recipients, of a consultation the reason and the matter, of an erased op its seat."""
    events = await found(one)
    given = [event for event in events if event.kind is Kind.DISCLOSURE]
    assert {event.recipients for event in given} == {("Aston Law Chambers",), ("Crown Prosecution Service",)}
    looks = [event for event in events if event.kind is Kind.CONSULTATION]
    assert {(event.why, event.matter) for event in looks} == {("burglary enquiry", VAN)}
    erased = [event for event in events if event.record == record_id("gone")]
    assert [(event.kind, event.officer, event.why) for event in erased] == [
        (Kind.ALTERATION, "WM1001", "(erased)"),
        (Kind.ERASURE, "WM9002", "MoPI group 4"),
    ]


async def test_an_edit_in_quarantine_that_was_opened_is_a_consultation(one: Station) -> None:
    """A supervisor who looks into what an officer could not send has read about a person, and said why."""
    opened = Opened("hh-0042:7:abc", BOSS, one.clock(), "is it still true?")
    entry = Entry(OPENED, "hh-0042:7:abc:WM9001:1", msgspec.msgpack.encode(opened), VAN)
    await one.commit(Submission(OFFICE, frozenset(), (), entries=(entry,)))
    (event,) = await found(one, officer=BOSS, kinds=("consultation",))
    assert (event.record, event.why, event.at) == (VAN, "is it still true?", opened.at)


async def test_every_search_is_in_the_journal_with_its_reason(one: Station) -> None:
    """The auditor leaves a trace as well, and finds that of the last one."""
    await found(one, record=VAN)
    (kept,) = await one.store.journal(SEARCHED, 0, 10)
    search = msgspec.msgpack.decode(kept.body or b"", type=Searched)
    assert (search.officer, search.why, search.query.record) == (AUDITOR, "yearly audit", VAN)
    first, _ = await found(one, kinds=("search",))
    assert first.source == f"search {kept.key}"


async def test_searches_and_consultations_belong_to_what_is_verified(one: Station) -> None:
    """An auditor who edits the traces of their own searches is found out like anybody else."""
    await found(one)
    image = mutations.image_of(one.folder / "beatbook.db")

    def report(*statements: str) -> Report:
        connection = mutations.opened(image)
        for statement in statements:
            connection.execute(statement)
        inspection = Inspection(connection, station.masters_of(one.folder), Path("copy.db"))
        try:
            return verify(inspection)
        finally:
            inspection.close()

    assert report().findings == ()
    assert {"search", "consultation"} <= {name.rpartition(" ")[2] for name in report().checked}
    assert not report("DELETE FROM journal WHERE what = 'search'").sound
    assert not report("UPDATE journal SET at = at - 60000 WHERE what = 'search'").sound


async def test_nothing_is_told_when_the_search_cannot_be_kept(one: Station) -> None:
    """A full disk does not open the log to searches without trace."""

    class Broken:
        async def commit(self, _submission: Submission) -> object:
            raise StoreError("the disk is full")

    search = Searched(officer=AUDITOR, seat=DESK, at=Millis(1), query=Query(), after="", why="audit")
    with pytest.raises(StoreError, match="disk is full"):
        await Section62(one.store, Broken(), WHO.get).search(search)


@pytest.mark.parametrize(
    ("why", "after", "limit", "words"),
    [
        ("", "", 10, "say why"),
        ("  ", "", 10, "say why"),
        ("x" * 5_000, "", 10, "say why"),
        ("audit", "7", 10, "give what `next`"),
        ("audit", "1.x", 10, "give what `next`"),
        ("audit", "", 0, "ask for 1 to"),
        ("audit", "", EVENTS_MAX + 1, "ask for 1 to"),
    ],
)
async def test_a_search_that_cannot_be_is_refused_in_words(
    one: Station, why: str, after: str, limit: int, words: str
) -> None:
    """A missing reason or a mistyped page changes nothing and is told."""
    search = Searched(officer=AUDITOR, seat=DESK, at=Millis(1), query=Query(), after=after, why=why)
    with pytest.raises(UsageError, match=words):
        await log_of(one).search(search, limit)
    assert await one.store.journal(SEARCHED, 0, 10) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  ="])
def test_a_spreadsheet_runs_nothing(start: str) -> None:
    """A reason that an officer typed as a formula is text in the auditor's spreadsheet."""
    event = Event(
        at=Millis(0), kind=Kind.CONSULTATION, officer="WM1", seat="hh-1", record=VAN,
        why=f'{start}HYPERLINK("http://x.example","y")', recipients=("A, B", 'say "C"'), source="reads hh-1:1", entry=7,
    )  # fmt: skip
    heads, cells = list(csv.reader(io.StringIO(as_csv([event]), newline="")))
    row = dict(zip(heads, cells, strict=True))
    assert row["why"] == "'" + event.why
    assert row["recipients"] == 'A, B; say "C"'
    assert row["at"] == "1970-01-01T00:00:00Z"
    assert msgspec.json.decode(as_json([event]), type=list[Event]) == [event]


async def test_a_reason_is_asked_once_for_each_matter(one: Station) -> None:
    """The second look for the sake of the same incident needs no new reason, another one's or another's does."""
    notes = Consultations(one)
    look = Consulted(what="consultation", officer=BOSS, seat=DESK, records=(VAN,), at=one.clock(), matter=VAN)
    with pytest.raises(UsageError, match="say why you look"):
        await notes.note(look)
    await notes.note(msgspec.structs.replace(look, why="review"))
    await notes.note(look)
    for other in ({"matter": record_id("shed")}, {"matter": None}, {"officer": AUDITOR}):
        with pytest.raises(UsageError, match="say why you look"):
            await notes.note(msgspec.structs.replace(look, **other))
    looks = await found(one, officer=BOSS, kinds=("consultation",))
    assert [event.why for event in looks] == ["review", "review"]


async def test_a_long_list_is_noted_whole(one: Station) -> None:
    """A list of more records than one entry holds becomes several, and none is left out."""
    records = tuple(record_id(str(number)) for number in range(1_200))
    await Consultations(one).note(
        Consulted(
            what="consultation", officer=BOSS, seat=DeviceId("desk-01"), records=records, at=one.clock(), why="list"
        )
    )
    told = [event.record for event in await found(one, officer=BOSS, kinds=("consultation",))]
    assert told == list(records)
