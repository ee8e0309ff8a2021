"""Times, values, rules and doubts in words: nothing without words, and nothing that is not known left out."""

from typing import Annotated

import pytest

from schemas.ids import FieldName, MillisInt
from schemas.kinds import CustodyBooking, Resource, spec_of
from schemas.ops import Doubt
from schemas.policies import POLICIES
from sync.explain.values import DOUBT_WORDS, POLICY_WORDS, doubts, listed, moment, value

NOON = 1_700_049_600_000


def test_every_policy_has_words() -> None:
    """A policy that is added must be explained to an inspector; one that is gone must not be."""
    assert POLICY_WORDS.keys() == {policy.name for policy in POLICIES}
    assert all(words[0].islower() and words.endswith(".") for words in POLICY_WORDS.values())
    assert len(set(POLICY_WORDS.values())) == len(POLICIES)


def test_every_doubt_has_words() -> None:
    """Each flag is told; several are told together, and one of a newer program is not passed over."""
    assert set(DOUBT_WORDS) == set(Doubt)
    assert doubts(0) == []
    both = doubts(Doubt.SET_BACK | Doubt.AHEAD)
    assert both == [DOUBT_WORDS[Doubt.SET_BACK], DOUBT_WORDS[Doubt.AHEAD]]
    (unknown,) = doubts(1 << 20)
    assert "not known here" in unknown
    assert len(doubts(Doubt.SET_BACK | 1 << 20)) == 2


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (NOON, "2023-11-15T12:00:00Z"),
        (NOON + 999, "2023-11-15T12:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (2**53, f"{2**53} ms since 1970"),
    ],
)
def test_a_moment_is_told_in_utc(ms: int, words: str) -> None:
    """To the second, and whatever a device's clock dreams of."""
    assert moment(ms) == words


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (MillisInt, NOON, "2023-11-15T12:00:00Z"),
        (MillisInt | None, NOON, "2023-11-15T12:00:00Z"),
        (Annotated[MillisInt | None, "more"], NOON, "2023-11-15T12:00:00Z"),
        (MillisInt, NOON + 1, "2023-11-15T12:00:00.001Z"),
        (MillisInt, 2**53, f"{2**53} ms since 1970"),
        (int, NOON, str(NOON)),
        (str, "high", "high"),
        (str, "Grey van", "“Grey van”"),
        (str, "", "“”"),
        (bool, True, "yes"),
        (str | None, None, "nothing"),
        (tuple[str, ...], ["nuts", "latex"], "nuts and latex"),
        (tuple[str, ...] | None, [], "nothing"),
        (tuple[MillisInt, ...], [NOON], "2023-11-15T12:00:00Z"),
        (None, {"deep": [1, {"a": 2}]}, "1 and 2"),
        (None, {}, "nothing"),
        (None, 1.5, "1.5"),
    ],
)
def test_a_value_is_told_by_its_declared_type(kind: object, given: object, words: str) -> None:
    """A number is a moment where its field says so; what the type does not tell is shown as it came."""
    assert value(kind, given) == words


def test_declared_fields_are_told_with_their_parts() -> None:
    """Entries by their fields, moments in them as moments, a hold as a hold."""
    checks = spec_of(CustodyBooking).fields[FieldName("checks")].type
    told = value(checks, {"checked_at": NOON, "where": "M1", "response": "awake"})
    assert told == "checked at 2023-11-15T12:00:00Z, where M1, response awake"
    hold = spec_of(Resource).fields[FieldName("hold")].type
    assert value(hold, {"holder": "WM1"}) == "held for WM1"
    assert value(hold, {"holder": "WM1", "until": NOON}) == "reserved for WM1 until 2023-11-15T12:00:00Z"
    assert value(hold, {"odd": 1}) == "1"


def test_lists_are_told_as_people_say_them() -> None:
    """With an `and` before the last."""
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
