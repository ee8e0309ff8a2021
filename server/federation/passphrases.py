"""Passphrases and PINs as the server keeps and checks them: Argon2id (RFC 9106), and what may be chosen.

The server's store holds a PHC string (Password Hashing Competition's format) that was made with a *pepper*, a key that
is not in the database: who steals the database alone cannot try a single PIN. A passphrase is the second of two
proofs, the first being the device's key, so eight characters are enough (NIST SP 800-63B, section 3.1.1); there are no
rules about kinds of characters and none about regular changes, for these make people choose worse.
"""

import re
import secrets
import unicodedata
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from schemas.errors import StoreError, UsageError
from schemas.ids import OfficerId

CHARS_MAX: Final = 128
"""Longest passphrase. SP 800-63B asks for 64 at least; a bound there must be, or hashing one is work for nothing."""
PEPPER_BYTES_MIN: Final = 32
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_PHC: Final = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$[A-Za-z0-9+/]{22,86}\$[A-Za-z0-9+/]{22,86}"
)


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What one hash costs (RFC 9106 section 3.1). The defaults take some 50 ms and 19 MiB.

    Attributes:
        memory_kib: memory, KiB.
        passes: how often it is gone over.
        lanes: how many may work at once.
    """

    memory_kib: Annotated[int, msgspec.Meta(ge=8 * 1_024, le=1_024 * 1_024)] = 19 * 1_024
    passes: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    lanes: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen.

    Attributes:
        passphrase_chars_min: shortest passphrase, characters.
        pin_digits_min: shortest PIN (a passphrase of digits alone); 0 allows none.
    """

    passphrase_chars_min: Annotated[int, msgspec.Meta(ge=8, le=64)] = 8
    pin_digits_min: Annotated[int, msgspec.Meta(ge=0, le=64)] = 6

    def __post_init__(self) -> None:
        if 0 < self.pin_digits_min < _PIN_DIGITS_LEAST:
            raise ValueError(f"pin_digits_min is 0 or {_PIN_DIGITS_LEAST} and more, not {self.pin_digits_min}")

    def problem(self, text: str, officer: OfficerId) -> str | None:
        """Why `text` may not be chosen by `officer`, in words for the officer; None when it may."""
        plain = _plain(text)
        if len(plain) > CHARS_MAX:
            return f"choose at most {CHARS_MAX} characters"
        if any(unicodedata.category(char) in {"Cc", "Cs", "Cn"} for char in plain):
            return "leave out characters that cannot be typed"
        if plain.isdigit():
            if not self.pin_digits_min:
                return "choose words, not digits alone"
            if len(plain) < self.pin_digits_min:
                return f"choose at least {self.pin_digits_min} digits"
        elif len(plain) < self.passphrase_chars_min:
            return f"choose at least {self.passphrase_chars_min} characters"
        return _guessable(plain.casefold(), officer)


_PIN_DIGITS_LEAST: Final = 6
_RUNS: Final = ("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qazwsxedc")
_COMMON: Final = frozenset(
    {
        "password", "passphrase", "passw0rd", "p@ssw0rd", "letmein", "welcome", "iloveyou", "sunshine", "princess",
        "football", "baseball", "superman", "batman", "dragon", "monkey", "charlie", "liverpool", "arsenal", "chelsea",
        "birmingham", "beatbook", "police", "constable", "sergeant", "inspector", "secret", "changeme", "default",
        "admin", "administrator", "login", "trustno1", "starwars", "computer", "whatever", "summer", "winter",
    }
)  # fmt: skip
"""Words that stand first in every list of stolen passwords, and those of the place. Digits and signs round one do not
help."""
_COMMON_PINS: Final = frozenset(
    {"112233", "123321", "159753", "147258", "147258369", "741852963", "010203", "520520", "007007"}
)
_DISTINCT_MIN: Final = 3


