"""A real server process under the attacks that its edge is for; a good device is served all the while."""

import asyncio
import contextlib
import logging
import signal
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server.edge.process import Process, configure, refusal, running
from tests.server.edge.served import Authority, Caller

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = (
    b"", b"G", LIVEZ[:-2], b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: y\r\n", b"\r\n",
    b"POST /v1/briefings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
)  # fmt: skip


async def test_500_slow_callers_do_not_hinder_a_device(tmp_path: Path) -> None:
    """Half-sent requests, slow heads and slow bodies, from the device's own address: it gets in, is answered, stays."""
    async with running(configure(tmp_path)) as server, server.challenged() as device:
        slow = []
        for number in range(500):
            slow.append(await server.call())
            await slow[-1].send(SLOW[number % len(SLOW)])
        async with server.challenged():
            assert (await (await server.call()).ask(LIVEZ)).status == 200
        for caller in slow:
            await caller.send(b"X: y\r\n")
        async with server.challenged():
            await device.ping()
            assert (await (await server.call()).ask(LIVEZ)).status == 200
    assert server.errors == ""


async def test_500_half_open_handshakes_do_not_hinder_a_device(tmp_path: Path) -> None:
    """The same before TLS, where nothing of HTTP has come yet."""
    authority = Authority(tmp_path)
    authority.issue("localhost")
    tls = '[tls]\ncertificate_file = "certificate.pem"\nkey_file = "key.pem"\n'
    async with running(configure(tmp_path, tls)) as server:
        client = authority.client()
        async with server.challenged(client) as device:
            for number in range(500):
                caller = await server.call()
                await caller.send((b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n")[number % 3])
            async with server.challenged(client):
                answer = await (await server.call(tls=client)).ask(LIVEZ)
                assert answer.status == 200
                assert answer.headers["strict-transport-security"] == "max-age=63072000"
            await device.ping()
    assert server.errors == ""


async def test_a_flood_of_frames_is_told_and_others_go_on(tmp_path: Path) -> None:
    """Empty fragments, pings and tiny messages in their tens of thousands, while a device's socket is open."""
    async with running(configure(tmp_path)) as server, server.challenged() as device:
        for flood in (b"\x02\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 50_000, b"\x89\x80\0\0\0\0" * 50_000):
            async with server.challenged() as hostile:
                hostile.transport.write(flood)
                assert await ending(hostile) == "too_many_fragments"
            await (await device.ping())
    assert "Traceback" not in server.said


async def ending(device: ClientConnection) -> str:
    """Read to the end of a socket: the code with which the server closed it."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in device:
            pass
    return device.close_reason or ""


async def test_limits_bite_and_good_traffic_passes(tmp_path: Path) -> None:
    """Connections and requests of one address, as the file sets them; another address is not touched."""
    limits = "[limits]\nconnections_per_address_max = 4\nrequests_per_s = 0.01\nrequests_burst = 6\n"
    async with running(configure(tmp_path, limits)) as server:
        async with server.challenged(), server.challenged():
            held: list[Caller] = [await server.call(), await server.call()]
            assert [(await caller.ask(LIVEZ)).status for caller in held] == [200, 200]
            crowded = await (await server.call()).ask(LIVEZ)
            assert (crowded.status, crowded.problem["title"]) == (429, "too many connections")
            assert [(await caller.ask(LIVEZ)).status for caller in held] == [200, 200]
            fast = await held[0].ask(LIVEZ)
            assert (fast.status, fast.problem["title"]) == (429, "too many requests")
            assert 0 < int(fast.headers["retry-after"]) <= 100
            assert (await (await server.call("127.0.0.2")).ask(LIVEZ)).status == 200
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://localhost:{server.port}/v1/sync", proxy=None)
        assert caught.value.response.status_code == 429


async def test_connections_leave_descriptors_for_the_store(tmp_path: Path) -> None:
    """With few open files allowed, fewer connections are taken, the log says so, and a device is served among them."""
    async with running(configure(tmp_path), files=300) as server:
        for number in range(100):
            await server.call(f"127.0.4.{number % 50 + 1}")
        async with server.challenged():
            assert (await (await server.call("127.0.0.2")).ask(LIVEZ)).status == 200
    assert "takes 44 connections, not 12000" in server.said
    assert "cannot accept" not in server.said


async def test_the_certificate_is_renewed_by_a_signal(tmp_path: Path) -> None:
    """SIGHUP: who connects next sees the new one, a device's socket stays; a broken one changes nothing and is told."""
    authority = Authority(tmp_path)
    authority.issue("localhost")
    tls = '[tls]\ncertificate_file = "certificate.pem"\nkey_file = "key.pem"\n'
    async with running(configure(tmp_path, tls), level="info") as server:
        assert server.address.http.startswith("https://")
        assert server.address.sync.startswith("wss://")
        client = authority.client()
        async with server.challenged(client) as device:
            first = await serial(server, client)
            assert await serial(server, client) == first
            authority.issue("localhost")
            server.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(10):
                while (second := await serial(server, client)) == first:
                    pass
            authority.key_file.write_text("broken")
            server.process.send_signal(signal.SIGHUP)
            assert server.process.stderr is not None
            async with asyncio.timeout(10):
                while b"was not renewed" not in (line := await server.process.stderr.readline()):
                    assert line
            assert await serial(server, client) == second
            await (await device.ping())
        old = authority.client()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await server.call(tls=old)


async def serial(server: Process, client: ssl.SSLContext) -> object:
    """Which certificate the server shows."""
    caller = await server.call(tls=client)
    shown = caller.writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    caller.writer.close()
    return shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[listen]\nhost = "0.0.0.0"\nhosts = ["beatbook.example"]', "tls.certificate_file"),
        ("[listen]\nprot = 1", "did you mean listen.port?"),
        ('[tls]\ncertificate_file = "gone.pem"\nkey_file = "gone.pem"', "gone.pem"),
        ('[tls]\ncertificate_file = "open.pem"\nkey_file = "open.pem"', "chmod 600"),
    ],
)
async def test_what_would_be_unsafe_is_refused_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    """Exit code 1, one line that says what and what to do, no traceback; and no data folder is made."""
    (tmp_path / "open.pem").write_text("x")
    (tmp_path / "open.pem").chmod(0o644)
    assert told in await refusal(configure(tmp_path, text))
    assert not (tmp_path / "data" / "beatbook.db").exists()


async def test_no_secret_comes_into_the_log(tmp_path: Path) -> None:
    """At debug: secrets in the environment, in files, in headers, in addresses, in frames and in what is no HTTP."""
    authority = Authority(tmp_path)
    authority.issue("localhost")
    planted = [f"planted{number:02}Zq81xW" for number in range(12)]
    tls = '[tls]\ncertificate_file = "certificate.pem"\nkey_file = "key.pem"\n'
    environment = {"BEATBOOK_PLANTED": planted[0], "BEATBOOK_OIDC_CLIENT_SECRET": planted[1]}
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += f"Sec-WebSocket-Key: {planted[8]}\r\n\r\n"
    requests = [
        f"GET /livez HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {planted[2]}\r\nDPoP: {planted[3]}\r\n\r\n",
        f"GET /livez?token={planted[4]} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET /v1/records/{planted[5]}?x={planted[5]} HTTP/1.1\r\nHost: localhost\r\nCookie: s={planted[6]}\r\n\r\n",
        f"GET /v1/sync?token={planted[7]} HTTP/1.1\r\nHost: localhost\r\n{upgrade}",
        f"GET /v1/sync HTTP/1.1\r\nHost: localhost\r\n{upgrade}",
        f"{planted[9]} / HTTP/1.1\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {planted[10]}\r\nOrigin: {planted[10]}\r\nX-Forwarded-For: {planted[10]}\r\n\r\n",
    ]
    async with running(configure(tmp_path, tls), environment, level="debug") as server:
        client = authority.client()
        for request in requests:
            answer = await (await server.call(tls=client)).ask(request.encode())
            assert not any(secret.encode() in answer.body for secret in planted)
        async with server.challenged(client) as device:
            await device.send(f"{planted[11]}".encode())
            assert await ending(device) == "not_msgpack"
        in_clear = await server.call()
        await in_clear.send(f"GET /livez?token={planted[3]} HTTP/1.1\r\nHost: {planted[10]}\r\n\r\n".encode())
        await in_clear.ended()
        authority.key_file.write_text(planted[9])
        server.process.send_signal(signal.SIGHUP)
        assert (await (await server.call(tls=client)).ask(LIVEZ)).status == 200
    # The call without TLS is told of at debug only, so what follows holds for that level as well.
    assert f"{logging.getLevelName(logging.DEBUG)} server.edge.door" in server.said
    for secret in planted:
        assert secret not in server.said
    assert "Traceback" not in server.said
