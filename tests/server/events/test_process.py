"""The real server and a real subscriber: killed between commit and sending, it loses nothing and tells no secret."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from schemas.roles import Role
from server.cli.proving import DpopAuth, Held
from server.cli.remote import Remote
from server.demo.people import Administration, Program
from server.demo.stage import free_port, link_in
from server.http.bodies import Created
from server.http.events import WebhookList
from tests.server.api import briefing
from tests.server.edge.process import Process, configure, refusal, running
from tests.server.events.receiver import PATH, Receiver, listening, verified
from tests.server.events.station import SECRET

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
CONTROL = Program("control-1", "WM9", ["area:birmingham", "force", "control"], [Role.CONTROL_ROOM])
PRIVATE = "Quillfeather"
CONFIGURATION = """
[events]
source = "https://beatbook.example"
backoff_first_s = 0.1
backoff_max_s = 0.2
[[webhooks]]
name = "records"
url = "http://127.0.0.1:{port}{path}"
secret_file = "secret"
mode = "{mode}"
scopes = ["force"]
kinds = ["briefing"]
fields = ["briefing.title"]
"""


def configured(folder: Path, port: int, mode: str = "structured") -> Path:
    """A configuration with one webhook, and its secret."""
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET + "\n")
    return configure(folder, CONFIGURATION.format(port=port, path=PATH, mode=mode))


async def take_in(server: Process, folder: Path) -> Administration:
    """Take the control room in."""
    link = link_in(server.said)
    administration = await asyncio.to_thread(Administration, link.rpartition("/")[0], link, folder)
    await asyncio.to_thread(administration.take_in, (CONTROL,))
    await asyncio.to_thread(administration.seat, CONTROL)
    return administration


async def issue(server: Process, title: str) -> str:
    """Have a briefing committed; returns its id. What is answered is durable."""
    with Remote(server.address.http, DpopAuth(CONTROL.identity, Held(seat=CONTROL.device))) as remote:
        body = briefing(title=title, body=PRIVATE)
        return (await asyncio.to_thread(remote.post, "/v1/briefings", body, Created)).id


async def kill(server: Process) -> None:
    """SIGKILL to the whole of it, and wait until it is gone."""
    os.killpg(server.process.pid, signal.SIGKILL)
    await server.process.wait()


def titles(receiver: Receiver, url: str) -> list[str]:
    """The titles that came, each call with a good signature."""
    found = []
    for call in receiver.calls:
        verified(call, url, SECRET)
        found.append(call.event["data"]["title"])
    return found


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_what_was_committed_before_a_kill_is_sent_by_the_next_start(tmp_path: Path, mode: str) -> None:
    """Nobody listens while it is committed, then the server is killed: the next one sends it, once it is taken."""
    port = free_port()
    path = configured(tmp_path, port, mode)
    async with running(path) as server:
        await take_in(server, tmp_path / "me")
        records = [await issue(server, f"Routes {n}") for n in range(3)]
        await kill(server)
    async with listening(port) as receiver, running(path) as server:
        await receiver.until(lambda calls: len(calls) >= 3)
        assert sorted(titles(receiver, receiver.url)) == ["Routes 0", "Routes 1", "Routes 2"]
        assert {call.event["subject"] for call in receiver.calls} == set(records)
    assert PRIVATE not in str([call.body for call in receiver.calls]), "a field that is not named"


async def test_what_was_under_way_at_a_kill_comes_again_with_its_id(tmp_path: Path) -> None:
    """The receiver has it and has not answered: it cannot be known, so it is sent again, and is known by its id."""
    async with listening() as receiver:
        receiver.answer = lambda _call: None
        path = configured(tmp_path, receiver.port)
        async with running(path) as server:
            await take_in(server, tmp_path / "me")
            await issue(server, "Routes")
            await receiver.until(lambda calls: len(calls) == 1)
            await kill(server)
        async with running(path):
            await receiver.until(lambda calls: len(calls) == 2)
    first, again = receiver.calls
    assert first.event["id"] == again.event["id"]
    assert titles(receiver, receiver.url) == ["Routes", "Routes"]


async def test_an_orderly_restart_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """What was taken is not sent again; what comes afterwards is sent."""
    async with listening() as receiver:
        path = configured(tmp_path, receiver.port)
        async with running(path) as server:
            await take_in(server, tmp_path / "me")
            await issue(server, "Routes 1")
            await receiver.until(lambda calls: len(calls) == 1)
        async with running(path) as server:
            await issue(server, "Routes 2")
            await receiver.until(lambda calls: len(calls) >= 2)
    assert titles(receiver, receiver.url) == ["Routes 1", "Routes 2"]
    assert server.errors == ""


async def test_neither_secret_nor_content_is_in_the_log(tmp_path: Path) -> None:
    """At its most talkative, with calls that fail and calls that are refused."""
    async with listening() as receiver:
        receiver.answer = lambda _call: b"HTTP/1.1 422 No\r\ncontent-length: 12\r\n\r\nQuillfeather"
        path = configured(tmp_path, receiver.port)
        async with running(path, level="debug") as server:
            administration = await take_in(server, tmp_path / "me")
            await issue(server, "Marmalade")
            await receiver.until(lambda calls: len(calls) >= 12)
            with Remote(server.address.http, administration.auth) as remote:
                (standing,) = (await asyncio.to_thread(remote.get, "/v1/events", WebhookList)).webhooks
                assert standing.trouble == "answered 422"
    assert "is a dead letter: answered 422" in server.errors
    for secret in (SECRET, PRIVATE, "Marmalade", PATH):
        assert secret not in server.said


async def test_a_server_without_the_secret_does_not_start(tmp_path: Path) -> None:
    """One line that says where it belongs."""
    path = configured(tmp_path, 9)
    (tmp_path / "secret").chmod(0o644)
    assert "other users may read or change it" in await refusal(path)
