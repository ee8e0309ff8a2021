"""What falls due in a booking, when somebody is warned of it, and who."""

from collections.abc import Sequence
from datetime import date

import msgspec
import pytest

from schemas.ids import FieldName, Millis
from schemas.kinds import KINDS
from schemas.kinds.admission import Basis
from schemas.kinds.booking import BookingStatus, CustodyBooking
from schemas.kinds.care import Safety, SafetyStep
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from schemas.settings.custody import HOUR_MS, MINUTE_MS, CustodySettings
from sync.policing.custody.dues import AWAY, dues
from sync.policing.custody.dues_checks import dues as care_dues
from sync.policing.due import Due, What, come, moments
from sync.policing.timetable import TIMETABLE
from tests.examples import BOOKING, LEAST
from tests.sync.policing.custody.pace import events, moment

DAY = date(2025, 1, 14)
IN = ("10:00 arrival", "10:15 authorised")


def at(text: str) -> Millis:
    """A clock time of the day."""
    return moment(text, DAY)


def booking(*lines: str, status: BookingStatus = BookingStatus.DETAINED) -> CustodyBooking:
    """A booking with these entries."""
    return CustodyBooking(
        suite="perry-barr",
        detainee="Robin Example",
        arrested_at=at("09:40"),
        status=status,
        detention=tuple(events(lines, DAY)),
    )


def due_of(found: Sequence[Due], what: What, key: str = "") -> Due | None:
    """The one due of a kind."""
    return next((one for one in found if (one.what, one.key) == (what, key)), None)


def told(lines: Sequence[str], now: str, settings: Settings = DEFAULTS) -> dict[tuple[What, str], Due]:
    """What is due, by its kind and key."""
    found = list(dues(booking(*lines), settings, at(now)))
    assert len({(one.what, one.key) for one in found}) == len(found)
    return {(one.what, one.key): one for one in found}


def test_a_detention_has_a_review_and_a_limit() -> None:
    """The two clocks, each with its warnings and the people who act on it."""
    found = told(IN, "11:00")
    assert found.keys() == {(What.REVIEW, ""), (What.DETENTION_LIMIT, "")}
    review, limit = found[What.REVIEW, ""], found[What.DETENTION_LIMIT, ""]
    assert (review.at, limit.at) == (at("16:15"), at("+1 10:00"))
    assert review.warn_ms == (60 * MINUTE_MS, 30 * MINUTE_MS, 0)
    assert limit.warn_ms == (180 * MINUTE_MS, 60 * MINUTE_MS, 30 * MINUTE_MS, 0)
    assert review.roles == (Role.REVIEWING_OFFICER, Role.CUSTODY_OFFICER)
    assert review.then == limit.then == (Role.SUPERINTENDENT,)
    assert "by an inspector or above; not by anybody directly involved" in review.words
    assert limit.words.startswith("Detention without charge ends after 24 h: charge, release, or ")


def test_an_overdue_review_stays_due_with_the_reason_for_its_postponement() -> None:
    """Postponed is not done: it is carried out as soon as practicable (section 40(5))."""
    found = told([*IN, "16:10 review-postponed reason=in_interview"], "17:00")
    assert found[What.REVIEW, ""].at == at("16:15")
    assert found[What.REVIEW, ""].words.endswith("It was postponed: in interview")


def test_a_review_that_was_done_is_not_due() -> None:
    """The next one is."""
    assert told([*IN, "16:00 review rank=inspector"], "17:00")[What.REVIEW, ""].at == at("+1 01:00")


def test_after_charge_only_the_custody_officers_review_is_due() -> None:
    """There is no limit without charge any more."""
    found = told([*IN, "12:00 charged"], "13:00")
    assert found.keys() == {(What.REVIEW, "")}
    assert found[What.REVIEW, ""].roles == (Role.CUSTODY_OFFICER,)
    assert "only by the custody officer" in found[What.REVIEW, ""].words


@pytest.mark.parametrize(
    ("lines", "due"),
    [
        (["11:00 left-for-hospital"], "15:00"),
        (["11:00 left-for-hospital", "11:20 at-hospital"], "15:20"),
        (["11:00 left-for-hospital", "11:20 at-hospital", "13:00 left-hospital"], "14:00"),
    ],
)
def test_somebody_is_asked_after_a_person_in_hospital(lines: list[str], due: str) -> None:
    """A clock that stands still does not stand still unheard of for ever."""
    found = told([*IN, *lines], "13:30")
    assert found[What.DETENTION_LIMIT, AWAY].at == at(due)
    assert (What.DETENTION_LIMIT, "") not in found


