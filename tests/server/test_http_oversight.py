"""What those see who answer for others' work: why a record is on a device, quarantine, alarms; and what nobody sees."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import wire
from schemas.codec import encode
from schemas.ids import DeviceId, FieldName, Generation, Millis, OfficerId, OpNumber, RecordId, ScopeName
from schemas.kinds import BriefingReceipt, Incident, spec_of
from schemas.ops import Op
from schemas.roles import Role
from server import intake
from server.alarms import Alarm
from server.commits import Submission
from server.intake import alarm_entry, sealed_entries
from server.logbook import QUARANTINE
from server.office import Draft as Record
from server.quarantine import OPENED, SETTLED
from server.registry.acts import SERVER, Cleared, CompartmentMade, RoleGiven, UnitAdded
from sync import sealing
from sync.device.drafts import Draft, encode_draft
from tests.server.api import ID, client
from tests.server.people import person, program
from tests.server.running import NOW, Running, running

PERRY_BARR = ScopeName("suite:perry-barr")
BIRMINGHAM = ("area:birmingham", "area:birmingham:inbox")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server with two incidents, one of them in a compartment."""
    async with running(tmp_path, real=True) as server:
        acts = [CompartmentMade(by=SERVER, at=NOW, compartment="larch", title="Larch")]
        await server.beatbook.authority.ledger.perform(*acts)
        drafts = [
            Record(record=RecordId(ID.format(n)), kind="incident", values=values(**more))
            for n, more in ((1, {}), (2, {"compartment": "larch"}), (3, {"area": "dudley"}))
        ]
        await server.beatbook.office.bring(drafts, OfficerId("WM5"))
        yield server


def values(**more: object) -> dict[FieldName, object]:
    """An incident's values."""
    base = {"opened_at": NOW, "area": "birmingham", "category": "crime", "summary": "A bicycle", **more}
    return {FieldName(name): value for name, value in base.items()}


def edit(n: int, record: str, author: str = "WM7", **changes: object) -> Op:
    """An edit that an officer made on a handheld."""
    return Op(
        device=DeviceId("hh-7"),
        n=OpNumber(n),
        record=RecordId(record),
        kind=spec_of(Incident).name,
        author=OfficerId(author),
        hlc=(NOW, 0),
        occurred_at=Millis(NOW - 60_000),
        wall=NOW,
        changes={FieldName(name): value for name, value in changes.items()},
        why="seen from the bridge",
    )


async def quarantined(server: Running, n: int, record: str, author: str = "WM7", **changes: object) -> None:
    """Have an officer's device hand over an edit that it could not send."""
    await handed_over(server, edit(n, record, author, **changes))


async def handed_over(server: Running, op: Op) -> None:
    """Have its device hand an op over."""
    sealed = sealing.seal(encode(op), server.beatbook.authority.keys.seal_to)
    await server.beatbook.committer.commit(sealed_entries(op.device, op.author, [(op.n, sealed)]))


async def test_a_record_outside_of_a_callers_scopes_is_not_there(server: Running) -> None:
    """Not in lists, not by its id, not in its history, and no write to it says that it exists; nor does any count."""
    caller = await program(server, "WM1", [Role.SUPERVISOR], BIRMINGHAM)
    async with client(server, caller) as http:
        page = (await http.get("/v1/records?kind=incident&limit=1")).json()
        assert [record["id"] for record in page["records"]] == [ID.format(1)]
        assert page["next"] is None
        nowhere = await http.get(f"/v1/records/{ID.format(9)}")
        for hidden in (ID.format(2), ID.format(3)):
            for path in ("", "/history", "/explanation"):
                answer = await http.get(f"/v1/records/{hidden}{path}")
                assert answer.status_code == 404
                assert answer.text.replace(hidden, ID.format(9)) == nowhere.text
            for kind, said in (
                ("incident", {"summary": "A bicycle"}),
                ("incident", {"summary": ""}),
                ("custody-booking", {"suite": "oldbury", "detainee": "Ann Example", "arrested_at": NOW}),
            ):
                answers = [
                    await http.post("/v1/records", json={"records": [{"id": one, "kind": kind, "values": said}]})
                    for one in (hidden, ID.format(9))
                ]
                assert {answer.status_code for answer in answers} <= {403, 422}
                assert answers[0].text.replace(hidden, ID.format(9)) == answers[1].text
            whole = {"id": hidden, "kind": "incident", "values": values()}
            taken = await http.post("/v1/records", json={"records": [whole]})
            assert (taken.status_code, "this id is taken" in taken.text) == (422, True)
        assert (await http.get("/v1/records?kind=incident&scope=compartment:larch")).json()["records"] == []


