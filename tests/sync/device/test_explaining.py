"""What a handheld says of itself: why a value is shown, in words, with no server asked; and what it cannot read."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.codec import decode_row, encode
from schemas.errors import UsageError
from schemas.ids import FieldName, RecordId
from schemas.kinds import CustodyBooking
from schemas.kinds.booking import AppropriateAdult, Risk
from schemas.kinds.common import Marker
from schemas.ops import Doubt, Row
from sync.device import DeviceIdentity, Handheld
from sync.device.store import Held
from tests.sync.device.desks import CELL, MINUTE_MS, Desks, booking, shared_booking, two_desks
from tests.sync.device.support import NOON, VirtualClock, opened, record_id

AT = "2026-09-21T14:13:20Z"


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    """Two desks that have caught up."""
    async with two_desks(tmp_path) as desks:
        yield desks


async def altered(handheld: Handheld, record: RecordId, row: Row) -> None:
    """Have a row arrive as a newer server might send it."""
    body = encode(row)

    def arrives(held: Held) -> None:
        held.tables.put_row(record, row.kind, row.v, body)

    await handheld._store.change(arrives, lambda _, _committed: None)


async def row_of(desks: Desks, record: RecordId) -> Row:
    """The server's row."""
    body = await desks.toy.store.record(record)
    assert body is not None
    return decode_row(body)


async def test_what_stands_is_told_with_who_said_it_and_where_it_is(desks: Desks) -> None:
    """Recorded, only here, or nowhere yet: each in its words; and by the officer's own clock where one is given."""
    record = await shared_booking(desks, markers=(Marker(warning="violent"),))
    await desks.one.go_offline()
    await desks.one.edit(record, risk=Risk.HIGH)
    told = await desks.one.explain(record)
    assert f"detainee: “A. Garside”. WM10001 on desk-1, {AT}; recorded {AT}." in told
    assert f"risk: high. WM10001 on desk-1, {AT}; it is only on this device until the server has it." in told
    assert f"markers: violent. WM10001 on desk-1, {AT}; recorded {AT}." in told
    assert not [line for line in told if line.startswith(("status:", "log:"))]
    assert await desks.one.explain(record, "status") == ["status: nobody has said anything, so it counts as arrived."]
    assert await desks.one.explain(record, "log") == ["log: nobody has said anything."]
    (line,) = await desks.one.explain(record, "detainee", moment=lambda ms: f"<{ms}>")
    assert line == f"detainee: “A. Garside”. WM10001 on desk-1, <{NOON}>; recorded <{NOON}>."
    with pytest.raises(UsageError, match="no field 'colour'"):
        await desks.one.explain(record, "colour")
    with pytest.raises(UsageError, match="there is no record"):
        await desks.one.explain(record_id(99))


async def test_what_stands_beside_it_is_told_with_the_rule(desks: Desks) -> None:
    """A risk lowered without sight of a raise: both are told, and why the higher one is shown."""
    record = await shared_booking(desks, risk=Risk.MEDIUM)
    await desks.cut_off()
    await desks.one.edit(record, risk=Risk.HIGH)
    await desks.two.edit(record, risk=Risk.STANDARD)
    await desks.meet(desks.one, desks.two)
    first, second, rule = await desks.two.explain(record, "risk")
    assert first.startswith("risk: high. WM10001 on desk-1")
    assert second.startswith("risk: standard was said too. WM20002 on desk-2")
    assert rule.startswith("risk: the rule is that the highest of what was said stands")
    view = await desks.two.inspect(record)
    assert view is not None
    (beside,) = view.beside[FieldName("risk")]
    assert (beside.value, view.differing, view.items) == (Risk.STANDARD, {}, {})


