"""Another resource for whoever is displaced, in the same decision."""

import asyncio
from typing import Any

import httpx
import pytest

from schemas.ids import RecordId, named_record_id
from schemas.kinds import Resource
from tests.server.api import refusal
from tests.server.disputes import BOOKING, CELL, Disputes
from tests.server.inbox.calls import decide, listed, values
from tests.server.running import NOW, Running


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
