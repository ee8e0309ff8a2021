"""`beatbook handset` as its users have it: processes, pipes, a pseudo-terminal, and a real server."""

import asyncio
import fcntl
import os
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from server.cli import main
from server.demo.people import Program
from server.demo.stage import Stage
from sync.device import DeviceIdentity
from sync.device.terminal.commands import COMMANDS
from tests.server.people import WORKING

HANDSET: Final = (sys.executable, "-m", "server.cli", "handset")
NO_SERVER: Final = "ws://127.0.0.1:9"
"""Port 9 is for discarding (RFC 863); here nobody listens."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server that runs."""
    stage = Stage(tmp_path)
    await stage.start()
    yield stage
    await stage.stop()


def enrol(stage: Stage, folder: Path, device: str, *audiences: str) -> list[str]:
    """Enrol a device as `beatbook enrol` does; the arguments with which its handset finds the server."""
    identity = DeviceIdentity.generate(device)
    identity.save(folder / device / "identity.json")
    stage.enrol(Program(device, "WM21877", audiences or ("area:birmingham", "force"), WORKING, identity=identity))
    return [str(folder / device), "--author", "WM21877", "--server", f"ws://127.0.0.1:{stage.port}"]


@pytest.fixture
def lonely(tmp_path: Path) -> list[str]:
    """Arguments of a device whose server cannot be reached."""
    DeviceIdentity.generate("hh-01").save(tmp_path / "hh-01" / "identity.json")
    return [str(tmp_path / "hh-01"), "--author", "WM21877", "--server", NO_SERVER]


