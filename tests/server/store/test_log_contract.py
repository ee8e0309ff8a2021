"""The contract of what a store keeps beside records: journal, chains, secrets, and the log with its proofs."""

import hashlib
from collections.abc import Sequence
from typing import Final

import pytest

from schemas.errors import UsageError
from schemas.ids import DeviceId, OpNumber
from schemas.limits import PAGE_ROWS_MAX
from server.commits import Submission
from server.logbook import ALARM, HEAD, Entry
from server.store import Store
from sync.evidence import merkle
from sync.evidence.chain import ChainHead, SignedHead, behind, genesis
from tests.server.store.support import HANDSET, NOW, Device, record_id, whole_log

OTHER: Final = DeviceId("hh-0117")


def beside(**what: object) -> Submission:
    """A submission without ops."""
    return Submission(HANDSET, None, (), **what)  # type: ignore[arg-type]  # fields by name


async def grow(store: Store, commits: int, device: Device | None = None) -> None:
    """So many commits, each with an op, a row and an entry: three leaves."""
    pusher = Device() if device is None else device
    for _ in range(commits):
        raw = pusher.incident(record_id(f"{pusher.device} {pusher.n}"))
        entry = Entry("act", f"{pusher.device}/{pusher.n}", b"act %d" % pusher.n)
        await store.commit([Submission(pusher.device, None, (raw,), entries=(entry,))], NOW)


# --- the journal -----------------------------------------------------------------------------------------------------


async def test_entries_are_kept_in_order_once_and_found_by_name(store: Store) -> None:
    """Each with its place, time, record and leaf; the first under a name stands."""
    about = record_id("about")
    await store.commit([beside(entries=(Entry("act", "1", b"one"), Entry("receipt", "1", b"other", about)))], NOW)
    await store.commit([beside(entries=(Entry("act", "1", b"not this"), Entry("act", "2", b"two")))], NOW)
    entries = await store.journal(None, 0, 10)
    assert [(one.place, one.what, one.key, one.body, one.record, one.leaf) for one in entries] == [
        (1, "act", "1", b"one", None, 0),
        (2, "receipt", "1", b"other", about, 1),
        (3, "act", "2", b"two", None, 2),
    ]
    assert {one.at for one in entries} == {NOW}
    assert await store.entry("act", "2") == entries[2]
    assert await store.entry("receipt", "2") is None


async def test_the_journal_is_read_in_pages_and_by_sort(store: Store) -> None:
    """A page ends where it must and the next begins behind it; of one sort nothing else comes."""
    some = [Entry(("act", "alarm")[at % 2], str(at), b"x" * 100) for at in range(25)]
    await store.commit([beside(entries=tuple(some))], NOW)
    found, after = [], 0
    while page := await store.journal("act", after, 4):
        assert len(page) <= 4
        found += page
        after = page[-1].place
    assert [one.key for one in found] == [one.key for one in some if one.what == "act"]
    with pytest.raises(UsageError):
        await store.journal(None, 0, 0)


async def test_long_entries_make_short_pages_and_never_an_empty_one(store: Store) -> None:
    """A page is bounded in bytes too, and always holds one more entry while there is one."""
    for at in range(8):
        await store.commit([beside(entries=(Entry("reads", str(at), bytes(100_000)),))], NOW)
    seen = after = 0
    while page := await store.journal("reads", after, PAGE_ROWS_MAX):
        seen += len(page)
        after = page[-1].place
        assert len(page) <= 3
    assert seen == 8


# --- chains and secrets ----------------------------------------------------------------------------------------------


async def test_a_chain_is_where_its_last_head_or_word_left_it(store: Store) -> None:
    """Of a seat by what was signed; of a read log by what was brought with it. Others are not moved by it."""
    device = Device()
    raw = device.incident(record_id(1))
    told = (OpNumber(1), hashlib.sha256(raw).digest())
    signed = SignedHead(HANDSET, genesis(HANDSET).link, (told,), bytes(64))
    assert await store.chain(HANDSET) is None
    await store.commit([Submission(HANDSET, None, (raw,), head=signed)], NOW)
    reads = ChainHead(OpNumber(7), bytes(32))
    await store.commit([beside(reached={f"reads/{HANDSET}": reads})], NOW)
    assert await store.chain(HANDSET) == behind(genesis(HANDSET), [told])
    assert await store.chain(f"reads/{HANDSET}") == reads
    assert await store.chain(OTHER) is None
    kept = await store.entry(HEAD, f"{HANDSET}:1")
    assert kept is not None


async def test_a_fork_leaves_one_alarm_however_often_it_comes(store: Store) -> None:
    """Of two ops that a seat signed for under one number the second is refused, in one transaction with its alarm."""
    for name in ("ours", "theirs", "theirs"):
        raw = Device().incident(record_id(name))
        told = (OpNumber(1), hashlib.sha256(raw).digest())
        signed = SignedHead(HANDSET, genesis(HANDSET).link, (told,), bytes(64))
        await store.commit([Submission(HANDSET, None, (raw,), head=signed)], NOW)
    (kept,) = await store.journal(ALARM, 0, 10)
    assert (kept.key, kept.leaf) == (f"chain_differs:{HANDSET}/1", (await store.tree()).size - 1)


