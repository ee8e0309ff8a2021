"""Commits that a session follows as they happen: the bytes that it would ask for, and only where nothing waits."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_down, decode_up, encode
from schemas.errors import PeerError
from schemas.ids import Generation, ScopeName, Seq
from schemas.limits import CREDIT_BYTES, MESSAGE_BYTES_MAX
from sync.session import Grant, ServerSession
from sync.session.steps import Send, WantChanges
from tests.examples import AREA, SUITE, T0
from tests.sync.session.server_end import (
    BRIEFING_SCOPE,
    GEN,
    admission,
    asked,
    at,
    batch,
    challenged,
    hello,
    live,
    page,
    past_snapshots,
)


class Commit:
    """A commit that has just happened, in one scope."""

    def __init__(self, scope: ScopeName, frm: int, to: int) -> None:
        """From where to where."""
        self.scope, self.frm, self.to = scope, Seq(frm), Seq(to)
        self.asked_for: list[bool] = []

    def framed(self, gen: Generation, diffs: bool = False) -> tuple[bytes, bytes]:  # noqa: FBT001, FBT002  as `Fresh`
        """The BATCH, and itself with a letter before it."""
        self.asked_for.append(diffs)
        said = encode(wire.Batch(scope=self.scope, gen=gen, frm=self.frm, to=self.to))
        return said, b"F" + said


def current(credit: int = CREDIT_BYTES) -> ServerSession:
    """A session whose device has everything."""
    one = live(credit=credit)
    past_snapshots(one)
    return one


def test_a_session_with_nothing_to_say_goes_along() -> None:
    """It sends what everybody gets who holds that grant, stands behind it, and wants nothing read."""
    one = current()
    first, second = Commit(AREA, 0, 5), Commit(AREA, 5, 6)
    assert one.follow(first) == first.framed(GEN)[1]
    assert one.follow(second) == second.framed(GEN)[1]
    assert one.next_step() is None
    assert one.head_moved(AREA, Seq(6)) is False
    assert one.head_moved(AREA, Seq(7)) is True
    assert one.next_step() == WantChanges(AREA, GEN, Seq(6), log=False)


def decode_hello() -> wire.Hello:
    """What a device says first."""
    said = decode_up(hello())
    assert isinstance(said, wire.Hello)
    return said


def test_only_a_device_that_says_so_is_told_differences() -> None:
    """What its HELLO names decides the form of what it follows."""
    for packs, diffs in (((), False), (("zstd", "of-tomorrow"), False), (("zstd", "diff"), True)):
        one = challenged()
        one.receive(encode(msgspec.structs.replace(decode_hello(), packs=packs)), T0)
        one.admit(admission(), T0)
        while one.waiting:
            one.next_step()
        past_snapshots(one)
        asked_for: list[bool] = []
        commit = Commit(AREA, 0, 5)
        commit.asked_for = asked_for
        assert one.follow(commit) is not None
        assert (one.diffs, asked_for) == (diffs, [diffs])


def test_the_grant_s_generation_goes_into_what_is_sent() -> None:
    """Of a scope that was granted anew the batch is another."""
    one = current()
    one.regrant(AREA, Grant(Generation(7), at(0)))
    while one.waiting:
        one.next_step()
    past_snapshots(one)
    frame = one.follow(Commit(AREA, 0, 5))
    assert frame is not None
    said = decode_down(frame[1:])
    assert isinstance(said, wire.Batch)
    assert said.gen == 7


def test_whoever_stands_elsewhere_does_not_follow() -> None:
    """Behind the commit, before it, in another scope: nothing is sent, and nothing has changed."""
    one = current()
    one.head_moved(AREA, Seq(5))
    batch(one, 5)
    for commit in (Commit(AREA, 4, 6), Commit(AREA, 6, 7), Commit(ScopeName("area:elsewhere"), 5, 6)):
        assert one.follow(commit) is None
        assert one.next_step() is None
    assert one.follow(Commit(AREA, 5, 6)) is not None


def test_what_waits_goes_first() -> None:
    """An answer, another scope's commit, a snapshot, ranges to compare: each is said before any newer commit."""
    answer = current()
    answer.receive(encode(wire.Ping(id=5)), T0)
    dirty = current()
    dirty.head_moved(BRIEFING_SCOPE, Seq(4))
    snapshot = live()
    page(snapshot)
    comparing = current()
    repair, _ = asked(spoilt=0)
    comparing.receive(encode(repair), T0)
    for one in (answer, dirty, snapshot, comparing):
        step = one.next_step() if one is not answer else None
        assert one.follow(Commit(SUITE, 0, 5)) is None
        assert one is answer or one.next_step() == step
    assert isinstance(answer.next_step(), Send)
    assert answer.follow(Commit(SUITE, 0, 5)) is not None


