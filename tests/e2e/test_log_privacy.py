"""A server's varied day with a planted word in all that tells of somebody: none of it comes out by a side door."""

import asyncio
import contextlib
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar, Final, Self

import httpx
import msgspec
import pytest

from schemas import wire
from schemas.codec import encode
from schemas.errors import BeatbookError
from schemas.ids import FieldName, OfficerId
from schemas.kinds import KINDS, Incident
from schemas.kinds.common import LogEntry
from schemas.limits import CREDIT_BYTES
from server.cli.proving import DpopAuth, Held
from server.cli.remote import sign_in
from server.demo.kit import Kit
from server.demo.people import Administration, Person, Program
from server.demo.stage import link_in
from sync.device import Handheld
from tests.e2e.conftest import at_rest, report
from tests.examples import LEAST
from tests.server.api import ID, briefing
from tests.server.edge.process import Process, configure, running
from tests.server.hostile import op_of
from tests.server.organisation.files import write
from tests.server.people import EVERYTHING, WORKING
from tests.server.pushes import signed_push
from tests.server.rawsocket import BINARY, TEXT, RawSocket, frame

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(110)]
WORD: Final = "zqxv"
"""Begins every planted word, and nothing else anywhere."""
NAME: Final = "Zqxvin O'Planted"
DEVICE: Final = "hh-zqxv1"
COLLAR: Final = "ZQXV1"
TYPED: Final = "zqxv-typed-in-the-wrong-box"
OFFICERS: Final = "collar,name,from,until\nWM1,{},2023-01-01,\nWM2,Ivo Rowan,2023-01-01,\n"
CONFIGURATION: Final = """\
organisation = "force/force.toml"
[log]
format = "json"
personal = {personal}
[metrics]
port = 0
[tracing]
endpoint = "{collector}/v1/traces"
share = 1.0
[events]
source = "https://marches.example/beatbook"
tries_max = 1
[[webhooks]]
name = "records-office"
url = "{collector}/events"
kinds = ["incident"]
scopes = ["area:birmingham"]
"""
SECRET: Final = {"BEATBOOK_WEBHOOK_RECORDS_OFFICE_SECRET": "x" * 40}


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for told in Path(f"/proc/{pid}/task").glob("*/children") for one in told.read_text().split()]


class Collector(BaseHTTPRequestHandler):
    """Takes traces, and refuses webhooks with an answer that repeats what it was sent."""

    spans: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        """One call."""
        body = self.rfile.read(int(self.headers["content-length"]))
        traces = self.path.endswith("traces")
        if traces:
            self.spans.append(body)
        self.send_response(200 if traces else 422, None if traces else NAME)
        self.send_header("content-length", "0" if traces else str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if traces else body)

    def log_message(self, *_: object) -> None:
        """Nothing of it."""


@pytest.fixture
def collector() -> Iterator[str]:
    """Where traces and events go: its base."""
    Collector.spans = []
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def planted(value: object) -> object:
    """A value with the name in place of each text in it."""
    match value:
        case str():
            return NAME
        case dict():
            return {key: planted(one) for key, one in value.items()}
        case list():
            return [planted(one) for one in value]
        case _:
            return value


