"""Claims on what is scarce, over real sockets: what a desk can be sure of with no signal, and what becomes of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.codec import decode_row
from schemas.errors import UsageError
from schemas.ids import FieldName
from schemas.kinds import Hold, Resource, spec_of
from schemas.kinds.resource import Category, Service
from schemas.limits import RESERVATION_MS_MAX
from sync.device import ClaimConfirmed, ClaimDisplaced, ClaimState, Handheld, InboxArrived, Standing
from sync.device.store import Held
from tests.sync.device.desks import CELL, ELSEWHERE, MINUTE_MS, SUITE, Desks, booking, cell, two_desks
from tests.sync.device.support import NOON, change_of, incident, record_id


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    """Two desks that know one free cell."""
    async with two_desks(tmp_path) as desks:
        yield desks


async def state_of(handheld: Handheld) -> ClaimState:
    """How the cell's claim stands there."""
    state = await handheld.claim_state(CELL)
    assert state is not None
    return state


async def test_a_claim_made_online_is_confirmed_to_its_maker_and_seen_by_the_other(desks: Desks) -> None:
    """The maker is told that it holds; both desks say who has it, for whom and since when."""
    assert (await state_of(desks.one)).standing is Standing.FREE
    made = await desks.one.create(booking())
    stream = desks.one.changes()
    written = await desks.one.claim(CELL, made.record)
    await desks.meet(desks.one, desks.two)
    assert await change_of(stream, ClaimConfirmed) == ClaimConfirmed(CELL, FieldName("hold"), written.op)
    mine, theirs = await state_of(desks.one), await state_of(desks.two)
    assert (mine.standing, theirs.standing) == (Standing.HELD, Standing.HELD)
    assert (mine.mine, theirs.mine) == (True, False)
    assert (theirs.holder, theirs.called, theirs.since) == (made.record, "custody booking of A. Garside", NOON)
    assert theirs.stamp is not None
    assert (theirs.stamp.author, theirs.stamp.device) == ("WM10001", "desk-1")


async def test_a_claim_made_offline_is_provisional_and_the_later_one_is_displaced(desks: Desks) -> None:
    """Each desk says so while it is cut off; then the first commit holds, the other is told, and nobody was moved."""
    await desks.cut_off()
    await desks.one.claim(CELL, "booking one")
    second = await desks.two.claim(CELL, "booking two")
    for each in (desks.one, desks.two):
        assert (await state_of(each)).standing is Standing.PROVISIONAL
    stream = desks.two.changes()
    await desks.meet(desks.one, desks.two)
    displaced = await change_of(stream, ClaimDisplaced)
    lost, held = await state_of(desks.two), await state_of(desks.one)
    assert (displaced.record, displaced.op, displaced.item) == (CELL, second.op, lost.item)
    assert (held.standing, held.holder, held.mine) == (Standing.HELD, "booking one", True)
    assert (lost.standing, lost.holder, lost.mine, lost.own) == (
        Standing.DISPLACED,
        "booking one",
        False,
        Hold(holder="booking two"),
    )
    with pytest.raises(UsageError, match="your claim was displaced"):
        await desks.two.release(CELL)


async def test_both_desks_are_told_once_that_something_waits(desks: Desks) -> None:
    """The item arrives as a change, on the desk that lost and on the one that holds; once, not again as it grows."""
    await desks.cut_off()
    streams = {each: each.changes() for each in (desks.one, desks.two)}
    await desks.one.claim(CELL, "booking one")
    await desks.two.claim(CELL, "booking two")
    await desks.meet(desks.one, desks.two)
    await desks.toy.act(CELL, "resource", {"hold": Hold(holder="booking three")})
    await desks.meet(desks.one, desks.two)
    for each, stream in streams.items():
        (entry,) = await each.inbox()
        assert len(entry.candidates) == 3
        await each.close()
        arrived = [change async for change in stream if isinstance(change, InboxArrived)]
        assert arrived == [InboxArrived(entry.item, CELL, entry.field, entry.due_at)]


async def test_a_claim_is_known_to_be_lost_before_it_was_sent(desks: Desks) -> None:
    """The other's claim came down first: the desk does not go on calling its own provisional."""
    await desks.two.go_offline()
    await desks.two.claim(CELL, "booking two")
    await desks.one.claim(CELL, "booking one")
    await desks.meet(desks.one)
    body = await desks.toy.store.record(CELL)
    assert body is not None

    def arrives(held: Held) -> None:
        held.tables.put_row(CELL, "resource", decode_row(body).v, body)

    await desks.two._store.change(arrives, lambda _, _committed: None)
    state = await state_of(desks.two)
    assert (state.standing, state.holder, state.item) == (Standing.DISPLACED, "booking one", None)
    assert "a person is asked" in state.note


# --- escrow ----------------------------------------------------------------------------------------------------------


