"""What the supervisor is told: where it listens, in its words, and never at anybody's cost."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.supervised import READY, STOPPING, Supervisor


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket on which a supervisor would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def test_news_arrive_as_one_datagram(heard: socket.socket) -> None:
    """Each on a line of its own, at a path."""
    supervisor = Supervisor.found({"NOTIFY_SOCKET": heard.getsockname()})
    supervisor.tell(READY, "STATUS=ready")
    assert heard.recv(1_000) == b"READY=1\nSTATUS=ready"


def test_an_abstract_address_is_understood() -> None:
    """It is written with an @ for the zero byte before it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0beatbook-test-{os.getpid()}")
        Supervisor(f"@beatbook-test-{os.getpid()}").tell(STOPPING)
        assert listening.recv(1_000) == b"STOPPING=1"


def test_what_the_environment_says_is_taken_out_of_it() -> None:
    """A child of the server that found it would speak in the server's name."""
    environment = {
        "NOTIFY_SOCKET": "/run/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "A": "b",
    }
    assert Supervisor.found(environment).watchdog_s == pytest.approx(30.0)
    assert environment == {"A": "b"}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "1000"},
    ],
)
async def test_without_a_supervisor_that_waits_nothing_is_said(told: dict[str, str]) -> None:
    """No address, no period, another's period: signs of life are over before they begin."""
    supervisor = Supervisor.found(dict(told))
    assert supervisor.watchdog_s is None or "NOTIFY_SOCKET" not in told
    await supervisor.keep_alive()


def test_a_supervisor_that_is_gone_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says so, and the server goes on."""
    Supervisor(str(tmp_path / "nobody")).tell(READY)
    assert "the supervisor was not told READY=1" in caplog.text


async def test_signs_of_life_come_while_the_loop_turns(heard: socket.socket) -> None:
    """More than one in each period, so that one may be late."""
    alive = asyncio.create_task(Supervisor(heard.getsockname(), watchdog_s=0.003).keep_alive())
    loop = asyncio.get_running_loop()
    for _ in range(3):
        assert await loop.sock_recv(heard, 1_000) == b"WATCHDOG=1"
    alive.cancel()
