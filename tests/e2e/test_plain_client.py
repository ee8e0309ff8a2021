"""A client written from docs/protocol.md alone, against the real server, beside a handheld of ours."""

import asyncio
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.ids import DeviceId, RecordId
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from server.demo.people import Program
from server.demo.stage import Stage
from sync.device import DeviceIdentity
from tests.e2e.conftest import OpenHandheld, at_rest, report
from tests.plain_client import run
from tests.plain_device import PlainDevice

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
OTHER = RecordId("01890000-0000-7000-8000-0000000000aa")


async def test_a_client_made_from_the_page_shares_a_picture_with_ours(
    stage: Stage, open_handheld: OpenHandheld
) -> None:
    """It takes the snapshot, pushes, gets what others push, and goes on when the server was killed."""
    key = Ed25519PrivateKey.generate()
    stage.enrol(Program("plain-01", "WM1", ["area:birmingham"], identity=DeviceIdentity(DeviceId("plain-01"), key)))
    await stage.start()
    ours = await open_handheld("hh-01", "area:birmingham")
    made = await ours.create(report())
    await ours.wait_until(at_rest)

    device = PlainDevice("plain-01", key, lambda: time.time_ns() // 1_000_000, lambda: time.monotonic_ns() // 1_000_000)
    written, heard = asyncio.Event(), asyncio.Event()
    client = asyncio.create_task(run(device, f"ws://127.0.0.1:{stage.port}/v1/sync", written, heard.set))

    async def until_log(record: str, texts: list[str]) -> None:
        while [entry["text"] for entry in device.values(record).get("log", [])] != texts:
            heard.clear()
            await heard.wait()

    try:
        while made.record not in device.rows:
            heard.clear()
            await heard.wait()
        device.edit(made.record, "WM1", {"log": [{"text": "from the page"}]})
        device.create(
            OTHER, "incident", "WM1", {"opened_at": 1, "area": "birmingham", "category": "crime", "summary": "S"}
        )
        written.set()
        changes = ours.changes()
        while await ours.get(Incident, OTHER) is None:
            await anext(changes)
        await stage.kill()
        await ours.append(made.record, "log", LogEntry(text="while the server was down"))
        await stage.start()
        await until_log(made.record, ["from the page", "while the server was down"])
        await ours.wait_until(at_rest)
        incident = await ours.get(Incident, made.record)
        assert incident is not None
        assert [entry.text for entry in incident.log] == ["from the page", "while the server was down"]
    finally:
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
