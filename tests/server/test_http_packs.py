"""What a team and what the neighbourhood are told, over HTTP (row: publishable neighbourhood update)."""

from typing import Any

import httpx
import pytest

from schemas.ids import FieldName, OfficerId, RecordId
from schemas.roles import Role
from server.http.consulting import reason_headers
from server.office import Draft
from server.registry.acts import SERVER, UnitAdded
from tests.examples import LEAST
from tests.server.api import ID, client, refusal
from tests.server.people import person, program
from tests.server.running import NOW, Running

PACK = "/v1/teams/response/briefing-pack"
UPDATE = "/v1/areas/birmingham/neighbourhood-update"
HOUR = 3_600_000
PERIOD = {"begin": str(NOW - 24 * HOUR), "end": str(NOW)}
SECRET = "Zebedee"
"""Stands in every text of the records, and in nothing that may leave."""


@pytest.fixture(name="desk")
async def _desk(server: Running) -> httpx.AsyncClient:
    """A sergeant of the response team, which works for Birmingham; and of nothing else."""
    places = ("team:response", "area:birmingham")
    unit = UnitAdded(by=SERVER, at=NOW, unit="response-north", title="Response", places=places, start=NOW)  # type: ignore[arg-type]  # plain texts
    await server.beatbook.authority.ledger.perform(unit)
    scopes = [*places, "force"]
    return client(server, await program(server, "WM20417", [Role.SUPERVISOR], scopes))


async def put(server: Running, number: int, kind: str, **values: Any) -> None:  # noqa: ANN401  plain values
    """A record in the server."""
    told = {FieldName(name): value for name, value in (LEAST[kind] | values).items()}
    await server.beatbook.office.bring(
        [Draft(record=RecordId(ID.format(number)), kind=kind, values=told)], OfficerId("WM1")
    )


async def briefed(server: Running, number: int, title: str, **values: Any) -> None:  # noqa: ANN401  as above
    """A briefing to Birmingham, unless it says otherwise."""
    given = {"title": title, "body": SECRET, "audience": ["area:birmingham"], "issued_at": NOW - HOUR, **values}
    await put(server, number, "briefing", **given)


async def test_a_team_is_told_what_is_valid_in_its_shift(server: Running, desk: httpx.AsyncClient) -> None:
    """Officer safety first; what has run out, begins later or is for others is not in it; and who is wanted here."""
    await briefed(server, 1, "Routine")
    await briefed(server, 2, "Safety", priority="officer-safety")
    await briefed(server, 3, "Gone", expires_at=NOW - 1)
    await briefed(server, 4, "Begins in the shift", valid_from=NOW + HOUR)
    await briefed(server, 5, "Begins tomorrow", valid_from=NOW + 24 * HOUR)
    await briefed(server, 6, "For Coventry", audience=["area:coventry"])
    await put(server, 7, "suspect", name="Sam Example", markers=[{"warning": "violent", "expires_at": NOW - 1}])
    await put(server, 8, "suspect", area="coventry")
    async with desk as http:
        told = (await http.get(PACK)).json()
        short = (await http.get(PACK, params={"begin": str(NOW), "end": str(NOW + HOUR)})).json()
    assert [one["title"] for one in told["items"]] == ["Safety", "Routine", "Begins in the shift"]
    assert (told["begin"], told["end"]) == (NOW, NOW + 12 * HOUR)
    assert [one["title"] for one in short["items"]] == ["Safety", "Routine"]
    assert [(one["name"], [each["hold"] for each in one["warnings"]]) for one in told["wanted"]] == [
        ("Sam Example", ["expired"])
    ]


async def test_a_pack_holds_nothing_that_its_reader_may_not_see(server: Running, desk: httpx.AsyncClient) -> None:
    """A unit may serve more than one of its people does; and what is closed is for whoever is cleared, in no pack."""
    places = ("team:response", "area:coventry")
    unit = UnitAdded(by=SERVER, at=NOW, unit="response-east", title="East", places=places, start=NOW)  # type: ignore[arg-type]  # plain texts
    await server.beatbook.authority.ledger.perform(unit)
    await briefed(server, 1, "For Coventry", audience=["area:coventry"])
    await briefed(server, 2, "Closed", audience=["area:birmingham", "compartment:larch"])
    await briefed(server, 3, "Ours")
    async with desk as http:
        assert [one["title"] for one in (await http.get(PACK)).json()["items"]] == ["Ours"]
        refusal(await http.get("/v1/teams/operations/briefing-pack"), 404, "there is no team 'operations'")
        refusal(await http.get("/v1/teams/No%20Team/briefing-pack"), 404, "there is no team")


async def test_a_pack_is_of_the_areas_that_the_team_serves(server: Running) -> None:
    """Whoever sees all areas is told what this team is told."""
    for name, area in (("response", "birmingham"), ("traffic", "coventry")):
        places = (f"team:{name}", f"area:{area}")
        unit = UnitAdded(by=SERVER, at=NOW, unit=f"{name}-unit", title=name, places=places, start=NOW)  # type: ignore[arg-type]  # plain texts
        await server.beatbook.authority.ledger.perform(unit)
    await briefed(server, 1, "For Coventry", audience=["area:coventry"])
    await briefed(server, 2, "For Birmingham")
    scopes = ["team:response", "area:birmingham", "area:coventry"]
    async with client(server, await program(server, "WM9", [Role.SUPERVISOR], scopes)) as http:
        assert [one["title"] for one in (await http.get(PACK)).json()["items"]] == ["For Birmingham"]


