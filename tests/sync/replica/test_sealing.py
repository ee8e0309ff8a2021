"""What is left on a device of what its officer may no longer read: sealed bytes and hashes, and none of its words."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_up, encode
from schemas.ids import FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName, Seq, named_record_id
from schemas.limits import READ_BYTES_MAX, REASON_CHARS_MAX
from schemas.reads import NO_LINK, READ_RECORDS_MAX, READ_WHY_BYTES_MAX, READ_WORDS_CHARS_MAX, Read
from sync.outbox import ENDED, PENDING, SHUT, OpState
from sync.replica import MemoryTables, Outcome, Replica
from sync.replica.reads import ReadNote
from tests.sim.device import seal, unseal
from tests.sync.replica.outposts import CLOSED, GEN, NORTH, Post, Server, at_once

A: Final = named_record_id("sealing", "a")
B: Final = named_record_id("sealing", "b")
SOUTH: Final = ScopeName("area:south")
WORDS: Final = ("AMBERGRIS", "BASILISK", "CORMORANT", "DULCIMER", "ELDERFLOWER", "FILIGREE")


def everything(tables: MemoryTables) -> bytes:
    """Every byte that the tables hold."""
    parts = (tables._meta, tables._rows, tables._members, tables._positions, tables._ops, tables._readings)
    return b"".join(repr(part).encode() + _raw(part) for part in parts)


def _raw(part: Any) -> bytes:  # noqa: ANN401  any table
    match part:
        case bytes():
            return part
        case dict():
            return b"".join(map(_raw, part.values()))
        case tuple() | list():
            return b"".join(map(_raw, part))
        case msgspec.Struct():
            return b"".join(_raw(getattr(part, name)) for name in part.__struct_fields__)
        case str():
            return part.encode()
        case _:
            return b""


@pytest.fixture
def post() -> Post:
    """A device that seals, and holds the north."""
    made = Post(Server(), chained=True)
    made.replica.seal_with(seal)
    made.sync()
    return made


def retracted(post: Post) -> Outcome:
    """The grant of the north ends."""
    return post.replica.retract(wire.Retract(scope=NORTH, gen=GEN))


def granted(post: Post) -> None:
    """The grant of the north begins again, and its records come."""
    plan = wire.Plan(scope=NORTH, gen=GEN, action="snapshot", seq=Seq(0))
    post.replica.scope_add(wire.ScopeAdd(plan=plan))


def in_every_state(post: Post) -> dict[OpState, OpNumber]:
    """Ops on one record in every state in which the end of a right can meet them."""
    post.create(A, summary=WORDS[0])
    post.sync()
    refused = post.write(A, summary=WORDS[1])
    post.sync(CLOSED)
    post.mend(refused.n, {"summary": WORDS[2]})
    given_up = post.write(A, location=WORDS[3])
    post.sync(CLOSED)
    for n, state in post.states().items():
        if state is OpState.HELD:
            post.replica.withdraw(OpNumber(n), f"because of {WORDS[4]}")
    post.write(A, location=WORDS[3])
    post.push(heard=True)
    held = post.write(A, summary=WORDS[4])
    post.push(grants=CLOSED)
    post.write(A, source=WORDS[5])
    assert {given_up.n, held.n} <= post.states().keys()
    return {state: OpNumber(n) for n, state in post.states().items()}


def test_no_word_of_a_record_is_left_when_its_grant_ends(post: Post) -> None:
    """Whatever state its ops are in: nothing of what its officer wrote on it can be read in any table."""
    post.replica.scope_add(wire.ScopeAdd(plan=wire.Plan(scope=SOUTH, gen=GEN, action="snapshot", seq=Seq(0))))
    found = in_every_state(post)
    assert {OpState.HELD, OpState.QUEUED, OpState.MENDED} <= found.keys()
    post.write(B, create=True, opened_at=1, area="north", category="crime", summary="another record, not taken in yet")
    said = everything(post.tables)
    assert all(word.encode() in said for word in WORDS)
    outcome = retracted(post)
    left = everything(post.tables)
    assert [word for word in WORDS if word.encode() in left] == []
    assert set(post.states().values()) <= {*SHUT, *ENDED, *PENDING}
    assert outcome.sealed == [n for n, state in post.states().items() if state is OpState.SEALED]
    # Of the record that is not the server's yet its author has the only copy, and it is in no scope.
    assert b"another record" in left


@pytest.mark.parametrize("live", [True, False], ids=["while connected", "at the next contact"])
def test_with_the_last_grant_goes_what_was_only_ever_written_here(post: Post, *, live: bool) -> None:
    """A device that was revoked is let push nothing: a record that it alone has is sealed too, and handed over."""
    made = post.write(B, create=True, opened_at=1, area="north", category="crime", summary=WORDS[0])
    added = post.write(B, location=WORDS[1])
    if live:
        outcome = retracted(post)
    else:
        dropped = wire.Plan(scope=NORTH, gen=GEN, action="drop", seq=Seq(0))
        told = wire.Welcome(
            proto=wire.PROTO, schema_min=wire.SCHEMA_MIN, schema_max=wire.SCHEMA_MAX, epoch=post.server.store.epoch,
            server_time=Millis(1), last_op=OpNumber(0), credit=1, scopes=(dropped,),
        )  # fmt: skip
        outcome = post.replica.welcome(told)
    assert (outcome.sealed, post.replica.view(B)) == ([made.n, added.n], None)
    left = everything(post.tables)
    assert [word for word in WORDS[:2] if word.encode() in left] == []
    assert [op.n for op in post.replica.sealed(OpNumber(0), 100)] == [made.n, added.n]


def test_what_was_sealed_is_what_was_written_and_its_hash_stays(post: Post) -> None:
    """The server opens the very bytes of the op; the chain goes on as if nothing had been."""
    in_every_state(post)
    before = {n: op.body for n in post.states() if (op := post.tables.op(OpNumber(n))) is not None}
    head = post.replica.chain
    retracted(post)
    for n, body in before.items():
        op = post.tables.op(OpNumber(n))
        assert op is not None
        assert (unseal(op.body) if op.state in SHUT else op.body) == (body if op.state in SHUT else b"")
    digests = {OpNumber(n): hashlib.sha256(body).digest() for n, body in before.items()}
    assert post.replica.digests(OpNumber(0), head.n) == digests
    assert post.replica.chain == head
    for n in before:
        assert post.replica._own.chain.link_behind(OpNumber(n)) is not None


def test_what_was_never_sent_is_handed_over_until_the_server_has_it(post: Post) -> None:
    """Sealed ops are told in order; once they are in quarantine they are told no more, but to a server set back."""
    in_every_state(post)
    backup = post.server.backup()
    retracted(post)
    waiting = [op.n for op in post.replica.sealed(OpNumber(0), 100)]
    assert waiting == [n for n, state in post.states().items() if state is OpState.SEALED] != []
    post.replica.kept_sealed(map(OpNumber, (*post.states(), 999)))
    assert post.replica.sealed(OpNumber(0), 100) == []
    post.server.restore(backup)
    settled = [n for n, state in post.states().items() if state is OpState.QUARANTINED]
    post.hello()
    assert [op.n for op in post.replica.sealed(OpNumber(0), 100)] == settled


def test_with_nobody_to_seal_to_nothing_is_lost() -> None:
    """A device that was never told the server's key keeps what it has."""
    post = Post(Server(), chained=True)
    post.sync()
    found = in_every_state(post)
    said = {n: post.tables.op(OpNumber(n)) for n in post.states()}
    assert retracted(post).sealed == []
    assert found.keys() <= {*post.states().values(), OpState.DURABLE}
    for n, op in said.items():
        now = post.tables.op(OpNumber(n))
        assert op is not None
        assert now is not None
        assert now.body == op.body


