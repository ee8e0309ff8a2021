"""The shipped force at a running server: what each row of the force's own reorganisation needs, by its people."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from schemas.codec import decode_row
from schemas.ids import Millis, OfficerId, RecordId, ScopeName
from schemas.kinds import Resource
from schemas.limits import SCOPES_PER_DEVICE_MAX
from server.http.consulting import reason_headers
from server.organisation.cells import cell_id
from server.organisation.organising import Plan
from server.organisation.reading import read_organisation
from server.registry import plan, rights_of
from server.registry.acts import SERVER, Posted
from sync import merge
from tests.server.api import ID, client, incident
from tests.server.organisation.files import SHIPPED
from tests.server.people import Caller, person
from tests.server.running import Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOLD = read_organisation(SHIPPED)
AREAS = ("birmingham", "coventry", "dudley", "sandwell", "solihull", "walsall", "wolverhampton")
SUITES = ("bloxwich", "bournville", "coventry", "oldbury", "perry-barr", "stechford", "willenhall", "wolverhampton")
FEBRUARY = Millis(1_770_681_600_000)
"""10 February 2026: Operation Castle runs."""
SEPTEMBER = Millis(1_788_220_800_000)
"""1 September 2026: most of its members are back."""


class Force:
    """The server with the shipped force, and its people at their devices."""

    def __init__(self, server: Running) -> None:
        """Bind it; nobody has signed in."""
        self.server = server
        self.registry = server.beatbook.authority.ledger.registry
        self._callers: dict[str, Caller] = {}
        self._number = 0

    def one_of(self, unit: str, role: str) -> str:
        """Somebody with that role who is posted to a unit now, and has been nowhere else."""
        posted = [one.officer for one in TOLD.spans if one.sort == "posting"]
        here = {one.officer for one in TOLD.spans if one.sort == "posting" and one.target == unit and not one.until}
        roles = (one.officer for one in TOLD.spans if one.sort == "role" and one.role and one.role.value == role)
        return next(officer for officer in roles if officer in here and posted.count(officer) == 1)

    def commander(self, area: str) -> str:
        """Who commands an area."""
        return next(one.officer for one in TOLD.spans if one.sort == "command" and one.target == area)

    async def caller(self, officer: str) -> Caller:
        """An officer of the force, signed in on a device of their own."""
        if officer not in self._callers:
            assert officer in self.registry.officers
            self._callers[officer] = await person(self.server, officer, ())
        return self._callers[officer]

    async def scopes(self, officer: str, at: int | None = None) -> set[str]:
        """What an officer may hold, without what comes along."""
        seat = (await self.caller(officer)).seat
        found = rights_of(self.registry, seat, Millis(self.server.clock.now if at is None else at))
        return {scope for scope in found if not scope.endswith((":briefing", ":safety"))}

    async def write(self, officer: str, record: RecordId, kind: str, **values: object) -> httpx.Response:
        """Have an officer make or change a record over HTTP."""
        async with client(self.server, await self.caller(officer)) as http:
            return await http.post("/v1/records", json={"records": [{"id": record, "kind": kind, "values": values}]})

    async def reads(self, officer: str, record: RecordId) -> bool:
        """Whether an officer may read a record."""
        async with client(self.server, await self.caller(officer)) as http:
            return (await http.get(f"/v1/records/{record}", headers=reason_headers("a test"))).status_code == 200

    async def resource(self, record: RecordId) -> Resource:
        """A resource as it stands."""
        row = await self.server.store.record(record)
        assert row is not None
        found = merge.from_row(decode_row(row)).build()
        assert isinstance(found, Resource)
        return found

    def new_id(self) -> RecordId:
        """A record's id that is free."""
        self._number += 1
        return RecordId(ID.format(self._number))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def force(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Force]:
    """The shipped files, applied by the server itself."""
    async with running(tmp_path_factory.mktemp("force"), real=True) as server:
        plan: Plan = await server.beatbook.organising.apply(TOLD, SERVER)
        assert plan.cells
        yield Force(server)


@pytest.mark.parametrize("area", AREAS)
async def test_an_area_commands_its_own_units(force: Force, area: str) -> None:
    """Row "seven areas with own resource control": its people keep its vehicles, and another area's do not."""
    other = AREAS[AREAS.index(area) - 1]
    mine, theirs = (force.one_of(f"{each}-response", "supervisor") for each in (area, other))
    van = force.new_id()
    made = await force.write(mine, van, "resource", category="vehicle", name=f"{area} 7", home=f"area:{area}")
    assert made.status_code == 200, made.text
    for stranger in (theirs, force.commander(other)):
        # They do not see it: to them it is a record that nobody has made, and whose id is taken.
        assert not await force.reads(stranger, van)
        told = {"category": "vehicle", "name": "theirs", "home": f"area:{area}", "service": "out-of-service"}
        refused = await force.write(stranger, van, "resource", **told)
        assert refused.status_code in {403, 422}, refused.text
    assert (await force.resource(van)).service.value == "in-service"
    done = await force.write(force.commander(area), van, "resource", service="out-of-service")
    assert done.status_code == 200, done.text
    assert (await force.resource(van)).service.value == "out-of-service"


