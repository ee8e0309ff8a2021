"""Who has read a briefing, over HTTP: counted by version, told to those who answer for it, and to nobody else."""

import httpx
import pytest

from schemas.codec import encode
from schemas.ids import FieldName, OfficerId, RecordId, ScopeName, Seq
from schemas.kinds import Briefing, BriefingReceipt, spec_of
from schemas.kinds.receipts import edition_of, receipt_id
from schemas.roles import Role
from server.commits import Submission
from server.office import Draft
from server.registry import acts as a
from tests.examples import HANDHELD, op
from tests.server.api import ID, briefing, client, refusal
from tests.server.people import program
from tests.server.running import NOW, Running

RECORD = RecordId(ID.format(1))
PATH = f"/v1/briefings/{RECORD}/receipts"


async def receipt(server: Running, officer: str, device: str = "hh-1", *, edition: str = "", **said: int) -> None:
    """What an officer says on a device, as the server takes it in."""
    value = Briefing(**{**briefing(), "audience": ("force",), "issued_at": NOW})  # type: ignore[arg-type]  # plain
    version = edition or edition_of(value)
    values = {"briefing": RECORD, "edition": version, "officer": officer, "device": device, **said}
    draft = Draft(
        record=receipt_id(RECORD, version, OfficerId(officer), device),  # type: ignore[arg-type]  # a device's name
        kind=spec_of(BriefingReceipt).name,
        values={FieldName(name): each for name, each in values.items()},
    )
    await server.beatbook.office.bring([draft], OfficerId(officer))


async def issued(server: Running) -> None:
    """A briefing to the force."""
    values = {FieldName(name): value for name, value in briefing(issued_at=NOW).items()}
    await server.beatbook.office.bring([Draft(record=RECORD, kind="briefing", values=values)], OfficerId("WM1"))


async def test_receipts_are_counted_by_person_and_version(server: Running, http: httpx.AsyncClient) -> None:
    """Two devices of one officer are one reader; another text is another version, and is waited for anew."""
    await issued(server)
    await receipt(server, "WM2", on_device_at=5)
    await receipt(server, "WM2", "hh-2", on_device_at=7, opened_at=8, acknowledged_at=9)
    await receipt(server, "WM3", on_device_at=6)
    told = (await http.get(PATH)).json()
    assert [one["current"] for one in told["versions"]] == [True]
    first = told["versions"][0]
    assert (first["on_device"], first["opened"], first["acknowledged"], first["first_at"]) == (2, 1, 1, 5)
    await receipt(server, "WM4", edition="0" * 16, on_device_at=4, opened_at=5)
    second = (await http.get(PATH)).json()["versions"][1]
    assert (second["edition"], second["current"], second["opened"]) == ("0" * 16, False, 1)


async def test_receipts_of_other_briefings_do_not_count(server: Running, http: httpx.AsyncClient) -> None:
    """Each is read as a stretch of its own, however many others there are."""
    await issued(server)
    for number in range(2, 6):
        other = RecordId(ID.format(number))
        values = {"briefing": other, "edition": "1" * 16, "officer": "WM2", "device": "hh-1", "on_device_at": 1}
        draft = Draft(
            record=receipt_id(other, "1" * 16, OfficerId("WM2"), "hh-1"),  # type: ignore[arg-type]  # a device's name
            kind="receipt",
            values={FieldName(name): each for name, each in values.items()},
        )
        await server.beatbook.office.bring([draft], OfficerId("WM2"))
    assert [one["on_device"] for one in (await http.get(PATH)).json()["versions"]] == [0]


async def test_who_has_not_confirmed_is_told_page_by_page(server: Running, http: httpx.AsyncClient) -> None:
    """Everyone whom the briefing is addressed to, whether or not they ever signed in, in order of collar number."""
    await issued(server)
    perform = server.beatbook.authority.ledger.perform
    for number in range(1, 4):
        await perform(
            a.OfficerAdded(by="WM9", at=NOW, officer=OfficerId(f"WN{number}"), name=f"Officer {number}", start=NOW)
        )
    await receipt(server, "WN1", on_device_at=1, opened_at=2, acknowledged_at=3)
    await receipt(server, "WN2", on_device_at=1)
    whole = (await http.get(PATH)).json()
    waiting = {one["officer"]: one["step"] for one in whole["waiting"]}
    assert "WN1" not in waiting
    assert (waiting["WN2"], waiting["WN3"]) == ("on-device", "nothing")
    assert (whole["waiting_count"], whole["next"]) == (len(waiting), None)
    assert whole["addressed"] == len(waiting) + 1
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await http.get(PATH, params={"limit": "1", "after": after})).json()
        found += [one["officer"] for one in page["waiting"]]
        after = page["next"]
    assert found == sorted(waiting)


async def test_what_an_older_program_confirmed_counts_until_the_text_changes(
    server: Running, http: httpx.AsyncClient
) -> None:
    """It left an entry in the briefing itself; that the briefing is read does not make it another version."""
    await issued(server)
    said = encode(op(1, RECORD, "briefing", {"receipts": [{"read_at": 5}]}, base=Seq(1)))
    await server.store.commit([Submission(HANDHELD, frozenset({ScopeName("force:briefing")}), (said,))], NOW)
    assert (await http.get(PATH)).json()["versions"][0]["acknowledged"] == 1
    changed = {FieldName("body"): "Sheds and garages."}
    await server.beatbook.office.bring([Draft(record=RECORD, kind="briefing", values=changed)], OfficerId("WM1"))
    assert (await http.get(PATH)).json()["versions"][0]["acknowledged"] == 0


async def test_only_who_answers_for_it_is_told(server: Running) -> None:
    """An officer who is addressed is not told who else has read it; a record that is none, or unseen, is not there."""
    await issued(server)
    officer = await program(server, "WM5", roles=(Role.OFFICER,))
    async with client(server, officer) as http:
        refusal(await http.get(PATH), 403, "supervisor")
        refusal(await http.get(f"/v1/briefings/{ID.format(99)}/receipts"), 404, "no briefing")


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "many"}])
async def test_a_wrong_page_is_refused(server: Running, http: httpx.AsyncClient, query: dict[str, str]) -> None:
    """The limits of every list."""
    await issued(server)
    refusal(await http.get(PATH, params=query), 422, "limit=")
