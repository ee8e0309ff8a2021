"""The inbox over HTTP: what waits, what is known of it, and decisions; each answer is held against the description."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from schemas.codec import reread_op
from schemas.ids import RecordId, named_record_id
from schemas.kinds import CustodyBooking, InboxItem, Resource
from server.http.inbox import LOOKED_AT_MAX
from tests.server.api import client
from tests.server.disputes import BOOKING, CELL, MEDICAL, Disputes, item_about, items
from tests.server.people import Caller
from tests.server.running import NOW, Running
from tests.server.test_http import refusal

REASON = {"reason": "Looked at the book."}


@pytest.fixture
async def http(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who works with every record."""
    async with client(server, caller) as http:
        yield http


@pytest.fixture
async def disputes(server: Running) -> Disputes:
    """Two desks that know a booking and a cell."""
    disputes = Disputes(server.store, server.beatbook.committer, server.clock)
    await disputes.begin()
    return disputes


async def decide(http: httpx.AsyncClient, item: str, value: object, **more: object) -> httpx.Response:
    """Decide."""
    return await http.post(f"/v1/inbox/{item}/decision", json={"value": value, **REASON, **more})


async def listed(http: httpx.AsyncClient, **query: str | int) -> list[str]:
    """Ids of the items that a list gives, page by page."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await http.get("/v1/inbox", params={**query, "after": after})).json()
        found += [line["item"] for line in page["items"]]
        after = page["next"]
    return found


# --- what waits ------------------------------------------------------------------------------------------------------


async def test_what_waits_is_listed_by_place_state_and_time(
    server: Running, http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """Each filter gives what it says and nothing else."""
    assert await listed(http) == []
    cell, time = await disputes.over_cell(), await disputes.over_time()
    assert await listed(http) == sorted([cell, time])
    assert await listed(http, scope="custody:inbox") == [cell]
    assert await listed(http, scope="suite:perry-barr:inbox") == sorted([cell, time])
    assert await listed(http, scope="suite:oldbury:inbox") == []
    assert await listed(http, overdue="true") == []
    assert await listed(http, open="false") == []
    assert (await decide(http, cell, {"holder": "booking-a"})).status_code == 200
    server.clock.advance(60 * 60_000)
    assert await listed(http) == await listed(http, overdue="true") == [time]
    assert await listed(http, open="false") == [cell]
    assert await listed(http, open="all") == sorted([cell, time])


async def test_a_line_tells_what_it_is_about(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Subject, field, who is asked, by when, what was said and what is shown meanwhile."""
    item = await disputes.over_time()
    (line,) = (await http.get("/v1/inbox")).json()["items"]
    opened = line.pop("opened_at")
    assert line.pop("due_at") == opened + 30 * 60_000
    assert line == {
        "item": item,
        "subject": BOOKING,
        "subject_kind": "custody-booking",
        "about": "Ann Example",
        "field": "relevant_time",
        "policy": "once",
        "places": ["suite:perry-barr"],
        "roles": ["custody-officer"],
        "open": True,
        "overdue": False,
        "escalated": [],
        "values": [NOW - 200_000, NOW - 100_000],
        "shown": NOW - 200_000,
    }


async def test_pages_leave_nothing_out(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Whatever the limit, and however much of what is looked at does not belong to the answer."""
    await disputes.over_cell()
    for field, first, second in (
        ("relevant_time", NOW, NOW + 1),
        ("arresting_officer", "WM1", "WM2"),
        ("appropriate_adult", "needed", "not-needed"),
        ("disposal", "bail", "caution"),
        ("detention_authorised_at", NOW, NOW + 1),
    ):
        await disputes.differ(BOOKING, CustodyBooking, field, first, second)
        await disputes.a.pull(BOOKING)
        await disputes.b.pull(BOOKING)
    every = sorted(record for record, _ in await items(disputes.store))
    assert len(every) == 6
    assert (await decide(http, every[2], (await values(http, every[2]))[0])).status_code == 200
    for limit in (1, 2, 5, 6, 500):
        assert await listed(http, limit=limit, open="all") == every
        assert await listed(http, limit=limit) == every[:2] + every[3:]


async def values(http: httpx.AsyncClient, item: str) -> list[Any]:
    """What was said."""
    return [one["value"] for one in (await http.get(f"/v1/inbox/{item}")).json()["candidates"]]


async def test_a_page_ends_when_enough_was_looked_at(
    http: httpx.AsyncClient, disputes: Disputes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short page, even an empty one, still says where to go on."""
    assert LOOKED_AT_MAX > 1
    monkeypatch.setattr("server.http.inbox.LOOKED_AT_MAX", 1)
    found = sorted([await disputes.over_cell(), await disputes.over_time()])
    await decide(http, found[0], (await values(http, found[0]))[0])
    page = (await http.get("/v1/inbox")).json()
    assert page == {"items": [], "next": found[0]}
    assert await listed(http) == [found[1]]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("open=maybe", "open='maybe': give one of true, false, all"),
        ("overdue=yes", "overdue='yes'"),
        ("limit=0", "limit='0'"),
        ("after=x", "after='x'"),
        ("scope=garbage", "'garbage': no such family of scopes"),
        ("scope=suite:inbox", "scope='suite'"),
        ("scope=", "as in suite:perry-barr:inbox"),
    ],
)
async def test_a_query_that_cannot_be_is_refused(http: httpx.AsyncClient, query: str, words: str) -> None:
    """The parameter at fault is named with what it takes."""
    refusal(await http.get(f"/v1/inbox?{query}"), 422, words)


