"""A seat's chain of ops over all that can become of them, and what a device keeps that has gone on from another one."""

import hashlib
from typing import Final

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec import encode, reread_op
from schemas.ids import OpNumber, named_record_id
from sync.evidence.chain import SignedHead, genesis
from sync.outbox import OpState
from sync.replica import Replica
from tests.sync.replica.outposts import CLOSED, Post, Server

RECORDS: Final = tuple(named_record_id("chained", str(number)) for number in range(3))
A: Final = RECORDS[0]
HEADS: Final = msgspec.msgpack.Decoder(SignedHead)


def in_step(post: Post) -> None:
    """The server holds the chain as the device does, up to the last op that was sent; every op is in it as it is."""
    device = post.replica.device
    at = post.server.chain(device)
    assert post.replica._own.chain.link_behind(at.n) == at.link
    begin = {genesis(device).link}
    for entry in _heads(post):
        assert entry.before in begin
        begin.add(entry.head.link)
    told = {n: digest for entry in _heads(post) for n, digest in entry.ops}
    for op in post.server.durable():
        if op.device == device:
            body = post.server.store.body(device, op.n)
            assert body is not None
            assert told[op.n] == hashlib.sha256(body).digest()


def _heads(post: Post) -> list[SignedHead]:
    kept = [entry for entry in post.server.store._journal.values() if entry.what == "head"]
    return [HEADS.decode(entry.body or b"") for entry in kept]


def test_each_op_bears_the_link_behind_the_one_before(post: Post) -> None:
    """From the first link, which names the seat, on."""
    first, second = post.create(A), post.write(A, summary="more")
    assert first.link == genesis(post.replica.device).link
    assert second.link == post.replica._own.chain.link_behind(first.n)
    assert post.replica.chain.n == second.n
    post.sync()
    in_step(post)


def test_the_chain_of_a_replica_of_an_earlier_program_begins_with_its_ops(server: Server) -> None:
    """Its ops bear no links; the first new one follows all of them, and the server takes them as told."""
    post = Post(server, chained=True)
    post.hello()
    post.create(A)
    old = post.tables.op(OpNumber(1))
    assert old is not None
    plain = msgspec.structs.replace(reread_op(old.body), link=b"", salt=b"")
    post.tables.put_op(msgspec.structs.replace(old, body=encode(plain)))
    post.tables._meta.pop("chain")
    post.replica = Replica(post.tables, post.replica.device)
    post.write(A, summary="of the newer program")
    post.sync()
    assert post.states() == {1: OpState.SETTLED, 2: OpState.SETTLED}
    in_step(post)


def test_a_refused_op_a_mended_one_and_what_was_issued_again_are_all_in_the_chain(post: Post, server: Server) -> None:
    """What never comes is told by its hash, so no gap breaks the chain."""
    post.create(A)
    post.sync()
    refused, behind = post.write(A, summary="refused"), post.write(A, location="behind it")
    post.sync(CLOSED)
    assert post.states()[refused.n] is OpState.HELD
    post.mend(refused.n, {"summary": "mended"})
    post.sync()
    assert post.states()[behind.n] is OpState.REISSUED
    withdrawn = post.write(A, summary="withdrawn")
    post.sync(CLOSED)
    post.replica.withdraw(withdrawn.n, "the wrong incident")
    post.write(A, summary="last")
    post.sync()
    assert server.shows(A) == {**server.shows(A), "summary": "last", "location": "behind it"}
    in_step(post)


def test_more_ops_given_up_than_sent_are_told_by_their_hashes(post: Post) -> None:
    """A record that never came to be leaves a run of numbers that only hashes tell of."""
    made = post.create(A, area="nowhere")
    for number in range(5):
        post.write(A, summary=f"behind {number}")
    post.sync()
    record = RECORDS[1]
    post.create(record)
    post.sync()
    in_step(post)
    assert post.states()[made.n] is OpState.SETTLED


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_a_replica_that_was_set_back_goes_on_from_the_server(post: Post, sent: int) -> None:
    """What it wrote since under used numbers is issued again behind what the server holds, once each."""
    post.create(A)
    post.sync()
    backup = post.copied()
    for number in range(sent):
        post.write(A, summary=f"lost {number}")
    post.sync()
    backup.write(A, location="after the image")
    outcome = backup.hello()
    assert outcome.copied == bool(sent)
    backup.sync()
    assert backup.server.shows(A)["location"] == "after the image"
    in_step(backup)


