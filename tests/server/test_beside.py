"""Over HTTP too it is asked whether one note was pasted for several people: in one call, and in calls minutes apart."""

from typing import Any

import httpx
import pytest

from schemas.ids import FieldName, OfficerId, RecordId
from schemas.roles import Role
from server import beside
from server.office import Draft
from tests.examples import LEAST, T0
from tests.server.api import ID, client, refusal
from tests.server.people import Caller, program
from tests.server.running import Running

NOTE = "Asleep on left side, breathing well."
MINUTE = 60_000


def booking(number: int, note: str = NOTE, *, at: int = T0, **more: Any) -> dict[str, Any]:  # noqa: ANN401  plain values
    """A draft of a booking with one check."""
    check = {"checked_at": at, "where": "M7", "response": "asleep", "note": note}
    values = {
        "suite": "perry-barr",
        "detainee": f"Detainee {number}",
        "arrested_at": T0 - 60 * MINUTE,
        "detention": [{"what": "arrival", "at": T0 - 30 * MINUTE}],
        "checks": [check],
        **more,
    }
    return {"id": ID.format(number), "kind": "custody-booking", "values": values}


async def bring(http: httpx.AsyncClient, *records: dict[str, Any]) -> httpx.Response:
    """Records in one call."""
    return await http.post("/v1/records", json={"records": list(records)})


@pytest.fixture
async def sergeant(server: Running) -> Caller:
    """A custody sergeant at Perry Barr; the clock of the server is where the checks are."""
    server.clock.now = T0
    return await program(server, "WM21877", [Role.CUSTODY_OFFICER], ["suite:perry-barr", "custody"])


async def test_one_note_for_several_people_in_one_call_is_asked_about(server: Running, sergeant: Caller) -> None:
    """Bulk entry: nothing of the call is taken, and the answer says the rule and how to go on."""
    async with client(server, sergeant) as http:
        told = refusal(await bring(http, booking(1), booking(2)), 422, "custody-same-note")
        assert "Your check of Detainee 1 minutes ago has the same note." in told
        assert "give your reason" in told
        assert (await http.get(f"/v1/records/{ID.format(1)}")).status_code == 404


async def test_one_note_in_two_calls_is_asked_about(server: Running, sergeant: Caller) -> None:
    """Within the minutes that the force sets; another note, another time and another suite's people are let be."""
    async with client(server, sergeant) as http:
        assert (await bring(http, booking(1))).status_code == 200
        refusal(await bring(http, booking(2, NOTE.upper())), 422, "custody-same-note")
        assert (await bring(http, booking(3, "Sitting up and reading a book."))).status_code == 200
        assert (await bring(http, booking(4, at=T0 - 11 * MINUTE))).status_code == 200


async def test_a_reason_goes_on_and_stays_in_the_log(server: Running, sergeant: Caller) -> None:
    """Who has looked at both says so, in the same change."""
    reason = {"text": "Both seen by me, both asleep.", "overrides": "custody-same-note"}
    async with client(server, sergeant) as http:
        assert (await bring(http, booking(1), booking(2, log=[reason]))).status_code == 200
        told = (await http.get(f"/v1/records/{ID.format(2)}")).json()
        assert told["values"]["log"] == [reason]


async def test_what_its_author_may_not_see_is_not_compared(server: Running, sergeant: Caller) -> None:
    """Nobody learns from a refusal who is in another suite, nor of a note that somebody else wrote."""
    for number, author, suite in ((1, "WM21877", "oldbury"), (2, "WM5", "perry-barr")):
        values = booking(number, suite=suite)["values"]
        told = {FieldName(name): value for name, value in values.items()}
        draft = Draft(record=RecordId(ID.format(number)), kind="custody-booking", values=told)
        await server.beatbook.office.bring([draft], OfficerId(author))
    async with client(server, sergeant) as http:
        assert (await bring(http, booking(3))).status_code == 200


async def test_a_second_report_of_one_use_of_force_is_asked_about(server: Running) -> None:
    """The same officer, person and time."""
    officer = await program(server, "WM30012", [Role.OFFICER], ["area:birmingham"])
    values = {**LEAST["use-of-force"], "tactics": [{"n": 1, "tactic": "shield"}], "reasons": ["protect-self"]}
    async with client(server, officer) as http:
        first, second = ({"id": ID.format(n), "kind": "use-of-force", "values": values} for n in (1, 2))
        assert (await bring(http, first)).status_code == 200
        refusal(await bring(http, second), 422, "force-twice")
        assert (await bring(http, first)).json()["records"][0]["outcome"] == "same"


async def test_every_page_of_what_changed_lately_is_looked_at(
    server: Running, sergeant: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long log is read on to its end, and not beyond what is allowed."""
    asked: list[int] = []
    changes = server.store.changes

    async def short(scope: Any, after: Any) -> Any:  # noqa: ANN401  as the store's
        asked.append(after)
        found = await changes(scope, after)
        return found if len(asked) > 2 else type(found)(to=after, rows=(), gone=(), head=None)

    async with client(server, sergeant) as http:
        assert (await bring(http, booking(1))).status_code == 200
        monkeypatch.setattr(server.store, "changes", short)
        refusal(await bring(http, booking(2)), 422, "custody-same-note")
        assert len(asked) >= 3
        asked.clear()
        monkeypatch.setattr(beside, "PAGES_MAX", 2)
        assert (await bring(http, booking(3))).status_code == 200


async def test_a_cell_for_a_child_is_asked_about(server: Running, sergeant: Caller) -> None:
    """Over HTTP the booking is looked up: without a reason the cell is not taken, with one it is."""
    cell = {"category": "cell", "name": "M7", "home": "suite:perry-barr"}
    draft = Draft(record=RecordId(ID.format(9)), kind="resource", values={FieldName(k): v for k, v in cell.items()})
    await server.beatbook.office.bring([draft], OfficerId("WM21877"))
    claim = {"id": ID.format(9), "kind": "resource", "values": {"hold": {"holder": ID.format(1)}}}
    why = {"at": T0, "what": "cell-for-child", "note": "No other secure room free."}
    async with client(server, sergeant) as http:
        assert (await bring(http, booking(1, juvenile="under-18", care=[why]))).status_code == 200
        child = booking(2, juvenile="under-18")
        del child["values"]["checks"]
        assert (await bring(http, child)).status_code == 200
        other = claim | {"values": {"hold": {"holder": ID.format(2)}}}
        refusal(await bring(http, other), 422, "custody-child-cell")
        assert (await bring(http, claim)).status_code == 200
