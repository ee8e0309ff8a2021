"""Every job and the peers in one run: `python -m loadtest.bench all`.

Each job is a process of its own, so that none inherits another's memory, cores or open files, and one that fails is a
line with its error while the others go on. The peers are run by `python -m loadtest.peers` in the same way.
"""

import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.machine import facts
from loadtest.bench.outcome import Outcome

ROOT: Final = Path(__file__).resolve().parents[2]
_TOLD_CHARS: Final = 400
_Sizes = Mapping[str, Mapping[str, int]]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One job of the run, at one size.

    Attributes:
        name: what it is called in the run: a job may be there at several sizes.
        job: which.
        size: what differs from the job's own size.
        limit_s: it is given up behind this.
    """

    name: str
    job: str
    size: Mapping[str, int] = {}
    limit_s: int = 300


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """What one peer did in one job: a row of `python -m loadtest.peers --json`, as far as it is used here.

    Attributes:
        peer, version: which.
        durability: what its acknowledgement is worth, in words.
        job, size: which job, how large.
        figures: name -> value, named as in our own outcomes; empty when it could not do the job.
        lost_pct: of what it had acknowledged, how much was gone behind `kill -9` (%), where that was tried.
        notes: why there are no figures, or what a reader must know of them.
    """

    peer: str
    version: str = ""
    durability: str = ""
    job: str
    size: Mapping[str, int] = {}
    figures: Mapping[str, float] = {}
    lost_pct: float | None = None
    notes: Sequence[str] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run.

    Attributes:
        at: when it began, UTC.
        length: `quick`, `usual` or `full`.
        took_s: how long all of it took.
        machine: what a reader must know to compare.
        outcomes: name of a part -> what it found.
        failed: name of a part, or `peers` -> why it found nothing.
        peers: what the peers did.
    """

    at: str
    length: str
    took_s: int
    machine: Mapping[str, object]
    outcomes: Mapping[str, Outcome]
    failed: Mapping[str, str] = {}
    peers: Sequence[Peer] = ()


_PARTS: Final = (
    Part(name="ack", job="ack"),
    Part(name="fanout-500", job="fanout", size={"devices": 500, "changes": 20, "bursts": 10}),
    Part(name="fanout-2000", job="fanout", size={"devices": 2_000, "changes": 20, "bursts": 10}),
    Part(name="bootstrap", job="bootstrap"),
    Part(name="storm", job="storm", size={"rounds": 3}),
    Part(name="reconnect", job="reconnect"),
    Part(name="idle", job="idle", size={"devices": 8_000, "rounds": 1}, limit_s=900),
    Part(name="force", job="force", limit_s=1_800),
    Part(name="stalled", job="stalled"),
    Part(name="replica", job="replica"),
    Part(name="wire", job="wire"),
    Part(name="growth", job="growth", limit_s=600),
    Part(name="revoke", job="revoke", size={"staying": 500, "revoked": 500, "rounds": 1}),
)
"""The usual run."""
_FULL: Final[_Sizes] = {
    "ack": {"rounds": 5},
    "fanout-500": {"rounds": 5},
    "fanout-2000": {"rounds": 5},
    "growth": {"records": 1_000_000, "devices": 8_000},
    "revoke": {"staying": 1_000, "revoked": 1_000, "rounds": 3},
}
"""What is longer in a full one."""
_QUICK: Final[_Sizes] = {
    "ack": {"devices": 5, "seconds": 1, "rounds": 1},
    "fanout-500": {"devices": 20, "changes": 5, "bursts": 2, "rounds": 1},
    "fanout-2000": {"devices": 100, "changes": 5, "bursts": 2, "rounds": 1},
    "bootstrap": {"records": 200, "rounds": 1},
    "storm": {"devices": 5, "edits": 4, "rounds": 1},
    "reconnect": {"devices": 50, "rounds": 1},
    "idle": {"devices": 100, "seconds": 5},
    "force": {"devices": 100, "seconds": 5, "rounds": 1},
    "stalled": {"devices": 40, "changes": 20, "rounds": 1},
    "replica": {"edits": 20, "records": 1_000, "rounds": 1},
    "wire": {"edits": 50, "rounds": 1},
    "growth": {"records": 4_000, "devices": 200},
    "revoke": {"staying": 20, "revoked": 20},
}
"""Sizes that show that everything works, and no figure to rely on; where peers do the same job, theirs."""
PEERS: Final = "peers"
LENGTHS: Final = ("quick", "usual", "full")
_FULL_LIMIT_S: Final = 3_600
_PEERS_LIMIT_S: Final = {"quick": 600, "usual": 1_200, "full": 1_800}


