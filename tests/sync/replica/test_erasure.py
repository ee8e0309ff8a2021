"""What an author's own device keeps of an erased record: its hashes in the chain, and not a word."""

from typing import Any, Final

import msgspec
import pytest

from schemas import wire
from schemas.codec import encode, reread_op
from schemas.ids import OpNumber, RecordId, Seq, named_record_id
from server.commits import Settled, Submission
from server.logbook import OFFICE, Erasure
from sync.evidence.chain import behind, genesis
from sync.outbox import OpState
from sync.replica import StoredOp
from tests.sync.replica.outposts import CLOSED, GEN, GRANTS, LOG, NORTH, Post, Server, at_once

DOOMED: Final = named_record_id("erasure", "doomed")
STAYS: Final = named_record_id("erasure", "stays")
OTHER: Final = named_record_id("erasure", "other")
WORDS: Final = (b"quillfeather", b"oddsocks", b"marmalade")


@pytest.fixture
def post(post: Post) -> Post:
    """It has made two records there."""
    post.create(DOOMED, summary="quillfeather")
    post.write(DOOMED, log=[{"text": "oddsocks"}])
    post.create(STAYS, summary="a ferret is loose")
    post.sync()
    assert words(post) == [b"oddsocks", b"quillfeather"]
    return post


def erase(server: Server, record: RecordId = DOOMED) -> Settled:
    """The server erases a record."""
    asked = Submission(OFFICE, frozenset(), (), erasure=Erasure(record, Seq(10**6), "its time was over"))
    (settled,) = at_once(server.store.commit([asked], server.tick()))
    assert record in {one.record for one in settled.erased}
    return settled


def kept(post: Post) -> dict[OpNumber, StoredOp]:
    """Every op that the device has."""
    return dict(post.tables._ops)


def words(post: Post) -> list[bytes]:
    """The planted words that are anywhere in the replica's tables."""
    tables = post.tables
    everything = repr((tables._meta, tables._rows, tables._ops, tables._members, tables._readings)).encode()
    return sorted(word for word in WORDS if word in everything)


def in_step(post: Post) -> None:
    """The chain holds, over ops of which only the hash is left too, and the server has it as the device does."""
    chain = post.replica._own.chain
    told = post.replica.digests(OpNumber(0), chain.head.n)
    assert behind(genesis(post.replica.device), told.items()) == chain.head
    at = post.server.chain(post.replica.device)
    assert chain.link_behind(at.n) == at.link


def snapshot(post: Post) -> None:
    """The scope is sent to it anew."""
    post.replica.resnapshot(NORTH)


@pytest.mark.parametrize("anew", [False, True], ids=["by batch", "by snapshot"])
def test_an_author_keeps_no_word_of_an_erased_record(post: Post, *, anew: bool) -> None:
    """Whether it resumes or is sent the scope anew; what it wrote elsewhere is as it was, and its chain goes on."""
    before = kept(post)
    erase(post.server)
    if anew:
        snapshot(post)
    post.sync()
    assert words(post) == []
    assert {n: op.state for n, op in kept(post).items()} == {1: OpState.ERASED, 2: OpState.ERASED, 3: OpState.SETTLED}
    assert kept(post)[OpNumber(3)] == before[OpNumber(3)]
    assert post.replica.view(DOOMED) is None
    in_step(post)
    post.write(STAYS, log=[{"text": "it was caught"}])
    post.sync()
    in_step(post)
    assert post.server.shows(STAYS)["log"]


@pytest.mark.parametrize("anew", [False, True], ids=["by batch", "by snapshot"])
def test_what_it_had_not_sent_goes_too(post: Post, *, anew: bool) -> None:
    """It is destroyed with the refusal that says so: not pushed again, not shown, not for its author to mend."""
    unsent = post.write(DOOMED, log=[{"text": "marmalade"}])
    erase(post.server)
    if anew:
        snapshot(post)
    post.hello()
    post.pull()
    assert words(post) == []
    gone = kept(post)[unsent.n]
    assert (gone.state, gone.body, gone.code, gone.detail) == (OpState.ERASED, b"", "op_record_erased", "")
    assert post.replica.queued(OpNumber(0), 9) == []
    assert post.replica.pending(DOOMED) == []
    assert post.replica.held(9) == []
    post.write(STAYS, log=[{"text": "it was caught"}])
    post.sync()
    in_step(post)


def test_a_result_that_comes_first_destroys_all_of_it(server: Server) -> None:
    """A device that holds no row of it pushes what it wrote, and is told: every op on the record goes."""
    author, other = Post(server, "hh-0001", chained=True), Post(server, "hh-0002", chained=True)
    for one in (author, other):
        one.sync()
    author.create(DOOMED, summary="quillfeather")
    author.sync()
    erase(server)
    # Another device made the same record, of the same name, and never heard of this one.
    other.create(DOOMED, summary="oddsocks")
    other.write(DOOMED, log=[{"text": "marmalade"}])
    other.hello()
    first = other.replica.queued(OpNumber(0), 1)
    results = server.take(other.replica.device, [op.body for op in first], GRANTS, other.vouch(first))
    assert [one.code for one in results] == ["op_record_erased"]
    outcome = other.replica.results(wire.Results(results=tuple(results)))
    assert (outcome.erased, outcome.held, outcome.touched) == ([1, 2], [], {DOOMED})
    assert words(other) == []
    assert {op.state for op in kept(other).values()} == {OpState.ERASED}
    other.sync()
    in_step(other)