async def test_who_is_cleared_sees_what_is_closed(server: Running) -> None:
    """By clearance, by name, from that moment on."""
    caller = await person(server, "WM1", [Role.SUPERVISOR], "birmingham")
    clearance = Cleared(
        by=SERVER, at=NOW, span="larch-1", start=NOW, officer=OfficerId("WM1"), compartment="larch", why="the case"
    )
    why = {"Beatbook-Reason": "the case"}
    async with client(server, caller) as http:
        assert (await http.get(f"/v1/records/{ID.format(2)}", headers=why)).status_code == 404
        await server.beatbook.authority.ledger.perform(clearance)
        assert (await http.get(f"/v1/records/{ID.format(2)}", headers=why)).status_code == 200
        found = (await http.get("/v1/records?kind=incident", headers=why)).json()["records"]
    assert [record["id"] for record in found] == [ID.format(1), ID.format(2)]


async def test_nobody_closes_a_record_where_nobody_might_see_it_again(server: Running) -> None:
    """In a compartment that is not there, or that they are not cleared for: the two are told alike."""
    caller = await person(server, "WM1", [Role.SUPERVISOR], "birmingham")
    server.clock.advance(1)
    clearance = Cleared(
        by=SERVER, at=NOW, span="larch-1", start=NOW, officer=OfficerId("WM1"), compartment="larch", why="the case"
    )
    answers = []
    async with client(server, caller) as http:
        for name in ("larch", "nope"):
            made = {"id": ID.format(7), "kind": "incident", "values": values(compartment=name)}
            moved = {"id": ID.format(1), "kind": "incident", "values": {"compartment": name}}
            for draft in (made, moved):
                answer = await http.post("/v1/records", json={"records": [draft]})
                answers.append((answer.status_code, answer.text.replace(name, "?")))
        assert answers[:2] == answers[2:]
        assert {status for status, _ in answers} == {403}
        await server.beatbook.authority.ledger.perform(clearance)
        draft = {"id": ID.format(7), "kind": "incident", "values": values(compartment="larch")}
        assert (await http.post("/v1/records", json={"records": [draft]})).status_code == 200


async def test_who_writes_is_the_caller_within_their_rights(server: Running) -> None:
    """Whatever a body says; and what a role may not write is refused in words that say whose it is."""
    caller = await program(server, "WM1", [Role.OFFICER], BIRMINGHAM)
    async with client(server, caller) as http:
        draft = {"id": ID.format(4), "kind": "incident", "values": values()}
        assert (await http.post("/v1/records", json={"records": [draft]})).status_code == 200
        record = (await http.get(f"/v1/records/{ID.format(4)}")).json()
        assert {stamp["author"] for stamp in record["stamps"].values()} == {"WM1"}
        booking = {"suite": "perry-barr", "detainee": "Ann Example", "arrested_at": NOW}
        draft = {"id": ID.format(5), "kind": "custody-booking", "values": booking}
        refused = await http.post("/v1/records", json={"records": [draft]})
    assert refused.status_code == 403
    assert "custody officer" in refused.json()["detail"]


async def test_why_a_record_is_on_a_device_is_told_by_its_grants(server: Running) -> None:
    """The scope, its generation, and the reason in words; to whoever may see the record, and to who keeps watch."""
    holder = await person(server, "WM1", [Role.OFFICER], "birmingham")
    path = f"/v1/why/{ID.format(1)}/{holder.identity.device}"
    supervisor = await program(server, "WM2", [Role.SUPERVISOR], BIRMINGHAM)
    elsewhere = await program(server, "WM3", [Role.SUPERVISOR], ["area:dudley"])
    auditor = await program(server, "AUD1", [Role.AUDITOR], [])
    for caller, status in ((supervisor, 200), (auditor, 200), (elsewhere, 404)):
        async with client(server, caller) as http:
            answer = await http.get(path)
            assert answer.status_code == status, answer.text
            if status == 200:
                (seat,) = answer.json()["seats"]
                (grant,) = seat["grants"]
                assert (seat["officer"], grant["scope"], grant["gen"]) == ("WM1", "area:birmingham", 1)
                assert "birmingham" in grant["words"][0]
                other = (await http.get(f"/v1/why/{ID.format(3)}/{holder.identity.device}")).json()
                assert caller is supervisor or other["seats"][0]["grants"] == []
                assert (await http.get(f"/v1/why/{ID.format(1)}/hh-404")).status_code == 404


