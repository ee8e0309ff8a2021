"""What a field takes and can read follows from its declaration: value, list of entries, or tags to add and remove."""

from typing import Any

import pytest

from schemas.ids import FieldName
from schemas.kinds import KINDS
from schemas.limits import ENTRIES_PER_OP_MAX

CHECK = {"checked_at": 5, "where": "m7", "response": "awake"}
TAG = {"warning": "violent"}
LISTS = 'expected a map with the lists "add" and "remove"'


def field(name: str) -> Any:  # noqa: ANN401 - a FieldSpec; typed by its use
    """A field of a custody booking."""
    return KINDS["custody-booking"].fields[FieldName(name)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risk", "high"),
        ("risk", None),
        ("risk", "added-later"),
        ("status", "court"),
        ("arrested_at", 0),
        ("medication", ["insulin"]),
        ("medication", None),
        ("checks", [CHECK]),
        ("checks", [{**CHECK, "response": "added-later"}]),
        ("log", [{"text": "x"}] * ENTRIES_PER_OP_MAX),
        ("markers", {"add": [TAG]}),
        ("markers", {"remove": [TAG]}),
        ("markers", {"add": [TAG], "remove": [TAG, TAG]}),
    ],
    ids=str,
)
def test_what_fits_a_field_has_no_problem(name: str, value: object) -> None:
    """A token that only a newer program knows fits too: it is kept."""
    assert field(name).problem(value) is None


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("risk", 5, "Expected `str | null`"),
        ("risk", "Not A Token", "Invalid enum value"),
        ("status", None, "Expected `str`"),
        ("arrested_at", -1, "Expected `int` >= 0"),
        ("medication", "insulin", "Expected `array | null`"),
        ("medication", [""], "Expected `str` of length >= 1"),
        ("checks", CHECK, "expected a list of entries to append"),
        ("checks", [], "expected a list of entries to append"),
        ("checks", [{"where": "m7"}], "missing required field"),
        ("log", [{"text": "x"}] * (ENTRIES_PER_OP_MAX + 1), f"at most {ENTRIES_PER_OP_MAX} at once"),
        ("markers", [TAG], LISTS),
        ("markers", {}, LISTS),
        ("markers", {"set": [TAG]}, LISTS),
        ("markers", {"add": [TAG], "drop": []}, LISTS),
        ("markers", {"add": []}, "add: expected a list of tags"),
        ("markers", {"add": [TAG], "remove": []}, "remove: expected a list of tags"),
        ("markers", {"add": TAG}, "add: expected a list of tags"),
        ("markers", {"remove": [{"source": "x"}]}, "missing required field `warning`"),
        ("markers", {"add": [TAG] * (ENTRIES_PER_OP_MAX + 1)}, f"at most {ENTRIES_PER_OP_MAX} at once"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_does_not_fit_is_told_in_words(name: str, value: object, wrong: str) -> None:
    """The text says what the field takes."""
    problem = field(name).problem(value)
    assert problem is not None
    assert wrong in problem


@pytest.mark.parametrize(
    ("name", "value", "reads"),
    [
        ("risk", "high", True),
        ("risk", None, True),
        ("risk", "added-later", False),
        ("risk", 5, False),
        ("status", "added-later", False),
        ("checks", [CHECK], True),
        ("checks", [CHECK, {**CHECK, "response": "added-later"}], False),
        ("checks", CHECK, False),
        ("markers", {"add": [TAG], "remove": [TAG]}, True),
        ("markers", {"add": [TAG], "remove": ["violent"]}, False),
        ("medication", ["insulin"], True),
    ],
    ids=str,
)
def test_a_program_reads_what_has_the_form_and_no_unknown_token(name: str, value: object, reads: bool) -> None:  # noqa: FBT001 - a parameter
    """One unknown token anywhere in a change, or another form, and the change is for a newer program."""
    assert field(name).reads(value) is reads


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"value": 3, "reason": "film"}, {"value": 3, "reason": "witness"}, True),
        ({"value": 3, "reason": "film"}, {"value": 4, "reason": "film"}, False),
        ({"value": 3, "reason": "film"}, None, False),
        (None, None, True),
    ],
    ids=str,
)
def test_two_decisions_are_the_same_by_what_they_decide(one: object, other: object, same: bool) -> None:  # noqa: FBT001 - a parameter
    """Whatever the reasons: people who agree need not be asked again."""
    decision = KINDS["inbox-item"].fields[FieldName("decision")]
    assert decision.same(one, other) is same


def test_values_without_declared_parts_are_compared_whole() -> None:
    """Elsewhere a difference anywhere is a difference."""
    hold = KINDS["resource"].fields[FieldName("hold")]
    assert not hold.same({"holder": "x"}, {"holder": "x", "until": 5})
    assert hold.same({"holder": "x"}, {"holder": "x"})
