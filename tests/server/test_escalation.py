"""Overdue decisions: more people are asked, once for each level, whatever happens to the server meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from schemas.errors import StoreError
from schemas.ids import Millis, OfficerId, RecordId
from schemas.kinds import KINDS, InboxItem
from schemas.roles import Role
from server.commits import ScopeChange, Settled
from server.committer import Committer
from server.escalation import Escalations, levels, missed, next_due
from server.falling_due import LOOK_MS_MAX, RETRY_MS
from server.office import Choice, Office
from tests.server.disputes import CELL, Disputes, item_state, items
from tests.server.hands import Hands
from tests.server.running import NOW, Clock, GatedStore

MINUTE = 60_000


class Post:
    """A store with its committer, office and escalations, and two desks that differ."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.store = GatedStore()
        self.clock = Clock()
        self.hands = Hands()
        self.committer = Committer(self.store, self.clock, self._publish)
        self.office = Office(self.store, self.committer, self.clock)
        self.escalations = Escalations(self.store, self.office, self.clock, self.hands)
        self.disputes = Disputes(self.store, self.committer, self.clock)
        self.deaf = False
        self._running: asyncio.Task[None] | None = None

    def _publish(self, settled: Settled) -> None:
        if not self.deaf:
            self.escalations.published(settled)

    def start(self) -> None:
        """Begin to escalate."""
        self._running = asyncio.create_task(self.escalations.run())

    async def stop(self) -> None:
        """End, as a server that goes down."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def start_again(self) -> None:
        """As another process over the same store."""
        await self.stop()
        self.hands = Hands()
        self.escalations = Escalations(self.store, self.office, self.clock, self.hands)
        self.start()

    async def about(self, item: RecordId) -> InboxItem:
        """An item as it stands."""
        built = (await item_state(self.store, item)).build()
        assert isinstance(built, InboxItem)
        return built

    async def asked(self, item: RecordId) -> list[Role]:
        """Who was asked as well, in order."""
        return [one.to for one in (await self.about(item)).escalations]

    async def decide(self, item: RecordId) -> None:
        """Settle it."""
        about = await self.about(item)
        choice = Choice(value=about.candidates[0].value, reason="Looked.", author=OfficerId("WM9"))
        await self.office.decide(item, choice)


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A post whose committer runs, with a booking and a cell."""
    post = Post()
    running = asyncio.create_task(post.committer.run())
    await post.office.start()
    await post.disputes.begin()
    yield post
    await post.stop()
    post.committer.close()
    await running


def question(field: str = "hold", kind: str = "resource", within: int = 10 * MINUTE) -> InboxItem:
    """An open item."""
    return InboxItem(
        subject=CELL,
        subject_kind=kind,
        field=field,
        policy="claim",
        places=(),
        roles=(),
        opened_at=NOW,
        due_at=Millis(NOW + within),
        safe_because="Because.",
    )


# --- the rule --------------------------------------------------------------------------------------------------------


def test_each_level_asks_the_next_role_after_as_long_again() -> None:
    """The first when the time has passed, each other one after the same time once more."""
    found = levels(question())
    assert [due - NOW for due, _ in found] == [10 * MINUTE, 20 * MINUTE]
    assert [asked.to for _, asked in found] == [Role.REVIEWING_OFFICER, Role.CONTROL_ROOM]


def test_nothing_is_missed_before_its_time_and_everything_after() -> None:
    """To the millisecond; what was asked already is not asked again."""
    item = question()
    assert missed(item, Millis(item.due_at - 1)) == []
    first = missed(item, item.due_at)
    assert [(one.to, one.overdue_ms) for one in first] == [(Role.REVIEWING_OFFICER, 0)]
    late = Millis(item.due_at + 15 * MINUTE)
    assert [one.to for one in missed(item, late)] == [Role.REVIEWING_OFFICER, Role.CONTROL_ROOM]
    assert {one.overdue_ms for one in missed(item, late)} == {15 * MINUTE}
    after = msgspec.structs.replace(item, escalations=tuple(first))
    assert [one.to for one in missed(after, late)] == [Role.CONTROL_ROOM]
    assert next_due(after) == NOW + 20 * MINUTE
    done = msgspec.structs.replace(item, escalations=tuple(missed(item, late)))
    assert (missed(done, late), next_due(done)) == ([], None)


def test_what_is_settled_or_unknown_is_never_due() -> None:
    """Also a field that only a newer program has."""
    ended = msgspec.structs.replace(question(), ended_by="desk-a/1")
    for item in (ended, question("hovercraft"), question(kind="spaceship"), question("name")):
        assert next_due(item) is None
        assert missed(item, Millis(NOW + 10**9)) == []


def test_every_declared_question_escalates_to_somebody() -> None:
    """A field that asks and has nobody to turn to would wait for ever."""
    asking = [field.asks for spec in KINDS.values() for field in spec.fields.values() if field.asks is not None]
    assert asking
    assert all(asks.then for asks in asking)


# --- the task --------------------------------------------------------------------------------------------------------