def test_what_still_comes_for_a_sealed_op_opens_nothing(post: Post) -> None:
    """Its result was on the way: durable, it need not be handed over; refused or waiting, it is as it was."""
    post.create(A)
    post.sync()
    op = post.write(A, summary=WORDS[0])
    retracted(post)
    for status in ("refused", "waiting", "durable", "durable"):
        told = wire.Result(n=op.n, status=status, code="" if status == "durable" else "op_value_wrong", seq=Seq(9))
        post.replica.results(wire.Results(results=(told,)))
        assert post.states()[op.n] is (OpState.QUARANTINED if status == "durable" else OpState.SEALED)
    assert WORDS[0].encode() not in everything(post.tables)


def test_the_right_comes_back_and_work_goes_on(post: Post) -> None:
    """What was sealed stays so; new ops follow the chain, and do not wait for the sealed ones."""
    post.create(A)
    post.sync()
    sealed = post.write(A, summary=WORDS[0])
    retracted(post)
    granted(post)
    post.sync()
    new = post.write(A, location="after it")
    assert new.after == 0
    post.sync()
    assert post.states()[new.n] is OpState.SETTLED
    assert post.states()[sealed.n] is OpState.SEALED
    assert post.server.shows(A)["location"] == "after it"


@pytest.mark.parametrize("leaves_first", [True, False])
def test_a_refusal_for_want_of_a_right_seals_once_the_record_is_gone(post: Post, *, leaves_first: bool) -> None:
    """While the record is here its officer sees the change held beside it; with the record it goes, in either order."""
    post.create(A)
    post.sync()
    op = post.write(A, summary=WORDS[0])
    told = wire.Results(results=(wire.Result(n=op.n, status="refused", code="op_not_permitted"),))
    held = post.tables.position(NORTH)
    assert held is not None
    gone = wire.Batch(scope=NORTH, gen=GEN, frm=held.seq, to=Seq(held.seq + 1), gone=(A,))
    steps: list[Callable[[], Outcome]] = [lambda: post.replica.results(told), lambda: post.replica.batch(gone)]
    first, second = reversed(steps) if leaves_first else steps
    first()
    assert post.states()[op.n] is (OpState.QUEUED if leaves_first else OpState.HELD)
    assert WORDS[0].encode() in everything(post.tables)
    outcome = second()
    assert post.states()[op.n] is OpState.SEALED
    assert outcome.sealed == [op.n]
    assert WORDS[0].encode() not in everything(post.tables)


