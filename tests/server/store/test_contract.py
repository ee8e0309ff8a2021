"""The contract of the port `server.store.port.Store`, on every adapter."""

import asyncio
import itertools
import re
from typing import TYPE_CHECKING

import pytest

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import EPOCH_PATTERN, DeviceId, FieldName, Millis, OpNumber, RecordId, Seq
from schemas.limits import ARRAY_LEN_MAX, OPS_PER_COMMIT_MAX, PAGE_BYTES_MAX, PAGE_ROWS_MAX
from schemas.wire import Range
from server.store import Store
from server.store.memory import MemoryStore
from sync import digest
from tests.server.store.support import (
    DESK,
    HANDSET,
    NO_HEAD,
    NOW,
    Device,
    area,
    commit,
    record_id,
    replay,
    results_of,
    statuses,
    versions,
    walk,
)

if TYPE_CHECKING:
    _is_a_store: Store = MemoryStore()

BIRMINGHAM = area("birmingham")
SOLIHULL = area("solihull")
ONE = record_id("one")
TWO = record_id("two")
LAST = RecordId("ffffffff-ffff-ffff-ffff-ffffffffffff")


def span(after: str, upto: str) -> Range:
    """A range to ask about; what the asker holds of it is no matter to the store."""
    return Range(after=after, upto=upto, digest=digest.EMPTY, count=0)


# --- an empty store --------------------------------------------------------------------------------------------------


async def test_an_empty_store_answers_every_question(store: Store) -> None:
    """Nothing is known, and nothing fails."""
    assert re.match(EPOCH_PATTERN, store.epoch)
    assert await store.heads() == {}
    assert await store.commit([], NOW) == []
    changes = await store.changes(BIRMINGHAM, Seq(0))
    assert (changes.to, changes.rows, changes.gone, changes.head) == (0, (), (), NO_HEAD)
    page = await store.page(BIRMINGHAM, "", "")
    assert (page.rows, page.upto) == ((), "")
    assert await store.ranges(BIRMINGHAM, [span("", "")]) == [(digest.EMPTY, 0)]
    assert await store.last_op(HANDSET) == 0
    assert await store.record(ONE) is None
    assert await store.records("incident", None, "", 10) == []
    assert await store.existing([ONE]) == {}


# --- ops and results -------------------------------------------------------------------------------------------------


async def test_a_durable_op_is_there_for_every_reader(store: Store) -> None:
    """What a commit returned as durable is in the record, the log, the pages and the heads."""
    device = Device()
    (settled,) = await store.commit([device.push(device.incident(ONE))], NOW)
    assert statuses(settled.results) == ["durable"]
    assert (settled.seq, settled.taken, settled.recorded_at) == (1, 1, NOW)
    (change,) = settled.scopes
    assert await store.heads() == {BIRMINGHAM: change.head}
    body = await store.record(ONE)
    assert body is not None
    assert (body,) == change.rows
    assert decode_row(body).v == 1
    changes = await store.changes(BIRMINGHAM, Seq(0))
    assert (changes.to, changes.rows, changes.gone, changes.head) == (1, (body,), (), change.head)
    assert (await store.page(BIRMINGHAM, "", "")).rows == (body,)
    assert await store.existing([TWO, ONE]) == {ONE: body}
    assert await store.last_op(HANDSET) == 1


async def test_the_same_op_again_gives_the_stored_result_and_changes_nothing(store: Store) -> None:
    """Promise 2: whatever the network repeats is applied once, and told the same."""
    device = Device()
    pushed = device.push(device.incident(ONE), device.note(ONE))
    first = await commit(store, pushed)
    before = await store.heads(), await store.record(ONE)
    later = Millis(NOW + 1_000)
    (again,) = await store.commit([pushed], later)
    assert list(again.results) == first
    assert (again.seq, again.ops, again.rows, again.scopes) == (1, (), (), ())
    assert again.recorded_at == later
    assert (await store.heads(), await store.record(ONE)) == before


async def test_an_op_twice_in_one_group_is_applied_once(store: Store) -> None:
    """A repeat within the group finds the result that its first has just got."""
    device = Device()
    made, noted = device.incident(ONE), device.note(ONE)
    results = await commit(store, device.push(made, noted, noted), device.push(made))
    assert statuses(results) == ["durable"] * 4
    assert results[1] == results[2]
    assert results[0] == results[3]
    body = await store.record(ONE)
    assert body is not None
    assert len(decode_row(body).cells[FieldName("log")]) == 1


