"""Taking an address, and stopping in order."""

import errno
import signal
import socket

import pytest
import uvicorn

from schemas.errors import StoreError
from server.edge.listening import OrderlyServer, in_url, listen


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost")])
def test_a_free_address_is_taken(host: str, shown: str) -> None:
    """Both families; in a URL an IPv6 address stands in brackets."""
    try:
        listening = listen(host, 0, 4)
    except StoreError:
        pytest.skip(f"this machine has no {host}")
    with listening, socket.create_connection(listening.getsockname()[:2]):
        assert in_url(host) == shown


def test_a_taken_address_is_told_with_what_to_do() -> None:
    """Where, what is wrong, and whether it is the port or the address."""
    with listen("127.0.0.1", 0, 4) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StoreError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*is another server running"):
            listen("127.0.0.1", port, 4)
    with pytest.raises(StoreError, match=r"cannot listen on 203\.0\.113\.1:0 .*give an address of this machine"):
        listen("203.0.113.1", 0, 4)


def test_only_a_taken_port_is_called_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may not be used (a low one) is another matter."""

    def refuse(*_args: object, **_more: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(StoreError, match="Permission denied") as caught:
        listen("127.0.0.1", 443, 4)
    assert "another server" not in str(caught.value)


def test_a_stop_that_was_asked_for_is_no_death_by_signal() -> None:
    """The base would raise the signal again once it has gone down, and the process would end by it."""

    async def app(*_: object) -> None:
        """Serves nothing."""

    server = OrderlyServer(uvicorn.Config(app))
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with server.capture_signals():
            signal.raise_signal(signal.SIGTERM)
        assert server.should_exit
        assert heard == []
    finally:
        signal.signal(signal.SIGTERM, before)
