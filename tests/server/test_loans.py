"""Units that are on loan go back when their time has passed or their request is over, whatever happens meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.errors import StoreError
from schemas.ids import FieldName, Millis, OfficerId, RecordId, named_record_id
from schemas.kinds import DeploymentRequest, Resource
from schemas.kinds.deployment import DeploymentStatus
from server.commits import Settled
from server.committer import Committer
from server.loans import Loans
from server.office import Draft, Office
from tests.server.disputes import item_state
from tests.server.hands import Hands
from tests.server.running import NOW, Clock, GatedStore

HOUR = 3_600_000
TANGO, DOG = named_record_id("loans", "Tango 4"), named_record_id("loans", "Dog 1")
REQUEST = named_record_id("loans", "request")
LENDER = OfficerId("WM30012")
UNTIL = NOW + HOUR


class Post:
    """A store with its committer, office and the task."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.store = GatedStore()
        self.clock = Clock()
        self.hands = Hands()
        self.committer = Committer(self.store, self.clock, self._publish)
        self.office = Office(self.store, self.committer, self.clock)
        self.loans = Loans(self.store, self.office, self.clock, self.hands)
        self._running: asyncio.Task[None] | None = None

    def _publish(self, settled: Settled) -> None:
        self.loans.published(settled)

    async def start(self) -> None:
        """As a server that begins, another process over the same store; returns when nothing is left to do."""
        await self.stop()
        self.hands = Hands()
        self.loans = Loans(self.store, self.office, self.clock, self.hands)
        self._running = asyncio.create_task(self.loans.run())
        await self.hands.rests.wait()

    async def stop(self) -> None:
        """End, as a server that goes down."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def at(self, moment: int) -> None:
        """The clock stands there; the task looks once."""
        self.clock.now = Millis(moment)
        await self.hands.tick()

    async def bring(self, record: RecordId, kind: str, **values: Any) -> None:  # noqa: ANN401  plain values
        """Somebody writes a record; the task hears of it."""
        named = {FieldName(name): value for name, value in values.items()}
        await self.office.bring([Draft(record=record, kind=kind, values=named)], LENDER)
        if self._running is not None:
            await self.hands.tick()

    async def lend(self, unit: RecordId, until: int = UNTIL, request: RecordId | None = REQUEST) -> None:
        """Coventry lends a unit to Birmingham."""
        loan = {"area": "birmingham", "until": until} | ({} if request is None else {"request": request})
        await self.bring(unit, "resource", category="call-sign", name="Tango 4", home="area:coventry", loan=loan)

    async def ask(self, **more: Any) -> None:  # noqa: ANN401  plain values
        """Birmingham's request; with `status`, what became of it."""
        values = {
            "asking": "birmingham", "lending": "coventry", "what": "Dogs", "how_many": 1, "purpose": "A march.",
            "asked_at": NOW, "until": UNTIL,
        }  # fmt: skip
        await self.bring(REQUEST, "deployment-request", **(values | more))

    async def on_loan(self, unit: RecordId) -> bool:
        """Whether it is, and so in the sight of the area that borrows."""
        record = (await item_state(self.store, unit)).build()
        assert isinstance(record, Resource)
        assert ("area:birmingham" in record.scopes()) is (record.loan is not None)
        return record.loan is not None


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A post whose committer runs."""
    post = Post()
    running = asyncio.create_task(post.committer.run())
    try:
        await post.ask()
        yield post
    finally:
        await post.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_unit_goes_back_when_its_time_has_passed(post: Post) -> None:
    """At that moment and not before: with the loan its record leaves the other area."""
    await post.start()
    await post.lend(TANGO)
    await post.at(UNTIL - 1)
    assert await post.on_loan(TANGO)
    await post.at(UNTIL)
    assert not await post.on_loan(TANGO)


async def test_a_unit_that_is_lent_for_longer_stays(post: Post) -> None:
    """The time that was there first moves nothing any more."""
    await post.start()
    await post.lend(TANGO)
    await post.lend(TANGO, UNTIL + HOUR)
    await post.at(UNTIL)
    assert await post.on_loan(TANGO)
    await post.at(UNTIL + HOUR)
    assert not await post.on_loan(TANGO)


@pytest.mark.parametrize("status", ["ended", "refused"])
async def test_what_was_lent_goes_back_with_its_request(post: Post, status: str) -> None:
    """Every unit under it, and no other one."""
    await post.start()
    await post.lend(TANGO)
    await post.lend(DOG, request=None)
    await post.ask(status=status)
    await post.at(NOW + 2)
    assert not await post.on_loan(TANGO)
    assert await post.on_loan(DOG)


async def test_a_unit_lent_under_a_request_that_is_over_does_not_stay(post: Post) -> None:
    """Whichever the server heard of first: an area may lend without signal what was not wanted any more."""
    await post.start()
    await post.ask(status="ended")
    await post.lend(TANGO)
    await post.at(NOW + 2)
    assert not await post.on_loan(TANGO)


@pytest.mark.parametrize("ended", [False, True])
async def test_a_server_that_was_down_finds_what_is_to_go_back(post: Post, *, ended: bool) -> None:
    """What it has to do stands in the records."""
    await post.lend(TANGO)
    if ended:
        await post.ask(status="ended")
    else:
        post.clock.now = Millis(UNTIL + 1)
    await post.start()
    assert not await post.on_loan(TANGO)


async def test_a_store_that_fails_is_asked_again(post: Post) -> None:
    """A unit that could not be written goes back the next time."""
    await post.start()
    await post.lend(TANGO)
    post.store.failing = StoreError("invented")
    await post.at(UNTIL)
    post.store.failing = None
    assert await post.on_loan(TANGO)
    await post.at(UNTIL + 10_000)
    assert not await post.on_loan(TANGO)


async def test_nothing_else_of_a_request_is_written(post: Post) -> None:
    """That its time has passed ends nothing by itself: somebody of the two areas says so."""
    await post.start()
    await post.ask(status="agreed")
    await post.at(UNTIL + HOUR)
    request = (await item_state(post.store, REQUEST)).build()
    assert isinstance(request, DeploymentRequest)
    assert request.status is DeploymentStatus.AGREED
