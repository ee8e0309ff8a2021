"""People who write different things with no signal, over real sockets: read each test as a story."""

from collections.abc import Awaitable, Callable

import pytest

from schemas import scopes
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import CustodyBooking, Hold, InboxItem, Incident, Resource, Suspect
from schemas.kinds.booking import Risk
from schemas.kinds.common import Arrest
from schemas.kinds.incident import IncidentStatus
from schemas.kinds.resource import Category
from server.demo.masts import Mast
from server.demo.stage import Stage
from sync.device import Handheld
from sync.device.claims import Standing
from tests.e2e.conftest import OpenHandheld, OpenMast, at_rest, report
from tests.e2e.test_signal import came

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

SUITE = ("force", "custody", "suite:perry-barr")
OTHER_SUITE = ("force", "custody", "suite:oldbury")
RISK = FieldName("risk")
ARRESTED = Millis(1_790_000_000_000)


class Pair:
    """Two devices, each with a radio link that can be cut."""

    def __init__(self, first: Handheld, second: Handheld, masts: tuple[Mast, Mast]) -> None:
        """Bind them."""
        self.first, self.second, self._masts = first, second, masts

    async def both_hold(self, *records: RecordId) -> None:
        """Wait until both hold the server's form of these records."""
        for record in records:
            await came(self.first, record)
            await came(self.second, record)

    async def lose_signal(self) -> None:
        """Cut both off."""
        for handheld, mast in zip((self.first, self.second), self._masts, strict=True):
            mast.cut()
            await handheld.wait_until(lambda status: not status.connected)

    async def first_returns(self) -> None:
        """Signal returns to the first, and everything it wrote is on the server."""
        await self._returns(self.first, self._masts[0])

    async def second_returns(self) -> None:
        """The same for the second."""
        await self._returns(self.second, self._masts[1])

    async def _returns(self, handheld: Handheld, mast: Mast) -> None:
        mast.restore()
        handheld.network_returned()
        await handheld.wait_until(at_rest)


OpenPair = Callable[..., Awaitable[Pair]]


@pytest.fixture
def open_pair(open_handheld: OpenHandheld, open_mast: OpenMast) -> OpenPair:
    """Two devices with the same grants."""

    async def open_two(*audiences: str) -> Pair:
        masts = (await open_mast(), await open_mast())
        first = await open_handheld("unit-1", *audiences, mast=masts[0], officer="WM20101")
        second = await open_handheld("unit-2", *audiences, mast=masts[1], officer="WM20202")
        return Pair(first, second, masts)

    return open_two


