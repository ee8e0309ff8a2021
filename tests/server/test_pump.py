"""A connection's life over real sockets: let in, served, regranted, replaced, failed, sent home."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec import structs

from schemas import wire
from schemas.codec import decode_down, decode_row, encode
from schemas.errors import ERRORS, StoreError
from schemas.ids import DeviceId, FieldName, Generation, Millis, OpNumber, RecordId, ScopeName, Seq, named_record_id
from schemas.kinds import Incident
from schemas.kinds.incident import Category
from schemas.limits import PAGE_BYTES_MAX, RETURN_WINDOW_MIN_MS
from schemas.ops import Doubt
from schemas.packing import unpack
from server.edge.admission import ADMISSIONS_AT_ONCE, HOLD_MS_MAX, Admissions
from server.store import Store
from server.store.port import Page
from sync.session import ServerSession
from sync.session.steps import WantPage
from tests.server.api import briefing, client, incident
from tests.server.handheld import Handheld
from tests.server.hostile import op_of, refused
from tests.server.people import Caller
from tests.server.pushes import signed_push
from tests.server.rawsocket import BINARY, RawSocket
from tests.server.running import NOW, Running

RECORD = RecordId("01890000-0000-7000-8000-000000000001")
THEFT = Incident(opened_at=NOW, area="birmingham", category=Category.CRIME, summary="A bicycle.")


async def connected(server: Running, device: str, *audiences: str) -> Handheld:
    """An enrolled handheld with an open session."""
    server.enrol(device, *audiences)
    handheld = Handheld(server, device)
    await handheld.connect()
    return handheld


async def batch_bytes(raw: RawSocket) -> bytes:
    """The bytes of the next BATCH."""
    while (found := await raw.frame()) is not None:
        if found[0] == BINARY and isinstance(decode_down(found[1]), wire.Batch):
            return found[1]
    raise AssertionError("the socket has ended")


# --- the ordinary ----------------------------------------------------------------------------------------------------


async def test_an_edit_is_durable_here_and_arrives_there(server: Running) -> None:
    """One handheld makes a record; the other's replica holds it, with the same digest."""
    one, two = await connected(server, "hh-1", "area:birmingham"), await connected(server, "hh-2", "area:birmingham")
    await one.write(RECORD, THEFT)
    await one.until(lambda: one.replica.positions()[0].seq == 1)
    await two.until(lambda: two.holds(RECORD))
    assert one.replica.positions() == two.replica.positions()
    one.disconnect()
    two.disconnect()


async def test_results_come_before_the_batch_that_holds_them(server: Running) -> None:
    """A device hears what became of its op before it sees the record change."""
    server.enrol("hh-1", "area:birmingham")
    raw = await server.live("hh-1")
    await raw.send_message(signed_push(server.key("hh-1"), encode(op_of("hh-1", 1))))
    order = []
    while "batch" not in order or "results" not in order:
        message = await raw.message()
        match message:
            case wire.Results():
                assert [(result.n, result.status, result.seq) for result in message.results] == [(1, "durable", 1)]
                order.append("results")
            case wire.Batch() if message.rows:
                order.append("batch")
            case _:
                pass
    assert order == ["results", "batch"]


async def test_the_same_push_again_gives_the_same_results(server: Running) -> None:
    """Whatever the network repeats, an op is applied once."""
    server.enrol("hh-1", "area:birmingham")
    push = signed_push(server.key("hh-1"), encode(op_of("hh-1", 1)))
    found = []
    for _ in range(2):
        raw = await server.live("hh-1")
        for _ in range(2):
            await raw.send_message(push)
            found.append((await raw.until(wire.Results)).results)
        raw.close()
    assert found == [found[0]] * 4
    assert server.beatbook.hub.head(next(iter(found[0][0].scopes))).seq == 1


async def test_a_batch_is_the_same_bytes_for_everyone(server: Running) -> None:
    """Two devices with the same grant at the same position get one encoding."""
    sockets = []
    for device in ("hh-1", "hh-2"):
        server.enrol(device, "force")
        raw = await server.live(device)
        for _ in range(2):  # the empty batches that end both snapshots
            await batch_bytes(raw)
        sockets.append(raw)
    await server.brief()
    first, second = [await batch_bytes(raw) for raw in sockets]
    assert first == second


async def test_a_large_scope_comes_in_pages(server: Running, caller: Caller) -> None:
    """More than a page holds arrives whole, and its digest fits."""
    count = 3 * PAGE_BYTES_MAX // 4_000
    drafts = [incident(n, summary="x" * 4_000) for n in range(count)]
    async with client(server, caller) as http:
        await http.post("/v1/records", json={"records": drafts})
    handheld = await connected(server, "hh-1", "area:birmingham")
    assert all(handheld.holds(draft["id"]) for draft in drafts)  # type: ignore[arg-type]
    await handheld.ping()
    handheld.disconnect()