async def test_a_number_with_other_bytes_is_refused_and_the_first_stands(store: Store) -> None:
    """(device, n) names one op for ever."""
    device, impostor = Device(), Device()
    first = await commit(store, device.push(device.incident(ONE)))
    (result,) = await commit(store, impostor.push(impostor.incident(TWO)))
    assert (result.status, result.code) == ("refused", "op_reused")
    assert await store.record(TWO) is None
    again = Device()
    assert await commit(store, again.push(again.incident(ONE))) == first


async def test_the_same_number_of_two_devices_names_two_ops(store: Store) -> None:
    """Numbers count per device."""
    ours, theirs = Device(HANDSET), Device(DESK)
    results = await commit(store, ours.push(ours.incident(ONE)), theirs.push(theirs.incident(TWO)))
    assert [(result.n, result.status) for result in results] == [(1, "durable"), (1, "durable")]


async def test_what_is_behind_a_refused_op_waits_and_is_not_kept(store: Store) -> None:
    """First in, first out per record: the refused op is kept, its dependant is asked again later, others proceed."""
    device = Device()
    refused = device.op(ONE, "incident", {"area": "birmingham"}, create=True)
    dependant = device.note(ONE, after=1)
    other = device.incident(TWO)
    results = await commit(store, device.push(refused, dependant, other))
    assert statuses(results) == ["refused", "waiting", "durable"]
    assert results[1].code == results[0].code == "op_field_missing"
    assert await store.last_op(HANDSET) == 3
    again = await commit(store, device.push(refused, dependant))
    assert again == results[:2]


async def test_an_op_whose_forerunner_never_came_waits(store: Store) -> None:
    """An `after` that the store has never seen is no licence to go ahead; when it has come, the op proceeds."""
    device = Device()
    made = device.incident(ONE)
    noted = device.note(ONE, after=1)
    (early,) = await commit(store, device.push(noted))
    assert early.status == "waiting"
    assert await store.last_op(HANDSET) == 0
    assert statuses(await commit(store, device.push(made, noted))) == ["durable", "durable"]


async def test_a_refused_op_takes_no_place_in_the_order(store: Store) -> None:
    """Only what changes records is a commit: otherwise refusals would wake every device."""
    device = Device()
    (settled,) = await store.commit([device.push(device.note(ONE))], NOW)
    assert statuses(settled.results) == ["refused"]
    assert (settled.seq, settled.scopes) == (0, ())
    (settled,) = await store.commit([device.push(device.incident(ONE))], NOW)
    assert settled.seq == 1
    assert await store.last_op(HANDSET) == 2


async def test_an_op_outside_the_devices_scopes_is_refused(store: Store) -> None:
    """Rights are asked of the record as it stands in the store."""
    desk, handset = Device(DESK), Device(HANDSET, frozenset({SOLIHULL}))
    await commit(store, desk.push(desk.incident(ONE, "birmingham"), desk.incident(TWO, "solihull")))
    results = await commit(store, handset.push(handset.note(ONE), handset.note(TWO)))
    assert [(result.status, result.code) for result in results] == [("refused", "op_not_permitted"), ("durable", "")]


# --- scopes ----------------------------------------------------------------------------------------------------------


async def test_a_record_that_moves_leaves_a_tombstone(store: Store) -> None:
    """Who stands before the move learns that the record has left, wherever it stood."""
    device = Device()
    await commit(store, device.push(device.incident(ONE), device.incident(TWO)))
    await commit(store, device.push(device.move(ONE, "solihull")))
    left = await store.changes(BIRMINGHAM, Seq(1))
    assert (left.to, left.rows, left.gone) == (2, (), (ONE,))
    fresh = await store.changes(BIRMINGHAM, Seq(0))
    assert (list(versions(fresh.rows)), fresh.gone) == ([TWO], (ONE,))
    assert versions((await store.changes(SOLIHULL, Seq(0))).rows) == {ONE: 2}
    assert list(await walk(store, BIRMINGHAM)) == [TWO]
    assert [decode_row(row).id for row in await store.records("incident", BIRMINGHAM, "", 10)] == [TWO]
    heads = await store.heads()
    assert (heads[BIRMINGHAM].seq, heads[BIRMINGHAM].count, heads[SOLIHULL].count) == (2, 1, 1)


async def test_a_record_that_comes_back_is_no_tombstone(store: Store) -> None:
    """There and back again leaves one entry in the log: the return."""
    device = Device()
    for op in (device.incident(ONE), device.move(ONE, "solihull"), device.move(ONE, "birmingham")):
        await commit(store, device.push(op))
    changes = await store.changes(BIRMINGHAM, Seq(0))
    assert (changes.to, versions(changes.rows), changes.gone) == (3, {ONE: 3}, ())
    gone = await store.changes(SOLIHULL, Seq(0))
    assert (gone.to, gone.rows, gone.gone) == (3, (), (ONE,))
    assert gone.head is not None
    assert (gone.head.digest, gone.head.count) == (digest.EMPTY, 0)


