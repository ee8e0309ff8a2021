"""Receipts of briefings over real sockets: what the device says, what the officer says, and who never hears of it."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas import scopes
from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import DeviceId, FieldName, OfficerId, RecordId, ScopeName
from schemas.kinds import Briefing, BriefingReceipt
from schemas.kinds.receipts import edition_of, receipt_id, receipts_of
from schemas.settings import Settings
from schemas.settings.briefings import BriefingSettings
from server.force_settings import bring_settings
from server.office import Draft
from server.receipts import count
from server.registry import acts as a
from sync import merge
from sync.device import Handheld, SignedIn
from sync.device.arrivals import UNCONFIRMED
from sync.device.force_settings import settings_in
from sync.device.installation import Installation
from sync.device.keystore import MemoryKeyStore
from sync.outbox import OpState
from sync.policing.briefings.tally import Step, Tally
from tests.sync.device.force import BOSS, OFFICER, PHRASE, Force, HurriedClock
from tests.sync.device.seats import cheap
from tests.sync.device.support import AT_ONCE, BIRMINGHAM, caught_up

OTHER = OfficerId("WM30003")
OWN = scopes.officer(OFFICER)
COUNTED = scopes.receipts(scopes.FORCE)
LARCH = scopes.compartment("larch")


@asynccontextmanager
async def at_work(installation: Installation, officer: OfficerId = OFFICER) -> AsyncIterator[Handheld]:
    """The officer's handheld, caught up."""
    signed_in = await installation.sign_in(officer, PHRASE)
    opening = Handheld.open_seat(
        signed_in, installation.enrolment, clock=installation._clock, backoff=AT_ONCE, justify=False
    )
    async with opening as handheld:
        await handheld.wait_until(caught_up)
        yield handheld


@asynccontextmanager
async def colleague(folder: Path, house: Force) -> AsyncIterator[Handheld]:
    """Another officer of the same area, on a handheld of their own."""
    await house.officer(OTHER)
    await house.grant(OTHER, BIRMINGHAM)
    await Installation.enrol(folder, house.url, await house.code(DeviceId("hh-0077")))
    opening = Installation.open(folder, store=MemoryKeyStore(), clock=HurriedClock(), stretching=cheap)
    async with opening as installation, at_work(installation, OTHER) as handheld:
        yield handheld


class LastMoment(random.Random):
    """Draws the latest moment that there is."""

    def randint(self, a: int, b: int) -> int:
        """See `random.Random`."""
        return max(a, b)


@asynccontextmanager
async def with_time(installation: Installation, house: Force) -> AsyncIterator[Handheld]:
    """The officer's handheld, caught up, where what devices say themselves is spread over 50 s, of safety over 20 s."""
    spread = BriefingSettings(receipts_within_ms=50_000, safety_receipts_within_ms=20_000)
    await bring_settings(house.beatbook.office, Settings(briefings=spread))
    signed_in = await installation.sign_in(OFFICER, PHRASE)
    opening = Handheld.open_seat(
        signed_in, installation.enrolment, clock=installation._clock, rng=LastMoment(), backoff=AT_ONCE, justify=False
    )
    async with opening as handheld:
        await handheld.wait_until(caught_up)
        await until(handheld, lambda held: settings_in(held).briefings == spread)
        yield handheld


async def until(handheld: Handheld, holds: Callable[[Any], bool]) -> None:
    """Wait until the replica is as wanted, and nothing of its own waits."""
    changes = handheld.changes()
    while not (await handheld._replica.read(holds)) or handheld.status.waiting:
        await anext(changes)


async def arrived(handheld: Handheld, record: RecordId) -> None:
    """Wait until a briefing is here and the device has said so, as far as the server."""
    await until(handheld, lambda held: bool(held.tables.members(*own_stretch(record))))
    await handheld.wait_until(caught_up)


def own_stretch(record: RecordId) -> tuple[ScopeName, str, str]:
    """Where an officer's own receipts of a briefing lie in their replica."""
    return OWN, *receipts_of(record)


async def counted(house: Force, record: RecordId) -> Tally:
    """The briefing's receipts, as the server counts them."""
    row = await house.store.record(record)
    assert row is not None
    state = merge.from_row(decode_row(row))
    return await count(house.store, house.beatbook.authority.ledger.registry, state, house.now())


async def kept(house: Force, scope: ScopeName = COUNTED) -> list[BriefingReceipt]:
    """Every receipt that the server has in a scope."""
    rows = await house.store.records("receipt", scope, "", 1_000)
    found = [merge.from_row(decode_row(row)).build() for row in rows]
    return [one for one in found if isinstance(one, BriefingReceipt)]


async def change(house: Force, record: RecordId, **values: object) -> None:
    """The control room changes a briefing."""
    said = {FieldName(name): value for name, value in values.items()}
    await house.beatbook.office.bring([Draft(record=record, kind="briefing", values=said)], OfficerId(BOSS))