def _guessable(plain: str, officer: OfficerId) -> str | None:
    """Why a text, in small letters, is among the first that anybody tries."""
    collar = officer.casefold()
    number = re.sub(r"\D", "", collar)
    rest = plain.replace(collar, "")
    if rest != plain and len(rest) < _PIN_DIGITS_LEAST:
        return "do not choose your collar number"
    if number and plain in {number, number[::-1], number.zfill(len(plain))}:
        return "do not choose your collar number"
    if len(set(plain)) < _DISTINCT_MIN or _repeats(plain):
        return "do not choose one thing over and over"
    if any(plain in (run + run) or plain in (run + run)[::-1] for run in _RUNS):
        return "do not choose keys or digits in their order"
    if plain in _COMMON_PINS or re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain) in _COMMON or plain in _COMMON:
        return "do not choose what others choose: it is tried first"
    return None


def _repeats(plain: str) -> bool:
    """Whether it is one short piece again and again: `121212`, `abcabc`."""
    return (plain + plain).find(plain, 1) * 2 <= len(plain)


def _plain(text: str) -> str:
    """One spelling of what looks the same on every keyboard (SP 800-63B section 3.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", text)


class Verifiers:
    """Makes and checks the strings that are kept in place of passphrases.

    Every method that hashes takes tens of milliseconds and as much memory as its parameters say: call it on a thread,
    and no more of them at once than there is memory for.
    """

    def __init__(
        self,
        pepper: bytes,
        parameters: Parameters | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Take the pepper.

        Args:
            pepper: a key of 32 bytes or more that is not in the database. Without it no verifier is worth anything.
            parameters: what a new hash costs.
            random: gives so many random bytes.

        Raises:
            UsageError: the pepper is too short.
        """
        if len(pepper) < PEPPER_BYTES_MIN:
            raise UsageError(f"the pepper needs {PEPPER_BYTES_MIN} bytes or more, not {len(pepper)}")
        self._pepper = pepper
        self._parameters = parameters or Parameters()
        self._random = random
        # What an unknown collar number is checked against: the same work, and nobody knows what would fit.
        self._nobody = self.make(random(_HASH_BYTES).hex())

    def __repr__(self) -> str:
        return f"Verifiers({self._parameters!r})"

    def make(self, passphrase: str) -> str:
        """The PHC string to keep for a passphrase; ask `Policy.problem` first.

        Raises:
            UsageError: it is longer than any passphrase.
        """
        if len(passphrase) > CHARS_MAX:
            raise UsageError(f"a passphrase has at most {CHARS_MAX} characters")
        wanted = self._parameters
        hasher = Argon2id(
            salt=self._random(_SALT_BYTES),
            length=_HASH_BYTES,
            iterations=wanted.passes,
            lanes=wanted.lanes,
            memory_cost=wanted.memory_kib,
            secret=self._pepper,
        )
        return hasher.derive_phc_encoded(_bytes(passphrase))

    def check(self, verifier: str | None, passphrase: str) -> bool:
        """Whether `passphrase` is the one that `verifier` was made for.

        Args:
            verifier: what is kept for the officer; None where nothing is, which costs the same and is False.
            passphrase: as it was typed.

        Raises:
            StoreError: what is kept is no verifier.
        """
        kept = self._nobody if verifier is None else verifier
        _read(kept)
        # A longer one is none; it is cut and checked all the same, for the time that takes.
        typed, whole = passphrase[:CHARS_MAX], len(passphrase) <= CHARS_MAX
        try:
            Argon2id.verify_phc_encoded(_bytes(typed), kept, self._pepper)
        except InvalidKey:
            return False
        return whole and verifier is not None

    def is_stale(self, verifier: str) -> bool:
        """Whether a verifier cost less than a new one would: make it anew while the passphrase is at hand.

        Raises:
            StoreError: it is no verifier.
        """
        was, wanted = _read(verifier), self._parameters
        return was.memory_kib < wanted.memory_kib or was.passes < wanted.passes


def _bytes(passphrase: str) -> bytes:
    return _plain(passphrase).encode("utf-8", "surrogatepass")


def _read(verifier: str) -> Parameters:
    """What a PHC string says that it cost.

    Raises:
        StoreError: it is none, or one that would cost more than any of ours.
    """
    found = _PHC.fullmatch(verifier)
    try:
        if found is not None:
            memory, passes, lanes = map(int, found.groups())
            return msgspec.convert({"memory_kib": memory, "passes": passes, "lanes": lanes}, Parameters)
    except msgspec.ValidationError:
        pass
    raise StoreError("a passphrase verifier in the store is damaged: reset that officer's passphrase")
