"""Commits by which sessions that stand at the same place are moved together: what each hears, and where each stands."""

import itertools
from typing import Final

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.codec import decode_down, decode_up, encode
from schemas.errors import PeerError
from schemas.ids import Generation, ScopeName, Seq
from schemas.limits import CREDIT_BYTES, CREDIT_BYTES_TOTAL_MAX, MESSAGE_BYTES_MAX
from sync.session import Grant, ServerSession
from sync.session.following import STRETCH_BYTES, Following
from sync.session.steps import Form, Send, WantChanges
from tests.examples import AREA, SUITE, T0
from tests.sync.session.server_end import (
    BRIEFING_SCOPE,
    GEN,
    admission,
    asked,
    at,
    batch,
    challenged,
    ended_with,
    hello,
    live,
    own,
    page,
    past_snapshots,
)

FORM: Final = (GEN, False)
SCOPES: Final = (AREA, BRIEFING_SCOPE, SUITE)


class Commit:
    """A commit that has just happened, in one scope."""

    def __init__(self, scope: ScopeName, frm: int, to: int, size: int = 0) -> None:
        """From where to where, and of how many bytes at least."""
        self.scope, self.frm, self.to = scope, Seq(frm), Seq(to)
        self._digest = bytes(size) or None
        self.asked_for: list[bool] = []

    def framed(self, gen: Generation, diffs: bool = False) -> tuple[bytes, bytes]:  # noqa: FBT001, FBT002  as `Fresh`
        """The BATCH, and itself as one that is sent."""
        self.asked_for.append(diffs)
        said = encode(wire.Batch(scope=self.scope, gen=gen, frm=self.frm, to=self.to, digest=self._digest))
        return said, said


class Shell:
    """The shell of some sessions: who follows what with whom, and what each was sent."""

    def __init__(self, *sessions: ServerSession) -> None:
        """Nothing has happened."""
        self.sessions = sessions
        self.heads: dict[ScopeName, int] = {}
        self.alone: dict[ScopeName, set[ServerSession]] = {}
        self.together: dict[tuple[ScopeName, Form], Following[ServerSession, ServerSession]] = {}
        self.sent: dict[ServerSession, list[bytes]] = {one: [] for one in sessions}

    def happens(self, scope: ScopeName, to: int, size: int = 0) -> None:
        """A commit."""
        commit = Commit(scope, self.heads.get(scope, 0), to, size)
        self.heads[scope] = to
        alone = self.alone.setdefault(scope, set(self.sessions))
        for (its, _), following in self.together.items():
            if its == scope and not following.move(commit):
                following.dissolve()
        for one in [one for one in self.sessions if one in alone]:
            form = one.stands_before(commit)
            if form is not None and (scope, form) not in self.together:
                following = self.together[scope, form] = Following(scope, form, commit.frm, alone)
                following.move(commit)
            if form is None or not one.join(self.together[scope, form], one, one):
                one.head_moved(scope, commit.to)

    def says(self, one: ServerSession) -> None:
        """All that a session has to say, with what it wants read, and what it is due behind that."""
        while (step := one.next_step()) is not None:
            if isinstance(step, Send):
                self.sent[one].append(step.frame)
            elif isinstance(step, WantChanges):
                self.sent[one].append(encode(batch_of(one, step, self.heads.get(step.scope, 0))))
            else:
                frame = one.page_read(step, [], "")  # type: ignore[arg-type]  # nothing is compared here
                assert frame is not None
                self.sent[one].append(frame)
        for data in one.take_due():
            self.sent[one] += taken_apart(data)

    def heard(self, one: ServerSession) -> list[wire.Down]:
        """What a session's device was told."""
        return [decode_down(frame) for frame in self.sent[one]]


def batch_of(one: ServerSession, step: WantChanges, to: int) -> wire.Batch:
    """What it wants read."""
    message = wire.Batch(scope=step.scope, gen=step.gen, frm=step.after, to=Seq(to))
    assert one.changes_read(step, Seq(to), encode(message)) is not None
    return message


