"""Disagreements at the terminal, command by command: claims, the inbox, tags, corrections, what was refused."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.kinds import CustodyBooking, Hold, Incident, Medical
from schemas.kinds.booking import AppropriateAdult, Risk
from schemas.kinds.common import Marker
from schemas.kinds.incident import Grade
from sync.device import Handheld, Standing
from sync.device.describing import short
from tests.sync.device.desks import CELL, MINUTE_MS, Desks, booking, cell, shared_booking, shared_medical, two_desks
from tests.sync.device.support import NOON, caught_up, incident, record_id, unnumbered
from tests.sync.device.terminal.desk import SUMMER, Desk, desk_of
from tests.sync.device.test_holding import BAD, refuse
from tests.toy_server import ToyServer


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    """Two desks that have caught up."""
    async with two_desks(tmp_path) as desks:
        yield desks


@pytest.fixture
async def first(desks: Desks) -> AsyncIterator[Desk]:
    """A terminal at the first one."""
    async with desk_of(desks.one) as desk:
        yield desk


# --- claims ----------------------------------------------------------------------------------------------------------


async def test_a_cell_is_claimed_shown_and_released(desks: Desks, first: Desk) -> None:
    """For a booking that is named by its row, for words, or for the officer; the page says how it stands."""
    made = await desks.one.create(booking())
    await desks.meet(desks.one, desks.two)
    await desks.one.go_offline()
    await first.type("list bookings")
    held = f"Resource {short(CELL)}: claimed for custody booking of A. Garside: provisional, another claim may"
    assert held in await first.type(f"claim {CELL} 1")
    page = await first.type("show .")
    assert "hold: it is claimed for custody booking of A. Garside on this device, provisionally, by WM10001" in page
    assert re.search(rf"^hold +held for {made.record} ", page, re.MULTILINE)
    await desks.meet(desks.one, desks.two)
    assert "hold: it is held for custody booking of A. Garside, by WM10001 on desk-1" in await first.type("show .")
    await desks.one.go_offline()
    assert await first.type("release .") == (
        f"Resource {short(CELL)}: released; it was held for custody booking of A. Garside\n"
    )
    assert "claimed for Tango 4: provisional" in await first.type("claim . Tango 4")
    await first.type("release .")
    assert "claimed for WM21877: provisional" in await first.type("claim .")
    assert "held for WM21877 already" in await first.fails("claim .")
    assert "there is no row 9" in await first.fails("claim . 9")
    assert "hold is claimed: claim, release and reserve change it" in await first.fails("set . hold WM21877")


async def test_a_pool_is_reserved_and_then_certain(desks: Desks, first: Desk) -> None:
    """Several cells at once, until a time in local time; a claim without signal is then certain, as the page says."""
    await desks.toy.make(record_id(2), cell("M2"))
    await desks.meet(desks.one, desks.two)
    await desks.one.go_offline()
    await first.type("list resources")
    until = SUMMER.read("18:00", NOON)  # type: ignore[arg-type]  # a moment
    told = (await first.type("reserve 1 2 until 18:00 for night shift")).splitlines()
    assert len(told) == 2
    assert f"reserved until {SUMMER.text(until)}; another claim may reach the server first" in told[0]
    await desks.meet(desks.one, desks.two)
    state = await desks.two.claim_state(CELL)
    assert state is not None
    assert (state.holder, state.until) == ("night shift", until)
    await desks.one.go_offline()
    assert "claimed for Tango 4: certain" in await first.type("claim 1 Tango 4")
    assert "and that is certain" in await first.type("show .")
    assert "is no time" in await first.fails("reserve 1 until later")
    assert "2026-09-20 18:00 BST is over" in await first.fails("reserve 1 until 2026-09-20 18:00")


async def test_what_is_free_is_listed_and_can_be_taken_by_its_row(desks: Desks, first: Desk) -> None:
    """The nearest first, with what is reserved for this device; the rows are those of the list."""
    await desks.toy.make(record_id(2), cell("M2", note="no window"))
    await desks.toy.make(record_id(3), cell("M3", hold=Hold(holder="somebody")))
    await desks.meet(desks.one)
    assert await first.type(f"free {CELL}") == f"1  {short(record_id(2))}  M2 of suite:perry-barr, no window\n"
    await first.type("claim 1 Tango 4")
    assert await first.type(f"free {CELL}") == "Nothing of that sort is free, as far as this handheld knows\n"
    await desks.meet(desks.one)
    await desks.one.release(record_id(2))
    await desks.one.reserve(record_id(2), until=NOON + MINUTE_MS)
    assert f"reserved for this device until {SUMMER.text(NOON + MINUTE_MS)}" in await first.type(f"free {CELL}")
    assert "cannot" not in await first.type("show 1")


# --- the inbox -------------------------------------------------------------------------------------------------------


async def test_a_displaced_claim_is_told_shown_and_decided_with_another_cell(desks: Desks, first: Desk) -> None:
    """From the message that comes unasked to the cell that is claimed instead, without leaving the terminal."""
    await desks.toy.make(record_id(2), cell("M2"))
    await desks.meet(desks.one, desks.two)
    await desks.cut_off()
    await desks.two.claim(CELL, "booking two")
    await desks.one.claim(CELL, "booking one")
    await desks.meet(desks.two, desks.one)
    assert "cell M1 of suite:perry-barr; another was there first" in await first.paper.comes("Your claim was displaced")
    assert "people differ about hold" in await first.paper.comes("To decide")
    (entry,) = await desks.one.inbox()
    listed = await first.type("inbox")
    assert listed.startswith("To decide: 1\n1  ")
    assert f"{short(entry.item)}  {SUMMER.brief(entry.due_at, NOON)}  yours to decide  cell M1" in listed
    assert "hold: held for booking one or held for booking two" in listed
    page = await first.type("show 1")
    assert re.search(r"^  1 +held for booking one +WM10001 on desk-1, .*saw version 1", page, re.MULTILINE)
    assert re.search(r"^  2 +held for booking two +WM20002 on desk-2, ", page, re.MULTILINE)
    assert re.search(r"^who +custody officer and supervisor; you may, here$", page, re.MULTILINE)
    assert "The first that reached the server keeps it: nobody is moved" in page
    assert "M2 of suite:perry-barr" in await first.type("free .")
    assert "'7' is no choice: it is 1 to 2" in await first.fails("decide . 7 Because")
    done = await first.type("decide . 2 instead 1 They were first")
    assert done.endswith(
        ": decided about cell M1 of suite:perry-barr, and claimed instead: hold held for booking two\n"
    )
    assert await first.type("inbox") == "Nothing waits for a decision\n"
    assert "does not wait for a decision here" in await first.fails("decide . 2 Again")
    await desks.meet(desks.one, desks.two)
    state = await desks.two.claim_state(record_id(2))
    assert state is not None
    assert (state.standing, state.holder) == (Standing.HELD, "booking one")


async def test_a_value_that_nobody_said_can_be_decided(desks: Desks, first: Desk) -> None:
    """After an equals sign, read as the field's type is; the record's page says what waits, and afterwards no more."""
    record = await shared_booking(desks)
    await desks.cut_off()
    await desks.one.edit(record, relevant_time=NOON - 60_000, appropriate_adult=AppropriateAdult.NEEDED)
    await desks.two.edit(record, relevant_time=NOON - 120_000, appropriate_adult=AppropriateAdult.NOT_NEEDED)
    await desks.meet(desks.one, desks.two)
    page = await first.type(f"show {record}")
    assert "[contested]" in page
    assert page.count("said differently") == 2
    assert page.count("To decide: ") == 2
    (time,) = [each for each in await desks.one.inbox() if each.field == "relevant_time"]
    assert "'noon' is no time" in await first.fails(f"decide {time.item} =noon Because")
    await first.type(f"decide {time.item} =14:00 The van's log says so")
    (adult,) = await desks.one.inbox()
    assert "appropriate_adult is one of" in await first.fails(f"decide {adult.item} =perhaps Because")
    await first.type(f"decide {adult.item} =needed The detainee is sixteen")
    await desks.meet(desks.one, desks.two)
    value = await desks.two.get(CustodyBooking, record)
    assert value is not None
    assert value.relevant_time == SUMMER.read("14:00", NOON)  # type: ignore[arg-type]  # a moment
    assert "To decide" not in await first.type(f"show {record}")


async def test_an_overdue_item_is_marked_and_another_persons_is_said_to_be(desks: Desks, first: Desk) -> None:
    """The list says at a glance what is late, and what is not for this device to decide."""
    record = await shared_booking(desks)
    await desks.cut_off()
    await desks.one.edit(record, relevant_time=NOON - 60_000)
    await desks.two.edit(record, relevant_time=NOON - 120_000)
    await desks.meet(desks.one, desks.two)
    desks.clock.advance(30 * MINUTE_MS)
    assert "overdue" in await first.type("inbox")
    assert "(overdue)" in await first.type("show 1")
    assert "which has passed" in await first.type(f"explain {record} relevant_time")


async def test_a_value_of_several_words_is_decided_in_quotes_and_never_in_part(desks: Desks, first: Desk) -> None:
    """What looks like the beginning of a value decides nothing; the answer repeats what was decided, explain too."""
    record = await shared_medical(desks)
    await desks.cut_off()
    await desks.one.edit(record, allergies=("nuts",))
    await desks.two.edit(record, allergies=("milk",))
    await desks.meet(desks.one, desks.two)
    await first.type("inbox")
    for cut in ("=nuts, milk Both", "=nuts ,milk Both", "= nuts Both", '="nuts, milk Both', '="nuts, milk"'):
        assert 'in quotes, as in ="nuts, milk"' in await first.fails(f"decide 1 {cut}")
    told = await first.type('decide 1 ="nuts, milk, soya" The doctor says all three')
    assert re.search(r"decided about medical record of booking [0-9a-f]{8}: allergies nuts, milk, soya\n$", told)
    await desks.meet(desks.one, desks.two)
    value = await desks.two.get(Medical, record)
    assert value is not None
    assert value.allergies == ("nuts", "milk", "soya")
    told = await first.type(f"explain {record} allergies")
    assert "allergies: it was decided to be nuts, milk and soya by WM10001 on desk-1, " in told
    assert ", because: The doctor says all three\n" in told
    await desks.one.edit(record, allergies=("nuts",))
    assert "allergies: it was before decided to be nuts" in await first.type(f"explain {record} allergies")


async def test_a_time_with_its_day_is_decided_in_quotes(desks: Desks, first: Desk) -> None:
    """A day alone would be midnight, which is not what was meant."""
    record = await shared_booking(desks)
    await desks.cut_off()
    await desks.one.edit(record, relevant_time=NOON - 60_000)
    await desks.two.edit(record, relevant_time=NOON - 120_000)
    await desks.meet(desks.one, desks.two)
    await first.type("inbox")
    assert "in quotes" in await first.fails("decide 1 =2026-09-21 14:00 The log")
    assert "relevant_time 2026-09-21 14:00 BST" in await first.type('decide 1 ="2026-09-21 14:00" The log')


async def test_a_claim_is_decided_for_a_claimant_a_record_or_nobody(desks: Desks, first: Desk) -> None:
    """A stray word takes no cell, and a cell is not held for itself."""
    made = await desks.one.create(booking())
    await desks.toy.make(record_id(2), cell("M2"))
    await desks.meet(desks.one, desks.two)
    assert "cannot be held for itself" in await first.fails(f"claim {CELL} {CELL}")
    await desks.cut_off()
    for record in (CELL, record_id(2)):
        await desks.two.claim(record, "booking two")
        await desks.one.claim(record, "booking one")
    await desks.meet(desks.two, desks.one)
    items = {each.subject: each.item for each in await desks.one.inbox()}
    for stray in ("=nuts", f"={CELL}", f"={items[CELL]}", f"={record_id(9)}"):
        told = await first.fails(f"decide {items[CELL]} {stray} Because")
        assert "did not claim cell M1 of suite:perry-barr" in told
        assert '="booking one"' in told
        assert "or =nobody" in told
    told = await first.type(f"decide {items[CELL]} ={made.record} The older booking")
    assert told.endswith("hold held for custody booking of A. Garside\n")
    assert (await first.type(f"decide {items[record_id(2)]} =nobody Out of service")).endswith("hold -\n")
    await desks.meet(desks.one, desks.two)
    assert "decided to be held for custody booking of A. Garside by WM10001" in await first.type(f"explain {CELL} hold")
    state = await desks.two.claim_state(record_id(2))
    assert state is not None
    assert state.standing is Standing.FREE


async def test_what_is_shown_while_people_differ_is_said_by_who_said_it(desks: Desks, first: Desk) -> None:
    """Not by who spoke last; and what nobody said so is nobody's, with each one's own words beneath."""
    medical = await shared_medical(desks)
    value = await desks.one.get(Medical, medical)
    assert value is not None
    record = value.booking
    await first.type(f"show {medical}")
    await first.type(f"show {record}")
    await desks.cut_off()
    await desks.one.edit(record, appropriate_adult=AppropriateAdult.NEEDED)
    await desks.one.edit(medical, allergies=("nuts",))
    desks.clock.advance(MINUTE_MS)
    await desks.two.edit(record, appropriate_adult=AppropriateAdult.NOT_NEEDED)
    await desks.two.edit(medical, allergies=("milk",))
    await desks.meet(desks.one, desks.two)
    page = await first.type(f"show {record}")
    assert re.search(r"^appropriate adult +needed .*WM10001 on desk-1", page, re.MULTILINE)
    assert re.search(r"said differently: not-needed .*WM20002 on desk-2", page)
    assert "said differently: needed" not in page
    page = await first.type(f"show {medical}")
    assert re.search(r"^allergies +nuts, milk +the safe choice while people differ; nobody", page, re.MULTILINE)
    assert re.search(r"said differently: nuts .*WM10001 on desk-1", page)
    assert re.search(r"said differently: milk .*WM20002 on desk-2", page)
    for said in ("appropriate adult not-needed", "allergies milk"):
        told = await first.paper.comes(f"says differently: {said}")
        assert "WM20002 on desk-2: " in told
        assert "nuts" not in told


# --- tags, corrections, words ----------------------------------------------------------------------------------------


async def test_tags_are_added_and_taken_away_by_their_words(desks: Desks, first: Desk) -> None:
    """What is not there cannot go, and the answer names what is."""
    record = await shared_booking(desks, markers=(Marker(warning="violent", source="force records"),))
    assert "markers: self-harm added" in await first.type(f"tag {record} markers self-harm")
    assert "markers: Violent taken away" in await first.type("untag . markers Violent")
    assert "holds no 'violent'; it holds self-harm" in await first.fails("untag . markers violent")
    assert "log holds no tags" in await first.fails("tag . log violent")
    assert "markers holds tags: tag and untag" in await first.fails("set . markers violent")
    value = await desks.one.get(CustodyBooking, record)
    assert value is not None
    assert value.markers == (Marker(warning="self-harm"),)
    assert "warning self-harm" in await first.type("show .")


async def test_what_was_recorded_once_is_corrected_with_its_reason(desks: Desks, first: Desk) -> None:
    """`set` refuses, `correct` does it for a desk that holds the inbox."""
    record = await shared_booking(desks)
    assert "is already recorded and stands" in await first.fails(f"set {record} arrested_at 14:00")
    told = await first.type(f"correct {record} arrested_at 14:00 because the custody clock ran fast")
    assert "arrested_at corrected to 2026-09-21 14:00 BST" in told
    assert "risk is not recorded once" in await first.fails("correct . risk high because of it")
    await desks.meet(desks.one, desks.two)
    value = await desks.two.get(CustodyBooking, record)
    assert value is not None
    assert value.arrested_at == SUMMER.read("14:00", NOON)  # type: ignore[arg-type]  # a moment
    words = "arrested at: it was corrected or decided by WM10001 on desk-1.\n"
    assert words in await first.type(f"explain {record} arrested_at")


async def test_a_value_is_explained_in_words_and_local_time(desks: Desks, first: Desk) -> None:
    """One field, or all about which there is something to say; a field that is none is told."""
    record = await shared_booking(desks, risk=Risk.HIGH)
    told = await first.type(f"explain {record} risk")
    at = SUMMER.text(NOON)
    assert told == f"risk: high. WM10001 on desk-1, {at}; recorded {at}.\n"
    assert f"detainee: “A. Garside”. WM10001 on desk-1, {at}; recorded {at}.\n" in await first.type("explain .")
    assert "no field 'colour'" in await first.fails("explain . colour")


async def test_a_doubtful_clock_is_on_the_page(alone: Handheld) -> None:
    """A device that never met a server says so beneath the record, with the fields that it is about."""
    made = await alone.create(incident(grade=Grade.P1))
    async with desk_of(alone) as desk:
        page = await desk.type(f"show {made.record}")
    words = "Doubtful time of opened at, area, category, summary, grade: the device had never met a server"
    assert words in page


# --- what was refused ------------------------------------------------------------------------------------------------


async def test_a_refused_change_is_mended_or_withdrawn_by_its_number(
    handheld: Handheld, toy: ToyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`held` tells its number, why, and what waits behind it; then either command settles it."""
    made = await handheld.create(incident())
    await handheld.wait_until(caught_up)
    await handheld.go_offline()
    await handheld.edit(made.record, summary=BAD)
    await handheld.edit(made.record, grade=Grade.P1)
    await refuse(handheld, monkeypatch)
    async with desk_of(handheld) as desk:
        told = await desk.type("held")
        assert told.startswith(f"Refused, op 2: incident {short(made.record)}, summary: a value does not fit (summary:")
        assert "mend 2 FIELD VALUE… puts it right, withdraw 2 REASON… gives it up." in told
        assert told.endswith("1 change behind it.\n")
        assert "did not have grade; it had summary" in await desk.fails("mend 2 grade p1")
        assert "'9' is no refused change" in await desk.fails("mend 9 summary Fine")
        assert "no field 'colour'" in await desk.fails("mend 2 colour red")
        assert "mended, and waits as op 4 with summary Shed door forced\n" in await desk.type(
            "mend 2 summary Shed door forced"
        )
        await handheld.wait_until(caught_up)
        value = await handheld.get(Incident, made.record)
        assert unnumbered(value) == incident("Shed door forced", grade=Grade.P1)
        await handheld.go_offline()
        monkeypatch.undo()
        await handheld.edit(made.record, summary=BAD)
        await refuse(handheld, monkeypatch)
        (held,) = await handheld.held()
        assert "say why" in await desk.fails(f"withdraw {held.op} {'x' * 1_001}")
        assert await desk.type(f"withdraw {held.op} entered twice") == f"Op {held.op} withdrawn\n"
        assert await desk.type("held") == "Nothing was refused\n"
    assert toy.failures == []