async def test_a_page_travels_packed_to_those_who_take_it_so(server: Running, caller: Caller) -> None:
    """One who says so gets it short, one who does not gets it in plain; both get the same rows, read only once."""
    drafts = [incident(n, summary="x" * 400) for n in range(40)]
    async with client(server, caller) as http:
        await http.post("/v1/records", json={"records": drafts})
    pages = []
    for device, packs in (("hh-1", ()), ("hh-2", ("of-tomorrow", "zstd"))):
        server.enrol(device, "area:birmingham")
        raw, nonce = await server.challenged()
        await raw.send_message(structs.replace(server.hello(device, nonce), packs=packs))
        page = await raw.until(wire.Snapshot)
        while page.scope != "area:birmingham":
            page = await raw.until(wire.Snapshot)
        pages.append(page)
        raw.close()
    plain, packed = pages
    assert (len(plain.rows), plain.packed, packed.rows) == (40, b"", ())
    assert list(map(bytes, unpack(packed.packed))) == list(map(bytes, plain.rows))
    assert len(packed.packed) * 3 < sum(map(len, map(bytes, plain.rows)))
    kept = server.beatbook.hub.pages.bytes
    assert kept > 0
    async with client(server, caller) as http:
        await http.post("/v1/records", json={"records": [incident(99)]})
    assert server.beatbook.hub.pages.bytes < kept


async def test_a_page_that_may_be_from_before_what_was_told_is_read_anew(server: Running) -> None:
    """A session that was told of a commit which is not published yet gets no page that is kept."""
    told = SimpleNamespace(furthest=Seq(10**6))
    want = WantPage(ScopeName("area:birmingham"), "", "", Generation(1))
    reads = []

    async def page(*_: object) -> Page:
        reads.append(1)
        return Page(rows=(b"\xa1x" * 4_000,), upto="")

    store = cast("Store", SimpleNamespace(page=page))
    hub = server.beatbook.hub
    kept = await hub.page(store, cast("ServerSession", SimpleNamespace(furthest=Seq(0))), want)
    assert await hub.page(store, cast("ServerSession", SimpleNamespace(furthest=Seq(0))), want) is kept
    assert await hub.page(store, cast("ServerSession", told), want) is not kept
    assert len(reads) == 2


async def test_what_a_device_writes_is_judged_by_the_version_it_said(server: Running) -> None:
    """The same field is kept in trust from a newer program, and refused from one of this version or an older one."""
    statuses = {}
    for n, schema in enumerate(range(wire.SCHEMA_MIN, wire.SCHEMA_MAX + 1)):
        server.enrol(f"hh-{n}", "area:birmingham")
        raw = await server.live(f"hh-{n}", schema=schema)
        changed = op_of(f"hh-{n}", 1)
        changes = changed.changes | {FieldName("colour"): "red"}
        record = named_record_id("versions", str(n))
        op = encode(structs.replace(changed, record=record, changes=changes))
        await raw.send_message(signed_push(server.key(f"hh-{n}"), op))
        (result,) = (await raw.until(wire.Results)).results
        statuses[schema] = (result.status, result.code)
    refused_so = ("refused", "op_field_unknown")
    known = dict.fromkeys(range(wire.SCHEMA_MIN, wire.SCHEMA + 1), refused_so)
    assert statuses == {**known, wire.SCHEMA_MAX: ("durable", "")}


async def test_a_better_time_that_a_device_tells_is_the_one_recorded(server: Running) -> None:
    """It comes with the PUSH and stands in the row that everybody gets, with the doubt that it was corrected."""
    server.enrol("hh-1", "area:birmingham")
    raw = await server.live("hh-1")
    astray = structs.replace(op_of("hh-1", 1), hlc=(NOW + 10**10, 0))
    await raw.send_message(signed_push(server.key("hh-1"), encode(astray), times=[(OpNumber(1), Millis(NOW - 7))]))
    assert (await raw.until(wire.Results)).results[0].status == "durable"
    row = await server.beatbook.store.record(astray.record)
    assert row is not None
    (stamp,) = decode_row(row).stamps
    assert (stamp.ms, Doubt(stamp.doubt)) == (NOW - 7, Doubt.CORRECTED)


# --- let in or not ---------------------------------------------------------------------------------------------------


async def test_a_second_connection_of_a_device_replaces_the_first(server: Running) -> None:
    """The older one is told and closed; the newer one is the device's, also after the older one has gone."""
    server.enrol("hh-1", "force")
    older = await server.live("hh-1")
    newer = Handheld(server, "hh-1")
    await newer.connect()
    await refused(older, "replaced")
    await newer.ping()
    record = await server.brief()
    await newer.until(lambda: newer.holds(record))
    assert list(server.beatbook.hub.connected()) == [DeviceId("hh-1")]
    newer.disconnect()