def test_a_refusal_while_the_row_is_here_destroys_nothing_else(post: Post) -> None:
    """It may be about a part of what was erased; whether the record itself was, its scope's batch says."""
    op = post.write(DOOMED, log=[{"text": "marmalade"}])
    refused = wire.Result(n=op.n, status="refused", code="op_record_erased", detail="erased on 2031-04-01T09:00:00Z")
    post.replica.results(wire.Results(results=(refused,)))
    assert kept(post)[op.n].state is OpState.HELD
    assert words(post) == sorted(WORDS)


def test_nothing_of_it_goes_to_quarantine(post: Post) -> None:
    """Not what was refused for want of a right, which would be sealed when its record leaves; nor what was sealed."""
    post.replica.seal_with(lambda raw: b"sealed" + raw)
    post.write(DOOMED, log=[{"text": "marmalade"}])
    post.hello()
    post.push(grants=CLOSED)
    assert [op.code for op in post.replica.held(9)] == ["op_not_permitted"]
    erase(post.server)
    post.pull()
    assert post.replica.sealed(OpNumber(0), 9) == []
    assert words(post) == []


def test_what_was_sealed_before_goes_too(post: Post) -> None:
    """What waits to be handed over, and sealed copies of what the server had; late answers are passed over."""
    post.replica.seal_with(lambda raw: b"sealed" + raw)
    post.write(DOOMED, log=[{"text": "marmalade"}])
    post.replica.retract(wire.Retract(scope=NORTH, gen=GEN))
    states = {n: op.state for n, op in kept(post).items()}
    assert states == {1: OpState.QUARANTINED, 2: OpState.QUARANTINED, 3: OpState.QUARANTINED, 4: OpState.SEALED}
    erase(post.server)
    snapshot_of_grant = wire.Plan(scope=NORTH, gen=GEN, action="snapshot", seq=Seq(3), count=1)
    post.replica.scope_add(wire.ScopeAdd(plan=snapshot_of_grant))
    post.pull()
    assert words(post) == []
    post.replica.kept_sealed([OpNumber(4)])
    durable = wire.Result(n=OpNumber(4), status="durable", seq=Seq(9))
    post.replica.results(wire.Results(results=(durable,)))
    assert {n: op.state for n, op in kept(post).items()} == {
        1: OpState.ERASED, 2: OpState.ERASED, 3: OpState.QUARANTINED, 4: OpState.ERASED
    }  # fmt: skip


def test_mended_withdrawn_and_reissued_ops_of_it_go_too(server: Server) -> None:
    """They point on to what took their place, and say nothing any more: not what they said, nor why they ended."""
    post = Post(server, chained=True)
    post.sync()
    post.create(DOOMED, summary="quillfeather")
    post.sync()
    wrong = post.write(DOOMED, log=[{"text": "oddsocks"}])
    behind_it = post.write(DOOMED, log=[{"text": "marmalade"}])
    post.sync(grants=CLOSED)
    post.replica.mend(wrong.n, {LOG: [{"text": "marmalade"}]}, post.facts("oddsocks"))
    post.sync(grants=CLOSED)
    held = post.replica.held(9)[0]
    post.replica.withdraw(held.n, "quillfeather")
    states = {op.state for op in kept(post).values()}
    assert {OpState.MENDED, OpState.REISSUED, OpState.WITHDRAWN} <= states
    became = {n: op.became for n, op in kept(post).items()}
    erase(server)
    post.sync()
    assert words(post) == []
    assert {n: op.became for n, op in kept(post).items()} == became
    assert post.replica.became(behind_it.n) is not None
    in_step(post)


def test_told_of_it_in_one_scope_the_row_of_another_goes_with_its_own_batch(post: Post) -> None:
    """Between the two nothing of its officer's is laid over the row; behind them there is none."""
    post.write(DOOMED, log=[{"text": "marmalade"}])
    south = type(NORTH)("area:south")
    plan = wire.Plan(scope=south, gen=GEN, action="snapshot", seq=Seq(1), count=1)
    post.replica.scope_add(wire.ScopeAdd(plan=plan))
    row = post.tables.row(DOOMED)
    assert row is not None
    page = wire.Snapshot(scope=south, gen=GEN, at=Seq(1), after="", upto="", rows=(msgspec.Raw(row),), last=True)
    post.replica.page(page)
    erase(post.server)
    post.pull()
    assert post.replica.pending(DOOMED) == []
    assert post.replica.view(DOOMED) is not None
    told: dict[str, Any] = {"gone": (DOOMED,), "erased": (DOOMED,)}
    post.replica.batch(wire.Batch(scope=south, gen=GEN, frm=Seq(1), to=Seq(2), **told))
    assert post.replica.view(DOOMED) is None
    assert words(post) == []


def test_a_server_that_was_set_back_is_not_offered_it(post: Post) -> None:
    """It may hold the record again; of what was written here there is nothing left to offer."""
    backup = post.server.backup()
    erase(post.server)
    post.sync()
    post.server.restore(backup)
    post.hello()
    assert [op.n for op in post.replica.queued(OpNumber(0), 9)] == [3]
    post.sync()
    in_step(post)


def test_said_twice_it_changes_nothing(post: Post) -> None:
    """A repair after a batch tells it again: the hashes are those of what was there, not of nothing."""
    erase(post.server)
    post.pull()
    before = kept(post), dict(post.tables._meta)
    snapshot(post)
    post.pull()
    assert (kept(post), dict(post.tables._meta)) == before
    in_step(post)


def test_of_an_erased_record_that_it_never_wrote_about_nothing_is_noted(post: Post) -> None:
    """Others' erasures pass without a trace."""
    reader = Post(post.server, "hh-0002", chained=True)
    reader.sync()
    erase(post.server)
    reader.sync()
    assert kept(reader) == {}
    assert words(reader) == []
    assert OTHER not in reader.tables._rows
    assert reread_op(encode(reread_op(kept(post)[OpNumber(3)].body))).record == STAYS
