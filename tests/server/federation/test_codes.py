"""Enrolment codes: typed as people type, used once, and a slip of the finger is told from a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId
from server.federation import codes, links, onetime
from server.federation.codes import ALPHABET, LIFETIME_MS, CodeRecord
from server.federation.refusals import RefusedError

NOW = Millis(1_767_225_600_000)
DEVICE = DeviceId("hh-0042")


def make(random: bytes = bytes(range(100, 111))) -> tuple[str, CodeRecord]:
    """A code for hh-0042, given out by WM1."""
    return codes.make(NOW, DEVICE, by="WM1", officer=OfficerId("WM21877"), random=lambda count: random[:count])


def refusal(record: CodeRecord | None, text: str, now: Millis = NOW) -> str:
    """The code of the refusal that it meets."""
    with pytest.raises(RefusedError) as caught:
        codes.redeem(record, text, now)
    return caught.value.spec.code


def test_a_code_lets_its_device_in_once() -> None:
    """It is used; a second time, even at the same moment, it is refused as that."""
    text, record = codes.make(NOW, DEVICE, by="WM1", officer=OfficerId("WM21877"))
    used = codes.redeem(record, text, NOW)
    assert (used.device, used.officer, used.by, used.used_at) == (DEVICE, "WM21877", "WM1", NOW)
    assert refusal(used, text) == "code_used"
    assert refusal(used, text, Millis(NOW + 2 * LIFETIME_MS)) == "code_used"


def test_a_code_expires() -> None:
    """It is taken up to its last millisecond, and not before it was given out."""
    text, record = make()
    assert codes.redeem(record, text, Millis(NOW + LIFETIME_MS - 1)).used_at == NOW + LIFETIME_MS - 1
    assert refusal(record, text, Millis(NOW + LIFETIME_MS)) == "code_expired"
    assert refusal(record, text, Millis(NOW - 1)) == "code_expired"


def test_what_is_kept_does_not_tell_the_code() -> None:
    """Neither the text nor its bits are in the record, and the record is of one device alone."""
    text, record = make()
    kept = repr(record)
    assert text not in kept
    assert text.replace("-", "") not in kept
    assert bytes(range(100, 111)).hex()[:-1] not in kept


def test_a_code_has_its_form() -> None:
    """Five groups of four, of an alphabet without I, L, O and U."""
    text, _ = codes.make(NOW, DEVICE, by="WM1")
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
    text, record = make(random)
    chars = text.replace("-", "")
    other = ALPHABET[(ALPHABET.index(chars[at]) + by) % 32]
    assert refusal(record, chars[:at] + other + chars[at + 1 :]) == "code_mistyped"


@given(random=st.binary(min_size=11, max_size=11), at=st.integers(0, 18))
def test_every_two_that_changed_places_are_found(random: bytes, at: int) -> None:
    """Two neighbours swapped: always a typing error, unless they are the same character."""
    text, record = make(random)
    chars = text.replace("-", "")
    swapped = chars[:at] + chars[at + 1] + chars[at] + chars[at + 2 :]
    if swapped != chars:
        assert refusal(record, swapped) == "code_mistyped"


@pytest.mark.parametrize("typed", ["", "7G3K", "U" * 20, "!" * 20, "ß" * 20, "0" * 21, "0" * 20, "-" * 65, "٣" * 20])
def test_what_is_no_code_is_a_typing_error(typed: str) -> None:
    """Wrong length, characters of no code, a checksum that does not fit: nothing else is raised."""
    assert refusal(make()[1], typed) == "code_mistyped"


def test_no_guess_is_taken() -> None:
    """Ten thousand whole codes of somebody who knows how they are made: none is the one that waits."""
    _, record = make()
    guesses = (codes.make(NOW, DEVICE, by="WM1")[0] for _ in range(10_000))
    assert sum(refusal(record, guess) != "code_unknown" for guess in guesses) == 0
    assert refusal(None, make()[0]) == "code_unknown"


def test_a_code_for_another_device_is_not_this_one() -> None:
    """Each record answers to its own code alone."""
    text, _ = make()
    _, other = make(bytes(11))
    assert refusal(other, text) == "code_unknown"


@pytest.mark.parametrize("lifetime_ms", [0, -1, onetime.LIFETIME_MS_MAX + 1])
def test_a_lifetime_that_is_none_or_too_long_is_refused(lifetime_ms: int) -> None:
    """Nothing that lets somebody in lies about for ever."""
    with pytest.raises(UsageError, match="up to 30 days"):
        codes.make(NOW, DEVICE, by="WM1", lifetime_ms=lifetime_ms)
    with pytest.raises(UsageError, match="up to 30 days"):
        links.make(NOW, lifetime_ms=lifetime_ms)
