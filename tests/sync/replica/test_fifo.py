"""Written, refused, mended, withdrawn, copied, cut off: each record in order, nothing lost, nothing made twice."""

from collections import Counter
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import reread_op
from schemas.ids import OpNumber, RecordId, named_record_id
from schemas.ops import Doubt
from server.store.memory import MemoryStore
from sync.outbox import ENDED, OpState
from tests.sync.replica.outposts import CLOSED, GRANTS, LOG, Post, Server

FIRST: Final = (RecordId(named_record_id("fifo", "a")), RecordId(named_record_id("fifo", "b")))
GRADES: Final = ("no-deployment", "scheduled", "p2", "p1")
small = st.integers(0, 7)
steps = st.lists(
    st.tuples(
        st.sampled_from(["write"] * 5 + ["session"] * 4 + ["create", "mend", "mend", "withdraw", "copy", "backup"]),
        st.integers(0, 2),
        small,
        small,
    ),
    min_size=10,
    max_size=60,
)


class Watched(Post):
    """A copy of a device, with what its officer has said."""

    def __init__(self, *args: Any) -> None:  # noqa: ANN401  as of Post
        """Begin."""
        super().__init__(*args)
        self.said: list[tuple[RecordId, str]] = []
        self.kept_open = OpNumber(1)
        """Below this number the test lets nothing be refused: see `World`."""


class World:
    """Two devices on the same records, one of which may be copied, and their server.

    Two people who each mend the same op, or withdraw what others have built on, are asked of nobody: of an op that two
    copies hold, or that was durable until the server was set back, nothing is refused.
    """

    def __init__(self) -> None:
        """Begin with two records that all hold."""
        self.server = Server()
        self.records = list(FIRST)
        one, other = Watched(self.server), Watched(self.server, "hh-0007", "WM30008")
        self.posts = [one, other]
        for record in FIRST:
            one.create(record)
        one.sync()
        other.sync()
        self._backup: MemoryStore | None = None
        self.set_back = False
        self._count = 0

    def do(self, what: str, who: int, a: int, b: int) -> None:
        """One step."""
        post = self.posts[who % len(self.posts)]
        match what:
            case "write":
                self._write(post, self.records[a % len(self.records)], b)
            case "create":
                record = named_record_id("fifo", str(len(self.records)))
                self.records.append(record)
                post.create(record, log=[{"text": self._text(post, record)}])
            case "session":
                self._session(post, a, b)
            case "mend" | "withdraw":
                self._mend(post, what, a, b)
            case "copy":
                self._copy()
            case _:
                self._restore()
        for each in self.posts:
            each.check()
        self._in_sight()

    def _text(self, post: Watched, record: RecordId) -> str:
        self._count += 1
        post.said.append((record, f"said {self._count}"))
        return f"said {self._count}"

    def _write(self, post: Watched, record: RecordId, b: int) -> None:
        if post.replica.view(record) is None:
            return
        more: dict[str, Any] = {"grade": GRADES[b % 4]} if b > 3 else {}
        post.write(record, log=[{"text": self._text(post, record)}], **more)

    def _session(self, post: Watched, a: int, b: int) -> None:
        """Connect; let some of it through; and be cut off."""
        post.hello()
        if a % 2:
            post.pull()
        for turn in range(b % 4):
            first = post.replica.queued(post.upto, 1)
            shut = a > 2 and turn < 2 and first and first[0].n >= post.kept_open
            most = 1 if shut else 1 + a
            post.push(most, CLOSED if shut else GRANTS, heard=(a, b, turn) != (a, 7, b % 4 - 1))
            if a in {1, 5}:
                post.pull()

    def _mend(self, post: Watched, what: str, a: int, b: int) -> None:
        held = post.replica.held(10)
        if not held:
            return
        n = held[a % len(held)].n
        told = post.replica.dependants(n)
        if what == "mend":
            post.mend(n, {"grade": GRADES[b % 4]} if b > 3 else {})
            return
        before = post.states()
        outcome = post.replica.withdraw(n, "no")
        gone = {n, *(op.n for op in told.ops)} if told.go_with_it else {n}
        assert set(outcome.withdrawn) == gone
        assert set(outcome.reissued) == (set() if told.go_with_it else {op.n for op in told.ops})
        assert all(
            post.states()[old] == state for old, state in before.items() if old not in gone | set(outcome.reissued)
        )

    def _copy(self) -> None:
        one = self.posts[0]
        if len(self.posts) > 2 or one.replica.held(1):
            return
        other = Watched(self.server)
        other.tables.restore(one.tables)
        other.said = list(one.said)
        one.kept_open = other.kept_open = one.replica.next_op
        self.posts.append(other)

    def _restore(self) -> None:
        if self._backup is None:
            self._backup = self.server.backup()
        elif not self.set_back:
            self.server.restore(self._backup)
            self.set_back = True
            for post in self.posts:
                post.kept_open = post.replica.next_op

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _withdrawn(self) -> set[str]:
        return {
            entry["text"]
            for post in self.posts
            for op in post.tables.ops_in([OpState.WITHDRAWN], OpNumber(0), 1_000)
            for entry in reread_op(op.body).changes.get(LOG, ())
        }

    def _in_sight(self) -> None:
        """What an officer wrote stays in their sight.

        With a copy about that is not so at every moment: a row that holds its op may come before the word that the
        number was used.
        """
        if len(self.posts) > 2:
            return
        gone = self._withdrawn()
        for post in self.posts:
            for record in self.records:
                shown = post.texts(record)
                wrote = [text for where, text in post.said if where == record and text not in gone]
                assert [text for text in shown if text in wrote] == wrote

    def rest(self) -> None:
        """Everyone comes back, and what was refused is mended."""
        for _ in range(4 * len(self.posts)):
            for post in self.posts:
                post.sync()
                while held := post.replica.held(1):
                    post.mend(held[0].n)
                    post.sync()
                post.check()
        for post in self.posts:
            assert set(post.states().values()) <= {OpState.SETTLED, *ENDED}

    def judge(self) -> None:
        """At rest: every change is on the server once, in its author's order; and all see the same."""
        gone = self._withdrawn()
        ops = self.server.durable()
        taken = [(op.record, entry["text"]) for op in ops for entry in op.changes.get(LOG, ())]
        said = {one for post in self.posts for one in post.said if one[1] not in gone}
        assert Counter(taken) == Counter(said)
        for post in [] if self.set_back else self.posts:
            for record in self.records:
                mine = [one for one in post.said if one[0] == record and one in said]
                assert [one for one in taken if one in mine] == mine
        for record in self.records:
            texts = sorted(text for where, text in taken if where == record)
            for post in self.posts:
                assert sorted(post.texts(record)) == texts
        if len(self.posts) == 2:
            assert not any(op.doubt & Doubt.RENUMBERED for op in ops)
        for post in self.posts:
            for n, state in post.states().items():
                now = post.replica.became(OpNumber(n))
                assert now is not None
                assert (now.state is OpState.SETTLED) == (state is not OpState.WITHDRAWN and now.state not in ENDED)


