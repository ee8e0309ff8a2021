"""First contact, grading and the major incident report."""

import itertools

from schemas.kinds.call import Grade
from schemas.settings import DEFAULTS
from sync.policing.incidents import contact
from tests.sync.policing.incidents.cases import SIX, T0, answers, incident

SETTINGS = DEFAULTS.incidents
SEVEN = dict.fromkeys(
    ("major", "exact_location", "type", "hazards", "access", "casualties", "emergency_services"), "As told."
)


def test_vulnerability_is_asked_at_first_contact() -> None:
    """Vulnerability at first contact: caller and victim, each question, over several talks and however spelled."""
    first, *rest = answers(SETTINGS.vulnerability)
    people = [{"part": "caller", "name": "Robin Example"}, {"part": "witness", "name": "Kim Example"}]
    asked = [{"person": "robin  EXAMPLE", "answers": [first], "asked_at": T0}]
    assert list(contact.not_asked(incident(people=people), SETTINGS)) == ["Robin Example"]
    (missing,) = contact.not_asked(incident(people=people, first_contact=asked), SETTINGS).values()
    assert len(missing) == len(rest)
    asked.append({"person": "Robin Example", "answers": rest, "asked_at": T0})
    assert contact.not_asked(incident(people=people, first_contact=asked), SETTINGS) == {}


def test_grades_are_ordered_and_an_unknown_one_is_below_none() -> None:
    """What only a newer program knows may be graver than anything known here."""
    for (low, one), (high, other) in itertools.product(enumerate(contact.URGENCY), repeat=2):
        assert contact.less_urgent(one, other) is (low < high)
    assert contact.less_urgent(Grade.P1, Grade("graver-than-all"))
    assert not contact.less_urgent(Grade("graver-than-all"), Grade.P1)


def test_a_grade_leads_back_to_its_six_answers() -> None:
    """The last grading that gave the grade that stands; none when nobody has said."""
    p2, p1 = ({**SIX, "grade": grade, "graded_at": T0} for grade in ("p2", "p1"))
    assert contact.grading(incident(grade="p1")) is None
    held = contact.grading(incident(grade="p1", gradings=[p1, p2]))
    assert held is not None
    assert held.grade is Grade.P1


def test_the_latest_whole_report_from_the_scene_is_shown() -> None:
    """By when it was made at the scene, not by when it was recorded."""
    late, early = ({**SEVEN, "hazards": text, "at": T0 + n} for n, text in ((5, "Gas."), (1, "None.")))
    shown = contact.methane(incident(methane=[late, early]))
    assert shown is not None
    assert shown.hazards == "Gas."
    assert contact.methane(incident()) is None
