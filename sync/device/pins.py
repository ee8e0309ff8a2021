"""What a PIN must be, how it becomes a key, and how many guesses there are.

A PIN of six digits falls in hours to whoever can guess offline. Three things stand against that: the device's secret
goes into the derivation; so does the server's share, without which no guess can be checked at all; and on the device
itself guesses are counted. The count is kept by this program: whoever can write the device's keystore can set it
back, and is still bounded by the share.
"""

import itertools
import threading
import unicodedata
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from schemas.errors import ReplicaError, UsageError
from schemas.ids import DeviceId
from sync.clock import Made
from sync.device.clocks import Clock
from sync.device.keystore import KeyStore

PIN_CHARS_MIN: Final = 6
PIN_CHARS_MAX: Final = 64
_BLOCK_CHARS_MAX: Final = 3
"""A PIN that only repeats so short a block (121212, 123123) is a pattern."""
_KEY_BYTES: Final = 32

_ONE_AT_A_TIME: Final = threading.Lock()
"""OpenSSL's threads, one for each lane, are the process's: a derivation beside another finds none left, and fails."""


class Argon2(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Costs of Argon2id, version 1.3 (RFC 9106); by default its second recommended choice (section 4).

    Attributes:
        memory_kib: memory, in KiB.
        iterations: passes over it.
        lanes: how many parts of it are filled independently.
    """

    memory_kib: int = 64 * 1_024
    iterations: int = 3
    lanes: int = 4


LEAST: Final = Argon2()
"""Nothing cheaper is accepted, whatever a file says."""
_MEMORY_KIB_MAX: Final = 1_024 * 1_024
_ITERATIONS_MAX: Final = 64
_LANES_MAX: Final = 16


def check_costs(costs: Argon2) -> None:
    """Accept costs that are not below the default, and that a handheld can pay.

    Raises:
        UsageError: they are not so.
    """
    if costs.memory_kib < LEAST.memory_kib or costs.iterations < LEAST.iterations:
        raise UsageError(
            f"Argon2id with {costs.memory_kib} KiB and {costs.iterations} passes is too cheap to guess against: at "
            f"least {LEAST.memory_kib} KiB and {LEAST.iterations} passes"
        )
    if costs.memory_kib > _MEMORY_KIB_MAX or costs.iterations > _ITERATIONS_MAX:
        raise UsageError(
            f"Argon2id with {costs.memory_kib} KiB and {costs.iterations} passes is more than a device has"
        )
    if not 1 <= costs.lanes <= _LANES_MAX:
        raise UsageError(f"Argon2id with {costs.lanes} lanes: between 1 and {_LANES_MAX}")


def stretch(pin: str, salt: bytes, secret: bytes, costs: Argon2) -> bytes:
    """32 bytes from a PIN: Argon2id (RFC 9106) with the device's secret as its secret value.

    Args:
        pin: as it was entered; it is read in Unicode's composed form, however the keyboard sent it.
        salt: 16 random bytes.
        secret: the device's.
        costs: as `check_costs` accepts them.
    """
    kdf = Argon2id(
        salt=salt,
        length=_KEY_BYTES,
        iterations=costs.iterations,
        lanes=costs.lanes,
        memory_cost=costs.memory_kib,
        secret=secret,
    )
    with _ONE_AT_A_TIME:
        return kdf.derive(unicodedata.normalize("NFKC", pin).encode())


Stretch = Callable[[str, bytes, bytes, Argon2], bytes]


def check_pin(pin: str) -> None:
    """Accept a new PIN that is not among the first guesses.

    Raises:
        UsageError: it is too short or too long, or a pattern. The text does not show it.
    """
    pin = unicodedata.normalize("NFKC", pin)
    if not PIN_CHARS_MIN <= len(pin) <= PIN_CHARS_MAX:
        raise UsageError(f"a PIN has {PIN_CHARS_MIN} to {PIN_CHARS_MAX} characters, this one has {len(pin)}")
    if any(pin == (pin[:size] * len(pin))[: len(pin)] for size in range(1, _BLOCK_CHARS_MAX + 1)):
        raise UsageError("this PIN only repeats itself: choose one without a pattern")
    steps = {ord(later) - ord(earlier) for earlier, later in itertools.pairwise(pin)}
    # From 9 a keypad goes on with 0: 789012.
    if steps <= {1, -9} or steps <= {-1, 9}:
        raise UsageError("this PIN only counts up or down: choose one without a pattern")


class TryLimits(msgspec.Struct, frozen=True):
    """How many guesses there are.

    Attributes:
        free: wrong ones without a wait.
        delay_ms: the wait after the last free one (ms); it doubles with each further one.
        max: wrong ones in a row after which only the server opens the way again.
    """

    free: int = 5
    delay_ms: int = 30_000
    max: int = 10


class _Tries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wrong: int
    wall_ms: int
    mono_ms: int
    boot: str


class PinTries:
    """The count of wrong PINs of one seat, in the device's keystore.

    An attempt is counted as wrong, on disk, before it is looked at: pulling the battery gives no free guess.
    """

    def __init__(self, store: KeyStore, seat: DeviceId, clock: Clock, limits: TryLimits | None = None) -> None:
        """Name the seat; nothing is read yet."""
        self._store = store
        self._name = f"{seat}.tries"
        self._clock = clock
        self._limits = limits or TryLimits()

    def wrong(self) -> int:
        """Wrong PINs in a row; a count that cannot be read is as good as used up."""
        return self._read().wrong

    def _read(self) -> _Tries:
        raw = self._store.read(self._name)
        if raw is None:
            return _Tries(0, 0, 0, "")
        try:
            return msgspec.json.decode(raw, type=_Tries)
        except msgspec.DecodeError:
            # Written whole or not at all: someone has been at it.
            return _Tries(self._limits.max, 0, 0, "")

    def begin(self) -> None:
        """Count an attempt, before it is made.

        Raises:
            ReplicaError: none may be made now; the text says when, or who helps.
        """
        tries = self._read()
        limits = self._limits
        if tries.wrong >= limits.max:
            raise ReplicaError(
                f"locked after {limits.max} wrong PINs: sign in to the server with the passphrase, or ask a supervisor"
            )
        if tries.wrong >= limits.free:
            wait_ms = (limits.delay_ms << (tries.wrong - limits.free)) - self._waited_ms(tries)
            if wait_ms > 0:
                raise ReplicaError(f"{tries.wrong} wrong PINs: the next one can be entered in {-(-wait_ms // 1_000)} s")
        self._keep(tries.wrong + 1)

    def _waited_ms(self, tries: _Tries) -> int:
        # Whichever clock says that less time has passed: setting one forward, or starting anew, shortens no wait.
        mono = self._clock.mono_ms()
        since = mono - tries.mono_ms if tries.boot == self._clock.boot() else mono
        return max(0, min(since, self._clock.wall_ms() - tries.wall_ms))

    def _keep(self, wrong: int) -> None:
        made = Made(self._clock.wall_ms(), self._clock.mono_ms(), self._clock.boot())
        self._store.keep(self._name, msgspec.json.encode(_Tries(wrong, made.wall_ms, made.mono_ms, made.boot)))

    def left(self) -> str:
        """What is left, in words, for the error that a wrong PIN gives."""
        wrong = self.wrong()
        if wrong >= self._limits.max:
            return "that was the last attempt: sign in to the server with the passphrase, or ask a supervisor"
        free = self._limits.free - wrong
        return f"{free} more before a wait" if free > 0 else "wait before the next one"

    def clear(self) -> None:
        """The right PIN was entered, or the server has said that it is the right person: count from nothing."""
        self._keep(0)
