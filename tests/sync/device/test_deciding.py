"""The inbox on a handheld, over real sockets: what it shows of a disagreement, and a decision, also offline."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas import scopes
from schemas.errors import UsageError
from schemas.kinds import CustodyBooking, Decision, Hold, Incident
from schemas.kinds.booking import AppropriateAdult, Risk
from schemas.kinds.common import Marker
from schemas.roles import Role
from sync.device import DeviceIdentity, Standing
from tests.sync.device.desks import CELL, MINUTE_MS, Desks, cell, shared_booking, two_desks
from tests.sync.device.support import AT_ONCE, NOON, caught_up, incident, opened, record_id


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    """Two desks that have caught up."""
    async with two_desks(tmp_path) as desks:
        yield desks


async def disagree(desks: Desks) -> None:
    """Two relevant times, and whether an adult is needed: said on two desks that do not hear of each other."""
    record = await shared_booking(desks)
    await desks.cut_off()
    await desks.one.edit(record, relevant_time=NOON - 5, why="from the van's log")
    desks.clock.advance(1_000)
    await desks.two.edit(record, relevant_time=NOON - 9)
    await desks.one.edit(record, appropriate_adult=AppropriateAdult.NOT_NEEDED)
    await desks.two.edit(record, appropriate_adult=AppropriateAdult.NEEDED)
    await desks.meet(desks.one, desks.two)


async def test_the_inbox_has_all_that_a_person_needs_the_most_urgent_first(desks: Desks) -> None:
    """Values as typed, who, where, when, on what base; the rule, by when, who may decide, what is shown and why."""
    await disagree(desks)
    first, second = await desks.two.inbox()
    assert (first.due_at, second.due_at) == (NOON + 1_000 + 30 * MINUTE_MS, NOON + 1_000 + 30 * MINUTE_MS)
    adult, time = sorted((first, second), key=lambda one: one.field)
    assert (time.field, time.policy, time.subject_kind) == ("relevant_time", "once", "custody-booking")
    assert (time.about, time.roles) == ("custody booking of A. Garside", (Role.CUSTODY_OFFICER,))
    assert (time.shown, time.may_decide, time.overdue) == (NOON - 5, True, False)
    assert time.safe_because.startswith("The time that was recorded first stands")
    stands, other = time.candidates
    assert (stands.value, stands.author, stands.device, stands.why) == (
        NOON - 5, "WM10001", "desk-1", "from the van's log",
    )  # fmt: skip
    assert (other.value, other.author, other.device) == (NOON - 9, "WM20002", "desk-2")
    assert (stands.occurred_at, other.occurred_at) == (NOON, NOON + 1_000)
    assert (other.recorded_at, other.wall) == (NOON + 1_000, NOON + 1_000)
    assert (stands.base > 0, stands.saw) == (True, ())
    assert [each.value for each in adult.candidates] == [AppropriateAdult.NOT_NEEDED, AppropriateAdult.NEEDED]
    assert adult.shown is AppropriateAdult.NEEDED


async def test_what_is_due_soonest_comes_first_and_overdue_is_said(desks: Desks) -> None:
    """A claim that was displaced is due before a time; once the deadline has passed, it is overdue."""
    await disagree(desks)
    await desks.cut_off()
    await desks.one.claim(CELL, "booking one")
    await desks.two.claim(CELL, "booking two")
    await desks.meet(desks.one, desks.two)
    assert (await desks.one.inbox())[0].field == "hold"
    desks.clock.advance(10 * MINUTE_MS)
    assert [each.overdue for each in await desks.one.inbox()] == [True, False, False]


async def test_a_decision_made_offline_settles_the_record_when_it_arrives(desks: Desks) -> None:
    """The item is out of the decider's inbox at once, and with the server's commit out of everybody's."""
    await disagree(desks)
    await desks.one.go_offline()
    (entry,) = [each for each in await desks.one.inbox() if each.field == "relevant_time"]
    await desks.one.decide(entry.item, NOON - 9, "The camera shows it")
    assert [each.field for each in await desks.one.inbox()] == ["appropriate_adult"]
    assert [each.field for each in await desks.two.inbox() if each.item == entry.item] == ["relevant_time"]
    await desks.meet(desks.one, desks.two)
    for each in (desks.one, desks.two):
        value = await each.get(CustodyBooking, entry.subject)
        assert value is not None
        assert value.relevant_time == NOON - 9
        assert [one.field for one in await each.inbox()] == ["appropriate_adult"]
    with pytest.raises(UsageError, match="is settled: WM10001 has decided it"):
        await desks.two.decide(entry.item, NOON - 5, "No")