async def test_why_tells_what_was_there_until_when_and_whether_its_removal_is_confirmed(server: Running) -> None:
    """Of a device that is revoked and has not been in contact too. A receipt says that it went."""
    holder = await person(server, "WM1", [Role.OFFICER], "birmingham")
    device, path = holder.identity.device, f"/v1/why/{ID.format(1)}/{holder.identity.device}"
    auditor = await program(server, "AUD1", [Role.AUDITOR], [])
    server.clock.advance(60_000)
    await server.beatbook.authority.revoke([device], "ADM1", "lost")

    async def told() -> dict[str, Any]:
        async with client(server, auditor) as http:
            (seat,) = (await http.get(path)).json()["seats"]
        found: dict[str, Any] = seat
        return found

    ended = {"scope": "area:birmingham", "gen": 1, "until": server.clock.now}
    seat = await told()
    assert (seat["grants"], seat["wipe"]) == ([], None)
    assert seat["ended"] == [{**ended, "removed_at": None}]
    for at in (server.clock.now + 5, server.clock.now + 9):
        message = wire.Retracted(
            scope=ScopeName("area:birmingham"), gen=Generation(1), removed=1, at=Millis(at), receipt=b"", sealed=0
        )
        await server.beatbook.committer.commit(intake.receipt_entry(holder.seat, message))
    assert (await told())["ended"] == [{**ended, "removed_at": server.clock.now + 5}]
    await server.beatbook.authority.wipe(device, None, "ADM1", "it was found")
    assert ((await told())["wipe"], (await told())["wiped_at"]) == ("it was found", None)
    wiped = wire.Wiped(at=Millis(server.clock.now + 70), receipt=bytes(64))
    await server.beatbook.committer.commit(intake.receipt_entry(holder.seat, wiped))
    await server.beatbook.authority.gatekeeper.wiped(holder.seat, wiped.receipt)
    assert (await told())["wiped_at"] == server.clock.now + 70


@pytest.mark.parametrize(("said", "listed"), [("On the bridge.", 0), ("On the towpath.", 1)], ids=["the same", "other"])
async def test_an_edit_that_was_taken_in_is_not_asked_about(server: Running, said: str, listed: int) -> None:
    """Its device sealed it before it was told: adopted, it would stand twice. Of another op of that number they are."""
    taken = Submission(DeviceId("hh-7"), None, (encode(edit(1, ID.format(1), log=[{"text": "On the bridge."}])),))
    (result,) = await server.beatbook.committer.commit(taken)
    assert result.status == "durable"
    await quarantined(server, 1, ID.format(1), log=[{"text": said}])
    caller = await program(server, "WM1", [Role.SUPERVISOR], BIRMINGHAM)
    (kept,) = await server.beatbook.store.journal(QUARANTINE, 0, 2)
    async with client(server, caller) as http:
        assert len((await http.get("/v1/quarantine")).json()["edits"]) == listed
        verdict = {"key": kept.key, "why": "he saw it", "adopt": True}
        answer = await http.post("/v1/quarantine/verdicts", json=verdict)
        log = (await http.get(f"/v1/records/{ID.format(1)}", headers={"Beatbook-Reason": "the case"})).json()
    assert answer.status_code == (200 if listed else 409), answer.text
    assert [entry["text"] for entry in log["values"]["log"]].count(said) == 1


async def test_nobody_is_asked_whether_somebody_read_a_briefing(server: Running) -> None:
    """A receipt that a device could not send is kept, and is nobody's to decide: not even its officer's elsewhere."""
    said = {"briefing": ID.format(8), "edition": "0" * 16, "officer": "WM7", "device": "hh-7"}
    changes = {FieldName(name): value for name, value in said.items()}
    await handed_over(server, msgspec.structs.replace(edit(1, ID.format(9)), kind="receipt", changes=changes))
    seen = spec_of(BriefingReceipt).build(changes).scopes()
    assert [one async for one in server.beatbook.quarantine.waiting(seen)] == []
    assert len(await server.beatbook.store.journal(QUARANTINE, 0, 2)) == 1