class Day:
    """What happens at a server; nearly all of it is refused in one way or another, and everything bears the word."""

    def __init__(self, server: Process, log: "Log", folder: Path) -> None:
        """Become its administrator."""
        self.server = server
        self.log = log
        self.folder = folder
        self.base = server.address.http
        self.administration = Administration(self.base, link_in(server.said), folder / "admin")
        self.control = Program("control-zqxv", "ZQXV9", EVERYTHING, WORKING)
        self.administration.take_in([self.control])
        self.administration.seat(self.control)
        self.auth = DpopAuth(self.control.identity, Held(seat=self.control.device))

    async def desk(self) -> None:
        """Every field of every kind is written by a program, most with what it does not take; imports, good and bad."""
        async with httpx.AsyncClient(base_url=self.base, auth=self.auth, trust_env=False) as http:
            number = 0
            for spec in KINDS.values():
                least = LEAST.get(spec.name, {})
                everything = dict.fromkeys(spec.fields, NAME)
                for values in (least, {name: planted(value) for name, value in least.items()}, everything):
                    number += 1
                    body = {"records": [{"id": ID.format(number), "kind": spec.name, "values": values}]}
                    await http.post("/v1/records", json=body)
            made = await http.post("/v1/briefings", json=briefing(title=NAME, body=f"Look for {NAME}."))
            assert made.status_code == 201, made.text
            for kind in ("cap", "eido"):
                for content in (f"<alert>{NAME}</alert>", f'{{"incidentComponent": "{NAME}"}}', NAME):
                    await http.post(f"/v1/import/{kind}", content=content)
            for path in (f"records/{TYPED}", f"officers/{TYPED}", f"records?kind={TYPED}&after={TYPED}", TYPED):
                for method in ("GET", "POST", "DELETE"):
                    headers = {"x-request-id": TYPED, "referer": TYPED, "user-agent": TYPED}
                    await http.request(method, f"/v1/{path}", content=f'{{"{TYPED}": "{NAME}', headers=headers)

    async def strangers(self) -> None:
        """Tokens, codes, collar numbers and passphrases that are none; calls and sockets that are no protocol."""
        async with httpx.AsyncClient(base_url=self.base, trust_env=False) as http:
            for shown in (f"Bearer {TYPED}", f"DPoP {TYPED}", TYPED):
                await http.get("/v1/me", headers={"authorization": shown, "dpop": TYPED, "cookie": f"a={TYPED}"})
            for path in ("enrol", "sign-in", "setup", "token", TYPED):
                await http.post(f"/v1/{path}", json={"code": TYPED, "officer": TYPED, "passphrase": TYPED})
        person = Person(DEVICE, COLLAR, ("area:birmingham",), WORKING, named=("area:birmingham",))
        access = await asyncio.to_thread(self.administration.caller, person, self.folder / "caller")
        for officer in (COLLAR, COLLAR, TYPED):
            for _ in range(6):
                with contextlib.suppress(BeatbookError):
                    await asyncio.to_thread(sign_in, access, officer, TYPED)
        for sent in (
            frame(TEXT, NAME.encode()),
            frame(BINARY, NAME.encode()),
            frame(BINARY, msgspec.msgpack.encode({"t": TYPED, "name": NAME})),
            frame(BINARY, msgspec.msgpack.encode({"t": "hello", "body": NAME, "proof": NAME.encode()})),
            frame(0x7, NAME.encode()),
        ):
            raw = await RawSocket.open(self.server.port)
            await raw.handshake()
            await raw.message()
            await raw.send(sent)
            await raw.ending()
            raw.close()
        raw = await RawSocket.open(self.server.port)
        await raw.send(f"{NAME} HTTP/9\r\n{TYPED}\r\n\r\n".encode())
        await raw.to_the_end()
        raw.close()

    async def officer(self) -> None:
        """A handheld's day: what is written is taken; then what nobody may write, from a program's seat."""
        area = ("area:birmingham", "force")
        person = Person("hh-zqxv2", "ZQXV2", area, WORKING, named=area)
        await asyncio.to_thread(self.administration.take_in, [person])
        kit = await Kit.issue(self.administration, person, self.folder / "hh", self.base)
        async with kit.open(justify=False) as handheld:
            assert isinstance(handheld, Handheld)
            made = await handheld.create(report(summary=f"{NAME} is missing"))
            await handheld.append(made.record, "log", LogEntry(text=f"{NAME} was found"), why=f"{NAME} asked")
            await handheld.wait_until(at_rest)
            assert await handheld.get(Incident, made.record) is not None
        await kit.close()
        identity = self.control.identity
        raw = await RawSocket.open(self.server.port)
        await raw.handshake()
        challenge = await raw.message()
        assert isinstance(challenge, wire.Challenge)
        told: dict[str, object] = {
            "proto": 1,
            "schema": wire.SCHEMA,
            "device": identity.device,
            "next_op": 1,
            "mono": 0,
        }
        hello = {**told, "wall": challenge.server_time, "credit": CREDIT_BYTES}
        body = encode(msgspec.convert(hello, wire.HelloBody))
        key = identity._private_key
        await raw.send_message(wire.Hello(body=body, proof=key.sign(wire.PROOF_CONTEXT + challenge.nonce + body)))
        await raw.until(wire.Welcome)
        wrong = op_of(identity.device, 1)
        changes = wrong.changes | {FieldName(name): NAME for name in ("grade", TYPED.replace("-", "_"), "summary")}
        op = msgspec.structs.replace(wrong, author=OfficerId(self.control.officer), changes=changes)
        await raw.send_message(signed_push(key, encode(op)))
        (result,) = (await raw.until(wire.Results)).results
        assert result.status != "durable"
        raw.close()

    async def organisation(self) -> None:
        """The force's own files again, with other names and with lines that are wrong."""
        folder = self.folder / "force"
        write(folder, officers=OFFICERS.format(NAME))
        await self.hang_up("not as it is here, which is kept")
        wrong = f"collar,name,from,until\nWM1,{NAME},{TYPED},\n{NAME},{TYPED},2023-01-01,{NAME},{NAME}\n"
        write(folder, officers=wrong, rota=f"collar,shift,date,unit\n{TYPED},{NAME},{TYPED},{TYPED}\n")
        await self.hang_up("the organisation was not changed")

    async def hang_up(self, words: str) -> None:
        """SIGHUP, until the log tells what became of it."""
        self.server.process.send_signal(signal.SIGHUP)
        await self.log.line_with(words)

    async def machine(self) -> None:
        """The writing process is killed, and edits go on."""
        (child,) = children_of(self.server.address.pid)
        os.kill(child, signal.SIGKILL)
        async with httpx.AsyncClient(base_url=self.base, auth=self.auth, trust_env=False) as http:
            made = await http.post("/v1/briefings", json=briefing(title=NAME, body=NAME))
            assert made.status_code == 201, made.text

    async def watchers(self) -> str:
        """What those see who watch the server."""
        async with httpx.AsyncClient(base_url=self.server.address.metrics, trust_env=False) as http:
            seen = [(await http.get(path)).text for path in ("/metrics", "/healthz", "/readyz")]
        return "".join(seen)