def steps(told: Tally) -> tuple[int, int, int]:
    """Of the version that stands: on how many devices, opened by how many, confirmed by how many."""
    first = told.versions[0]
    return first.on_device, first.opened, first.acknowledged


async def test_what_a_whole_force_would_say_at_once_is_spread(installation: Installation, house: Force) -> None:
    """It is written at once and goes up later, at a moment that each device draws; of officer safety it goes sooner."""
    clock = installation._clock
    assert isinstance(clock, HurriedClock)
    async with with_time(installation, house) as handheld:
        later = clock.next_nap(50_000, 50_000)
        routine = await house.brief()
        await later
        assert handheld.status.waiting == 1
        sooner = clock.next_nap(20_000, 20_000)
        safety = await house.brief(priority="officer-safety")
        await sooner
        assert handheld.status.waiting == 2
        assert await kept(house) == []
        clock.advance(20_000)
        for record in (routine, safety):
            await arrived(handheld, record)
            assert steps(await counted(house, record)) == (1, 0, 0)


async def test_what_an_officer_says_waits_for_nothing(installation: Installation, house: Force) -> None:
    """What they confirm goes up at once, and what the device was about to say goes with it."""
    clock = installation._clock
    assert isinstance(clock, HurriedClock)
    async with with_time(installation, house) as handheld:
        later = clock.next_nap(50_000, 50_000)
        record = await house.brief()
        await later
        await handheld.acknowledge(record)
        await arrived(handheld, record)
        assert steps(await counted(house, record)) == (1, 1, 1)


async def test_each_step_goes_up_once_and_is_counted(installation: Installation, house: Force) -> None:
    """The device says that it came; what is shown and what is confirmed is the officer's; again changes nothing."""
    async with at_work(installation) as handheld:
        record = await house.brief()
        await arrived(handheld, record)
        assert steps(await counted(house, record)) == (1, 0, 0)
        assert (await counted(house, record)).waiting == ((OFFICER, Step.ON_DEVICE),)
        assert await handheld.opened(record) is not None
        await handheld.wait_until(caught_up)
        assert steps(await counted(house, record)) == (1, 1, 0)
        assert await handheld.acknowledge(record) is not None
        await handheld.wait_until(caught_up)
        told = await counted(house, record)
        assert (steps(told), told.addressed, told.waiting) == ((1, 1, 1), 1, ())
        assert await handheld.opened(record) is await handheld.acknowledge(record) is None
        said = await handheld.confirmed(record)
        assert None not in (said.on_device_at, said.opened_at, said.acknowledged_at)
        assert list((await handheld.all_confirmed()).values()) == [said]
        view = await handheld.inspect(record)
        assert view is not None
        assert view.confirmed == said
    assert len(await kept(house)) == 1


async def test_no_other_handheld_ever_hears_of_it(installation: Installation, house: Force, tmp_path: Path) -> None:
    """Two officers of one area confirm the same briefing: each holds their own word, and nobody the other's."""
    async with at_work(installation) as mine, colleague(tmp_path / "other", house) as theirs:
        record = await house.brief()
        for handheld in (mine, theirs):
            await until(handheld, lambda held: held.tables.row_version(record) is not None)
            await handheld.acknowledge(record)
            await handheld.wait_until(caught_up)
        assert steps(await counted(house, record)) == (2, 2, 2)
        for handheld, officer in ((mine, OFFICER), (theirs, OTHER)):
            found = await handheld.find(BriefingReceipt)
            assert {one.officer for _, one in found} == {officer}
            held = await handheld._replica.read(lambda held: {one.scope for one in held.replica.positions()})
            assert not [scope for scope in held if scope.endswith(":receipts")]


async def test_out_of_signal_it_is_said_as_well(installation: Installation, house: Force) -> None:
    """A briefing that is here is confirmed in a dead spot; the time is that of the confirming, and it goes up later."""
    async with at_work(installation) as handheld:
        record = await house.brief()
        await arrived(handheld, record)
        await handheld.go_offline()
        await handheld.acknowledge(record)
        at = (await handheld.confirmed(record)).acknowledged_at
        assert at is not None
        assert steps(await counted(house, record)) == (1, 0, 0)
        await handheld.go_online()
        await handheld.wait_until(caught_up)
        (receipt,) = await kept(house)
        assert receipt.acknowledged_at == at