async def test_an_edit_in_quarantine_is_listed_opened_and_adopted(server: Running) -> None:
    """By somebody who may see its record; the look is in the log; it is written in its author's name, once."""
    await quarantined(server, 1, ID.format(1), log=[{"text": "He went towards the canal."}])
    caller = await program(server, "WM2", [Role.SUPERVISOR], BIRMINGHAM)
    async with client(server, caller) as http:
        (line,) = (await http.get("/v1/quarantine")).json()["edits"]
        assert (line["seat"], line["author"], line["record"]) == ("hh-7", "WM7", ID.format(1))
        look = {"key": line["key"], "why": "the officer was moved"}
        told = (await http.post("/v1/quarantine/consultations", json=look)).json()
        assert told["changes"]["log"][0]["text"] == "He went towards the canal."
        (opened,) = await server.store.journal(OPENED, 0, 10)
        assert b"the officer was moved" in (opened.body or b"")
        verdict = {"key": line["key"], "adopt": True, "why": "it is true"}
        assert (await http.post("/v1/quarantine/verdicts", json=verdict)).status_code == 200
        again = await http.post("/v1/quarantine/verdicts", json=verdict)
        assert again.status_code == 409
        record = (await http.get(f"/v1/records/{ID.format(1)}")).json()
        assert [(one["author"], one["occurred_at"]) for one in record["stamps"]["log"]] == [("WM7", NOW - 60_000)]
        assert (await http.get("/v1/quarantine")).json()["edits"] == []
    assert len(await server.store.journal(QUARANTINE, 0, 10)) == 1


async def test_an_edit_that_is_discarded_changes_nothing_and_stays_in_the_journal(server: Running) -> None:
    """With who and why."""
    await quarantined(server, 1, ID.format(1), summary="Nothing")
    caller = await program(server, "WM2", [Role.SUPERVISOR], BIRMINGHAM)
    async with client(server, caller) as http:
        (line,) = (await http.get("/v1/quarantine")).json()["edits"]
        verdict = {"key": line["key"], "adopt": False, "why": "written to the wrong incident"}
        assert (await http.post("/v1/quarantine/verdicts", json=verdict)).status_code == 200
        assert (await http.get(f"/v1/records/{ID.format(1)}")).json()["values"]["summary"] == "A bicycle"
    (settled,) = await server.store.journal(SETTLED, 0, 10)
    assert b"wrong incident" in (settled.body or b"")
    (kept,) = await server.store.journal(QUARANTINE, 0, 10)
    assert kept.body is not None


async def test_an_edit_of_what_a_caller_may_not_see_is_not_there(server: Running) -> None:
    """Neither in the list nor by its name, and nothing is logged of a look that showed nothing."""
    await quarantined(server, 1, ID.format(2), summary="The larch")
    (kept,) = await server.store.journal(QUARANTINE, 0, 10)
    caller = await program(server, "WM2", [Role.SUPERVISOR], BIRMINGHAM)
    async with client(server, caller) as http:
        assert (await http.get("/v1/quarantine")).json() == {"edits": []}
        for path, body in (("consultations", {}), ("verdicts", {"adopt": True}), ("verdicts", {"adopt": False})):
            answer = await http.post(f"/v1/quarantine/{path}", json={"key": kept.key, "why": "curious", **body})
            assert answer.status_code == 404
    assert await server.store.journal(OPENED, 0, 10) == []
    assert await server.store.journal(SETTLED, 0, 10) == []


async def test_an_edit_that_nobody_can_read_waits_for_the_control_room(server: Running) -> None:
    """It is not lost, and it can be discarded and not adopted."""
    submission = sealed_entries(DeviceId("hh-7"), OfficerId("WM7"), [(1, b"x" * 100)])
    await server.beatbook.committer.commit(submission)
    caller = await program(server, "WM2", [Role.CONTROL_ROOM], ["force", "force:inbox"])
    async with client(server, caller) as http:
        (line,) = (await http.get("/v1/quarantine")).json()["edits"]
        assert (line["author"], line["kind"]) == ("", "")
        verdict = {"key": line["key"], "adopt": True, "why": "why not"}
        assert (await http.post("/v1/quarantine/verdicts", json=verdict)).status_code == 422
        assert (await http.post("/v1/quarantine/verdicts", json={**verdict, "adopt": False})).status_code == 200