@given(steps)
def test_nothing_is_lost_or_made_twice_and_each_record_stays_in_order(story: list[tuple[str, int, int, int]]) -> None:
    """Two devices and a copy of one, with lost answers and refusals anywhere."""
    world = World()
    for step in story:
        if step[0] != "backup":
            world.do(*step)
    world.rest()
    world.judge()


@given(steps)
def test_a_server_that_was_set_back_loses_nothing_and_gets_nothing_twice(
    story: list[tuple[str, int, int, int]],
) -> None:
    """The same, with a restore: what was mended, withdrawn or issued again before is not offered once more."""
    world = World()
    for step in story:
        world.do(*step)
    world.rest()
    world.judge()


@pytest.mark.parametrize("turns", [3, 40])
def test_a_waiting_op_is_offered_as_often_as_something_came(turns: int) -> None:
    """Not in a loop: each batch about its record is a reason, and so is a new session; nothing else is."""
    server = Server()
    one, other = Post(server), Post(server, "hh-0007", "WM30008")
    one.create(FIRST[0])
    one.create(FIRST[1])
    for post in (one, other):
        post.sync()
    backup = server.backup()
    seen = one.write(FIRST[0], grade="p1")
    one.sync()
    other.sync()
    # The server loses what the other one has seen.
    other.write(FIRST[0], grade="p2")
    server.restore(backup)
    third = Post(server, "hh-0009", "WM40009")
    third.sync()
    other.sync()
    pushed = other.pushes
    assert list(other.states().values()) == [OpState.WAITING]
    for turn in range(turns):
        third.write(FIRST[1], log=[{"text": f"elsewhere {turn}"}])
        third.sync()
        other.pull()
        assert not other.push()
    assert other.pushes == pushed
    for turn in range(turns):
        third.write(FIRST[0], log=[{"text": f"here {turn}"}])
        third.sync()
        other.pull()
        assert other.push()
        assert not other.push()
    assert other.pushes == pushed + turns
    one.sync()
    assert seen.id in {op.id for op in server.durable()}
    other.pull()
    assert other.push()
    assert list(other.states().values()) in ([OpState.DURABLE], [OpState.SETTLED])
