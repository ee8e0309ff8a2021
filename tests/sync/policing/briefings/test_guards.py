"""What a briefing's author is asked before it is written."""

from typing import Any

import pytest

from schemas.ids import FieldName, Millis, OfficerId
from schemas.kinds import Briefing
from sync.policing.briefings.dues import dues
from sync.policing.briefings.guards import GUARDS
from sync.policing.guards import Look, breaches
from sync.policing.rulebook import GUARDS as ALL
from sync.policing.timetable import TIMETABLE


def rules(*sets: str, **says: Any) -> list[str]:  # noqa: ANN401  any field
    """The rules that are against a change that sets these fields, in a briefing that says so."""
    after = Briefing(**{"title": "x", "body": "y", "audience": ("force",), "issued_at": 1, **says})
    changes = {FieldName(name): getattr(after, name) for name in sets or says}
    look = Look(
        before=None,
        after=after,
        changes=changes,
        author=OfficerId("WM1"),
        roles=None,
        now=Millis(1),
        occurred_at=Millis(1),
    )
    return [one.rule for one in breaches(GUARDS, look)]


@pytest.mark.parametrize(
    ("says", "against"),
    [
        ({"valid_from": 5, "expires_at": 6, "review_at": 6}, []),
        ({"valid_from": 5, "expires_at": 5}, ["briefing-validity"]),
        ({"expires_at": 5, "review_at": 6}, ["briefing-review"]),
        ({"valid_from": 9, "expires_at": 5, "review_at": 6}, ["briefing-validity", "briefing-review"]),
        ({"valid_from": 9}, []),
    ],
)
def test_its_times_make_sense(says: dict[str, Any], against: list[str]) -> None:
    """It begins before it runs out, and is reviewed before that."""
    assert rules(**says) == against


def test_who_changes_something_else_is_not_asked() -> None:
    """What another author or an older program left is no reason to refuse a correction of the text."""
    assert rules("title", valid_from=9, expires_at=5) == []


def test_it_is_asked_wherever_a_briefing_is_written() -> None:
    """The rulebook names it, and the timetable what falls due."""
    assert ALL["briefing"] == GUARDS
    assert TIMETABLE["briefing"] == (dues,)
