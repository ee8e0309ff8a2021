"""Claims on wanted suspects: two officers set out for one person, and both learn who has them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from schemas import scopes
from schemas.ids import Millis, RecordId
from schemas.kinds import Suspect
from sync.device import DeviceIdentity, Handheld, Standing
from tests.sync.device.support import AT_ONCE, BIRMINGHAM, VirtualClock, caught_up, opened, record_id
from tests.toy_server import toy_server

PERSON = record_id(7)
WANTED = Suspect(name="Sam Example", wanted_for="Burglary in Aston", area="birmingham")


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Handheld, Handheld]]:
    """Two officers of one area, who both see who is wanted there."""
    clock = VirtualClock()
    identities = [DeviceIdentity.generate("hh-0001"), DeviceIdentity.generate("hh-0002")]
    grants = [BIRMINGHAM, scopes.inbox(BIRMINGHAM)]
    async with (
        toy_server([(each, grants) for each in identities], now=lambda: Millis(clock.wall_ms())) as toy,
        AsyncExitStack() as stack,
    ):
        await toy.make(PERSON, WANTED)
        more = {"server": toy.url, "backoff": AT_ONCE, "clock": clock}
        found = [
            await stack.enter_async_context(
                await opened(tmp_path / each.device, each, author=f"WM{number}0001", **more)
            )
            for number, each in enumerate(identities, 1)
        ]
        for handheld in found:
            await handheld.wait_until(caught_up)
        yield found[0], found[1]


async def meet(*handhelds: Handheld) -> None:
    """Signal returns, to one after the other; then all of them have everything."""
    for handheld in (*handhelds, *handhelds):
        await handheld.go_offline()
        await handheld.go_online()
        await handheld.wait_until(caught_up)


async def holder(handheld: Handheld, record: RecordId = PERSON) -> str | None:
    """Who has taken the person on, as a handheld shows it."""
    value = await handheld.get(Suspect, record)
    return None if value is None or value.claimed is None else value.claimed.holder


async def test_a_claim_is_told_to_colleagues(pair: tuple[Handheld, Handheld]) -> None:
    """Click & Collect: who claims a wanted person has them, and everybody of the area sees who."""
    one, two = pair
    await one.claim(PERSON, "WM10001")
    await meet(one, two)
    assert await holder(one) == await holder(two) == "WM10001"
    state = await one.claim_state(PERSON)
    assert state is not None
    assert state.standing is Standing.HELD


async def test_of_two_claims_without_signal_the_first_that_arrives_stands_and_the_other_is_asked_about(
    pair: tuple[Handheld, Handheld],
) -> None:
    """Two teams do not go in unaware of each other: the one that came second is displaced, and told."""
    one, two = pair
    for handheld, who in ((one, "WM10001"), (two, "WM20001")):
        await handheld.go_offline()
        await handheld.claim(PERSON, who)
        state = await handheld.claim_state(PERSON)
        assert state is not None
        assert state.standing is Standing.PROVISIONAL, "nobody relies on a claim that nobody else has heard of"
    await meet(two, one)
    assert await holder(one) == await holder(two) == "WM20001"
    assert [entry.field for entry in await one.inbox()] == ["claimed"]


async def test_a_claim_that_is_given_up_is_free_for_the_next(pair: tuple[Handheld, Handheld]) -> None:
    """The person is still wanted: somebody else takes them on."""
    one, two = pair
    await one.claim(PERSON, "WM10001")
    await meet(one, two)
    await one.release(PERSON)
    await meet(one, two)
    await two.claim(PERSON, "WM20001")
    await meet(two, one)
    assert await holder(one) == "WM20001"