async def test_a_claim_under_a_confirmed_reservation_is_certain_and_holds(desks: Desks) -> None:
    """Cut off, the desk books with certainty; the other desk could not take the cell meanwhile."""
    await desks.one.reserve(CELL, until=NOON + 60 * MINUTE_MS)
    await desks.meet(desks.one, desks.two)
    reserved = await state_of(desks.two)
    assert (reserved.standing, reserved.holder, reserved.until) == (Standing.HELD, "desk-1", NOON + 60 * MINUTE_MS)
    with pytest.raises(UsageError, match="M1 of suite:perry-barr is reserved for desk-1 by WM10001 on desk-1"):
        await desks.two.claim(CELL, "booking two")
    with pytest.raises(UsageError, match="is reserved for desk-1 by another device"):
        await desks.two.release(CELL)
    await desks.one.go_offline()
    await desks.one.claim(CELL, "booking one")
    state = await state_of(desks.one)
    assert (state.standing, state.until, state.mine) == (Standing.CERTAIN, None, True)
    assert "reserved" in state.note
    desks.clock.advance(59 * MINUTE_MS)
    assert (await state_of(desks.one)).standing is Standing.CERTAIN
    await desks.meet(desks.one, desks.two)
    assert (await state_of(desks.one)).standing is Standing.HELD
    assert (await state_of(desks.two)).holder == "booking one"


async def test_certainty_ends_with_the_reservation(desks: Desks) -> None:
    """When it runs out before the claim has reached the server, the desk says so; then the pool is everybody's."""
    await desks.one.reserve(CELL, until=NOON + 10 * MINUTE_MS)
    await desks.meet(desks.one, desks.two)
    await desks.one.go_offline()
    await desks.one.claim(CELL, "booking one")
    desks.clock.advance(10 * MINUTE_MS)
    state = await state_of(desks.one)
    assert state.standing is Standing.PROVISIONAL
    assert "ran out" in state.note
    assert (await state_of(desks.two)).standing is Standing.FREE
    await desks.two.claim(CELL, "booking two")
    await desks.meet(desks.two, desks.one)
    assert (await state_of(desks.one)).standing is Standing.DISPLACED


async def test_a_reservation_that_no_server_has_confirmed_makes_nothing_certain(desks: Desks) -> None:
    """Neither it nor a claim under it: another desk may have the cell already."""
    await desks.one.go_offline()
    await desks.one.reserve(CELL, until=NOON + 60 * MINUTE_MS)
    assert (await state_of(desks.one)).standing is Standing.PROVISIONAL
    await desks.one.claim(CELL, "booking one")
    assert (await state_of(desks.one)).standing is Standing.PROVISIONAL


async def test_a_reservation_given_up_on_the_way_makes_nothing_certain(desks: Desks) -> None:
    """Between the release and the claim after it another desk may be faster."""
    await desks.one.reserve(CELL, until=NOON + 60 * MINUTE_MS)
    await desks.meet(desks.one)
    await desks.one.go_offline()
    await desks.one.release(CELL)
    assert (await state_of(desks.one)).standing is Standing.FREE
    await desks.one.claim(CELL, "booking one")
    assert (await state_of(desks.one)).standing is Standing.PROVISIONAL


async def test_a_pool_is_reserved_whole_or_not_at_all(desks: Desks) -> None:
    """One call takes several cells; if one of them cannot be had, none is taken and nothing is written."""
    other = record_id(2)
    await desks.toy.make(other, cell("M2"))
    await desks.meet(desks.one, desks.two)
    written = await desks.one.reserve([CELL, other], until=NOON + MINUTE_MS, holder="night shift")
    assert [each.record for each in written] == [CELL, other]
    assert (await state_of(desks.one)).holder == "night shift"
    await desks.meet(desks.one, desks.two)
    third = record_id(3)
    await desks.toy.make(third, cell("M3"))
    await desks.meet(desks.one, desks.two)
    with pytest.raises(UsageError, match="cell M1 of suite:perry-barr is reserved for night shift"):
        await desks.two.reserve([third, CELL], until=NOON + MINUTE_MS)
    assert (desks.two.status.waiting, (await desks.two.claim_state(third)).standing) == (0, Standing.FREE)  # type: ignore[union-attr]


# --- what cannot be --------------------------------------------------------------------------------------------------


async def test_what_is_held_is_refused_with_what_is_free_instead(desks: Desks) -> None:
    """The officer who sees a hold is told whose it is and what to take, and nothing is written."""
    await desks.toy.make(record_id(2), cell("M2"))
    await desks.one.claim(CELL, "booking one")
    await desks.meet(desks.one, desks.two)
    with pytest.raises(UsageError) as refused:
        await desks.two.claim(CELL, "booking two")
    assert str(refused.value) == (
        "cell M1 of suite:perry-barr is held for booking one by WM10001 on desk-1: "
        "free instead: M2 of suite:perry-barr; or ask the holder to release it"
    )
    with pytest.raises(UsageError, match="is held for booking one already"):
        await desks.one.claim(CELL, "booking one")
    assert desks.two.status.waiting == 0