def taken_apart(data: bytes) -> list[bytes]:
    """The BATCHes that stand one behind the other."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    ends = [0]
    while ends[-1] < len(data):
        unpacker.skip()
        ends.append(unpacker.tell())
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def current(credit: int = CREDIT_BYTES) -> ServerSession:
    """A session whose device has everything."""
    one = live(credit=credit)
    past_snapshots(one)
    return one


def together(count: int = 2) -> Shell:
    """As many sessions that have heard of a first commit, together."""
    shell = Shell(*(current() for _ in range(count)))
    shell.happens(AREA, 5)
    for one in shell.sessions:
        shell.says(one)
    return shell


def test_sessions_with_nothing_to_say_go_along() -> None:
    """They are sent the same bytes, stand behind the commit, and want nothing read."""
    shell = together()
    shell.happens(AREA, 6)
    due = [one.take_due() for one in shell.sessions]
    assert due[0] == due[1] == [Commit(AREA, 5, 6).framed(GEN)[1]]
    assert due[0][0] is due[1][0]
    for one in shell.sessions:
        assert one.next_step() is None
        assert one.take_due() == []
        assert one.furthest == 6
        assert not list(one.behind())
        assert one.head_moved(AREA, Seq(6)) is False
    assert not shell.alone[AREA]


def test_the_grant_s_generation_goes_into_what_is_sent() -> None:
    """Whoever was granted the scope anew follows with others who were."""
    one, other = current(), current()
    one.regrant(AREA, Grant(Generation(7), at(0)))
    own(one)
    past_snapshots(one)
    shell = Shell(one, other)
    shell.happens(AREA, 5)
    assert [decode_down(each.take_due()[0]).gen for each in (one, other)] == [7, GEN]  # type: ignore[union-attr]


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
        own(one)
        past_snapshots(one)
        commit = Commit(AREA, 0, 5)
        form = one.stands_before(commit)
        assert form == (GEN, diffs)
        Following(AREA, form, Seq(0), {one}).move(commit)
        assert (one.diffs, commit.asked_for) == (diffs, [diffs])


def test_whoever_stands_elsewhere_does_not_go_along() -> None:
    """Behind the commit, before it, in another scope: nothing has changed."""
    one = current()
    one.head_moved(AREA, Seq(5))
    batch(one, 5)
    for commit in (Commit(AREA, 4, 6), Commit(AREA, 6, 7), Commit(ScopeName("area:elsewhere"), 5, 6)):
        assert one.stands_before(commit) is None
    assert one.stands_before(Commit(AREA, 5, 6)) == FORM


def test_what_waits_in_a_lane_goes_first() -> None:
    """Another scope's commit, a snapshot, ranges to compare: whoever has that to say follows nothing with others."""
    dirty, comparing, snapshot = current(), current(), live()
    page(snapshot)
    for one, scope in ((dirty, SUITE), (comparing, SUITE)):
        shell = Shell(one)
        shell.happens(scope, 4)
        shell.says(one)
        assert len(shell.together[scope, FORM]) == 1
        if one is dirty:
            one.head_moved(BRIEFING_SCOPE, Seq(4))
        else:
            one.receive(encode(asked(spoilt=0)[0]), T0)
        assert len(shell.together[scope, FORM]) == 0
    for one in (dirty, comparing, snapshot):
        assert one.stands_before(Commit(SUITE, 0, 5)) is one.stands_before(Commit(SUITE, 4, 5)) is None


def test_an_answer_goes_before_the_commit_that_it_tells_of() -> None:
    """Whoever is answered stays with the others, and is due what they are."""
    shell = together()
    one = shell.sessions[0]
    one.receive(encode(wire.Ping(id=5)), T0)
    shell.happens(AREA, 6)
    shell.says(one)
    said = shell.heard(one)[-2:]
    assert isinstance(said[0], wire.Pong)
    assert isinstance(said[1], wire.Batch)
    assert len(shell.together[AREA, FORM]) == 2


