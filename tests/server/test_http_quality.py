"""How sound recording is, over HTTP and with the command: call-back samples and cancelled crimes.

Rows: call-back sampling; cancelled-crime accuracy.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.ids import FieldName, OfficerId, RecordId
from schemas.kinds.callback import COMPARTMENT
from schemas.roles import Role
from server.cli import main
from server.http.consulting import reason_headers
from server.office import Draft
from server.registry.acts import Cleared, CompartmentMade
from sync.policing.incidents.sampling import is_drawn
from tests.examples import LEAST, T0
from tests.server.api import ID, client, refusal
from tests.server.people import Caller, person, program
from tests.server.running import Running
from tests.server.test_http_exports import access

SAMPLE = RecordId(ID.format(1_000))
PATH = f"/v1/call-backs/{SAMPLE}"
WHY = reason_headers("Quarterly audit")
INCIDENTS = [RecordId(ID.format(number)) for number in range(1, 41)]
CALLER = {"part": "caller", "name": "Ava\x1b[2J Linden", "telephone": "0121 496 0000"}


async def bring(server: Running, record: RecordId, kind: str, **values: Any) -> None:  # noqa: ANN401  plain values
    """A record in the server."""
    told = {FieldName(name): value for name, value in (LEAST[kind] | values).items()}
    await server.beatbook.office.bring([Draft(record=record, kind=kind, values=told)], OfficerId("WM1"))


async def registrar(server: Running) -> Caller:
    """A Force Crime Registrar who is cleared for call-backs."""
    now = server.clock.now
    caller = await person(server, "WM70", [Role.REGISTRAR], "birmingham")
    made = CompartmentMade(by="WM9", at=now, compartment=COMPARTMENT, title="Call-backs")
    cleared = Cleared(
        by="WM9", at=now, span="cb", officer=OfficerId("WM70"), compartment=COMPARTMENT, why="audit", start=now
    )
    await server.beatbook.authority.ledger.perform(made, cleared)
    return caller


@pytest.fixture
async def sampled(server: Running) -> Caller:
    """Forty incidents and a sample of a third of them; who may look at it."""
    for record in INCIDENTS:
        await bring(server, record, "incident", people=[CALLER, {"part": "accused", "name": "Sheldon"}])
    asked = {"per_thousand": 333, "seed": "kept apart", "from_at": T0, "until_at": T0 + 1, "title": "Spring"}
    expected = [record for record in INCIDENTS if is_drawn(record, "kept apart", 333)]
    call = {"incident": expected[0], "called_at": T0, "reached": True, "agrees": True}
    await bring(server, SAMPLE, "call-back-sample", **asked, calls=[call])
    return await registrar(server)


async def test_a_sample_is_drawn_again_the_same_page_by_page(server: Running, sampled: Caller) -> None:
    """Call-back sampling: by its seed, with whom to call, and what was heard; however long the pages are."""
    expected = [record for record in INCIDENTS if is_drawn(record, "kept apart", 333)]
    async with client(server, sampled) as http:
        whole = (await http.get(PATH, headers=WHY)).json()
        again = (await http.get(PATH, headers=WHY)).json()
        found: list[dict[str, Any]] = []
        counts: list[dict[str, int]] = []
        after: str | None = ""
        while after is not None:
            part = (await http.get(PATH, params={"limit": "7", "after": after}, headers=WHY)).json()
            found += part["incidents"]
            counts.append(part["agreement"])
            after = part["next"]
    assert whole == again
    assert [one["incident"] for one in whole["incidents"]] == expected
    assert whole["agreement"] == {"drawn": len(expected), "called": 1, "reached": 1, "agreeing": 1}
    assert whole["incidents"][0]["calls"] == 1
    assert [one["name"] for one in whole["incidents"][0]["people"]] == [CALLER["name"]]
    assert found == whole["incidents"]
    assert {name: sum(one[name] for one in counts) for name in counts[0]} == whole["agreement"]


async def test_a_sample_is_hidden_from_whoever_is_looked_at(server: Running, sampled: Caller) -> None:
    """An officer, the control room and a superintendent without the compartment learn of none."""
    officer = await person(server, "WM2", [Role.OFFICER, Role.SUPERVISOR, Role.CONTROL_ROOM], "birmingham")
    above = await person(server, "WM3", [Role.SUPERINTENDENT], "birmingham")
    missing = f"/v1/call-backs/{ID.format(7_777)}"
    async with client(server, officer) as http:
        refusal(await http.get(PATH, headers=WHY), 403, "registrar")
        assert (await http.get("/v1/records", params={"kind": "call-back-sample"}, headers=WHY)).json()["records"] == []
    async with client(server, above) as http:
        hidden, absent = await http.get(PATH, headers=WHY), await http.get(missing, headers=WHY)
        assert (hidden.status_code, absent.status_code) == (404, 404)
        assert hidden.text.replace(SAMPLE, "") == absent.text.replace(ID.format(7_777), "")


async def test_only_a_sample_draws(server: Running, sampled: Caller) -> None:
    """An incident is none, whoever asks."""
    async with client(server, sampled) as http:
        refusal(await http.get(f"/v1/call-backs/{INCIDENTS[0]}", headers=WHY), 404, "no call-back sample")


async def test_who_was_drawn_is_noted_as_looked_at(server: Running, sampled: Caller) -> None:
    """Data Protection Act 2018 section 62: the drawn incidents and no others, with the reason that was asked for."""
    noted: list[tuple[RecordId, ...]] = []
    keep = server.beatbook.consultations.note

    async def note(look: Any) -> None:  # noqa: ANN401  a Consulted
        await keep(look)
        noted.append(look.records)

    server.beatbook.consultations.note = note  # type: ignore[method-assign]  # looked at on its way
    async with client(server, sampled) as http:
        assert (await http.get(PATH)).status_code == 428
        await http.get(PATH, headers=WHY)
    assert noted == [tuple(record for record in INCIDENTS if is_drawn(record, "kept apart", 333))]


CRIME = {"crime": "theft", "type": "theft", "offence": "As told.", "by": "WM1", "decided_at": T0}
CANCELLED = {"crime": "theft", "code": "c2", "information": "Found.", "source": "Photograph 3.", "decided_at": T0}


async def cancelled(server: Running) -> Caller:
    """A crime that its recorder cancelled, one that is not cancelled, and one elsewhere; who may look."""
    await bring(server, INCIDENTS[0], "incident", crimes=[CRIME], cancellations=[CANCELLED])
    await bring(server, INCIDENTS[1], "incident", crimes=[CRIME])
    await bring(server, INCIDENTS[2], "incident", area="coventry", crimes=[CRIME], cancellations=[CANCELLED])
    return await program(server, "WM71", [Role.REGISTRAR], ["area:birmingham"])


async def test_cancelled_crimes_are_looked_into(server: Running) -> None:
    """Cancelled-crime accuracy: what is wrong with which, by who in truth wrote it, and nothing of other areas."""
    caller = await cancelled(server)
    async with client(server, caller) as http:
        told = (await http.get("/v1/cancelled-crimes", headers=WHY)).json()
        elsewhere = (await http.get("/v1/cancelled-crimes", params={"scope": "area:coventry"}, headers=WHY)).json()
    assert (told["recorded"], told["cancelled"], told["sound"], told["next"]) == (2, 1, 0, None)
    assert [(one["incident"], one["crime"], one["author"]) for one in told["findings"]] == [
        (INCIDENTS[0], "theft", "WM1")
    ]
    assert "investigates or recorded it" in told["findings"][0]["why"]
    assert (elsewhere["recorded"], elsewhere["findings"]) == (0, [])


async def command(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = await asyncio.to_thread(CliRunner().invoke, main, ["quality", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


async def test_the_command_tells_whom_to_call(server: Running, sampled: Caller, tmp_path: Path) -> None:
    """A line each, without what a terminal would obey, and the count of what was heard."""
    folder = access(server, sampled, tmp_path / "access")
    code, said = await command("sample", SAMPLE, "--folder", folder, "--why", "Quarterly audit")
    drawn = sum(is_drawn(record, "kept apart", 333) for record in INCIDENTS)
    lines = said.splitlines()
    assert (code, len(lines)) == (0, drawn + 1), said
    assert "caller Ava [2J Linden, 0121 496 0000  (1 calls)" in lines[0]
    assert "Sheldon" not in said
    assert lines[-1] == f"{drawn} drawn, 1 called, 1 reached, 1 say what was recorded"
    code, said = await command("sample", "../x", "--folder", folder)
    assert (code, "Traceback" in said) == (1, False)


async def test_the_command_tells_what_is_wrong_with_cancellations(server: Running, tmp_path: Path) -> None:
    """Which, by whom and why; then the count."""
    folder = access(server, await cancelled(server), tmp_path / "access")
    code, said = await command("cancellations", "--folder", folder, "--why", "Quarterly audit")
    assert code == 0, said
    assert said.splitlines()[0].startswith(f"{INCIDENTS[0]}  theft  by WM1: ")
    assert said.splitlines()[-1] == "2 crimes recorded, 1 cancellations, 0 of them with nothing wrong"
