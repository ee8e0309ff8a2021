"""What falls due in the care of a detainee: checks, rousing, rights, the adult, meals, rest, section 136."""

from typing import Any

import pytest

from schemas.kinds import Incident, spec_of
from schemas.roles import Role
from schemas.settings import DEFAULTS
from sync.policing.custody import care, safety
from sync.policing.custody.disposals import outstanding
from sync.policing.custody.dues_checks import CHILD, MAIN, ROUSED, dues
from sync.policing.custody.rights_given import arrived, owed
from sync.policing.due import Due, What
from tests.examples import LEAST
from tests.sync.policing.custody_record.bookings import DAY, HOUR, NOON, at, booking, step

AWAY = [step("arrival", 0), step("left-for-hospital", 30)]
GIVEN = [{"at": at(5), "right": right, "step": "given"} for right in ("someone-informed", "legal-advice", "codes")]
DELAY = {
    "at": at(10),
    "right": "legal-advice",
    "step": "delayed",
    "authority": "Supt. H. Redfern",
    "rank": "superintendent",
    "reason": "Evidence would be interfered with.",
    "until": at(600),
}
ADULT = [
    {"at": at(20), "step": "asked", "name": "Kim Example"},
    {"at": at(70), "step": "arrived", "name": "Kim Example"},
]


def found(minutes: float = 60, **booked: Any) -> dict[tuple[What, str], float]:  # noqa: ANN401  plain values
    """What is due, with when, in minutes after the arrival."""
    return {(one.what, one.key): (one.at - NOON) / 60_000 for one in told(minutes, **booked)}


def told(minutes: float = 60, **booked: Any) -> list[Due]:  # noqa: ANN401  as above
    """What is due, in full."""
    return list(dues(booking(**booked), DEFAULTS, at(minutes)))


def test_everything_that_a_new_detainee_is_owed_is_due() -> None:
    """From their arrival, by the force's settings; each told in words, with its source and who is warned."""
    assert found() == {
        (What.CHECK, ""): 60,
        (What.RIGHTS, "someone-informed"): 60,
        (What.RIGHTS, "legal-advice"): 60,
        (What.RIGHTS, "codes"): 60,
        (What.MEAL, ""): 8 * HOUR,
        (What.MEAL, MAIN): DAY,
        (What.REST, ""): 16 * HOUR,
    }
    for one in told():
        assert one.words.endswith(".")
        assert "PACE Code C" in one.source
        assert (one.roles, one.then) == ((Role.CUSTODY_OFFICER,), (Role.REVIEWING_OFFICER,))
        assert one.within_ms == DEFAULTS.care.acknowledge_ms


def test_nothing_is_due_of_whoever_is_not_in_the_suite() -> None:
    """Nor of another kind of record."""
    assert found(detention=AWAY) == {}
    assert found(status="released") == {}
    assert found(detention=[step("arrival", 0), step("released", 30)]) == {}
    incident = spec_of(Incident).build(LEAST["incident"])  # type: ignore[arg-type]  # field names
    assert list(dues(incident, DEFAULTS, at(0))) == []


def test_a_check_warns_before_it_is_due_and_again_when_it_is_overdue() -> None:
    """At level 2, of somebody under drink: the check and the rousing are two things."""
    due = {(one.what, one.key): one for one in told(observation="l2", needs=["under-drink-or-drugs"])}
    check, roused = due[What.CHECK, ""], due[What.CHECK, ROUSED]
    assert (check.at, roused.at) == (at(30), at(30))
    assert check.warn_ms == roused.warn_ms == (300_000, 0, -300_000)
    assert "observation level 2" in check.words
    assert "Rouse Robin Example" in roused.words


# --- rights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["given", "asked", "waived", "done"])
def test_a_right_that_was_given_is_due_no_more(what: str) -> None:
    """Also by one who exercised or waived it: they knew of it."""
    entry = {"at": at(5), "right": "legal-advice", "step": what}
    assert [one.right.value for one in owed(booking(rights=[entry]), DEFAULTS, at(60))] == ["someone-informed", "codes"]


def test_a_delayed_right_is_due_when_the_delay_ends() -> None:
    """Not before, unless the delay was ended; and a right that was exercised is owed no more."""
    delay = DELAY
    assert found(rights=[*GIVEN, delay]).get((What.RIGHTS, "legal-advice")) == 600
    ended = {"at": at(50), "right": "legal-advice", "step": "delay-ended"}
    assert found(rights=[delay, ended])[What.RIGHTS, "legal-advice"] == 60
    assert (What.RIGHTS, "legal-advice") not in found(rights=[delay, ended | {"step": "done"}])
    (one,) = [one for one in told(rights=[*GIVEN, delay]) if one.what is What.RIGHTS]
    assert "delay" in one.words


