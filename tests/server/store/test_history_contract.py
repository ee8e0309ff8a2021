"""The contract of `Store.ops`, and of what follows from an op beyond its own record, on every adapter."""

from typing import Any

import pytest

from schemas.codec import decode_row, reread_op
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, Millis, OpId, RecordId, ScopeName, split_op_id
from schemas.kinds import InboxItem
from schemas.limits import OPS_PER_COMMIT_MAX, PAGE_BYTES_MAX, PAGE_ROWS_MAX
from server.store import Store
from server.store.port import KeptOp
from sync import inbox, merge
from sync.history import acts_on, unaccounted
from tests.server.store.support import DESK, NOW, Device, commit, record_id, statuses

ONE, TWO = record_id("one"), record_id("two")
RISK, ARRESTED = FieldName("risk"), FieldName("arrested_at")
SUITE, SUITE_INBOX = ScopeName("suite:perry-barr"), ScopeName("suite:perry-barr:inbox")
MADE: dict[str, Any] = {"suite": "perry-barr", "detainee": "Robin Example", "arrested_at": NOW}


async def all_ops(store: Store, record: RecordId | None = None, at_once: int = PAGE_ROWS_MAX) -> list[KeptOp]:
    """Every op, page by page; the pages follow each other in order and without overlap."""
    found: list[KeptOp] = []
    while page := await store.ops(record, found[-1].place if found else 0, at_once):
        assert len(page) <= at_once
        found += page
    assert [one.place for one in found] == sorted({one.place for one in found})
    return found


def names(ops: list[KeptOp]) -> list[OpId]:
    """The ops' names."""
    return [reread_op(one.body).id for one in ops]


async def lost(store: Store) -> list[Any]:
    """What is neither current, nor superseded with a link, nor asked about (promise 3)."""
    ops = [(reread_op(one.body), one.acts) for one in await all_ops(store) if one.result.status == "durable"]
    found: list[Any] = []
    for record in {op.record for op, _ in ops}:
        row = await store.record(record)
        assert row is not None
        done = {op.id: acts_on(record, op, acts) for op, acts in ops}
        found += unaccounted(merge.from_row(decode_row(row)), done)
    return found


# --- ops -------------------------------------------------------------------------------------------------------------


async def test_ops_come_in_the_order_in_which_they_were_decided(store: Store) -> None:
    """Each with its place, its commit, the moment, its bytes and its result; refused ones too, waiting ones not."""
    device, desk = Device(), Device(DESK)
    raws = [device.incident(ONE), device.note(TWO), desk.note(ONE), device.note(ONE, after=2), device.incident(TWO)]
    first = await commit(store, device.push(*raws[:2]))
    second = await commit(store, desk.push(raws[2]), device.push(raws[3], raws[4]))
    assert statuses(first + second) == ["durable", "refused", "durable", "waiting", "durable"]
    kept = await all_ops(store)
    assert [one.body for one in kept] == [raws[0], raws[1], raws[2], raws[4]]
    assert [one.result for one in kept] == [*first, second[0], second[2]]
    assert [(one.seq, one.recorded_at) for one in kept] == [(1, NOW), (1, NOW), (2, NOW), (2, NOW)]
    assert kept[0].place == 1


async def test_one_op_is_found_by_its_name(store: Store) -> None:
    """As it stands among all of them, a refused one too; of one that waits or never came there is nothing."""
    device, desk = Device(), Device(DESK)
    raws = [device.incident(ONE), device.note(TWO), desk.note(ONE), device.note(ONE, after=2)]
    await commit(store, device.push(*raws[:2]), desk.push(raws[2]))
    await commit(store, device.push(raws[3]))
    kept = await all_ops(store)
    assert len(kept) == 3
    assert [await store.op(*split_op_id(one.id)) for one in kept] == kept
    for op in (reread_op(raws[3]), reread_op(desk.note(ONE))):
        assert await store.op(op.device, op.n) is None
    assert await store.op(DeviceId("hh-9999"), reread_op(raws[0]).n) is None


async def test_an_op_again_is_not_kept_again(store: Store) -> None:
    """A repetition, and another op under a used number, leave no trace among the ops."""
    device = Device()
    made = device.incident(ONE)
    await commit(store, device.push(made))
    impostor = Device()
    await commit(store, device.push(made, made), impostor.push(impostor.incident(TWO)))
    assert [one.body for one in await all_ops(store)] == [made]


async def test_the_ops_of_one_record_are_those_that_named_it(store: Store) -> None:
    """Whoever made them, in the same order, from any place on."""
    device, desk = Device(), Device(DESK)
    group = [device.push(device.incident(ONE), device.incident(TWO)), desk.push(desk.note(ONE), desk.note(TWO))]
    await commit(store, *group)
    await commit(store, device.push(device.note(ONE), device.op(ONE, "incident", {"grade": "p9"})))
    assert names(await all_ops(store, ONE)) == ["hh-0042/1", "desk-01/1", "hh-0042/3", "hh-0042/4"]
    assert names(await all_ops(store, TWO)) == ["hh-0042/2", "desk-01/2"]
    assert names(await all_ops(store, ONE, at_once=1)) == names(await all_ops(store, ONE))
    assert await store.ops(record_id("nobody"), 0, 5) == []
    every = await all_ops(store)
    assert await store.ops(None, every[2].place, 2) == every[3:5]


