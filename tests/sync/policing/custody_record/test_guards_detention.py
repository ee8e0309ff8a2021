"""What is asked of whoever enters a step of a detention that lacks something, or contradicts what is there."""

from typing import Any

import pytest

from schemas.settings import DEFAULTS
from sync.merge import RecordState
from sync.policing.custody.clocks import of_booking
from sync.policing.custody.guards_detention import found
from sync.policing.rulebook import RuleError
from tests.sync.policing.custody_record.bookings import HOUR, ask, at, made, op, rules_against, step, written

IN = [step("arrival", 0), step("authorised", 10, reason="To question them.")]
FIRST = step("review", 6 * HOUR, rank="inspector", involved=False)
SECOND = step("review", 14 * HOUR, rank="inspector", involved=False)
EXTENSION = step("extension", 23 * HOUR, rank="superintendent", indictable=True, represented=True)
AWAY = step("left-for-hospital", 60)
OUT = step("bailed", 60)
EXTENDED = step("bail-extended", 90, rank="inspector", months=6)
WARRANT = step("warrant", 30 * HOUR, hours=36)


def held(*steps: dict[str, Any]) -> RecordState:
    """A person in detention, of whom these steps are recorded."""
    return made(detention=[*IN, *steps])


@pytest.mark.parametrize(
    ("state", "entry", "rule"),
    [
        (held(), FIRST | {"rank": "sergeant"}, "custody-review-not-counted"),
        (held(), FIRST | {"rank": None}, "custody-review-not-counted"),
        (held(), FIRST | {"involved": True}, "custody-review-not-counted"),
        (held(), FIRST | {"involved": None}, "custody-review-involved"),
        (held(), FIRST | {"at": at(7 * HOUR)}, "custody-review-late"),
        (held(FIRST), FIRST | {"at": at(6 * HOUR + 10)}, "custody-review-twice"),
        (held(FIRST), EXTENSION, "custody-extension"),
        (held(FIRST, SECOND), EXTENSION | {"rank": "inspector"}, "custody-extension"),
        (held(FIRST, SECOND), EXTENSION | {"represented": None}, "custody-extension"),
        (held(FIRST, SECOND), WARRANT | {"hours": None}, "custody-warrant"),
        (held(OUT), EXTENDED | {"rank": "sergeant"}, "custody-bail-extension"),
        (held(), step("back-from-hospital", 60), "custody-return-without-leaving"),
        (held(AWAY), step("arrival", 90), "custody-return-as-arrival"),
        (held(AWAY), step("transfer-left", 90), "custody-return-not-recorded"),
        (held(AWAY), step("questioned-in-hospital", 90), "custody-questioning-end"),
        (held(), step("at-hospital", 90), "custody-hospital-journey"),
        (held(), step("released", 41 * HOUR), "custody-time-to-come"),
        (held(), step("refused", 60, reason="Nothing to hold them on."), "custody-refused"),
    ],
)
def test_what_a_step_lacks_or_contradicts_is_asked_before_it_is_written(
    state: RecordState, entry: dict[str, Any], rule: str
) -> None:
    """With how to go on; a reason in the same change goes on, since a late or strange step may be true."""
    entry = {name: value for name, value in entry.items() if value is not None}
    # A release besides lacks its assessment, which is another rule's.
    others = {"custody-pre-release", "custody-grounds"}
    assert [one for one in rules_against(state, {"detention": [entry]}, minutes=40 * HOUR) if one not in others] == [
        rule
    ]
    reason = {"log": [{"text": "As the custody record of that night has it.", "overrides": rule}]}
    assert others.issuperset(rules_against(state, {"detention": [entry]} | reason, minutes=40 * HOUR))


@pytest.mark.parametrize(
    ("state", "entry"),
    [
        (held(), FIRST),
        (held(), FIRST | {"at": at(7 * HOUR), "reason": "In interview until then."}),
        (held(step("charged", 5 * HOUR)), {"what": "review", "at": at(6 * HOUR), "rank": "sergeant"}),
        (held(FIRST), SECOND),
        (held(FIRST, SECOND), EXTENSION),
        (held(FIRST, SECOND, EXTENSION), WARRANT),
        (held(), AWAY),
        (held(AWAY), step("back-from-hospital", 90)),
        (held(OUT), EXTENDED),
        (held(), step("charged", 40 * HOUR + 2)),
        (made(detention=IN[:1]), step("refused", 60, reason="Nothing to hold them on.")),
    ],
)
def test_a_step_that_fits_is_written(state: RecordState, entry: dict[str, Any]) -> None:
    """Nothing is asked of whoever says all that the Act asks for; a watch may stand two minutes ahead."""
    assert rules_against(state, {"detention": [entry]}, minutes=40 * HOUR) == []


def test_a_time_of_the_booking_that_is_still_to_come_is_asked_about() -> None:
    """Somebody mistyped the day; what the record said before is nobody's to answer for again."""
    state = made(detention=[])
    assert rules_against(state, {"arrived_at": at(27 * HOUR)}) == ["custody-time-to-come"]
    assert rules_against(state, {"arrived_at": at(50)}) == []
    wrong = written(state, op(2, {"arrived_at": at(27 * HOUR)}, minutes=30))
    assert found(wrong.build(), DEFAULTS, at(60))  # type: ignore[arg-type]  # it is a booking
    assert rules_against(wrong, {"detention": [step("authorised", 50, reason="To question them.")]}) == [
        "custody-risk-not-assessed",
        "custody-interpreter-undetermined",
    ]


def test_what_another_entry_lacks_is_not_asked_of_whoever_enters_the_next() -> None:
    """Nor is anything else in the record: each is asked of its own author, once."""
    state = held(FIRST | {"rank": "sergeant"})
    assert of_booking(state.build(), DEFAULTS.custody, at(8 * HOUR)).contradictions  # type: ignore[arg-type]
    assert rules_against(state, {"detention": [AWAY | {"at": at(7 * HOUR)}]}, minutes=8 * HOUR) == []
    assert rules_against(state, {"offence": "theft"}, minutes=8 * HOUR) == []


def test_the_words_say_what_is_wrong_and_how_to_go_on() -> None:
    """In an officer's words, with the source and that a reason goes on."""
    with pytest.raises(RuleError) as refused:
        ask(held(FIRST), {"detention": [EXTENSION]}, minutes=24 * HOUR)
    assert "only 1 of 2 reviews had been carried out (PACE 1984 s.42)." in str(refused.value)
    assert "Or give your reason for going on. [custody-extension:" in str(refused.value)
