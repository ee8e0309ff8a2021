"""Which warnings there are, which have come, and what an alarm says: the rules that server and handheld share."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis, RecordId, named_record_id
from schemas.kinds import Acknowledgement, Alarm, CustodyBooking, Escalation, InboxItem, Kind, spec_of
from schemas.roles import Role
from schemas.settings import DEFAULTS, Settings
from sync import merge
from sync.policing import alarms
from sync.policing.due import LATE_MS_MAX, Due, Moment, What, come, moments, next_moment
from sync.policing.timetable import TIMETABLE, inbox_dues, moments_of
from tests.examples import BOOKING, LEAST, op

SUBJECT = named_record_id("due", "subject")
MINUTE = 60_000
AT = Millis(1_790_000_000_000)


def due(at: int = AT, key: str = "", what: What = What.REVIEW, warn_ms: tuple[int, ...] = (60, 30, 0)) -> Due:
    """Something that falls due."""
    return Due(
        what=what,
        key=key,
        at=Millis(at),
        warn_ms=tuple(minutes * MINUTE for minutes in warn_ms),
        roles=(Role.REVIEWING_OFFICER,),
        then=(Role.SUPERINTENDENT,),
        within_ms=15 * MINUTE,
        words="Review it.",
        source="an invented rule",
    )


def named(found: Iterable[Moment]) -> list[int]:
    """How many minutes before."""
    return [one.warn_ms // MINUTE for one in found]


def test_every_warning_has_a_name_of_its_own_that_its_parts_alone_decide() -> None:
    """Another record, thing, key, time, warning or role is another alarm; the words are not."""
    base = moments(SUBJECT, [due()])
    others = [
        *moments(named_record_id("due", "other"), [due()]),
        *moments(SUBJECT, [due(AT + 1), due(key="Sam Example"), due(what=What.CHECK)]),
    ]
    names = [one.alarm for one in (*base, *others)]
    assert len(names) == len(set(names)) == 15
    again = moments(SUBJECT, [due()])
    assert [one.alarm for one in again] == [one.alarm for one in base]
    assert [one.at for one in base] == [AT - 60 * MINUTE, AT - 30 * MINUTE, AT]


@pytest.mark.parametrize(
    ("minutes", "known", "expected"),
    [
        (-61, (), []),
        (-60, (), [60]),
        (-31, (), [60]),
        (-30, (), [30]),
        (-30, (60,), [30]),
        (0, (), [0]),
        (500, (60,), [0]),
        (-10, (30,), []),
        (-40, (30,), []),
        (-40, (0,), []),
        (10, (0,), []),
    ],
)
def test_the_last_warning_that_has_come_is_given_unless_it_or_a_later_one_was(
    minutes: int, known: tuple[int, ...], expected: list[int]
) -> None:
    """Whoever is told that it is overdue need not be told that it will be due; a clock set back undoes nothing."""
    found = moments(SUBJECT, [due()])
    given_before = {one.alarm for one in found if one.warn_ms // MINUTE in known}
    assert named(come(found, Millis(AT + minutes * MINUTE), given_before)) == expected


def test_two_things_in_one_record_are_warned_of_apart() -> None:
    """Each victim has a risk assessment of their own."""
    found = moments(SUBJECT, [due(key="Ann"), due(key="Bob", at=AT + MINUTE)])
    now = Millis(AT)
    assert sorted((one.due.key, one.warn_ms // MINUTE) for one in come(found, now, ())) == [("Ann", 0), ("Bob", 30)]


def test_what_was_overdue_for_a_week_wakes_nobody() -> None:
    """To the millisecond; a warning that is given after the time has its week too."""
    found = moments(SUBJECT, [due(warn_ms=(0,))])
    assert named(come(found, Millis(AT + LATE_MS_MAX - 1), ())) == [0]
    assert come(found, Millis(AT + LATE_MS_MAX), ()) == []
    later = moments(SUBJECT, [due(warn_ms=(-120,))])
    assert named(come(later, Millis(AT + LATE_MS_MAX + 60 * MINUTE), ())) == [-120]


@given(now=st.integers(-200, 200), warn=st.lists(st.integers(-100, 100), min_size=1, max_size=5, unique=True))
def test_the_next_moment_is_the_first_that_has_not_come(now: int, warn: list[int]) -> None:
    """Nothing that is to come is passed by, and nothing that has come is waited for."""
    found = moments(SUBJECT, [due(warn_ms=tuple(warn))])
    at = Millis(AT + now * MINUTE)
    left = [one.at for one in found if one.at > at]
    assert next_moment(found, at) == (min(left) if left else None)
    assert all(one.at <= at for one in come(found, at, ()))


# --- alarms ----------------------------------------------------------------------------------------------------------


def booking() -> merge.RecordState:
    """A booking."""
    made = op(1, BOOKING, "custody-booking", LEAST["custody-booking"], create=True)
    return merge.apply(merge.new_state(made, spec_of(CustodyBooking)), made)


def raised() -> Alarm:
    """An alarm of it."""
    (moment,) = moments(BOOKING, [due(warn_ms=(0,))])
    built = alarms.SPEC.build(alarms.values(booking(), moment, AT))
    assert isinstance(built, Alarm)
    return built


def test_an_alarm_says_what_its_due_time_says_and_where_its_subject_is() -> None:
    """The name that its values lead to is the moment's."""
    (moment,) = moments(BOOKING, [due(warn_ms=(0,))])
    values = alarms.values(booking(), moment, AT)
    assert alarms.SPEC.named is not None
    assert alarms.SPEC.named(values) == moment.alarm
    alarm = raised()
    assert (alarm.subject_kind, alarm.places) == ("custody-booking", ("suite:perry-barr",))
    assert alarm.scopes() == {"suite:perry-barr", "suite:perry-barr:inbox"}


