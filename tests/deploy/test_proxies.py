"""The proxies' examples, in the real programs: a handheld syncs live through each, over TLS, and through a restart."""

import asyncio
import contextlib
import os
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from schemas.ids import RecordId
from schemas.kinds import Briefing
from server.demo.kit import Kit
from server.demo.people import Person
from server.demo.stage import free_port
from sync.device import Handheld
from tests.deploy.rooms import DEPLOY
from tests.e2e.conftest import at_rest, report
from tests.e2e.test_restart import Supervised
from tests.server.people import WORKING

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]
PROXIES = ("nginx", "caddy")
PATIENCE_S = 20.0


class Proxy(NamedTuple):
    """A proxy that runs, in front of a server.

    Attributes:
        name: which.
        port: where it listens.
        stage: the server behind it.
        ca: PEM file of the authority that made its certificate.
        log: of requests.
    """

    name: str
    port: int
    stage: Supervised
    ca: Path
    log: Path


class ServerBehind(Supervised):
    """A server that is told what deploy/beatbook.toml says, but for its name and its folder."""

    def __init__(self, folder: Path) -> None:
        """Write its configuration."""
        super().__init__(folder)
        told = (DEPLOY / "beatbook.toml").read_text(encoding="utf-8")
        self.config = folder / "beatbook.toml"
        self.config.write_text(swapped(told, {"/var/lib/beatbook": str(self.data), "beatbook.example": "localhost"}))
        self.options = ("--config", str(self.config))


def swapped(text: str, places: dict[str, str]) -> str:
    """An example with the places of this test in it; each that is replaced must be there."""
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def found(program: str) -> str:
    """Where a program is; CI installs them, so there it must be."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None and os.environ.get("CI"):
        pytest.fail(f"CI must run this: no {program}")
    if path is None:
        pytest.skip(f"no {program} on this machine")
    return path


def nginx(folder: Path, port: int, upstream: int) -> tuple[list[str], list[str], dict[str, str]]:
    """How it is checked, how it is run, and with which variables."""
    text = (DEPLOY / "nginx/nginx.conf").read_text(encoding="utf-8")
    places = {
        "listen 443": f"listen 127.0.0.1:{port}", "127.0.0.1:8700": f"127.0.0.1:{upstream}",
        "beatbook.example": "localhost", "/run/nginx.pid": str(folder / "pid"),
        "/etc/nginx/tls": str(folder), "/var/log/nginx": str(folder),
    }  # fmt: skip
    (folder / "nginx.conf").write_text(swapped(text, places))
    command = [found("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return [*command, "-t"], [*command, "-g", "daemon off;"], {}


def caddy(folder: Path, port: int, upstream: int) -> tuple[list[str], list[str], dict[str, str]]:
    """The same for Caddy."""
    shutil.copy(DEPLOY / "caddy/Caddyfile", folder)
    variables = {
        "BEATBOOK_HOST": "localhost", "BEATBOOK_PORT": str(port), "BEATBOOK_UPSTREAM": f"127.0.0.1:{upstream}",
        "BEATBOOK_CERTIFICATE": str(folder / "beatbook.pem"), "BEATBOOK_KEY": str(folder / "beatbook.key"),
        "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
    }  # fmt: skip
    program, where = found("caddy"), ["--config", str(folder / "Caddyfile")]
    return [program, "validate", *where], [program, "run", *where], variables


@pytest.fixture(params=PROXIES)
async def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proxy]:
    """Each, running as its example says, before a running server."""
    name: str = request.param
    folder = tmp_path / name
    folder.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "beatbook.key"))
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(str(folder / "beatbook.pem"), append=number > 0)
    async with contextlib.AsyncExitStack() as stack:
        stage = await stack.enter_async_context(ServerBehind(tmp_path))
        port = free_port()
        check, command, variables = (nginx if name == "nginx" else caddy)(folder, port, stage.port)
        environment = {**os.environ, **variables}
        said = stack.enter_context((folder / "said").open("wb"))
        checked = await asyncio.create_subprocess_exec(*check, stdout=said, stderr=said, env=environment)
        assert await checked.wait() == 0, (folder / "said").read_text()
        running = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said, env=environment)
        stack.push_async_callback(running.wait)
        stack.callback(running.terminate)
        await stage.start()
        await answers(port)
        yield Proxy(name, port, stage, folder / "ca.pem", folder / ("beatbook.log" if name == "nginx" else "said"))


async def answers(port: int) -> None:
    """Wait until something listens there."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


