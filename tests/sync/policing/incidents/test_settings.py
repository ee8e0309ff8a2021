"""The force's lists and question sets: whole, without repetition, and small enough for the record that carries them."""

import msgspec
import pytest

from schemas.kinds.call import Grade
from schemas.limits import OP_TEXT_CHARS_MAX
from schemas.settings import DEFAULTS, as_text
from schemas.settings.questions import QuestionSet

SETTINGS = DEFAULTS.incidents
SETS = (*SETTINGS.abuse_sets, SETTINGS.vulnerability, SETTINGS.child_protection)


@pytest.mark.parametrize("asked", SETS, ids=lambda asked: asked.name)
def test_a_question_is_asked_once_and_fits_in_the_answers(asked: QuestionSet) -> None:
    """Ids differ, and an entry can hold an answer to each."""
    assert len(asked.ids) == len(asked.questions) <= 64


def test_no_question_has_a_weight() -> None:
    """Never auto-scored: a set has nothing to add up."""
    assert [field.name for field in msgspec.structs.fields(type(SETS[0].questions[0]))] == ["id", "text"]


def test_the_lists_name_each_code_once() -> None:
    """A code means one thing."""
    lists = (SETTINGS.qualifiers, SETTINGS.closing_codes, SETTINGS.crime_types, SETTINGS.cancellation_codes)
    for codes in lists:
        assert len({code.code for code in codes}) == len(codes)
    assert [one.code for one in SETTINGS.unit_codes] == list(range(12))
    assert [one.code for one in SETTINGS.cancellation_codes] == ["c1", "c2", "c3", "c4", "c5"]


def test_what_the_settings_name_of_each_other_is_there() -> None:
    """Grades, the qualifier of domestic abuse and the sorts for the registrar are in their lists."""
    assert {target.grade for target in SETTINGS.attendance} <= {str(grade.value) for grade in Grade}
    assert SETTINGS.abuse_qualifier in {code.code for code in SETTINGS.qualifiers}
    assert set(SETTINGS.registrar_only) <= {code.code for code in SETTINGS.crime_types}


def test_the_defaults_leave_room_in_their_record() -> None:
    """All settings travel in one record; a force that adds to the lists must not be at its limit from the first."""
    assert len(as_text(DEFAULTS)) < OP_TEXT_CHARS_MAX * 3 // 4
