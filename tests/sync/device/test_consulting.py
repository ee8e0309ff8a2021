"""The read log: what an officer looks at is on the disk before they see it, and on the server's soon after."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.errors import UsageError
from schemas.ids import RecordId
from schemas.kinds import Incident
from schemas.kinds.incident import Category
from schemas.limits import REASON_CHARS_MAX
from schemas.reads import NO_LINK, Read
from server.intake import ReadBatch
from server.logbook import READS
from sync.device import Handheld, SignedIn
from sync.device.consulting import ReasonNeededError
from sync.device.installation import Installation
from tests.sync.device.force import OFFICER, PHRASE, Force
from tests.sync.device.support import AT_ONCE, caught_up, incident, opened


@pytest.fixture
async def signed_in(installation: Installation) -> tuple[Installation, SignedIn]:
    """The officer, signed in."""
    return installation, await installation.sign_in(OFFICER, PHRASE)


@pytest.fixture
async def handheld(signed_in: tuple[Installation, SignedIn]) -> AsyncIterator[Handheld]:
    """Their handheld, without a connection."""
    installation, officer = signed_in
    opening = Handheld.open_seat(
        officer, installation.enrolment, connect=False, clock=installation._clock, backoff=AT_ONCE
    )
    async with opening as handheld:
        yield handheld


async def log_of(handheld: Handheld) -> list[Read]:
    """What waits to be uploaded."""
    waiting = await handheld._replica.read(lambda held: held.replica.reads.waiting(0, 1_000))
    return [msgspec.msgpack.decode(body, type=Read) for _, body in waiting]


async def two(handheld: Handheld) -> tuple[RecordId, RecordId]:
    """Two incidents."""
    first = (await handheld.create(incident("First"))).record
    return first, (await handheld.create(incident("Second"))).record


async def test_a_reason_is_asked_for_once_for_each_incident(handheld: Handheld) -> None:
    """Without one nothing is handed over and nothing is logged; once given it is remembered with the replica."""
    first, second = await two(handheld)
    for reading in (handheld.get(Incident, first), handheld.inspect(first), handheld.explain(first)):
        with pytest.raises(ReasonNeededError) as caught:
            await reading
        assert caught.value.matter == first
    assert await log_of(handheld) == []
    with handheld.matter(first, why="On my way there"):
        assert await handheld.get(Incident, first) is not None
    assert await handheld.inspect(first) is not None
    with pytest.raises(ReasonNeededError):
        await handheld.get(Incident, second)
    told = [(read.what, read.records, read.matter, read.why, read.author) for read in await log_of(handheld)]
    assert told == [("consultation", (first,), first, "On my way there", OFFICER)] * 2


async def test_other_records_are_read_for_the_sake_of_the_matter(handheld: Handheld) -> None:
    """The log says for which incident somebody looked at another one."""
    first, second = await two(handheld)
    with handheld.matter(first, why="Same van?"):
        await handheld.get(Incident, second)
        assert len(await handheld.find(Incident)) == 2
    told = [(read.what, read.records, read.matter, read.why) for read in await log_of(handheld)]
    assert told == [
        ("consultation", (second,), first, "Same van?"),
        ("combination", tuple(sorted((first, second))), first, "Same van?"),
    ]


@pytest.mark.parametrize("summary", ["First", "None such"])
async def test_a_search_needs_a_reason_before_it_is_made(handheld: Handheld, summary: str) -> None:
    """It is asked for whether or not anything would be found, and before any record is looked at."""
    await two(handheld)
    looked_at: list[Incident] = []

    def look(value: Incident) -> bool:
        looked_at.append(value)
        return True

    with pytest.raises(ReasonNeededError) as caught:
        await handheld.find(Incident, look, summary=summary)
    assert caught.value.matter is None
    assert looked_at == []


async def test_a_search_is_a_combination_with_what_was_searched_for(handheld: Handheld) -> None:
    """The log says in which words somebody searched, and what that gave them; a reason for no incident will do.

    What they look at afterwards is a consultation, without the words.
    """
    first, second = await two(handheld)
    with handheld.matter(why="Start of shift", words="glass breaking"):
        assert len(await handheld.find(Incident, lambda value: bool(value.summary), summary="First")) == 1
        assert len(await handheld.find(Incident)) == 2
        assert await handheld.find(Incident, summary="None such") == []
        assert await handheld.get(Incident, first) is not None
    with handheld.matter(first, why="Same van?"):
        await handheld.find(Incident, category=Category.PUBLIC_SAFETY, summary="x" * 500)
        await handheld.find(Incident, summary="Second")
    both = tuple(sorted((first, second)))
    told = [(read.what, read.records, read.why, read.words) for read in await log_of(handheld)]
    assert told == [
        ("combination", (first,), "Start of shift", "glass breaking, summary First"),
        ("combination", both, "Start of shift", "glass breaking"),
        ("consultation", (first,), "Start of shift", ""),
        ("combination", (second,), "Same van?", "summary Second"),
    ]


async def test_a_reason_that_would_not_fit_into_an_entry_is_refused(handheld: Handheld) -> None:
    """In an alphabet of three bytes a letter, fewer letters; what was not taken is not remembered either."""
    first, _ = await two(handheld)
    with pytest.raises(UsageError, match="2800 bytes"), handheld.matter(first, why="語" * 934):
        pass
    with handheld.matter(first, why="語" * 933):
        assert await handheld.get(Incident, first) is not None
    (read,) = await log_of(handheld)
    assert read.why == "語" * 933


async def test_what_a_program_reads_for_itself_or_does_not_find_is_no_consultation(handheld: Handheld) -> None:
    """Neither drawing a list anew nor a record that is not there is written down."""
    first, _ = await two(handheld)
    with handheld.for_itself():
        assert await handheld.get(Incident, first) is not None
        assert len(await handheld.find(Incident)) == 2
    with handheld.matter(why="Looking"):
        assert await handheld.get(Incident, RecordId("01a0c450-6c22-7a97-b835-8878e4778f08")) is None
    assert await log_of(handheld) == []


async def test_entries_are_chained_and_numbered(handheld: Handheld) -> None:
    """Each bears the hash of the one before: a log that was cut short does not fit."""
    first, second = await two(handheld)
    with handheld.matter(why="Looking"):
        await handheld.get(Incident, first)
        await handheld.get(Incident, second)
    log = await log_of(handheld)
    assert [read.n for read in log] == [1, 2]
    assert log[0].link == NO_LINK != log[1].link


async def test_without_justification_it_is_still_logged(signed_in: tuple[Installation, SignedIn]) -> None:
    """A force may not ask for reasons; who looked at what is written down in any case."""
    installation, officer = signed_in
    opening = Handheld.open_seat(
        officer, installation.enrolment, connect=False, justify=False, clock=installation._clock
    )
    async with opening as handheld:
        first, _ = await two(handheld)
        await handheld.get(Incident, first)
        (read,) = await log_of(handheld)
        assert (read.records, read.why) == ((first,), "")
        with pytest.raises(UsageError, match="at most"), handheld.matter(first, why="x" * (REASON_CHARS_MAX + 1)):
            pass


async def test_a_programs_seat_keeps_no_log(tmp_path: Path, identity: object) -> None:
    """Nobody sits there."""
    async with await opened(tmp_path / "replica", identity) as handheld:  # type: ignore[arg-type]  # the fixture's
        first, _ = await two(handheld)
        assert await handheld.get(Incident, first) is not None
        assert await log_of(handheld) == []


async def test_reads_made_offline_reach_the_server_and_leave_the_device(
    signed_in: tuple[Installation, SignedIn], house: Force
) -> None:
    """They go up behind the ops, are kept in order, and are forgotten here only once the server has them."""
    installation, officer = signed_in
    opening = Handheld.open_seat(officer, installation.enrolment, clock=installation._clock, backoff=AT_ONCE)
    async with opening as handheld:
        await handheld.wait_until(caught_up)
        await handheld.go_offline()
        first, second = await two(handheld)
        with handheld.matter(first, why="In the tunnel"):
            await handheld.get(Incident, first)
            await handheld.get(Incident, second)
        await handheld.go_online()
        kept = await kept_by(house, 2)
        assert [read.records for read in kept] == [(first,), (second,)]
        with handheld.matter(second, why="Again"):
            await handheld.get(Incident, second)
        await kept_by(house, 3)
        await handheld.go_offline()
        with handheld.matter(why="Out of signal", words="First"):
            await handheld.find(Incident)
        await handheld.go_online()
        search = (await kept_by(house, 4))[-1]
        assert (search.what, search.words, search.why) == ("combination", "First", "Out of signal")
        await handheld.go_offline()
        await handheld.go_online()
        await handheld.wait_until(caught_up)
        while await log_of(handheld):  # noqa: ASYNC110  the engine tells nobody of it
            await asyncio.sleep(0)  # it says that it has them once it has looked at them, behind all else


async def kept_by(house: Force, count: int) -> list[Read]:
    """What the server holds of the log, once it is so many entries."""
    while True:
        bodies = await house._journal(READS)
        kept = [read for body in bodies for read in msgspec.msgpack.decode(body, type=ReadBatch).reads()]
        if len(kept) >= count:
            return kept
        await house._committed()
