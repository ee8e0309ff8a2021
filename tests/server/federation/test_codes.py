"""Enrolment codes: typed as people type, and a slip of the finger is told from a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import Millis
from server.federation import codes, links, onetime
from server.federation.codes import ALPHABET, LIFETIME_MS
from server.federation.onetime import OneTime
from server.federation.refusals import RefusedError

NOW = Millis(1_767_225_600_000)


def make(random: bytes = bytes(range(100, 111))) -> tuple[str, OneTime]:
    """A code of these random bytes."""
    return codes.make(NOW, random=lambda count: random[:count])


def refusal(text: str) -> str:
    """The code of the refusal that it meets."""
    with pytest.raises(RefusedError) as caught:
        codes.digest(text)
    return caught.value.spec.code


def test_a_code_is_taken_for_a_day_where_nothing_else_is_said() -> None:
    """Or for as long as whoever gives it out says."""
    assert codes.make(NOW)[1].expires_at == NOW + LIFETIME_MS
    assert codes.make(NOW, lifetime_ms=7)[1].expires_at == NOW + 7


def test_what_is_kept_does_not_tell_the_code() -> None:
    """Neither the text nor its bits are in the record."""
    text, record = make()
    kept = repr(record)
    assert text not in kept
    assert text.replace("-", "") not in kept
    assert bytes(range(100, 111)).hex()[:-1] not in kept


def test_a_code_has_its_form() -> None:
    """Five groups of four, of an alphabet without I, L, O and U."""
    text, _ = codes.make(NOW)
    assert [len(group) for group in text.split("-")] == [4] * 5
    assert set(text) <= {*ALPHABET, "-"}
    assert not set("ILOU") & set(ALPHABET)


@given(random=st.binary(min_size=11, max_size=11))
def test_however_it_is_typed_it_is_the_same_code(random: bytes) -> None:
    """Small letters, no hyphens, blanks, O for 0, I and L for 1."""
    text, record = make(random)
    for typed in (text.lower(), text.replace("-", ""), f"  {text.replace('-', ' – ')} ", text.replace("0", "o")):
        assert codes.digest(typed) == record.digest
    assert codes.digest(text.replace("1", "i")) == codes.digest(text.replace("1", "L")) == record.digest


@given(random=st.binary(min_size=11, max_size=11), at=st.integers(0, 19), by=st.integers(1, 31))
def test_every_wrong_character_is_found_before_it_counts_as_a_try(random: bytes, at: int, by: int) -> None:
    """One character that is another one: always a typing error, never an unknown code."""
    text, _ = make(random)
    chars = text.replace("-", "")
    other = ALPHABET[(ALPHABET.index(chars[at]) + by) % 32]
    assert refusal(chars[:at] + other + chars[at + 1 :]) == "code_mistyped"


@given(random=st.binary(min_size=11, max_size=11), at=st.integers(0, 18))
def test_every_two_that_changed_places_are_found(random: bytes, at: int) -> None:
    """Two neighbours swapped: always a typing error, unless they are the same character."""
    text, _ = make(random)
    chars = text.replace("-", "")
    swapped = chars[:at] + chars[at + 1] + chars[at] + chars[at + 2 :]
    if swapped != chars:
        assert refusal(swapped) == "code_mistyped"


@pytest.mark.parametrize("typed", ["", "7G3K", "U" * 20, "!" * 20, "ß" * 20, "0" * 21, "0" * 20, "-" * 65, "٣" * 20])
def test_what_is_no_code_is_a_typing_error(typed: str) -> None:
    """Wrong length, characters of no code, a checksum that does not fit: nothing else is raised."""
    assert refusal(typed) == "code_mistyped"


def test_no_guess_is_taken() -> None:
    """Ten thousand whole codes of somebody who knows how they are made: none is known again as the one that waits."""
    _, record = make()
    guesses = {codes.digest(codes.make(NOW)[0]) for _ in range(10_000)}
    assert len(guesses) == 10_000
    assert record.digest not in guesses


@pytest.mark.parametrize("lifetime_ms", [0, -1, onetime.LIFETIME_MS_MAX + 1])
def test_a_lifetime_that_is_none_or_too_long_is_refused(lifetime_ms: int) -> None:
    """Nothing that lets somebody in lies about for ever."""
    with pytest.raises(UsageError, match="up to 30 days"):
        codes.make(NOW, lifetime_ms=lifetime_ms)
    with pytest.raises(UsageError, match="up to 30 days"):
        links.make(NOW, lifetime_ms=lifetime_ms)
