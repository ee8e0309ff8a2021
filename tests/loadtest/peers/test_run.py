"""The runner, with a peer of our own that keeps what it acknowledges, or does not."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from loadtest.bench.machine import cores
from loadtest.peers import __main__ as command
from loadtest.peers import catalogue, install
from loadtest.peers.catalogue import SMALL, Peer, Place
from loadtest.peers.processes import Command
from loadtest.peers.rows import JOBS, Found
from loadtest.peers.run import run

SERVER = """
import fs from 'node:fs';
import net from 'node:net';
const [port, file, kept] = process.argv.slice(2);
const lines = kept === 'yes' && fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\\n') : [];
const records = new Map(lines.map((line) => line.split(' ')));
const all = new Set();
net.createServer((socket) => {
  all.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => all.delete(socket));
  socket.on('data', (data) => {
    for (const line of data.toString().trim().split('\\n')) {
      const [word, key, value] = line.split(' ');
      if (word === 'w') {
        records.set(key, value);
        fs.appendFileSync(file, `${key} ${value}\\n`);
        for (const each of all) each.write(each === socket ? `ok ${key}\\n` : `told ${value}\\n`);
      }
      if (word === 'r') socket.write(`is ${records.get(key) ?? 0}\\n`);
      if (word === 'n') socket.write(`is ${records.size}\\n`);
    }
  });
}).listen(Number(port), '127.0.0.1');
"""
ADAPTER = """
import net from 'node:net';
function open(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' }, () => resolve(socket));
    socket.on('error', () => {});
  });
}
export async function join(where, name) {
  const client = { waiting: [], own: [] };
  let rest = '';
  client.online = async () => {
    client.socket = await open(where.port);
    client.socket.on('data', (data) => {
      const lines = (rest + data).split('\\n');
      rest = lines.pop();
      for (const line of lines) if (!line.startsWith('told')) client.waiting.shift()?.(line.split(' ')[1]);
    });
    for (const line of client.own) client.ask(line);
    client.own = [];
  };
  client.ask = (line) => new Promise((resolve) => { client.waiting.push(resolve); client.socket.write(line + '\\n'); });
  client.write = async (key, value) => {
    if (client.socket) await client.ask(`w ${key} ${value}`);
    else client.own.push(`w ${key} x`);
  };
  client.read = (key) => client.ask(`r ${key}`);
  client.count = async () => Number(await client.ask('n'));
  client.offline = () => { client.socket.destroy(); client.socket = null; };
  client.settled = async () => {
    while (client.waiting.length) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  client.close = () => client.socket?.destroy();
  await client.online();
  return client;
}
export async function listen(where, n, heard) {
  const socket = await open(where.port);
  socket.on('data', heard);
  return { get bytesIn() { return socket.bytesRead; }, close: () => socket.destroy() };
}
export async function fill(where, records) {
  const client = await join(where);
  for (let n = 0; n < records; n++) await client.write(`r-${n}`, n);
}
export async function fresh(where) {
  const client = await join(where);
  return { records: await client.count(), bytes: client.socket.bytesRead };
}
"""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(90),
    pytest.mark.skipif(shutil.which("node") is None, reason="the harness of the peers runs on node"),
]


def fake(tmp_path: Path, *, kept: bool, server: str = SERVER, adapter: str = ADAPTER) -> Peer:
    """A peer that is installed."""
    group = tmp_path / "home" / "ws"
    group.mkdir(parents=True, exist_ok=True)
    (group / "fake-server.mjs").write_text(server, encoding="utf-8")
    (group / "fake.mjs").write_text(adapter, encoding="utf-8")

    def commands(place: Place) -> list[Command]:
        port = place.ports["server"]
        words = ["node", str(group / "fake-server.mjs"), str(port), str(place.folder / "kept"), "yes" if kept else "no"]
        return [Command(words=words, port=port, folder=place.folder, patience_s=20)]

    return Peer(
        name="fake", group="ws", package="ws", adapter="fake", durability="of a test", commands=commands,
    )  # fmt: skip


async def measured(tmp_path: Path, peer: Peer, job: str) -> tuple[Mapping[str, float], float | None, list[str]]:
    """Run a job at its smallest; figures, loss and notes."""
    (size,) = SMALL[job]
    row = await run(peer, job, size, tmp_path / "home", cores())
    assert (row.peer, row.job, row.size) == ("fake", job, size)
    return row.figures, row.lost_pct, list(row.notes)


@pytest.mark.parametrize("kept", [True, False])
async def test_what_was_acknowledged_is_looked_for_after_a_kill(tmp_path: Path, *, kept: bool) -> None:
    """A peer that writes before it answers loses nothing, and one that answers from memory loses all."""
    figures, lost, notes = await measured(tmp_path, fake(tmp_path, kept=kept), "ack")
    assert figures["edits_per_s"] > 0
    assert 0 < figures["ack_p50_ms"] <= figures["ack_p99_ms"]
    assert lost == (0 if kept else 100)
    assert "acknowledged edits were gone after kill -9" in notes[0]


@pytest.mark.parametrize(
    ("job", "names"),
    [
        ("fanout", {"last_ms", "single_per_s", "burst_last_ms", "burst_per_s", "server_cores", "load_cores"}),
        ("bootstrap", {"records_per_s", "seconds", "wire_mb", "server_cores", "load_cores"}),
        ("storm", {"durable_s", "equal_s", "edits_per_s", "server_cores", "load_cores"}),
        ("idle", {"device_kb", "server_kb", "server_cores", "load_cores"}),
    ],
)
async def test_each_job_gives_the_figures_of_ours(tmp_path: Path, job: str, names: set[str]) -> None:
    """The one table can put them beside our own, under the same names."""
    figures, lost, notes = await measured(tmp_path, fake(tmp_path, kept=True), job)
    assert names <= figures.keys(), notes
    assert (lost, notes) == (None, [])


async def test_a_bootstrap_that_is_not_whole_is_no_figure(tmp_path: Path) -> None:
    """A peer that gives a fresh client less than everything has not done the job."""
    short = ADAPTER.replace("records: await client.count()", "records: await client.count() - 1")
    figures, _, notes = await measured(tmp_path, fake(tmp_path, kept=True, adapter=short), "bootstrap")
    assert figures == {}
    assert notes == ["a fresh client holds 199 of 200"]


async def test_a_server_that_does_not_start_is_a_row(tmp_path: Path) -> None:
    """One peer's failure is told with what it said, and is not the end of the run."""
    peer = fake(tmp_path, kept=True, server="console.error('no room'); process.exit(3);")
    figures, _, (note,) = await measured(tmp_path, peer, "ack")
    assert figures == {}
    assert "did not come up" in note
    assert "no room" in note


async def test_clients_that_fail_are_a_row(tmp_path: Path) -> None:
    """What a client could not do is told in its words."""
    peer = fake(tmp_path, kept=True, adapter="export async function join() { throw new Error('not me'); }")
    assert await measured(tmp_path, peer, "ack") == ({}, None, ["not me"])


def test_the_command_writes_a_row_for_each_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Done, impossible, or not installed: each job of each peer is a row of the table and of the file."""
    peer = fake(tmp_path, kept=True)
    peer = msgspec.structs.replace(peer, cannot={"idle": "a test"})
    lacking = msgspec.structs.replace(peer, name="lacking", group="kinto", cannot={})
    monkeypatch.setattr(command, "PEERS", (peer, lacking))
    (tmp_path / "home/ws" / "installed.json").write_text(install.recorded_as(install.pins()["ws"]), encoding="utf-8")
    monkeypatch.setattr(install, "program", lambda _: sys.executable)
    told = tmp_path / "told" / "rows.json"
    home = str(tmp_path / "home")
    assert command.main(["--small", "--jobs", "ack,idle", "--home", home, "--json", str(told)]) == 0
    found = msgspec.json.decode(told.read_bytes(), type=Found)
    assert [(row.peer, row.job, bool(row.figures)) for row in found.rows] == [
        ("fake", "ack", True),
        ("fake", "idle", False),
        ("lacking", "ack", False),
        ("lacking", "idle", False),
    ]
    assert found.rows[1].notes == ["a test"]
    assert found.rows[2].notes == ["not installed: python -m loadtest.peers --install"]
    assert [row.version for row in found.rows] == ["8.23.0", "8.23.0", "", ""]
    assert found.machine["cores"]
    assert capsys.readouterr().out.count("\n") == 4


def test_every_peer_says_what_it_is() -> None:
    """Its group is pinned, its adapter is there, and each job has figures or a reason why not."""
    known = install.pins()
    for peer in catalogue.PEERS:
        assert peer.group in known, peer.name
        assert (install.HERE / "node" / f"{peer.adapter}.mjs").is_file(), peer.name
        assert peer.durability
        assert set(peer.cannot) < set(JOBS), peer.name
