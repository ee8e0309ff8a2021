"""What a process used of its core is told as it is, and where it may run is where it runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench.machine import Usage, pin_all

_WORKS_S = 0.004
_WORKER = f"""
import sys, threading, time
def work():
    began = time.thread_time()
    while time.thread_time() - began < {_WORKS_S}: pass
threading.Thread(target=threading.Event().wait, daemon=True).start()
for line in sys.stdin:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print("done", flush=True)
"""


@pytest.fixture
def worker() -> Iterator["subprocess.Popen[str]"]:
    """A process that works for a while, in a thread, for each line that it is told."""
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def have_work_done(worker: "subprocess.Popen[str]") -> None:
    """Have it work once."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "done\n"


def test_what_takes_less_than_a_tick_is_told(worker: "subprocess.Popen[str]") -> None:
    """Work of any thread counts, in far less than the hundredths of a second in which a kernel ticks."""
    have_work_done(worker)
    used = Usage(worker.pid)
    have_work_done(worker)
    first = used.seconds()
    have_work_done(worker)
    assert first >= _WORKS_S
    assert used.seconds() >= first + _WORKS_S


def test_a_process_that_is_gone_uses_nothing() -> None:
    """Nobody fails over a server that has been ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert Usage(process.pid).seconds() == 0.0


def test_all_threads_are_moved(worker: "subprocess.Popen[str]") -> None:
    """Those that a process has already, and not its first alone."""
    core = min(os.sched_getaffinity(0))
    have_work_done(worker)
    pin_all(worker.pid, {core})
    threads = [int(each.name) for each in Path(f"/proc/{worker.pid}/task").iterdir()]
    assert len(threads) > 1
    assert [os.sched_getaffinity(each) for each in threads] == [{core}] * len(threads)
