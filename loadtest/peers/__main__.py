"""`python -m loadtest.peers [PEER ...] [--jobs ack,fanout] --json FILE`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from loadtest.bench.machine import Cores, cores, facts
from loadtest.peers import install
from loadtest.peers.catalogue import PEERS, Peer, sizes
from loadtest.peers.rows import JOBS, Found, Row, line
from loadtest.peers.run import run


def main(arguments: list[str]) -> int:
    """Install, list or run peers; 0 unless something that was to be installed could not be."""
    given = _parser().parse_args(arguments)
    peers = [peer for peer in PEERS if not given.peer or peer.group in given.peer or peer.name in given.peer]
    if given.list:
        for peer in peers:
            sys.stdout.write(f"{peer.group:10} {peer.name:34} {peer.durability}\n")
        return 0
    if given.install:
        groups = list(dict.fromkeys(peer.group for peer in peers))
        return 0 if install.install(groups, given.home, _say) else 1
    try:
        rows = asyncio.run(_all(peers, given.jobs, given.home, small=given.small))
    except asyncio.CancelledError:
        _say("ended before all was measured: nothing is written")
        return 128 + signal.SIGTERM
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        found = Found(machine=facts(), rows=rows)
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    return 0


async def _all(peers: Sequence[Peer], jobs: Sequence[str], home: Path, *, small: bool) -> list[Row]:
    # Whoever ends us, as `timeout` does, ends what we started, and leaves no folders.
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    where, known = cores(), install.pins()
    rows = []
    for peer in peers:
        lacking = install.missing(peer.group, home, known)
        for job in jobs:
            for size in sizes(peer, job, small=small):
                row = await _one(peer, job, lacking, home=home, where=where, size=size)
                sys.stdout.write(line(row) + "\n")
                sys.stdout.flush()
                rows.append(row)
                if not row.size:
                    break
    return rows


async def _one(peer: Peer, job: str, lacking: str | None, *, home: Path, where: Cores, size: Mapping[str, int]) -> Row:
    why = peer.cannot.get(job) or lacking
    if why is None:
        return await run(peer, job, size, home, where)
    version = "" if lacking else peer.version()
    return Row(peer=peer.name, version=version, durability=peer.durability, job=job, notes=[why])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.peers", description=__doc__)
    names = sorted({*(peer.name for peer in PEERS), *(peer.group for peer in PEERS)})
    parser.add_argument("peer", nargs="*", choices=[[], *names], metavar="PEER", help="a name or a group; all without")
    parser.add_argument("--jobs", type=_jobs, default=list(JOBS), metavar="JOB,JOB", help=f"of {', '.join(JOBS)}")
    parser.add_argument("--small", action="store_true", help="only see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write the rows to")
    parser.add_argument("--install", action="store_true", help="fetch them with npm and pip, and run nothing")
    parser.add_argument("--list", action="store_true", help="say which there are, and run nothing")
    parser.add_argument("--home", type=Path, default=install.HOME, metavar="FOLDER", help="where they are installed")
    return parser


def _jobs(text: str) -> list[str]:
    """Jobs by name.

    Raises:
        argparse.ArgumentTypeError: there is no such job.
    """
    chosen = [each.strip() for each in text.split(",")]
    wrong = [each for each in chosen if each not in JOBS]
    if wrong:
        raise argparse.ArgumentTypeError(f"there is no job {wrong[0]!r}: choose of {', '.join(JOBS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