async def test_a_read_of_ops_is_bounded_in_number(store: Store) -> None:
    """PAGE_ROWS_MAX holds whatever is asked."""
    device = Device()
    await commit(store, device.push(device.incident(ONE)))
    for _ in range(PAGE_ROWS_MAX // OPS_PER_COMMIT_MAX):
        await commit(store, device.push(*(device.op(ONE, "horse", {}) for _ in range(OPS_PER_COMMIT_MAX))))
    assert len(await store.ops(None, 0, PAGE_ROWS_MAX * 2)) == PAGE_ROWS_MAX
    assert len(await all_ops(store)) == PAGE_ROWS_MAX + 1


async def test_a_read_of_ops_is_bounded_in_bytes(store: Store) -> None:
    """Long ops come fewer at a time, and all of them come."""
    device = Device()
    for n in range(3 * PAGE_BYTES_MAX // 32_000):
        await commit(store, device.push(device.incident(record_id(n)), *device.grow_to(record_id(n), 8)))
    page = await store.ops(None, 0, PAGE_ROWS_MAX)
    assert sum(len(one.body) for one in page) <= PAGE_BYTES_MAX
    every = await all_ops(store)
    assert len(page) < len(every) == device.n


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_that_asks_for_nothing_is_refused(store: Store, limit: int) -> None:
    """The text says what to ask for."""
    with pytest.raises(UsageError, match="ask for at least 1"):
        await store.ops(None, 0, limit)


# --- what an op did, and what follows from it ------------------------------------------------------------------------


def booking(device: Device, changes: dict[str, Any] | None = None, **more: Any) -> bytes:  # noqa: ANN401  fields of Op
    """An op on the booking; without changes it makes it."""
    return device.op(ONE, "custody-booking", MADE if changes is None else changes, create=changes is None, **more)


async def test_what_an_op_did_is_kept_with_it(store: Store) -> None:
    """Nothing of a plain change; of the others what they superseded, what stands instead, and whom they met."""
    device, desk = Device(), Device(DESK)
    await commit(store, device.push(booking(device), booking(device, {RISK: "medium"})))
    await commit(store, desk.push(booking(desk, {RISK: "high"}, saw={RISK: ("hh-0042/2",)})))
    await commit(store, device.push(booking(device, {RISK: "standard"}, saw={RISK: ("hh-0042/2",)})))
    made, medium, high, unseen = await all_ops(store)
    assert (made.acts, medium.acts) == ((), ())
    assert [(act.record, act.field, act.over, act.stands) for act in high.acts] == [(ONE, RISK, ("hh-0042/2",), "")]
    assert [(act.over, act.stands, act.met) for act in unseen.acts] == [((), "desk-01/1", ("desk-01/1",))]
    assert await lost(store) == []


async def test_a_question_is_kept_decided_and_followed_on_every_adapter(store: Store) -> None:
    """What only a later commit looks up (the item, the subject, the authors) is found in the store itself."""
    device, desk = Device(), Device(DESK)
    await commit(store, device.push(booking(device)))
    await commit(store, desk.push(booking(desk, {ARRESTED: NOW + 1}, saw={ARRESTED: ()})))
    item = inbox.item_id(ONE, ARRESTED, "")
    row = await store.record(item)
    assert row is not None
    built = merge.from_row(decode_row(row)).build()
    assert isinstance(built, InboxItem)
    assert sorted(one.value for one in built.candidates) == [NOW, NOW + 1]
    heads = await store.heads()
    assert (heads[SUITE].count, heads[SUITE_INBOX].count) == (2, 1)
    decision = desk.op(item, "inbox-item", {"decision": {"value": NOW + 1, "reason": "camera"}})
    (result,) = await commit(store, desk.push(decision))
    assert (result.status, result.scopes) == ("durable", (SUITE,))
    subject = await store.record(ONE)
    assert subject is not None
    assert merge.from_row(decode_row(subject)).values()[ARRESTED] == NOW + 1
    heads = await store.heads()
    assert (heads[SUITE].count, heads[SUITE_INBOX].count) == (2, 0)
    (kept,) = await store.ops(item, 0, 5)
    assert {act.record for act in kept.acts} >= {ONE}
    assert await lost(store) == []
    changes = await store.changes(SUITE_INBOX, heads[SUITE_INBOX].seq)
    assert (changes.rows, changes.gone) == ((), ())


async def test_an_op_that_was_seen_is_looked_up_among_those_that_are_durable(store: Store) -> None:
    """However long ago it was superseded; one that was refused has not come."""
    device, desk, third = Device(), Device(DESK), Device(DeviceId("hh-0099"))
    await commit(store, device.push(booking(device), booking(device, {RISK: "high"})))
    await commit(store, desk.push(booking(desk, {RISK: "medium"}, saw={RISK: ("hh-0042/2",)})))
    late = third.push(booking(third, {RISK: "standard"}, saw={RISK: ("hh-0042/2",)}))
    assert statuses(await commit(store, late)) == ["durable"]
    await commit(store, desk.push(desk.op(TWO, "custody-booking", {RISK: "high"})))
    saw_refused = third.push(booking(third, {RISK: "standard"}, saw={RISK: ("desk-01/2",)}))
    (result,) = await commit(store, saw_refused)
    assert (result.status, result.code) == ("waiting", "op_saw_unknown")


async def test_the_moment_of_a_commit_is_kept(store: Store) -> None:
    """An inspector asks when it was recorded, not only when it happened."""
    device = Device()
    await store.commit([device.push(device.incident(ONE))], Millis(NOW + 7))
    assert [one.recorded_at for one in await all_ops(store)] == [NOW + 7]
