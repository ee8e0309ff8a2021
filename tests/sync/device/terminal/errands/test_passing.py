"""Incidents offered to another team and answered, and requests between areas, typed at a terminal."""

from collections.abc import AsyncIterator

import pytest

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import Millis, RecordId
from schemas.kinds import DeploymentRequest, Incident, Resource
from schemas.kinds.incident import Category
from schemas.kinds.passing import Passing, PassingStep
from schemas.kinds.resource import Category as Sort
from sync.device import DeviceIdentity, Handheld
from tests.sync.device.support import BIRMINGHAM, NOON
from tests.sync.device.terminal.desk import Desk
from tests.toy_server import ToyServer, toy_server

HELD = (BIRMINGHAM, scopes.area("coventry"), scopes.team("response-a"), scopes.team("investigation-a"))


@pytest.fixture
async def toy(identity: DeviceIdentity) -> AsyncIterator[ToyServer]:
    """A server that has enrolled the device for two areas and two teams."""
    async with toy_server([(identity, HELD)]) as toy:
        yield toy


@pytest.fixture
async def incident(online: Desk, handheld: Handheld) -> RecordId:
    """An incident that the response team works on; then signal is gone."""
    await online.type("wait")
    values = {"opened_at": Millis(NOON), "area": "birmingham", "category": Category.TRANSPORT, "summary": "A spill"}
    made = await handheld.create(Incident(**values, teams=("response-a",)))  # type: ignore[arg-type]  # typed by field
    await online.type("offline")
    await online.type(f"show {made.record}")
    return made.record


async def kept(handheld: Handheld, record: RecordId) -> tuple[str | None, int]:
    """Who has it, and how many offers wait."""
    value = await handheld.get(Incident, record)
    assert value is not None
    return value.kept().keeper, len(value.kept().pending)


async def test_hub_handover_of_response_and_investigation_at_a_terminal(
    online: Desk, handheld: Handheld, incident: RecordId
) -> None:
    """Row: hub handover of response and investigation. Offered, refused, offered again, accepted; without signal."""
    said = await online.type("offer . investigation-a from response-a The film is to be fetched.")
    assert "until they accept, response-a has it" in said
    assert await kept(handheld, incident) == ("response-a", 1)
    assert "offers: The film is to be fetched." in await online.type("handover")
    assert "refused; response-a keeps it" in await online.type(f"refuse {incident} No statement yet.")
    assert await kept(handheld, incident) == ("response-a", 0)
    await online.type("offer . investigation-a Statement taken.")
    assert "investigation-a has it now" in await online.type("accept .")
    assert await kept(handheld, incident) == ("investigation-a", 0)
    value = await handheld.get(Incident, incident)
    assert value is not None
    assert [one.why for one in value.passing] == [
        "The film is to be fetched.", "No statement yet.", "Statement taken.", None,
    ]  # fmt: skip


async def test_an_offer_is_taken_back(online: Desk, handheld: Handheld, incident: RecordId) -> None:
    """By the giver's team; then nothing waits for an answer."""
    await online.type("offer . investigation-a from response-a Done.")
    assert "taken back; response-a keeps it" in await online.type("takeback .")
    assert await kept(handheld, incident) == ("response-a", 0)
    assert "no offer waits for your team; it is with response-a" in await online.fails("accept .")


async def test_what_a_rule_is_against_is_said_with_how_to_go_on(online: Desk, incident: RecordId) -> None:
    """Which rule, why, and what to do; nothing was written."""
    assert incident
    await online.type("offer . investigation-a from response-a Done.")
    complaint = await online.fails("offer . cid Done.")
    assert "passing-open" in complaint
    assert "Withdraw that offer first" in complaint