def test_a_copy_goes_on_from_what_the_other_one_wrote(post: Post, server: Server) -> None:
    """Two machines with one seat: each finds that the chain is another one, and both say everything once."""
    post.create(A)
    post.sync()
    other = post.copied()
    for number in range(3):
        post.write(A, log=[{"text": f"one {number}"}])
        other.write(A, log=[{"text": f"other {number}"}])
    for each in (post, other, post, other):
        each.sync()
        in_step(each)
    texts = [entry["text"] for entry in server.shows(A)["log"]]
    assert sorted(texts) == sorted(f"{who} {number}" for who in ("one", "other") for number in range(3))


def test_going_on_from_another_chain_is_done_once_however_often_the_link_breaks(post: Post, server: Server) -> None:
    """A connection that is cut before anything was pushed issues nothing again a second time."""
    post.create(A)
    post.sync()
    other = post.copied()
    other.write(A, summary="the copy's")
    other.sync()
    post.write(A, location="this one's")
    post.write(A, source="and this")
    assert post.hello().copied
    ops = post.states()
    for _ in range(3):
        assert not post.hello().copied
        assert post.states() == ops
    post.sync()
    found = server.shows(A)
    assert (found["summary"], found["location"], found["source"]) == ("the copy's", "this one's", "and this")
    in_step(post)


def test_a_server_that_was_set_back_takes_the_chain_up_where_it_holds_it(post: Post, server: Server) -> None:
    """The same links fit: nothing is issued again, and what it lost is offered under its own numbers."""
    post.create(A)
    post.sync()
    backup = server.backup()
    post.write(A, summary="lost and offered again")
    post.sync()
    server.restore(backup)
    outcome = post.hello()
    assert not outcome.copied
    post.sync()
    assert server.shows(A)["summary"] == "lost and offered again"
    assert set(post.states().values()) == {OpState.SETTLED}
    in_step(post)


def test_a_server_and_a_replica_that_were_both_set_back_lose_nothing(post: Post, server: Server) -> None:
    """The server from its backup, the device from an image: what either still has is said once."""
    post.create(A)
    post.sync()
    backup = server.backup()
    post.write(A, summary="on neither")
    post.sync()
    image = post.copied()
    image.write(A, location="in the image only")
    server.restore(backup)
    image.sync()
    post.write(A, source="on the first machine")
    post.sync()
    image.sync()
    found = server.shows(A)
    assert (found["summary"], found["location"]) == ("on neither", "in the image only")
    assert found["source"] == "on the first machine"
    in_step(post)
    in_step(image)


DEEDS: Final = st.lists(
    st.tuples(st.sampled_from(["write", "sync", "cut", "refuse", "image", "restore image", "backup", "restore"]),
              st.integers(0, 2)),
    max_size=25,
)  # fmt: skip


@given(DEEDS)
@example(
    [("refuse", 0), ("restore image", 0), ("write", 0), ("image", 0), ("sync", 0), ("restore image", 0)]
)  # set back, it gave an op another number; set back again, it no longer knew that
def test_through_everything_the_chain_fits_and_nothing_is_said_twice(deeds: list[tuple[str, int]]) -> None:
    """Refusals, cut links, a device set back and a server set back, in any order: every push is vouched for.

    A replica that was set back once more, to before it learned under which number an op stands now, says that again:
    neither side can tell it from another officer's same words.
    """
    server = Server()
    post = Post(server, chained=True)
    post.sync()
    for record in RECORDS:
        post.create(record)
    post.sync()
    image, backup, said = post.copied(), server.backup(), 0
    for deed, number in deeds:
        on = RECORDS[number]
        match deed:
            case "write":
                said += 1
                post.write(on, log=[{"text": f"said {said}"}])
            case "sync":
                post.sync()
            case "cut":
                post.hello()
                post.push(most=2, heard=False)
            case "refuse":
                said += 1
                held = post.write(on, log=[{"text": f"said {said}"}])
                post.sync(CLOSED)
                if post.states().get(held.n) is OpState.HELD:
                    post.mend(held.n, {"summary": f"mended {said}"})
            case "image":
                image = post.copied()
            case "restore image":
                post = image.copied()
            case "backup":
                backup = server.backup()
            case _:
                server.restore(backup)
    set_back = sum(deed == "restore image" for deed, _ in deeds)
    post.sync()
    in_step(post)
    assert {state for state in post.states().values() if state is OpState.QUEUED} == set()
    for record in RECORDS:
        texts = [entry["text"] for entry in server.shows(record).get("log", [])]
        assert len(texts) == len(set(texts)) or set_back > 1