async def test_two_who_decide_at_once_are_asked_again(desks: Desks) -> None:
    """The first decision is followed, and the second goes to a person with both: a decision can be decided too."""
    await disagree(desks)
    await desks.cut_off()
    (entry,) = [each for each in await desks.one.inbox() if each.field == "relevant_time"]
    await desks.one.decide(entry.item, NOON - 9, "The camera shows it")
    await desks.two.decide(entry.item, NOON - 5, "I was there")
    await desks.meet(desks.one, desks.two)
    (again,) = [each for each in await desks.one.inbox() if each.subject == entry.item]
    assert again.about == "decision on relevant time of a custody booking"
    assert [each.value for each in again.candidates] == [
        Decision(value=NOON - 9, reason="The camera shows it"),
        Decision(value=NOON - 5, reason="I was there"),
    ]
    await desks.one.decide(again.item, again.candidates[1].value, "WM20002 was there")
    await desks.meet(desks.one, desks.two)
    value = await desks.two.get(CustodyBooking, entry.subject)
    assert value is not None
    assert value.relevant_time == NOON - 5
    assert [each.field for each in await desks.two.inbox()] == ["appropriate_adult"]


# --- claims ----------------------------------------------------------------------------------------------------------


async def test_the_displaced_gets_another_cell_in_the_same_moment(desks: Desks) -> None:
    """Two ops in one call, made offline: the claim that stands is confirmed, and what is free is claimed instead."""
    await desks.toy.make(record_id(2), cell("M2"))
    await desks.meet(desks.one, desks.two)
    await desks.cut_off()
    await desks.one.claim(CELL, "booking one")
    await desks.two.claim(CELL, "booking two")
    await desks.meet(desks.one, desks.two)
    await desks.two.go_offline()
    (entry,) = await desks.two.inbox()
    (free,) = await desks.two.alternatives(entry.item)
    done = await desks.two.decide(entry.item, Hold(holder="booking one"), "They were here first", instead=free.record)
    assert [each.record for each in done] == [entry.item, record_id(2)]
    await desks.meet(desks.two, desks.one)
    for each in (desks.one, desks.two):
        first, second = await each.claim_state(CELL), await each.claim_state(record_id(2))
        assert first is not None
        assert second is not None
        assert (first.standing, first.holder) == (Standing.HELD, "booking one")
        assert (second.standing, second.holder) == (Standing.HELD, "booking two")
        assert await each.inbox() == []


async def test_what_is_named_instead_must_be_had_and_meant(desks: Desks) -> None:
    """Otherwise neither the decision nor the claim is written."""
    await desks.toy.make(record_id(2), cell("M2", hold=Hold(holder="somebody")))
    await desks.meet(desks.one, desks.two)
    await desks.cut_off()
    await desks.one.claim(CELL, "booking one")
    await desks.two.claim(CELL, "booking two")
    await desks.meet(desks.one, desks.two)
    (entry,) = await desks.two.inbox()
    kept = Hold(holder="booking one")
    with pytest.raises(UsageError, match="cell M2 of suite:perry-barr is held for somebody"):
        await desks.two.decide(entry.item, kept, "First", instead=record_id(2))
    with pytest.raises(UsageError, match="booking one is not displaced; booking two is"):
        await desks.two.decide(entry.item, kept, "First", instead={"booking one": record_id(2)})
    with pytest.raises(UsageError, match="2 holders are displaced"):
        await desks.two.decide(entry.item, Hold(holder="a third"), "Neither", instead=record_id(2))
    assert (desks.two.status.waiting, await desks.two.inbox()) == (0, [entry])


# --- who, and what ---------------------------------------------------------------------------------------------------


async def test_a_bad_decision_is_refused_in_words(desks: Desks) -> None:
    """No reason, no such value, no such item, nothing to claim instead: told, and nothing is written."""
    await disagree(desks)
    adult, time = sorted(await desks.one.inbox(), key=lambda one: one.field)
    for item, value, reason, says in (
        (time.item, NOON, "  ", "a decision has a reason"),
        (time.item, "noon", "Because", "relevant_time: Expected `int"),
        (adult.item, "perhaps", "Because", "cannot be 'perhaps': it is one of needed, not-needed"),
        (time.subject, NOON, "Because", "is a CustodyBooking and not an inbox item"),
        (record_id(99), NOON, "Because", "there is no record"),
    ):
        with pytest.raises(UsageError, match=says):
            await desks.one.decide(item, value, reason)
    with pytest.raises(UsageError, match="is no claim"):
        await desks.one.decide(time.item, NOON, "Because", instead=CELL)
    with pytest.raises(UsageError, match=r"decide\(item, value, reason\)"):
        await desks.one.edit(time.item, decision=Decision(value=NOON, reason="Because"))
    assert desks.one.status.waiting == 0


