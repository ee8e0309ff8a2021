"""The reference of the force's settings: every key with its default and meaning, and not stale."""

import tomllib

import pytest

from schemas.settings import DEFAULTS
from schemas.settings.overriding import settings_of
from server.settings_page import PAGE, in_units, meanings, page, shown_below

SUBJECTS = DEFAULTS.__struct_fields__


def test_the_page_is_what_the_types_say() -> None:
    """When this fails, run `python -m server.settings_page`."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_setting_has_a_row_and_a_meaning(subject: str) -> None:
    """No key without a sentence, no sentence without its key, and a row for each with its default."""
    section = getattr(DEFAULTS, subject)
    told = meanings(type(section))
    assert set(told) == set(section.__struct_fields__)
    part = page().partition(f"## `[policing.{subject}]`")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in part.splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == list(section.__struct_fields__)
    for _, takes, default, meaning in rows:
        assert takes.strip()
        assert default.strip()
        assert len(meaning) > 12


def test_every_table_of_the_page_can_be_copied() -> None:
    """What it shows as an example is taken; what it shows as a default is the default."""
    example, *defaults = (part.partition("```")[0] for part in page().split("```toml\n")[1:])
    changed = settings_of(tomllib.loads(example)["policing"])
    assert changed != DEFAULTS
    assert defaults
    for text in defaults:
        for subject, table in tomllib.loads(text)["policing"].items():
            assert set(table) == dict(shown_below(getattr(DEFAULTS, subject))).keys()
            assert settings_of({subject: table}) == DEFAULTS


def test_a_period_is_told_in_its_largest_unit() -> None:
    """As people say it."""
    told = [in_units(ms) for ms in (0, 1_000, 90_000, 60_000, 5_400_000, 86_400_000, 172_800_000, -300_000, 7)]
    assert told == ["0", "1 s", "90 s", "1 min", "90 min", "24 h", "2 days", "-5 min", "7"]
