"""The settings of care in custody: each is explained, and the force sets any of them by itself."""

import msgspec

from schemas.export import described
from schemas.settings import DEFAULTS, from_text
from schemas.settings.care import CareSettings


def test_every_setting_is_explained() -> None:
    """Whoever sets one can read what it does."""
    assert described(CareSettings)[1].keys() == {field.name for field in msgspec.structs.fields(CareSettings)}


def test_a_force_sets_one_and_keeps_the_others() -> None:
    """Level 2 every 15 minutes, all else as it was."""
    found = from_text('{"care": {"l2_check_ms": 900000}}')
    assert found.care == msgspec.structs.replace(DEFAULTS.care, l2_check_ms=900_000)


def test_the_defaults_fit_each_other() -> None:
    """A closer level is never checked less often, a rest fits in its day, a warning comes before the limit."""
    care = DEFAULTS.care
    assert care.l1_check_ms >= care.l2_check_ms >= care.l3_check_ms >= care.l4_check_ms > care.early_entry_ms
    assert care.rest_ms < care.day_ms == (care.main_meals + care.light_meals) * care.meal_every_ms
    assert max(care.place_of_safety_warn_ms) < care.place_of_safety_ms
    assert max(care.check_warn_ms) < care.l4_check_ms
    assert set(care.advice_delay_ranks) < set(care.informing_delay_ranks)
