"""docs/howto/evidence.md: its commands are carried out, as they stand there, by a force with two witnesses."""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from schemas.roles import Role
from server.cli.access import Access, AccessFile
from server.cli.proving import DpopAuth, Held
from server.cli.remote import Remote
from server.demo.people import Administration, Program
from server.demo.stage import link_in
from server.http.accounts import OpList
from server.http.bodies import DraftsDone
from tests.server.api import incident

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "howto" / "evidence.md"
PROGRAM: Final = (sys.executable, "-m", "server.cli")
OP: Final = "hh-0042/7"
RECORD: Final = "29b2b4cf-fe64-8359-956d-fd2d462adab8"
BOSS: Final = Program("boss-1", "WM21877", ["area:birmingham"], [Role.SUPERINTENDENT])
AUDITOR: Final = Program("audit-1", "WM7777", [], [Role.AUDITOR])
WHERE: Final = r"serves (\S+)"
WITNESSES: Final = {"hmi": "witness.hmi.example", "campus": "witness.uni.example"}


def commands() -> list[str]:
    """Every command on the page, in its order."""
    blocks = re.findall(r"^```\n(beatbook .*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def policy(log: str, witnesses: Mapping[str, str]) -> str:
    """The page's policy file, with these keys in it: name on the page -> key."""
    text: str
    (text,) = re.findall(r"^```\n(# the log\n.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = {"log": f"log {log}", **{name: f"witness {name} {key}" for name, key in witnesses.items()}}
    for name, line in lines.items():
        begin = "log " if name == "log" else f"witness {name} "
        text, found = re.subn(rf"^{begin}.*$", line, text, flags=re.MULTILINE)
        assert found == 1, name
    return text


class Bench:
    """A folder to work in, and what runs beside it."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        """Begin with nothing."""
        self.folder = folder
        self.key = self.record = self.op = ""
        self._stack = stack

    async def start(self, words: Sequence[str], until: str) -> tuple[Process, str]:
        """Start a process that goes on, and wait for this word: (it, what it said up to there)."""
        process = await asyncio.create_subprocess_exec(*PROGRAM, *words, stdout=PIPE, stderr=PIPE, cwd=self.folder)
        self._stack.push_async_callback(stop, process)
        assert process.stdout is not None
        told = ""
        while until not in told:
            line = await process.stdout.readline()
            assert line, told
            told += line.decode()
        return process, told

    async def run(self, command: str, who: str = "") -> str:
        """Carry out a command of the page, as somebody: what it tells. It must end with 0."""
        page = {"/srv/beatbook": str(self.folder / "data"), "$LOG_KEY": self.key, RECORD: self.record, OP: self.op}
        words = [page.get(word, word) for word in shlex.split(command)]
        environment = {**os.environ, "BEATBOOK_ACCESS": str(self.folder / who)}
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, *words[1:], stdout=PIPE, stderr=PIPE, cwd=self.folder, env=environment
        )
        told, wrong = await process.communicate()
        assert process.returncode == 0, (command, told.decode(), wrong.decode())
        return told.decode()


async def stop(process: Process) -> None:
    """Stop a process and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    await process.communicate()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A folder to work in; whatever runs is stopped at the end."""
    async with AsyncExitStack() as stack:
        yield Bench(tmp_path, stack)


def set_up(bench: Bench, told: str) -> None:
    """Take the people in, and make a record."""
    link = link_in(told)
    base = link.rpartition("/")[0]
    administration = Administration(base, link, bench.folder / "administrator")
    administration.take_in((BOSS, AUDITOR))
    for who in (BOSS, AUDITOR):
        administration.seat(who)
    with Remote(base, DpopAuth(BOSS.identity, Held(seat=BOSS.device))) as boss:
        made = boss.post("/v1/records", {"records": [incident(1)]}, DraftsDone)
        bench.record = made.records[0].id
        bench.op = boss.get(f"/v1/records/{bench.record}/history", OpList).ops[0].op


def access(bench: Bench, told: str) -> None:
    """Let the commands call the server that has said where it is."""
    (server,) = re.findall(r"HTTP:\s+(\S+)", told)
    for name, who in (("boss", BOSS), ("auditor", AUDITOR)):
        file = AccessFile(server=server, seat=who.device, officer=who.officer)
        if (bench.folder / name).exists():
            Access.open(bench.folder / name).keep(file)
        else:
            Access.make(bench.folder / name, who.identity, file)


async def test_every_command_on_the_page_does_what_it_says(bench: Bench) -> None:
    """From a witness's first start to a search of the log: nothing else is needed than what the page says."""
    witness, *rest = commands()
    assert {words.split()[1] for words in rest} == {"audit", "verify", "prove", "disclose"}
    serve = ("serve", "--data", "data", "--port", "0", "--log-level", "warning")
    first, told = await bench.start(serve, "HTTP:")
    await asyncio.to_thread(set_up, bench, told)
    access(bench, told)
    bench.key = (await bench.run("beatbook audit checkpoint --out first", "auditor")).split()[-1]
    await stop(first)

    asked, keys = [], {}
    for short, name in WITNESSES.items():
        line = witness.replace("/srv/witness", short).replace(WITNESSES["hmi"], name).replace("$LOG_KEY", bench.key)
        _, said = await bench.start([*shlex.split(line)[1:], "--port", "0"], "  log: ")
        (keys[short],) = re.findall(r"key: (\S+)", said)
        asked.append(f"{re.findall(WHERE, said)[0]} {keys[short]}")
    (bench.folder / "policy.txt").write_text(policy(bench.key, keys), encoding="utf-8")
    (bench.folder / "beatbook.toml").write_text(f"[witnesses]\nask = {asked!r}\n", encoding="utf-8")
    _, told = await bench.start([*serve, "--config", "beatbook.toml"], "HTTP:")
    access(bench, told)

    said_by = {line: await bench.run(line, "auditor" if line.split()[1] == "audit" else "boss") for line in rest}

    def said_to(words: str) -> str:
        (said,) = [said for line, said in said_by.items() if words in line]
        return said

    both = f"cosigned by {WITNESSES['hmi']}, {WITNESSES['campus']}"
    assert both in said_to("audit checkpoint")
    assert both in said_to("verify op.tlog-proof")
    assert f"op {bench.op} (SHA-256 " in said_to("verify op.tlog-proof")
    assert "are those of the signed checkpoint kept.checkpoint" in said_to("--checkpoint")
    found = (bench.folder / "found.csv").read_text(encoding="utf-8")
    assert "Aston Law Chambers" in found
    assert "Crown Prosecution Service" in found