@pytest.mark.parametrize("suite", SUITES)
async def test_a_suite_commands_its_own_cells(force: Force, suite: str) -> None:
    """Row "seven areas with own resource control": another suite sees the cell, and puts it into service never."""
    other = SUITES[SUITES.index(suite) - 1]
    cell = cell_id("west-midlands", suite, "A1")
    mine, theirs = (force.one_of(f"suite-{each}", "custody-officer") for each in (suite, other))
    assert await force.reads(theirs, cell)
    refused = await force.write(theirs, cell, "resource", service="out-of-service")
    assert (refused.status_code, "counts for another unit" in refused.text) == (403, True)
    done = await force.write(mine, cell, "resource", service="out-of-service")
    assert done.status_code == 200, done.text
    assert (await force.resource(cell)).service.value == "out-of-service"


async def test_an_area_commander_answers_for_every_suite_of_the_area(force: Force) -> None:
    """Row "seven areas with own resource control": Birmingham's three suites are its commander's, and nobody else's."""
    for area in AREAS:
        suites = {scope for scope in await force.scopes(force.commander(area)) if scope.startswith("suite:")}
        expected = {
            "birmingham": {"perry-barr", "stechford", "bournville"}, "coventry": {"coventry"}, "sandwell": {"oldbury"},
            "walsall": {"bloxwich", "willenhall"}, "wolverhampton": {"wolverhampton"},
        }.get(area, set())  # fmt: skip
        assert {scope for scope in suites if not scope.endswith(":inbox")} == {f"suite:{each}" for each in expected}


async def test_a_record_of_birmingham_east_rolls_up_to_birmingham(force: Force) -> None:
    """Row "Birmingham merged from East and West": Birmingham's officers read and go on with it, Coventry's do not."""
    control = force.one_of("force-contact", "control-room")
    birmingham = force.one_of("birmingham-response", "supervisor")
    for part in ("east", "west"):
        draft = incident(0, area=f"birmingham-{part}")["values"]
        assert isinstance(draft, dict)
        old = force.new_id()
        made = await force.write(control, old, "incident", **draft)
        assert made.status_code == 200, made.text
        assert await force.reads(birmingham, old)
        assert await force.reads(force.commander("birmingham"), old)
        done = await force.write(birmingham, old, "incident", location="Alum Rock Road")
        assert done.status_code == 200, done.text
        assert not await force.reads(force.one_of("coventry-response", "supervisor"), old)


async def test_units_have_history(force: Force) -> None:
    """Row "Birmingham merged from East and West": who was posted to East was there until the merger, and moved on."""
    mover = OfficerId("WM21010")
    posts = {
        span.act.unit: span for span in force.registry.officers[mover].spans if isinstance(span.act, Posted)
    }  # fmt: skip
    assert set(posts) == {"birmingham-east-response", "birmingham-response", "coventry-response"}
    merger = force.registry.units["birmingham"].act.start
    in_east = await force.scopes(mover, merger - 1)
    assert {"area:birmingham-east", "team:birmingham-east-response"} <= in_east
    assert "area:birmingham" not in in_east
    assert {"area:birmingham", "area:birmingham-east"} <= await force.scopes(mover, merger)
    now = await force.scopes(mover, FEBRUARY)
    assert "area:coventry" in now
    assert not {"area:birmingham", "area:birmingham-east"} & now


async def test_a_mission_team_cuts_across_areas(force: Force) -> None:
    """Row "mission teams across areas": its members of four units share its records while it is theirs, nobody else."""
    told = [one for one in TOLD.spans if one.sort == "member"]
    assert len(told) == 4
    areas = set()
    for one in told:
        held = await force.scopes(one.officer, FEBRUARY)
        assert "mission:castle" in held
        assert ("mission:castle:inbox" in held) == one.decides
        areas |= {scope for scope in held if scope.startswith("area:")}
        assert ("mission:castle" in await force.scopes(one.officer, SEPTEMBER)) == (one.until is None)
    assert areas == {"area:birmingham", "area:sandwell", "area:walsall"}
    members = {one.officer for one in told}
    for area in AREAS:
        outsider = force.one_of(f"{area}-response", "supervisor")
        assert outsider not in members
        assert "mission:castle" not in await force.scopes(outsider, FEBRUARY)


@pytest.mark.parametrize("area", AREAS)
async def test_every_area_has_its_priority_crime_team(force: Force, area: str) -> None:
    """Row "Priority Crime Teams": the team shares its own records and its area's, and no other area's."""
    officer = force.one_of(f"{area}-priority-crime", "supervisor")
    held = {scope for scope in await force.scopes(officer) if scope.startswith(("area:", "team:"))}
    own = {f"team:{area}-priority-crime", f"area:{area}"}
    assert held == own | {f"{scope}:inbox" for scope in own}
    beside = force.one_of(f"{area}-response", "supervisor")
    assert f"team:{area}-priority-crime" not in await force.scopes(beside)


async def test_the_control_room_holds_every_area_and_team(force: Force) -> None:
    """All of them fit on one desk: nothing is left out for want of room, with the units of before the merger too."""
    caller = await force.caller(force.one_of("force-contact", "control-room"))
    held = force.registry.seats[caller.seat].grants()
    for unit in force.registry.units.values():
        assert {place for place in unit.act.places if not place.startswith("suite:")} <= held.keys()
    assert len(held) < SCOPES_PER_DEVICE_MAX
    assert ScopeName("control") in held
    assert plan(force.registry, caller.seat, force.server.clock.now) is None