async def test_the_word_of_a_team_that_is_not_ones_own_is_refused(
    online: Desk, handheld: Handheld, incident: RecordId
) -> None:
    """A handheld of neither team has no offer to answer, is told who has it, and cannot write it past the command."""
    await online.type("offer . cid from response-a Done.")
    assert "it is with response-a" in await online.fails("accept .")
    at = Millis(NOON)
    yes = Passing(step=PassingStep.ACCEPTED, giver="response-a", to="cid", offered_at=at, at=at)
    with pytest.raises(UsageError, match="only for somebody of team:cid"):
        await handheld.append(incident, "passing", yes)
    assert await kept(handheld, incident) == ("response-a", 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("offer . investigation-a", "expected: offer ID TEAM"),
        ("offer . Investigation! from response-a Done.", "is no team or area"),
        ("offer . investigation-a Done.", "say which team has it"),
        ("accept . and more", "expected: accept ID"),
        ("refuse .", "expected: refuse ID REASON"),
        ("agree . wm1", "is no request of another area"),
        ("agree .", "expected: agree ID WHO"),
        ("back .", "is not on loan"),
        ("request coventry birmingham", "expected: request AREA for AREA"),
        ("request coventry for birmingham 2 dogs until noon because A march", "is no time"),
    ],
)
async def test_a_line_of_another_form_is_refused_in_one_line(
    online: Desk, incident: RecordId, line: str, words: str
) -> None:
    """What to type instead; nothing was written."""
    assert incident
    assert words in await online.fails(line)


async def test_officers_and_units_are_asked_for_lent_and_given_back(online: Desk, handheld: Handheld) -> None:
    """A logged request of one area to another, answered by the other, a unit on loan for its time, and back."""
    await online.type("wait")
    await online.type("offline")
    unit = await handheld.create(Resource(category=Sort.CALL_SIGN, name="Tango 4", home=scopes.area("coventry")))
    asked = await online.type(
        "request coventry for birmingham 2 dog units until 2099-01-01 23:00 because The march has split."
    )
    assert "asked of coventry until" in asked
    assert "asks coventry for dog units" in await online.type("handover 1")
    ((record, request),) = await handheld.find(DeploymentRequest)
    assert (request.asking, request.lending, request.how_many) == ("birmingham", "coventry", 2)
    assert "lent to birmingham: wm30012, Tango 4" in await online.type(f"agree {record} wm30012 tango-4")
    value = await handheld.get(DeploymentRequest, record)
    assert value is not None
    assert (value.status.value, [one.officer for one in value.lent]) == ("agreed", ["wm30012", None])
    lent = await handheld.get(Resource, unit.record)
    assert lent is not None
    assert lent.loan is not None
    assert (lent.loan.area, lent.loan.until, lent.loan.request) == ("birmingham", request.until, record)
    assert BIRMINGHAM in lent.scopes()
    assert "back from birmingham" in await online.type(f"back {unit.record}")
    back = await handheld.get(Resource, unit.record)
    assert back is not None
    assert back.loan is None
    assert "ended" in await online.type(f"set {record} status ended")


async def test_a_request_is_refused_with_its_reason(online: Desk, handheld: Handheld) -> None:
    """The area that asked reads why."""
    await online.type("wait")
    await online.type("request coventry for birmingham 1 dog unit until 2099-01-01 23:00 because A march")
    assert "refused to birmingham" in await online.type("refuse . Both are at the ground.")
    ((_, request),) = await handheld.find(DeploymentRequest)
    assert (request.status.value, request.refused_because) == ("refused", "Both are at the ground.")


async def test_whoever_is_neither_unit_nor_officer_is_not_lent(online: Desk, handheld: Handheld) -> None:
    """A name that is neither is told so, before anything is written."""
    await online.type("wait")
    await online.type("request coventry for birmingham 1 dog unit until 2099-01-01 23:00 because A march")
    assert "no unit on this handheld, and no collar number" in await online.fails("agree . rover")
    ((_, request),) = await handheld.find(DeploymentRequest)
    assert (request.status.value, request.lent) == ("requested", ())
