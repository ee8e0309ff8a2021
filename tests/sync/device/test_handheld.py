"""The API for applications on one device: what it writes, shows and refuses, with no server anywhere."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.errors import ReplicaError, UsageError
from schemas.ids import RecordId
from schemas.kinds import KINDS, Briefing, CustodyBooking, Incident
from schemas.kinds.booking import Check, Response
from schemas.kinds.common import LogEntry, Position
from schemas.kinds.incident import Grade, IncidentStatus
from sync.device import ChangeStream, DeviceIdentity, Handheld, HeldKey, KeyFile, RecordChanged, SyncStatus
from tests.sync.device.support import BIRMINGHAM, KEY, NOON, OTHER_KEY, VirtualClock, incident, opened, record_id

ROOT: Final = Path(__file__).resolve().parents[3]


@pytest.fixture
def clock() -> VirtualClock:
    """A clock that stands still."""
    return VirtualClock()


@pytest.fixture
async def handheld(tmp_path: Path, identity: DeviceIdentity, clock: VirtualClock) -> AsyncIterator[Handheld]:
    """An open handheld without a server."""
    async with Handheld.open(
        tmp_path / "replica", identity=identity, keys=HeldKey(KEY), author="WM21877", clock=clock
    ) as handheld:
        yield handheld


# --- writing and reading ---------------------------------------------------------------------------------------------


async def test_a_record_reads_as_it_was_made(handheld: Handheld) -> None:
    """Every sort of value survives: enums, structs, tuples, texts, absent ones, and entries that grow."""
    made = incident(
        grade=Grade.P1,
        position=Position(-1.9, 52.48),
        units=("BX21", "BX22"),
        location="Corporation Street",
        log=(LogEntry(text="Caller hung up"), LogEntry(text="Called back")),
    )
    written = await handheld.create(made)
    assert written.op == "hh-0042/1"
    assert await handheld.get(Incident, written.record) == made
    booking = CustodyBooking(
        suite="perry-barr",
        detainee="Robin Example",
        arrested_at=NOON,  # type: ignore[arg-type]  # a moment
        checks=(Check(checked_at=NOON, where="Cell 4", response=Response.AWAKE),),  # type: ignore[arg-type]
    )
    second = await handheld.create(booking)
    assert await handheld.get(CustodyBooking, second.record) == booking


async def test_what_nobody_said_is_not_recorded_as_said(handheld: Handheld) -> None:
    """A field that was left at its default has no author."""
    written = await handheld.create(incident())
    view = await handheld.inspect(written.record)
    assert view is not None
    assert set(view.fields) == {"opened_at", "area", "category", "summary"}
    assert view.entries == {}


async def test_an_edit_changes_its_fields_and_nothing_else(handheld: Handheld) -> None:
    """Also back to nothing, where a field may be empty."""
    made = incident(location="Corporation Street")
    written = await handheld.create(made)
    edited = await handheld.edit(written.record, grade=Grade.P2, location=None, why="misheard")
    assert (edited.record, edited.op) == (written.record, "hh-0042/2")
    now = await handheld.get(Incident, written.record)
    assert now == incident(grade=Grade.P2, location=None)


async def test_entries_stand_in_the_order_of_what_happened(handheld: Handheld) -> None:
    """An entry that is written late takes its true place."""
    written = await handheld.create(incident(), occurred_at=NOON - 5_000)
    await handheld.append(written.record, "log", LogEntry(text="second"), occurred_at=NOON - 1_000)
    await handheld.append(written.record, "log", LogEntry(text="first"), occurred_at=NOON - 2_000, why="from my notes")
    now = await handheld.get(Incident, written.record)
    assert now is not None
    assert [entry.text for entry in now.log] == ["first", "second"]


async def test_a_record_can_be_looked_into(handheld: Handheld, clock: VirtualClock) -> None:
    """Who said what, on which device, when it happened; and which ops no server has yet."""
    written = await handheld.create(incident(log=(LogEntry(text="Caller hung up"),)))
    clock.advance(60_000)
    edited = await handheld.edit(written.record, status=IncidentStatus.ATTENDED, occurred_at=NOON + 10)
    view = await handheld.inspect(written.record)
    assert view is not None
    assert view.value == await handheld.get(Incident, written.record)
    assert view.version == 0
    status = view.fields["status"]  # type: ignore[index]  # a field's name
    assert status.value is IncidentStatus.ATTENDED
    assert (status.stamp.author, status.stamp.device, status.stamp.op) == ("WM21877", "hh-0042", edited.op)
    assert (status.stamp.occurred_at, status.stamp.recorded_at) == (NOON + 10, 0)
    (entry,) = view.entries["log"]  # type: ignore[index]
    assert entry.value == LogEntry(text="Caller hung up")
    assert entry.stamp.op == written.op
    assert (view.pending, view.held, view.differing) == ((written.op, edited.op), (), {})


async def test_records_are_found_by_value_and_by_rule_in_order_of_making(
    handheld: Handheld, clock: VirtualClock
) -> None:
    """Conditions add up, values compare as typed, and other kinds are not in it."""
    ids = []
    for n in range(600):
        clock.advance(1)
        made = await handheld.create(incident(f"Report {n}", grade=Grade.P1 if n % 2 else Grade.P2))
        ids.append(made.record)
    await handheld.create(
        Briefing(title="Be seen", body="Wear the jacket.", audience=(BIRMINGHAM,), issued_at=NOON)  # type: ignore[arg-type]
    )
    assert [record for record, _ in await handheld.find(Incident)] == ids
    assert [record for record, _ in await handheld.find(Incident, grade=Grade.P1)] == ids[1::2]
    found = await handheld.find(Incident, lambda each: each.summary.endswith("7"), grade=Grade.P1, area="birmingham")
    assert [record for record, _ in found] == ids[7::10]
    assert [value.summary for _, value in found[:2]] == ["Report 7", "Report 17"]
    assert await handheld.find(Incident, grade="p1") == []
    assert len(await handheld.find(Briefing)) == 1


async def test_what_is_not_there_is_none_and_another_kind_is_a_mistake(handheld: Handheld) -> None:
    """An unknown id is an ordinary answer; asking for the wrong kind is told."""
    assert await handheld.get(Incident, record_id(1)) is None
    assert await handheld.inspect(record_id(1)) is None
    written = await handheld.create(incident())
    with pytest.raises(UsageError, match="is a Incident, not a Briefing"):
        await handheld.get(Briefing, written.record)


Act = Callable[[Handheld, RecordId], Any]


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda h, r: h.edit(r), "nothing to change"),
        (lambda h, r: h.edit(r, gradee=Grade.P1), "no field 'gradee'; it has opened_at, area, category, summary"),
        (lambda h, r: h.edit(r, log=[LogEntry(text="x")]), r"append\(record, 'log', entry\)"),
        (lambda h, r: h.append(r, "summary", "x"), r"edit\(record, summary=…\)"),
        (lambda h, r: h.append(r, "nothing", "x"), "no field 'nothing'"),
        (lambda h, r: h.append(r, "log", "plain text"), "log: Expected `object`, got `str`"),
        (lambda h, r: h.append(r, "log", LogEntry(text="")), "length >= 1"),
        (lambda h, r: h.edit(r, summary=""), "summary: Expected `str` of length >= 1"),
        (lambda h, r: h.edit(r, grade="p9"), "grade cannot be 'p9': it is one of p1, p2, scheduled"),
        (lambda h, r: h.edit(r, grade=1), "grade"),
        (lambda h, r: h.edit(r, summary="x" * 5_000), "length <= 4000"),
        (lambda h, r: h.edit(r, summary=object()), "summary cannot be written"),
        (lambda h, r: h.edit(r, position=Position(float("nan"), 0)), "position|NaN"),
        (lambda h, r: h.edit(r, area="Birmingham City"), "area"),
        (lambda h, r: h.edit(r, opened_at=NOON + 1), "opened_at of this incident is already recorded"),
        (lambda h, r: h.edit(r, grade=Grade.P1, why="x" * 1_001), "length <= 1000"),
        (lambda h, r: h.edit(r, grade=Grade.P1, occurred_at=-1), ">= 0"),
        (lambda h, _: h.edit(record_id(7), grade=Grade.P1), "there is no record"),
        (lambda h, _: h.edit("7", grade=Grade.P1), "a record id looks like"),
        (lambda h, _: h.create(incident("")), "summary"),
        (lambda h, _: h.create(incident(log=tuple(LogEntry(text="x") for _ in range(65)))), "65 entries, at most 64"),
        (lambda h, _: h.create(incident(log=tuple(LogEntry(text="x" * 4_000) for _ in range(20)))), "cannot be sent"),
        (lambda h, _: h.find(Incident, gradee=Grade.P1), "no field 'gradee'"),
    ],
)
async def test_what_the_server_would_refuse_is_refused_here_and_now(handheld: Handheld, act: Act, says: str) -> None:
    """The error tells what is wrong; nothing is written, queued or counted, and the next write is as good as any."""
    written = await handheld.create(incident())
    before = await handheld.inspect(written.record)
    with pytest.raises(UsageError, match=says):
        await act(handheld, written.record)
    assert await handheld.inspect(written.record) == before
    assert handheld.status.waiting == 1
    assert (await handheld.edit(written.record, grade=Grade.P1)).op == "hh-0042/2"


def test_no_kind_has_a_field_that_the_api_could_not_name() -> None:
    """`edit` takes fields as keywords, beside two of its own."""
    for spec in KINDS.values():
        assert not {"occurred_at", "why", "self"} & set(spec.fields), spec.name


# --- opening and closing ---------------------------------------------------------------------------------------------


async def test_edits_survive_closing_and_opening(tmp_path: Path, identity: DeviceIdentity) -> None:
    """Everything reads as before, and the numbers go on where they stopped."""
    folder = tmp_path / "replica"
    handheld = await opened(folder, identity)
    written = await handheld.create(incident())
    await handheld.append(written.record, "log", LogEntry(text="On scene"))
    before = await handheld.inspect(written.record)
    await handheld.close()
    async with await opened(folder, identity) as again:
        assert await again.inspect(written.record) == before
        assert again.status == SyncStatus(waiting=2)
        assert (await again.edit(written.record, grade=Grade.P1)).op == "hh-0042/3"


async def test_another_device_is_refused_and_the_right_one_still_opens(
    tmp_path: Path, identity: DeviceIdentity
) -> None:
    """Op numbers belong to a device: a replica never changes hands."""
    folder = tmp_path / "replica"
    await (await opened(folder, identity)).close()
    with pytest.raises(UsageError, match="belongs to device 'hh-0042', not 'hh-0043'"):
        await opened(folder, DeviceIdentity.generate("hh-0043"))
    await (await opened(folder, identity)).close()


async def test_a_wrong_key_and_a_second_opener_are_refused(tmp_path: Path, identity: DeviceIdentity) -> None:
    """Through the API the errors are the database's own."""
    folder = tmp_path / "replica"
    async with await opened(folder, identity):
        with pytest.raises(ReplicaError, match="open already"):
            await opened(folder, identity)
    with pytest.raises(ReplicaError, match="wrong key"):
        await opened(folder, identity, keys=HeldKey(OTHER_KEY))


