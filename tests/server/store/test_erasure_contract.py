"""The contract of erasing, on every adapter: nothing readable is left, nothing comes back, the log still verifies."""

import hashlib
from typing import Any, Final

import msgspec

from schemas.ids import FieldName, OpId, RecordId, ScopeName, Seq, split_op_id
from server import conflicts
from server.commits import Settled, Submission
from server.logbook import ERASED_DIGEST, Entry, Erasure
from server.store import Store
from sync import inbox
from sync.evidence import leaf, merkle
from sync.evidence.leaf import EntryLeaf, OpLeaf, RowsLeaf
from tests.server.store.support import DESK, HANDSET, NOW, Device, area, commit, picture, record_id, statuses, versions

ONE, TWO, BOOKING = record_id("one"), record_id("two"), record_id("booking")
OFFICE: Final = Device(DESK).device
NOTE: Final = "erased on 2031-04-01T09:00:00Z by WM40002 under: MoPI group 4"
ARRESTED: Final = FieldName("arrested_at")
MADE: Final[dict[str, Any]] = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": NOW}


def act(record: RecordId = ONE, key: str = "000000000007") -> Entry:
    """What the journal keeps of an erasure."""
    return Entry("act", key, b"erased " + record.encode())


def erasing(record: RecordId = ONE, seen: int = 99, key: str = "000000000007") -> Submission:
    """Erase a record, of which everything up to a commit was seen."""
    erasure = Erasure(record, Seq(seen), NOTE)
    return Submission(OFFICE, frozenset(), (), entries=(act(record, key),), erasure=erasure)


async def erase(store: Store, record: RecordId = ONE, **more: Any) -> list[Settled]:  # noqa: ANN401  of `erasing`
    """Erase it, a day later."""
    return await store.commit([erasing(record, **more)], type(NOW)(NOW + 86_400_000))


async def leaves(store: Store) -> list[bytes]:
    """The whole log."""
    return await store.leaves(0, 1_000)


async def test_nothing_readable_is_left_of_an_erased_record(store: Store) -> None:
    """Not its row, its ops, what they did, nor what the journal held about it; each of them says what became of it."""
    device = Device(HANDSET)
    about = Entry("disclosed", "d1", b"to the coroner", ONE)
    await commit(store, device.push(device.incident(ONE), device.note(ONE), device.incident(TWO)))
    await store.commit([Submission(OFFICE, frozenset(), (), entries=(about,))], NOW)
    before = await store.ops(ONE, 0, 9)
    await erase(store)
    assert await store.record(ONE) is None
    assert await store.existing([ONE, TWO]) == {TWO: await store.record(TWO)}
    found = await store.ops(ONE, 0, 9)
    assert [(one.id, one.record, one.body, one.acts, one.erased) for one in found] == [
        (OpId("hh-0042/1"), ONE, b"", (), NOTE),
        (OpId("hh-0042/2"), ONE, b"", (), NOTE),
    ]
    assert [await store.op(*split_op_id(one.id)) for one in found] == found
    assert [(one.place, one.seq, one.recorded_at, one.leaf) for one in found] == [
        (one.place, one.seq, one.recorded_at, one.leaf) for one in before
    ]
    entry = await store.entry("disclosed", "d1")
    assert entry is not None
    assert (entry.record, entry.body) == (ONE, None)
    told = await store.erased(ONE)
    assert told is not None
    assert (told.record, told.subject, told.at, told.seq, told.note) == (ONE, ONE, NOW + 86_400_000, 2, NOTE)
    assert await store.erased(TWO) is None


async def test_an_erased_record_leaves_every_scope(store: Store) -> None:
    """Its tombstone is in each log, so that every replica retracts it; digests and counts are those of the rest."""
    device = Device(HANDSET)
    await commit(store, device.push(device.briefing(ONE, ["area:solihull", "force"]), device.briefing(TWO, ["force"])))
    (settled,) = await erase(store)
    assert {change.scope: change.gone for change in settled.scopes} == {
        "area:solihull:briefing": (ONE,),
        "force:briefing": (ONE,),
    }
    assert [one.record for one in settled.erased] == [ONE]
    seen = await picture(store)
    for scope, members in seen["pages"].items():
        assert ONE not in members
        assert seen["logs"][scope] == (members, seen["heads"][scope])
    log = await store.changes(ScopeName("force:briefing"), Seq(1))
    assert (log.gone, log.rows, log.to) == ((ONE,), (), settled.seq)


