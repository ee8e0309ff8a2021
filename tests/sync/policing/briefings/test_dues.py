"""What falls due in a briefing: its end and its review, told to a supervisor; nothing of one that was withdrawn."""

from typing import Any

import msgspec

from schemas.ids import Millis
from schemas.kinds import Briefing, ForceSettings
from schemas.roles import Role
from schemas.settings import DEFAULTS
from sync.policing.briefings.dues import EXPIRY, REVIEW, dues
from sync.policing.due import What

NOW = Millis(1_790_000_000_000)
HOUR = 3_600_000


def briefing(**more: Any) -> Briefing:  # noqa: ANN401  any field
    """A briefing."""
    return Briefing(**{"title": "Grey van", "body": "y", "audience": ("force",), "issued_at": NOW, **more})


def test_its_end_and_its_review_fall_due() -> None:
    """Each at its time, told before and at that moment, to a supervisor and then to the control room."""
    found = dues(briefing(expires_at=NOW + 9 * HOUR, review_at=NOW + 2 * HOUR), DEFAULTS, NOW)
    assert {one.key: one.at for one in found} == {EXPIRY: NOW + 9 * HOUR, REVIEW: NOW + 2 * HOUR}
    for one in found:
        assert (one.what, one.roles, one.then) == (What.BRIEFING_EXPIRY, (Role.SUPERVISOR,), (Role.CONTROL_ROOM,))
        assert "Grey van" in one.words
        assert one.warn_ms[-1] == 0


def test_what_is_overdue_stays_due() -> None:
    """Nobody has looked at it: time alone settles nothing."""
    assert [one.key for one in dues(briefing(review_at=NOW - HOUR), DEFAULTS, NOW)] == [REVIEW]


def test_what_has_no_end_or_was_withdrawn_is_not_due() -> None:
    """Nor is a review after the end; nor any other kind of record."""
    assert dues(briefing(), DEFAULTS, NOW) == []
    assert dues(briefing(expires_at=NOW + 1, review_at=NOW, withdrawn=True), DEFAULTS, NOW) == []
    assert [one.key for one in dues(briefing(expires_at=NOW + 1, review_at=NOW + 1), DEFAULTS, NOW)] == [EXPIRY]
    assert dues(ForceSettings(body="{}"), DEFAULTS, NOW) == []


def test_when_somebody_is_told_is_the_forces() -> None:
    """The settings decide how long before, and how long there is to acknowledge."""
    own = msgspec.structs.replace(DEFAULTS.briefings, expiry_warn_ms=(5, 0), acknowledge_ms=7)
    (one,) = dues(briefing(expires_at=NOW + HOUR), msgspec.structs.replace(DEFAULTS, briefings=own), NOW)
    assert (one.warn_ms, one.within_ms) == ((5, 0), 7)
