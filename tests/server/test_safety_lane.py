"""Officer safety on a link that takes almost nothing: what is issued last, and matters most, comes first."""

from schemas import wire
from schemas.ids import FieldName, OfficerId, RecordId, ScopeName
from server.office import Draft
from server.websocket_protocol import BoundedWebSocketProtocol
from tests.server.api import ID, incident
from tests.server.rawsocket import RawSocket
from tests.server.running import Running

AREA = ScopeName("area:birmingham")
ROUTINE = 20
LONG = "x" * 12_000


def draft(number: int, **values: object) -> Draft:
    """A briefing to the area."""
    said = {"title": f"Item {number}", "body": LONG, "audience": [AREA], "issued_at": 1_700_000_000_000} | values
    record = RecordId(ID.format(10_000 + number))
    return Draft(record=record, kind="briefing", values={FieldName(name): value for name, value in said.items()})


async def stuck(server: Running) -> tuple[RawSocket, BoundedWebSocketProtocol]:
    """A device in the middle of an area's snapshot, on a socket into which nothing more goes."""
    thefts = [incident(number, summary=LONG[:3_000]) for number in range(400)]
    await server.beatbook.office.bring(
        [Draft(record=RecordId(str(one["id"])), kind="incident", values=one["values"]) for one in thefts],  # type: ignore[arg-type]  # plain names
        OfficerId("WM1"),
    )
    server.enrol("hh-1", AREA)
    raw, protocol = await server.narrow("hh-1")
    while protocol.takes:
        await server.brief(title="x" * 200)
    return raw, protocol


async def order(raw: RawSocket) -> list[str]:
    """The scopes of what comes, until the snapshot of the area is whole."""
    found: list[str] = []
    while True:
        message = await raw.message()
        if isinstance(message, wire.Batch | wire.Snapshot):
            found.append(message.scope)
        if isinstance(message, wire.Snapshot) and message.scope == AREA and message.last:
            return found


async def test_officer_safety_overtakes_routine_briefings_and_a_snapshot(server: Running) -> None:
    """Issued behind twenty routine briefings and half a snapshot, it is the next thing that the slow socket gets."""
    raw, _ = await stuck(server)
    for number in range(ROUTINE):
        await server.beatbook.office.bring([draft(number)], OfficerId("WM1"))
    await server.beatbook.office.bring([draft(ROUTINE, title="Armed man", priority="officer-safety")], OfficerId("WM1"))
    came = await order(raw)
    safety = len(came) - 1 - came[::-1].index(f"{AREA}:safety")
    # Its empty snapshot, and the word that it is whole: before anything was issued.
    assert came[:safety].count(f"{AREA}:briefing") <= 2
    assert came[safety:].count(f"{AREA}:briefing") > 0, "the routine briefings come behind it"
    assert came[safety:].count(AREA) > 1, "and the rest of the snapshot behind those"


async def test_a_briefing_that_becomes_a_matter_of_safety_changes_lanes(server: Running) -> None:
    """It leaves the one scope and comes in the other, and is never in both."""
    server.enrol("hh-1", AREA)
    await server.beatbook.office.bring([draft(1)], OfficerId("WM1"))
    row = await server.store.record(RecordId(ID.format(10_001)))
    assert row is not None
    change = Draft(
        record=RecordId(ID.format(10_001)), kind="briefing", values={FieldName("priority"): "officer-safety"}
    )
    await server.beatbook.office.bring([change], OfficerId("WM1"))
    heads = await server.store.heads()
    assert (heads[ScopeName(f"{AREA}:briefing")].count, heads[ScopeName(f"{AREA}:safety")].count) == (0, 1)