def test_the_records_of_other_scopes_stay_readable(post: Post) -> None:
    """Only what leaves with the scope is sealed."""
    post.create(A, summary=WORDS[0])
    post.sync()
    other = wire.Plan(scope=ScopeName("area:south"), gen=GEN, action="snapshot", seq=Seq(1))
    post.replica.scope_add(wire.ScopeAdd(plan=other))
    row = at_once(post.server.store.record(A))
    assert row is not None
    post.replica.page(
        wire.Snapshot(scope=other.scope, gen=GEN, at=Seq(1), after="", upto="", rows=(msgspec.Raw(row),), last=True)
    )
    assert retracted(post).sealed == []
    assert WORDS[0].encode() in everything(post.tables)
    post.replica.retract(wire.Retract(scope=other.scope, gen=Generation(GEN)))
    assert WORDS[0].encode() not in everything(post.tables)


def test_a_record_whose_row_never_came_leaves_with_its_scope_too(post: Post) -> None:
    """Its author made it, the server took it in, and the grant ended before the row came back."""
    post.create(A, summary=WORDS[0])
    post.push()
    assert post.states() == {1: OpState.DURABLE}
    post.write(A, location=WORDS[1])
    outcome = retracted(post)
    assert post.states() == {1: OpState.QUARANTINED, 2: OpState.SEALED}
    assert (outcome.sealed, post.replica.view(A)) == ([2], None)
    left = everything(post.tables)
    assert [word for word in WORDS[:2] if word.encode() in left] == []