async def test_what_waits_for_a_person_is_told_and_from_the_item_too(desks: Desks) -> None:
    """Who decides, by when, where, and why what is shown is safe; the item's own explanation is its subject's."""
    record = await shared_booking(desks)
    await desks.cut_off()
    await desks.one.edit(record, appropriate_adult=AppropriateAdult.NOT_NEEDED)
    await desks.two.edit(record, appropriate_adult=AppropriateAdult.NEEDED)
    await desks.meet(desks.one, desks.two)
    told = await desks.one.explain(record, "appropriate_adult")
    assert told[0] == "appropriate adult: needed is shown."
    assert told[1].startswith("appropriate adult: not-needed was said. WM10001")
    assert told[2].startswith("appropriate adult: needed was said. WM20002")
    assert told[4] == (
        "appropriate adult: a person decides (custody officer), by 2026-09-21T14:43:20Z. "
        "It can be decided on this device."
    )
    assert told[5].endswith("An adult called in vain does less harm than a vulnerable person left alone.")
    (entry,) = await desks.one.inbox()
    assert await desks.one.explain(entry.item) == told
    desks.clock.advance(30 * MINUTE_MS)
    assert "which has passed" in (await desks.one.explain(record, "appropriate_adult"))[4]
    view = await desks.one.inspect(record)
    assert view is not None
    assert view.items == {"appropriate_adult": entry.item}


async def test_how_far_a_claim_can_be_relied_on_is_told(desks: Desks) -> None:
    """Provisional, certain, displaced: in words, with the holder called by name."""
    made = await desks.one.create(booking())
    await desks.meet(desks.one, desks.two)
    await desks.cut_off()
    await desks.one.claim(CELL, made.record)
    await desks.two.claim(CELL, "booking two")
    (line,) = await desks.one.explain(CELL, "hold")
    assert line == (
        "hold: it is claimed for custody booking of A. Garside on this device, provisionally, "
        f"by WM10001 on desk-1 since {AT}; another claim may reach the server first."
    )
    await desks.meet(desks.one, desks.two)
    first, other, *_ = await desks.two.explain(CELL, "hold")
    assert first.startswith("hold: your claim was displaced; it is held for custody booking of A. Garside, by WM10001")
    assert other.startswith("hold: held for booking two was said too. WM20002 on desk-2")


async def test_a_reserved_claim_is_told_as_certain(desks: Desks) -> None:
    """And the reservation itself with its end."""
    await desks.one.reserve(CELL, until=NOON + MINUTE_MS)
    await desks.meet(desks.one, desks.two)
    (line,) = await desks.two.explain(CELL, "hold")
    assert line.startswith("hold: it is reserved for desk-1 until 2026-09-21T14:14:20Z, by WM10001 on desk-1")
    await desks.one.go_offline()
    await desks.one.claim(CELL, "booking one")
    (line,) = await desks.one.explain(CELL, "hold")
    assert line.startswith("hold: it is claimed for booking one on this device, and that is certain")


async def test_what_only_a_newer_program_knows_is_shown_as_such(desks: Desks) -> None:
    """An unknown token is the value as it came; what cannot be read at all is told beside the value that stands."""
    record = await shared_booking(desks, risk=Risk.HIGH)
    row = await row_of(desks, record)
    cells = {**row.cells, FieldName("risk"): ["extreme", row.cells[FieldName("risk")][1]]}
    trust = {FieldName("observation"): [["l9", 0, None, 0]]}
    await altered(desks.one, record, msgspec.structs.replace(row, v=row.v + 1, cells=cells, trust=trust))
    view = await desks.one.inspect(record)
    assert view is not None
    risk = view.fields[FieldName("risk")]
    assert (risk.value.value, risk.known, view.fields[FieldName("suite")].known) == ("extreme", False, True)
    assert [each.value for each in view.unread[FieldName("observation")]] == ["l9"]
    assert isinstance(view.value, CustodyBooking)
    assert (view.value.risk, view.value.observation) == (Risk("extreme"), None)
    told = await desks.one.explain(record)
    assert "risk: only a newer program knows this value; it is shown as it came." in told
    (line,) = [line for line in told if line.startswith("observation")]
    assert line.startswith("observation: a newer program has written l9, which this one cannot read; it is kept.")


async def test_a_doubtful_time_is_flagged_in_words(tmp_path: Path, identity: DeviceIdentity) -> None:
    """A device that has never met a server says so of every time that it writes down."""
    async with await opened(tmp_path / "replica", identity, clock=VirtualClock()) as handheld:
        made = await handheld.create(booking())
        view = await handheld.inspect(made.record)
        assert view is not None
        item = view.fields[FieldName("suite")]
        assert item.stamp.doubt == Doubt.NEVER_SET
        assert item.doubts == ["the device had never met a server, so this is its own clock's time"]
        (line,) = await handheld.explain(made.record, "suite")
        assert line.endswith(
            "The time is doubtful: the device had never met a server, so this is its own clock's time."
        )
