"""What the terminal tells unasked, and how it stands with a server over real sockets."""

import asyncio
import re
from pathlib import Path

from schemas.codec import decode_row
from schemas.ids import DeviceId, FieldName, Millis
from schemas.kinds.briefing import Priority
from schemas.kinds.incident import IncidentStatus
from schemas.limits import ENTRIES_PER_FIELD_MAX, ENTRIES_PER_OP_MAX
from sync.device import DeviceIdentity, Handheld
from sync.device.describing import short
from sync.device.terminal.events import TOLD_MAX
from tests.sync.device.support import BIRMINGHAM, NOON, caught_up, incident, opened, record_id
from tests.sync.device.terminal.desk import SUMMER, Desk, briefing, come, desk_of, only
from tests.toy_server import ToyServer


async def test_work_goes_on_offline_and_arrives_afterwards(online: Desk, handheld: Handheld, toy: ToyServer) -> None:
    """`offline` cuts, `online` and `wait` bring everything in, and the prompt says at each step how it stands."""
    assert await online.type("wait") == "Everything is in, nothing waits\n"
    await online.type("offline")
    assert online.paper.prompts[-1] == "hh-0042 ○ offline, 0 waiting> "
    await online.type("new Door forced in birmingham")
    await online.paper.prompts_with("hh-0042 ○ offline, 1 waiting> ")
    record, _ = await only(handheld)
    assert await toy.store.record(record) is None
    assert "offline: type online first" in await online.fails("wait")
    await online.type("online")
    assert await online.type("wait") == "Everything is in, nothing waits\n"
    assert await toy.store.record(record) is not None
    await online.paper.prompts_with("● online, 0 waiting> ")
    assert await online.paper.comes("Connected") == "Connected"


async def test_waiting_in_vain_says_why(online: Desk, handheld: Handheld, toy: ToyServer) -> None:
    """When the server cannot be had, `wait` ends after its time with what is wrong."""
    await toy.stop()
    await handheld.wait_until(lambda status: not status.connected)
    assert "not all is in after 0 s" in await online.fails("wait 0")
    assert "No connection: " in await online.paper.comes("No connection")


async def test_a_briefing_is_told_when_it_arrives_and_when_it_changes(online: Desk, toy: ToyServer) -> None:
    """New ones by title, those that go ahead as such; a receipt of somebody is no news, a withdrawal is."""
    await toy.make(record_id(1), briefing())
    assert await online.paper.comes("Briefing") == f"Briefing {short(record_id(1))}: Grey van, false plates"
    await toy.make(record_id(2), briefing("Knife seized", urgent=True))
    assert "Knife seized" in await online.paper.comes("Officer safety briefing")
    await toy.make(record_id(3), briefing("Road closed", priority=Priority.URGENT))
    assert "Road closed" in await online.paper.comes("Urgent briefing")
    await toy.act(record_id(1), "briefing", {"receipts": [{"read_at": NOON}]})
    await toy.act(record_id(1), "briefing", {"withdrawn": True})
    assert "withdrawn yes" in await online.paper.comes("withdrawn")
    assert not [text for text in online.paper.told if "receipts" in text]


async def test_what_others_change_in_sight_is_told(online: Desk, handheld: Handheld, toy: ToyServer) -> None:
    """Of a record on the last list or page it is told what was said and by whom; own changes and others are not."""
    await toy.make(record_id(1), incident("Door forced"))
    await toy.make(record_id(2), incident("Out of sight"))
    await come(handheld, 2)
    await online.type("list incidents door")
    await online.type("log 1 On my way")
    await toy.act(record_id(2), "incident", {"status": "closed"})
    await toy.act(record_id(1), "incident", {"status": "assigned", "log": [{"text": "Unit sent"}]})
    told = await online.paper.comes("Incident")
    assert told.startswith(f"Incident {short(record_id(1))} (Door forced)  ")
    assert "status assigned" in told
    assert "Unit sent" in told
    assert "On my way" not in told
    assert not [text for text in online.paper.told if short(record_id(2)) in text]