async def test_what_a_head_vouched_for_is_remembered_until_it_comes(store: Store) -> None:
    """The hash of an op that was not sent lets in that op and no other, in a later group too."""
    device = Device()
    late, now = device.incident(record_id(1)), device.incident(record_id(2))
    ops = tuple((OpNumber(n), hashlib.sha256(raw).digest()) for n, raw in ((1, late), (2, now)))
    await store.commit(
        [Submission(HANDSET, None, (now,), head=SignedHead(HANDSET, genesis(HANDSET).link, ops, bytes(64)))], NOW
    )
    other = Device().incident(record_id(3))
    settled = await store.commit([Submission(HANDSET, None, (other,)), Submission(HANDSET, None, (late,))], NOW)
    assert [(one.status, one.code) for each in settled for one in each.results] == [
        ("refused", "op_reused"),
        ("durable", ""),
    ]


async def test_secrets_are_kept_replaced_forgotten_and_found_by_prefix(store: Store) -> None:
    """The last word under a name counts; None forgets it; none of it is in journal or log."""
    await store.commit([beside(secrets={"pin:WM1": b"one", "pin:WM2": b"two", "share:hh-1": b"three"})], NOW)
    await store.commit([beside(secrets={"pin:WM1": b"newer", "pin:WM2": None, "never": None})], NOW)
    assert await store.secret("pin:WM1") == b"newer"
    assert await store.secret("pin:WM2") is None
    assert await store.secrets("pin:") == {"pin:WM1": b"newer"}
    assert await store.secrets("") == {"pin:WM1": b"newer", "share:hh-1": b"three"}
    assert await store.secrets("pin:WM_") == {}
    assert ((await store.tree()).size, await store.journal(None, 0, 10)) == (0, [])


# --- the log ---------------------------------------------------------------------------------------------------------


async def test_every_op_entry_and_row_is_a_leaf_and_nothing_else_is(store: Store) -> None:
    """The log says what the store holds, leaf by leaf, and its root is that of those leaves."""
    await grow(store, 5)
    refused = Device()
    refused.n = 5
    await store.commit(
        [Submission(HANDSET, None, (refused.op(record_id("nowhere"), "incident", {"summary": "x"}),))], NOW
    )
    leaves = await whole_log(store)
    assert len(leaves) == 16


async def test_leaves_are_read_in_stretches(store: Store) -> None:
    """From an index on, at most so many; behind the last there is none."""
    await grow(store, 4)
    whole = await store.leaves(0, 100)
    assert len(whole) == 12
    assert await store.leaves(5, 3) == whole[5:8]
    assert await store.leaves(11, 10) == whole[11:]
    assert await store.leaves(12, 10) == []


@pytest.mark.parametrize("commits", [1, 2, 5, 11])
async def test_every_leaf_is_proved_in_every_tree_that_holds_it(store: Store, commits: int) -> None:
    """Inclusion proofs verify against the root of each size from the leaf on."""
    await grow(store, commits)
    hashes = [merkle.leaf_hash(one) for one in await store.leaves(0, 100)]
    roots = _roots(hashes)
    for size in range(1, len(hashes) + 1):
        for index in range(0, size, 1 + size // 7):
            proof = await store.inclusion(index, size)
            assert merkle.verify_inclusion(index, size, hashes[index], roots[size], proof)


@pytest.mark.parametrize("commits", [1, 3, 7])
async def test_every_tree_is_proved_to_continue_every_earlier_one(store: Store, commits: int) -> None:
    """Consistency proofs verify between any two sizes."""
    await grow(store, commits)
    hashes = [merkle.leaf_hash(one) for one in await store.leaves(0, 100)]
    roots = _roots(hashes)
    for size in range(1, len(hashes) + 1):
        for old in range(1, size + 1):
            proof = await store.consistency(old, size)
            assert merkle.verify_consistency(old, roots[old], size, roots[size], proof)


async def test_proofs_in_a_long_log_lean_on_its_stored_subtrees_and_verify(store: Store) -> None:
    """Beyond what a proof reads leaf by leaf; between sizes, and of leaves, at and beside every power of two."""
    for start in range(0, 1_500, 375):
        some = (Entry("act", str(at), b"act %d" % at) for at in range(start, start + 375))
        await store.commit([beside(entries=tuple(some))], NOW)
    hashes = [merkle.leaf_hash(raw) for at in (0, 1_000) for raw in await store.leaves(at, 1_000)]
    assert len(hashes) == 1_500
    roots = _roots(hashes)
    edges = [at for power in (256, 512, 768, 1_024, 1_280) for at in (power - 1, power, power + 1)]
    for size in (*edges, 1_500):
        for index in (0, 255, 256, size - 1):
            if index < size:
                proof = await store.inclusion(index, size)
                assert merkle.verify_inclusion(index, size, hashes[index], roots[size], proof)
        for old in (1, 255, 256, 257, 700, size):
            if old <= size:
                proof = await store.consistency(old, size)
                assert merkle.verify_consistency(old, roots[old], size, roots[size], proof)


def _roots(hashes: Sequence[bytes]) -> dict[int, bytes]:
    tree, found = merkle.EMPTY, {0: merkle.EMPTY.root}
    for each in hashes:
        tree, _ = tree.appended([each])
        found[tree.size] = tree.root
    return found


@pytest.mark.parametrize(("index", "size"), [(6, 6), (-1, 6), (0, 7), (0, 0), (2, 1)])
async def test_a_proof_of_what_is_not_there_is_refused(store: Store, index: int, size: int) -> None:
    """No such leaf, no such tree: it is said so, and nothing is made up."""
    await grow(store, 2)
    with pytest.raises(UsageError):
        await store.inclusion(index, size)


@pytest.mark.parametrize(("old", "size"), [(3, 7), (5, 4), (-1, 3)])
async def test_a_proof_between_trees_that_are_not_there_is_refused(store: Store, old: int, size: int) -> None:
    """Neither a larger tree than there is nor one that shrinks."""
    await grow(store, 2)
    with pytest.raises(UsageError):
        await store.consistency(old, size)
