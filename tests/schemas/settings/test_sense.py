"""Settings of the right kind that no force can mean, each found with its key; and what forces may well mean."""

from typing import Any

import msgspec
import pytest

from schemas.settings import DEFAULTS, Settings
from schemas.settings.incidents import Code, GradeTarget, Guide
from schemas.settings.questions import Question, QuestionSet
from schemas.settings.sense import MS_MAX, QUESTIONS_MAX, find_nonsense

HOUR = 60 * 60_000


def changed(subject: str, **values: Any) -> Settings:  # noqa: ANN401  of the types that the keys declare
    """The defaults with these values of one subject."""
    section = msgspec.structs.replace(getattr(DEFAULTS, subject), **values)
    return msgspec.structs.replace(DEFAULTS, **{subject: section})


def test_the_defaults_can_be_gone_by() -> None:
    """No rule finds anything in them."""
    assert list(find_nonsense(DEFAULTS)) == []


PERIODS = [
    (subject, name)
    for subject in DEFAULTS.__struct_fields__
    for name in getattr(DEFAULTS, subject).__struct_fields__
    if name.endswith("_ms")
]


@pytest.mark.parametrize(("subject", "name"), PERIODS)
@pytest.mark.parametrize("value", [-1, 6, MS_MAX + 1])
def test_no_period_is_negative_too_short_or_too_long(subject: str, name: str, value: int) -> None:
    """Hours written where milliseconds belong, and a zero too many, are found in every period there is."""
    given = (value,) if name.endswith("_warn_ms") else value
    assert f"{subject}.{name}" in {key for key, _ in find_nonsense(changed(subject, **{name: given}))}


@pytest.mark.parametrize(
    ("subject", "values", "key"),
    [
        ("custody", {"review_first_ms": 0}, "custody.review_first_ms"),
        ("custody", {"review_warn_ms": ()}, "custody.review_warn_ms"),
        ("custody", {"limit_warn_ms": (0, HOUR)}, "custody.limit_warn_ms"),
        ("custody", {"limit_warn_ms": (HOUR, HOUR)}, "custody.limit_warn_ms"),
        ("custody", {"limit_warn_ms": (0, -5_000)}, "custody.limit_warn_ms"),
        ("custody", {"detention_limit_ms": 37 * HOUR}, "custody.detention_limit_ms"),
        ("custody", {"extension_limit_ms": 97 * HOUR}, "custody.extension_limit_ms"),
        ("custody", {"warrant_hours_max": 0}, "custody.warrant_hours_max"),
        ("custody", {"reviews_before_extension": -1}, "custody.reviews_before_extension"),
        ("custody", {"review_rank": "majesty"}, "custody.review_rank"),
        ("custody", {"review_rank_charged": "majesty"}, "custody.review_rank_charged"),
        ("custody", {"bail_months": (3, 6)}, "custody.bail_ranks"),
        ("custody", {"bail_months": (3, 6, 6, 9, 12)}, "custody.bail_months"),
        ("custody", {"bail_months": (), "bail_ranks": ()}, "custody.bail_months"),
        ("care", {"intimate_search_ranks": ()}, "care.intimate_search_ranks"),
        ("care", {"advice_delay_ranks": ("majesty",)}, "care.advice_delay_ranks"),
        ("care", {"rest_ms": 25 * HOUR}, "care.rest_ms"),
        ("care", {"strip_search_people_min": 0}, "care.strip_search_people_min"),
        ("care", {"secure_accommodation_age": 19}, "care.secure_accommodation_age"),
        ("care", {"released_without_assessment": ("escape",)}, "care.released_without_assessment"),
        ("incidents", {"qualifiers": ()}, "incidents.qualifiers"),
        ("incidents", {"abuse_sets": ()}, "incidents.abuse_sets"),
        ("incidents", {"abuse_qualifier": "abuse"}, "incidents.abuse_qualifier"),
        ("incidents", {"registrar_only": ("rap",)}, "incidents.registrar_only"),
        ("incidents", {"attendance": (GradeTarget("p9", HOUR),)}, "incidents.attendance"),
        ("incidents", {"attendance": (GradeTarget("p1", 0),)}, "incidents.attendance"),
        ("incidents", {"closing_codes": (Code("a", "A"), Code("a", "B"))}, "incidents.closing_codes"),
        ("incidents", {"repeat_months": 0}, "incidents.repeat_months"),
        ("incidents", {"guides": (Guide(when="crme", fields=()),)}, "incidents.guides"),
        ("incidents", {"guides": (Guide(when="crime", fields=("loction",)),)}, "incidents.guides"),
        ("powers", {"search_objects": ()}, "powers.search_objects"),
        ("powers", {"grid_metres": 0}, "powers.grid_metres"),
        ("briefings", {"public_never": ("sexual-offence",)}, "briefings.public_never"),
        ("briefings", {"public_least": 0}, "briefings.public_least"),
        ("briefings", {"public_categories": ("crimes",)}, "briefings.public_categories"),
    ],
)
def test_what_no_force_can_mean_is_found(subject: str, values: dict[str, object], key: str) -> None:
    """By its key, and with more words than the key has."""
    found = dict(find_nonsense(changed(subject, **values)))
    assert len(found[key]) > 15


@pytest.mark.parametrize(
    ("subject", "values"),
    [
        ("custody", {"review_first_ms": 5 * HOUR, "bail_arrest_pause_ms": 0, "reviews_before_extension": 0}),
        ("custody", {"bail_months": (28,), "bail_ranks": ("inspector",)}),
        ("care", {"check_warn_ms": (0, -HOUR), "late_entry_ms": 0, "same_note_ms": 0, "main_meals": 3}),
        ("care", {"advice_delay_ranks": (), "strip_search_ranks": ("inspector",)}),
        ("incidents", {"registrar_only": (), "guides": (), "closing_code_needed": True}),
        ("briefings", {"public_categories": (), "marker_warn_ms": 0}),
    ],
)
def test_what_a_force_may_well_mean_is_taken(subject: str, values: dict[str, object]) -> None:
    """Stricter or laxer than the default, done without, or by fewer ranks: that is the force's to answer for."""
    assert list(find_nonsense(changed(subject, **values))) == []


@pytest.mark.parametrize("count", [0, QUESTIONS_MAX + 1])
def test_a_set_has_questions_and_no_more_than_an_entry_answers(count: int) -> None:
    """Of one without questions nothing can be asked, and of too long a one the answers cannot be kept."""
    asked = QuestionSet(name="long", version="1", questions=tuple(Question(f"q-{n}", "?") for n in range(count)))
    found = dict(find_nonsense(changed("incidents", vulnerability=asked)))
    assert "long 1" in found["incidents.vulnerability"]


def test_settings_that_no_handheld_could_take_are_found() -> None:
    """The record that carries them has a bound."""
    many = tuple(Code(f"code-{number}", "m" * 200) for number in range(100))
    assert "a handheld takes" in dict(find_nonsense(changed("incidents", closing_codes=many)))["incidents"]
