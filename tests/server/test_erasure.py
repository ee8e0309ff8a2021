"""What an erasure takes, and that no replica holds the record after its next contact."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Millis, OpNumber, RecordId, ScopeName, Seq
from schemas.kinds import InboxItem, Incident, spec_of
from schemas.kinds.common import LogEntry
from server import erasure
from server.commits import Submission
from server.logbook import OFFICE, Entry, Erased, Erasure
from sync.device import DeviceIdentity, EditsErased, Handheld
from sync.device.store import Held
from sync.merge import RecordState
from sync.outbox import OpState
from tests.server.handheld import Handheld as CoreHandheld
from tests.server.running import Running
from tests.server.store.support import record_id
from tests.sync.device.support import AT_ONCE, BIRMINGHAM, caught_up, change_of, connected, incident, opened
from tests.toy_server import ToyServer, toy_server

WORDS: Final = ("quillfeather", "oddsocks", "marmalade")
KEYS_OF: Final = "SELECT count(*) FROM record_key WHERE record = ?"
NOTE: Final = "erased on 2031-04-01T09:00:00Z by WM40002 under: MoPI group 4"


# --- what goes with what --------------------------------------------------------------------------------------------


class Fixed:
    """Records as a table: record -> (version, whether the rules alone write it, what it is a part of)."""

    def __init__(self, table: dict[str, tuple[int, bool, str | None]], gone: Collection[str] = ()) -> None:
        self.table = table
        self.gone = gone

    def state(self, record: RecordId) -> RecordState | None:
        """See `erasure.Records`."""
        if record not in self.table:
            return None
        version, by_rule, _ = self.table[record]
        spec = spec_of(InboxItem if by_rule else Incident)
        return RecordState(id=record, spec=spec, version=Seq(version), cells={})

    def parts(self, record: RecordId) -> list[RecordId]:
        """See `erasure.Records`."""
        return [RecordId(name) for name, (_, _, about) in self.table.items() if about == record]

    def erasure_of(self, record: RecordId) -> Erased | None:
        """See `erasure.Records`."""
        return Erased(record, record, Millis(0), Seq(1), NOTE) if record in self.gone else None

    def scopes_ever(self, record: RecordId) -> frozenset[ScopeName]:
        """See `erasure.Records`."""
        return frozenset()


def planned(records: Fixed, *wanted: tuple[str, int], touched: Collection[str] = ()) -> tuple[set[str], list[str]]:
    """(what goes, keys of the entries that are kept) of erasures of (record, seen)."""
    asked = [
        (Erasure(RecordId(name), Seq(seen), NOTE), (Entry("act", f"{name}@{seen}", b""),)) for name, seen in wanted
    ]
    plan = erasure.plan(asked, records, frozenset(map(RecordId, touched)))
    return {state.id for state, _ in plan.gone}, [entry.key for entry in plan.entries]


TREE: Final[dict[str, tuple[int, bool, str | None]]] = {
    "booking": (3, False, None),
    "medical": (4, False, "booking"),
    "question": (9, True, "medical"),
    "other": (2, False, None),
}


def test_parts_of_parts_go_as_well() -> None:
    """And nothing else does."""
    assert planned(Fixed(TREE), ("booking", 4)) == ({"booking", "medical", "question"}, ["booking@4"])


def test_a_part_that_somebody_wrote_into_forbids_it_and_one_that_the_rules_wrote_does_not() -> None:
    """A question that went to more people as time passed is nothing that anybody wrote."""
    assert planned(Fixed(TREE), ("booking", 3)) == (set(), [])
    assert planned(Fixed(TREE), ("booking", 8)) != (set(), [])


@pytest.mark.parametrize("touched", ["booking", "medical", "question"])
def test_what_the_same_commit_writes_forbids_it(touched: str) -> None:
    """Even the rules' own: what is half written is not erased."""
    assert planned(Fixed(TREE), ("booking", 99), touched=[touched]) == (set(), [])


def test_one_that_is_refused_does_not_stop_the_next() -> None:
    """Each erasure stands for itself, with its own entries."""
    assert planned(Fixed(TREE), ("booking", 3), ("other", 2), ("nobody", 9)) == ({"other"}, ["other@2"])