async def test_a_record_in_several_scopes_is_the_same_in_each(store: Store) -> None:
    """A briefing to three audiences travels in three logs, and leaves only the one that it is withdrawn from."""
    device = Device()
    await commit(store, device.push(device.briefing(ONE, ["area:birmingham", "area:solihull", "force"])))
    await commit(store, device.push(device.op(ONE, "briefing", {"audience": ["area:birmingham", "team:dogs"]})))
    heads = await store.heads()
    assert {scope: (head.seq, head.count) for scope, head in heads.items()} == {
        "area:birmingham:briefing": (2, 1),
        "area:solihull:briefing": (2, 0),
        "force:briefing": (2, 0),
        "team:dogs:briefing": (2, 1),
    }
    for scope, head in heads.items():
        changes = await store.changes(scope, Seq(0))
        assert versions(changes.rows) == ({ONE: 2} if head.count else {})
        assert changes.gone == (() if head.count else (ONE,))


async def test_a_change_reaches_every_scope_of_its_record(store: Store) -> None:
    """A row's seq in a scope is always its version, also when the change did not touch its scopes."""
    device = Device()
    await commit(store, device.push(device.briefing(ONE, ["area:birmingham", "force"])))
    await commit(store, device.push(device.op(ONE, "briefing", {"title": "Bridge open"})))
    for scope in await store.heads():
        changes = await store.changes(scope, Seq(1))
        assert versions(changes.rows) == {ONE: 2}


# --- paging ----------------------------------------------------------------------------------------------------------


async def test_many_ops_become_several_commits(store: Store) -> None:
    """A group of any size is taken whole, each commit within the bound, its results in the order of its ops."""
    device = Device()
    count = OPS_PER_COMMIT_MAX + 40
    done = await store.commit([device.push(device.incident(record_id(i))) for i in range(count)], NOW)
    assert [one.seq for one in done] == list(range(1, len(done) + 1))
    assert len(done) >= 2
    assert max(one.taken for one in done) <= OPS_PER_COMMIT_MAX
    assert sum(one.taken for one in done) == count
    assert [result.n for result in results_of(done)] == list(range(1, count + 1))
    assert (await store.heads())[BIRMINGHAM].count == count


async def test_a_page_of_the_log_never_splits_a_commit(store: Store) -> None:
    """With rows so large that a page holds few: every page ends between two commits, and together they are all."""
    device = Device()
    records = [record_id(i) for i in range(24)]
    done = await store.commit([device.push(*(device.incident(record) for record in records))], NOW)
    for record in records:
        done += await store.commit([device.push(*device.grow_to(record, 7))], NOW)
    # Several large rows per commit: notes on all of them in one push.
    done += await store.commit([device.push(*(device.note(record) for record in records))], NOW)
    commits = versions(body for one in done for row in one.rows for body in [row.body])
    per_commit = {seq: {record for record, at in commits.items() if at == seq} for seq in set(commits.values())}
    assert max(map(len, per_commit.values())) > 1
    after, pages = Seq(0), 0
    while True:
        changes = await store.changes(BIRMINGHAM, after)
        got = versions(changes.rows)
        assert sum(map(len, changes.rows)) <= PAGE_BYTES_MAX
        for seq in set(got.values()):
            assert {record for record, at in got.items() if at == seq} == per_commit[seq]
        assert changes.to == max(got.values())
        pages += 1
        after = changes.to
        if changes.head is not None:
            break
    assert pages > 2
    assert changes.head == (await store.heads())[BIRMINGHAM]
    assert after == changes.head.seq


async def test_a_page_of_the_log_counts_rows_and_tombstones(store: Store) -> None:
    """Small rows: a page ends at PAGE_ROWS_MAX entries, tombstones among them, and only its last one tells the head."""
    device = Device()
    records = [record_id(i) for i in range(PAGE_ROWS_MAX + 200)]
    await commit(store, *(device.push(device.incident(record)) for record in records))
    await commit(store, *(device.push(device.move(record, "solihull")) for record in records))
    first = await store.changes(BIRMINGHAM, Seq(0))
    assert first.head is None
    assert 0 < len(first.rows) + len(first.gone) <= PAGE_ROWS_MAX
    second = await store.changes(BIRMINGHAM, first.to)
    assert second.head is not None
    assert {*first.gone, *second.gone} == set(records)
    # The bytes of rows bound the log of the area that they are in now.
    assert await replay(store, SOLIHULL) == (await walk(store, SOLIHULL), (await store.heads())[SOLIHULL])


