"""A real witness process that stops at a chosen point and says so, to be killed there.

Run as a program: `stalled.py FOLDER POINT VKEY`. It prints its address, and "stalled" when it has come to the point.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from server.witness.heads import Head, Heads
from server.witness.serving import open_folder, run
from sync.evidence.note import VerifierKey


def _stall() -> None:
    print("stalled", flush=True)  # noqa: T201  its word to the test
    threading.Event().wait()


def _compared(advance: Callable[[Heads, str, Head, Head], bool]) -> Callable[[Heads, str, Head, Head], bool]:
    """Stop when the head was found good, before anything is written."""

    def stalling(heads: Heads, origin: str, old: Head, new: Head) -> bool:
        _stall()
        return advance(heads, origin, old, new)

    return stalling


def _written(advance: Callable[[Heads, str, Head, Head], bool]) -> Callable[[Heads, str, Head, Head], bool]:
    """Stop inside the transaction, before its commit."""

    def stalling(heads: Heads, origin: str, old: Head, new: Head) -> bool:
        heads._connection.set_trace_callback(lambda statement: _stall() if statement == "COMMIT" else None)
        return advance(heads, origin, old, new)

    return stalling


def _kept(advance: Callable[[Heads, str, Head, Head], bool]) -> Callable[[Heads, str, Head, Head], bool]:
    """Stop when the head is on the disk, before it is signed."""

    def stalling(heads: Heads, origin: str, old: Head, new: Head) -> bool:
        advance(heads, origin, old, new)
        _stall()
        return True

    return stalling


POINTS = {"compared": _compared, "written": _written, "kept": _kept}

if __name__ == "__main__":
    folder, point, log = sys.argv[1:]
    if point in POINTS:
        setattr(Heads, "advance", POINTS[point](Heads.advance))  # noqa: B010  mypy would have it a method as it stands
    run(
        open_folder(Path(folder), "w.witness.example"),
        [VerifierKey.parse(log)],
        "127.0.0.1",
        0,
        lambda listening: print(listening.url, flush=True),  # noqa: T201  its word to the test
    )
