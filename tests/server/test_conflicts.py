"""The count of how disagreements were settled, over a whole history; and that something lost would show in it."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from schemas.codec import encode
from schemas.ids import named_record_id
from schemas.kinds import CustodyBooking, InboxItem, Incident, Resource
from schemas.roles import Role
from server import conflicts
from server.escalation import missed
from server.falling_due import AUTHOR
from server.store.port import KeptOp
from sync import merge
from tests.server.api import client
from tests.server.disputes import BOOKING, CELL, Disputes
from tests.server.people import Caller, program
from tests.server.running import NOW, Running


@pytest.fixture
async def http(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an auditor, who sees how much was settled and none of it."""
    async with client(server, await program(server, "AUD1", [Role.AUDITOR], [])) as http:
        yield http


@pytest.fixture
async def deciding(server: Running, caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody who decides."""
    async with client(server, caller) as http:
        yield http


async def count(http: httpx.AsyncClient) -> dict[str, object]:
    """What is counted, without what is none."""
    told = (await http.get("/v1/conflicts")).json()
    return {name: number for name, number in told.items() if number not in (0, {}, [])}


async def test_a_history_without_disagreements_has_none(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Changes one after another are no conflict; the ops are counted all the same."""
    disputes.a.write(BOOKING, CustodyBooking, risk="high")
    await disputes.a.push()
    await disputes.a.pull(BOOKING)
    disputes.a.write(BOOKING, CustodyBooking, risk="standard")
    await disputes.a.push()
    assert await count(http) == {"ops": 4}


async def test_what_rules_settle_is_counted_by_policy(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """Each change that met a differing one unseen, and no question was left."""
    for desk, risk, name in ((disputes.a, "high", "Ann Sample"), (disputes.b, "standard", "Anne Sample")):
        desk.write(BOOKING, CustodyBooking, risk=risk, detainee=name, offence="Theft", log=[{"text": desk.name}])
        await desk.push()
    assert await count(http) == {"ops": 4, "conflicts_by_rule": 2, "by_rule": {"highest": 1, "latest": 1}}


async def test_what_goes_to_people_is_counted_as_it_is_settled(
    server: Running, http: httpx.AsyncClient, disputes: Disputes, deciding: httpx.AsyncClient
) -> None:
    """Open, overdue, escalated, decided, ended: each item in its place, and always nothing unexplained."""
    time, cell = await disputes.over_time(), await disputes.over_cell()
    expected = {"ops": 6, "conflicts_in_inbox": 2, "in_inbox": {"claim": 1, "once": 1}}
    assert await count(http) == {**expected, "open": 2}
    body = {"value": NOW - 100_000, "reason": "Looked."}
    assert (await deciding.post(f"/v1/inbox/{time}/decision", json=body)).status_code == 200
    assert await count(http) == {**expected, "ops": 7, "open": 1, "decided": 1}
    server.clock.advance(11 * 60_000)
    assert await count(http) == {**expected, "ops": 7, "open": 1, "decided": 1, "overdue": 1}
    await server.beatbook.office.escalate(cell, lambda about: missed(about, server.clock.now), AUTHOR)
    told = await count(http)
    # The timers may have raised the alarm of the overdue item by now.
    assert (told["escalated"], told["ops"]) in {(1, 8), (1, 9)}
    await disputes.b.pull(CELL)
    disputes.b.write(CELL, Resource, hold=None)
    await disputes.b.push()
    told = await count(http)
    assert "unexplained" not in told


async def test_refused_ops_are_counted_apart(http: httpx.AsyncClient, disputes: Disputes) -> None:
    """They are kept, and change nothing that could be lost."""
    disputes.a.write(
        named_record_id("x"), Incident, create=True, opened_at=NOW, area="x", category="crime", summary="S"
    )
    late = disputes.late("desk-c")
    late.write(named_record_id("x"), Incident, create=True, opened_at=NOW, area="x", category="crime", summary="S")
    await disputes.a.push()
    assert [result.status for result in await late.push()] == ["refused"]
    assert await count(http) == {"ops": 3, "refused": 1}


async def test_a_change_that_disappears_is_unexplained(
    server: Running, http: httpx.AsyncClient, disputes: Disputes
) -> None:
    """A record whose value went away without a word is found, and named."""
    disputes.a.write(BOOKING, CustodyBooking, offence="Theft")
    await disputes.a.push()
    store = server.store
    state = store._states[BOOKING]
    cells = {name: cell for name, cell in state.cells.items() if name != "offence"}
    row = merge.to_row(msgspec.structs.replace(state, cells=cells))
    store._bodies[BOOKING] = encode(row)
    told = (await http.get("/v1/conflicts")).json()
    assert told["unexplained"] == 1
    assert told["lost"] == [{"record": BOOKING, "field": "offence", "op": "desk-a/3"}]
    del store._bodies[CELL]
    told = (await http.get("/v1/conflicts")).json()
    assert told["unexplained"] == 4
    assert {one["record"] for one in told["lost"]} == {BOOKING, CELL}


async def test_what_is_committed_while_it_is_counted_is_not_taken_for_lost(
    server: Running, disputes: Disputes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is read before the records: a change between the two is looked at again with its op."""
    store = server.store
    reads = store.ops
    late: list[str] = []

    async def ops(record: object, after: int, limit: int) -> list[KeptOp]:
        found = await reads(None, after, limit)
        if not found and not late:
            late.append("Anne Sample")
            disputes.a.write(BOOKING, CustodyBooking, detainee=late[0])
            await disputes.a.push()
        return found

    monkeypatch.setattr(store, "ops", ops)
    told = await conflicts.count(store, server.clock.now)
    assert (told.unexplained, told.ops, late) == (0, 3, ["Anne Sample"])


async def test_decisions_that_differ_are_a_question_too(
    http: httpx.AsyncClient, disputes: Disputes, deciding: httpx.AsyncClient
) -> None:
    """The second decision is asked about, and neither it nor what it was about is unexplained."""
    item = await disputes.over_time()
    body = {"reason": "Looked."}
    await disputes.a.pull(item)
    disputes.a.write(item, InboxItem, decision={"value": NOW - 7, "reason": "Mine."})
    assert (await deciding.post(f"/v1/inbox/{item}/decision", json={**body, "value": NOW - 9})).status_code == 200
    await disputes.a.push()
    told = await count(http)
    assert (told["open"], told["decided"], told["conflicts_in_inbox"]) == (1, 1, 2)
    assert "unexplained" not in told
