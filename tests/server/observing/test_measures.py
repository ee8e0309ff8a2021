"""What does the work counts it, and each stage once for what it is about."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from schemas.codec import encode
from schemas.errors import StoreError
from schemas.ids import DeviceId
from schemas.wire import Ack
from server.commits import Submission
from server.committer import Committer
from server.observing import correlation
from server.observing.measures import Measures, Took
from server.store.sqlite import SqliteStore
from server.turn import TURN_SOCKETS_MAX, Sending, Turn
from tests.server.hostile import op_of
from tests.server.running import Clock, GatedStore, Running


def submission(*numbers: int) -> Submission:
    """Ops of one device; the first makes a record."""
    device = DeviceId("hh-1")
    return Submission(device, None, tuple(encode(op_of(device, n)) for n in numbers))


async def test_a_group_is_observed_once_and_each_of_its_pushes_answered() -> None:
    """Three pushes of two ops that wait behind another one are one group of six."""
    store, measures = GatedStore(), Measures()
    committer = Committer(store, Clock(), lambda _settled: None, measures=measures)
    store.commits.clear()
    running = asyncio.create_task(committer.run())
    first = asyncio.create_task(committer.commit(submission(1)))
    await store.asked.wait()
    others = [asyncio.create_task(committer.commit(submission(n, n + 1))) for n in (2, 4, 6)]
    await asyncio.sleep(0)
    assert committer.waiting[0] == 3
    assert committer.waiting[1] > 0
    store.commits.set()
    await asyncio.gather(first, *others)
    committer.close()
    await running
    assert committer.waiting == (0, 0)
    assert measures.stages["commit"].count == measures.stages["wait"].count == 2
    assert (measures.group_ops.count, measures.group_ops.total) == (2, 7)
    assert measures.acks.count == 4
    assert sum(measures.results.values()) == 7
    assert measures.refused_ops.total() == measures.results["refused"] + measures.results["waiting"]


async def test_a_group_that_failed_is_counted_as_that_and_not_as_answered(caplog: pytest.LogCaptureFixture) -> None:
    """The log names for whom, and an ack that was never given must not make the acks look quick."""
    store, measures = GatedStore(), Measures()
    store.failing = StoreError("the disk is full")
    committer = Committer(store, Clock(), lambda _settled: None, measures=measures)
    running = asyncio.create_task(committer.run())
    asked_by = correlation.begin_request()
    with pytest.raises(StoreError):
        await committer.commit(submission(1))
    (line,) = (one for one in caplog.records if "commit failed" in one.message)
    assert vars(line)["asked_by"] == [asked_by]
    committer.close()
    await running
    assert measures.failed_groups == 1
    assert measures.acks.count == measures.stages["commit"].count == 0


@pytest.mark.parametrize("inline", [True, False])
async def test_the_writers_own_times_come_with_its_answer(tmp_path: Path, inline: bool) -> None:  # noqa: FBT001
    """Settling, writing and syncing each took something; what follows a group is told after it, once."""
    store = await SqliteStore.open(tmp_path / "data", inline=inline)
    took: list[Took] = []
    store.writer.took = took.append
    try:
        await store.commit([submission(1)], Clock()())
        await store.commit([submission(2)], Clock()())
        assert store.writer.pid is not None
        assert store.writer.restarts == 0
    finally:
        await store.close()
    assert len(took) == 2
    assert all(min(one.settle, one.write, one.sync) > 0 for one in took)


async def test_a_turn_of_the_loop_is_observed_once_however_many_it_serves() -> None:
    """What as many handhelds are sent as one turn takes is one observation."""
    measures = Measures()
    turn, put = Turn(measures), asyncio.Event()

    class Fake:
        def put(self) -> None:
            put.set()

    for _ in range(TURN_SOCKETS_MAX):
        turn.answers(cast("Sending", Fake()))
    await put.wait()
    assert (measures.turns, measures.wires, measures.stages["send"].count) == (1, TURN_SOCKETS_MAX, 1)


async def test_a_refused_frame_and_the_end_that_it_makes_are_counted(server: Running) -> None:
    """A device that names a scope which it does not hold ends its session; the code says of what."""
    server.enrol("bad", "area:birmingham")
    raw = await server.live("bad")
    await raw.send_message(Ack(scopes={"area:elsewhere": 1}))  # type: ignore[dict-item]  # plain text
    await raw.ending()
    await server.beatbook.hub.empty()
    assert dict(server.beatbook.measures.refused_frames) == {"not_granted": 1}
    assert dict(server.beatbook.measures.session_ends) == {"not_granted": 1}