def test_each_level_comes_after_as_long_again_and_once() -> None:
    """Until somebody takes it up, or it is over."""
    alarm = msgspec.structs.replace(raised(), then=(Role.SUPERINTENDENT, Role.CONTROL_ROOM))
    within = alarm.within_ms
    assert alarms.next_level(alarm) == AT + within
    assert alarms.missed(alarm, Millis(AT + within - 1)) == []
    first = alarms.missed(alarm, Millis(AT + within))
    assert first == [Escalation(to=Role.SUPERINTENDENT, overdue_ms=0)]
    asked = msgspec.structs.replace(alarm, escalations=tuple(first))
    assert alarms.next_level(asked) == AT + 2 * within
    assert [one.to for one in alarms.missed(asked, Millis(AT + 5 * within))] == [Role.CONTROL_ROOM]
    ends: list[dict[str, object]] = [{"acknowledged": (Acknowledgement(),)}, {"over_at": AT}]
    for ended in ends:
        over = msgspec.structs.replace(asked, **ended)
        assert (over.open, alarms.next_level(over), alarms.missed(over, Millis(AT + 5 * within))) == (False, None, [])


def test_an_alarm_is_over_when_nothing_warns_of_that_any_more() -> None:
    """A due time that moved is another one."""
    found = moments(BOOKING, [due()])
    waiting = {found[0].alarm: raised(), RecordId("01890a5d-ac96-874b-8cce-b302099a8057"): raised()}
    assert alarms.no_longer_due(found, waiting) == ["01890a5d-ac96-874b-8cce-b302099a8057"]
    assert alarms.no_longer_due(moments(BOOKING, [due(AT + 1)]), waiting) == list(waiting)


# --- the timetable ---------------------------------------------------------------------------------------------------


def test_a_rule_that_fails_is_reported_and_silences_no_other() -> None:
    """With the record that it failed on."""
    said: list[str] = []

    def broken(_record: Kind, _settings: Settings, _now: Millis) -> list[Due]:
        raise ZeroDivisionError

    def works(_record: Kind, _settings: Settings, _now: Millis) -> list[Due]:
        return [due()]

    table = {"custody-booking": (broken, works)}
    found = moments_of(booking(), DEFAULTS, AT, lambda error, where: said.append(f"{error!r} {where}"), table)
    assert named(found) == [60, 30, 0]
    assert said == [f"ZeroDivisionError() custody-booking {BOOKING}"]


def test_a_decision_that_is_overdue_is_among_the_alarms_until_it_is_made() -> None:
    """At its time, for those who decide; nobody else is named: the item itself asks more people."""
    item = spec_of(InboxItem).build({**LEAST["inbox-item"], "due_at": AT})  # type: ignore[dict-item]  # names of fields
    (found,) = inbox_dues(item, DEFAULTS, AT)
    assert (found.what, found.at, found.roles, found.then) == (What.INBOX, AT, (Role.CUSTODY_OFFICER,), ())
    ended = spec_of(InboxItem).build({**LEAST["inbox-item"], "ended_by": "hh-1/4"})  # type: ignore[dict-item]  # as above
    assert inbox_dues(ended, DEFAULTS, AT) == []
    assert inbox_dues(booking().build(), DEFAULTS, AT) == []


def test_the_timetable_names_kinds_that_there_are() -> None:
    """A rule for a kind that is spelled wrong would never be asked."""
    assert {"briefing", "custody-booking", "inbox-item"} <= TIMETABLE.keys()
    for kind, rules in TIMETABLE.items():
        assert rules, kind
        assert moments_of(booking(), DEFAULTS, AT, _fails, {"custody-booking": rules}) is not None


def _fails(error: Exception, where: str) -> None:
    raise AssertionError(where) from error