@pytest.mark.parametrize(
    "lacking",
    [{"authority": None}, {"rank": "inspector"}, {"reason": None}, {"until": None}, {"until": at(37 * HOUR)}],
)
@pytest.mark.parametrize("told_before", [[], GIVEN])
def test_a_delay_that_cannot_stand_delays_nothing(told_before: list[Any], lacking: dict[str, Any]) -> None:
    """It came by a merge and is kept; the right is to be given at once, and the alarm says why."""
    rights = [*told_before, DELAY | lacking]
    assert found(rights=rights)[What.RIGHTS, "legal-advice"] == 10
    (one,) = [one for one in told(rights=rights) if one.key == "legal-advice"]
    assert one.words.startswith("The delay of a right cannot stand")
    done = {"at": at(20), "right": "legal-advice", "step": "done"}
    assert (What.RIGHTS, "legal-advice") not in found(rights=[*rights, done])


def test_rights_are_given_again_in_the_presence_of_the_adult() -> None:
    """As soon as the adult has come, of everybody who must have one (Code C 3.17)."""
    child = {"born": "2010-01-01", "rights": GIVEN}
    assert (What.RIGHTS, "codes") not in found(90, **child)
    assert found(90, adults=ADULT, **child)[What.RIGHTS, "codes"] == 70 + 60
    again = [one | {"at": at(75), "adult_present": True} for one in GIVEN]
    assert What.RIGHTS not in {what for what, _ in found(90, adults=ADULT, born="2010-01-01", rights=[*GIVEN, *again])}
    assert What.RIGHTS not in {what for what, _ in found(90, adults=ADULT, rights=GIVEN)}


def test_a_health_care_professional_is_asked_to_see_whoever_is_pregnant() -> None:
    """Also found out hours later, when nobody is asked at the authorisation any more; the alarm does not say why."""
    due = {one.what: one for one in told(5 * HOUR, needs=["pregnant"])}[What.HEALTH_CARE]
    assert due.at == at(HOUR)
    assert "pregnan" not in due.words
    asked = {"at": at(5 * HOUR), "what": "health-care-asked"}
    assert (What.HEALTH_CARE, "") not in found(6 * HOUR, needs=["pregnant"], care=[asked])
    assert (What.HEALTH_CARE, "") not in found(5 * HOUR, needs=["vulnerable"])


def test_an_adult_who_has_not_come_is_due() -> None:
    """Of a child, a vulnerable person, and whoever is recorded to need one; once one came, no more."""
    for booked in ({"born": "2010-01-01"}, {"needs": ["vulnerable"]}, {"appropriate_adult": "needed"}):
        assert found(**booked)[What.APPROPRIATE_ADULT, ""] == 120
        assert found(**booked, adults=ADULT[:1])[What.APPROPRIATE_ADULT, ""] == 120
        assert (What.APPROPRIATE_ADULT, "") not in found(80, **booked, adults=ADULT)
    assert (What.APPROPRIATE_ADULT, "") not in found()


def test_who_came_and_left_is_not_there() -> None:
    """An adult who went home is asked again; that they were there remains."""
    left = {"at": at(90), "step": "left"}
    held = booking(adults=[*ADULT, left], appropriate_adult="needed")
    assert [arrived(held.adults, at(minutes)) for minutes in (60, 80, 95)] == [None, at(70), None]
    assert (What.APPROPRIATE_ADULT, "") not in found(95, adults=[*ADULT, left], appropriate_adult="needed")


# --- meals and rest --------------------------------------------------------------------------------------------------


def meal(minutes: float, what: str = "light-meal", **more: Any) -> dict[str, Any]:  # noqa: ANN401  parts of an entry
    """An entry of care."""
    return {"at": at(minutes), "what": what, **more}


def test_a_meal_moves_the_next_one_also_when_it_was_declined() -> None:
    """It was offered. A light one does not do for the main meal of the day."""
    due = found(5 * HOUR, care=[meal(4 * HOUR, declined=True)])
    assert (due[What.MEAL, ""], due[What.MEAL, MAIN]) == (12 * HOUR, DAY)
    due = found(5 * HOUR, care=[meal(4 * HOUR, "main-meal"), meal(4.5 * HOUR, "drink"), meal(6 * HOUR)])
    assert (due[What.MEAL, ""], due[What.MEAL, MAIN]) == (12 * HOUR, 28 * HOUR)


def test_eight_hours_of_rest_are_due_in_every_day() -> None:
    """A rest that was broken counts for nothing; while somebody rests nothing is due (Code C 12.2)."""
    whole, broken = meal(10 * HOUR, "rest", until=at(18 * HOUR)), meal(60, "rest", until=at(8 * HOUR))
    assert found(9 * HOUR, care=[broken])[What.REST, ""] == 16 * HOUR
    assert (What.REST, "") not in found(12 * HOUR, care=[meal(10 * HOUR, "rest")])
    assert (What.REST, "") not in found(12 * HOUR, care=[whole])
    assert found(19 * HOUR, care=[whole])[What.REST, ""] == 18 * HOUR + 16 * HOUR


