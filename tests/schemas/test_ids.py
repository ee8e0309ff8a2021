"""Ids have one written form each, no other passes, and made ones are valid UUIDs that depend on what they should."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas import ids
from schemas.ids import DeviceId, Millis, OpId, OpNumber, new_record_id, op_id, split_op_id
from schemas.limits import INT_MAX

GOOD: dict[str, tuple[Any, list[str]]] = {
    "device": (ids.DeviceText, ["hh-0042", "a1", "0x", "d" + "-" * 39]),
    "officer": (ids.OfficerText, ["WM21877", "a", "J.Smith-2", "9"]),
    "record": (ids.RecordText, ["0199c8a1-7c00-7a11-8b22-0000000000a1"]),
    "edge": (ids.EdgeText, ["0199c8a1-7c00-7a11-8b22-0000000000a1", ""]),
    "scope": (ids.ScopeText, ["force", "area:birmingham", "suite:perry-barr", "area:birmingham:briefing"]),
    "field": (ids.FieldText, ["grade", "opened_at", "x1"]),
    "slug": (ids.SlugText, ["perry-barr", "9", "a" * 40]),
    "epoch": (ids.EpochText, ["00c0ffee00c0ffee"]),
    "op": (ids.OpText, ["hh-0042/1", "hh-0042/9007199254740992"]),
}
BAD: dict[str, list[str]] = {
    "device": ["", "a", "-a", "HH-0042", "hh_0042", "hh 0042", "d" * 41, "hh-0042/1", "ħh-0042"],
    "officer": ["", "-WM1", ".x", "WM 1", "a" * 41, "WM1/2"],
    "record": [
        "",
        "0199C8A1-7C00-7A11-8B22-0000000000A1",
        "0199c8a17c007a118b220000000000a1",
        "{0199c8a1-7c00-7a11-8b22-0000000000a1}",
        "0199c8a1-7c00-7a11-8b22-0000000000a",
        "0199c8a1-7c00-7a11-8b22-0000000000a1 ",
        "0199c8a1-7c00-7a11-8b22-0000000000\uff11\uff11",
    ],
    "edge": [" ", "a", "0199C8A1-7C00-7A11-8B22-0000000000A1"],
    "scope": ["", "Area:x", "area:", ":x", "area:x:", "area::x", "a1:x", "area:x:y:z:w", "area:-x", "area:" + "x" * 41],
    "field": ["", "Grade", "1x", "_x", "a-b", "f" * 41],
    "slug": ["", "-x", "Perry-Barr", "a" * 41, "a_b"],
    "epoch": ["", "c0ffee", "00C0FFEE00C0FFEE", "00c0ffee00c0ffee0"],
    "op": ["hh-0042", "hh-0042/", "hh-0042/0", "hh-0042/01", "hh-0042/-1", "/1", "hh-0042/1/2", "hh-0042/" + "9" * 17],
}

millis = st.integers(min_value=0, max_value=2**48 - 1).map(Millis)
noises = st.binary(min_size=10, max_size=10)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, (_, texts) in GOOD.items() for text in texts])
def test_the_written_forms_pass(kind: str, text: str) -> None:
    """What the docs give as an id is one."""
    assert msgspec.convert(text, GOOD[kind][0]) == text


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_other_forms_do_not_pass(kind: str, text: str) -> None:
    """No later code meets an id of another form."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, GOOD[kind][0])


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, (_, texts) in GOOD.items() for text in texts])
@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\x00", "\u2028"])
def test_nothing_may_hang_on_the_end(kind: str, text: str, end: str) -> None:
    """A final newline, which `$` alone lets through in Python, makes another id: it is refused like any other text."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text + end, GOOD[kind][0])


@given(millis, noises)
def test_a_new_record_id_is_a_uuid_of_version_7(now: Millis, noise: bytes) -> None:
    """Time in front, version and variant in their places, the rest is the noise (RFC 9562 section 5.7)."""
    text = new_record_id(now, noise)
    assert ids.is_record_id(text)
    made = uuid.UUID(text)
    assert str(made) == text
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert int.from_bytes(made.bytes[:6], "big") == now
    kept = int.from_bytes(made.bytes[6:], "big") & ~(0xF << 76 | 0x3 << 62)
    assert kept == int.from_bytes(noise, "big") & ~(0xF << 76 | 0x3 << 62)


@given(millis, millis, noises, noises)
def test_later_ids_sort_later(one: Millis, other: Millis, noise: bytes, more: bytes) -> None:
    """Ids of different milliseconds sort by time as text, so that indexes stay compact."""
    assume(one < other)
    assert new_record_id(one, noise) < new_record_id(other, more)


@pytest.mark.parametrize("size", [0, 9, 11, 16])
def test_the_noise_must_have_its_length(size: int) -> None:
    """Too little randomness is an error, not a weaker id."""
    with pytest.raises(ValueError, match=f"needs 10 random bytes, got {size}"):
        new_record_id(Millis(0), bytes(size))


@given(st.lists(st.text(), max_size=4))
def test_a_named_record_id_is_a_uuid_of_version_8(parts: list[str]) -> None:
    """It depends on its parts alone, and has the form of RFC 9562 section 5.8."""
    try:
        text = ids.named_record_id(*parts)
    except UnicodeEncodeError:
        assume(False)
    made = uuid.UUID(text)
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert ids.is_record_id(text)
    assert ids.named_record_id(*parts) == text


def test_parts_do_not_run_into_each_other() -> None:
    """Where one part ends is part of the name."""
    made = [ids.named_record_id(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ())]
    assert len(set(made)) == len(made)


def test_a_named_record_id_never_changes() -> None:
    """A row imported years ago is found again under the same id."""
    assert ids.named_record_id("street", "2014-02", "17") == "1067f826-1c46-8a3f-8549-d752be0fc172"


@given(st.from_regex(ids.DEVICE_PATTERN, fullmatch=True), st.integers(min_value=1, max_value=10**16 - 1))
def test_an_op_id_is_taken_apart_as_it_was_put_together(device: str, n: int) -> None:
    """(device, n) and its text are the same name."""
    assume(re.match(ids.DEVICE_PATTERN, device))
    assert split_op_id(op_id(DeviceId(device), OpNumber(n))) == (device, n)


@pytest.mark.parametrize("text", [*BAD["op"], "hh-0042/1\n", "hh-0042/\u0661"])
def test_what_is_no_op_id_is_not_taken_apart(text: str) -> None:
    """The error names the text and the form that was expected."""
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is not an op id: expected device/number")):
        split_op_id(OpId(text))


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        (ids.OpNumberInt, 1, INT_MAX),
        (ids.SeqInt, 0, INT_MAX),
        (ids.GenerationInt, 1, INT_MAX),
        (ids.MillisInt, 0, INT_MAX),
    ],
)
def test_numbers_have_their_range(number: Callable[..., Any], low: int, high: int) -> None:
    """Both ends pass, what is beyond does not, and true is no number."""
    assert [msgspec.convert(value, number) for value in (low, high)] == [low, high]
    for value in (low - 1, high + 1, True, 1.5, "1"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, number)
