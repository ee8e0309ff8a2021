"""Officers in probation: what they are led through, and what a tutor has still to look at."""

from typing import Any

import msgspec
import pytest

from schemas.ids import Millis, OfficerId, OpId
from schemas.settings import DEFAULTS
from schemas.settings.incidents import Probation
from sync.policing.incidents.tutoring import guided, in_probation, unconfirmed
from tests.sync.policing.incidents.cases import LEAST, ROBIN, T0, assessment, incident
from tests.sync.policing.incidents.test_recording import state

SETTINGS = msgspec.structs.replace(
    DEFAULTS.incidents,
    probation=(Probation(officer=OfficerId("WM1")), Probation(officer=OfficerId("WM2"), until=Millis(T0 + 1_000))),
)
LOG: dict[str, Any] = {"log": [{"text": "Seen."}]}


def confirms(op: str) -> dict[str, Any]:
    """A confirmation of a change."""
    return {"confirmations": [{"op": op}]}


def test_a_new_officers_entries_are_marked_until_a_tutor_confirms() -> None:
    """Guided forms for new officers with tutor confirmation: by change, by somebody else who is no new officer."""
    made = ("WM1", LEAST)
    assert unconfirmed(state(1, made, ("WM9", LOG)), SETTINGS) == (OpId("hh-wm1/1"),)
    assert unconfirmed(state(1, made, ("WM1", LOG)), SETTINGS) == (OpId("hh-wm1/1"), OpId("hh-wm1/2"))
    assert unconfirmed(state(1, made, ("WM9", confirms("hh-wm1/1"))), SETTINGS) == ()


@pytest.mark.parametrize(("by", "of"), [("WM1", "hh-wm1/1"), ("WM2", "hh-wm1/1"), ("WM9", "hh-wm9/7")])
def test_what_is_no_tutors_confirmation_does_not_count(by: str, of: str) -> None:
    """Not one's own, not another new officer's, not of another change."""
    assert unconfirmed(state(1, ("WM1", LEAST), (by, confirms(of))), SETTINGS) == (OpId("hh-wm1/1"),)


def test_a_probation_ends() -> None:
    """What is written afterwards needs nobody; collar numbers are compared without regard to capitals."""
    assert in_probation("wm2", Millis(T0 + 999), SETTINGS)
    assert not in_probation("WM2", Millis(T0 + 1_000), SETTINGS)
    assert in_probation("WM1", Millis(2**50), SETTINGS)
    assert not in_probation("WM9", Millis(T0), SETTINGS)


def test_a_new_officer_is_led_through_what_is_missing() -> None:
    """By category and by qualifier, in the order of the force's guide, without what is there."""
    assert guided(incident(category="administration"), SETTINGS) == ()
    abuse: dict[str, Any] = {"qualifiers": ["domestic-abuse"], "abuse_victims": [ROBIN], "location": "Larch Row"}
    assert guided(incident(**abuse), SETTINGS) == ("assessments", "people", "first_contact")
    assert guided(incident(**abuse, assessments=[assessment(ROBIN)]), SETTINGS) == ("people", "first_contact")


def test_every_guide_names_fields_that_there_are() -> None:
    """A guide to a field that does not exist would lead nowhere."""
    names = {name.replace("-", "_") for guide in SETTINGS.guides for name in guide.fields}
    assert names <= set(type(incident()).__struct_fields__)