async def test_a_record_that_is_not_here_is_kept_out(store: Store) -> None:
    """Erased ahead, it is nowhere; whatever a device brings of it later is refused, and nobody else is touched."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(TWO)))
    before = await picture(store)
    asked = msgspec.structs.replace(erasing(ONE), erasure=Erasure(ONE, Seq(99), NOTE, ahead=True))
    (settled,) = await store.commit([asked], NOW)
    assert ([one.record for one in settled.erased], settled.seq, settled.scopes) == ([ONE], 2, ())
    (again,) = await store.commit([asked], NOW)
    assert (again.erased, again.seq) == ((), 2)
    late = await commit(store, device.push(device.incident(ONE), device.move(ONE, "solihull")))
    assert [(one.status, one.code) for one in late] == [("refused", "op_record_erased")] * 2
    assert await store.record(ONE) is None
    told = await store.erased(ONE)
    assert told is not None
    assert (told.subject, told.seq, told.note) == (ONE, 2, NOTE)
    after = await picture(store)
    assert (after["pages"], after["heads"]) == (before["pages"], before["heads"])


async def test_log_and_pages_say_what_was_erased(store: Store) -> None:
    """A device that resumes is told by the log, one that comes by snapshot by the page its id lies in; once each.

    What has only moved away is not among it.
    """
    device = Device(HANDSET)
    names = sorted(record_id(n) for n in range(6))
    await commit(store, device.push(*(device.incident(name) for name in names)))
    await commit(store, device.push(device.move(names[1], "solihull")))
    await erase(store, names[3])
    await erase(store, names[5], key="000000000008")
    log = await store.changes(area("birmingham"), Seq(1))
    assert (set(log.gone), set(log.erased)) == ({names[1], names[3], names[5]}, {names[3], names[5]})
    assert (await store.changes(area("solihull"), Seq(0))).erased == ()
    whole = await store.page(area("birmingham"), "", "")
    assert (list(versions(whole.rows)), whole.erased) == ([names[0], names[2], names[4]], (names[3], names[5]))
    assert (await store.page(area("birmingham"), names[3], "")).erased == (names[5],)
    assert (await store.page(area("birmingham"), names[2], names[4])).erased == (names[3],)
    assert (await store.page(area("solihull"), "", "")).erased == ()
    rows = await store.records("incident", area("birmingham"), "", 9)
    assert list(versions(rows)) == [names[0], names[2], names[4]]


async def test_the_scopes_that_it_had_left_are_told_too(store: Store) -> None:
    """A device there still has what its officer wrote.

    Digest and count of such a scope stay; one that the record was never in hears nothing.
    """
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE), device.incident(TWO), device.incident(BOOKING, "dudley")))
    await commit(store, device.push(device.move(ONE, "solihull")))
    before = (await store.heads())[area("birmingham")]
    (settled,) = await erase(store)
    assert {change.scope: change.gone for change in settled.scopes} == {
        area("birmingham"): (ONE,),
        area("solihull"): (ONE,),
    }
    after = (await store.heads())[area("birmingham")]
    assert (after.seq, after.digest, after.count) == (settled.seq, before.digest, before.count)
    log = await store.changes(area("birmingham"), before.seq)
    assert (log.to, log.gone, log.erased) == (settled.seq, (ONE,), (ONE,))
    seen = await picture(store)
    for scope, members in seen["pages"].items():
        assert seen["logs"][scope] == (members, seen["heads"][scope])


async def test_every_part_of_it_goes_with_it(store: Store) -> None:
    """What people were asked about it, and what they had answered; each says with what it went."""
    device, desk = Device(HANDSET), Device(DESK)
    await commit(store, device.push(device.op(BOOKING, "custody-booking", MADE, create=True)))
    differs = desk.op(BOOKING, "custody-booking", {"arrested_at": NOW + 60_000}, saw={ARRESTED: ()})
    await commit(store, desk.push(differs))
    item = inbox.item_id(BOOKING, ARRESTED, "")
    assert await store.record(item) is not None
    decided = desk.op(item, "inbox-item", {"decision": {"value": NOW, "reason": "The body camera says so."}})
    (result,) = await commit(store, desk.push(decided))
    assert result.status == "durable"
    (settled,) = await erase(store, BOOKING)
    assert {(one.record, one.subject) for one in settled.erased} == {(BOOKING, BOOKING), (item, BOOKING)}
    assert await store.existing([BOOKING, item]) == {}
    assert {one.erased for one in await store.ops(None, 0, 9)} == {NOTE}
    assert await store.records("inbox-item", None, "", 9) == []


async def test_what_comes_about_it_later_is_refused_and_not_kept(store: Store) -> None:
    """An edit, the record made anew, and the op that had made it once more: nothing comes back to life."""
    device, late = Device(HANDSET), Device(DESK)
    made = device.incident(ONE)
    await commit(store, device.push(made))
    await erase(store)
    before = await picture(store)
    results = await commit(store, late.push(late.note(ONE, "seen again"), late.incident(ONE)), device.push(made))
    assert [(one.status, one.code) for one in results] == [
        ("refused", "op_record_erased"),
        ("refused", "op_record_erased"),
        ("durable", ""),
    ]
    assert results[0].detail == "erased on 2025-06-16T15:06:40Z"
    assert await store.record(ONE) is None
    assert await picture(store) == before
    kept = await store.ops(ONE, 1, 9)
    assert [(one.id, one.body, one.erased) for one in kept] == [("desk-01/1", b"", NOTE), ("desk-01/2", b"", NOTE)]


async def test_what_is_wrong_in_other_ways_as_well_is_not_kept_either(store: Store) -> None:
    """A value or a kind that there is not: it is about the erased record, and the rest of its group goes on."""
    device, late = Device(HANDSET), Device(DESK)
    await commit(store, device.push(device.incident(ONE)))
    await erase(store)
    wrong = [late.op(ONE, "incident", {"grade": "p9"}), late.op(ONE, "horse", {"name": "Dobbin"}, create=True)]
    results = await commit(store, late.push(*wrong, late.incident(TWO)))
    assert [one.code for one in results] == ["op_record_erased", "op_record_erased", ""]
    assert [one.body for one in await store.ops(ONE, 0, 9)] == [b"", b"", b""]


async def test_no_part_of_it_can_be_made_any_more(store: Store) -> None:
    """A medical sheet written offline about an erased booking says what nobody may know any more."""
    device, late = Device(HANDSET), Device(DESK)
    await commit(store, device.push(device.op(BOOKING, "custody-booking", MADE, create=True)))
    await erase(store, BOOKING)
    sheet = {"booking": BOOKING, "suite": "perry-barr", "medication": ["insulin"]}
    (result,) = await commit(store, late.push(late.op(TWO, "medical", sheet, create=True)))
    assert (result.status, result.code) == ("refused", "op_record_erased")
    assert await store.record(TWO) is None
    (kept,) = await store.ops(TWO, 0, 9)
    assert (kept.body, kept.erased) == (b"", "the record that it was a part of was erased before it came")


async def test_what_the_journal_is_given_about_it_later_is_not_kept(store: Store) -> None:
    """Its hash says that it came; its words are not there."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE)))
    await erase(store)
    late = Entry("quarantine", "q1", b"what an officer had not sent", ONE)
    await store.commit([Submission(OFFICE, frozenset(), (), entries=(late,))], NOW)
    entry = await store.entry("quarantine", "q1")
    assert entry is not None
    assert entry.body is None
    told = leaf.decode((await leaves(store))[entry.leaf])
    assert isinstance(told, EntryLeaf)
    assert told.digest == hashlib.sha256(late.body).digest()