async def test_pages_of_records_hold_the_whole_scope_in_order(store: Store) -> None:
    """Bounded by rows and by bytes, page by page, the whole scope and nothing else comes."""
    device = Device()
    records = [record_id(i) for i in range(PAGE_ROWS_MAX + 50)]
    await commit(store, *(device.push(device.incident(record)) for record in records))
    await commit(store, device.push(*device.grow_to(records[0], 28), *device.grow_to(records[1], 28)))
    await commit(store, device.push(device.incident(ONE, "solihull")))
    assert set(await walk(store, BIRMINGHAM)) == set(records)
    page = await store.page(BIRMINGHAM, "", "")
    assert page.upto != ""
    assert len(page.rows) <= PAGE_ROWS_MAX
    assert sum(map(len, page.rows)) <= PAGE_BYTES_MAX


async def test_a_page_stays_within_its_ends(store: Store) -> None:
    """The lower end is outside, the upper end inside, and "" is no end; a page that reaches its upper end says so."""
    device = Device()
    records = sorted(record_id(i) for i in range(8))
    await commit(store, device.push(*(device.incident(record) for record in records)))

    async def ids(after: str, upto: str) -> list[RecordId]:
        page = await store.page(BIRMINGHAM, after, upto)
        assert page.upto == ""
        return [decode_row(row).id for row in page.rows]

    assert await ids("", "") == records
    assert await ids(records[2], records[5]) == records[3:6]
    assert await ids(records[5], "") == records[6:]
    assert await ids("", records[0]) == records[:1]
    assert await ids(LAST, "") == []


async def test_ranges_agree_with_the_digest_of_their_records(store: Store) -> None:
    """Ranges that follow each other add up to the head's digest, and each is that of its own records."""
    device = Device()
    records = sorted(record_id(i) for i in range(40))
    await commit(store, device.push(*(device.incident(record) for record in records)))
    await commit(store, device.push(*(device.note(record) for record in records[::3])))
    await commit(store, device.push(*(device.move(record, "solihull") for record in records[::7])))
    held = await walk(store, BIRMINGHAM)
    ends = ["", records[3], records[11], records[30], ""]
    ranges = [span(after, upto) for after, upto in itertools.pairwise(ends)]
    expected = [
        {record: v for record, v in held.items() if record > one.after and (one.upto == "" or record <= one.upto)}
        for one in ranges
    ]
    assert await store.ranges(BIRMINGHAM, ranges) == [(digest.of(part.items()), len(part)) for part in expected]
    head = (await store.heads())[BIRMINGHAM]
    assert (head.digest, head.count) == (digest.of(held.items()), len(held))
    assert await store.ranges(BIRMINGHAM, [span("", "")]) == [(head.digest, head.count)]


async def test_the_log_from_any_position_leads_to_the_same_records(store: Store) -> None:
    """Promise 4: who follows the log from wherever they stood holds what the pages hold."""
    device = Device()
    records = [record_id(i) for i in range(6)]
    await commit(store, device.push(*(device.incident(record) for record in records)))
    pictures = [await walk(store, BIRMINGHAM)]
    for i in range(10):
        where = "birmingham" if i % 3 == 0 else "solihull"
        await commit(store, device.push(device.move(records[i % 6], where), device.note(records[(i + 1) % 6])))
        pictures.append(await walk(store, BIRMINGHAM))
    for seq, held in enumerate(pictures, start=1):
        changes = await store.changes(BIRMINGHAM, Seq(seq))
        now = {record: v for record, v in (held | versions(changes.rows)).items() if record not in changes.gone}
        assert now == pictures[-1]
        assert changes.head == (await store.heads())[BIRMINGHAM]


async def test_a_position_at_the_head_gets_an_empty_stretch(store: Store) -> None:
    """Asking where nothing has changed since leads nowhere, and still tells the head."""
    device = Device()
    await commit(store, device.push(device.incident(ONE)))
    changes = await store.changes(BIRMINGHAM, Seq(1))
    assert (changes.to, changes.rows, changes.gone) == (1, (), ())
    assert changes.head == (await store.heads())[BIRMINGHAM]


# --- records ---------------------------------------------------------------------------------------------------------