async def test_a_refused_change_is_told_with_the_reason(online: Desk, handheld: Handheld, toy: ToyServer) -> None:
    """An op that the server does not take is told at once, marked in the record, and listed by `held`."""
    await online.type("new Door forced in birmingham")
    await online.type("wait")
    record, _ = await only(handheld)
    await online.type("offline")
    for _ in range(ENTRIES_PER_FIELD_MAX // ENTRIES_PER_OP_MAX):
        await toy.act(record, "incident", {"log": [{"text": "x"}] * ENTRIES_PER_OP_MAX})
    await online.type("log . One too many")
    await online.type("online")
    told = await online.paper.comes("Refused")
    assert told.startswith(f"Refused, op 2: incident {short(record)}, log: the record is full (log: at most")
    assert "Open a linked record" in told
    assert "the record is full" in await online.type("held")
    page = await online.type("show .")
    assert re.search(r"One too many +WM21877 on hh-0042 \[refused\]$", page, re.MULTILINE)
    await online.paper.prompts_with("1 refused> ")
    assert await online.type("wait") == "Everything is in, nothing waits; 1 refused, held tells why\n"


async def test_a_record_that_leaves_is_told(online: Desk, handheld: Handheld, toy: ToyServer) -> None:
    """When a grant ends, the officer learns that what they look at has gone."""
    await toy.make(record_id(1), incident("Door forced"))
    await come(handheld, 1)
    await online.type("list")
    toy.take_away(DeviceId("hh-0042"), BIRMINGHAM)
    assert await online.paper.comes("no longer") == f"Record {short(record_id(1))} is no longer on this handheld"
    assert "no record" in await online.fails("show 1")


async def test_a_replica_that_fills_up_does_not_flood_the_screen(
    tmp_path: Path, identity: DeviceIdentity, toy: ToyServer
) -> None:
    """Of a burst a few messages are told and the rest is counted; expired briefings and old incidents are not told."""
    for n in range(TOLD_MAX + 3):
        await toy.make(record_id(n), briefing(f"Briefing {n}"))
    await toy.make(record_id(100), briefing("Over", expires_at=Millis(NOON - 1)))
    await toy.make(record_id(101), incident())
    async with await opened(tmp_path / "fresh", identity, server=toy.url) as handheld:
        await handheld.go_offline()
        async with desk_of(handheld, toy.url) as desk:
            await desk.paper.comes("more; list shows them")
            assert sum("Briefing" in text for text in desk.paper.told) == TOLD_MAX
            assert "… and 3 more; list shows them" in desk.paper.told
            assert not [text for text in desk.paper.told if "Over" in text or "Bicycle" in text]


async def test_breaking_a_command_off_leaves_the_terminal_usable(
    online: Desk, handheld: Handheld, toy: ToyServer
) -> None:
    """Ctrl-C ends a `wait` and not the handset; when nothing runs there is nothing to break off."""
    await toy.stop()
    await handheld.wait_until(lambda status: not status.connected)
    waiting = asyncio.create_task(online.fails("wait 60"))
    # The terminal tells nobody when a command begins.
    while not waiting.done() and not online.terminal.interrupt():  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert await waiting == "broken off"
    assert not online.terminal.interrupt()
    assert "○" in online.paper.prompts[-1]
    assert "connection" in await online.type("status")


async def test_a_contested_time_shows_both(tmp_path: Path, toy: ToyServer, handheld: Handheld) -> None:
    """What was said differently of a `once` field stands beside the first, and is told as such."""
    made = await handheld.create(incident("Door forced"))
    await handheld.wait_until(caught_up)
    async with desk_of(handheld, toy.url) as desk:
        await desk.type(f"show {made.record}")
        await toy.act(made.record, "incident", {"opened_at": NOON + 60_000})
        assert "says differently: opened at" in await desk.paper.comes("differently")
        assert f"said differently: {SUMMER.text(NOON + 60_000)}" in await desk.type("show .")
        assert "[contested]" in await desk.type("list")


async def test_status_values_are_those_of_the_record(handheld: Handheld, toy: ToyServer) -> None:
    """A value set at the terminal is the typed one on the server, not a text that looks like it."""
    async with desk_of(handheld, toy.url) as desk:
        await desk.type("new Door forced in birmingham")
        await desk.type("set . status ATTENDED")
        record, value = await only(handheld)
        assert value.status is IncidentStatus.ATTENDED
        await desk.type("wait")
        stored = await toy.store.record(record)
        assert stored is not None
        assert decode_row(stored).cells[FieldName("status")][0] == "attended"