async def test_a_store_that_fails_at_the_door_sends_the_device_away(server: Running) -> None:
    """Without the last op's number nobody can be let in."""
    server.enrol("hh-1", "force")
    server.store.failing = StoreError("disk is gone")
    raw, nonce = await server.challenged()
    await raw.send_message(server.hello("hh-1", nonce))
    assert "disk" not in (await refused(raw, "server_busy")).detail


async def test_when_too_many_come_handhelds_are_told_when_to_come_back_and_desks_are_let_in(server: Running) -> None:
    """A handheld for which there is no turn is sent away with a time; the control room comes in meanwhile."""
    server.enrol("hh-1", "area:birmingham")
    admissions = Admissions(100.0, clock=lambda: 0.0)
    for _ in range(ADMISSIONS_AT_ONCE + 1):
        assert await admissions.turn(desk=False) is None
    admissions._handhelds.next_s += HOLD_MS_MAX / 1_000
    server.beatbook._admissions = admissions
    raw, nonce = await server.challenged()
    await raw.send_message(server.hello("hh-1", nonce))
    told = (await refused(raw, "server_busy")).retry_after_ms
    assert told is not None
    assert told >= HOLD_MS_MAX
    desk = await connected(server, "desk-1", "control")
    desk.disconnect()


async def test_grants_that_change_while_a_device_is_let_in_count(server: Running) -> None:
    """What was taken away between HELLO and WELCOME is not given."""
    server.enrol("hh-1", "area:birmingham", "force")
    server.store.admits.clear()
    server.store.asked.clear()
    raw, nonce = await server.challenged()
    await raw.send_message(server.hello("hh-1", nonce))
    await server.store.asked.wait()
    server.regrant("hh-1", "force")
    server.store.admits.set()
    welcome = await raw.until(wire.Welcome)
    assert {plan.scope for plan in welcome.scopes} == {"force", "force:briefing", "force:safety"}


# --- grants that change ----------------------------------------------------------------------------------------------


async def test_a_lost_grant_is_retracted_at_once(server: Running) -> None:
    """The handheld drops the scope, its receipt arrives, and nothing of the scope is sent to it any more."""
    handheld = await connected(server, "hh-1", "area:birmingham", "force")
    other = await connected(server, "hh-2", "area:birmingham")
    await other.write(RECORD, THEFT)
    await handheld.until(lambda: handheld.holds(RECORD))
    session = server.beatbook.hub._devices[DeviceId("hh-1")].session
    server.regrant("hh-1", "force")
    await handheld.until(lambda: len(handheld.retracted) == 3)
    assert {retract.scope for retract in handheld.retracted} == {
        "area:birmingham",
        "area:birmingham:briefing",
        "area:birmingham:safety",
    }
    assert not handheld.holds(RECORD)
    await handheld.ping()
    assert set(session.acked) == set(session.scopes) == {"force", "force:briefing", "force:safety"}
    second = RecordId(RECORD.replace("1", "2"))
    await other.write(second, THEFT)
    await other.until(lambda: other.holds(second))
    await handheld.ping()
    assert not handheld.holds(second)
    handheld.disconnect()
    other.disconnect()


async def test_a_new_grant_is_filled_at_once(server: Running) -> None:
    """The handheld gets the scope's records and then its batches; one that came back has a higher generation."""
    handheld = await connected(server, "hh-1", "force")
    other = await connected(server, "hh-2", "area:birmingham")
    await other.write(RECORD, THEFT)
    for _ in range(3):
        server.regrant("hh-1", "force", "area:birmingham")
        await handheld.until(lambda: handheld.holds(RECORD))
        server.regrant("hh-1", "force")
        await handheld.until(lambda: not handheld.holds(RECORD))
    server.regrant("hh-1", "area:birmingham")
    await handheld.until(lambda: handheld.holds(RECORD))
    second = RecordId(RECORD.replace("1", "2"))
    await other.write(second, THEFT)
    await handheld.until(lambda: handheld.holds(second))
    held = {position.scope: position.gen for position in handheld.replica.positions()}
    assert held == {"area:birmingham": 4, "area:birmingham:briefing": 4, "area:birmingham:safety": 4}
    handheld.disconnect()
    other.disconnect()


async def test_a_grant_lost_while_away_is_dropped_in_the_welcome(server: Running) -> None:
    """A handheld that was out of reach removes the scope before it gets anything else."""
    handheld = await connected(server, "hh-1", "area:birmingham", "force")
    await handheld.write(RECORD, THEFT)
    await handheld.until(lambda: handheld.holds(RECORD))
    handheld.disconnect()
    server.regrant("hh-1", "force")
    await handheld.connect()
    assert not handheld.holds(RECORD)
    assert {position.scope for position in handheld.replica.positions()} == {"force", "force:briefing", "force:safety"}
    handheld.disconnect()


