"""Checks: which count, which contradict the record, how late they were entered; also when they arrive by a merge."""

from typing import Any

import msgspec
import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, RecordId, Seq, named_record_id
from schemas.kinds import CustodyBooking, Incident, spec_of
from schemas.settings import DEFAULTS, Settings
from schemas.settings.care import CareSettings
from sync import merge
from sync.merge import RecordState
from sync.policing.custody import checks
from sync.policing.custody.checks import Flag, account, counting, late_in_words, next_check, next_rousing
from sync.policing.due import What
from sync.policing.rulebook import RuleError
from sync.policing.timetable import moments_of
from sync.replica import MemoryTables, Replica, WriteFacts
from tests.sync.policing.custody_record.bookings import (
    BOOKING,
    HOUR,
    SPEC,
    at,
    booking,
    check,
    made,
    op,
    step,
    values,
    written,
)

AWAY = [step("arrival", 0), step("left-for-hospital", 30)]


def flags(state: RecordState, *others: RecordState) -> list[set[str]]:
    """The flags of each check of a booking, in order."""
    return [{flag.value for flag in one.flags} for one in account(state, DEFAULTS, at(10 * HOUR), others)]


def test_a_cell_check_that_comes_by_a_merge_while_the_person_is_in_hospital_does_not_count() -> None:
    """One device recorded the departure, another the check: both are kept, and the check is flagged."""
    state = made()
    departure = op(1, {"detention": [AWAY[1]]}, minutes=31, device="hh-1")
    visit = op(1, {"checks": [check(40)]}, minutes=41, device="desk-2")
    for order in ((departure, visit), (visit, departure)):
        merged = written(state, *order)
        assert flags(merged) == [{"elsewhere"}]
        assert not account(merged, DEFAULTS, at(60))[0].counts
        assert counting(merged.build(), DEFAULTS, at(60)) == ()  # type: ignore[arg-type]  # it is a booking
        assert len(merged.values()[FieldName("checks")]) == 1


def test_a_check_is_judged_by_when_the_status_was_set() -> None:
    """Who only set the status did so at a moment that the record knows."""
    before = written(made(), op(1, {"checks": [check(20)]}, minutes=20))
    away = written(before, op(2, {"status": "hospital"}, minutes=30, base=before.version))
    assert flags(away) == [set()]
    assert flags(written(away, op(3, {"checks": [check(40)]}, minutes=40))) == [set(), {"elsewhere"}]


def test_checks_that_came_together_do_not_count() -> None:
    """A program that asks no rule entered two in one change: neither is an observation that somebody made by itself."""
    state = written(made(), op(1, {"checks": [check(20), check(50)]}, minutes=50))
    assert flags(state) == [{"bulk"}, {"bulk"}]
    assert not any(one.counts for one in account(state, DEFAULTS, at(60)))


def test_a_late_entry_keeps_both_times_and_says_how_late_it_is() -> None:
    """When it was made and when it was recorded; within the force's setting nothing is said (IOPC 2020)."""
    state = written(made(), op(1, {"checks": [check(20)]}, minutes=155), op(2, {"checks": [check(150)]}, minutes=160))
    late, prompt = account(state, DEFAULTS, at(160))
    assert (late.check.checked_at, late.stamp.ms, late.stamp.recorded_at) == (at(20), at(155), at(155))
    assert (late.late_ms, late_in_words(late)) == (135 * 60_000, "entered 2 h 15 min after it was made")
    assert (prompt.late_ms, late_in_words(prompt)) == (0, "")
    assert late.counts


def test_a_check_from_the_future_does_not_count() -> None:
    """Of an author whose clock stood wrong by more than what is borne."""
    state = written(made(), op(1, {"checks": [check(30)]}, minutes=20), op(2, {"checks": [check(31)]}, minutes=30))
    assert flags(state) == [{"to-come"}, set()]