def parts(length: str, chosen: Sequence[str] = ()) -> list[Part]:
    """The parts of a run.

    Args:
        length: one of LENGTHS.
        chosen: names of parts, or of jobs; all without.
    """
    sizes = {"quick": _QUICK, "full": _FULL}.get(length, {})
    found = [
        msgspec.structs.replace(
            part,
            size={**part.size, **sizes.get(part.name, {})},
            limit_s=_FULL_LIMIT_S if length == "full" else part.limit_s,
        )
        for part in _PARTS
    ]
    return [part for part in found if not chosen or part.name in chosen or part.job in chosen]


def run_all(
    length: str,
    chosen: Sequence[str],
    say: Callable[[str], object],
    keep: Callable[[Run], object],
    *,
    peers: bool = True,
) -> Run:
    """Run the parts, one after the other, and the peers.

    Args:
        length: one of LENGTHS.
        chosen: names of parts, or of jobs; all without.
        say: told what is going on.
        keep: given the run as far as it is, behind each part: what is broken off leaves what was found.
        peers: whether the peers are run too.
    """
    began = time.monotonic()
    at = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M")
    run = Run(at=at, length=length, took_s=0, machine=facts(), outcomes={})
    wanted = parts(length, chosen)
    small = ["--small"] if length == "quick" else []
    if peers:
        wanted.append(Part(name=PEERS, job=PEERS, limit_s=_PEERS_LIMIT_S[length]))
    for part in wanted:
        say(f"{part.name} ({time.monotonic() - began:.0f} s so far)")
        words = [word for name, value in part.size.items() for word in (f"--{name}", str(value))]
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "told.json"
            program = ["loadtest.peers", *small] if part.job == PEERS else ["loadtest.bench", part.job, *words]
            problem = _call([*program, "--json", str(told)], part.limit_s) or _missing(told)
            if problem is not None:
                say(f"  {problem}")
                run = msgspec.structs.replace(run, failed={**run.failed, part.name: problem})
            elif part.job == PEERS:
                run = msgspec.structs.replace(run, peers=msgspec.json.decode(told.read_bytes(), type=_Rows).rows)
            else:
                outcome = msgspec.json.decode(told.read_bytes(), type=Outcome)
                run = msgspec.structs.replace(run, outcomes={**run.outcomes, part.name: outcome})
        run = msgspec.structs.replace(run, took_s=round(time.monotonic() - began))
        keep(run)
    return run


def _missing(told: Path) -> str | None:
    return None if told.exists() else "it ended well and told nothing"


class _Rows(msgspec.Struct, frozen=True):
    """What `python -m loadtest.peers --json` writes, as far as it is used here."""

    rows: Sequence[Peer]


def _call(words: Sequence[str], limit_s: int) -> str | None:
    """Run one of our programs; why it failed, in a line, or None."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        # A session of its own: what it has started ends with it, also when it is given up.
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, stdout=said, stderr=said, start_new_session=True
        )
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"given up after {limit_s} s"
        finally:
            _end(process)
        if code == 0:
            return None
        said.seek(0)
        lines = [line.strip() for line in said if line.strip()]
        last = _without_places(lines[-1])[-_TOLD_CHARS:] if lines else "it said nothing"
        return f"it ended with {code}: {last}"


def _without_places(line: str) -> str:
    """A line with no folder of this machine in it: a run is shown to others."""
    for place, name in ((sys.executable, "python"), (sys.prefix, "venv"), (str(ROOT), "."), (str(Path.home()), "~")):
        line = line.replace(place, name)
    return line


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
