"""A device that was copied, or set back, with its id and key: two ops of one number, and both changes are made once."""

from collections import Counter
from typing import Final

import msgspec
import pytest

from schemas.codec import encode, reread_op
from schemas.ids import FieldName, OpNumber, RecordId, named_record_id
from schemas.ops import Doubt, Op
from sync.outbox import OpState
from tests.sync.replica.outposts import CLOSED, LOG, Post, Server

A, B, C = (RecordId(named_record_id("copies", name)) for name in "abc")
GRADE: Final = FieldName("grade")


def say(post: Post, text: str, record: RecordId = A) -> Op:
    """Append to a log."""
    return post.write(record, log=[{"text": text}])


def texts(server: Server, record: RecordId | None = None) -> list[str]:
    """What was taken in, in order: the texts of all logs, or of one."""
    return [
        entry["text"] for op in server.durable() if record in (None, op.record) for entry in op.changes.get(LOG, ())
    ]


def flagged(server: Server) -> set[str]:
    """Texts of the ops that were given another number because theirs was used."""
    return {
        entry["text"] for op in server.durable() if op.doubt & Doubt.RENUMBERED for entry in op.changes.get(LOG, ())
    }


@pytest.fixture
def pair(server: Server) -> tuple[Post, Post]:
    """A device that has made two incidents, and its copy."""
    made = Post(server)
    made.create(A)
    made.create(B)
    made.sync()
    return made, made.copied()


def test_two_copies_that_write_in_turn_lose_nothing_and_say_nothing_twice(
    server: Server, pair: tuple[Post, Post]
) -> None:
    """On the same record and on different ones, reconnecting in turn: each change once, in its author's order."""
    said: dict[int, list[str]] = {0: [], 1: []}
    for turn in range(12):
        who = turn % 2
        post = pair[who]
        for record, name in ((A, "a"), (B, "b")) if turn % 3 else ((A, "a"),):
            text = f"{who} {turn} {name}"
            say(post, text, record)
            said[who].append(text)
        if turn % 4 > 1:
            post.sync()
            post.check()
    for post in (*pair, *pair):
        post.sync()
        post.check()
    assert Counter(texts(server)) == Counter([*said[0], *said[1]])
    for who, mine in said.items():
        for record in (A, B):
            taken = [text for text in texts(server, record) if text.startswith(str(who))]
            assert taken == [text for text in mine if text in taken]
    assert pair[0].texts(A) == pair[1].texts(A)
    assert flagged(server), "some numbers were used by both"


def test_every_op_whose_number_was_used_is_flagged_and_otherwise_as_it_was(
    server: Server, pair: tuple[Post, Post]
) -> None:
    """With what builds on it: the same times and clocks; and the old numbers point to the new ones."""
    one, other = pair
    say(one, "theirs", B)
    one.sync()
    mine = [say(other, "first"), say(other, "second"), other.write(A, grade="p2"), other.write(A, grade="p1")]
    other.sync()
    assert flagged(server) == {"first", "second"}
    for op in mine:
        kept, now = other.tables.op(op.n), other.replica.became(op.n)
        assert kept is not None
        assert now is not None
        assert (kept.state, now.state) == (OpState.REISSUED, OpState.SETTLED)
        new = reread_op(now.body)
        assert new.n > max(each.n for each in mine)
        assert (new.hlc, new.wall, new.occurred_at, new.base) == (op.hlc, op.wall, op.occurred_at, op.base)
        assert new.doubt & Doubt.RENUMBERED
        assert new.replaces == 0
    last = other.replica.became(mine[3].n)
    assert last is not None
    assert reread_op(last.body).saw[GRADE] == (f"hh-0042/{last.n - 1}",)
    assert server.values(A)[GRADE] == "p1"