@pytest.mark.parametrize("wrong", [{"begin": "noon"}, {"begin": "-1"}, {"end": "0"}, {"begin": "9" * 16}])
async def test_a_shift_has_a_beginning_and_an_end(desk: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    """In that order, in milliseconds."""
    async with desk as http:
        refusal(await http.get(PACK, params=wrong), 422)


async def test_reading_a_pack_is_noted(server: Running, desk: httpx.AsyncClient) -> None:
    """Data Protection Act 2018 section 62: who was shown which records."""
    noted: list[Any] = []
    keep = server.beatbook.consultations.note

    async def note(look: Any) -> None:  # noqa: ANN401  a Consulted
        noted.append((look.what, look.records))
        await keep(look)

    server.beatbook.consultations.note = note  # type: ignore[method-assign]  # looked at on its way
    await briefed(server, 1, "Routine")
    await put(server, 7, "suspect")
    async with desk as http:
        assert (await http.get(PACK, headers=reason_headers("Parade"))).status_code == 200
    assert noted == [("combination", (ID.format(1), ID.format(7)))]


async def test_publishable_neighbourhood_update(server: Running, desk: httpx.AsyncClient) -> None:
    """Row: publishable neighbourhood update. Nothing OFFICIAL-SENSITIVE can leave, no word of a record does."""
    for number in range(6):
        await put(server, number, "incident", category="crime", summary=SECRET, location=SECRET, opened_at=NOW - HOUR)
    await put(server, 10, "incident", category="transport", summary=SECRET, opened_at=NOW - HOUR)
    await put(server, 11, "incident", category="crime", summary=SECRET, opened_at=NOW - 25 * HOUR)
    await put(server, 12, "incident", category="crime", summary=SECRET, opened_at=NOW)
    await put(server, 13, "incident", category="crime", compartment="larch", summary=SECRET, opened_at=NOW - HOUR)
    await briefed(server, 20, SECRET, topic="burglary")
    await briefed(server, 21, SECRET, topic="fraud", classification="official-sensitive")
    async with desk as http:
        told = (await http.get(UPDATE, params=PERIOD)).json()
    assert told["text"] == (
        "Your neighbourhood: Birmingham\n\n"
        "Reports of crime: 6\n"
        "Road and transport: fewer than 5\n"
        "Burglary: lock doors and windows when you go out, sheds and garages too.\n"
    )
    assert SECRET not in str(told)


async def test_what_an_update_was_counted_from_is_noted(server: Running, desk: httpx.AsyncClient) -> None:
    """Section 62: the incidents of the period, and no others; a person has to say why."""
    for number, opened_at in ((1, NOW - HOUR), (2, NOW - 25 * HOUR), (3, NOW)):
        await put(server, number, "incident", opened_at=opened_at)
    noted: list[Any] = []
    keep = server.beatbook.consultations.note

    async def note(look: Any) -> None:  # noqa: ANN401  a Consulted
        noted.append(look.records)
        await keep(look)

    server.beatbook.consultations.note = note  # type: ignore[method-assign]  # looked at on its way
    async with desk as http:
        await http.get(UPDATE, params=PERIOD)
    assert noted == [(ID.format(1),)]
    async with client(server, await person(server, "WM8", [Role.SUPERVISOR], "birmingham")) as http:
        assert (await http.get(UPDATE, params=PERIOD)).status_code == 428


async def test_an_area_is_called_what_its_publisher_calls_it(desk: httpx.AsyncClient) -> None:
    """A name is never taken out of a record, and it is one that can be printed."""
    async with desk as http:
        told = (await http.get(UPDATE, params=PERIOD | {"name": "Ladywood and Aston"})).json()
        assert told["text"].startswith("Your neighbourhood: Ladywood and Aston\n")
        for name in ("", "x" * 61, "a\nb"):
            refusal(await http.get(UPDATE, params=PERIOD | {"name": name}), 422, "where it is published")


@pytest.mark.parametrize(
    "period",
    [
        {},
        {"begin": "1"},
        {"begin": "2", "end": "1"},
        {"begin": "1", "end": "1"},
        {"begin": "0", "end": str(93 * 24 * HOUR)},
    ],
)
async def test_a_period_is_asked_for(desk: httpx.AsyncClient, period: dict[str, str]) -> None:
    """Nobody publishes everything by leaving something away."""
    async with desk as http:
        refusal(await http.get(UPDATE, params=period), 422)


async def test_an_area_that_one_may_not_see_is_not_there(desk: httpx.AsyncClient) -> None:
    """As is one that is none."""
    async with desk as http:
        for area in ("coventry", "nowhere", "No%20Area"):
            refusal(await http.get(f"/v1/areas/{area}/neighbourhood-update", params=PERIOD), 404, "there is no area")