async def script(arguments: list[str], *lines: str, options: bool = False) -> tuple[int, str, str]:
    """Run a handset over lines, from a pipe or as options: exit code, standard output, standard error."""
    given = [word for line in lines for word in ("--command", line)] if options else []
    process = await asyncio.create_subprocess_exec(
        *HANDSET, *arguments, *given,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(None if options else "\n".join(lines).encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


# --- scripts ---------------------------------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.timeout(60)
async def test_what_one_writes_offline_the_other_sees_when_it_is_back(stage: Stage, tmp_path: Path) -> None:
    """Nothing of an offline handset reaches anyone before it is online again, also over a restart; then all does."""
    away, other = enrol(stage, tmp_path, "hh-01"), enrol(stage, tmp_path, "hh-02")
    written = await script(
        away, "wait", "offline", "new Door forced in birmingham crime", "log . By the canal", "status"
    )
    assert written[0] == 0, written
    assert "2 changes not yet on the server's disk" in written[1]

    assert (await script(other, "wait", "list", options=True))[1].endswith("Nothing here yet\n")
    back = await script([*away, "--offline"], "status", "online", "wait", "status")
    assert back[0] == 0, back
    assert "Everything is in, nothing waits\n" in back[1]

    code, out, _ = await script(other, "wait", "list door", "show 1", options=True)
    assert code == 0
    assert "Door forced" in out
    assert re.search(r"By the canal  +WM21877 on hh-01", out)
    assert "[waiting]" not in out


async def test_a_failed_command_is_told_by_the_exit_code(lonely: list[str]) -> None:
    """A script ends with 1 at the first failure, complains on standard error, and shows no prompt or colour."""
    code, out, err = await script(lonely, "list", "bogus", "new A in birmingham")
    assert (code, out) == (1, "Nothing here yet\n")
    assert "error: no command 'bogus': help tells the commands\n" in err
    code, out, err = await script(lonely, "list", "new A in birmingham", "quit", "bogus", options=True)
    assert (code, out.splitlines()[0]) == (0, "Nothing here yet")
    code, _, err = await script(lonely, "wait 0", options=True)
    assert code == 1
    assert "1 waiting" in err
    code, out, _ = await script(lonely)
    assert (code, out) == (0, "")


async def test_a_signal_ends_a_script_in_order(lonely: list[str]) -> None:
    """Ctrl-C leaves no traceback and a replica that opens again with all that was written."""
    process = await asyncio.create_subprocess_exec(
        *HANDSET, *lonely,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"new Door forced in birmingham\n")
    assert b"reported" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    assert b"Traceback" not in err
    assert "Door forced" in (await script([*lonely, "--offline"], "list"))[1]


# --- options ---------------------------------------------------------------------------------------------------------


def test_the_officer_must_be_named(lonely: list[str]) -> None:
    """The identity does not tell who uses the device: without --author nothing is opened, and it says why."""
    result = CliRunner().invoke(main, ["handset", lonely[0]])
    assert result.exit_code == 2
    assert "Missing option '--author'" in result.output
    assert not (Path(lonely[0]) / "replica.db").exists()
    result = CliRunner().invoke(main, ["handset", lonely[0], "--author", "P.C. Ellwood"])
    assert result.exit_code == 2
    assert "is no collar number" in result.output


async def test_what_cannot_be_opened_is_one_clear_line(lonely: list[str], tmp_path: Path) -> None:
    """No identity, no address, a key of the wrong length: each is told in a line with what to do, exit code 1."""
    assert (await script([str(tmp_path / "none"), "--author", "WM1"], options=True))[::2] == (
        1,
        f"Error: no device identity at {tmp_path / 'none' / 'identity.json'}: enrol the device, or restore the file\n",
    )
    code, _, err = await script([*lonely[:3], "--server", "http://example.org"], options=True)
    assert (code, "is no server address" in err, err.count("\n")) == (1, True, 1)
    key = tmp_path / "short.key"
    key.write_bytes(b"short")
    key.chmod(0o600)
    code, _, err = await script([*lonely, "--key-file", str(key)], options=True)
    assert (code, "must hold 32 bytes" in err, err.count("\n")) == (1, True, 1)


async def test_identity_key_and_log_can_be_elsewhere(lonely: list[str], tmp_path: Path) -> None:
    """The replica's folder need not hold the secrets; the log is written to the file that was asked for."""
    key, log = tmp_path / "elsewhere.key", tmp_path / "engine.log"
    identity = (Path(lonely[0]) / "identity.json").rename(tmp_path / "elsewhere.json")
    where = ["--identity", str(identity), "--key-file", str(key), "--log-file", str(log)]
    code, out, err = await script([*lonely, *where], "new A in birmingham", options=True)
    assert (code, "reported" in out) == (0, True), err
    assert key.stat().st_size == 32
    assert log.exists()
    assert not (Path(lonely[0]) / "replica.key").exists()
    assert (await script(lonely, "list", options=True))[0] == 1


# --- a terminal ------------------------------------------------------------------------------------------------------


class Pty:
    """A pseudo-terminal of 140 columns with a program on it. What it writes is kept, for waiting on."""

    def __init__(self, master: int, slave: int) -> None:
        """Take its two ends."""
        self.slave = slave
        self.seen = ""
        self._master = master
        self._more = asyncio.Event()
        self._read = 0
        asyncio.get_running_loop().add_reader(master, self._take)

    def _take(self) -> None:
        self.seen += os.read(self._master, 65_536).decode()
        self._more.set()

    def type(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    async def until(self, words: str) -> str:
        """Wait until the program has written something with these words since the last time; return all of it."""
        while (at := self.seen.find(words, self._read)) < 0:
            self._more.clear()
            await self._more.wait()
        found = self.seen[self._read : at + len(words)]
        self._read = at + len(words)
        return found

    async def start(self, arguments: list[str]) -> asyncio.subprocess.Process:
        """Start a handset on it, as its foreground program: Ctrl-C reaches it as a signal."""
        takes_it = "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", takes_it, *HANDSET, *arguments,
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "140"},
        )  # fmt: skip


@contextmanager
def opened_pty() -> Iterator[Pty]:
    """A pseudo-terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 140, 0, 0))
    try:
        yield Pty(master, slave)
    finally:
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        os.close(slave)


@pytest.mark.e2e
@pytest.mark.timeout(60)
async def test_a_briefing_comes_above_the_line_that_is_being_typed(stage: Stage, tmp_path: Path) -> None:
    """While an officer types, a live briefing is shown and the line stays; it is carried out whole."""
    arguments = enrol(stage, tmp_path, "hh-01")
    with opened_pty() as pty:
        before = termios.tcgetattr(pty.slave)
        process = await pty.start(arguments)
        await pty.until("online, 0 waiting> ")
        pty.type("new Fire at the mi")
        await pty.until("Fire at the mi")
        await stage.post("/v1/briefings", {"title": "Grey van", "body": "Do not stop.", "audience": ["force"]})
        await pty.until("Grey van")
        assert (await pty.until("new Fire at the mi")).count("\n") == 1
        pty.type("ll in Birmingham\r")
        await pty.until("reported in birmingham")
        pty.type("list\r")
        page = await pty.until("Briefings: 1")
        assert "Fire at the mill" in page
        pty.type("\x04")
        assert await process.wait() == 0
        assert termios.tcgetattr(pty.slave) == before
        assert "Traceback" not in pty.seen


async def test_ctrl_c_breaks_off_a_command_and_then_ends_the_handset(lonely: list[str]) -> None:
    """The first Ctrl-C ends what runs, the next one at the prompt the handset; the terminal is as it was."""
    with opened_pty() as pty:
        before = termios.tcgetattr(pty.slave)
        process = await pty.start(lonely)
        await pty.until("0 waiting> ")
        pty.type("wait 600\r")
        await pty.until("wait 600\r\n")
        pty.type("\x03")
        await pty.until("broken off")
        await pty.until("0 waiting> ")
        pty.type("half a line\x03")
        assert await process.wait() == 0
        assert termios.tcgetattr(pty.slave) == before
        assert "Traceback" not in pty.seen


async def test_a_form_is_filled_in_at_the_keyboard_and_can_be_broken_off(lonely: list[str]) -> None:
    """Questions come one by one above the prompt; Ctrl-C leaves the form, and what was answered is offered again."""
    with opened_pty() as pty:
        process = await pty.start(lonely)
        await pty.until("0 waiting> ")
        pty.type("new Coach on its side in birmingham\r")
        await pty.until("1 waiting> ")
        pty.type("methane .\r")
        await pty.until("M  Major incident declared, or on standby?")
        await pty.until("1 waiting> ")
        pty.type("Declared\r")
        await pty.until("E  Exact location?")
        await pty.until("1 waiting> ")
        pty.type("\x03")
        await pty.until("broken off")
        pty.type("list\r")
        await pty.until("Coach on its side")
        pty.type("methane .\r")
        await pty.until("Go on with what you answered before (major Declared)?")
        pty.type("yes\r")
        await pty.until("E  Exact location?")
        pty.type("\x04")
        await pty.until("the input ended at the question")
        assert await process.wait() == 0
        assert "Traceback" not in pty.seen


# --- its page --------------------------------------------------------------------------------------------------------


def test_the_page_tells_every_command_and_mark() -> None:
    """Each command stands on the page with the form that `help` gives it."""
    page = (Path(__file__).resolve().parents[2] / "docs/howto/handset.md").read_text(encoding="utf-8")
    told = page.replace("\\|", "|")
    assert [spec.usage for spec in COMMANDS.values() if f"`{spec.usage}`" not in told] == []
    for mark in ("waiting", "refused", "contested", "urgent", "read", "expired", "withdrawn"):
        assert f"`[{mark}]`" in told
