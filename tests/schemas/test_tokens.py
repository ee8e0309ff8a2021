"""A token that only a newer program knows is kept, compared and shown as it is; what is no token is refused."""

from typing import Annotated

import msgspec
import pytest

from schemas.kinds.booking import Risk
from schemas.kinds.incident import Category, IncidentStatus
from schemas.kinds.resource import Category as Resources
from schemas.roles import Role
from schemas.tokens import Token, all_known


class Entry(msgspec.Struct, frozen=True):
    """An entry with a token in it."""

    risk: Risk | None
    note: str = ""


def test_an_unknown_token_is_kept_as_it_is() -> None:
    """Its value and name tell a reader what it is, and that this program does not know it."""
    found = Risk("very-high")
    assert (found.value, found.name, found.known) == ("very-high", "unknown: very-high", False)
    assert isinstance(found, Risk)
    assert "very-high" in repr(found)
    assert list(Risk) == [Risk.STANDARD, Risk.MEDIUM, Risk.HIGH]


def test_a_known_token_is_known() -> None:
    """Looking up an unknown one does not add it to the known."""
    assert all(risk.known for risk in Risk)
    assert not Risk("critical").known
    assert not Risk("critical").known
    assert Risk("high") is Risk.HIGH


def test_tokens_are_compared_by_value_within_their_enumeration() -> None:
    """Two readings of one unknown token are equal, also as a key; the same word of another enumeration is another."""
    assert Risk("critical") == Risk("critical")
    assert Risk("critical") != Risk("very-high")
    assert Risk("critical") != Risk.HIGH
    assert {Risk("critical"): 1}[Risk("critical")] == 1
    assert len({Risk("critical"), Risk("critical"), Risk.HIGH, Risk("high")}) == 2
    assert Resources("crime") != Category.CRIME
    assert Risk.HIGH != "high"


def test_a_known_token_stays_a_key() -> None:
    """Equality of its own must not cost it its hash."""
    assert {Risk.HIGH: "x"}[Risk("high")] == "x"
    assert hash(Risk("critical")) == hash(Risk("critical"))


@pytest.mark.parametrize(
    "value", ["", "Very High", "very high", "-x", "x" * 41, "x\n", 7, None, 1.5, ["high"]], ids=repr
)
def test_what_is_no_token_is_refused(value: object) -> None:
    """Only a slug can be a token: a mistyped value is a mistake and no later version's word."""
    with pytest.raises(ValueError, match="is not a valid Risk"):
        Risk(value)


@pytest.mark.parametrize("text", ["high", "very-high"])
def test_a_token_survives_the_way_there_and_back(text: str) -> None:
    """MessagePack and JSON decode it and encode it as it came."""
    for codec in (msgspec.msgpack, msgspec.json):
        raw = codec.encode({"risk": text, "note": "n"})
        entry = codec.decode(raw, type=Entry)
        assert entry.risk == Risk(text)
        assert codec.decode(codec.encode(entry)) == {"risk": text, "note": "n"}
    assert msgspec.to_builtins(Risk(text)) == text


def test_a_field_that_may_be_empty_takes_a_token_or_nothing() -> None:
    """`Risk | None` reads nil, a known and an unknown token, and nothing else."""
    optional = Annotated[Risk | None, msgspec.Meta(description="x")]
    read = [msgspec.convert(value, optional) for value in (None, "high", "critical")]
    assert read == [None, Risk.HIGH, Risk("critical")]
    for wrong in (5, "Not A Token", ["high"]):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, optional)


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (Risk.HIGH, True),
        (Risk("critical"), False),
        (Entry(Risk.HIGH), True),
        (Entry(None, "critical"), True),
        (Entry(Risk("critical")), False),
        ((Entry(Risk.HIGH), Entry(Risk("critical"))), False),
        ((), True),
        ("critical", True),
        (None, True),
    ],
    ids=repr,
)
def test_an_unknown_token_is_found_wherever_it_is(value: object, known: bool) -> None:  # noqa: FBT001 - a parameter
    """On its own, in a Struct, in a tuple; text that looks like one is none."""
    assert all_known(value) is known


def test_every_enumeration_of_a_record_is_open() -> None:
    """A role too: an inbox item may name one that a newer server knows."""
    for enumeration in (Risk, IncidentStatus, Role):
        assert issubclass(enumeration, Token)
        assert not enumeration("added-later").known
