"""Runs one job against one peer: its server on one core, the clients on the other, both gone at the end."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from loadtest.bench.machine import Cores, Usage, memory_kb
from loadtest.peers.catalogue import Peer, Place
from loadtest.peers.install import HERE
from loadtest.peers.processes import Command, Server, free_ports, guarded, on_core
from loadtest.peers.rows import Row
from schemas.errors import StoreError

PATIENCE_S: Final = 20
"""How long one job may take, without starting the server; what is not done by then is told as such."""
_GRACE_S: Final = 20.0
_PORTS: Final = 5
_COUNTS: Final = ("acked", "lost")
_LINE_BYTES: Final = 1 << 20


class _Said(msgspec.Struct):
    """One line of the harness."""

    ask: str = ""
    figures: dict[str, float] | None = None
    notes: list[str] = []
    failed: str = ""


async def run(peer: Peer, job: str, size: Mapping[str, int], home: Path, where: Cores) -> Row:
    """Run it. Whatever goes wrong is in the row's notes, so that one peer's failure is not the end of the others.

    Args:
        peer: which.
        job: one that it can do.
        size: how large.
        home: where the peers are installed.
        where: the cores.
    """
    folder = _folder()
    numbers = dict(zip(("server", "other", "third", "fourth", "fifth"), free_ports(_PORTS), strict=True))
    group = _harness(home / peer.group)
    server = Server(peer.commands(Place(folder=folder, home=group, ports=numbers)), where.server, folder / "said.txt")
    row = Row(peer=peer.name, version=peer.version(), durability=peer.durability, job=job, size=size)
    try:
        await server.start()
        async with asyncio.timeout(2 * PATIENCE_S + _GRACE_S):
            said = await _load(peer, {"job": job, "ports": numbers, "size": size}, group, server, where)
    except (StoreError, TimeoutError) as error:
        return msgspec.structs.replace(row, notes=[str(error) or "the clients did not end in time"])
    finally:
        await server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    figures = dict(said.figures or {})
    lost = figures.pop("lost_pct", None)
    counts = {name: figures.pop(name) for name in _COUNTS if name in figures}
    told = (
        [f"{counts['lost']:.0f} of {counts['acked']:.0f} acknowledged edits were gone after kill -9"] if counts else []
    )
    return msgspec.structs.replace(row, figures=figures, lost_pct=lost, notes=[*said.notes, *told, *peer.remarks(job)])


def _folder() -> Path:
    """For the server's files. Some servers run as another user, and are to find it."""
    folder = Path(tempfile.mkdtemp(prefix="beatbook-peer-"))
    folder.chmod(0o755)
    return folder


def _harness(group: Path) -> Path:
    """Put our scripts beside the libraries that they import, which node looks for only there."""
    for each in (HERE / "node").glob("*.mjs"):
        shutil.copy(each, group)
    return group


async def _load(peer: Peer, told: Mapping[str, object], group: Path, server: Server, where: Cores) -> _Said:
    """Run the clients, and do to the server what they ask for.

    Raises:
        StoreError: they failed; what they said is told.
    """
    words = msgspec.json.encode({**told, "patience_s": PATIENCE_S}).decode()
    node = ["node", "--max-old-space-size=4096", "harness.mjs", peer.adapter, words]
    with on_core(where.load):
        process = await asyncio.create_subprocess_exec(
            *guarded(Command(words=node, port=None, folder=group)),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            cwd=group, start_new_session=True, limit=_LINE_BYTES,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    desk = _Desk(server, process.pid)
    try:
        while line := await process.stdout.readline():
            if not line.startswith(b"{"):
                # A library greets on the standard output.
                continue
            said = msgspec.json.decode(line, type=_Said)
            if said.failed:
                raise StoreError(said.failed)
            if said.figures is not None:
                return said
            process.stdin.write(msgspec.json.encode(await desk.answer(said.ask)) + b"\n")
        raise StoreError(f"the clients ended without figures: {(await complaints)[-600:].decode(errors='replace')}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            # Not by the process object: it would collect the child, which the event loop waits for.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        complaints.cancel()


class _Desk:
    """Does what the harness asks for."""

    def __init__(self, server: Server, load: int) -> None:
        self._server = server
        self._load = load
        self._used: tuple[list[Usage], Usage] | None = None

    async def answer(self, ask: str) -> dict[str, float]:
        """Do it; what there is to tell."""
        match ask:
            case "begin":
                self._used = [Usage(pid, alone=True) for pid in self._server.pids()], Usage(self._load, alone=True)
                return {}
            case "used" if self._used is not None:
                servers, load = self._used
                return {"server_cores": sum(each.share() for each in servers), "load_cores": load.share()}
            case "memory":
                return {"memory_kb": sum(memory_kb(pid, alone=True) for pid in self._server.pids())}
            case "kill":
                await self._server.kill()
                return {}
            case "start":
                await self._server.start()
                return {}
            case _:
                raise StoreError(f"the harness asked for {ask!r}, which nobody here does")