def test_whoever_leaves_stands_where_it_was_put_to() -> None:
    """What it was due it is told in steps, and its credit is what it would be had it never joined."""
    shell = together()
    one, other = shell.sessions
    shell.happens(AREA, 6)
    other.take_due()
    shell.happens(AREA, 7)
    one.go_alone()
    assert one.take_due() == []
    assert one.next_step() == WantChanges(AREA, GEN, Seq(5), log=False)
    assert one._credit.bytes == current()._credit.bytes - len(Commit(AREA, 0, 5).framed(GEN)[0])
    assert shell.alone[AREA] == {one}
    other.go_alone()
    assert other.next_step() == WantChanges(AREA, GEN, Seq(6), log=False)


def test_several_commits_go_out_in_one_write() -> None:
    """Until the first of them has been put to somebody: what happens then is a write of its own."""
    shell = together()
    one, other = shell.sessions
    shell.happens(AREA, 6)
    shell.happens(AREA, 7)
    both = b"".join(Commit(AREA, n - 1, n).framed(GEN)[1] for n in (6, 7))
    assert one.take_due() == [both]
    shell.happens(AREA, 8)
    last = Commit(AREA, 7, 8).framed(GEN)[1]
    assert (one.take_due(), other.take_due()) == ([last], [both, last])


