"""What waits for somebody, listed and shown, as programs outside a device get it."""

from typing import Any

import httpx
import pytest

from schemas.ids import RecordId, named_record_id
from schemas.kinds import CustodyBooking, Resource
from server.http.inbox import LOOKED_AT_MAX
from tests.server.api import refusal
from tests.server.disputes import BOOKING, CELL, Disputes, item_about, items
from tests.server.inbox.calls import decide, listed, values
from tests.server.running import NOW, Running


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