async def came(handheld: Handheld, briefing: RecordId) -> None:
    """Wait until a handheld shows a briefing."""
    changes = handheld.changes()
    while await handheld.get(Briefing, briefing) is None:
        await anext(changes)


async def request(proxy: Proxy, head: str, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """What is answered to a request head."""
    context = ssl.create_default_context(cafile=proxy.ca)
    context.maximum_version = newest
    reader, writer = await asyncio.open_connection("localhost", proxy.port, ssl=context)
    writer.write(head.replace("\n", "\r\n").encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_handheld_works_through_it(proxy: Proxy, tmp_path: Path) -> None:
    """Enrolled and signed in over TLS, told live, asked to come back at a restart, back, and nothing lost."""
    stage = proxy.stage
    person = Person("hh-1", "WM1", ("area:birmingham", "force"), WORKING, named=("area:birmingham", "force"))
    await asyncio.to_thread(stage.administration.take_in, [person])
    kit = await Kit.issue(
        stage.administration, person, tmp_path / "hh-1", f"https://localhost:{proxy.port}", ca_file=str(proxy.ca)
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(kit.close)
        handheld = await stack.enter_async_context(kit.open(justify=False))
        await handheld.wait_until(at_rest)
        body = {"title": "Grey van", "body": "Do not stop alone.", "audience": ["area:birmingham"]}
        await came(handheld, (await stage.post("/v1/briefings", body))["id"])
        before = await handheld.create(report(summary="Before the restart"))
        stage.terminate()
        told = await handheld.wait_until(lambda status: not status.connected and bool(status.last_error))
        assert "server_stopping" in told.last_error
        assert await stage.end() == 0
        meanwhile = await handheld.create(report(summary="While there was no server"))
        # Through the proxy a call waits for the next server as one without does, and is answered.
        waiting = asyncio.create_task(
            request(proxy, f"GET /readyz HTTP/1.1\nHost: localhost:{proxy.port}\nConnection: close\n\n")
        )
        await asyncio.sleep(0)
        await stage.start()
        assert b" 200 " in (await waiting).splitlines()[0]
        await handheld.wait_until(at_rest)
        assert set(await stage.all_records("incident")) == {before.record, meanwhile.record}


async def test_what_it_lets_through_and_what_it_keeps(proxy: Proxy) -> None:
    """TLS 1.3 and no older; no body beyond the server's bound; no forged caller; nothing of a request in its log."""
    head = f"Host: localhost:{proxy.port}\nConnection: close\n"
    with pytest.raises(ssl.SSLError):
        await request(proxy, f"GET /livez HTTP/1.1\n{head}\n", newest=ssl.TLSVersion.TLSv1_2)
    assert (
        b" 413 "
        in (await request(proxy, f"POST /v1/records HTTP/1.1\n{head}Content-Length: 5000000\n\n")).splitlines()[0]
    )
    # Were what the caller wrote handed on, the server would refuse it as no address.
    forged = await request(proxy, f"GET /livez HTTP/1.1\n{head}X-Forwarded-For: not an address\n\n")
    assert b" 200 " in forged.splitlines()[0]
    await request(proxy, f"GET /v1/officers/WM777?word=planted HTTP/1.1\n{head}Authorization: DPoP planted\n\n")
    kept = proxy.log.read_text()
    assert "planted" not in kept
    assert "WM777" not in kept
    assert proxy.name != "nginx" or re.search(r"(?m) GET /v1/officers [\d.]+ \d+$", kept)
