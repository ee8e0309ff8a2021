"""What a process that was unlocked still has in its memory, and how a locked one has none of it.

Locking closes the replica and zeroes the keys that are ours to zero. It does not empty the process: CPython gives freed
memory back to its own arenas as it is, keeps texts wherever something still refers to them, and cannot zero what is
`bytes` or `str`. Of 10,000 words that a process had shown, practically all are still in it after closing and a garbage
collection; overwriting what is free from inside left between some dozens and a third of them. So that is not offered.

One thing leaves none: a new process image. `start_anew` replaces the program by itself (`execve`), and the kernel hands
out zeroed pages. An application locks like this: close the handheld, `Unlocked.lock`, then `start_anew` into its lock
screen, whose arguments hold no secret. Swap and hibernation are the platform's to encrypt. Against a dump of the
*unlocked* process there is only `harden`, which stops the user's other programs and crash handlers, and not an
administrator.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

_PR_SET_DUMPABLE: Final = 4


def harden() -> None:
    """Let nothing write this process's memory to a file: no core dumps, no reading by other programs of the user.

    Core dumps are off for its children too. Where the system has no such switch (`prctl` is Linux's), only the limit
    is set. An administrator can still read the memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def start_anew(arguments: Sequence[str]) -> NoReturn:
    """Become another program, in the same process and with its terminal: nothing of this one's memory is left.

    Close the replica before: files are closed by it, not finished. Files that Python opened are not handed on.

    Args:
        arguments: the program and its arguments; the first is its path. They can be read by everyone on the machine.

    Raises:
        OSError: there is no such program; this one goes on.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(arguments[0], list(arguments))  # noqa: S606  no shell is wanted