class Log:
    """Reads a server's log as it is written, so that the pipe never fills."""

    def __init__(self, server: Process) -> None:
        """Begin to read."""
        self._server = server
        self._lines: list[str] = []
        self._more = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def __aenter__(self) -> Self:
        """As it is; the end reads no more."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Whoever cleans up reads the rest."""
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        assert self._server.process.stderr is not None
        while line := (await self._server.process.stderr.readline()).decode():
            async with self._more:
                self._lines.append(line)
                self._more.notify_all()

    async def line_with(self, words: str) -> None:
        """Wait for a line."""
        async with self._more:
            await self._more.wait_for(lambda: any(words in line for line in self._lines))

    async def end(self) -> str:
        """Stop the server; everything that it wrote, what it said at its start apart."""
        self._server.process.terminate()
        await self._reading
        assert self._server.process.stdout is not None
        rest = await self._server.process.stdout.read()
        return "".join(self._lines) + rest.decode()


async def day(folder: Path, collector: str, *, personal: bool = False) -> tuple[str, str]:
    """A whole day at a server: its log, and what those see who watch it."""
    write(
        folder / "force",
        officers=f"collar,name,from,until\nWM1,{NAME} the First,2023-01-01,\nWM2,Ivo Rowan,2023-01-01,\n",
    )
    told = CONFIGURATION.format(collector=collector, personal=str(personal).lower())
    async with running(configure(folder, told), SECRET, level="debug") as server, Log(server) as log:
        one = await asyncio.to_thread(Day, server, log, folder)
        await one.desk()
        await one.strangers()
        await one.officer()
        await one.organisation()
        await one.machine()
        await log.line_with("is a dead letter")
        seen = await one.watchers()
        return await log.end(), seen


async def test_nothing_that_tells_of_somebody_is_in_log_metrics_or_traces(tmp_path: Path, collector: str) -> None:
    """At the highest level, with everything that can be refused refused: each line is an object, and the word in none.

    What was to be in them is: the lines that tell of the refusals, figures, spans.
    """
    said, seen = await day(tmp_path, collector)
    lines = [json.loads(line) for line in said.splitlines()]
    found = sorted({line["message"] for line in lines if WORD in json.dumps(line).lower()})
    assert not found
    assert WORD not in seen.lower()
    assert "beatbook_" in seen
    spans = b"".join(Collector.spans).lower()
    assert WORD.encode() not in spans
    assert b"/v1/records/{record}" in spans
    messages = "\n".join(line["message"] for line in lines)
    for words in (
        "not let in: sign_in_wrong",
        "not let in: tries_wait: officer",
        "not let in: token_invalid",
        "the organisation was not changed, it stays as it was: officers.csv line",
        "officers.csv line 2: not as it is here",
        "the writing process of",
        "is a dead letter: answered 422",
    ):
        assert words in messages, words
    assert re.search(r"~[0-9a-f]{8}", messages)


async def test_the_same_day_would_show_it(tmp_path: Path, collector: str) -> None:
    """With `personal = true` the word is in the log: what the other test looks for does come by."""
    said, seen = await day(tmp_path, collector, personal=True)
    assert said.lower().count(WORD) > 20
    assert WORD not in seen.lower()