# --- one item --------------------------------------------------------------------------------------------------------


async def test_an_item_tells_who_said_what_and_what_they_had_seen(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Authors, devices, all times, the base, the reason: enough to decide without another call."""
    disputes.b.write(BOOKING, CustodyBooking, relevant_time=NOW - 200_000, why="From the van's log.")
    disputes.a.write(BOOKING, CustodyBooking, relevant_time=NOW - 100_000)
    await disputes.b.push()
    await disputes.a.push()
    item = await item_about(disputes.store, "relevant_time")
    told = (await http.get(f"/v1/inbox/{item}")).json()
    first, second = told["candidates"]
    assert (first["op"], first["author"], first["device"]) == ("desk-b/1", "DESK-B", "desk-b")
    assert (first["value"], first["words"], first["why"]) == (
        NOW - 200_000,
        "2023-11-14T22:10:00Z",
        "From the van's log.",
    )
    assert first["recorded_at"] > first["clock"] > first["wall"] > first["occurred_at"] > 0
    assert (first["base"], first["saw"]) == (1, [])
    assert second["author"] == "DESK-A"
    assert (told["decisions"], told["asked"], told["ended_by"], told["alternatives"]) == ([], [], None, [])
    assert told["scopes"] == ["suite:perry-barr", "suite:perry-barr:inbox"]
    words = "\n".join(told["words"])
    assert "1. 2023-11-14T22:10:00Z, from DESK-B on device desk-b (desk-b/1): it happened at" in words
    assert words.startswith(f"People differ about relevant time of the custody-booking {BOOKING}: Ann Example.\n")
    assert words.count("Its author looked at version 1 of the record and had seen nothing there.") == 2
    assert "asked: custody officer." in words
    assert told["safe_because"] in words


async def test_a_displaced_claim_shows_what_else_is_free_now(
    server: Running, http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """Free cells of that suite first, then of others; none that is held, reserved, out of service or no cell."""
    made: dict[str, RecordId] = {}
    for name, home, more in (
        ("M9", "suite:perry-barr", {}),
        ("M2", "suite:perry-barr", {"note": "no toilet"}),
        ("A1", "suite:oldbury", {}),
        ("M3", "suite:perry-barr", {"service": "out-of-service"}),
        ("M4", "suite:perry-barr", {"hold": {"holder": "booking-x"}}),
        ("M5", "suite:perry-barr", {"hold": {"holder": "desk", "until": NOW + 3_600_000}}),
        ("M6", "suite:perry-barr", {"hold": {"holder": "desk", "until": NOW + 1}}),
        ("BX-21", "suite:perry-barr", {"category": "vehicle"}),
    ):
        given: dict[str, Any] = {"category": "cell", **more}
        made[name] = named_record_id("cell", name)
        disputes.a.write(made[name], Resource, create=True, name=name, home=home, **given)
    await disputes.a.push()
    item = await disputes.over_cell()
    told = (await http.get(f"/v1/inbox/{item}")).json()
    assert [(one["name"], one["home"], one["near"]) for one in told["alternatives"]] == [
        ("M2", "suite:perry-barr", True),
        ("M6", "suite:perry-barr", True),
        ("M9", "suite:perry-barr", True),
        ("A1", "suite:oldbury", False),
    ]
    assert told["alternatives"][0]["note"] == "no toilet"
    assert told["words"][-2:] == [
        f"Free now at the same place: M2 ({made['M2']}), M6 ({made['M6']}), M9 ({made['M9']}).",
        f"Free now elsewhere: A1 (suite:oldbury, {made['A1']}).",
    ]
    await disputes.a.pull(made["M9"])
    disputes.a.write(made["M9"], Resource, hold={"holder": "booking-y"})
    await disputes.a.push()
    server.clock.advance(3_600_000)
    later = (await http.get(f"/v1/inbox/{item}")).json()["alternatives"]
    assert [one["name"] for one in later] == ["M2", "M5", "M6", "A1"]


@pytest.mark.parametrize("item", [CELL, BOOKING, named_record_id("nobody"), "x", "..%2Fetc", "%00"])
async def test_an_item_that_is_not_there_is_not_found(http: httpx.AsyncClient, disputes: Disputes, item: str) -> None:
    """Another record's id is none of the inbox either, to look at as little as to decide."""
    refusal(await http.get(f"/v1/inbox/{item}"), 404)
    refusal(await decide(http, item, 1), 404)


# --- decisions -------------------------------------------------------------------------------------------------------


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
        ({"value": NOW, "reason": ""}, 400, "$.reason"),
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


# --- another resource instead ----------------------------------------------------------------------------------------


async def test_whoever_is_displaced_gets_another_cell_in_the_same_decision(
    http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """A person moves them, never the software: the hold is settled and the other cell is theirs."""
    other = named_record_id("cell", "M2")
    disputes.a.write(other, Resource, create=True, category="cell", name="M2", home="suite:perry-barr")
    item = await disputes.over_cell()
    done = (await decide(http, item, {"holder": "booking-b"}, instead={"booking-a": other})).json()
    assert (done["value"], done["given"]) == ({"holder": "booking-b"}, {"booking-a": other})
    assert await disputes.value(other, "hold") == {"holder": "booking-a"}
    assert await disputes.value(CELL, "hold") == {"holder": "booking-b"}
    assert await listed(http) == []


async def test_a_settled_claim_offers_nothing_any_more(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """What is free now has nothing to do with what was decided then."""
    other = named_record_id("cell", "M2")
    disputes.a.write(other, Resource, create=True, category="cell", name="M2", home="suite:perry-barr")
    item = await disputes.over_cell()
    assert len((await http.get(f"/v1/inbox/{item}")).json()["alternatives"]) == 1
    await decide(http, item, {"holder": "booking-b"})
    assert (await http.get(f"/v1/inbox/{item}")).json()["alternatives"] == []


async def test_a_cell_that_is_taken_in_the_same_moment_is_not_said_to_be_given(
    server: Running, http: httpx.AsyncClient, disputes: Disputes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision stands, whoever came first has the other cell, and that is a question of its own."""
    other = named_record_id("cell", "M2")
    disputes.a.write(other, Resource, create=True, category="cell", name="M2", home="suite:perry-barr")
    item = await disputes.over_cell()
    await disputes.a.pull(other)
    disputes.a.write(other, Resource, hold={"holder": "booking-z"})
    read = asyncio.Event()
    reads = server.store.record

    async def record(wanted: RecordId) -> bytes | None:
        row = await reads(wanted)
        if wanted == other:
            read.set()
        return row

    server.store.commits.clear()
    server.store.asked.clear()
    pushing = asyncio.create_task(disputes.a.push())
    await server.store.asked.wait()
    monkeypatch.setattr(server.store, "record", record)
    deciding = asyncio.create_task(decide(http, item, {"holder": "booking-b"}, instead={"booking-a": other}))
    await read.wait()
    server.store.commits.set()
    await pushing
    done = (await deciding).json()
    assert (done["value"], done["given"]) == ({"holder": "booking-b"}, {})
    assert await disputes.value(other, "hold") == {"holder": "booking-z"}
    (again,) = await listed(http)
    assert await values(http, again) == [{"holder": "booking-z"}, {"holder": "booking-a"}]


@pytest.mark.parametrize(
    ("name", "instead", "words"),
    [
        ("held", "booking-a", "held for booking-x"),
        ("reserved", "booking-a", "reserved and held for desk"),
        ("broken", "booking-a", "out of service"),
        ("nowhere", "booking-a", "there is no resource"),
        ("booking", "booking-a", "no resource but a custody-booking"),
        ("free", "booking-b", "is not displaced by this decision; booking-a is"),
        ("free", "booking-z", "is not displaced"),
    ],
)
async def test_what_cannot_be_had_instead_is_refused(
    server: Running, http: httpx.AsyncClient, disputes: Disputes, name: str, instead: str, words: str
) -> None:
    """Neither the claim nor the decision is made."""
    states: dict[str, dict[str, Any]] = {
        "held": {"hold": {"holder": "booking-x"}},
        "reserved": {"hold": {"holder": "desk", "until": NOW + 3_600_000}},
        "broken": {"service": "out-of-service"},
        "free": {},
    }
    other = BOOKING if name == "booking" else named_record_id("cell", name)
    if name in states:
        disputes.a.write(
            other, Resource, create=True, category="cell", name="M2", home="suite:perry-barr", **states[name]
        )
    item = await disputes.over_cell()
    before = len(server.store.groups)
    answer = await decide(http, item, {"holder": "booking-b"}, instead={instead: other})
    refusal(answer, 422, words)
    assert len(server.store.groups) == before
    assert await listed(http) == [item]