def test_nothing_is_followed_without_credit_for_a_whole_message() -> None:
    """A device that acknowledges nothing is asked no more than a step would ask; with its credit it goes on."""
    one = current(credit=MESSAGE_BYTES_MAX + 1_000)
    sent = 0
    while (frame := one.follow(Commit(AREA, sent, sent + 1))) is not None:
        assert len(frame) < 1_000
        sent += 1
        assert sent < 1_000
    assert sent
    one.receive(encode(wire.Ack(credit=500)), T0)
    assert one.follow(Commit(AREA, sent, sent + 1)) is not None


def test_a_session_that_is_over_follows_nothing() -> None:
    """Its last word is the ERROR."""
    one = current()
    one.fail(PeerError("server_stopping"))
    assert one.follow(Commit(AREA, 0, 1)) is None
    dropped = current()
    dropped.regrant(AREA, None)
    while dropped.waiting:
        dropped.next_step()
    assert dropped.follow(Commit(AREA, 0, 1)) is None


SCOPES = (AREA, BRIEFING_SCOPE, SUITE)


@given(st.lists(st.tuples(st.sampled_from(["commit", "ping", "read"]), st.sampled_from(SCOPES)), max_size=40))
def test_following_says_what_asking_says(happenings: list[tuple[str, ScopeName]]) -> None:
    """Whatever happens in whichever order: of two sessions, one of which follows, both devices hear the same."""
    following, asking = current(), current()
    heads = dict.fromkeys(SCOPES, 0)
    followed: list[wire.Down] = []
    told: list[wire.Down] = []
    for n, (what, scope) in enumerate(happenings, 1):
        match what:
            case "commit":
                commit = Commit(scope, heads[scope], n)
                heads[scope] = n
                frame = following.follow(commit)
                if frame is None:
                    following.head_moved(scope, commit.to)
                else:
                    followed.append(decode_down(frame[1:]))
                asking.head_moved(scope, commit.to)
            case "ping":
                for one in (following, asking):
                    one.receive(encode(wire.Ping(id=n)), T0)
            case _:
                followed += said_by(following, heads)
                told += said_by(asking, heads)
    followed += said_by(following, heads)
    told += said_by(asking, heads)
    assert reached(followed) == reached(told) == {scope: seq for scope, seq in heads.items() if seq}
    assert pongs(followed) == pongs(told)
    assert following._credit.bytes + sizes(followed) == asking._credit.bytes + sizes(told)


def said_by(one: ServerSession, heads: dict[ScopeName, int]) -> list[wire.Down]:
    """All that a session has to say, with what it wants read."""
    said: list[wire.Down] = []
    while (step := one.next_step()) is not None:
        if isinstance(step, Send):
            said.append(decode_down(step.frame))
        else:
            assert isinstance(step, WantChanges)
            said.append(batch(one, heads[step.scope]))
    return said


def reached(said: list[wire.Down]) -> dict[ScopeName, int]:
    """Where the batches lead, each of which begins where the one before it ended."""
    found: dict[ScopeName, int] = {}
    for one in said:
        if isinstance(one, wire.Batch):
            assert one.frm == found.get(one.scope, 0)
            found[one.scope] = one.to
    return found


def pongs(said: list[wire.Down]) -> list[wire.Down]:
    """The answers among them, in order."""
    return [one for one in said if isinstance(one, wire.Pong)]


def sizes(said: list[wire.Down]) -> int:
    """What the batches cost of the device's credit."""
    return sum(len(encode(one)) for one in said if isinstance(one, wire.Batch))