def test_one_write_is_no_longer_than_a_message() -> None:
    """Beyond that the next one begins."""
    shell = together()
    shell.happens(AREA, 6, MESSAGE_BYTES_MAX // 2 + 1)
    shell.happens(AREA, 7, MESSAGE_BYTES_MAX // 2 + 1)
    assert [len(data) > MESSAGE_BYTES_MAX // 2 for data in shell.sessions[0].take_due()] == [True, True]


def test_whoever_comes_in_the_middle_of_a_write_joins_at_the_next() -> None:
    """It stands before the second commit of two that go out together: it is told of that in steps."""
    shell = together(1)
    late = current()
    late.head_moved(AREA, Seq(6))
    batch(late, 6)
    shell.sessions += (late,)
    shell.sent[late] = []
    shell.alone[AREA].add(late)
    shell.happens(AREA, 6)
    shell.happens(AREA, 7)
    assert late.next_step() == WantChanges(AREA, GEN, Seq(6), log=False)
    batch(late, 7)
    shell.sessions[0].take_due()
    shell.happens(AREA, 8)
    assert len(shell.together[AREA, FORM]) == 2
    assert len(late.take_due()) == 1


def test_a_commit_that_is_not_the_next_one_moves_nobody() -> None:
    """Where something was missed, each is told that the head has moved, and reads the log."""
    shell = together()
    shell.heads[AREA] = 6
    shell.happens(AREA, 7)
    for one in shell.sessions:
        assert one.take_due() == []
        assert one.next_step() == WantChanges(AREA, GEN, Seq(5), log=False)


def test_nothing_is_sent_beyond_the_credit() -> None:
    """A device that gives none back is put to no more than it granted; with its credit it goes on."""
    one = current(credit=MESSAGE_BYTES_MAX + 3 * STRETCH_BYTES)
    shell = Shell(one)
    for n in range(1, 2_000):
        shell.happens(AREA, n)
        shell.says(one)
    assert sum(map(len, shell.sent[one])) <= MESSAGE_BYTES_MAX + 3 * STRETCH_BYTES
    assert one._credit.bytes < MESSAGE_BYTES_MAX
    one.receive(encode(wire.Ack(credit=4 * STRETCH_BYTES)), T0)
    shell.says(one)
    shell.happens(AREA, 2_000)
    assert len(one.take_due()) == 1


def test_a_large_commit_takes_the_credit_that_it_needs() -> None:
    """More than is set aside at a time."""
    shell = together()
    shell.happens(AREA, 6, 3 * STRETCH_BYTES)
    assert len(shell.together[AREA, FORM]) == 2
    for one in shell.sessions:
        assert one._credit.bytes + one._feeds.aside < CREDIT_BYTES - 3 * STRETCH_BYTES


def test_credit_that_is_set_aside_counts_against_what_anyone_may_hold() -> None:
    """A device cannot grant more than that by way of the scopes that it follows."""
    one = current(credit=CREDIT_BYTES_TOTAL_MAX)
    shell = Shell(one)
    shell.happens(AREA, 5)
    shell.says(one)
    used = CREDIT_BYTES_TOTAL_MAX - one._credit.bytes - one._feeds.aside
    assert 0 < used < STRETCH_BYTES // 2
    one.receive(encode(wire.Ack(credit=used + 1)), T0)
    assert ended_with(one) == "credit_overflow"


@pytest.mark.parametrize("how", ["fails", "dropped", "regranted"])
def test_nothing_is_due_for_what_has_ended(how: str) -> None:
    """Not behind an ERROR, not behind a RETRACT: whatever had been committed before."""
    shell = together()
    one = shell.sessions[0]
    shell.happens(AREA, 6)
    match how:
        case "fails":
            one.fail(PeerError("server_stopping"))
        case "dropped":
            one.regrant(AREA, None)
        case _:
            one.regrant(AREA, Grant(Generation(9), at(6)))
    assert one.take_due() == []
    shell.happens(AREA, 7)
    assert one.take_due() == []
    assert not [said for said in own(one) if isinstance(said, wire.Batch)]
    assert len(shell.together[AREA, FORM]) == 1


DOINGS: Final = ["commit"] * 6 + ["ping", "say", "say", "take", "regrant", "alone", "credit"]
OWN: Final = (wire.Pong, wire.Retract, wire.ScopeAdd)


@given(st.lists(st.tuples(st.sampled_from(DOINGS), st.sampled_from(SCOPES), st.integers(0, 2)), max_size=60))
def test_whoever_goes_along_hears_what_whoever_asks_hears(doings: list[tuple[str, ScopeName, int]]) -> None:
    """Whatever happens in whichever order: batches without gaps, none for a grant that is over, credit to the byte."""
    shell = Shell(*(current() for _ in range(3)))
    granted = {one: one._credit.bytes for one in shell.sessions}
    for n, (what, scope, who) in enumerate(doings, 1):
        one = shell.sessions[who]
        match what:
            case "commit":
                shell.happens(scope, n)
            case "ping":
                one.receive(encode(wire.Ping(id=n)), T0)
            case "say":
                shell.says(one)
            case "take":
                for data in one.take_due():
                    shell.sent[one] += taken_apart(data)
            case "regrant":
                one.regrant(scope, Grant(Generation(n + 1), at(shell.heads.get(scope, 0))))
            case "alone":
                one.go_alone()
            case _:
                one.receive(encode(wire.Ack(credit=100)), T0)
                granted[one] += 100
    for one in shell.sessions:
        shell.says(one)
        assert stood(shell.heard(one)) == shell.heads
        counted = sum(len(frame) for frame in shell.sent[one] if not isinstance(decode_down(frame), OWN))
        assert one._credit.bytes + one._feeds.aside + counted == granted[one]


def stood(said: list[wire.Down]) -> dict[ScopeName, int]:
    """Where a device stands that was told that; every batch began where it stood, under the grant that it had."""
    places: dict[ScopeName, tuple[Generation, int]] = dict.fromkeys(SCOPES, (GEN, 0))
    for one in said:
        match one:
            case wire.Retract(scope=scope, gen=gen):
                assert places.pop(scope)[0] == gen
            case wire.ScopeAdd(plan=plan):
                places[plan.scope] = plan.gen, plan.seq
            case wire.Batch(scope=scope, gen=gen, frm=frm, to=to):
                assert places[scope] == (gen, frm)
                places[scope] = gen, to
            case _:
                pass
    return {scope: seq for scope, (_, seq) in places.items() if seq}
