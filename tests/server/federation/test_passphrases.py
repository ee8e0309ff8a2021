"""Passphrases: what is kept, what it costs, and what may not be chosen."""

from unittest import mock

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from schemas.errors import StoreError, UsageError
from schemas.ids import OfficerId
from server.federation import passphrases
from server.federation.passphrases import CHARS_MAX, Parameters, Policy, Verifiers

PEPPER = b"p" * 32
CHEAP = Parameters(memory_kib=8 * 1_024, passes=1)
WORDS = "four grey herons at dusk"
OFFICER = OfficerId("WM21877")


@pytest.fixture
def verifiers() -> Verifiers:
    """Cheap ones: what they cost is not what these tests are about."""
    return Verifiers(PEPPER, CHEAP)


def test_a_passphrase_is_known_again_and_no_other(verifiers: Verifiers) -> None:
    """The very text; not one letter more, less or other, and not in other case."""
    kept = verifiers.make(WORDS)
    assert verifiers.check(kept, WORDS)
    for other in (WORDS[:-1], WORDS + " ", WORDS.upper(), "", WORDS + "x" * CHARS_MAX):
        assert not verifiers.check(kept, other)


def test_what_is_kept_is_argon2id_with_its_parameters_and_a_salt_of_its_own(verifiers: Verifiers) -> None:
    """The PHC string that other programs read too; two officers with one passphrase have two."""
    kept = verifiers.make(WORDS)
    assert kept.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert kept != verifiers.make(WORDS)
    Argon2id.verify_phc_encoded(WORDS.encode(), kept, PEPPER)


def test_without_the_pepper_a_verifier_is_worth_nothing(verifiers: Verifiers) -> None:
    """Who has the database alone cannot even check a PIN that they know."""
    kept = verifiers.make("493817")
    assert not Verifiers(b"q" * 32, CHEAP).check(kept, "493817")
    assert "p" * 32 not in repr(verifiers)
    with pytest.raises(UsageError, match="32 bytes"):
        Verifiers(b"short", CHEAP)


def test_one_spelling_is_as_good_as_the_other(verifiers: Verifiers) -> None:
    """A keyboard that composes é otherwise does not lock anybody out."""
    assert verifiers.check(verifiers.make("caf\u00e9 at the corner"), "cafe\u0301 at the corner")


def test_an_unknown_officer_costs_what_a_known_one_does(verifiers: Verifiers) -> None:
    """One hash of the same parameters, and the answer no, whatever was typed."""
    kept = verifiers.make(WORDS)
    seen: list[str] = []
    real = Argon2id.verify_phc_encoded

    def count(text: bytes, phc: str, secret: bytes | None = None) -> None:
        seen.append(phc.rsplit("$", 2)[0])
        real(text, phc, secret)

    with mock.patch.object(passphrases, "Argon2id", mock.Mock(verify_phc_encoded=count)):
        answers = [verifiers.check(each, typed) for each in (kept, None) for typed in ("wrong", "x" * 1_000)]
    assert answers == [False] * 4
    assert seen == ["$argon2id$v=19$m=8192,t=1,p=1"] * 4


def test_nobody_has_a_passphrase_that_would_fit(verifiers: Verifiers) -> None:
    """Even what the stand-in of an unknown officer was made from lets nobody in."""
    fixed = Verifiers(PEPPER, CHEAP, random=lambda count: b"n" * count)
    assert not fixed.check(None, (b"n" * 32).hex())


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        (CHEAP, CHEAP, False),
        (CHEAP, Parameters(memory_kib=9 * 1_024, passes=1), True),
        (CHEAP, Parameters(memory_kib=8 * 1_024, passes=2), True),
        (Parameters(memory_kib=9 * 1_024, passes=2), CHEAP, False),
    ],
)
def test_a_verifier_that_cost_less_is_made_anew(old: Parameters, new: Parameters, stale: bool) -> None:  # noqa: FBT001
    """When parameters rise; a dearer one stays. It still opens until then."""
    kept = Verifiers(PEPPER, old).make(WORDS)
    later = Verifiers(PEPPER, new)
    assert later.is_stale(kept) is stale
    assert later.check(kept, WORDS)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "$argon2id$v=19$m=8192,t=1",
        "$argon2i$v=19$m=8192,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
        "$argon2id$v=19$m=99999999,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
        "$argon2id$v=19$m=8192,t=999,p=1$" + "A" * 22 + "$" + "A" * 43,
    ],
)
def test_a_damaged_verifier_is_said_to_be_one(verifiers: Verifiers, kept: str) -> None:
    """It is no wrong passphrase, and it cannot make the server work for minutes."""
    with pytest.raises(StoreError, match="reset that officer's passphrase"):
        verifiers.check(kept, WORDS)
    with pytest.raises(StoreError, match="damaged"):
        verifiers.is_stale(kept)


def test_a_passphrase_has_an_end(verifiers: Verifiers) -> None:
    """A longest one is taken; one more character is refused when it is chosen."""
    longest = "ab1 " * (CHARS_MAX // 4)
    kept = verifiers.make(longest)
    assert verifiers.check(kept, longest)
    assert not verifiers.check(kept, longest + "x")
    with pytest.raises(UsageError, match="at most 128"):
        verifiers.make(longest + "x")


@pytest.mark.parametrize("text", [WORDS, "493817", "90210355", "Wren-Otter-9", "señora de luz", "WM21877 and two dogs"])
def test_what_may_be_chosen(text: str) -> None:
    """Words, a PIN of six digits, other alphabets; kinds of characters are nobody's business."""
    assert Policy().problem(text, OFFICER) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least 8"),
        ("heron", "at least 8"),
        ("49381", "at least 6 digits"),
        ("x" * 129, "at most 128"),
        ("four\x00 herons", "cannot be typed"),
        ("123456", "in their order"),
        ("098765", "in their order"),
        ("abcdefgh", "in their order"),
        ("qwertyuiop", "in their order"),
        ("777777", "over and over"),
        ("121212", "over and over"),
        ("493493", "over and over"),
        ("heronheron", "over and over"),
        ("Password1!", "what others choose"),
        ("birmingham", "what others choose"),
        ("112233", "what others choose"),
        ("wm21877!", "collar number"),
        ("021877", "collar number"),
    ],
)
def test_what_may_not_be_chosen(text: str, why: str) -> None:
    """Short, or among the first that anybody tries; the officer is told which."""
    problem = Policy().problem(text, OFFICER)
    assert problem is not None
    assert why in problem


def test_a_force_may_ask_for_more() -> None:
    """Longer passphrases, or none of digits alone; a PIN shorter than six is not to be had."""
    strict = Policy(passphrase_chars_min=15, pin_digits_min=0)
    assert strict.problem("493817", OFFICER) == "choose words, not digits alone"
    assert strict.problem("fourteen chars", OFFICER) == "choose at least 15 characters"
    with pytest.raises(ValueError, match="pin_digits_min is 0 or 6"):
        Policy(pin_digits_min=4)
