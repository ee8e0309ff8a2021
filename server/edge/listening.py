"""What every process of ours that serves does alike: it takes an address, and it stops in order when told to.

An address can also be handed over: a supervisor that listens itself (sd_listen_fds(3), as systemd's socket units do)
keeps the socket while the server is replaced. Who dials in between waits in the kernel's queue, and is refused by
nobody.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, MutableMapping
from typing import Final

import uvicorn

from schemas.errors import StoreError, UsageError

_FIRST_HANDED: Final = 3
"""Descriptors are handed over from this number on, behind those of input, output and errors."""
_HANDED: Final = "LISTEN_FDS"
_HANDED_TO: Final = "LISTEN_PID"
_HANDED_NAMES: Final = "LISTEN_FDNAMES"
HANDED_MAX: Final = 16
"""Sockets that are taken over: an address of each family on each of a few networks."""


class OrderlyServer(uvicorn.Server):
    """uvicorn, but a stop that was asked for is no death by signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As the base does, but it does not raise the signal again at the end: the process ends with code 0."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """A TCP socket that listens.

    Args:
        host: an address of this machine, IPv4 or IPv6, or a name of it.
        port: 0 takes a free one.
        backlog: connections that wait to be accepted.

    Raises:
        StoreError: the address is taken, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = "is another server running there?" if taken else "give an address of this machine with --host"
        raise StoreError(f"cannot listen on {host}:{port} ({error.strerror}); {remedy}") from None


def handed_over(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets on which a supervisor listens for this process; none where the environment tells of none.

    The variables are taken out and the sockets kept from children: what the server starts must not serve on them.

    Raises:
        UsageError: what was handed over are no sockets that a server of ours can accept on; the text says which, and
            what to do.
    """
    told, pid = environment.pop(_HANDED, ""), environment.pop(_HANDED_TO, "")
    environment.pop(_HANDED_NAMES, None)
    if not told or pid != str(os.getpid()):
        # Meant for whoever started us.
        return []
    if not told.isdecimal() or int(told) > HANDED_MAX:
        raise UsageError(f"{_HANDED} is {told!r}; a supervisor hands over up to {HANDED_MAX} sockets")
    taken: list[socket.socket] = []
    descriptor = _FIRST_HANDED
    try:
        for descriptor in range(_FIRST_HANDED, _FIRST_HANDED + int(told)):
            taken.append(socket.socket(fileno=descriptor))
            os.set_inheritable(descriptor, False)
            _check_accepts(taken[-1])
    except OSError:
        for each in taken:
            each.close()
        raise UsageError(
            f"descriptor {descriptor}, which was handed over, is no listening TCP socket; in a socket unit write "
            "ListenStream=ADDRESS:PORT and Accept=no"
        ) from None
    return taken


def _check_accepts(each: socket.socket) -> None:
    inet = each.family in {socket.AF_INET, socket.AF_INET6} and each.type == socket.SOCK_STREAM
    if not inet or not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def in_url(host: str) -> str:
    """A host as it stands in a URL (RFC 3986 section 3.2.2): an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