async def test_the_log_still_verifies_and_says_that_it_was_erased(store: Store) -> None:
    """Every leaf that there was is the same; the new ones bear the act, and that there is no row any more."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE), device.note(ONE)))
    before, tree = await leaves(store), await store.tree()
    await erase(store)
    after = await leaves(store)
    assert after[: len(before)] == before
    root = merkle.EMPTY.appended([merkle.leaf_hash(one) for one in after])[0].root
    assert (await store.tree()).root == root
    assert await store.consistency(tree.size, len(after)) is not None
    entry, rows = (leaf.decode(one) for one in after[len(before) :])
    assert isinstance(entry, EntryLeaf)
    assert (entry.what, entry.key, entry.digest) == ("act", act().key, hashlib.sha256(act().body).digest())
    assert isinstance(rows, RowsLeaf)
    assert (rows.seq, rows.rows) == (2, ((ONE, ERASED_DIGEST),))
    ops = [one for one in map(leaf.decode, after) if isinstance(one, OpLeaf)]
    assert [one.id for one in ops] == ["hh-0042/1", "hh-0042/2"]


async def test_an_edit_that_nobody_had_seen_forbids_it(store: Store) -> None:
    """Deletion never beats an edit: nothing goes, and the act is not kept either; looked at anew, it may go."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE)))
    await commit(store, device.push(device.note(ONE, "There is more to this.")))
    before = await picture(store)
    assert [one.erased for one in await erase(store, seen=1)] == [()]
    assert await picture(store) == before
    assert await store.entry("act", act().key) is None
    assert await store.erased(ONE) is None
    assert [len(one.erased) for one in await erase(store, seen=2)] == [1]
    assert await store.entry("act", act().key) is not None


