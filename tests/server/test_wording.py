"""A body that is not understood is told in words: what, where, and a form that would do."""

import msgspec
import pytest

from server.http.administration import GrantActs, OrganisationActs
from server.http.wording import in_words

GIVEN = '{"acts":[{"t":"assigned","officer":"WM1","scope":"area:b"'


@pytest.mark.parametrize(
    ("of", "body", "words"),
    [
        (GrantActs, GIVEN + "}]}", "`acts[0].why` is missing: say it"),
        (GrantActs, GIVEN + ',"why":""}]}', "`acts[0].why` is empty: say something"),
        (GrantActs, GIVEN + f',"why":"{"x" * 9_999}"}}]}}', "`acts[0].why` is too long: give at most 1000"),
        (GrantActs, GIVEN + ',"why":"x","for":1}]}', "there is no `acts[0].for`"),
        (GrantActs, '{"acts":[{"t":"posted","officer":"W M"}]}', "as in WM21877"),
        (GrantActs, '{"acts":[]}', "`acts` is empty"),
        (GrantActs, "{}", "`acts` is missing"),
        (GrantActs, '{"acts":', "truncated"),
        (
            OrganisationActs,
            '{"acts":[{"t":"unit-added","unit":"BadName"}]}',
            "`acts[0].unit` has not its form",
        ),
    ],
)
def test_what_is_wrong_is_told_in_words(of: type[msgspec.Struct], body: str, words: str) -> None:
    """No expression and no type of a language is in it; what has no words here is told as it is."""
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(body, type=of)
    told = in_words(caught.value)
    assert words in told
    assert "regex" not in told
    assert "$" not in told


@pytest.mark.parametrize("text", ["", "Expected `str`, got `int` - at `$.a`", "anything\nat all - at `$`"])
def test_what_is_not_known_is_told_as_it_is(text: str) -> None:
    """Whatever a later decoder says."""
    assert in_words(ValueError(text)) == text
