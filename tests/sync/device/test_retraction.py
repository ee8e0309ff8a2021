"""A grant that ends, over real sockets and a real server: what goes, in which order, and what is never lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas import wire
from schemas.codec import reread_op
from schemas.ids import RecordId, ScopeName
from schemas.kinds import Briefing, Incident
from schemas.kinds.incident import Grade
from schemas.roles import Role
from server.registry import acts as a
from sync.device import DeviceIdentity, EditsSealed, Handheld, HeldKey, RecordChanged
from sync.device.enrolment import Enrolment
from sync.device.layout import Sql
from sync.device.leaving import Leaving
from sync.session import DeviceSession
from tests.sync.device.force import BOSS, OFFICER, Force
from tests.sync.device.support import AT_ONCE, BIRMINGHAM, KEY, WALSALL, caught_up, change_of, incident


@pytest.fixture
async def enrolment(house: Force, identity: DeviceIdentity) -> Enrolment:
    """Of a program's device in Birmingham and Walsall."""
    return await house.program(identity, BIRMINGHAM, WALSALL)


async def open_program(folder: Path, identity: DeviceIdentity, house: Force, enrolment: Enrolment) -> Handheld:
    """The device's handheld."""
    return await Handheld.open(
        folder,
        identity=identity,
        keys=HeldKey(KEY),
        author=OFFICER,
        server="ws" + house.url.removeprefix("http"),
        enrolment=enrolment,
        backoff=AT_ONCE,
    )


@pytest.fixture
async def handheld(
    tmp_path: Path, identity: DeviceIdentity, house: Force, enrolment: Enrolment
) -> AsyncIterator[Handheld]:
    """It, connected and caught up."""
    async with await open_program(tmp_path / "replica", identity, house, enrolment) as handheld:
        await handheld.wait_until(caught_up)
        yield handheld


async def end_grant(house: Force, scope: ScopeName) -> None:
    """End the seat's grant of a scope."""
    registry = house.beatbook.authority.ledger.registry
    acts = [each.act for seat in registry.seats.values() for each in seat.spans]
    (span,) = [act.span for act in acts if isinstance(act, a.ScopeGranted) and act.scope == scope]
    await house.end(span)


async def made_on_both_sides(handheld: Handheld, value: Incident) -> RecordId:
    """A record that the handheld makes and that has come back to it as the server's."""
    stream = handheld.changes()
    record = (await handheld.create(value)).record
    while (view := await handheld.inspect(record)) is None or view.pending:
        await change_of(stream, RecordChanged)
    await handheld.wait_until(caught_up)
    return record


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[wire.Up]:
    """Every message that a handheld sends, in order."""
    sent: list[wire.Up] = []
    real = DeviceSession._send

    def send(session: DeviceSession, message: wire.Up) -> int:
        sent.append(message)
        return real(session, message)

    monkeypatch.setattr(DeviceSession, "_send", send)
    return sent