async def test_alarms_are_told_page_by_page(server: Running) -> None:
    """To who keeps watch, in the order in which they were noticed."""
    for n in range(3):
        alarm = Alarm("chain_differs", DeviceId("hh-7"), f"op {n}", Millis(NOW + n))
        await server.beatbook.committer.commit(alarm_entry(alarm))
    auditor = await program(server, "AUD1", [Role.AUDITOR], [])
    async with client(server, auditor) as http:
        first = (await http.get("/v1/alarms?limit=2")).json()
        rest = (await http.get(f"/v1/alarms?after={first['next']}")).json()
    assert [one["detail"] for one in (*first["alarms"], *rest["alarms"])] == ["op 0", "op 1", "op 2"]
    assert rest["next"] is None


async def test_a_draft_that_names_no_place_waits_where_its_author_works(server: Running) -> None:
    """Their area's supervisor sees and discards it; another area's learns nothing, nor of a closed one."""
    await person(server, "WM7", [Role.OFFICER], "birmingham")
    theirs = await person(server, "WM1", [Role.SUPERVISOR], "birmingham")
    others = await person(server, "WM2", [Role.SUPERVISOR], "dudley")
    for n, more in ((1, {}), (2, {"compartment": "larch"})):
        draft = Draft(
            seat=DeviceId("hh-7"),
            kind="incident",
            record=None,
            changes={"log": [{"text": "Glass in Aston Road"}], **more},
            occurred_at=Millis(NOW),
            author=OfficerId("WM7"),
            wall=Millis(NOW),
        )
        sealed = sealing.seal(encode_draft(draft), server.beatbook.authority.keys.seal_to)
        await server.beatbook.committer.commit(sealed_entries(DeviceId("hh-7"), OfficerId("WM7"), [(n, sealed)]))
    async with client(server, others) as http:
        assert (await http.get("/v1/quarantine")).json()["edits"] == []
    async with client(server, theirs) as http:
        (edit,) = (await http.get("/v1/quarantine")).json()["edits"]
        opened = await http.post("/v1/quarantine/consultations", json={"key": edit["key"], "why": "to file it"})
        assert opened.json()["changes"] == {"log": [{"text": "Glass in Aston Road"}]}
        verdict = {"key": edit["key"], "why": "filed elsewhere", "adopt": False}
        assert (await http.post("/v1/quarantine/verdicts", json=verdict)).status_code == 200


async def test_a_role_of_one_unit_writes_and_gives_out_nothing_of_anothers(server: Running) -> None:
    """Whatever else they see: a custody officer of one suite books nobody into another, and discloses none of it."""
    suites = (PERRY_BARR, "suite:oldbury")
    caller = await program(server, "WM1", [Role.OFFICER], suites)
    unit = UnitAdded(by=SERVER, at=NOW, unit="perry-barr", title="Perry Barr", places=(PERRY_BARR,), start=NOW)
    roles = [
        RoleGiven(by=SERVER, at=NOW, span=role.value, start=NOW, officer=caller.officer, role=role, unit=unit.unit)
        for role in (Role.CUSTODY_OFFICER, Role.SUPERINTENDENT)
    ]
    await server.beatbook.authority.ledger.perform(unit, *roles)
    other = await program(server, "WM2", [Role.CUSTODY_OFFICER], suites)
    giving = {"recipients": ["Aston Law Chambers"], "why": "asked for"}
    async with client(server, caller) as http, client(server, other) as elsewhere:
        for n, suite, status in ((4, "perry-barr", 200), (5, "oldbury", 403)):
            booking = {"suite": suite, "detainee": "Ann Example", "arrested_at": NOW}
            draft = {"records": [{"id": ID.format(n), "kind": "custody-booking", "values": booking}]}
            assert (await http.post("/v1/records", json=draft)).status_code == status
            await elsewhere.post("/v1/records", json=draft)
            given = await http.post(f"/v1/records/{ID.format(n)}/disclosures", json=giving)
            assert given.status_code == status, given.text
            assert ("you are so elsewhere" in given.text) == (status == 403)