async def until(handheld: Handheld, holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, looking again at every change that the handheld tells of."""
    changes = handheld.changes()
    while not await holds():
        await anext(changes)


async def item_about(handheld: Handheld, record: RecordId, field: str) -> RecordId:
    """The inbox item about a field, once the handheld holds it."""
    found: list[RecordId] = []

    async def here() -> bool:
        found[:] = [item for item, _ in await handheld.find(InboxItem, subject=record, field=field)]
        return bool(found)

    await until(handheld, here)
    return found[0]


def detainee(name: str) -> CustodyBooking:
    """An invented booking."""
    return CustodyBooking(suite="perry-barr", detainee=name, arrested_at=ARRESTED, risk=Risk.MEDIUM)


def cell(name: str, suite: str = "perry-barr") -> Resource:
    """An invented cell."""
    return Resource(category=Category.CELL, name=name, home=scopes.suite(suite))


async def test_two_desks_book_the_last_cell_while_both_are_cut_off(
    stage: Stage, open_pair: OpenPair, open_handheld: OpenHandheld
) -> None:
    """The first to reach the server holds it; the other is told, with what is free elsewhere; nobody is moved."""
    await stage.start()
    desks = await open_pair(*SUITE)
    oldbury = await open_handheld("desk-3", *OTHER_SUITE)
    sergeant = await open_handheld("sergeant", *SUITE, "suite:perry-barr:inbox", officer="WM30303")
    last = (await desks.first.create(cell("M12"))).record
    elsewhere = (await oldbury.create(cell("F3", "oldbury"))).record
    oakhurst = (await desks.first.create(detainee("S. Oakhurst"))).record
    fenwick = (await desks.second.create(detainee("T. Fenwick"))).record
    await desks.both_hold(last, elsewhere, oakhurst, fenwick)

    await desks.lose_signal()
    await desks.first.claim(last, oakhurst)
    await desks.second.claim(last, fenwick)
    for desk, person in ((desks.first, oakhurst), (desks.second, fenwick)):
        state = await desk.claim_state(last)
        assert state is not None
        assert (state.standing, state.holder) == (Standing.PROVISIONAL, person)

    await desks.second_returns()
    await desks.first_returns()
    item = await item_about(desks.first, last, "hold")
    lost = await desks.first.claim_state(last)
    assert lost is not None
    assert (lost.standing, lost.holder, lost.own) == (Standing.DISPLACED, fenwick, Hold(holder=oakhurst))
    kept = await desks.second.claim_state(last)
    assert kept is not None
    assert (kept.standing, kept.holder) == (Standing.HELD, fenwick)
    free = await desks.first.alternatives(item)
    assert [(one.record, one.same_home) for one in free] == [(elsewhere, False)]

    await came(sergeant, item)
    await came(sergeant, elsewhere)
    await sergeant.decide(item, Hold(holder=fenwick), "Mr Oakhurst goes to Oldbury", instead=elsewhere)
    await sergeant.wait_until(at_rest)

    async def settled() -> bool:
        moved, decided = await desks.first.get(Resource, elsewhere), await desks.first.get(InboxItem, item)
        return moved is not None and moved.hold is not None and decided is not None and not decided.open

    await until(desks.first, settled)
    there, here = await desks.first.get(Resource, elsewhere), await desks.first.get(Resource, last)
    assert there is not None
    assert here is not None
    assert (there.hold, here.hold) == (Hold(holder=oakhurst), Hold(holder=fenwick))


async def test_a_desk_with_reserved_cells_books_with_certainty(stage: Stage, open_pair: OpenPair) -> None:
    """Reserved while there was signal, booked without: certain at once, and the other desk's claim is displaced."""
    await stage.start()
    desks = await open_pair(*SUITE)
    last = (await desks.first.create(cell("M12"))).record
    oakhurst = (await desks.first.create(detainee("S. Oakhurst"))).record
    fenwick = (await desks.second.create(detainee("T. Fenwick"))).record
    await desks.both_hold(last, oakhurst, fenwick)
    now = (await stage.get(f"/v1/records/{last}"))["stamps"]["name"]["recorded_at"]
    await desks.lose_signal()
    await desks.first_returns()
    await desks.first.reserve(last, until=now + 60 * 60_000)
    await desks.first.wait_until(at_rest)

    async def confirmed() -> bool:
        view = await desks.first.inspect(last)
        return view is not None and not view.pending

    await until(desks.first, confirmed)
    await desks.lose_signal()
    await desks.first.claim(last, oakhurst)
    certain = await desks.first.claim_state(last)
    assert certain is not None
    assert (certain.standing, certain.holder) == (Standing.CERTAIN, oakhurst)

    await desks.second.claim(last, fenwick)
    await desks.second_returns()
    await item_about(desks.second, last, "hold")
    await desks.first_returns()

    async def held() -> bool:
        here = await desks.second.get(Resource, last)
        return here is not None and here.hold == Hold(holder=oakhurst)

    await until(desks.second, held)
    displaced = await desks.second.claim_state(last)
    assert displaced is not None
    assert displaced.standing is Standing.DISPLACED


async def test_two_officers_claim_the_same_suspect(stage: Stage, open_pair: OpenPair) -> None:
    """The first claim to reach the server stands for both; the other officer finds out who has it."""
    await stage.start()
    officers = await open_pair("force", "area:birmingham")
    wanted = Suspect(name="L. Carrowmore", wanted_for="Failed to appear at court", area="birmingham")
    suspect = (await officers.first.create(wanted)).record
    await officers.both_hold(suspect)

    await officers.lose_signal()
    await officers.first.claim(suspect, "WM20101")
    await officers.second.claim(suspect, "WM20202")
    await officers.first_returns()
    await officers.second_returns()

    item = await item_about(officers.second, suspect, "claimed")
    lost = await officers.second.claim_state(suspect)
    assert lost is not None
    assert (lost.standing, lost.holder, lost.item) == (Standing.DISPLACED, "WM20101", item)
    entry = (await officers.second.inbox())[0]
    assert {(one.author, one.value.holder) for one in entry.candidates} == {
        ("WM20101", "WM20101"),
        ("WM20202", "WM20202"),
    }
    assert not entry.may_decide

    async def first_knows() -> bool:
        return bool(await officers.first.inbox())

    await until(officers.first, first_knows)
    kept = await officers.first.claim_state(suspect)
    assert kept is not None
    assert kept.standing is Standing.HELD


@pytest.mark.parametrize("raised_first", [True, False], ids=["raise-first", "lowering-first"])
async def test_risk_raised_on_one_device_and_lowered_on_another(
    stage: Stage, open_pair: OpenPair, *, raised_first: bool
) -> None:
    """Whoever comes back first, the raise stands until somebody who has seen it lowers it. Nobody is asked."""
    await stage.start()
    desks = await open_pair(*SUITE)
    booking = (await desks.first.create(detainee("R. Pemberley"))).record
    await desks.both_hold(booking)

    await desks.lose_signal()
    await desks.first.edit(booking, risk=Risk.HIGH, why="Says he will hurt himself")
    await desks.second.edit(booking, risk=Risk.STANDARD, why="Calm since arrival")
    if raised_first:
        await desks.first_returns()
        await desks.second_returns()
    else:
        await desks.second_returns()
        await desks.first_returns()

    async def risk_is(desk: Handheld, risk: Risk) -> bool:
        view = await desk.inspect(booking)
        return view is not None and not view.pending and view.fields[RISK].value is risk

    await until(desks.first, lambda: risk_is(desks.first, Risk.HIGH))
    await until(desks.second, lambda: risk_is(desks.second, Risk.HIGH))
    assert not await desks.first.inbox()

    await desks.second.edit(booking, risk=Risk.MEDIUM, why="Seen by the nurse")
    await until(desks.first, lambda: risk_is(desks.first, Risk.MEDIUM))


@pytest.mark.parametrize("closed_first", [True, False], ids=["closed-first", "arrest-first"])
async def test_an_incident_closed_by_one_while_another_adds_an_arrest(
    stage: Stage, open_pair: OpenPair, open_handheld: OpenHandheld, *, closed_first: bool
) -> None:
    """Whoever comes back first, the incident stays in sight and a supervisor is asked; the decision then stands."""
    await stage.start()
    officers = await open_pair("force", "area:birmingham")
    supervisor = await open_handheld("supervisor", "force", "area:birmingham", "area:birmingham:inbox")
    incident = (await officers.first.create(report(summary="Disturbance outside a club"))).record
    await officers.both_hold(incident)

    await officers.lose_signal()
    await officers.first.edit(incident, status=IncidentStatus.CLOSED)
    await officers.second.append(incident, "arrests", Arrest(person="L. Carrowmore", arrested_at=ARRESTED))
    if closed_first:
        await officers.first_returns()
        await officers.second_returns()
    else:
        await officers.second_returns()
        await officers.first_returns()

    item = await item_about(supervisor, incident, "status")
    await came(supervisor, incident)
    shown = await supervisor.get(Incident, incident)
    assert shown is not None
    assert (shown.status, len(shown.arrests)) == (IncidentStatus.ATTENDED, 1)
    (question,) = await supervisor.inbox()
    assert (question.item, question.may_decide) == (item, True)

    await supervisor.decide(item, IncidentStatus.CLOSED, "The prisoner is booked in, nothing is left to do")
    for officer in (officers.first, officers.second):

        async def closed(officer: Handheld = officer) -> bool:
            seen = await officer.get(Incident, incident)
            return seen is not None and seen.status is IncidentStatus.CLOSED and not await officer.inbox()

        await until(officer, closed)
    told = await stage.get("/v1/conflicts")
    assert told["unexplained"] == 0
