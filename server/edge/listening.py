"""What every process of ours that serves does alike: it takes an address, and it stops in order when told to."""

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn

from schemas.errors import StoreError


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


def in_url(host: str) -> str:
    """A host as it stands in a URL (RFC 3986 section 3.2.2): an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
