"""What a commit keeps for a court: leaves for all of it, heads that go on from the chain, entries once. And rights."""

import hashlib

import msgspec
import pytest

from schemas.ids import DeviceId, OfficerId, Seq
from schemas.roles import Role
from schemas.wire import Result
from server.commits import Submission
from server.logbook import HEAD, Entry, outcome_digest
from server.numbering import series_id
from server.roles import Roles
from server.store.memory import MemoryStore
from sync.evidence import leaf
from sync.evidence.chain import behind, genesis
from sync.evidence.leaf import EntryLeaf, OpLeaf, RowsLeaf
from tests.server.settle.desk import BOTH, NOW, Desk, name, op, record
from tests.server.settle.seats import OTHER, PAGE, SEAT, commit, head, pushed, results, told
from tests.sync.replica.outposts import at_once


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


# --- leaves ----------------------------------------------------------------------------------------------------------


def test_every_op_entry_and_row_has_one_leaf_that_bears_its_hash(store: MemoryStore) -> None:
    """Refused ops too; what waits or was known before is no second leaf, and a commit's rows are one."""
    made, refused, waits = op(1, 1), op(2, 9, {"summary": "nothing there"}), op(3, 9, {"summary": "x"}, after=2)
    note = Entry("act", "1", b"somebody was posted")
    settled = commit(store, msgspec.structs.replace(pushed(made, refused, waits), entries=(note, note)))
    commit(store, pushed(made), pushed(made, refused))
    assert results(settled) == [("durable", ""), ("refused", "op_record_unknown"), ("waiting", "op_record_unknown")]
    leaves = [leaf.decode(raw) for raw in at_once(store.leaves(0, PAGE))]
    kept = at_once(store.ops(None, 0, PAGE))
    assert leaves == [
        *(
            OpLeaf(
                id=leaf_id,
                digest=hashlib.sha256(one.body).digest(),
                outcome=outcome_digest(msgspec.msgpack.encode(one.result), msgspec.msgpack.encode(one.acts)),
                seq=one.seq,
                at=NOW,
                place=one.place,
            )
            for leaf_id, one in zip((name("hh-1", 1), name("hh-1", 2)), kept, strict=True)
        ),
        EntryLeaf(what="act", key="1", digest=hashlib.sha256(note.body).digest(), at=NOW),
        RowsLeaf(
            seq=Seq(1),
            at=NOW,
            rows=tuple(
                (one, hashlib.sha256(at_once(store.record(one)) or b"").digest())
                for one in (record(1), series_id("", "2023-11-14"))
            ),
        ),
    ]
    assert [one.leaf for one in kept] == [0, 1]
    assert at_once(store.tree()).size == len(leaves)


def test_an_entry_is_kept_once(store: MemoryStore) -> None:
    """The same again, in the same group or later, is neither a second entry nor a second leaf, and the first stands."""
    first, again = Entry("act", "7", b"first"), Entry("act", "7", b"another body under its name")
    commit(store, Submission(SEAT, BOTH, (), entries=(first, again)))
    commit(store, Submission(SEAT, BOTH, (), entries=(again, first, Entry("act", "8", b"second"))))
    assert [kept.body for kept in at_once(store.journal("act", 0, PAGE))] == [b"first", b"second"]
    assert at_once(store.tree()).size == 2


def test_what_comes_beside_the_ops_is_written_with_the_last_of_them(store: MemoryStore) -> None:
    """A group that takes several commits brings its head on only when all that the head vouches for is kept."""
    raws = [op(n, n) for n in range(1, 601)]
    ops = [told(n, raw) for n, raw in enumerate(raws, 1)]
    settled = commit(store, pushed(*raws, signed=head(*ops)))
    assert len(settled) > 1
    assert [entry.seq for entry in at_once(store.journal(HEAD, 0, PAGE))] == [settled[-1].seq]
    assert at_once(store.chain(SEAT)) == behind(genesis(SEAT), ops)


# --- chains ----------------------------------------------------------------------------------------------------------


def test_an_op_that_a_head_vouched_for_may_come_later_and_no_other_in_its_place(store: MemoryStore) -> None:
    """What was told by its hash alone is taken in when it comes after all; any other op of its number never."""
    first, second, third = op(1, 1), op(2, 2), op(3, 3)
    commit(store, pushed(third, signed=head(told(1, first), told(2, second), told(3, third))))
    assert results(commit(store, pushed(op(1, 1, why="another")))) == [("refused", "op_reused")]
    assert results(commit(store, pushed(first))) == [("durable", "")]
    assert results(commit(store, pushed(op(2, 5)), pushed(second))) == [("refused", "op_reused"), ("durable", "")]