def test_somebody_is_asked_after_a_person_arrested_on_bail() -> None:
    """The clock goes by the arrival, which nobody has recorded."""
    found = told([*IN, "12:00 bailed", "+3 10:00 bail-arrest"], "+3 10:30")
    assert found[What.DETENTION_LIMIT, AWAY].at == at("+3 11:00")
    assert found[What.DETENTION_LIMIT, ""].at == at("+3 10:00") + 25 * HOUR_MS


@pytest.mark.parametrize(
    ("lines", "status", "due", "words"),
    [
        (["11:00 transfer-left"], "detained", "12:00", "On the way to another suite"),
        (["11:00 charged", "11:30 left-for-hospital"], "detained", "15:30", "Still in hospital"),
        (["11:00 charged", "11:30 left-for-hospital", "12:00 left-hospital"], "detained", "13:00", "Still in hospital"),
        ([], "hospital", "10:10", "Status and steps say two things"),
        (["11:00 charged", "11:30 handed-to-court"], "detained", "11:40", "Released or not"),
        (["11:00 charged", "11:30 released"], "court", "11:40", "Released or not"),
        (
            ["11:00 left-for-hospital", "13:00 back-from-hospital"],
            "hospital",
            "13:10",
            "Status and steps say two things",
        ),
        (["13:00 released"], "detained", "13:10", "Released or not?"),
    ],
)
def test_somebody_is_asked_where_a_person_is_whom_nobody_checks(
    lines: list[str], status: str, due: str, words: str
) -> None:
    """Whatever keeps checks from falling due is not left to stand: a journey, a charge, two words for one thing."""
    found = list(dues(booking(*IN, *lines, status=BookingStatus(status)), DEFAULTS, at("13:30")))
    asked = due_of(found, What.CHECK, AWAY)
    assert asked is not None
    assert (asked.at, asked.roles, asked.then) == (at(due), (Role.CUSTODY_OFFICER,), (Role.REVIEWING_OFFICER,))
    assert words in asked.words


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], "detained"),
        (["11:00 left-for-hospital"], "hospital"),
        (["11:00 left-for-hospital", "13:00 back-from-hospital"], "detained"),
        (["11:00 transfer-left", "13:00 transfer-arrived"], "detained"),
        (["13:00 released"], "released"),
        (["13:00 charged-bail-refused", "13:10 handed-to-court"], "court"),
        (["13:00 charged-bail-refused", "13:10 handed-to-court"], "released"),
        (["13:00 bailed"], "released"),
        (["13:00 bailed", "13:10 bail-arrest"], "detained"),
    ],
)
def test_where_a_person_is_is_not_asked_when_it_is_known(lines: list[str], status: str) -> None:
    """Of an uncharged person in hospital, or arrested on bail, the detention clock has it asked."""
    found = list(dues(booking(*IN, *lines, status=BookingStatus(status)), DEFAULTS, at("13:30")))
    assert due_of(found, What.CHECK, AWAY) is None


def test_nobody_is_told_to_charge_a_person_who_is_held_under_section_136() -> None:
    """Their 24 hours are those of the Mental Health Act, which are told by themselves; ended, the Act's come back."""
    held = msgspec.structs.replace(booking(*IN), basis=Basis.SECTION_136)
    assert {one.what for one in dues(held, DEFAULTS, at("11:00"))} == {What.REVIEW}
    assert What.PLACE_OF_SAFETY in {one.what for one in care_dues(held, DEFAULTS, at("11:00"))}
    ended = msgspec.structs.replace(held, place_of_safety=(Safety(at=at("10:30"), step=SafetyStep.ENDED),))
    assert {one.what for one in dues(ended, DEFAULTS, at("11:00"))} == {What.REVIEW, What.DETENTION_LIMIT}


def test_a_limit_that_passed_before_hospital_is_still_told() -> None:
    """The clock stands still over the limit."""
    found = told([*IN, "+1 11:00 left-for-hospital"], "+1 12:00")
    assert found[What.DETENTION_LIMIT, ""].at == at("+1 10:00")


def test_a_clock_found_to_be_over_for_weeks_still_raises_an_alarm() -> None:
    """Reviewed two months after bail, and no return was recorded: the alarm is of the review's time, not of January."""
    lines = [*IN, "12:00 bailed", "2025-03-14 12:00 review rank=inspector"]
    found = list(dues(booking(*lines), DEFAULTS, at("2025-03-14 12:05")))
    raised = come(moments(BOOKING, found), at("2025-03-14 12:05"), frozenset())
    assert {one.due.what for one in raised} == {What.DETENTION_LIMIT, What.REVIEW}
    assert {one.due.at for one in raised} == {at("2025-03-14 12:00")}


