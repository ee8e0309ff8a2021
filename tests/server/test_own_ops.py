"""The server's own ops: their numbers never name two, and none is made that a device could not read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from schemas.codec import decode_op, encode
from schemas.errors import UsageError
from schemas.ids import FieldName, OfficerId, OpNumber, RecordId, ScopeName
from schemas.kinds import KindSpec, kind_named
from schemas.ops import Op
from schemas.roles import Role
from server.committer import Committer
from server.logbook import OFFICE
from server.own_ops import NUMBERS_PER_MS, OwnOps, Standing
from server.roles import Roles
from tests.server.running import NOW, Clock, GatedStore

AUTHOR = OfficerId("WM1")
CALL: dict[str, Any] = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "Theft"}
DAY_MS = 86_400_000


def incident() -> KindSpec:
    """The kind of the records here."""
    spec = kind_named("incident")
    assert spec is not None
    return spec


def named(**values: object) -> Mapping[FieldName, Any]:
    """Changes, by field."""
    return {FieldName(name): value for name, value in values.items()}


class Run:
    """One run of a server over a store."""

    def __init__(self, store: GatedStore, after_ms: int = 0) -> None:
        """Its clock reads so much later."""
        self.store = store
        self.clock = Clock()
        self.clock.advance(after_ms)
        self.committer = Committer(store, self.clock, lambda _: None)
        self.ops = OwnOps(store, self.committer, self.clock)

    def made(self, number: int) -> Op:
        """An op that makes a record."""
        record = RecordId(f"01890000-0000-7000-8000-{number:012x}")
        return self.ops.make(record, incident(), None, named(**CALL), AUTHOR)


@contextlib.asynccontextmanager
async def run(store: GatedStore, after_ms: int = 0) -> AsyncIterator[Run]:
    """A run that has started, until it ends."""
    one = Run(store, after_ms)
    committing = asyncio.create_task(one.committer.run())
    await one.ops.start()
    yield one
    one.committer.close()
    await committing


async def test_an_op_is_whole_and_is_the_server_s() -> None:
    """Its device, its author, its times; a salt of its own, so that its hash tells nothing of it. It can be read."""
    async with run(GatedStore()) as one:
        first, second = one.made(1), one.made(2)
    assert (first.device, first.author, first.create, first.occurred_at, first.wall) == (
        *(OFFICE, AUTHOR, True, one.clock.now, one.clock.now),
    )
    assert second.n == first.n + 1
    assert first.salt != second.salt
    assert decode_op(encode(first)) == first


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"grade": "p9"}, "grade"), ({"no_such": 1}, "no_such"), ({"opened_at": "noon"}, "opened_at")],
)
async def test_what_cannot_be_uses_up_no_number(changes: dict[str, Any], said: str) -> None:
    """It is refused before it has one; the text names the field."""
    async with run(GatedStore()) as one:
        before = one.made(1).n
        with pytest.raises(UsageError, match=said):
            one.ops.make(
                RecordId(f"01890000-0000-7000-8000-{9:012x}"), incident(), None, named(**(CALL | changes)), AUTHOR
            )
        assert one.made(2).n == before + 1


async def test_numbers_go_on_after_a_restart() -> None:
    """A number is never used for two ops, or the second would be taken for the first: also in the same millisecond."""
    store = GatedStore()
    async with run(store) as one:
        await one.ops.commit([one.made(1), one.made(2)])
        last = await store.last_op(OFFICE)
    async with run(store) as later:
        assert later.made(3).n == last + 1


async def test_numbers_of_a_lost_history_are_not_used_again() -> None:
    """A server set back to a backup does not know how far it had counted, and devices hold what it had written."""
    async with run(GatedStore()) as one:
        lost = {one.made(number).id for number in range(1, 4)}
    async with run(GatedStore(), after_ms=1) as restored:
        made = {restored.made(number).id for number in range(1, 4)}
    assert made.isdisjoint(lost)
    assert one.made(9).n < restored.made(9).n


async def test_numbers_go_on_when_the_clock_was_set_back() -> None:
    """What the store holds counts more than what the clock says."""
    store = GatedStore()
    async with run(store) as one:
        await one.ops.commit([one.made(1)])
        last = await store.last_op(OFFICE)
    async with run(store, after_ms=-DAY_MS) as later:
        assert later.made(2).n == last + 1


async def test_a_clock_beyond_every_calendar_leaves_room_for_numbers() -> None:
    """A machine that believes in the year 5000 still numbers its ops within what the wire can carry."""
    async with run(GatedStore(), after_ms=10**14) as one:
        assert one.made(1).n == OpNumber(1)
    async with run(GatedStore()) as one:
        assert one.made(1).n == one.clock.now * NUMBERS_PER_MS


async def test_what_is_committed_is_held_to_a_standing() -> None:
    """With none it is the server's own, and may be anywhere; with one, its scopes and roles go with it."""
    async with run(GatedStore()) as one:
        standing = Standing(scopes=frozenset({ScopeName("area:birmingham")}), roles=Roles(frozenset({Role.OFFICER})))
        (free,) = await one.ops.commit([one.made(1)])
        (held,) = await one.ops.commit([one.made(2)], standing)
    assert (free.status, held.status) == ("durable", "durable")
    pushed = [(submission.scopes, submission.roles) for group in one.store.groups for submission in group]
    assert pushed == [(None, None), (standing.scopes, standing.roles)]