def test_the_tally_of_a_day_says_what_is_lacking() -> None:
    """Of a day that has passed: two light meals, a main one, eight hours of rest; a second main meal does for one."""
    day = care.day(booking(), DEFAULTS, at(25 * HOUR))
    assert day.lacking == ("0 of 1 main meals", "0 of 2 light meals", "0 of 8 hours of continuous rest")
    seen = [meal(2 * HOUR, "main-meal"), meal(8 * HOUR), meal(20 * HOUR, "main-meal"), meal(3 * HOUR, "drink")]
    rest = meal(10 * HOUR, "rest", until=at(18 * HOUR))
    day = care.day(booking(care=[*seen, rest]), DEFAULTS, at(25 * HOUR))
    assert (day.main_meals, day.light_meals, day.drinks, day.rest_ms) == (2, 1, 1, 8 * 3_600_000)
    assert day.lacking == ()
    assert care.day(booking(), DEFAULTS, at(23 * HOUR)).lacking == ()
    cut = care.day(booking(care=[rest]), DEFAULTS, at(37 * HOUR))
    assert (cut.rest_ms, "5 of 8 hours of continuous rest" in cut.lacking) == (5 * 3_600_000, True)


def test_nobody_is_owed_a_meal_or_a_rest_where_they_are_not() -> None:
    """What was due before they left is not due while they are gone."""
    held = booking(detention=AWAY)
    assert [ask(held, DEFAULTS, at(60)) for ask in (care.next_meal, care.next_main_meal, care.next_rest)] == [None] * 3


# --- section 136 -----------------------------------------------------------------------------------------------------

EXTENSION = {
    "at": at(20 * HOUR),
    "step": "extended",
    "by": "Dr N. Salter",
    "approved_by": "WM5",
    "until": at(30 * HOUR),
}


def test_whoever_comes_back_on_bail_is_checked_again() -> None:
    """Also where the status still says that they were released when they went."""
    back = [step("arrival", 0), step("bailed", 60), step("bail-return", 3 * HOUR)]
    assert found(4 * HOUR, detention=back, status="released")[What.CHECK, ""] == 4 * HOUR
    assert found(2 * HOUR, detention=back, status="released") == {}


def test_the_section_136_clock_runs_from_the_first_place_of_safety() -> None:
    """Row: mental-health triage and s.136 clock. 24 hours; a hospital that they came to first counts."""
    due = {one.what: one for one in told(basis="section-136")}[What.PLACE_OF_SAFETY]
    assert (due.at, due.warn_ms) == (at(DAY), (4 * 3_600_000, 3_600_000, 0))
    assert due.then == (Role.SUPERINTENDENT,)
    earlier = {"at": at(-90), "step": "arrived", "by": "Heartlands"}
    assert found(basis="section-136", place_of_safety=[earlier])[What.PLACE_OF_SAFETY, ""] == DAY - 90
    later = {"at": at(45), "step": "arrived"}
    assert found(basis="section-136", place_of_safety=[later])[What.PLACE_OF_SAFETY, ""] == DAY
    assert found(basis="section-136", detention=AWAY)[What.PLACE_OF_SAFETY, ""] == DAY


@pytest.mark.parametrize(
    ("entries", "hours"),
    [
        ([EXTENSION], 30),
        ([EXTENSION | {"until": at(36 * HOUR)}], 36),
        ([EXTENSION | {"until": at(37 * HOUR)}], 24),
        ([EXTENSION | {"at": at(25 * HOUR)}], 24),
        ([EXTENSION | {"by": None}], 24),
        ([EXTENSION, {"at": at(21 * HOUR), "step": "assessed", "by": "Dr A. Marsh"}], 30),
    ],
)
def test_only_a_lawful_extension_extends(entries: list[dict[str, Any]], hours: int) -> None:
    """Also of one that came by a merge: an unlawful one is kept and extends nothing."""
    held = booking(basis="section-136", place_of_safety=entries)
    assert safety.ends_at(held, DEFAULTS, at(26 * HOUR)) == at(hours * HOUR)


def test_the_clock_ends_with_the_power() -> None:
    """Once it was ended nothing runs; nor of whoever is held for an offence."""
    ended = {"at": at(300), "step": "ended"}
    assert (What.PLACE_OF_SAFETY, "") not in found(310, basis="section-136", place_of_safety=[ended])
    assert (What.PLACE_OF_SAFETY, "") not in found(basis="arrest")


def test_a_child_found_to_be_held_under_section_136_is_told_at_once() -> None:
    """From the moment they came: a police station is no place of safety for them."""
    due = found(basis="section-136", born="2009-05-05")
    assert due[What.PLACE_OF_SAFETY, CHILD] == 0
    assert (What.PLACE_OF_SAFETY, CHILD) not in found(basis="section-136", born="1990-05-05")


def test_what_was_taken_is_outstanding_until_something_says_where_it_is() -> None:
    """The last word on each thing counts."""
    things = [
        {"at": at(5), "step": "taken", "item": "a watch"},
        {"at": at(5), "step": "taken", "item": "keys"},
        {"at": at(6), "step": "taken", "item": "a phone"},
        {"at": at(50), "step": "returned", "item": "keys", "signature": "signed"},
        {"at": at(55), "step": "handed-on", "item": "a phone", "to": "Sam Example"},
    ]
    assert [one.item for one in outstanding(booking(belongings=things), at(60))] == ["a watch"]
    assert [one.item for one in outstanding(booking(belongings=things), at(52))] == ["a watch", "a phone"]