async def test_an_edit_in_the_same_group_forbids_it(store: Store) -> None:
    """Whichever of the two came first in it."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE)))
    for group in ([erasing(), device.push(device.note(ONE))], [device.push(device.note(ONE)), erasing()]):
        done = await store.commit(group, NOW)
        assert [one.erased for one in done] == [()]
    assert len(await store.ops(ONE, 0, 9)) == 3
    assert all(one.body for one in await store.ops(ONE, 0, 9))


async def test_a_refused_edit_in_the_same_group_goes_with_it(store: Store) -> None:
    """It changed nothing, so it forbids nothing; and its words are words about the record."""
    device, desk = Device(HANDSET), Device(DESK)
    await commit(store, device.push(device.incident(ONE)))
    again = desk.incident(ONE, summary="made twice")
    done = await store.commit([desk.push(again), erasing()], NOW)
    assert [len(one.erased) for one in done] == [1]
    assert {(one.body, one.result.detail) for one in await store.ops(ONE, 0, 9)} == {(b"", "")}


async def test_an_erasure_asked_for_again_changes_nothing(store: Store) -> None:
    """Whoever did not hear the answer asks again; neither that nor another officer's act is kept twice."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE), device.incident(TWO)))
    await erase(store)
    before, log = await picture(store), await leaves(store)
    await erase(store)
    await erase(store, key="000000000008")
    assert await picture(store) == before
    assert await leaves(store) == log


async def test_what_is_not_there_is_not_erased(store: Store) -> None:
    """Nothing is kept of it: no act, no tombstone, no place in the order."""
    assert [one.erased for one in await erase(store)] == [()]
    assert await store.erased(ONE) is None
    assert await store.heads() == {}
    assert await leaves(store) == []


async def test_others_are_as_they_were(store: Store) -> None:
    """Erasing costs nobody else a byte: not in the same scope, not by the same device."""
    device = Device(HANDSET)
    await commit(store, device.push(*(device.incident(record_id(n)) for n in range(5))))
    rows = await store.existing([record_id(n) for n in range(1, 5)])
    ops = [one for one in await store.ops(None, 0, 9) if one.record != record_id(0)]
    await erase(store, record_id(0))
    assert await store.existing([record_id(n) for n in range(5)]) == rows
    assert [one for one in await store.ops(None, 0, 9) if one.record != record_id(0)] == ops
    results = await commit(store, device.push(device.note(record_id(1)), device.incident(record_id("new"))))
    assert statuses(results) == ["durable", "durable"]
    head = (await store.heads())[area("birmingham")]
    assert head.count == 5


async def test_the_account_of_disagreements_passes_over_it(store: Store) -> None:
    """An erased change is neither lost nor unexplained: it counts as decided, and that is all."""
    device, desk = Device(HANDSET), Device(DESK)
    await commit(store, device.push(device.incident(ONE), device.incident(TWO)))
    await commit(store, desk.push(desk.move(ONE, "solihull"), desk.move(TWO, "solihull")))
    await erase(store)
    counted = await conflicts.count(store, NOW)
    assert (counted.ops, counted.unexplained, counted.lost) == (4, 0, [])


async def test_a_position_from_before_hears_of_it(store: Store) -> None:
    """A device that was away reads the log from where it stood, and is told to retract."""
    device = Device(HANDSET)
    await commit(store, device.push(device.incident(ONE), device.incident(TWO)))
    await erase(store)
    log = await store.changes(area("birmingham"), Seq(0))
    assert log.gone == (ONE,)
    assert log.head == (await store.heads())[area("birmingham")]
    page = await store.page(area("birmingham"), "", "")
    assert len(page.rows) == 1