def test_a_long_reason_fits_in_an_alarm() -> None:
    """The record has all of it."""
    reason = "interview_" * 400
    found = told([*IN, f"16:10 review-postponed reason={reason[:-1]}"], "17:00")
    assert len(found[What.REVIEW, ""].words) < 400


def test_the_timetable_knows_of_it() -> None:
    """Server and handheld raise alarms from that table."""
    assert dues in TIMETABLE["custody-booking"]


def test_on_bail_only_the_end_of_bail_is_due() -> None:
    """At a midnight, with the rank that may extend it."""
    found = told([*IN, "12:00 bailed"], "13:00")
    assert found.keys() == {(What.BAIL_LIMIT, "")}
    assert found[What.BAIL_LIMIT, ""].at == at("2025-04-15 00:00")
    assert "ends with 14 April 2025 (3 months): decide, or have it extended by an inspector" in (
        found[What.BAIL_LIMIT, ""].words
    )


def test_bail_ends_whatever_the_status_says() -> None:
    """There is no status for whoever is on bail: the desk that says released must hear of the limit all the same."""
    found = list(dues(booking(*IN, "12:00 bailed", status=BookingStatus.RELEASED), DEFAULTS, at("13:00")))
    assert [(one.what, one.at) for one in found] == [(What.BAIL_LIMIT, at("2025-04-15 00:00"))]


def test_who_comes_back_on_bail_is_in_detention_whatever_the_status_says() -> None:
    """Released was said when they went on bail, and is never unsaid: both clocks go on with the return."""
    lines = (*IN, "12:00 bailed", "+1 12:00 bail-return", "+1 12:10 authorised")
    found = list(dues(booking(*lines, status=BookingStatus.RELEASED), DEFAULTS, at("+1 13:00")))
    assert {one.what for one in found} == {What.REVIEW, What.DETENTION_LIMIT}


def test_bail_of_the_last_step_has_no_further_one() -> None:
    """And where a force sets no steps, nothing is due."""
    one = Settings(custody=CustodySettings(bail_months=(3,), bail_ranks=("sergeant",)))
    assert "there is no further step" in told([*IN, "12:00 bailed"], "13:00", one)[What.BAIL_LIMIT, ""].words
    none = Settings(custody=CustodySettings(bail_months=()))
    assert told([*IN, "12:00 bailed"], "13:00", none) == {}


@pytest.mark.parametrize("last", ["12:00 released", "12:00 bailed"])
def test_nobody_who_has_left_is_reviewed(last: str) -> None:
    """Neither released nor on bail."""
    assert (What.REVIEW, "") not in told([*IN, last], "20:00")


def test_a_booking_that_is_over_is_taken_at_its_word() -> None:
    """A program that records no steps released the person by the booking's status."""
    assert list(dues(booking(*IN, status=BookingStatus.RELEASED), DEFAULTS, at("20:00"))) == []
    assert len(list(dues(booking(status=BookingStatus.ARRIVED), DEFAULTS, at("20:00")))) == 2


def test_another_record_has_none_of_this() -> None:
    """A cell is not detained."""
    cell = KINDS["resource"].build({FieldName(name): value for name, value in LEAST["resource"].items()})
    assert list(dues(cell, DEFAULTS, at("20:00"))) == []


def test_the_warnings_are_the_forces() -> None:
    """Each period is a setting."""
    mine = Settings(custody=CustodySettings(review_warn_ms=(5,), limit_warn_ms=(6,), review_first_ms=HOUR_MS))
    found = told(IN, "11:00", mine)
    assert found[What.REVIEW, ""].warn_ms == (5,)
    assert found[What.REVIEW, ""].at == at("11:15")
    assert found[What.DETENTION_LIMIT, ""].warn_ms == (6,)


def test_a_correction_moves_what_is_due() -> None:
    """Nothing about it is stored."""
    before = booking(*IN)
    after = msgspec.structs.replace(
        before, detention=tuple(events(("10:00 arrival #first", IN[1], "09:50 arrival corrects=first"), DAY))
    )
    limits = [[one.at for one in dues(each, DEFAULTS, at("11:00"))][1] for each in (before, after)]
    assert limits == [at("+1 10:00"), at("+1 09:50")]
