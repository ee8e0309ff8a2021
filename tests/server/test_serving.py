"""`beatbook serve` as a real process: it says where it is, goes down in order, and refuses what it cannot serve."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import wire
from schemas.codec import encode
from schemas.errors import ERRORS
from schemas.ids import DeviceId, RecordId
from schemas.limits import CREDIT_BYTES, RETURN_WINDOW_MIN_MS
from schemas.roles import Role
from server import serving
from server.beatbook import Beatbook
from server.cli.proving import DpopAuth, Held
from server.cli.remote import Remote
from server.configuration import read_configuration
from server.demo.people import Administration, Program
from server.demo.stage import link_in
from server.http.bodies import Created, RecordList
from server.retention import Schedule
from server.serving import ADDRESS, Address, read_address
from sync.device.keys import DeviceIdentity
from tests.server.api import briefing
from tests.server.hostile import op_of, refused
from tests.server.pushes import signed_push
from tests.server.rawsocket import BINARY, HOST, RawSocket, frame

pytestmark = pytest.mark.e2e
KEY = Ed25519PrivateKey.generate()
DEVICE = Program("hh-1", "WM1234", ["area:birmingham"], identity=DeviceIdentity(DeviceId("hh-1"), KEY))
CONTROL = Program("control-1", "WM9", ["area:birmingham", "force", "control"], [Role.CONTROL_ROOM])
PATIENCE_S = 15.0


class Process:
    """A server process."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path) -> None:
        """Wrap one that was started."""
        self.process = process
        self.data = data
        self.said = ""

    async def take_in(self) -> None:
        """Use the link of the first start, and enrol the device and a program of the control room."""
        link = link_in(self.said)
        administration = await asyncio.to_thread(Administration, link.rpartition("/")[0], link, self.data.parent / "me")
        await asyncio.to_thread(administration.take_in, (DEVICE, CONTROL))
        for program in (DEVICE, CONTROL):
            await asyncio.to_thread(administration.seat, program)

    @classmethod
    async def start(cls, data: Path, port: int = 0) -> "Process":
        """Start one; it may be anywhere between here and its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", "serve", "--data", str(data), "--port", str(port),
            "--log-level", "warning",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        return cls(process, data)

    async def ready(self) -> Address:
        """Wait for its last line of greeting."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while "HTTP:" not in self.said:
                line = await self.process.stdout.readline()
                assert line, (await self.end())[1]
                self.said += line.decode()
        address = read_address(self.data)
        assert address is not None
        return address

    async def end(self) -> tuple[int, str]:
        """Wait for its end: exit code and what it said on standard error."""
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and its children, as a terminal does at Ctrl-C."""
        os.killpg(self.process.pid, number)

    async def live(self, address: Address) -> RawSocket:
        """A socket of the enrolled device that has read its WELCOME."""
        raw = await RawSocket.open(int(address.http.rpartition(":")[2]))
        status, _ = await raw.handshake()
        assert status == 101
        challenge = await raw.message()
        assert isinstance(challenge, wire.Challenge)
        body = encode(
            wire.HelloBody(
                proto=1,
                schema=1,
                device=DeviceId("hh-1"),
                next_op=1,  # type: ignore[arg-type]  # a small number
                wall=challenge.server_time,
                mono=0,
                credit=CREDIT_BYTES,
            )
        )
        proof = KEY.sign(wire.PROOF_CONTEXT + challenge.nonce + body)
        await raw.send_message(wire.Hello(body=body, proof=proof))
        assert isinstance(await raw.message(), wire.Welcome)
        return raw


@contextlib.asynccontextmanager
async def served(data: Path, port: int = 0) -> AsyncIterator[tuple[Process, Address]]:
    """A server that is ready; whatever is left of it is killed at the end."""
    process = await Process.start(data, port)
    try:
        yield process, await process.ready()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal_all(signal.SIGKILL)
        await process.process.communicate()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with an administrator, an enrolled device and a program, of a server that has gone down."""
    folder = tmp_path / "data"
    async with served(folder) as (process, _):
        await process.take_in()
        process.process.send_signal(signal.SIGTERM)
        await process.end()
    return folder


def control(address: Address) -> Remote:
    """The server, as the program of the control room calls it."""
    return Remote(address.http, DpopAuth(CONTROL.identity, Held(seat=CONTROL.device)))


async def test_it_says_where_it_is_and_goes_down_in_order(data: Path) -> None:
    """Ready line, address file, health; SIGTERM sends the device home and ends the process with code 0."""
    async with served(data) as (process, address):
        assert address.sync in process.said
        assert address.http in process.said
        assert address.pid == process.process.pid
        assert "Nobody administers" not in process.said
        assert {stat.S_IMODE(path.stat().st_mode) for path in (data / "keys").iterdir()} == {0o600}
        async with httpx.AsyncClient(base_url=address.http, trust_env=False) as http:
            assert (await http.get("/livez")).json()["status"] == "ok"
            assert (await http.get("/readyz")).json()["status"] == "ok"
        with control(address) as remote:
            assert (await asyncio.to_thread(remote.post, "/v1/briefings", briefing(), Created)).outcome == "created"
        raw = await process.live(address)
        process.process.send_signal(signal.SIGTERM)
        error = await refused(raw, "server_stopping")
        assert error.retry_after_ms is not None
        assert 0 <= error.retry_after_ms < RETURN_WINDOW_MIN_MS
        assert ERRORS["server_stopping"].close == 1012
        code, errors = await process.end()
    assert (code, errors) == (0, "")
    assert not (data / ADDRESS).exists()
    assert read_address(data) is None