@pytest.mark.parametrize(
    "pasted",
    [{"checks": [check(20), check(50)]}, {"checks": [check(55)]}],
)
def test_what_is_no_check_by_its_stamp_keeps_no_check_from_falling_due(pasted: dict[str, Any]) -> None:
    """Two in one change, or one before its time: whatever program entered them, somebody is warned as if they were not.

    Also once the time has come that such a check bears.
    """
    state = written(made(), op(1, pasted, minutes=50 if len(pasted["checks"]) > 1 else 20))

    def warned(state: RecordState) -> set[int]:
        found = moments_of(state, DEFAULTS, at(58), lambda error, where: pytest.fail(f"{error} at {where}"))
        return {one.due.at for one in found if (one.due.what, one.due.key) == (What.CHECK, "")}

    assert warned(state) == {at(HOUR)}
    honest = written(state, op(2, {"checks": [check(57)]}, minutes=57))
    assert warned(honest) == {at(57 + HOUR)}


def test_the_same_note_on_two_detainees_is_flagged_on_both_and_counts() -> None:
    """A person is asked; perhaps both did sit on the bench."""
    note = "Awake on the bench, spoke to me."
    other = made(named_record_id("custody record", "other"))
    one = written(made(), op(1, {"checks": [check(50, note=note)]}, minutes=50))
    two = written(other, op(1, {"checks": [check(60, note=note)]}, minutes=60, record=other.id))
    late = written(other, op(1, {"checks": [check(61, note=note)]}, minutes=61, record=other.id))
    foreign = written(other, op(1, {"checks": [check(51, note=note)]}, minutes=51, record=other.id, author="WM2"))
    assert flags(one, one, two) == flags(two, one, two) == [{"copied"}]
    assert account(one, DEFAULTS, at(60), [two])[0].counts
    assert flags(one, late) == flags(one, foreign) == flags(one) == [set()]


def test_a_corrected_check_counts_no_more_and_its_correction_does() -> None:
    """The old one stays in the record, shown as corrected."""
    state = written(made(), op(1, {"checks": [check(40)]}, minutes=40))
    name = account(state, DEFAULTS, at(60))[0].check.ref()
    state = written(state, op(2, {"checks": [check(30, corrects=name)]}, minutes=45))
    assert flags(state) == [{"corrected"}, set()]
    assert [one.checked_at for one in counting(state.build(), DEFAULTS, at(60))] == [at(30)]  # type: ignore[arg-type]
    assert next_check(state.build(), DEFAULTS, at(60)) == at(30 + HOUR)  # type: ignore[arg-type]


def test_only_a_booking_has_an_account() -> None:
    """Whoever asks for another record's is told."""
    kind = spec_of(Incident)
    state = RecordState(id=named_record_id("x"), spec=kind, version=Seq(0), cells={})
    values = {"opened_at": 1, "area": "dudley", "category": "crime", "summary": "x"}
    made_up = merge.apply(state, msgspec.structs.replace(op(1, values, create=True), kind="incident"), at(0))
    with pytest.raises(TypeError, match="is no custody booking"):
        account(made_up, DEFAULTS, at(0))


def test_a_device_looks_at_the_other_bookings_that_it_shows() -> None:
    """Pending ones included: what an officer pasted a minute ago has not reached the server yet."""
    replica = Replica(MemoryTables(), DeviceId("hh-0042"))

    def write(record: RecordId, minutes: float, changes: dict[str, Any], *, create: bool = False) -> None:
        now = at(minutes)
        facts = WriteFacts(author=OfficerId("WM21877"), now=now, wall=now, occurred_at=now)
        replica.write(record, SPEC, {FieldName(name): one for name, one in changes.items()}, facts, create=create)

    other = named_record_id("custody record", "other")
    for record, name in ((BOOKING, "Robin Example"), (other, "Sam Example")):
        write(record, 10, values(detainee=name), create=True)
    pasted = [check(20, note="Sitting up, asked for the time.")]
    write(BOOKING, 21, {"checks": pasted})
    with pytest.raises(RuleError, match=r"check of Robin Example minutes ago has the same note\. Say what you saw"):
        write(other, 22, {"checks": pasted})
    write(other, 22, {"checks": [check(20, note="Lying on the left side, breathing calmly.")]})
    shown = replica.view(other)
    assert shown is not None
    assert len(shown.values()[FieldName("checks")]) == 1