@pytest.mark.parametrize("server", ["", "beatbook.example", "http://beatbook.example", "ws://", "ws://host:99999"])
async def test_an_address_that_is_none_is_refused_before_anything_is_made(
    tmp_path: Path, identity: DeviceIdentity, server: str
) -> None:
    """The error shows what one looks like."""
    with pytest.raises(UsageError, match="expected ws://host:port"):
        await opened(tmp_path / "replica", identity, server=server)
    assert not await asyncio.to_thread(os.listdir, tmp_path)


async def test_after_closing_everything_says_so(tmp_path: Path, identity: DeviceIdentity) -> None:
    """Reads, writes and waits end in a clear error, streams end, closing again is nothing."""
    handheld = await opened(tmp_path / "replica", identity)
    stream = handheld.changes()
    waiting = asyncio.ensure_future(handheld.wait_until(lambda status: status.connected))
    await asyncio.sleep(0)
    await handheld.close()
    await handheld.close()
    assert [change async for change in stream] == []
    with pytest.raises(UsageError, match="closed"):
        await waiting
    with pytest.raises(ReplicaError, match="is closed"):
        await handheld.create(incident())
    with pytest.raises(ReplicaError, match="is closed"):
        await handheld.find(Incident)


async def test_without_a_server_there_is_nothing_to_switch(handheld: Handheld) -> None:
    """Going offline is no error, coming online is."""
    await handheld.go_offline()
    handheld.network_returned()
    with pytest.raises(UsageError, match="without a server"):
        await handheld.go_online()


