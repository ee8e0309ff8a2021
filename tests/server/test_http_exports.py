"""What is given out to be published, over HTTP and with the command (row: scrutiny of powers export)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from schemas.ids import FieldName, OfficerId, RecordId
from schemas.roles import Role
from server.cli import main
from server.cli.access import Access, AccessFile
from server.cli.remote import use_seat
from server.exporting import tables
from server.exporting.searches import COLUMNS
from server.http.consulting import reason_headers
from server.office import Draft
from server.registry.acts import Cleared, CompartmentMade
from tests.examples import LEAST, T0
from tests.server.api import ID, client, refusal
from tests.server.people import Caller, person
from tests.server.running import Running

PATH = "/v1/export/stop-search"
MONTH = {"month": "2025-10"}


async def searched(server: Running, number: int, **values: Any) -> RecordId:  # noqa: ANN401  plain values
    """A search in the server."""
    record = RecordId(ID.format(number))
    plain = LEAST["stop-search"] | values
    told = {FieldName(name): value for name, value in plain.items()}
    await server.beatbook.office.bring([Draft(record=record, kind="stop-search", values=told)], OfficerId("WM30012"))
    return record


async def test_the_months_searches_are_given_page_by_page(server: Running, http: httpx.AsyncClient) -> None:
    """In the order of their ids, each once, and none of another month, whatever the pages are."""
    for number, location in ((3, "c"), (1, "a"), (2, "b")):
        await searched(server, number, location=location, operation=f"Operation {location}")
    await searched(server, 4, searched_at=T0 - 31 * 86_400_000, operation="Long ago")
    whole = (await http.get(PATH, params=MONTH)).json()
    assert (whole["columns"], whole["next"]) == (list(COLUMNS), None)
    assert [cells[3] for cells in whole["rows"]] == ["Operation a", "Operation b", "Operation c"]
    rows: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page = (await http.get(PATH, params={**MONTH, "limit": "1", "after": after})).json()
        rows += page["rows"]
        after = page["next"]
    assert rows == whole["rows"]


async def test_nobody_gives_out_what_they_may_not_see_or_what_is_closed(server: Running) -> None:
    """Another area's searches are not there, and what is in a compartment is not even given by who holds it."""
    await searched(server, 1, operation="Ours")
    await searched(server, 2, area="coventry", operation="Theirs")
    await searched(server, 3, compartment="larch", operation="Closed")
    cleared = await person(server, "WM2", [Role.OFFICER], "birmingham")
    now = server.clock.now
    made = CompartmentMade(by="WM9", at=now, compartment="larch", title="Larch")
    await server.beatbook.authority.ledger.perform(made)
    clearance = Cleared(
        by="WM9",
        at=now,
        span="larch",
        officer=OfficerId("WM2"),
        compartment="larch",
        why="a test",
        start=now,
    )
    await server.beatbook.authority.ledger.perform(clearance)
    async with client(server, cleared) as http:
        assert (await http.get(PATH, params=MONTH)).status_code == 428
        rows = (await http.get(PATH, params=MONTH, headers=reason_headers("Publishing"))).json()["rows"]
        assert [cells[3] for cells in rows] == ["Ours"]
        seen = await http.get(f"/v1/records/{ID.format(3)}", headers=reason_headers("Publishing"))
        assert seen.status_code == 200


async def test_what_is_given_out_is_noted_with_exactly_its_records(server: Running, http: httpx.AsyncClient) -> None:
    """Data Protection Act 2018 section 62: who was given which searches; of an empty page nothing is noted."""
    noted: list[tuple[RecordId, ...]] = []
    keep = server.beatbook.consultations.note

    async def note(look: Any) -> None:  # noqa: ANN401  a Consulted
        noted.append(look.records)
        await keep(look)

    server.beatbook.consultations.note = note  # type: ignore[method-assign]  # looked at on its way
    first = await searched(server, 1)
    await searched(server, 2, searched_at=T0 - 31 * 86_400_000)
    await http.get(PATH, params=MONTH)
    await http.get(PATH, params={"month": "2024-01"})
    assert noted == [(first,)]


