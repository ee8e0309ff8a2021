"""Taking an address, and stopping in order."""

import errno
import os
import signal
import socket
import subprocess
import sys

import pytest
import uvicorn

from schemas.errors import StoreError, UsageError
from server.edge.listening import OrderlyServer, handed_over, in_url, listen


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


def in_a_child(prepare: str, say: str) -> str:
    """Run this in a process of its own, where descriptor 3 can be what a supervisor makes of it."""
    source = (
        "import os, socket\n"
        "from schemas.errors import UsageError\n"
        "from server.edge.listening import handed_over\n"
        "environment = {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid()), 'LISTEN_FDNAMES': 'x', 'A': 'b'}\n"
        f"{prepare}\n"
        "os.dup2(one.fileno(), 3, inheritable=True)\n"
        "try:\n    taken = handed_over(environment)\nexcept UsageError as error:\n    print(error)\n"
        f"else:\n    {say}\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=15)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_socket_that_a_supervisor_holds_is_taken_over() -> None:
    """It accepts, no child of ours inherits it, and nobody finds it a second time."""
    said = in_a_child(
        "one = socket.create_server(('127.0.0.1', 0))",
        "print(taken[0].getsockname() == one.getsockname(), os.get_inheritable(3), environment)",
    )
    assert said == "True False {'A': 'b'}"


@pytest.mark.parametrize(
    "prepare",
    [
        "one = socket.socket()",
        "one = socket.socket(type=socket.SOCK_DGRAM)",
        "one = socket.socket(socket.AF_UNIX); one.bind('\\0beatbook-%d' % os.getpid()); one.listen()",
        "one = open(os.devnull)",
    ],
)
def test_what_cannot_be_accepted_on_is_refused(prepare: str) -> None:
    """A socket that does not listen, one of datagrams, a local one, a file: which it is, and what to write."""
    said = in_a_child(prepare, "print('taken')")
    assert said.startswith("descriptor 3, which was handed over, is no listening TCP socket; in a socket unit write")


@pytest.mark.parametrize("told", ["many", "-1", "1.5", "999"])
def test_a_count_that_no_supervisor_says_is_refused(told: str) -> None:
    """Rather than trying what lies at those numbers."""
    with pytest.raises(UsageError, match="LISTEN_FDS"):
        handed_over({"LISTEN_FDS": told, "LISTEN_PID": str(os.getpid())})


@pytest.mark.parametrize("told", [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}])
def test_what_was_handed_to_another_process_is_left_alone(told: dict[str, str]) -> None:
    """As when a shell between us and the supervisor inherited it."""
    assert handed_over(told) == []
    assert "LISTEN_FDS" not in told