def test_the_same_twice_is_done_once() -> None:
    """Two officers' approvals in one group: one act is kept, the one that carried it out."""
    assert planned(Fixed(TREE), ("other", 2), ("other", 5)) == ({"other"}, ["other@2"])


def test_what_is_not_here_is_erased_ahead_where_that_is_asked_for() -> None:
    """Once, with its entry; not what was erased already, or comes in the same commit; what is here goes as ever."""

    def ahead(name: str, touched: Collection[str] = ()) -> tuple[set[str], set[str], int]:
        one = Erasure(RecordId(name), Seq(99), NOTE, ahead=True)
        asked = [(one, (Entry("act", name, b""),))] * 2
        plan = erasure.plan(asked, Fixed(TREE, ["gone"]), frozenset(map(RecordId, touched)))
        return {state.id for state, _ in plan.gone}, {one.record for one in plan.ahead}, len(plan.entries)

    assert ahead("lost") == (set(), {"lost"}, 1)
    assert ahead("lost", ["lost"]) == (set(), set(), 0)
    assert ahead("gone") == (set(), set(), 0)
    assert ahead("other") == ({"other"}, set(), 1)


@given(about=st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_it_ends_whatever_is_a_part_of_what(about: list[int]) -> None:
    """Even of itself, or in a ring: nobody made it so, and it goes all the same."""
    table: dict[str, tuple[int, bool, str | None]] = {str(n): (1, False, str(about[n])) for n in range(6)}
    gone, _ = planned(Fixed(table), ("0", 1))
    reach = {"0"}
    while more := {name for name, (_, _, of) in table.items() if of in reach} - reach:
        reach |= more
    assert gone == reach


def test_a_device_is_told_when_and_not_who_or_why() -> None:
    """Reason and name are for those who may read the act."""
    told = erasure.refusal_detail(Erased(record_id(1), record_id(1), Millis(1_932_800_400_000), Seq(1), NOTE))
    assert told == "erased on 2031-04-01T09:00:00Z"


# --- replicas -------------------------------------------------------------------------------------------------------


async def words_in(handheld: Handheld) -> list[str]:
    """The planted words that the device can still read: in its rows, and in its own ops in every state."""

    def bodies(held: Held) -> bytes:
        ops = held.tables.ops_in(OpState, OpNumber(0), 1_000)
        return b"\0".join(repr(op).encode() for op in ops)

    rows = repr(await handheld.find(Incident)).encode()
    everything = (rows + await handheld._store.read(bodies)).lower()
    return [word for word in WORDS if word.encode() in everything]


async def erase(toy: ToyServer, record: RecordId) -> None:
    """The server erases a record; the connected devices are told."""
    (settled,) = await toy._commit([Submission(OFFICE, frozenset(), (), erasure=Erasure(record, Seq(10**6), NOTE))])
    toy._tell(settled)


async def test_no_replica_reads_an_erased_record_after_its_next_contact(tmp_path: Path) -> None:
    """Not one that held it and was connected, nor one that was away meanwhile, nor its author's."""
    author, reader, away = (DeviceIdentity.generate(name) for name in ("hh-1", "hh-2", "hh-3"))
    async with toy_server([(one, [BIRMINGHAM]) for one in (author, reader, away)]) as toy:
        async with connected(tmp_path / "1", author, toy) as one, connected(tmp_path / "2", reader, toy) as two:
            doomed = (await one.create(incident("Quillfeather", log=(LogEntry(text="Oddsocks"),)))).record
            await one.append(doomed, "log", LogEntry(text="Marmalade"))
            stays = (await one.create(incident("Ferret loose"))).record
            await one.wait_until(caught_up)
            stream = two.changes()
            while await two.get(Incident, stays) is None:
                await anext(stream)
            async with connected(tmp_path / "3", away, toy) as three:
                assert await words_in(three) == list(WORDS)
            for handheld in (one, two):
                assert await words_in(handheld) == list(WORDS)
            mine, theirs = one.changes(), two.changes()
            await erase(toy, doomed)
            for handheld, changes in ((one, mine), (two, theirs)):
                while await handheld.get(Incident, doomed) is not None:
                    await anext(changes)
            assert await words_in(two) == []
            assert await words_in(one) == []
            assert doomed not in {record for record, _ in await one.find(Incident)}
            for handheld in (one, two):
                assert await handheld.get(Incident, stays) is not None
        async with connected(tmp_path / "3", away, toy) as three:
            assert await words_in(three) == []
            assert await three.get(Incident, stays) is not None


@pytest.mark.parametrize("anew", [False, True], ids=["by batch", "by snapshot"])
async def test_an_author_who_was_away_keeps_no_word_of_it(tmp_path: Path, *, anew: bool) -> None:
    """Not of what was sent, nor of what was not: they are told that it is gone, its keys go, and the rest goes on."""
    author = DeviceIdentity.generate("hh-1")
    async with toy_server([(author, [BIRMINGHAM])]) as toy:
        async with connected(tmp_path / "1", author, toy) as one:
            doomed = (await one.create(incident("Quillfeather", log=(LogEntry(text="Oddsocks"),)))).record
            stays = (await one.create(incident("Ferret loose"))).record
            await one.wait_until(caught_up)
        async with await opened(tmp_path / "1", author) as one:
            unsent = await one.append(doomed, "log", LogEntry(text="Marmalade"))
            assert await words_in(one) == list(WORDS)
            if anew:
                await one._store.change(
                    lambda held: held.replica.resnapshot(BIRMINGHAM), lambda _done, _committed: None
                )
        await erase(toy, doomed)
        toy.unmuted.clear()
        async with await opened(tmp_path / "1", author, server=toy.url, backoff=AT_ONCE) as one:
            changes = one.changes()
            toy.unmuted.set()
            assert (await change_of(changes, EditsErased)).ops == (unsent.op,)
            await one.wait_until(caught_up)
            assert await words_in(one) == []
            assert await one.get(Incident, stays) is not None
            assert await one._store.read(lambda held: held.tables._one(KEYS_OF, doomed)) == 0
            assert await one.held() == []
            await one.append(stays, "log", LogEntry(text="It was caught."))
            await one.wait_until(caught_up)
            assert one.status.waiting == 0


async def test_an_author_keeps_no_word_of_what_had_moved_away_before(tmp_path: Path) -> None:
    """Another area's record holds nothing here but what its author wrote; that goes when it is erased there."""
    author = DeviceIdentity.generate("hh-1")
    async with toy_server([(author, [BIRMINGHAM])]) as toy:
        async with connected(tmp_path / "1", author, toy) as one:
            doomed = (await one.create(incident("Quillfeather"))).record
            await one.wait_until(caught_up)
            stream = one.changes()
            await toy.act(doomed, "incident", {"area": "walsall"})
            while await one.get(Incident, doomed) is not None:
                await anext(stream)
            assert await words_in(one) == ["quillfeather"]
        await erase(toy, doomed)
        async with connected(tmp_path / "1", author, toy) as one:
            await one.wait_until(caught_up)
            assert await words_in(one) == []


@pytest.mark.parametrize("way", ["connected", "resumes", "by snapshot"])
async def test_a_real_server_tells_it_each_way(server: Running, way: str) -> None:
    """By a recent commit's frame, by the log, and by a page."""
    server.enrol("hh-1", "area:birmingham")
    author = CoreHandheld(server, "hh-1")
    await author.connect()
    doomed = record_id("doomed")
    await author.write(doomed, incident("Quillfeather"))
    await author.until(lambda: author.replica.count(OpState.SETTLED) == 1)
    if way != "connected":
        author.disconnect()
    asked = Submission(OFFICE, frozenset(), (), erasure=Erasure(doomed, Seq(10**6), NOTE))
    await server.beatbook.committer.commit(asked)
    if way == "by snapshot":
        author.replica.resnapshot(BIRMINGHAM)
    if way == "resumes":
        # As if so many commits had come since that the server must read its log.
        server.beatbook.hub._recent.clear()
    if way != "connected":
        await author.connect()
    await author.until(lambda: author.replica.count(OpState.ERASED) == 1)
    assert author.replica.view(doomed) is None
    author.disconnect()
