"""A decision about what waits: what it settles, what it leaves, and which cannot be."""

import asyncio
from typing import Any

import httpx
import pytest

from schemas.codec import reread_op
from schemas.ids import RecordId
from schemas.kinds import CustodyBooking, InboxItem
from tests.server.api import refusal
from tests.server.disputes import BOOKING, CELL, MEDICAL, Disputes, items
from tests.server.inbox.calls import REASON, decide, listed, values
from tests.server.running import NOW, Running


async def test_a_decision_settles_the_record_and_leaves_the_inbox(
    server: Running, http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """The value stands, the item says who decided and why, and it is gone from those who may decide."""
    item = await disputes.over_time()
    done = (await decide(http, item, NOW - 100_000)).json()
    assert done["op"].startswith("control-room/")
    assert (done["subject"], done["field"], done["value"], done["open"]) == (
        BOOKING,
        "relevant_time",
        NOW - 100_000,
        False,
    )
    assert await disputes.value(BOOKING, "relevant_time") == NOW - 100_000
    told = (await http.get(f"/v1/inbox/{item}")).json()
    (decision,) = told["decisions"]
    assert (decision["author"], decision["reason"], decision["differs"]) == ("WM1", "Looked at the book.", False)
    assert told["scopes"] == ["suite:perry-barr"]
    assert await listed(http) == []
    written = [one for group in server.store.groups for one in group if one.ops]
    op = reread_op(written[-1].ops[0])
    assert set(op.saw["candidates"]) == {"desk-a/3", "desk-b/1"}  # type: ignore[index]  # a plain field name
    assert op.saw["decision"] == ()  # type: ignore[index]


@pytest.mark.parametrize("reason", [" ", "\t\n", "\u00a0"])
async def test_a_decision_needs_a_reason_in_words(http: httpx.AsyncClient, disputes: Disputes, reason: str) -> None:
    """It cannot be taken back, so a blank is refused, and nothing is decided."""
    item = await disputes.over_time()
    refusal(await decide(http, item, NOW - 100_000, reason=reason), 422, "reason: say in words why")
    assert await listed(http) == [item]


async def test_what_an_author_had_seen_is_told(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """The ops whose values stood there, by name."""
    disputes.a.write(BOOKING, CustodyBooking, disposal="court")
    await disputes.a.push()
    await disputes.a.pull(BOOKING)
    await disputes.b.pull(BOOKING)
    item = await disputes.differ(BOOKING, CustodyBooking, "disposal", "bail", "caution")
    words = "\n".join((await http.get(f"/v1/inbox/{item}")).json()["words"])
    assert words.count("of the record and had seen desk-a/3.") == 2, words


@pytest.mark.parametrize(
    ("field", "first", "second", "shown", "author"),
    [
        ("appropriate_adult", "needed", "not-needed", "needed", "DESK-B"),
        ("appropriate_adult", "not-needed", "needed", "needed", "DESK-A"),
        ("allergies", ["nuts"], ["latex"], ["nuts", "latex"], None),
        ("disposal", "bail", "caution", None, None),
    ],
)
async def test_a_safe_value_is_attributed_to_nobody_who_said_another(
    http: httpx.AsyncClient,
    disputes: Disputes,
    field: str,
    first: object,
    second: object,
    shown: object,
    author: str | None,
) -> None:
    """Whoever said what is shown is named; where nobody did, it is said to be the safe choice."""
    of_care = field == "allergies"
    if of_care:
        await disputes.care(field, first, second)
    else:
        await disputes.differ(BOOKING, CustodyBooking, field, first, second)
    record = (await http.get(f"/v1/records/{MEDICAL if of_care else BOOKING}")).json()
    assert record["values"].get(field) == shown
    stamp = record["stamps"][field]
    assert (stamp == {"safe": True}) if author is None else (stamp["author"] == author)


async def test_another_value_than_the_candidates_may_be_decided(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Both may have been wrong."""
    item = await disputes.over_time()
    assert (await decide(http, item, NOW - 5)).json()["value"] == NOW - 5


async def test_what_is_settled_cannot_be_decided_again(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """The second is told who decided, and nothing changes; two at once are one after the other."""
    item = await disputes.over_time()
    answers = await asyncio.gather(*(decide(http, item, NOW - at) for at in (200_000, 100_000)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["title"] == "settled already"
    assert "WM1" in refusal(refused, 409, "decided already")
    stands = await disputes.value(BOOKING, "relevant_time")
    refusal(await decide(http, item, NOW - 7), 409)
    assert await disputes.value(BOOKING, "relevant_time") == stands
    assert len(await items(disputes.store)) == 1


async def test_what_asks_nothing_any_more_cannot_be_decided(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """The holder has given the cell up, so that the claim that waited is the only one; or a correction has come."""
    item = await disputes.over_time()
    await disputes.b.pull(BOOKING)
    op = disputes.b.correct(BOOKING, CustodyBooking, "relevant_time", NOW - 9)
    assert (await disputes.b.push())[0].status == "durable", op
    assert "left nothing to decide" in refusal(await decide(http, item, NOW), 409, "desk-b/2")


async def test_a_value_that_came_in_unseen_is_asked_about_anew(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Who decided had looked at two values; the third is not swept away."""
    item = await disputes.over_time()
    told = (await http.get(f"/v1/inbox/{item}")).json()
    seen = [one["op"] for one in told["candidates"]]
    late = disputes.late("desk-c", BOOKING)
    late.write(BOOKING, CustodyBooking, relevant_time=NOW - 300_000)
    await late.push()
    done = (await decide(http, item, NOW - 100_000, seen=seen)).json()
    assert (done["value"], done["open"]) == (NOW - 100_000, True)
    (again,) = await listed(http)
    assert again != item
    assert await values(http, again) == [NOW - 300_000, NOW - 100_000]


async def test_without_saying_what_was_seen_everything_there_is_decided(
    http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """A caller that names nothing has looked at what is there."""
    item = await disputes.over_time()
    assert (await decide(http, item, NOW - 100_000)).json()["open"] is False


async def test_a_conflict_that_is_being_committed_is_not_swept_away(
    server: Running, http: httpx.AsyncClient, disputes: Disputes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third value that reaches the store between the server's reading and writing is not among what it saw."""
    read = asyncio.Event()
    reads = server.store.record

    async def record(wanted: RecordId) -> bytes | None:
        row = await reads(wanted)
        read.set()
        return row

    item = await disputes.over_time()
    late = disputes.late("desk-c", BOOKING)
    late.write(BOOKING, CustodyBooking, relevant_time=NOW - 300_000)
    server.store.commits.clear()
    server.store.asked.clear()
    pushing = asyncio.create_task(late.push())
    await server.store.asked.wait()
    monkeypatch.setattr(server.store, "record", record)
    deciding = asyncio.create_task(decide(http, item, NOW - 100_000))
    await read.wait()
    server.store.commits.set()
    await pushing
    done = (await deciding).json()
    assert (done["value"], done["open"]) == (NOW - 100_000, True)
    assert await values(http, (await listed(http))[0]) == [NOW - 300_000, NOW - 100_000]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"value": "soon"}, 422, "op_value_wrong"),
        ({"value": -1}, 422, "relevant_time"),
        ({"value": None, "seen": ["desk-z/1"]}, 422, "desk-z/1"),
        ({"value": NOW, "seen": ["not an op"]}, 400, "$.seen"),
        ({"value": NOW, "reason": ""}, 400, "`reason` is empty"),
        ({"value": NOW, "author": "WM77"}, 400, "author"),
        ({"value": NOW, "more": 1}, 400, "more"),
        ({"value": NOW, "instead": {"booking-a": CELL}}, 422, "is not displaced"),
    ],
)
async def test_a_decision_that_cannot_be_is_refused(
    server: Running, http: httpx.AsyncClient, disputes: Disputes, body: dict[str, Any], status: int, words: str
) -> None:
    """What is wrong is named, nothing is committed, and the item goes on waiting."""
    item = await disputes.over_time()
    before = len(server.store.groups)
    answer = await http.post(f"/v1/inbox/{item}/decision", json={**REASON, **body})
    refusal(answer, status, words)
    assert len(server.store.groups) == before
    assert await listed(http) == [item]


async def test_two_decisions_from_devices_that_differ_are_told_both(
    http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """The first is followed; the second is told beside it, and is a question of its own that can be decided."""
    item = await disputes.over_time()
    for desk, at in ((disputes.a, 100_000), (disputes.b, 200_000)):
        await desk.pull(item)
        desk.write(item, InboxItem, decision={"value": NOW - at, "reason": desk.name})
    await disputes.a.push()
    await disputes.b.push()
    told = (await http.get(f"/v1/inbox/{item}")).json()
    assert [(one["reason"], one["differs"]) for one in told["decisions"]] == [("desk-a", False), ("desk-b", True)]
    (again,) = await listed(http)
    done = await decide(http, again, {"value": NOW - 200_000, "reason": "The log book is right."})
    assert done.json()["field"] == "decision"
    assert await disputes.value(BOOKING, "relevant_time") == NOW - 200_000