async def test_records_keys_and_ring_are_gone_before_the_signed_receipt_leaves(
    handheld: Handheld, house: Force, identity: DeviceIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the receipt is signed nothing on the device opens what the grant brought; the signature is the device's."""
    record = await made_on_both_sides(handheld, incident())
    stream = handheld.changes()
    ring_before = await handheld._replica.read(lambda held: held.tables._ring().key())
    under: list[bytes] = []
    real = Leaving.settle

    async def settle(self: Leaving, session: Any, sealed: int) -> None:  # noqa: ANN401  a session
        sent = session.retracted

        def retracted(*args: Any) -> None:  # noqa: ANN401  as its own
            under.append(handheld._replica._database.ring.key())
            sent(*args)

        session.retracted = retracted
        await real(self, session, sealed)

    monkeypatch.setattr(Leaving, "settle", settle)
    await end_grant(house, BIRMINGHAM)
    while await handheld.get(Incident, record) is not None:
        await change_of(stream, RecordChanged)
    receipt = await house.receipt_of(BIRMINGHAM)
    assert under, "receipts were signed"
    assert ring_before not in under
    assert (receipt.scope, receipt.removed) == (BIRMINGHAM, 1)
    said = [receipt.seat, receipt.scope, receipt.gen, receipt.removed, receipt.at]
    key = Ed25519PublicKey.from_public_bytes(identity.public_key)
    key.verify(receipt.signature, wire.RECEIPT_CONTEXT + msgspec.msgpack.encode(said))

    def left(held: Any) -> tuple[list[Any], bool]:  # noqa: ANN401  the tables
        connection: Sql = held.tables._connection
        return connection.execute("SELECT record FROM record_key").fetchall(), held.tables.ring_due()

    assert await handheld._replica.read(left) == ([], False)


async def test_what_was_not_sent_goes_to_quarantine_and_is_unreadable_here(
    handheld: Handheld, house: Force, sent: list[wire.Up]
) -> None:
    """An edit from the tunnel survives the grant's end: sealed, pushed first, readable by the server alone."""
    record = await made_on_both_sides(handheld, incident())
    await handheld.go_offline()
    edited = await handheld.edit(record, grade=Grade.P1, why="He is back with a knife")
    elsewhere = await handheld.create(incident("Unrelated", area="walsall"))
    await end_grant(house, BIRMINGHAM)
    stream = handheld.changes()
    sent.clear()
    await handheld.go_online()
    assert (await change_of(stream, EditsSealed)).ops == (edited.op,)
    await handheld.wait_until(lambda status: caught_up(status) and status.sealed == 0)
    kinds = [type(message) for message in sent]
    first = [kinds.index(kind) for kind in (wire.Retracted, wire.Quarantine, wire.Push)]
    assert first == sorted(first), kinds
    ((id_, raw),) = await house.quarantine()
    op = reread_op(raw)
    assert (id_, op.id, op.why, op.changes) == (op.n, edited.op, "He is back with a knife", {"grade": "p1"})
    assert await handheld.get(Incident, record) is None
    assert await handheld.get(Incident, elsewhere.record) is not None

    def kept(held: Any) -> bytes:  # noqa: ANN401  the tables
        return b"".join(op.body for op in held.tables.ops_of(record))

    assert b"knife" not in await handheld._replica.read(kept)


async def test_a_power_cut_between_removal_and_receipt_owes_both(
    tmp_path: Path, identity: DeviceIdentity, house: Force, enrolment: Enrolment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next connection makes a new ring and sends the receipt, though the server no longer asks for it."""
    async with await open_program(tmp_path / "replica", identity, house, enrolment) as handheld:
        await made_on_both_sides(handheld, incident())
        await handheld.go_offline()
        await end_grant(house, BIRMINGHAM)
        gone = asyncio.Event()

        async def cut(_leaving: Leaving, _session: Any, _sealed: int) -> None:  # noqa: ANN401  a session
            gone.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(Leaving, "settle", cut)
            await handheld.go_online()
            await gone.wait()
            await handheld.go_offline()
        assert await handheld._replica.read(lambda held: held.tables.ring_due())
        assert await house.receipts() == []
    async with await open_program(tmp_path / "replica", identity, house, enrolment) as handheld:
        await handheld.wait_until(caught_up)
        receipt = await house.receipt_of(BIRMINGHAM)
        assert receipt.removed == 1
        assert not await handheld._replica.read(lambda held: held.tables.ring_due())


async def test_a_receipt_that_was_lost_is_sent_again_and_kept_once(
    handheld: Handheld, house: Force, sent: list[wire.Up]
) -> None:
    """Each receipt goes out in two sessions, byte for byte the same; then it is owed no more."""
    await made_on_both_sides(handheld, incident())
    await end_grant(house, BIRMINGHAM)
    first = await house.receipt_of(BIRMINGHAM)
    for _ in range(3):
        await handheld.go_offline()
        await handheld.go_online()
        await handheld.wait_until(caught_up)
    told = [message for message in sent if isinstance(message, wire.Retracted) and message.scope == BIRMINGHAM]
    assert len(told) == 2
    assert told[0] == told[1]
    found = await house.receipts()
    assert [receipt for receipt in found if receipt.scope == BIRMINGHAM] == [first]
    assert await handheld._replica.read(lambda held: held.tables.meta("receipts")) == msgspec.msgpack.encode([])


async def test_many_scopes_that_end_at_once_cost_one_ring(
    handheld: Handheld, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two RETRACTs behind each other are confirmed together, after one change of the ring key."""
    await made_on_both_sides(handheld, incident())
    await made_on_both_sides(handheld, incident(area="walsall"))
    rings: list[int] = []
    real = handheld._replica.renew_ring

    async def renew_ring(share: bytes | None = None) -> int:
        rings.append(1)
        return await real(share)

    monkeypatch.setattr(handheld._replica, "renew_ring", renew_ring)
    registry = house.beatbook.authority.ledger.registry
    ends = [
        a.SpanEnded(by=BOSS, at=house.now(), span=each.act.span, until=house.now(), why="the shift is over")
        for seat in registry.seats.values()
        for each in seat.spans
    ]
    await house.beatbook.authority.ledger.perform(*ends)
    await house.receipt_of(BIRMINGHAM)
    await house.receipt_of(WALSALL)
    assert len(rings) == 1


async def test_a_record_that_moves_away_is_shredded_soon(
    handheld: Handheld, house: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No grant ends and no receipt is asked for: the key still goes, and the ring with it."""
    await house.span(a.RoleGiven, officer=OFFICER, role=Role.SUPERVISOR)
    record = await made_on_both_sides(handheld, incident())
    stream = handheld.changes()
    renewed = asyncio.Event()
    real = handheld._replica.renew_ring

    async def renew_ring(share: bytes | None = None) -> int:
        left = await real(share)
        renewed.set()
        return left

    monkeypatch.setattr(handheld._replica, "renew_ring", renew_ring)
    await handheld.edit(record, area="coventry")
    while await handheld.get(Incident, record) is not None:
        await change_of(stream, RecordChanged)
    await renewed.wait()
    assert not await handheld._replica.read(lambda held: held.tables.ring_due())


async def test_nothing_in_the_file_names_what_left(handheld: Handheld, house: Force, tmp_path: Path) -> None:
    """Not even the database's own pages, opened with the data key, hold a body that the present keys open."""
    record = await made_on_both_sides(handheld, incident("Kestrel at the canal"))
    await end_grant(house, BIRMINGHAM)
    await house.receipt_of(BIRMINGHAM)

    def pages(held: Any) -> bytes:  # noqa: ANN401  the tables
        connection: Sql = held.tables._connection
        return b"".join(bytes(str(row), "utf-8") for row in connection.execute("SELECT * FROM row").fetchall())

    assert record.encode() not in await handheld._replica.read(pages)
    assert await handheld.find(Incident) == []
    assert await handheld.find(Briefing) == []
