"""What a group of submissions comes to: its ops in order, what comes beside them, and what must be loaded for both."""

import hashlib

from schemas.ids import OpNumber, Seq
from schemas.limits import OPS_PER_COMMIT_MAX
from server.commits import Submission, extras, flatten, needs
from server.logbook import Entry, Erasure, head_entry, head_key
from sync.evidence.chain import ChainHead, SignedHead, genesis
from tests.server.settle.desk import BOTH, op, record
from tests.server.settle.seats import OTHER, SEAT, head, pushed, told


def test_a_group_is_taken_in_its_order() -> None:
    """Every op with the submission that brought it."""
    first, second = pushed(op(1, 1), op(2, 2)), pushed(op(1, 3, device=OTHER), seat=OTHER)
    assert flatten([first, second]) == [(first, op(1, 1)), (first, op(2, 2)), (second, op(1, 3, device=OTHER))]


def test_what_comes_beside_the_ops_is_gathered() -> None:
    """Of one name the last counts; what an erasure brings stays with it, and is kept only if it is carried out."""
    note, over = Entry("act", "1", b"posted"), Entry("act", "2", b"erased")
    erasure = Erasure(record(1), Seq(3), "under a rule")
    reached = ChainHead(OpNumber(4), bytes(32))
    signed = head(told(1, op(1, 1)))
    found = extras(
        [
            Submission(SEAT, BOTH, (), entries=(note,), secrets={"a": b"1", "b": b"2"}, head=signed),
            Submission(SEAT, BOTH, (), entries=(over,), secrets={"a": None}, reached={"reads/hh-1": reached}),
            Submission(SEAT, BOTH, (), entries=(over,), erasure=erasure),
        ]
    )
    assert found.entries == (note, over)
    assert found.erasures == ((erasure, (over,)),)
    assert found.secrets == {"a": None, "b": b"2"}
    assert (found.heads, found.reached) == ((signed,), {"reads/hh-1": reached})


def test_all_that_a_commit_looks_at_is_asked_for() -> None:
    """The ops, those that they stand behind and those that heads tell of by hash; their records, seats and entries."""
    raw = op(5, 7, {"summary": "x"}, after=OpNumber(3))
    signed = head((OpNumber(4), bytes(32)), told(5, raw), seat=OTHER)
    note, over = Entry("act", "1", b"posted"), Entry("act", "2", b"erased")
    group = [
        Submission(SEAT, BOTH, (raw,), entries=(note,)),
        Submission(OTHER, BOTH, (), head=signed),
        Submission(SEAT, BOTH, (), entries=(over,), erasure=Erasure(record(1), Seq(3), "under a rule")),
    ]
    wanted = needs(flatten(group), extras(group))
    assert wanted.ops == {(SEAT, 5), (SEAT, 3), (OTHER, 4), (OTHER, 5)}
    assert wanted.records == {record(7)}
    assert wanted.devices == {SEAT, OTHER}
    assert wanted.entries == {note.id, over.id, ("head", "hh-2:5")}


def test_no_more_is_asked_for_than_one_commit_takes() -> None:
    """The rest comes with the next."""
    raws = [op(n, n) for n in range(1, OPS_PER_COMMIT_MAX + 3)]
    assert len(needs(flatten([pushed(*raws)])).records) == OPS_PER_COMMIT_MAX


def test_a_head_is_asked_for_by_the_name_it_is_kept_under() -> None:
    """Whatever it vouches for, nothing included."""
    nothing = SignedHead(SEAT, genesis(SEAT).link, (), bytes(64))
    for signed in (nothing, head(told(9, op(9, 1))), head((OpNumber(2), hashlib.sha256(b"x").digest()), seat=OTHER)):
        assert head_entry(signed).id == head_key(signed) == ("head", f"{signed.seat}:{signed.head.n}")
