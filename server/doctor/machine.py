"""The machine and its kernel: cores, open files, what the network may queue, and the clock."""

import ctypes
import os
import re
import resource
from collections.abc import Iterator
from typing import Final

from server.doctor.report import Found, Subject, fine, trouble, warning
from server.serving import BACKLOG, FILES_RESERVED

CORES_MIN: Final = 2
"""One for the loop, one for the process that writes."""
SOCKET_BYTES: Final = 8 * 1_024
"""What the kernel keeps for a connection that is mostly silent, both ways."""
PAGE_BYTES: Final = 4_096
_TIME_ERROR: Final = 5
"""adjtimex(2): the clock is not synchronised."""
_TIMEX_BYTES: Final = 512
"""More than any `struct timex`; zeros ask and change nothing."""


def cores(_subject: Subject) -> Iterator[Found]:
    """How many processors this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count < CORES_MIN:
        yield warning(
            "one core", "give it two: the loop and the process that writes hold each other up under load on one"
        )
    else:
        yield fine(f"{count} cores")


def open_files(subject: Subject) -> Iterator[Found]:
    """Whether every connection that is allowed finds a descriptor."""
    wanted = subject.configuration.limits.connections_max + FILES_RESERVED
    hard = _hard_limit(subject)
    if hard is not None and hard < wanted:
        yield trouble(
            f"at most {hard:,} files may be open, and limits.connections_max asks for {wanted:,}",
            f"set LimitNOFILE={wanted} in the service, or `ulimit -Hn`, or lower limits.connections_max to "
            f"{max(1, hard - FILES_RESERVED):,}",
        )
    else:
        yield fine(f"open files: {'no limit' if hard is None else f'{hard:,}'}, {wanted:,} are needed")


def _hard_limit(subject: Subject) -> int | None:
    """Of the server that runs, or else of this process; None where there is none."""
    if subject.running is not None:
        told = subject.told(f"{subject.running.pid}/limits") or ""
        found = re.search(r"^Max open files\s+\S+\s+(\S+)", told, re.MULTILINE)
        if found is not None:
            return None if found[1] == "unlimited" else int(found[1])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def backlog(subject: Subject) -> Iterator[Found]:
    """How many connections may wait to be accepted (listen(2))."""
    told = subject.told("sys/net/core/somaxconn")
    if told is None or not told.isdigit():
        yield fine("this system does not say how many connections may wait")
    elif int(told) < BACKLOG:
        yield warning(
            f"net.core.somaxconn is {told}: devices that come back together after a restart are turned away",
            f"sysctl -w net.core.somaxconn={BACKLOG}, and in /etc/sysctl.d",
        )
    else:
        yield fine(f"net.core.somaxconn is {told}")


def tcp_memory(subject: Subject) -> Iterator[Found]:
    """Whether the kernel has room for that many connections (tcp(7), tcp_mem)."""
    told = (subject.told("sys/net/ipv4/tcp_mem") or "").split()
    if len(told) != 3 or not all(one.isdigit() for one in told):  # noqa: PLR2004  low, pressure, high
        yield fine("this system does not say how much memory its connections may take")
        return
    high = int(told[2]) * PAGE_BYTES
    wanted = subject.configuration.limits.connections_max * SOCKET_BYTES
    if high < wanted:
        pages = wanted // PAGE_BYTES
        yield warning(
            f"net.ipv4.tcp_mem allows {high >> 20} MiB, {wanted >> 20} MiB may be needed",
            f'sysctl -w net.ipv4.tcp_mem="{pages // 2} {pages * 3 // 4} {pages}", and in /etc/sysctl.d',
        )
    else:
        yield fine(f"net.ipv4.tcp_mem allows {high >> 20} MiB")


def clock(_subject: Subject) -> Iterator[Found]:
    """Whether something keeps the clock right: evidence bears its times."""
    state = clock_state()
    if state is None:
        yield warning("this system does not say whether its clock is right", "see that something keeps it right")
    elif state == _TIME_ERROR:
        yield warning(
            "nothing keeps the clock right: evidence bears its times, and devices correct theirs by it",
            "start chrony or systemd-timesyncd, and look at `timedatectl`; in a container it is the host's to do",
        )
    else:
        yield fine("the clock is kept right")


def clock_state() -> int | None:
    """What adjtimex(2) returns; None where there is no such call."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return state if state >= 0 else None