# --- what is told, and what is never half done -----------------------------------------------------------------------


async def next_change(stream: ChangeStream) -> object:
    """The next change."""
    return await anext(stream)


async def test_every_reader_is_told_of_local_writes(handheld: Handheld) -> None:
    """With the record and its kind; a refused write is no change."""
    first, second = handheld.changes(), handheld.changes()
    written = await handheld.create(incident())
    with pytest.raises(UsageError):
        await handheld.edit(written.record, summary="")
    await handheld.edit(written.record, grade=Grade.P1)
    expected = RecordChanged(written.record, Incident, "local")
    for stream in (first, second):
        assert [await next_change(stream), await next_change(stream)] == [expected, expected]


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_write_is_whole_or_not_at_all(tmp_path: Path, identity: DeviceIdentity, turns: int) -> None:
    """Wherever the cancellation falls: row and outbox agree, readers were told, and the next number is the next."""
    async with await opened(tmp_path / "replica", identity) as handheld:
        stream = handheld.changes()
        task = asyncio.create_task(handheld.create(incident()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        found = await handheld.find(Incident)
        assert handheld.status.waiting == len(found) <= 1
        for record, _ in found:
            view = await handheld.inspect(record)
            assert view is not None
            assert view.pending == ("hh-0042/1",)
            assert await next_change(stream) == RecordChanged(record, Incident, "local")
        assert (await handheld.create(incident())).op == f"hh-0042/{len(found) + 1}"


WRITER: Final = """
import asyncio, sys
from sync.device import DeviceIdentity, Handheld, KeyFile
from schemas.kinds import Incident
from schemas.kinds.common import LogEntry
from schemas.kinds.incident import Category

async def main(folder):
    identity = DeviceIdentity.load(folder + "/identity.json")
    keys = KeyFile(folder + "/data.key")
    async with Handheld.open(folder + "/replica", identity=identity, keys=keys, author="WM21877") as handheld:
        async def write(area):
            while True:
                made = await handheld.create(
                    Incident(opened_at=1, area=area, category=Category.CRIME, summary="Bicycle taken")
                )
                print(made.op, made.record, flush=True)
                made = await handheld.append(made.record, "log", LogEntry(text="Owner called"))
                print(made.op, made.record, flush=True)
        await asyncio.gather(write("birmingham"), write("walsall"))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.e2e
@pytest.mark.parametrize("lines", [1, 40, 41])
def test_no_returned_write_is_lost_when_the_program_is_killed(tmp_path: Path, lines: int) -> None:
    """After kill -9 in the middle of writing, every op that was returned is there, whole, under a number of its own."""
    identity = DeviceIdentity.generate("hh-0042")
    identity.save(tmp_path / "identity.json")
    script = tmp_path / "writer.py"
    script.write_text(WRITER, encoding="utf-8")
    told: dict[str, str] = {}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    ) as child:
        assert child.stdout is not None
        for _ in range(lines):
            op, record = child.stdout.readline().split()
            told[op] = record
        child.send_signal(signal.SIGKILL)
        # What was said before the end, but not a line that the end cut off.
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                op, record = line.split()
                told[op] = record

    async def check() -> None:
        handheld = await opened(tmp_path / "replica", identity, keys=KeyFile(tmp_path / "data.key"))
        async with handheld:
            pending: dict[str, str] = {}
            for record, value in await handheld.find(Incident):
                view = await handheld.inspect(record)
                assert view is not None
                assert len(value.log) == len(view.pending) - 1
                pending.update(dict.fromkeys(view.pending, record))
            assert told.items() <= pending.items()
            assert sorted(int(op.partition("/")[2]) for op in pending) == list(range(1, len(pending) + 1))
            assert handheld.status.waiting == len(pending)
            assert (await handheld.create(incident())).op == f"hh-0042/{len(pending) + 1}"

    asyncio.run(check())
