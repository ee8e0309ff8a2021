"""Whatever is pushed, in whatever groups, SQLite settles, keeps and tells exactly what the store in memory does."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import scopes
from schemas.ids import DeviceId, FieldName, Seq
from schemas.limits import PAGE_ROWS_MAX
from server.commits import Submission
from server.logbook import OFFICE, Entry, Erasure
from server.store.memory import MemoryStore
from server.store.sqlite import SqliteStore
from server.store.sqlite.remembered import Remembered
from server.store.sqlite.store import InlineWriter
from sync import digest, inbox
from tests.server.store.support import NOW, Device, area, picture, record_id, replay, versions, walk

AREAS = ("birmingham", "solihull", "walsall")
RECORDS = 4
BOOKING = "booking"
ARRESTED = FieldName("arrested_at")
RISK = FieldName("risk")
ITEM = inbox.item_id(record_id(BOOKING), ARRESTED, "")
DIFFERING = ("booking", "booking", "differ", "differ", "raise", "transfer", "decide")
"""Steps about one booking, of which an inbox item comes: twice where a script without the step would show nothing."""


class Step(msgspec.Struct, frozen=True):
    """One op to push: what, on which record, by whom; or an earlier one of the device's once more."""

    what: str
    device: int
    record: int
    area: int
    number: int


steps = st.builds(
    Step,
    what=st.sampled_from(
        [
            *("incident", "briefing", "move", "note", "note behind", "grow", "readdress", "again", "reuse", "wrong"),
            *DIFFERING,
            *("erase", "erase booking", "entry"),
        ]
    ),
    device=st.integers(0, 1),
    record=st.integers(0, RECORDS - 1),
    area=st.integers(0, len(AREAS) - 1),
    number=st.integers(1, 12),
)
groups = st.lists(st.one_of(st.lists(steps, max_size=10), st.just("reopen")), max_size=8)


class Pushers:
    """Two devices, one with rights to all and one to two areas, and what each has pushed."""

    def __init__(self) -> None:
        granted = scopes.with_briefings(frozenset(map(area, AREAS[:2])))
        self.devices = (Device(DeviceId("desk-01")), Device(DeviceId("hh-0042"), granted))
        self.pushed: tuple[list[bytes], list[bytes]] = ([], [])
        self.entries = 0

    def submission(self, step: Step) -> Submission:
        """The step as a push of one op."""
        device, pushed = self.devices[step.device], self.pushed[step.device]
        if step.what in {"erase", "erase booking", "entry"}:
            return self._beside(step)
        if step.what == "again" and pushed:
            return device.push(pushed[step.number % len(pushed)])
        if step.what == "reuse" and device.n:
            impostor = Device(device.device, device.scopes)
            impostor.n = step.number % device.n
            return impostor.push(impostor.note(record_id(step.record), "Another text under a used number"))
        pushed += [_differing(device, step)] if step.what in DIFFERING else self._ops(device, step)
        return device.push(pushed[-1])

    def _beside(self, step: Step) -> Submission:
        """What comes beside ops: a journal entry about a record, or its erasure with one."""
        self.entries += 1
        record = record_id(step.record if step.what != "erase booking" else BOOKING)
        entry = Entry("act", str(self.entries), b"about it", None if step.number % 3 == 0 else record)
        erasure = None if step.what == "entry" else Erasure(record, Seq(step.number * 3), "erased")
        return Submission(OFFICE, frozenset(), (), entries=(entry,), erasure=erasure)

    def _ops(self, device: Device, step: Step) -> list[bytes]:
        record, where = record_id(step.record), AREAS[step.area]
        changes: dict[str, Any] = {}
        match step.what:
            case "incident":
                return [device.incident(record, where)]
            case "briefing":
                return [device.briefing(record, [f"area:{name}" for name in AREAS[: step.area + 1]])]
            case "readdress":
                changes = {"audience": [f"area:{name}" for name in AREAS[step.area :]]}
                return [device.op(record, "briefing", changes)]
            case "move":
                return [device.move(record, where)]
            case "note behind":
                return [device.note(record, after=min(step.number, device.n))]
            case "grow":
                return device.grow_to(record, 8)
            case "wrong":
                return [device.op(record, "incident", {"grade": "p9"})]
            case _:
                return [device.note(record)]


