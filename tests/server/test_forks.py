"""A chain that parts from what the server holds is refused at the commit, and leaves an alarm in the same one."""

import msgspec
import pytest

from schemas.ids import DeviceId
from server.alarms import CHAIN_DIFFERS, Alarm
from server.commits import Submission
from server.logbook import ALARM
from server.store.memory import MemoryStore
from sync.evidence import leaf
from sync.evidence.chain import behind, genesis
from sync.evidence.leaf import EntryLeaf
from tests.server.settle.desk import BOTH, NOW, op
from tests.server.settle.seats import OTHER, PAGE, SEAT, commit, head, pushed, results, told
from tests.sync.replica.outposts import at_once


@pytest.fixture
def store() -> MemoryStore:
    """One that holds two ops of a seat, signed for."""
    store = MemoryStore()
    raws = [op(1, 1), op(2, 2)]
    commit(store, pushed(*raws, signed=head(*(told(n, raw) for n, raw in enumerate(raws, 1)))))
    assert alarms(store) == []
    return store


def alarms(store: MemoryStore) -> list[Alarm]:
    """Every alarm, in order."""
    return [msgspec.msgpack.decode(kept.body or b"", type=Alarm) for kept in at_once(store.journal(ALARM, 0, PAGE))]


def forked() -> Submission:
    """What a copy of the replica pushes that was made before its second op."""
    second, third = op(2, 7), op(3, 8)
    begin = behind(genesis(SEAT), [told(1, op(1, 1))])
    return pushed(second, third, signed=head(told(2, second), told(3, third), begin=begin))


def test_a_fork_is_refused_and_leaves_an_alarm_in_the_log(store: MemoryStore) -> None:
    """It names the seat and the first op that parts; it is a leaf like everything else."""
    settled = commit(store, forked())
    assert results(settled) == [("refused", "op_reused")] * 2
    (alarm,) = alarms(store)
    assert (alarm.code, alarm.seat, alarm.at) == (CHAIN_DIFFERS, SEAT, NOW)
    assert "hh-1/2" in alarm.detail
    (last,) = at_once(store.leaves(at_once(store.tree()).size - 1, 1))
    kept = leaf.decode(last)
    assert isinstance(kept, EntryLeaf)
    assert (kept.what, kept.key) == (ALARM, "chain_differs:hh-1/2")


def test_a_fork_that_begins_behind_a_number_passed_over_is_one_too(store: MemoryStore) -> None:
    """Its first op has a number that the server does not know, and follows another op than the server's last."""
    third = op(3, 8)
    begin = behind(genesis(SEAT), [told(1, op(1, 1))])
    assert results(commit(store, pushed(third, signed=head(told(3, third), begin=begin)))) == [("refused", "op_reused")]
    assert ["hh-1/3" in alarm.detail for alarm in alarms(store)] == [True]


def test_a_fork_of_hashes_alone_is_one_too(store: MemoryStore) -> None:
    """A head that vouches for ops that never come: nothing is refused, and still the device signed for two chains."""
    begin = behind(genesis(SEAT), [told(1, op(1, 1))])
    commit(store, Submission(SEAT, BOTH, (), head=head(told(2, op(2, 7)), begin=begin)))
    assert ["hh-1/2" in alarm.detail for alarm in alarms(store)] == [True]
    assert at_once(store.chain(SEAT)) == behind(begin, [told(2, op(2, 2))])


def test_an_old_number_used_again_without_a_head_is_a_fork(store: MemoryStore) -> None:
    """What comes for a number that is signed for needs no head, and must be the op that was signed for."""
    commit(store, pushed(op(1, 1, why="another")))
    assert [alarm.seat for alarm in alarms(store)] == [SEAT]


def test_two_sessions_of_one_key_in_one_group_are_told_apart(store: MemoryStore) -> None:
    """The first is the chain, and the other is the alarm."""
    ours, theirs = op(3, 3), op(3, 8)
    begin = at_once(store.chain(SEAT))
    assert begin is not None
    group = [pushed(raw, signed=head(told(3, raw), begin=begin)) for raw in (ours, theirs)]
    assert results(commit(store, *group)) == [("durable", ""), ("refused", "op_reused")]
    assert ["hh-1/3" in alarm.detail for alarm in alarms(store)] == [True]


def test_a_copy_that_goes_on_pushing_raises_one_alarm_until_the_chain_moves(store: MemoryStore) -> None:
    """In the same group, in later ones: it cannot fill the journal. Once the chain has gone on it is news again."""
    commit(store, forked(), forked())
    commit(store, forked())
    assert len(alarms(store)) == 1
    third = op(3, 3)
    commit(store, pushed(third, signed=head(told(3, third), begin=at_once(store.chain(SEAT)))))
    commit(store, forked())
    assert len(alarms(store)) == 2


def test_a_group_of_several_commits_raises_it_once(store: MemoryStore) -> None:
    """The ops are refused in one commit, and the head falls in another."""
    raws = [op(n, n) for n in range(2, 602)]
    begin = behind(genesis(SEAT), [told(1, op(1, 1))])
    forked_head = head(*(told(n, raw) for n, raw in enumerate(raws[1:], 3)), begin=begin)
    assert len(commit(store, pushed(*raws[1:], signed=forked_head))) > 1
    assert len(alarms(store)) == 1


def test_each_seat_has_its_own_alarm(store: MemoryStore) -> None:
    """Two officers of one handheld have two chains, and one may be the honest one."""
    theirs = op(1, 5, device=OTHER)
    signed = head(told(1, theirs), seat=OTHER)
    again = op(1, 6, device=OTHER)
    commit(store, forked(), pushed(theirs, signed=signed, seat=OTHER), pushed(again, seat=OTHER))
    assert {alarm.seat for alarm in alarms(store)} == {SEAT, OTHER}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("seat", [SEAT, DeviceId("hh-9")], ids=["known", "new"])
def test_what_overlaps_honestly_raises_none(store: MemoryStore, seat: DeviceId, *, together: bool) -> None:
    """Pushed again, under the same head, an older one, one that goes on, none; and hashes long before their op."""
    raws = [op(1, 1, device=seat), op(2, 2, device=seat), op(3, 30, device=seat), op(4, 40, device=seat)]
    ops = [told(n, raw) for n, raw in enumerate(raws, 1)]
    third = pushed(raws[2], seat=seat)
    pushes = (
        pushed(raws[0], signed=head(ops[0], seat=seat), seat=seat),
        pushed(*raws[:2], signed=head(*ops[:2], seat=seat), seat=seat),
        pushed(*raws[:2], seat=seat),
        pushed(raws[3], signed=head(*ops, seat=seat), seat=seat),
        pushed(raws[3], signed=head(*ops[1:], begin=behind(genesis(seat), ops[:1]), seat=seat), seat=seat),
    )
    for group in [(*pushes, *pushes)] if together else [(each,) for each in pushes for _ in "12"]:
        commit(store, *group)
    commit(store, third)
    commit(store, third, *pushes)
    assert alarms(store) == []
    assert at_once(store.chain(seat)) == behind(genesis(seat), ops)
