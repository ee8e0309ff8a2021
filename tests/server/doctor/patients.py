"""What the doctor's tests examine, and what they ask of what was found."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from schemas.ids import Millis
from server.configuration import Configuration
from server.configuration_sections import Limits, Listen, TlsFiles, Witnesses
from server.doctor.report import Check, Level, Subject
from server.observing.settings import MetricsSettings
from server.serving import Address

NOW = Millis(1_790_000_000_000)


def patient(
    data: Path,
    *,
    limits: Limits | None = None,
    listen: Listen | None = None,
    tls: TlsFiles | None = None,
    witnesses: Witnesses | None = None,
    metrics: MetricsSettings | None = None,
    file: Path | None = None,
    configured: str = "",
    proc: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Subject:
    """Something to examine."""
    configuration = msgspec.structs.replace(
        Configuration(data=data),
        limits=limits or Limits(),
        listen=listen or Listen(port=0),
        tls=tls or TlsFiles(),
        witnesses=witnesses or Witnesses(),
        metrics=metrics,
    )
    return Subject(
        configuration, NOW, file=file, configured=configured, proc=proc or Path("/proc"),
        environment=os.environ if environment is None else environment,
    )  # fmt: skip


@contextmanager
def served(data: Path, pid: int) -> Iterator[None]:
    """A data folder that a server of that process holds."""
    address = Address(http="http://127.0.0.1:1", sync="ws://127.0.0.1:1", pid=pid)
    (data / "address.json").write_bytes(msgspec.json.encode(address))
    with (data / "lock").open("wb") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        yield


def kernel(folder: Path, told: Mapping[str, str]) -> Path:
    """A /proc that says so."""
    for name, text in told.items():
        path = folder / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "proc"


def levels(check: Check, subject: Subject) -> list[Level]:
    """How the matters stand that a check finds."""
    return [one.level for one in check(subject)]


def words(check: Check, subject: Subject, level: Level) -> str:
    """What a check says that stands so, advice included; each of them says what to do."""
    found = [one for one in check(subject) if one.level is level]
    assert found, f"nothing is {level.value}"
    assert level is Level.FINE or all(one.advice for one in found)
    return "\n".join(f"{one.words} -> {one.advice}" for one in found)