async def test_an_overdue_item_is_escalated_level_by_level(post: Post) -> None:
    """The next role is asked at its time and not before; then the item is also in the force's inbox."""
    post.start()
    item = await post.disputes.over_cell()
    await post.hands.tick()
    about = await post.about(item)
    assert post.hands.pause == min(LOOK_MS_MAX, about.due_at - post.clock.now)
    post.clock.now = Millis(about.due_at - 1)
    await post.hands.tick()
    assert await post.asked(item) == []
    assert "force:inbox" not in (await post.about(item)).scopes()
    post.clock.advance(1)
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]
    assert "force:inbox" in (await item_state(post.store, item)).scopes()
    post.clock.advance(10 * MINUTE - 1)
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]
    post.clock.advance(1)
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER, Role.CONTROL_ROOM]
    before = len(post.store.groups)
    for _ in range(3):
        post.clock.advance(60 * MINUTE)
        await post.hands.tick()
    assert len(post.store.groups) == before


async def test_what_is_decided_in_time_is_not_escalated(post: Post) -> None:
    """A decision takes the item off the list; one that is decided late is asked about no further."""
    post.start()
    cell, time = await post.disputes.over_cell(), await post.disputes.over_time()
    await post.decide(cell)
    await post.hands.tick()
    post.clock.advance(31 * MINUTE)
    await post.hands.tick()
    assert await post.asked(cell) == []
    assert await post.asked(time) == [Role.REVIEWING_OFFICER]


async def test_a_restart_asks_nobody_twice_and_a_late_start_catches_up(post: Post) -> None:
    """What was asked stands in the record; what fell due while no server ran is asked at the start."""
    item = await post.disputes.over_cell()
    post.clock.advance(11 * MINUTE)
    post.start()
    await post.hands.rests.wait()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]
    await post.start_again()
    await post.hands.rests.wait()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]
    await post.stop()
    post.clock.advance(10 * MINUTE)
    await post.start_again()
    await post.hands.rests.wait()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER, Role.CONTROL_ROOM]


async def test_a_server_that_was_down_for_all_levels_asks_them_all(post: Post) -> None:
    """In their order, in one commit."""
    item = await post.disputes.over_cell()
    post.clock.advance(24 * 60 * MINUTE)
    before = len(post.store.groups)
    post.start()
    await post.hands.rests.wait()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER, Role.CONTROL_ROOM]
    assert len(post.store.groups) == before + 1


async def test_a_store_that_fails_is_asked_again(post: Post) -> None:
    """The level is not lost, the wait is short, and the log says why."""
    post.start()
    item = await post.disputes.over_cell()
    await post.hands.tick()
    post.store.failing = StoreError("disk is full")
    post.clock.advance(11 * MINUTE)
    await post.hands.tick()
    assert post.hands.pause == RETRY_MS
    post.store.failing = None
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]


async def test_a_commit_whose_answer_was_lost_is_not_made_again(post: Post) -> None:
    """The item is read anew before it is asked about, and its next level comes at its time."""
    post.start()
    item = await post.disputes.over_cell()
    await post.hands.tick()
    post.clock.advance(10 * MINUTE)
    about = await post.about(item)
    post.deaf = True
    await post.office.escalate(item, lambda _: missed(about, post.clock.now), OfficerId("beatbook"))
    post.deaf = False
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]
    post.clock.advance(10 * MINUTE)
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER, Role.CONTROL_ROOM]


async def test_an_item_of_a_commit_that_nobody_heard_of_is_read_from_the_store(post: Post) -> None:
    """The store tells that the scope has moved, without saying what it holds."""
    post.start()
    post.deaf = True
    item = await post.disputes.over_cell()
    post.deaf = False
    await post.hands.tick()
    heads = await post.store.heads()
    moved = tuple(
        ScopeChange(scope=scope, frm=head.seq, rows=(), members=(), gone=(), head=head)
        for scope, head in sorted(heads.items())
    )
    post.escalations.published(
        Settled(
            seq=max(h.seq for h in heads.values()), recorded_at=NOW, taken=0, results=(), ops=(), rows=(), scopes=moved
        )
    )
    await post.hands.rests.wait()
    post.clock.advance(11 * MINUTE)
    await post.hands.tick()
    assert await post.asked(item) == [Role.REVIEWING_OFFICER]


async def test_a_disagreement_about_a_decision_escalates_too(post: Post) -> None:
    """The item about an item is one like any other."""
    post.start()
    cell = await post.disputes.over_cell()
    for desk, holder in ((post.disputes.a, "booking-a"), (post.disputes.b, "booking-b")):
        await desk.pull(cell)
        desk.write(cell, InboxItem, decision={"value": {"holder": holder}, "reason": "Mine."})
    await post.disputes.b.push()
    await post.disputes.a.push()
    again = [record for record, about in await items(post.store) if about.subject == cell]
    assert len(again) == 1
    post.clock.advance(61 * MINUTE)
    await post.hands.tick()
    assert await post.asked(again[0]) == [Role.SUPERINTENDENT]