def _differing(device: Device, step: Step) -> bytes:
    """One op about the booking, or a decision on its inbox item."""
    saw: dict[FieldName, tuple[str, ...]] = {}
    changes: dict[str, Any] = {}
    match step.what:
        case "booking":
            changes = {"suite": "perry-barr", "detainee": "Robin Example", ARRESTED: NOW, RISK: "medium"}
        case "differ":
            changes, saw = {ARRESTED: NOW + step.number % 3}, {ARRESTED: ()}
        case "raise":
            changes, saw = {RISK: ("standard", "medium", "high")[step.area]}, {RISK: (f"desk-01/{step.number}",)}
        case "transfer":
            changes = {"suite": ("perry-barr", "oldbury")[step.area % 2]}
        case _:
            decision = {"value": NOW + step.number % 3, "reason": "camera"}
            return device.op(ITEM, "inbox-item", {"decision": decision})
    return device.op(record_id(BOOKING), "custody-booking", changes, create=step.what == "booking", saw=saw)


async def _compare(script: list[list[Step] | str]) -> None:
    pushers, memory = Pushers(), MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        sqlite = await SqliteStore.open(data, inline=True)
        try:
            for group in script:
                if isinstance(group, str):
                    await sqlite.close()
                    sqlite = await SqliteStore.open(data, inline=True)
                    continue
                pushes = [pushers.submission(step) for step in group]
                assert await sqlite.commit(pushes, NOW) == await memory.commit(pushes, NOW)
                _remembers_rightly(sqlite)
            assert await picture(sqlite) == await picture(memory)
            for device in pushers.devices:
                assert await sqlite.last_op(device.device) == await memory.last_op(device.device)
            ids = [*map(record_id, range(RECORDS)), record_id(BOOKING), ITEM]
            for each in (None, *ids):
                assert await sqlite.ops(each, 0, PAGE_ROWS_MAX) == await memory.ops(each, 0, PAGE_ROWS_MAX)
                if each is not None:
                    assert await sqlite.erased(each) == await memory.erased(each)
            assert await sqlite.existing(ids) == await memory.existing(ids)
            assert await sqlite.journal(None, 0, PAGE_ROWS_MAX) == await memory.journal(None, 0, PAGE_ROWS_MAX)
            assert await sqlite.tree() == await memory.tree()
            await _hold_together(sqlite)
        finally:
            await sqlite.close()


def _remembers_rightly(store: SqliteStore) -> None:
    """What the writer remembers is what it would read."""
    assert isinstance(store.writer, InlineWriter)
    writer = store.writer.writer
    known, writer._remembered = writer._remembered, Remembered()
    thread = store.writer._thread
    for record, (state, _) in known.records._kept.items():
        assert state == thread.submit(writer.state, record).result()
    for seat, (told, _) in known.seats._kept.items():
        assert told == thread.submit(writer._seat, DeviceId(seat)).result()
    writer._remembered = known


async def _hold_together(store: SqliteStore) -> None:
    """Heads, log and pages of every scope tell of the same records, from wherever the log is followed."""
    for scope, head in (await store.heads()).items():
        held = await walk(store, scope)
        assert (head.digest, head.count) == (digest.of(held.items()), len(held))
        assert await replay(store, scope) == (held, head)
        for after in range(int(head.seq)):
            changes = await store.changes(scope, Seq(after))
            later = {record: v for record, v in held.items() if v > after}
            assert versions(changes.rows).items() <= later.items()
            assert changes.head is None or versions(changes.rows) == later


@settings(max_examples=60)
@given(groups)
def test_sqlite_equals_memory(script: list[list[Step] | str]) -> None:
    """Results, commits, logs, pages and heads are the same after any pushes and any reopening."""
    asyncio.run(_compare(script))