async def test_records_are_listed_by_kind_and_scope(store: Store) -> None:
    """In order of id, of the kind asked for, from behind `after`, at most `limit`."""
    device = Device()
    incidents = sorted(record_id(i) for i in range(5))
    await commit(store, device.push(*(device.incident(record) for record in incidents[:4])))
    await commit(store, device.push(device.incident(incidents[4], "solihull"), device.briefing(ONE, ["force"])))

    async def ids(kind: str, scope: str | None = None, after: str = "", limit: int = 100) -> list[RecordId]:
        found = await store.records(kind, area(scope) if scope else None, after, limit)
        return [decode_row(row).id for row in found]

    assert await ids("incident") == incidents
    assert await ids("incident", after=incidents[1]) == incidents[2:]
    assert await ids("incident", limit=2) == incidents[:2]
    assert await ids("incident", scope="birmingham") == incidents[:4]
    assert await ids("incident", scope="birmingham", after=incidents[0], limit=2) == incidents[1:3]
    assert await ids("briefing") == [ONE]
    assert await ids("briefing", scope="birmingham") == []
    assert await ids("custody-booking") == []


async def test_a_list_of_records_is_bounded_whatever_is_asked(store: Store) -> None:
    """A greedy limit gets a page; an empty list, and only that, is the end."""
    device = Device()
    count = PAGE_ROWS_MAX + 100
    await commit(store, *(device.push(device.incident(record_id(i))) for i in range(count)))
    seen: list[RecordId] = []
    while rows := await store.records("incident", None, seen[-1] if seen else "", 1_000_000):
        assert len(rows) <= PAGE_ROWS_MAX
        assert sum(map(len, rows)) <= PAGE_BYTES_MAX
        seen += [decode_row(row).id for row in rows]
    assert seen == sorted(record_id(i) for i in range(count))


async def test_senseless_questions_are_refused_clearly(store: Store) -> None:
    """A limit of nothing, or more ids than the bound, is the caller's mistake and says so."""
    with pytest.raises(UsageError, match="limit is 0"):
        await store.records("incident", None, "", 0)
    with pytest.raises(UsageError, match=f"{ARRAY_LEN_MAX + 1} records asked at once"):
        await store.existing([ONE] * (ARRAY_LEN_MAX + 1))


async def test_last_op_is_the_highest_number_of_that_device(store: Store) -> None:
    """Refused ops count; another device's, also one whose id begins alike, do not."""
    device, alike = Device(DeviceId("hh-1")), Device(DeviceId("hh-10"))
    await commit(store, device.push(device.incident(ONE), device.incident(ONE)))
    await commit(store, alike.push(*(alike.incident(record_id(i)) for i in range(5))))
    assert await store.last_op(DeviceId("hh-1")) == OpNumber(2)
    assert await store.last_op(DeviceId("hh-10")) == OpNumber(5)


# --- readers beside the writer ---------------------------------------------------------------------------------------


async def test_readers_beside_commits_see_whole_commits(store: Store) -> None:
    """Two records that only ever change together are never seen apart, and a head always fits what it stands for."""
    device = Device()
    await commit(store, device.push(device.incident(ONE), device.incident(TWO)))
    writing = True

    async def write() -> None:
        nonlocal writing
        for i in range(30):
            where = "solihull" if i % 2 else "birmingham"
            await commit(store, device.push(device.move(ONE, where), device.move(TWO, where)))
        writing = False

    async def read() -> int:
        reads = 0
        while writing:
            for scope in (BIRMINGHAM, SOLIHULL):
                changes = await store.changes(scope, Seq(0))
                assert (len(changes.rows), len(changes.gone)) in {(0, 0), (2, 0), (0, 2)}
                held = versions(changes.rows)
                assert len(set(held.values())) <= 1
                assert changes.head is not None
                assert changes.head.digest == digest.of(held.items())
                page = await store.page(scope, "", "")
                assert len(set(versions(page.rows).values())) <= 1
            reads += 1
            await asyncio.sleep(0)
        return reads

    _, *reads = await asyncio.gather(write(), read(), read(), read())
    # The store in memory never yields while it commits, so its readers come when all is done.
    assert isinstance(store, MemoryStore) or min(reads) > 0


async def test_a_reader_sees_its_own_commit(store: Store) -> None:
    """Whoever was told that an op is durable finds it, on whichever connection they ask."""
    device = Device()
    await commit(store, device.push(device.incident(ONE)))
    for i in range(20):
        await commit(store, device.push(device.note(ONE)))
        bodies = await asyncio.gather(*(store.record(ONE) for _ in range(4)))
        assert {decode_row(body).v for body in bodies if body is not None} == {i + 2}
