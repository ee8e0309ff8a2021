"""A locked process and a locked replica hold nothing: ten thousand planted words and every key are looked for."""

import asyncio
import random
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from schemas.kinds import Incident
from sync.device import DeviceIdentity, Handheld
from sync.device.clocks import SystemClock
from sync.device.keystore import FileKeyStore
from sync.device.pins import PinTries
from sync.device.slots import Slots
from tests.sync.device.seats import PIN, QUARANTINE, SEAT
from tests.sync.device.support import contents, incident

ROOT: Final = Path(__file__).resolve().parents[3]
RECORDS: Final = 100
_RNG: Final = random.Random(1829)
WORDS: Final = ["zqx" + "".join(_RNG.choices(string.ascii_lowercase, k=10)) for _ in range(10_000)]
"""Invented, with a beginning that is found fast, and long enough that none is there by chance."""
SHARE: Final = _RNG.randbytes(32)
"""No run of bytes that is in every interpreter's tables."""
_WANTED: Final = frozenset(word.encode() for word in WORDS)
_WORD: Final = re.compile(rb"zqx[a-z]{10}")
_WIDE_WORD: Final = re.compile(rb"z\0q\0x\0(?:[a-z]\0){10}")

memory_is_readable = pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc to read memory from")


def words_in(raw: bytes) -> set[bytes]:
    """The planted words in some bytes, as UTF-8 or UTF-16."""
    wide = {word.replace(b"\0", b"") for word in _WIDE_WORD.findall(raw)}
    return {*_WORD.findall(raw), *wide} & _WANTED


def memory_of(pid: int) -> bytes:
    """All that a process has in memory, as a core dump of it has."""
    parts = []
    maps = Path(f"/proc/{pid}/maps").read_text()
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps.splitlines():
            reach, rights = line.split()[:2]
            if "r" not in rights or line.endswith(("[vvar]", "[vvar_vclock]", "[vsyscall]")):
                continue
            start, end = (int(edge, 16) for edge in reach.split("-"))
            memory.seek(start)
            parts.append(memory.read(end - start))
    return b"\0".join(parts)


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """A locked seat whose records hold the words; and its keys."""
    store = FileKeyStore(tmp_path / "keystore")
    keys = Slots(tmp_path / SEAT, SEAT, store, PinTries(store, SEAT, SystemClock())).make(PIN, SHARE, QUARANTINE)
    secret = [keys.data_key(), *keys.ring_keys(), bytes(keys._pin_key), SHARE]

    async def plant() -> None:
        async with Handheld.open(
            tmp_path / SEAT, identity=DeviceIdentity.generate(SEAT), keys=keys, author="WM21877"
        ) as handheld:
            for n in range(RECORDS):
                await handheld.create(incident(" ".join(WORDS[n::RECORDS])))
            assert len(await handheld.find(Incident)) == RECORDS

    asyncio.run(plant())
    keys.lock()
    return tmp_path, secret


@contextmanager
def process(root: Path) -> Iterator[tuple[subprocess.Popen[str], bytes]]:
    """A program that was unlocked and is locked now; and its memory while it was unlocked."""
    command = [sys.executable, "-m", "tests.sync.device.unlocked_process", str(root)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(f"{PIN} {SHARE.hex()}\n")
            child.stdin.flush()
            assert child.stdout.readline() == "unlocked\n"
            before = memory_of(child.pid)
            child.stdin.write("\n")
            child.stdin.flush()
            assert child.stdout.readline() == "locked\n"
            yield child, before
        finally:
            child.kill()


def holds(memory: bytes, secret: list[bytes]) -> list[int]:
    """Which of the secrets are in it, in bytes or in hex."""
    return [n for n, key in enumerate(secret) if key in memory or key.hex().encode() in memory]


@memory_is_readable
def test_a_process_that_locked_and_started_anew_holds_no_word_and_no_key(planted: tuple[Path, list[bytes]]) -> None:
    """And the same look at the same process before it was locked finds them all: the search can see."""
    root, secret = planted
    with process(root) as (child, before):
        assert len(words_in(before)) > 9_900
        assert holds(before, secret) == [0, 1, 2, 3]
        after = memory_of(child.pid)
        assert words_in(after) == set()
        assert holds(after, secret) == []
        assert PIN.encode() not in after


def test_no_file_of_a_locked_replica_holds_a_word_or_a_key(planted: tuple[Path, list[bytes]]) -> None:
    """Database, journal, slots, keystore: no word, no key; and the search finds a word that is there."""
    root, secret = planted
    files = contents(root)
    assert {f"{SEAT}/replica.db", f"{SEAT}/replica.keys", f"keystore/{SEAT}.secret"} <= set(files)
    assert sum(map(len, files.values())) > 200_000
    for name, raw in files.items():
        assert words_in(raw.lower()) == set(), name
        assert holds(raw, secret) == [], name
    sample = WORDS[7]
    assert words_in(b"..." + sample.encode("utf-16-le")) == words_in(b"z" + sample.encode()) == {sample.encode()}


@memory_is_readable
def test_a_hardened_process_dumps_nothing() -> None:
    """No core file, and the kernel's mark that other programs of the user may not read it."""
    script = (
        "import ctypes, resource\n"
        "from sync.device.locking import harden\n"
        "harden()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "(0, 0) 0\n"