def test_an_older_change_of_a_copy_gives_way_to_a_newer_one(server: Server, pair: tuple[Post, Post]) -> None:
    """Its new number is the higher one, and says nothing of the time; what its own hands wrote stays in order."""
    one, other = pair
    other.write(A, location="older", summary="first")
    other.write(A, summary="second")
    for _ in range(10):
        server.tick()
    one.write(A, location="newer")
    one.sync()
    other.sync()
    one.sync()
    values = server.values(A)
    assert (values[FieldName("location")], values[FieldName("summary")]) == ("newer", "second")
    for post in pair:
        shown = post.replica.view(A)
        assert shown is not None
        assert shown.values() == values


def test_the_number_is_above_what_the_server_and_the_device_know(server: Server, pair: tuple[Post, Post]) -> None:
    """Otherwise it would be used again, by whichever comes next."""
    one, other = pair
    for text in ("one", "two", "three"):
        say(one, text, B)
    one.sync()
    op = say(other, "mine")
    other.sync()
    now = other.replica.became(op.n)
    assert now is not None
    assert now.n == 6
    assert other.replica.next_op == 7


def test_what_both_copies_hold_from_before_is_said_once(server: Server) -> None:
    """Ops that were not sent when the device was copied have the same bytes on both."""
    one = Post(server)
    one.create(A)
    say(one, "before")
    other = one.copied()
    say(one, "one")
    say(other, "other")
    for post in (one, other, one):
        post.sync()
    assert Counter(texts(server)) == Counter(["before", "one", "other"])
    assert flagged(server) == {"other"}


def test_a_device_that_was_set_back_goes_on_above_its_own_lost_numbers(server: Server) -> None:
    """It was restored from a backup of itself: what it wrote since is on the server under the numbers it takes next."""
    post = Post(server)
    post.create(A)
    post.sync()
    backup = post.copied()
    for text in ("lost here", "and this"):
        say(post, text)
    post.sync()
    say(backup, "anew", A)
    backup.sync()
    say(backup, "and on", A)
    backup.sync()
    assert texts(server) == ["lost here", "and this", "anew", "and on"]
    assert flagged(server) == {"anew"}
    backup.check()


def test_a_result_that_was_lost_gives_no_second_number(server: Server, pair: tuple[Post, Post]) -> None:
    """The bytes are the same, so the number is the op's own: its stored result comes again."""
    one, other = pair
    say(one, "one")
    one.hello()
    one.push(heard=False)
    say(other, "other")
    other.hello()
    other.push(heard=False)
    for post in (one, other):
        post.sync()
    assert texts(server) == ["one", "other"]
    assert flagged(server) == {"other"}


def test_an_answer_that_is_lost_when_the_number_was_used_is_asked_for_again(
    server: Server, pair: tuple[Post, Post]
) -> None:
    """The new number is given when the answer is heard, once."""
    one, other = pair
    say(one, "one")
    one.sync()
    op = say(other, "other")
    for _ in range(3):
        other.hello()
        other.push(heard=False)
    assert other.states()[op.n] is OpState.QUEUED
    other.sync()
    other.sync()
    assert texts(server) == ["one", "other"]
    assert sorted(other.states()) == [1, 2, 3, 4]


def test_a_refused_number_is_used_all_the_same(server: Server, pair: tuple[Post, Post]) -> None:
    """The other copy's op was refused under it: this one's is another change and stands on its own."""
    one, other = pair
    refused = say(one, "refused")
    one.hello()
    one.push(grants=CLOSED)
    say(other, "first")
    say(other, "second")
    other.sync()
    assert texts(server) == ["first", "second"]
    assert one.states()[refused.n] is OpState.HELD
    one.pull()
    assert one.texts(A) == ["refused", "first", "second"], "what its author wrote stays in sight"
    one.mend(refused.n, {"log": [{"text": "mended"}]})
    one.sync()
    assert texts(server) == ["first", "second", "mended"]


