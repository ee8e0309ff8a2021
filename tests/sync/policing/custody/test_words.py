"""The clocks in words: time left, stopped, over; who may extend; clock times as on the wall."""

from datetime import date

import pytest

from schemas.settings import DEFAULTS
from sync.policing.custody import words
from sync.policing.custody.clocks import Detention, detention
from sync.policing.custody.relevant import Facts
from tests.sync.policing.custody.pace import events, moment

DAY = date(2025, 1, 14)
IN = ("10:00 arrival", "10:15 authorised")


def found(now: str, *lines: str) -> Detention:
    """A detention of the day."""
    return detention(Facts(arrested_at=moment("09:40", DAY)), events(lines, DAY), moment(now, DAY), DEFAULTS.custody)


@pytest.mark.parametrize(
    ("lines", "now", "says"),
    [
        (IN, "14:00", "4 h counted; 20 h left of 24 h (custody officer's authority), until 10:00 on 15 January"),
        ((*IN, "11:00 left-for-hospital"), "14:00", "STOPPED at 1 h; 23 h left of 24 h (custody officer's authority);"),
        (IN, "+1 10:30", "OVER the limit of 24 h (custody officer's authority) by 30 min: charge or release."),
        (IN, "+1 10:00", "OVER the limit of 24 h (custody officer's authority) by 0 min: charge or release."),
        ((*IN, "12:00 charged"), "14:00", "charged 12:00, 2 h had counted"),
        ((*IN, "12:00 released"), "14:00", "released 12:00, 2 h had counted"),
        ((*IN, "12:00 bailed", "+3 20:00 bail-arrest", "+3 20:00 arrival"), "+3 21:00", "until 21:00 on 18 January"),
        (
            ("09:40 arrest area=northumbria sought_in=west-midlands", "10:00 arrival area=northumbria"),
            "14:00",
            "not started; 24 h left of 24 h",
        ),
    ],
)
def test_the_detention_clock_says_what_is_left(lines: tuple[str, ...], now: str, says: str) -> None:
    """In one line, with the relevant time and its source."""
    line = words.detention_clock(found(now, *lines))
    assert says in line
    assert "elevant time" in line


@pytest.mark.parametrize(
    ("lines", "now", "says"),
    [
        (IN, "14:00", "review 1 due in 2 h 15 min (16:15), by an inspector or above."),
        (IN, "16:15", "review 1 due in 0 min (16:15), by an inspector or above."),
        (IN, "17:00", "review 1 is OVERDUE by 45 min (16:15), by an inspector or above."),
        ((*IN, "16:00 review-postponed reason=in_interview"), "16:10", "; postponed: in interview."),
        ((*IN, "12:00 charged"), "14:00", "by a sergeant or above."),
        ((*IN, "12:00 released"), "14:00", "none is due."),
    ],
)
def test_the_review_clock_says_what_is_left(lines: tuple[str, ...], now: str, says: str) -> None:
    """In one line, with who may carry it out."""
    assert says in words.review_clock(found(now, *lines))


def test_time_left_is_never_promised_too_long_nor_time_over_too_short() -> None:
    """Half a minute left is none; half a minute over is one."""
    assert words.duration(30_000) == "0 min"
    assert words.duration(30_000, up=True) == "1 min"
    assert words.duration(3_600_000 + 59_999) == "1 h"
    assert words.duration(2 * 3_600_000 + 5 * 60_000) == "2 h 05 min"


def test_a_clock_time_bears_its_day_where_it_is_another() -> None:
    """And its year where that is."""
    now = moment("10:00", DAY)
    assert words.at(moment("14:05", DAY), now) == "14:05"
    assert words.at(moment("2025-03-30 02:10", DAY), now) == "02:10 on 30 March"
    assert words.at(moment("2026-01-02 23:00", DAY), now) == "23:00 on 2 January 2026"


def test_what_contradicts_itself_stands_above_all() -> None:
    """Before any figure that it may have made wrong."""
    lines = words.lines(found("14:00", *IN, "13:00 back-from-hospital"))
    assert lines[0].startswith("LOOK: An entry says 'back-from-hospital'")
    assert lines[1] == "At the station since 10:00."


def test_each_span_is_told_with_its_reason_and_source() -> None:
    """What counts and what does not."""
    lines = words.lines(found("14:00", *IN, "11:00 left-for-hospital", "13:00 back-from-hospital"))
    assert "  11:00 to 13:00: in hospital or on the way, does not count (PACE 1984 s.41(6))" in lines
    assert "  13:00 to now: in detention, counts (PACE 1984 s.41(1))" in lines


def test_who_may_extend_is_told_with_why_not_yet() -> None:
    """And nothing of it once the person is charged."""
    lines = words.lines(found("14:00", *IN))
    assert any(
        "Superintendent's extension: not now. 2 reviews must have been carried out; 0 have been." in one
        for one in lines
    )
    assert any("Warrant of further detention: a magistrates' court may now, if " in one for one in lines)
    assert not any("extension" in one for one in words.lines(found("14:00", *IN, "12:00 charged")))
    assert words.may_extend(found("14:00", *IN)) == "have it extended by a magistrates' court"
    assert words.may_extend(found("14:00", *IN, "12:00 charged")) == "nobody may extend it now"


def test_bail_is_told_while_it_runs() -> None:
    """With who may extend it."""
    bailed = (
        "Bail before charge until the end of 14 April 2025 (3 months); an inspector or above may extend it to 6 months"
    )
    assert f"{bailed}." in words.lines(found("14:00", *IN, "12:00 bailed"))
    assert not any(one.startswith("Bail") for one in words.lines(found("14:00", *IN)))


def test_nobody_is_said_to_be_somewhere_before_they_came() -> None:
    """Arrested, and on the way."""
    assert words.where(found("09:50")) == "Not at a station yet."


def test_the_hour_that_comes_twice_says_which_of_them() -> None:
    """Of two half past ones in a night of October the reader must know which the limit is; no other hour says it."""
    night = date(2025, 10, 26)
    moments = [moment(text, night) for text in ("00:59", "01:30BST", "01:30GMT", "02:00")]
    assert [words.at(one, moments[0]) for one in moments] == ["00:59", "01:30 BST", "01:30 GMT", "02:00"]
    spring = date(2025, 3, 30)
    assert [words.at(moment(text, spring), moment("00:30", spring)) for text in ("00:59", "02:00")] == [
        "00:59",
        "02:00",
    ]