async def test_another_version_is_to_be_confirmed_anew(installation: Installation, house: Force) -> None:
    """What was confirmed was the text that stood; of the new one the device says at once that it has come."""
    async with at_work(installation) as handheld:
        record = await house.brief()
        await arrived(handheld, record)
        await handheld.acknowledge(record)
        await handheld.wait_until(caught_up)
        await change(house, record, body="Three men, one with a knife.")
        value = await handheld.get(Briefing, record)
        while value is None or "knife" not in value.body:
            await anext(handheld.changes())
            value = await handheld.get(Briefing, record)
        await until(handheld, lambda held: len(held.tables.members(*own_stretch(record))) == 2)
        assert (await handheld.confirmed(record)).acknowledged_at is None
        told = await counted(house, record)
        assert [(one.current, one.on_device, one.acknowledged) for one in told.versions] == [
            (True, 1, 0),
            (False, 1, 1),
        ]
        assert told.versions[0].edition == edition_of(value)
        # When it is looked at again is no part of what was read.
        await change(house, record, review_at=house.now() + 1)
        await until(handheld, lambda held: held.replica.view(record).values().get("review_at") is not None)
        assert len(await kept(house)) == 2


async def test_a_replica_that_was_lost_says_nothing_twice(installation: Installation, house: Force) -> None:
    """The same seat begins with an empty replica: its earlier word comes back before it could be said again."""
    async with at_work(installation) as handheld:
        record = await house.brief()
        await arrived(handheld, record)
        await handheld.acknowledge(record)
        await handheld.wait_until(caught_up)
        folder, before = handheld._signed_in.seat.folder, await kept(house)  # type: ignore[union-attr]  # an officer's
    for file in folder.glob("replica*"):
        file.unlink()
    async with at_work(installation) as handheld:
        await until(handheld, lambda held: held.tables.row_version(record) is not None)
        assert (await handheld.confirmed(record)).acknowledged_at is not None
        assert await handheld._replica.read(lambda held: held.replica.count(OpState.HELD)) == 0
    assert await kept(house) == before


async def test_what_was_here_before_its_officers_word_came_back_is_said_then(
    installation: Installation, house: Force
) -> None:
    """Briefings come first, in their lane; once the officer's own scope is whole the device says what it has."""
    records = [await house.brief(title=f"Item {number}") for number in range(3)]
    async with at_work(installation) as handheld:
        for record in records:
            await arrived(handheld, record)
    assert {one.briefing for one in await kept(house)} == set(records)


async def test_what_has_expired_is_not_said_to_have_come(installation: Installation, house: Force) -> None:
    """Nobody asks who got a briefing after it had run out."""
    record = await house.brief()
    await change(house, record, expires_at=house.now() - 1)
    async with at_work(installation) as handheld:
        await until(handheld, lambda held: held.tables.row_version(record) is not None)
        assert await handheld.confirmed(record) == UNCONFIRMED
    assert await kept(house) == []


async def test_what_is_closed_is_confirmed_inside_and_leaves_with_the_right(
    installation: Installation, house: Force
) -> None:
    """Receipts of a compartment's briefing are in no open scope, and go from the officer with their clearance."""
    await house.act(a.CompartmentMade, compartment="larch", title="Larch")
    span = await house.span(a.Cleared, officer=OFFICER, compartment="larch", why="on the team")
    own = scopes.personal(OFFICER, LARCH)
    assert own is not None
    async with at_work(installation) as handheld:
        record = await house.brief(audience=LARCH)
        await until(handheld, lambda held: bool(held.tables.members(own, *receipts_of(record))))
        await handheld.acknowledge(record)
        await handheld.wait_until(caught_up)
        assert steps(await counted(house, record)) == (1, 1, 1)
        assert await kept(house) == []
        assert len(await kept(house, scopes.receipts(LARCH))) == 1
        mine = receipt_id(
            record, (await kept(house, scopes.receipts(LARCH)))[0].edition, OFFICER, handheld._store.device
        )
        await house.end(span)
        await until(handheld, lambda held: held.tables.row_version(mine) is None)
        assert await handheld.find(BriefingReceipt) == []
        bodies = await handheld._replica.read(lambda held: [op.body for op in held.tables.ops_of(mine)])
        assert not [body for body in bodies if record.encode() in body]


async def test_only_a_briefing_is_confirmed_and_only_at_ones_own_seat(
    installation: Installation, house: Force, handheld: Handheld
) -> None:
    """What is none, and the seat of a program, are refused in words; a program that shows one says nothing."""
    async with at_work(installation) as mine:
        with pytest.raises(UsageError, match="only a briefing is confirmed"):
            await mine.acknowledge(RecordId("0190163d-8694-739b-aea5-966c26f8ad91"))
    made = await handheld.create(Briefing(title="x", body="y", audience=(BIRMINGHAM,), issued_at=house.now()))
    assert await handheld.opened(made.record) is None
    with pytest.raises(UsageError, match="Sign in at a seat of your own"):
        await handheld.acknowledge(made.record)


async def test_an_officer_without_a_role_gets_the_briefing_all_the_same(
    installation: Installation, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the device may not say so is no reason to lose what came."""
    monkeypatch.setattr(SignedIn, "roles", property(lambda _: frozenset()))
    async with at_work(installation) as handheld:
        record = await house.brief()
        await until(handheld, lambda held: held.tables.row_version(record) is not None)
    assert await kept(house) == []