async def test_a_hold_is_given_up_by_whoever_sees_it(desks: Desks) -> None:
    """The desk need not be the one that claimed; afterwards the cell is free at both."""
    await desks.one.claim(CELL, "booking one")
    await desks.meet(desks.one, desks.two)
    await desks.two.release(CELL, why="moved to hospital")
    await desks.meet(desks.two, desks.one)
    assert (await state_of(desks.one)).standing is Standing.FREE
    with pytest.raises(UsageError, match="there is nothing to release"):
        await desks.one.release(CELL)


async def test_a_claim_that_was_given_up_on_the_way_asks_nobody(desks: Desks) -> None:
    """Its maker changed their mind before signal returned: the other desk's claim holds, and no person is troubled."""
    await desks.cut_off()
    await desks.one.claim(CELL, "booking one")
    await desks.two.claim(CELL, "booking two")
    await desks.two.release(CELL)
    await desks.meet(desks.one, desks.two)
    for each in (desks.one, desks.two):
        state = await state_of(each)
        assert (state.standing, state.holder) == (Standing.HELD, "booking one")
        assert await each.inbox() == []


async def test_no_program_gives_up_what_another_device_relies_on(desks: Desks) -> None:
    """One that does not ask `Handheld` first is refused by the policy: the desk without signal stays sure of it."""
    await desks.one.reserve(CELL, until=NOON + MINUTE_MS)
    await desks.meet(desks.one, desks.two)
    facts = desks.two._facts(None, "")

    def release(held: Held) -> None:
        held.replica.write(CELL, spec_of(Resource), {FieldName("hold"): None}, facts)

    with pytest.raises(UsageError, match="reserved for desk-1 by another device"):
        await desks.two._store.change(release, lambda _, _committed: None)
    desks.clock.advance(MINUTE_MS)
    facts = desks.two._facts(None, "")
    await desks.two._store.change(release, lambda _, _committed: None)
    assert (await state_of(desks.two)).standing is Standing.FREE


async def test_only_what_is_declared_can_be_claimed(desks: Desks) -> None:
    """Other kinds, other fields, odd times and odd pools are refused in words, before anything is written."""
    made = await desks.one.create(incident())
    with pytest.raises(UsageError, match="a Incident is not claimed as a whole; what can be claimed is a Resource or"):
        await desks.one.claim(made.record, "BX21")
    with pytest.raises(UsageError, match="note of a Resource is not claimed: name one of hold"):
        await desks.one.claim(CELL, "BX21", "note")
    with pytest.raises(UsageError, match="there is no record"):
        await desks.one.claim(record_id(9), "BX21")
    with pytest.raises(UsageError, match="give a time that is to come"):
        await desks.one.reserve(CELL, until=NOON)
    with pytest.raises(UsageError, match="Reserve for a shorter time"):
        await desks.one.reserve(CELL, until=NOON + RESERVATION_MS_MAX + 1)
    for pool in ([], [CELL, CELL]):
        with pytest.raises(UsageError, match="each of one or more records once"):
            await desks.one.reserve(pool, until=NOON + 1)
    assert await desks.one.claim_state(record_id(9)) is None


# --- what else is free -----------------------------------------------------------------------------------------------


async def test_alternatives_are_of_the_same_sort_free_and_near_first(desks: Desks) -> None:
    """Own home first, there what is reserved for this desk, then by name as people count; nothing that is not free."""
    for number, (name, home) in enumerate([("M10", SUITE), ("M2", SUITE), ("M9", SUITE), ("A1", ELSEWHERE)], 2):
        await desks.toy.make(record_id(number), cell(name, home=home))
    await desks.toy.make(record_id(20), cell("M3", service=Service.OUT_OF_SERVICE))
    await desks.toy.make(record_id(21), cell("M4", hold=Hold(holder="somebody")))
    await desks.toy.make(record_id(22), cell("M5"))
    await desks.toy.make(record_id(23), Resource(category=Category.VEHICLE, name="Van", home=SUITE))
    await desks.meet(desks.one, desks.two)
    await desks.two.reserve(record_id(22), until=NOON + MINUTE_MS)
    await desks.one.reserve(record_id(4), until=NOON + MINUTE_MS)
    await desks.meet(desks.one, desks.two)
    found = await desks.one.alternatives(CELL)
    assert [each.resource.name for each in found] == ["M9", "M2", "M10", "A1"]
    assert [each.reserved_until for each in found] == [NOON + MINUTE_MS, None, None, None]
    assert [each.same_home for each in found] == [True, True, True, False]
    desks.clock.advance(MINUTE_MS)
    assert [each.resource.name for each in await desks.one.alternatives(CELL)] == ["M2", "M5", "M9", "M10", "A1"]


async def test_alternatives_follow_what_this_desk_does_and_learns(desks: Desks) -> None:
    """The list is made when it is asked for: an own claim without signal is out of it at once."""
    await desks.toy.make(record_id(2), cell("M2"))
    await desks.meet(desks.one)
    await desks.one.go_offline()
    assert [each.record for each in await desks.one.alternatives(CELL)] == [record_id(2)]
    await desks.one.claim(record_id(2), "booking one")
    assert await desks.one.alternatives(CELL) == []
    made = await desks.one.create(incident())
    with pytest.raises(UsageError, match="not claimed"):
        await desks.one.alternatives(made.record)