@pytest.mark.parametrize("month", ["", "2025", "2025-13", "October"])
async def test_a_month_is_asked_for(http: httpx.AsyncClient, month: str) -> None:
    """Nobody gives everything out by leaving something away."""
    refusal(await http.get(PATH, params={"month": month}), 422, "give a month, as in 2026-11")


async def command(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = await asyncio.to_thread(CliRunner().invoke, main, ["export", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def access(server: Running, caller: Caller, folder: Path) -> Path:
    """The access folder of a program's seat."""
    made = Access.make(folder, caller.identity, AccessFile(server=server.url, ca_file="", log_key=""))
    use_seat(made, caller.seat, caller.officer)
    return folder


async def test_the_command_writes_a_file_that_the_report_reads(server: Running, caller: Caller, tmp_path: Path) -> None:
    """From the records to the rates: a formula stays text, and a file that is there is left as it is."""
    await searched(server, 1, operation="=1+1", self_ethnicity="b2", officer_ethnicity="black", outcome="arrest")
    await searched(server, 2, self_ethnicity="w1", age_range="over-34")
    folder, out = access(server, caller, tmp_path / "access"), tmp_path / "out.csv"
    given = ("stop-search", "--month", "2025-10", "--out", out, "--folder", folder, "--why", "Publishing")
    assert await command(*given) == (0, f"{out}: 2 searches\n")
    written = out.read_bytes()
    assert b",True,'=1+1," in written
    assert [cells[3] for cells in tables.read_file(out, COLUMNS)] == ["=1+1", ""]
    code, said = await command(*given)
    assert (code, "File exists" in said, out.read_bytes()) == (1, True, written)
    people = tmp_path / "people.csv"
    people.write_text("group,people\nWhite,2000\nBlack,500\n")
    code, said = await command("scrutiny", out, "--population", people, "--source", "Invented census")
    assert code == 0, said
    assert "2 searches, 2 of people; ethnicity as the person said" in said
    assert "Numbers of people: Invented census" in said
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    assert lines["Black"] == ["1", "1", "0", "0", "500", "2.00", "4.00"]
    assert lines["White"] == ["1", "0", "0", "0", "2000", "0.50", "1.00"]


async def test_scrutiny_of_powers_export_has_both_kinds(server: Running, caller: Caller, tmp_path: Path) -> None:
    """Row: scrutiny of powers export. Searches and uses of force, from the record over a file to the rates."""
    await searched(server, 1, self_ethnicity="b2")
    uses = [{"n": 1, "tactic": "taser-red-dotted", "effective": True}]
    for number, values in (
        (2, {"ethnicity": "black", "tactics": uses}),
        (3, {"compartment": "larch"}),
        (4, {"used_at": T0 - 31 * 86_400_000}),
        (5, {"area": "sandwell"}),
    ):
        told = {FieldName(name): value for name, value in (LEAST["use-of-force"] | values).items()}
        draft = Draft(record=RecordId(ID.format(number)), kind="use-of-force", values=told)
        await server.beatbook.office.bring([draft], OfficerId("WM30012"))
    folder = access(server, caller, tmp_path / "access")
    people = tmp_path / "people.csv"
    people.write_text("group,people\nWhite,2000\nBlack,500\n")
    for power, count, word in (("stop-search", "1 searches", "searches"), ("use-of-force", "1 reports", "reports")):
        out = tmp_path / f"{power}.csv"
        given = (power, "--month", "2025-10", "--out", out, "--folder", folder, "--why", "Publishing")
        assert await command(*given) == (0, f"{out}: {count}\n")
        rates = ("--population", people, "--source", "Invented census")
        code, said = await command("scrutiny", "--of", power, out, *rates)
        assert (code, word in said, "Numbers of people: Invented census" in said) == (0, True, True)
        lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
        assert lines["Black"][0] == "1"
        assert lines["Black"][-3:] == ["500", "2.00", "-"]
        code, said = await command(
            "scrutiny", out, "--of", "stop-search" if power == "use-of-force" else "use-of-force"
        )
        assert (code, f"{out}: line 1: the columns must be" in said) == (1, True)


async def test_the_report_refuses_what_it_cannot_reckon_with(tmp_path: Path) -> None:
    """Numbers without their source, and files of another form: one line that says what, and where."""
    out = tmp_path / "out.csv"
    out.write_bytes(tables.written(COLUMNS, []))
    code, said = await command("scrutiny", out, "--source", "Nowhere")
    assert (code, "give --population and --source together" in said) == (2, True)
    code, said = await command("scrutiny", out)
    assert (code, "none given, so there are no rates" in said) == (0, True)
    out.write_text("Type,Date\n")
    code, said = await command("scrutiny", out)
    assert (code, f"{out}: line 1: the columns must be Type,Date," in said) == (1, True)


async def test_a_wrong_month_leaves_no_file(tmp_path: Path) -> None:
    """It is refused before anything is made."""
    out = tmp_path / "out.csv"
    code, said = await command("stop-search", "--month", "10", "--out", out, "--folder", tmp_path)
    assert (code, "as in 2026-11" in said, out.exists()) == (1, True, False)


async def test_incidents_are_given_as_geojson(server: Running, caller: Caller, tmp_path: Path) -> None:
    """What the caller may see, page by page as in one, in a file that any program reads; nothing that is closed."""
    places: dict[int, dict[str, Any]] = {
        1: {"position": {"longitude": -1.9, "latitude": 52.4}},
        2: {},
        3: {"area": "sandwell"},
        4: {"compartment": "larch"},
    }
    drafts = [
        Draft(
            record=RecordId(ID.format(number)),
            kind="incident",
            values={FieldName(name): value for name, value in (LEAST["incident"] | values).items()},
        )
        for number, values in places.items()
    ]
    await server.beatbook.office.bring(drafts, OfficerId("WM1"))
    async with client(server, caller) as http:
        path = "/v1/export/incidents.geojson"
        whole = (await http.get(path)).json()
        first = (await http.get(path, params={"limit": "1"})).json()
        second = (await http.get(path, params={"limit": "1", "after": first["next"]})).json()
        assert (await http.get(path, params={"scope": "area:sandwell"})).json()["features"] == []
    assert (whole["type"], [one["id"] for one in whole["features"]]) == (
        "FeatureCollection",
        [ID.format(1), ID.format(2)],
    )
    assert first["features"] + second["features"] == whole["features"]
    folder, out = access(server, caller, tmp_path / "access"), tmp_path / "out.geojson"
    code, said = await command("geojson", "--out", out, "--folder", folder, "--why", "Patrol plan")
    assert (code, said) == (0, f"{out}: 2 incidents\n")
    assert json.loads(out.read_bytes()) == {"type": "FeatureCollection", "features": whole["features"]}


async def test_who_is_cleared_gets_nothing_closed_on_a_map_either(server: Running) -> None:
    """A file goes further than the eyes of who made it; and a reason is asked for before anything is told."""
    now = server.clock.now
    cleared = await person(server, "WM2", [Role.OFFICER], "birmingham")
    perform = server.beatbook.authority.ledger.perform
    await perform(CompartmentMade(by="WM9", at=now, compartment="larch", title="Larch"))
    await perform(
        Cleared(by="WM9", at=now, span="larch", officer=OfficerId("WM2"), compartment="larch", why="a test", start=now)
    )
    values = LEAST["incident"] | {"compartment": "larch"}
    draft = Draft(
        record=RecordId(ID.format(4)),
        kind="incident",
        values={FieldName(name): value for name, value in values.items()},
    )
    await server.beatbook.office.bring([draft], OfficerId("WM1"))
    async with client(server, cleared) as http:
        headers = reason_headers("Patrol plan")
        assert (await http.get(f"/v1/records/{ID.format(4)}", headers=headers)).status_code == 200
        assert (await http.get("/v1/export/incidents.geojson", headers=headers)).json()["features"] == []
