"""A server that was set back takes ops in another order than they were made: what it has not taken stays in sight."""

from typing import Any, Final

import pytest

from schemas.ids import FieldName, RecordId, named_record_id
from sync.outbox import UNSENT, OpState
from tests.sync.replica.outposts import CLOSED, GRANTS, Post, Server

RECORD: Final = RecordId(named_record_id("overtaken"))
GRADE: Final = FieldName("grade")
SUMMARY: Final = FieldName("summary")
DOG: Final = {"warning": "dog at address"}


class Scene:
    """Two devices on one record, and a server that has a backup without what they changed since."""

    def __init__(self) -> None:
        """Lose a raise by one; and by the other a lowering with sight of it, what builds on that, and a log entry."""
        self.server = Server()
        self.one, self.other = Post(self.server), Post(self.server, "hh-0007", "WM30008")
        self.one.create(RECORD)
        self.sync(self.one, self.other)
        backup = self.server.backup()
        self.other.write(RECORD, grade="p1")
        self.sync(self.other, self.one)
        self.lowering = self.one.write(RECORD, grade="p2")
        self.behind = self.one.write(RECORD, summary="built on the lowering")
        self.one.sync()
        self.entry = self.one.write(RECORD, log=[{"text": "an entry"}], markers={"add": [DOG]})
        assert (self.behind.after, self.entry.after) == (self.lowering.n, 0)
        self.sync(self.one, self.other)
        self.backup = backup
        self.server.restore(backup)

    def sync(self, *posts: Post) -> None:
        """A whole session of each."""
        for post in posts:
            post.sync()

    def shown(self) -> tuple[Any, ...]:
        """The grade, the summary and the log, as the device shows them that made all three changes."""
        state = self.one.replica.view(RECORD)
        assert state is not None
        return state.values()[GRADE], state.values()[SUMMARY], self.one.texts(RECORD)

    def states(self) -> list[OpState]:
        """Where the lowering, what builds on it and the entry stand."""
        states = self.one.states()
        return [states[op.n] for op in (self.lowering, self.behind, self.entry)]


SEEN: Final = ("p2", "built on the lowering", ["an entry"])


@pytest.mark.parametrize("heard", [True, False], ids=["answered", "answer lost"])
def test_an_op_that_a_later_one_has_overtaken_stays_in_sight(*, heard: bool) -> None:
    """It waits for what its author saw; the later one is in the row, which counts it; and a new session begins."""
    scene = Scene()
    one = scene.one
    one.hello()
    one.pull()
    assert scene.shown() == SEEN
    one.push(heard=heard)
    assert scene.shown() == SEEN
    for step in (one.pull, one.hello, one.pull, one.push, one.pull):
        step()
        assert scene.shown() == SEEN
    assert {*scene.states()[:2]} <= UNSENT
    assert scene.states()[2] is OpState.SETTLED
    scene.sync(scene.other)
    for step in (one.pull, one.push, one.pull):
        step()
        assert scene.shown() == SEEN
    assert scene.states() == [OpState.SETTLED] * 3
    assert scene.server.values(RECORD)[GRADE] == "p2"


def test_what_waits_behind_a_refused_op_stays_in_sight() -> None:
    """The later op is in the row, which counts it; whatever is offered again, neither of the others leaves the view."""
    scene = Scene()
    one = scene.one
    scene.sync(scene.other)
    one.hello()
    one.pull()
    # The server lets its first op in, then not the lowering, then the rest.
    for most, grants in ((1, GRANTS), (1, CLOSED), (100, GRANTS)):
        one.push(most, grants)
        assert scene.shown() == SEEN
    for step in (one.pull, one.hello, one.pull, one.push, one.pull):
        step()
        assert scene.shown() == SEEN
    assert scene.states() == [OpState.HELD, OpState.WAITING, OpState.SETTLED]


def test_a_later_change_stands_over_an_earlier_one_whose_answer_is_lost() -> None:
    """The server has both; the device knows it of neither, and must not lay the earlier one over the later."""
    scene = Scene()
    one = scene.one
    scene.sync(scene.other)
    one.hello()
    one.pull()
    one.write(RECORD, grade="scheduled", log=[{"text": "made later"}])
    one.push(heard=False)
    for step in (one.pull, one.hello, one.pull, one.push, one.pull):
        step()
        assert scene.shown() == ("scheduled", SEEN[1], ["an entry", "made later"])
    assert scene.states() == [OpState.SETTLED] * 3


def test_what_others_wrote_over_an_op_is_seen_once_the_server_has_said_that_it_holds_the_op() -> None:
    """Also while an earlier op, which was taken in after it, is still laid over the row."""
    scene = Scene()
    one = scene.one
    one.hello()
    one.pull()
    one.push(heard=False)
    scene.sync(scene.other)
    scene.other.write(RECORD, markers={"remove": [DOG]})
    scene.sync(scene.other)
    one.hello()
    one.pull()
    one.push()
    assert scene.states() == [OpState.DURABLE] * 3
    for step in (one.pull, one.hello):
        state = one.replica.view(RECORD)
        assert state is not None
        assert state.values()[FieldName("markers")] == []
        assert scene.shown() == SEEN
        step()
    assert scene.states() == [OpState.SETTLED] * 3


def test_what_others_have_superseded_does_not_come_back_with_a_new_history() -> None:
    """The row of the lost history is all that is left: it holds the op, whatever the new history says of that."""
    scene = Scene()
    other = scene.other
    for step in (other.hello, other.push):
        step()
        state = other.replica.view(RECORD)
        assert state is not None
        assert state.values()[GRADE] == "p2"


def test_an_overtaken_op_stays_in_sight_through_another_restore() -> None:
    """Neither of two histories has taken it in, and rows of both are shown meanwhile."""
    scene = Scene()
    one = scene.one
    one.sync()
    assert scene.states() == [OpState.WAITING, OpState.WAITING, OpState.SETTLED]
    scene.server.restore(scene.server.backup())
    for step in (one.hello, one.push, one.pull, one.hello, one.pull):
        step()
        assert scene.shown() == SEEN
    scene.sync(scene.other, one)
    assert scene.states() == [OpState.SETTLED] * 3
    assert scene.shown() == SEEN


@pytest.mark.parametrize("heard", [True, False], ids=["row after the answer", "row before the answer"])
def test_what_was_overtaken_once_is_like_every_other_op_when_it_is_in_the_row(*, heard: bool) -> None:
    """What others wrote over it since does not give way to it when the server is set back once more."""
    scene = Scene()
    one, other = scene.one, scene.other
    one.sync()
    other.sync()
    one.hello()
    one.push(heard=heard)
    scene.sync(one)
    assert scene.states() == [OpState.SETTLED] * 3
    scene.sync(other)
    other.write(RECORD, grade="scheduled")
    scene.sync(other, one)
    assert scene.shown() == ("scheduled", *SEEN[1:])
    scene.server.restore(scene.backup)
    one.hello()
    assert scene.shown() == ("scheduled", *SEEN[1:])