# --- the store fails -------------------------------------------------------------------------------------------------


async def test_a_failed_commit_is_told_and_the_op_may_come_again(server: Running) -> None:
    """The device hears that it was the server's fault, comes back, and the op is applied once."""
    server.enrol("hh-1", "area:birmingham")
    push = signed_push(server.key("hh-1"), encode(op_of("hh-1", 1)))
    raw = await server.live("hh-1")
    for _ in range(3):
        # Of each of its scopes: what is read for it fails no more.
        await raw.until(wire.Batch)
    server.store.failing = StoreError("disk is full")
    await raw.send_message(push)
    error = await refused(raw, "internal")
    assert error.retry_after_ms is not None
    assert "disk" not in error.detail
    server.store.failing = None
    raw = await server.live("hh-1")
    await raw.send_message(push)
    assert (await raw.until(wire.Results)).results[0].status == "durable"


@pytest.mark.parametrize(
    ("failure", "code"), [(StoreError("disk is gone"), "server_busy"), (RuntimeError("a defect"), "internal")]
)
async def test_a_read_that_fails_ends_the_session_with_a_word(
    server: Running, failure: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it was foreseen or not: an ERROR, a close code, a line in the log, and nothing of the inside."""
    other = await connected(server, "hh-2", "force")
    server.enrol("hh-1", "force")
    server.store.failing_reads = failure
    raw = await server.live("hh-1")
    error = await refused(raw, code)
    assert error.retry_after_ms is not None
    assert str(failure) not in error.detail
    while str(failure) not in caplog.text:
        await other.ping()
    other.disconnect()


async def test_a_defect_in_reading_ends_the_session_with_a_word(
    server: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a close without an ERROR, even when our own code is at fault; the others go on."""
    other = await connected(server, "hh-2", "force")
    server.enrol("hh-1", "force")
    raw, nonce = await server.challenged()

    def broken(_device: DeviceId) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(server.gate, "grants", broken)
    await raw.send_message(server.hello("hh-1", nonce))
    assert (await refused(raw, "internal")).retry_after_ms is not None
    while "a defect" not in caplog.text:
        await other.ping()
    other.disconnect()


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_a_stopping_server_tells_everyone_to_come_back(server: Running) -> None:
    """Whether let in or not: ERROR with a time inside the window, close 1012; when all have gone the goodbye ends."""
    server.enrol("hh-1", "force")
    live = await server.live("hh-1")
    waiting, _ = await server.challenged()
    goodbye = asyncio.create_task(server.beatbook.say_goodbye(5.0))
    for raw in (live, waiting):
        error = await refused(raw, "server_stopping")
        assert error.retry_after_ms is not None
        assert 0 <= error.retry_after_ms < RETURN_WINDOW_MIN_MS
    await goodbye
    assert len(server.beatbook.hub) == 0
    late = await server.raw()
    await refused(late, "server_stopping")
    assert ERRORS["server_stopping"].close == 1012


async def test_the_goodbye_waits_no_longer_than_it_was_told(server: Running) -> None:
    """A device that does not take its last words does not hold the server up."""
    server.enrol("hh-1", "force")
    _, protocol = await server.narrow("hh-1")
    while protocol.takes:
        await server.brief(body="x" * 16_000)
    await server.beatbook.say_goodbye(0.01)
    assert len(server.beatbook.hub) == 1
    protocol.transport.abort()


async def test_what_was_pushed_before_the_end_is_committed(server: Running) -> None:
    """A server that stops commits what it took in, and closes its store."""
    server.enrol("hh-1", "area:birmingham")
    raw = await server.live("hh-1")
    server.store.commits.clear()
    server.store.asked.clear()
    await raw.send_message(signed_push(server.key("hh-1"), encode(op_of("hh-1", 1))))
    await server.store.asked.wait()
    stopping = asyncio.create_task(server.beatbook.stop())
    await asyncio.sleep(0)
    server.store.commits.set()
    await stopping
    assert server.store.closed
    assert await server.store.last_op(DeviceId("hh-1")) == 1


async def test_a_briefing_reaches_every_handheld_that_may_see_it(server: Running, caller: Caller) -> None:
    """And no other."""
    near = await connected(server, "hh-1", "area:birmingham")
    far = await connected(server, "hh-2", "area:coventry")
    async with client(server, caller) as http:
        made = (await http.post("/v1/briefings", json=briefing(audience=["area:birmingham"]))).json()
    await near.until(lambda: near.holds(made["id"]))
    await far.ping()
    assert not far.holds(made["id"])
    near.disconnect()
    far.disconnect()