async def test_a_handheld_without_the_inbox_sees_and_does_not_decide(tmp_path: Path) -> None:
    """An officer of the area learns that people differ, from whom and until when; deciding is refused with who may."""
    area = scopes.area("birmingham")
    officer, control = DeviceIdentity.generate("hh-0042"), DeviceIdentity.generate("hh-0043")
    async with two_desks(tmp_path) as desks:
        desks.toy.enrol(officer, area)
        desks.toy.enrol(control, area, scopes.inbox(area))
        more = {"server": desks.toy.url, "backoff": AT_ONCE, "clock": desks.clock}
        async with (
            await opened(tmp_path / "officer", officer, **more) as one,
            await opened(tmp_path / "control", control, author="CR20001", **more) as two,
        ):
            made = await one.create(incident(source="call 17"))
            pair = Desks(one, two, desks.toy, desks.clock)
            await pair.meet(one, two)
            with pytest.raises(UsageError, match="hold area:birmingham:inbox, and this one does not"):
                await one.correct(made.record, why="misheard", source="call 18")
            await two.correct(made.record, why="misheard", source="call 18")
            await pair.meet(two, one)
            value = await one.get(Incident, made.record)
            assert value is not None
            assert value.source == "call 18"
            await pair.cut_off()
            again = await one.create(incident("Door forced"))
            await pair.meet(one, two)
            await pair.cut_off()
            await one.edit(again.record, source="call 1")
            await two.edit(again.record, source="call 2")
            await pair.meet(one, two)
            (seen,) = await one.inbox()
            assert (seen.about, seen.may_decide) == ("incident “Door forced”", False)
            with pytest.raises(UsageError, match="to decide about incident “Door forced”, a device must hold"):
                await one.decide(seen.item, "call 2", "Heard it")
            (same,) = await two.inbox()
            assert same.may_decide
            await two.decide(same.item, "call 2", "Heard it")
            await two.wait_until(lambda status: status.waiting == 0 or not caught_up(status))


async def test_a_correction_says_why_and_is_of_what_was_recorded_once(desks: Desks) -> None:
    """Everything else has another call, which is named."""
    record = await shared_booking(desks, risk=Risk.HIGH)
    for changes, why, says in (
        ({"arrested_at": NOON + 1}, " ", "a correction says what and why"),
        ({}, "Because", "a correction says what and why"),
        ({"risk": Risk.STANDARD}, "Because", "risk is not recorded once: edit"),
        ({"relevant_time": NOON}, "Because", "relevant_time holds nothing to correct: edit"),
    ):
        with pytest.raises(UsageError, match=says):
            await desks.one.correct(record, why=why, **changes)
    with pytest.raises(UsageError, match="is already recorded and stands"):
        await desks.one.edit(record, arrested_at=NOON + 1)
    await desks.one.correct(record, why="The custody clock ran fast", arrested_at=NOON - 60_000)
    await desks.meet(desks.one, desks.two)
    view = await desks.two.inspect(record)
    assert view is not None
    assert view.fields["arrested_at"].value == NOON - 60_000  # type: ignore[index]  # a field's name
    assert view.differing == {}


async def test_a_tag_goes_only_where_it_was_seen(desks: Desks) -> None:
    """A warning that another adds meanwhile stays, the same words included; adding and taking away is one call."""
    record = await shared_booking(desks, markers=(Marker(warning="violent"),))
    await desks.cut_off()
    await desks.one.tag(record, "markers", add=[Marker(warning="weapons")], remove=[Marker(warning="violent")])
    value = await desks.one.get(CustodyBooking, record)
    assert value is not None
    assert value.markers == (Marker(warning="weapons"),)
    await desks.two.tag(record, "markers", add=[Marker(warning="violent")])
    await desks.meet(desks.one, desks.two)
    for each in (desks.one, desks.two):
        value = await each.get(CustodyBooking, record)
        assert value is not None
        assert set(value.markers) == {Marker(warning="weapons"), Marker(warning="violent")}
    with pytest.raises(UsageError, match="only a tag that is shown can go"):
        await desks.one.tag(record, "markers", remove=[Marker(warning="bites")])
    with pytest.raises(UsageError, match="no tags to change"):
        await desks.one.tag(record, "markers")
    with pytest.raises(UsageError, match="risk holds no tags: it is `highest`"):
        await desks.one.tag(record, "risk", add=["high"])
    for field, call in (("markers", "tag"), ("log", "append")):
        with pytest.raises(UsageError, match=rf"{call}\(record, '{field}'"):
            await desks.one.edit(record, **{field: ()})  # type: ignore[arg-type]  # a field's name
    with pytest.raises(UsageError, match=r"tag\(record, 'markers'"):
        await desks.one.append(record, "markers", Marker(warning="bites"))
    with pytest.raises(UsageError, match=r"claim\(record, holder\)"):
        await desks.one.edit(CELL, hold=None)
