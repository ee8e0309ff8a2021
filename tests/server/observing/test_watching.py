"""`beatbook serve`, watched from outside: every stage counts, and nothing tells of whom."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as of_openmetrics
from prometheus_client.parser import text_string_to_metric_families as of_text

from schemas import wire
from schemas.codec import encode
from schemas.errors import StoreError
from server.http.bodies import Created
from server.observing.declared import METRICS, OPTIONAL, samples
from server.observing.measures import STAGES, Measures
from server.observing.settings import MetricsSettings
from server.observing.watching import beat
from server.serving import Address
from tests.server.api import briefing
from tests.server.hostile import op_of
from tests.server.pushes import signed_push
from tests.server.rawsocket import BINARY, RawSocket, frame
from tests.server.test_serving import KEY, Process, control

PERSONAL = ("hh-1", "wm1234", "wm9", "control-1", "birmingham", "larch", "peanut")
"""Devices, collar numbers, an area and what a record says, in lower case."""
EVENTUAL = {"beatbook_refused_ops"}
"""Those whose labels come with what happens: until then they have no series."""


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[Process, Address]]:
    """A server with a port for those who watch, logging JSON at the lowest level; it knows a device and a program."""
    (tmp_path / "beatbook.toml").write_text(
        'data = "data"\nlog_level = "debug"\n[listen]\nport = 0\n[metrics]\nport = 0\n[log]\nformat = "json"\n'
    )
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server.cli", "serve", "--config", str(tmp_path / "beatbook.toml"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True, limit=2**24,
    )  # fmt: skip
    process = Process(started, tmp_path / "data")
    try:
        address = await process.ready()
        await process.take_in()
        yield process, address
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal_all(signal.SIGKILL)
        await process.process.communicate()


def values(page: str) -> dict[str, float]:
    """Every sample of a page by its name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in of_text(page)
        for sample in family.samples
    }


async def work(process: Process, address: Address) -> None:
    """A push, a briefing over HTTP, and one device each that the session and the parser refuse."""
    raw = await process.live(address)
    await raw.send_message(signed_push(KEY, encode(op_of("hh-1", 1))))
    assert (await raw.until(wire.Results)).results[0].status == "durable"
    with control(address) as remote:
        said = briefing(title="Larch: peanut allergy")
        assert (await asyncio.to_thread(remote.post, "/v1/briefings", said, Created)).outcome == "created"
    assert await raw.send(frame(BINARY, b"\xc1"))
    await raw.ending()
    raw.close()
    text = await RawSocket.open(int(address.http.rpartition(":")[2]))
    await text.handshake()
    assert await text.send(frame(1, b"peanut"))
    await text.ending()
    text.close()


@pytest.mark.e2e
async def test_a_real_server_tells_of_every_stage_and_of_nobody(watched: tuple[Process, Address]) -> None:
    """A device pushes and is refused, the control room briefs: figures and log tell of all of it, and of no name."""
    process, address = watched
    await work(process, address)
    async with httpx.AsyncClient(base_url=address.metrics, trust_env=False) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.get("/v1/records")).status_code == 404
        assert (await http.post("/metrics")).status_code == 405
        plain = await http.get("/metrics")
        accepted = {"Accept": "application/openmetrics-text;version=1.0.0"}
        modern = await http.get("/metrics", headers=accepted)
    async with httpx.AsyncClient(base_url=address.http, trust_env=False) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert re.fullmatch("[0-9a-f]{12}", (await http.get("/livez")).headers["x-request-id"])
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")
    families = of_openmetrics(modern.text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} == {metric.name for metric in METRICS}

    found = values(plain.text)
    for stage in STAGES:
        assert found[f"beatbook_stage_seconds_count[('stage', '{stage}')]"] > 0, stage
    for name in ("ack_seconds_count", "group_ops_count", "loop_lag_seconds_count", "http_seconds_count"):
        assert found[f"beatbook_{name}[]"] > 0, name
    for name in ("database_bytes", "wal_bytes", "disk_free_bytes", "ready", "connections_max"):
        assert found[f"beatbook_{name}[]"] > 0, name
    assert found["beatbook_ops_total[('result', 'durable')]"] >= 1
    assert found["beatbook_refused_frames_total[('code', 'bad_value')]"] == 1
    assert found["beatbook_refused_frames_total[('code', 'text_frame')]"] == 1
    for name in ("server", "writer"):
        assert found[f"beatbook_process_resident_bytes[('process', '{name}')]"] > 1_000_000
    assert found["beatbook_last_backup_timestamp_seconds[]"] == 0
    sampled = {re.sub(r"\[.*", "", name) for name in found}
    missing = {metric.name for metric in METRICS if not any(name.startswith(metric.name) for name in sampled)}
    assert missing <= OPTIONAL | EVENTUAL
    assert sampled <= samples()

    process.process.send_signal(signal.SIGTERM)
    code, errors = await process.end()
    assert code == 0
    lines = [json.loads(line) for line in errors.splitlines()]
    assert lines, "at the lowest level something is logged"
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    for text_of in (plain.text, modern.text, errors):
        for word in PERSONAL:
            assert word not in text_of.lower(), word


@pytest.mark.e2e
async def test_whoever_probes_hears_of_the_end_while_it_goes_on(watched: tuple[Process, Address]) -> None:
    """A server that says goodbye is alive and not ready; a balancer sends nobody more to it."""
    process, address = watched
    raw = await process.live(address)
    async with httpx.AsyncClient(base_url=address.metrics, trust_env=False) as http:
        process.process.send_signal(signal.SIGTERM)
        # It waits for this device, which takes its time: it hears of the end, and keeps its socket open.
        assert (await raw.until(wire.Error)).code == "server_stopping"
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "starting or stopping\n")
        assert (await http.get("/healthz")).status_code == 200
    raw.close()
    assert (await process.end())[0] == 0


async def test_a_late_heartbeat_is_measured_and_a_punctual_one_too() -> None:
    """A loop that was held for half a second is half a second late, once; an early timer is not negative lag."""
    measures, clock, late = Measures(), [0.0], iter([0.0, 0.5, -0.001])

    async def sleep(seconds: float) -> None:
        by = next(late, None)
        if by is None:
            raise asyncio.CancelledError
        clock[0] += seconds + by

    with pytest.raises(asyncio.CancelledError):
        await beat(measures, lambda: clock[0], sleep)
    lag = measures.loop_lag
    assert (lag.count, round(lag.total, 6)) == (3, 0.5)
    assert dict(lag.buckets())["0.25"] == 2


def test_a_port_that_is_taken_is_said_with_its_section() -> None:
    """One line says which port it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StoreError, match=r"metrics: cannot listen on"):
        MetricsSettings(port=taken.getsockname()[1]).listen()