def test_a_number_behind_the_head_that_nobody_vouched_for_is_nobody_s(store: MemoryStore) -> None:
    """The chain passed it over."""
    late = op(2, 2)
    commit(store, pushed(late, signed=head(told(2, late))))
    assert results(commit(store, pushed(op(1, 1)))) == [("refused", "op_reused")]


def test_of_two_heads_that_part_the_first_to_be_committed_is_the_chain(store: MemoryStore) -> None:
    """Two sessions of one key began at the same place: the other's ops are refused, and its head is not kept."""
    mine, forked, behind_it = op(1, 1), op(1, 2), op(2, 3)
    signed = head(told(1, mine))
    fork = head(told(1, forked), told(2, behind_it))
    for settled in (commit(store, pushed(mine, signed=signed)), commit(store, pushed(mine, signed=signed))):
        assert results(settled) == [("durable", "")]
    assert results(commit(store, pushed(forked, behind_it, signed=fork))) == [("refused", "op_reused")] * 2
    assert at_once(store.chain(SEAT)) == signed.head
    assert [entry.key for entry in at_once(store.journal(HEAD, 0, PAGE))] == ["hh-1:1"]


def test_two_heads_that_part_in_one_group_are_told_apart_too(store: MemoryStore) -> None:
    """The first in the group is the chain."""
    mine, forked, behind_it = op(1, 1), op(1, 2), op(2, 3)
    group = (
        pushed(mine, signed=head(told(1, mine))),
        pushed(forked, behind_it, signed=head(told(1, forked), told(2, behind_it))),
    )
    assert results(commit(store, *group)) == [("durable", ""), ("refused", "op_reused"), ("refused", "op_reused")]
    assert at_once(store.chain(SEAT)) == behind(genesis(SEAT), [told(1, mine)])


def test_heads_of_sessions_that_overlap_honestly_go_on(store: MemoryStore) -> None:
    """The same ops pushed again, with more behind them, under a head from the same beginning."""
    raws = [op(n, n) for n in range(1, 5)]
    ops = [told(n, raw) for n, raw in enumerate(raws, 1)]
    commit(store, pushed(*raws[:2], signed=head(*ops[:2])))
    settled = commit(
        store,
        pushed(*raws[:3], signed=head(*ops[:3])),
        pushed(*raws[1:], signed=head(*ops[1:], begin=behind(genesis(SEAT), ops[:1]))),
        pushed(raws[0], signed=head(ops[0])),
    )
    assert {status for status, _ in results(settled)} == {"durable"}
    assert at_once(store.chain(SEAT)) == behind(genesis(SEAT), ops)
    assert [entry.key for entry in at_once(store.journal(HEAD, 0, PAGE))] == ["hh-1:2", "hh-1:3", "hh-1:4"]


def test_a_head_of_another_seat_moves_no_chain_but_its_own(store: MemoryStore) -> None:
    """Two officers of one handheld have two chains."""
    mine, theirs = op(1, 1), op(1, 2, device=OTHER)
    commit(
        store,
        pushed(mine, signed=head(told(1, mine))),
        pushed(theirs, signed=head(told(1, theirs), seat=OTHER), seat=OTHER),
    )
    assert at_once(store.chain(SEAT)) == behind(genesis(SEAT), [told(1, mine)])
    assert at_once(store.chain(OTHER)) == behind(genesis(OTHER), [told(1, theirs)])


# --- rights ----------------------------------------------------------------------------------------------------------


def test_write_rights_are_asked_of_the_roles_that_come_with_the_push(store: MemoryStore) -> None:
    """Who moves an incident to another area decides for others: an officer does not; with no roles none is asked."""

    def moved(n: int, roles: Roles | None) -> Result:
        raw = op(n, 1, {"area": "south"}, saw={}, author=OfficerId("WM1"))
        submission = Submission(SEAT, BOTH, (raw,), roles=roles)
        return commit(store, submission)[0].results[0]

    commit(store, pushed(op(1, 1)))
    assert moved(2, Roles(frozenset({Role.OFFICER}))).status == "refused"
    assert moved(3, Roles(frozenset({Role.SUPERVISOR}))).status == "durable"
    assert moved(4, None).status == "durable"


def test_a_device_does_not_say_that_its_op_was_written_elsewhere() -> None:
    """What it signs was written on it; only the server writes for somebody at another seat."""
    desk = Desk()
    result = desk.one(op(1, 1, via=DeviceId("desk-9")))
    assert (result.status, result.code) == ("refused", "op_value_wrong")
    assert "only the server says for whom it wrote" in result.detail
    assert desk.row(1) is None
