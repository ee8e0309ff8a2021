"""What is to come is kept over a restart: closed records are not read again, and nothing that falls due is missed."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from schemas.ids import Millis, RecordId, ScopeName, Seq, named_record_id
from schemas.settings import SETTINGS_RECORD, Settings
from schemas.settings.briefings import BriefingSettings
from server import remembering
from server.falling_due import AGAIN_MS
from server.force_settings import bring_settings
from server.remembering import ToCome
from sync.merge import RecordState
from sync.session.steps import Head
from tests.due_times import HOUR, TIMETABLE
from tests.server.running import NOW
from tests.server.test_timers import BOOKING, DUE, Post

CLOSED = [named_record_id("remembering", str(n)) for n in range(3)]
LONG_AGO = Millis(NOW - 30 * 24 * HOUR)
RULES = remembering.rules_of(Settings(), TIMETABLE)


class Watched(Post):
    """A post that tells which records its timers have looked at."""

    def __init__(self) -> None:
        """Nothing was looked at."""
        super().__init__()
        self.seen: set[RecordId] = set()

    async def start(self) -> None:
        """As its base."""
        self.seen.clear()
        note = self.timers._next

        def noted(state: RecordState) -> Millis | None:
            self.seen.add(state.id)
            return note(state)

        self.timers._next = noted  # type: ignore[method-assign]  # looks on
        await super().start()


@pytest.fixture
async def post() -> AsyncIterator[Watched]:
    """A post that has been running, with one detention that goes on and three of long ago."""
    post = Watched()
    running = asyncio.create_task(post.committer.run())
    await post.office.start()
    await post.book()
    for one in CLOSED:
        await post.book(one, authorised_at=LONG_AGO)
    await post.start()
    assert post.seen == {BOOKING, *CLOSED}
    yield post
    await post.stop()
    post.committer.close()
    await running


async def test_a_start_reads_what_is_open_and_not_all_that_is_closed(post: Watched) -> None:
    """And raises what falls due in it as ever."""
    await post.start_again()
    assert post.seen == {BOOKING}
    await post.at(DUE)
    assert await post.raised() == {0}


async def test_what_changed_while_no_timers_ran_is_read(post: Watched) -> None:
    """A new record, and one of those in which nothing was to come."""
    await post.stop()
    fresh = named_record_id("remembering", "fresh")
    await post.book(fresh)
    await post.book(CLOSED[0], authorised_at=LONG_AGO, detainee="B. Garside")
    await post.start_again()
    assert post.seen == {BOOKING, fresh, CLOSED[0]}


async def test_what_was_never_told_is_read(post: Watched) -> None:
    """A commit of which the timers did not hear is behind what they say they have looked at."""
    post.deaf = True
    fresh = named_record_id("remembering", "fresh")
    await post.book(fresh)
    post.deaf = False
    await post.at(NOW + remembering.EVERY_MS)
    await post.start_again()
    assert fresh in post.seen


async def test_what_rests_when_it_is_kept_is_read(post: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed record has changed twice within a moment: the second commit was told, and has not been looked at."""
    monkeypatch.setattr(remembering, "EVERY_MS", 2 * AGAIN_MS + 1)
    post.clock.now = Millis(NOW + 2 * AGAIN_MS)
    for name in ("B. Garside", "C. Garside"):
        await post.book(CLOSED[0], authorised_at=LONG_AGO, detainee=name)
        await post.hands.tick()
    groups = len(post.store.groups)
    await post.at(NOW + 2 * AGAIN_MS + 1)
    assert len(post.store.groups) == groups + 1
    await post.start_again()
    assert post.seen == {BOOKING, CLOSED[0]}


async def test_under_other_settings_everything_is_read(post: Watched) -> None:
    """They may make something due in a record in which nothing was."""
    await post.stop()
    await bring_settings(post.office, Settings(briefings=BriefingSettings(public_least=7)))
    await post.start_again()
    assert post.seen == {BOOKING, *CLOSED, SETTINGS_RECORD}


async def test_with_a_clock_that_was_set_back_everything_is_read(post: Watched) -> None:
    """What had passed by then may be still to come."""
    post.clock.now = Millis(NOW - 1)
    await post.start_again()
    assert post.seen == {BOOKING, *CLOSED}


async def test_it_is_kept_again_every_ten_minutes_and_not_more_often(post: Watched) -> None:
    """Each time costs a commit."""
    groups = len(post.store.groups)
    await post.at(NOW + remembering.EVERY_MS - 1)
    assert len(post.store.groups) == groups
    await post.at(NOW + remembering.EVERY_MS)
    assert len(post.store.groups) == groups + 1
    kept = remembering.recalled(await post.store.secret(remembering.NAME), RULES, post.clock.now)
    assert kept is not None
    assert (kept.at, kept.records) == (post.clock.now, (BOOKING,))


def test_what_another_program_kept_is_not_gone_by() -> None:
    """Other rules, bytes that are none of ours, and nothing at all."""
    found = ToCome(rules=RULES, at=NOW, heads={ScopeName("force"): Seq(3)}, records=(BOOKING,))
    kept = remembering.kept_form(found)
    assert remembering.recalled(kept, RULES, NOW) == found
    for other in (None, b"", b"\xc1", msgspec.msgpack.encode({"rules": RULES})):
        assert remembering.recalled(other, RULES, NOW) is None
    assert remembering.recalled(kept, remembering.rules_of(Settings(), ()), NOW) is None


def test_too_much_is_not_kept() -> None:
    """Nor what was kept before it."""
    many = tuple(named_record_id("remembering", str(n)) for n in range(remembering.RECORDS_MAX + 1))
    assert remembering.kept_form(ToCome(rules=RULES, at=NOW, heads={}, records=many)) is None


def test_a_scope_is_read_behind_what_was_looked_at() -> None:
    """One that is new from its beginning, one that has not moved not at all."""
    found = ToCome(rules=RULES, at=NOW, heads={ScopeName("a"): Seq(3), ScopeName("b"): Seq(4)}, records=())
    heads = {ScopeName(name): Head(Seq(seq), b"", 0) for name, seq in (("a", 3), ("b", 9), ("c", 2))}
    assert remembering.moved_since(found, heads) == {"b": 4, "c": 0}