# --- when the next one is due ----------------------------------------------------------------------------------------


def due(**booked: Any) -> Millis | None:  # noqa: ANN401  plain values of any field
    """When the next check is due, an hour and a half after the arrival."""
    return next_check(booking(**booked), DEFAULTS, at(90))


@pytest.mark.parametrize(("level", "minutes"), [(None, 60), ("l1", 60), ("l2", 30), ("l3", 30), ("l4", 30), ("l9", 60)])
def test_a_check_is_due_by_the_observation_level(level: str | None, minutes: int) -> None:
    """From the last one that counts, or from when the person came; by the lowest level while none is known."""
    assert due(observation=level) == at(minutes)
    assert due(observation=level, checks=[check(40)]) == at(40 + minutes)


def test_every_level_is_the_forces_to_set() -> None:
    """Each by itself."""
    care = CareSettings(l1_check_ms=1, l2_check_ms=2, l3_check_ms=3, l4_check_ms=4)
    for level, ms in (("l1", 1), ("l2", 2), ("l3", 3), ("l4", 4)):
        found = next_check(booking(observation=level), Settings(care=care), at(90))
        assert found == at(0) + ms


def test_only_what_counts_moves_the_next_check() -> None:
    """Not one of a time to come, nor one in a cell while the person was away."""
    back = step("back-from-hospital", 50)
    assert due(checks=[check(95)]) == at(60)
    assert due(detention=[*AWAY, back], checks=[check(45)]) == at(50 + 60)
    assert due(detention=[*AWAY, back], checks=[check(45, "hospital")]) == at(50 + 60)
    assert due(detention=[*AWAY, back], checks=[check(55)]) == at(55 + 60)


def test_nobody_is_due_a_check_where_they_are_not() -> None:
    """In hospital they are in the escort's sight; whoever was released is in nobody's."""
    assert due(detention=AWAY) is None
    assert due(status="released") is None
    assert due(detention=AWAY[:1]) == at(60)


def test_whoever_is_under_drink_or_drugs_is_roused() -> None:
    """A look at somebody asleep is a check, and rouses nobody; whoever is awake need not be woken (annex H)."""
    drunk: dict[str, Any] = {"needs": ["under-drink-or-drugs"], "observation": "l2"}
    asleep = check(50, response="asleep")

    def rousing(**more: Any) -> Millis | None:  # noqa: ANN401  as above
        return next_rousing(booking(**drunk | more), DEFAULTS, at(90))

    assert rousing() == at(30)
    assert rousing(checks=[check(20, response="roused"), asleep]) == at(50)
    assert rousing(checks=[check(20), asleep]) == at(50)
    assert rousing(checks=[check(20, response="no-response")]) == at(30)
    assert next_check(booking(**drunk, checks=[asleep]), DEFAULTS, at(90)) == at(80)
    assert next_rousing(booking(checks=[asleep]), DEFAULTS, at(90)) is None
    assert rousing(detention=AWAY) is None


def test_what_older_programs_wrote_of_the_place_is_understood_by_the_forces_words() -> None:
    """`M7` is a cell, `Hospital ward 3` is not; a place that is said goes before the words."""
    care = DEFAULTS.care
    held = booking(
        checks=[check(1, "M7"), check(2, "Heartlands Hospital"), check(3, "Court 2"), check(4, "ward", place="cell")]
    )
    assert [checks.place_of(one, care).value for one in held.checks] == ["cell", "hospital", "court", "cell"]
    assert isinstance(held, CustodyBooking)
    assert Flag.COPIED not in checks.VOID