def test_a_record_that_another_scope_still_brings_is_waited_for(post: Post) -> None:
    """Of two scopes in which its row is to come one ends: nothing is sealed, and it is in sight."""
    post.replica.scope_add(wire.ScopeAdd(plan=wire.Plan(scope=SOUTH, gen=GEN, action="snapshot", seq=Seq(0))))
    made = post.create(A, summary=WORDS[0])
    told = wire.Result(n=made.n, status="durable", seq=Seq(5), scopes=(NORTH, SOUTH))
    post.replica.results(wire.Results(results=(told,)))
    assert retracted(post).sealed == []
    assert post.states() == {1: OpState.DURABLE}
    assert post.replica.view(A) is not None


# --- the read log ----------------------------------------------------------------------------------------------------


def note(records: list[RecordId], why: str = "", matter: RecordId | None = None) -> ReadNote:
    """Something looked at."""
    return ReadNote(
        what="consultation", author=OfficerId("WM21877"), records=records, at=Millis(5), wall=Millis(6),
        matter=matter, why=why,
    )  # fmt: skip


@given(st.lists(st.integers(1, 150), max_size=8), st.integers(0, 20))
def test_reads_are_numbered_without_gaps_and_each_bears_the_hash_of_the_one_before(looks: list[int], kept: int) -> None:
    """However many records a look was at, whatever the server has said it keeps, and in a replica opened anew."""
    tables = MemoryTables()
    link, n = NO_LINK, 1
    seen: list[RecordId] = []
    for at, count in enumerate(looks):
        replica = Replica(tables, Post(Server()).replica.device)
        records = [named_record_id("read", f"{at}/{each}") for each in range(count)]
        replica.reads.note(note([*records, *records]))
        for _, raw in replica.reads.waiting(n - 1, 100):
            entry = msgspec.msgpack.decode(raw, type=Read)
            assert (entry.n, entry.link) == (n, link)
            assert 1 <= len(entry.records) <= READ_RECORDS_MAX
            seen += entry.records
            n, link = n + 1, hashlib.sha256(raw).digest()
        assert replica.reads.next == n
        replica.reads.kept(min(kept, n - 1))
        assert all(number > kept for number, _ in replica.reads.waiting(0, 1_000))
    assert len(seen) == sum(looks)


@pytest.mark.parametrize("letter", ["x", "é", "語", "😀"])
def test_every_entry_is_one_that_the_server_takes(letter: str) -> None:
    """However long the reason and the words, in whatever alphabet: one that is too long would stop all behind it."""
    replica = Post(Server()).replica
    records = [named_record_id("read", str(each)) for each in range(130)]
    why = letter * min(REASON_CHARS_MAX, READ_WHY_BYTES_MAX // len(letter.encode()))
    about = msgspec.structs.replace(note(records, why, A), author=OfficerId("W" * 40), what="combination")
    replica.reads.note(msgspec.structs.replace(about, words=letter * 1_000))
    bodies = [body for _, body in replica.reads.waiting(0, 1_000)]
    message = wire.Reads(first=1, entries=tuple(bodies[:16]))
    assert decode_up(encode(message)) == message
    reads = [msgspec.msgpack.decode(body, type=Read) for body in bodies]
    assert [record for read in reads for record in read.records] == records
    assert {(read.why, read.words) for read in reads} == {(why, letter * (READ_WORDS_CHARS_MAX - 1) + "…")}
    assert all(len(body) <= READ_BYTES_MAX for body in bodies)


def test_a_reason_is_remembered_for_its_matter() -> None:
    """It is asked once for each incident or booking."""
    replica = Post(Server()).replica
    assert replica.reads.justified(A) is None
    replica.reads.note(note([B], "Called to the scene.", A))
    assert replica.reads.justified(A) == "Called to the scene."
    assert replica.reads.justified(B) is None
    assert FieldName("why") in msgspec.msgpack.decode(replica.reads.waiting(0, 1)[0][1])
