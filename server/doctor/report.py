"""What is examined, and what is said of it."""

import enum
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from schemas.ids import Millis
from server.configuration import Configuration
from server.serving import Address, read_address


class Level(enum.Enum):
    """How a matter stands."""

    FINE = "fine"
    WARNING = "warning"
    TROUBLE = "trouble"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        level: how it stands.
        words: what was found.
        advice: what to do about it; "" where there is nothing to do.
    """

    level: Level
    words: str
    advice: str = ""


def fine(words: str) -> Found:
    """Nothing to do."""
    return Found(level=Level.FINE, words=words)


def warning(words: str, advice: str) -> Found:
    """It works, and not for ever or not as well as it could."""
    return Found(level=Level.WARNING, words=words, advice=advice)


def trouble(words: str, advice: str) -> Found:
    """It does not work, or somebody will regret it."""
    return Found(level=Level.TROUBLE, words=words, advice=advice)


class Subject:
    """What is examined.

    Attributes:
        configuration: the server's; that of nobody's making where the file cannot be used.
        configured: what is wrong with the file, in words; "" when nothing is.
        file: the configuration file; None without one.
        environment: the process's variables.
        now: this machine's clock (ms since 1970).
        proc: where the kernel tells of itself.
    """

    def __init__(
        self,
        configuration: Configuration,
        now: Millis,
        *,
        configured: str = "",
        file: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        proc: Path = Path("/proc"),
    ) -> None:
        """Bind it."""
        self.configuration = configuration
        self.configured = configured
        self.file = file
        self.environment = environment
        self.now = now
        self.proc = proc

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.configuration.data

    @cached_property
    def in_use(self) -> bool:
        """Whether a server, or a command that writes, holds the folder's lock."""
        try:
            descriptor = os.open(self.data / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)

    @cached_property
    def running(self) -> Address | None:
        """Where the folder's server listens; None when none runs. What a killed one left there counts for nothing."""
        return read_address(self.data) if self.in_use else None

    def told(self, name: str) -> str | None:
        """What the kernel says in one of its files; None where it has no such file."""
        try:
            return (self.proc / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None


Check = Callable[[Subject], Iterator[Found]]
"""Looks at one matter. It changes nothing and raises nothing but StoreError and UsageError, which are trouble."""