async def test_an_interrupt_of_the_whole_group_is_a_stop_like_any_other(data: Path) -> None:
    """Ctrl-C reaches the writer process as well; both end without a traceback."""
    async with served(data) as (process, address):
        raw = await process.live(address)
        process.signal_all(signal.SIGINT)
        await refused(raw, "server_stopping")
        code, errors = await process.end()
    assert (code, errors) == (0, "")


async def test_what_was_durable_is_there_after_a_kill(data: Path) -> None:
    """SIGKILL, and the next start on the same folder works at once and holds every acknowledged op."""
    async with served(data) as (process, address):
        raw = await process.live(address)
        await raw.send_message(signed_push(KEY, encode(op_of("hh-1", 1))))
        result = (await raw.until(wire.Results)).results[0]
        assert result.status == "durable"
        process.process.send_signal(signal.SIGKILL)
        assert (await process.end())[0] == -signal.SIGKILL
        raw.close()
    assert (data / ADDRESS).exists()
    async with served(data) as (process, address):
        raw = await process.live(address)
        await raw.send_message(signed_push(KEY, encode(op_of("hh-1", 1))))
        assert (await raw.until(wire.Results)).results[0] == result
        raw.close()
        with control(address) as remote:
            page = await asyncio.to_thread(remote.get, "/v1/records", RecordList, {"kind": "incident"})
    assert [RecordId(record.id) for record in page.records] == ["01890000-0000-7000-8000-000000000001"]


async def test_a_flood_is_cut_off_on_the_real_loop_too(data: Path) -> None:
    """The event loop that serves outside of tests treats hostile frames the same."""
    async with served(data) as (process, address):
        other = await process.live(address)
        port = int(address.http.rpartition(":")[2])
        for data_sent, code in (
            (frame(BINARY, b"\x82", fin=False) + frame(0, b"", fin=False) * 100_000, "too_many_fragments"),
            (frame(BINARY, bytes(1_000_000)), "too_long"),
            (frame(BINARY, b"\xc1"), "bad_value"),
        ):
            raw = await RawSocket.open(port)
            await raw.handshake()
            writing = asyncio.create_task(raw.send(data_sent))
            await refused(raw, code)
            await writing
        await other.send_message(wire.Ping(id=1))
        await other.until(wire.Pong)
        other.close()


async def refusal(data: Path, port: int = 0) -> str:
    """The one line with which the server refuses to start, with exit code 1."""
    process = await Process.start(data, port)
    try:
        code, errors = await process.end()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal_all(signal.SIGKILL)
    assert code == 1
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1, errors
    return errors


async def test_a_port_that_is_taken_is_told_in_a_line(data: Path) -> None:
    """No traceback, no address file, and the folder is free for the next start."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on {HOST}:{port}" in await refusal(data, port)
    assert not (data / ADDRESS).exists()
    async with served(data):
        pass


async def test_a_folder_that_is_served_already_is_refused(data: Path) -> None:
    """Two servers never write the same folder; the first one is not disturbed."""
    async with served(data) as (process, address):
        assert str(data) in await refusal(data)
        assert read_address(data) == address
        (await process.live(address)).close()


async def test_a_folder_of_a_newer_version_is_refused(data: Path) -> None:
    """The line names the folder and what to do; nothing in it is changed."""
    async with served(data) as (process, _):
        process.process.send_signal(signal.SIGTERM)
        await process.end()
    (data / "FORMAT").write_text("beatbook 99\n")
    before = contents(data)
    errors = await refusal(data)
    assert str(data) in errors
    assert contents(data) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


async def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """Also below a file: the line names it."""
    (tmp_path / "file").write_text("")
    assert "file" in await refusal(tmp_path / "file" / "data")


async def test_a_key_that_is_none_is_refused_by_name(data: Path) -> None:
    """A server that made another one in its place would lock out everybody and lose what is sealed to it."""
    (data / "keys" / "token.key").write_text("")
    assert str(data / "keys" / "token.key") in await refusal(data)


async def test_the_first_link_is_told_at_each_start_until_it_is_used(tmp_path: Path) -> None:
    """Only on standard output, each time another one; and never again once there is an administrator."""
    data, links = tmp_path / "data", []
    for _ in range(2):
        async with served(data) as (process, _):
            links.append(link_in(process.said))
            process.process.send_signal(signal.SIGTERM)
            _, errors = await process.end()
            assert links[-1].rpartition("#")[2] not in errors
    assert links[0] != links[1]
    async with served(data) as (process, _):
        await process.take_in()
        process.process.send_signal(signal.SIGTERM)
        await process.end()
    async with served(data) as (process, _):
        assert "#" not in process.said


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"\xff", b'{"http": 5}'])
def test_an_address_file_that_is_none_is_no_address(tmp_path: Path, text: bytes) -> None:
    """A file that a crash left half is as good as none."""
    assert read_address(tmp_path) is None
    (tmp_path / ADDRESS).write_bytes(text)
    assert read_address(tmp_path) is None


async def test_the_retention_periods_of_the_file_are_those_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is listed as due is listed by the force's own schedule."""
    file = tmp_path / "beatbook.toml"
    file.write_text('data = "data"\n[listen]\nport = 0\n[retention]\nbriefing = "90 days"\n')
    found: list[Schedule] = []

    async def seen(beatbook: Beatbook, *_: object) -> None:
        found.append(beatbook.reviewing.schedule)

    monkeypatch.setattr(serving, "_serve", seen)
    await serving.serve(read_configuration(file, {}), lambda *_: None, lambda _: None)
    assert found == [Schedule.of({"briefing": 90})]