def test_an_older_program_s_op_that_was_taken_in_is_not_made_twice(server: Server, pair: tuple[Post, Post]) -> None:
    """It does not tell behind which op it stands; the server took it in behind the other copy's."""
    one, other = pair
    say(one, "theirs")
    one.sync()
    first, second = say(other, "first"), say(other, "second")
    plain = encode(msgspec.structs.replace(second, after_digest=b""))
    kept = other.tables.op(second.n)
    assert kept is not None
    other.tables.put_op(msgspec.structs.replace(kept, body=plain))
    other.sync()
    assert Counter(texts(server)) == Counter(["theirs", "first", "second"])
    assert other.states()[first.n] is OpState.REISSUED
    assert other.states()[second.n] is OpState.SETTLED


def test_an_older_program_s_op_that_was_sent_to_wait_follows(server: Server, pair: tuple[Post, Post]) -> None:
    """Once the server has spoken, it gets a new number too, in its place, with what stands behind it."""
    one, other = pair
    refused = say(one, "refused")
    one.hello()
    one.push(grants=CLOSED)
    first, second = say(other, "first"), say(other, "second")
    plain = encode(msgspec.structs.replace(second, after_digest=b""))
    kept = other.tables.op(second.n)
    assert kept is not None
    other.tables.put_op(msgspec.structs.replace(kept, body=plain))
    other.sync()
    assert texts(server) == ["first", "second"]
    assert refused.n == first.n
    assert flagged(server) == {"first", "second"}
    other.check()


def test_what_an_older_program_held_for_its_number_is_issued_again(server: Server, pair: tuple[Post, Post]) -> None:
    """The replica comes from a program that left it to the officer."""
    one, other = pair
    say(one, "theirs")
    one.sync()
    for op in (say(other, "mine"), say(other, "behind")):
        kept = other.tables.op(op.n)
        assert kept is not None
        other.tables.put_op(msgspec.structs.replace(kept, state=OpState.HELD, code="op_reused"))
    say(other, "behind both")
    other.sync()
    assert texts(server) == ["theirs", "mine", "behind", "behind both"]


def test_a_server_that_was_set_back_is_offered_the_new_numbers_only(server: Server, pair: tuple[Post, Post]) -> None:
    """Both copies' ops are there again, each once; what was mended or withdrawn stays what it is."""
    one, other = pair
    backup = server.backup()
    say(one, "one")
    one.sync()
    say(other, "other")
    other.sync()
    for text in ("to be mended", "to be withdrawn"):
        refused = say(other, text, B)
        other.hello()
        other.push(grants=CLOSED)
        if text == "to be mended":
            other.mend(refused.n, {"log": [{"text": "mended"}]})
            other.sync()
        else:
            other.replica.withdraw(refused.n, "no")
    server.restore(backup)
    assert texts(server) == []
    for post in (other, one, other):
        post.sync()
        post.check()
    assert Counter(texts(server)) == Counter(["one", "other", "mended"])
    assert set(other.states().values()) == {
        OpState.SETTLED, OpState.REISSUED, OpState.MENDED, OpState.WITHDRAWN,
    }  # fmt: skip


def test_a_number_that_was_lost_and_used_since_is_replaced(server: Server, pair: tuple[Post, Post]) -> None:
    """After the server was set back another copy takes the number of an op that was durable before."""
    one, other = pair
    backup = server.backup()
    first = say(one, "one")
    one.sync()
    server.restore(backup)
    say(other, "other")
    other.sync()
    one.sync()
    assert texts(server) == ["other", "one"]
    assert one.states()[first.n] is OpState.REISSUED
    one.check()


def test_the_same_number_for_two_creations_makes_two_records(server: Server, pair: tuple[Post, Post]) -> None:
    """What builds on the later one builds on it under its new number."""
    one, other = pair
    one.create(C, summary="one")
    one.sync()
    record = named_record_id("copies", "other")
    other.create(record, summary="other")
    say(other, "on it", record)
    other.sync()
    assert texts(server, record) == ["on it"]
    assert [server.values(each)[FieldName("summary")] for each in (C, record)] == ["one", "other"]
    assert OpNumber(3) in other.states()
