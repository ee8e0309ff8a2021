"""Plan and apply at a running server: by command, over HTTP, over the sockets; all of it or nothing, and who did it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from schemas.codec import decode_row
from schemas.errors import StoreError
from schemas.ids import DeviceId, Millis, OfficerId, RecordId
from schemas.kinds import Resource, spec_of
from schemas.roles import Role
from server.cli import main
from server.cli.access import Access, AccessFile
from server.falling_due import AUTHOR
from server.logbook import ACT, OFFICE
from server.office import Draft
from server.organisation.cells import GONE, cell_id
from server.organisation.definition import OrganisationError
from server.organisation.organising import organise
from server.organisation.reading import read_organisation
from server.registry.acts import SERVER, decode
from sync import merge
from sync.session import DeviceSession, HelloFacts
from sync.session.table import DeviceState
from tests.server.api import ID, client, incident, refusal
from tests.server.authority.house import journal
from tests.server.handheld import Handheld
from tests.server.organisation.files import FORCE, also, write
from tests.server.people import Caller, person
from tests.server.running import Running, running

Run = Callable[..., Awaitable[tuple[int, str, str]]]
A1 = cell_id("marches", "dudley", "A1")
NOBODY = "collar,unit,from\n"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server whose sockets too are let in by the authority."""
    async with running(tmp_path / "server", real=True) as server:
        yield server


@pytest.fixture
async def administrator(server: Running) -> Caller:
    """Somebody who administers."""
    return await person(server, "ADM1", [Role.ADMINISTRATOR])


@pytest.fixture
def run(server: Running, administrator: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `beatbook organisation …` as the administrator: (exit code, standard output, standard error)."""
    monkeypatch.setattr("server.cli.proving.wall_clock", server.clock)
    folder = tmp_path / "access"
    file = AccessFile(server=server.url, seat=administrator.seat, officer=administrator.officer)
    Access.make(folder, administrator.identity, file)

    async def run(way: str, file: Path) -> tuple[int, str, str]:
        given = ["organisation", way, str(file), *([] if way == "check" else ["--folder", str(folder)])]
        result = await asyncio.to_thread(CliRunner().invoke, main, given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


class AtSeat(Handheld):
    """A handheld at which an officer is signed in: it holds what they are entitled to, over a real socket."""

    def __init__(self, server: Running, caller: Caller) -> None:
        """Bind it."""
        super().__init__(server, caller.seat)
        self._caller = caller

    async def connect(self) -> None:
        """Sign in, open a session, and take in all that is there."""
        token = await self._token()
        facts = HelloFacts(
            device=self.device, epoch=self.replica.epoch, positions=self.replica.positions(),
            next_op=self.replica.next_op, chain=self.replica.chain, token=token,
        )  # fmt: skip
        self._session = DeviceSession(facts, self._caller.identity.sign, 0)
        self._raw = await self._server.raw()
        await self.until(lambda: self.session.state is DeviceState.LIVE)
        await self.until(lambda: all(held.after is None for held in self.replica.positions()))

    async def _token(self) -> str:
        async with client(self._server, self._caller) as http:
            assert (await http.get("/v1/me")).status_code == 200
        held = self._caller.auth.held
        assert held is not None
        return held.token


async def resource(server: Running, record: RecordId = A1) -> Resource:
    """A cell as it stands."""
    row = await server.store.record(record)
    assert row is not None
    found = merge.from_row(decode_row(row)).build()
    assert isinstance(found, Resource)
    return found


async def authors(server: Running) -> set[str]:
    """Who made the acts that are kept, but for what follows from them by rule."""
    kept = [decode(body) for body in await journal(server.store, ACT)]
    return {act.by for act in kept if not str(type(act).__struct_config__.tag).startswith(("seat-", "signed-", "dev"))}


# --- by command ------------------------------------------------------------------------------------------------------


async def test_check_plan_and_apply(server: Running, run: Run, tmp_path: Path) -> None:
    """Check asks no server; plan shows and changes nothing; apply does what plan showed; the second changes nothing."""
    file = write(tmp_path / "force")
    assert await run("check", file) == (
        0,
        "Marches Police: 4 units, 1 missions, 2 officers, 7 roles, postings, shifts and memberships, 2 cells\n",
        "",
    )
    code, planned, told = await run("plan", file)
    assert (code, told) == (0, "16 changes\nNothing was changed\n")
    assert "+ unit dudley: Dudley, area:dudley, from 2023-01-01T00:00:00Z  (force.toml [[area]] dudley)" in planned
    assert "+ cell A1 of dudley  (cells.csv line 2)" in planned
    assert server.beatbook.authority.ledger.registry.units == {}
    assert await server.store.record(A1) is None
    assert await run("apply", file) == (0, planned, "16 changes\n")
    assert await run("apply", file) == (0, "", "The server is as the files say\n")
    assert await run("plan", file) == (0, "", "The server is as the files say\nNothing was changed\n")
    assert set(server.beatbook.authority.ledger.registry.units) == {
        "dudley", "walsall", "dudley-response", "suite-dudley",
    }  # fmt: skip
    cell = await resource(server)
    assert (cell.name, cell.home, cell.category.value, cell.note) == ("A1", "suite:dudley", "cell", "with camera")


async def test_a_bad_file_is_told_by_every_command_and_changes_nothing(
    server: Running, run: Run, tmp_path: Path
) -> None:
    """With file, line and what to do, one a line, exit code 1; nothing is sent."""
    file = write(tmp_path / "force", postings=also("postings", "WM9,dudley,2023-01-01,", "WM2,duddley,2023-01-01,"))
    for way in ("check", "plan", "apply"):
        code, out, told = await run(way, file)
        assert (code, out) == (1, "")
        assert told.splitlines()[0].startswith("Error: postings.csv line 3: there is no officer 'WM9'")
        assert "postings.csv line 4: there is no unit 'duddley' in the files; did you mean 'dudley'?" in told
    assert server.beatbook.authority.ledger.registry.units == {}


async def test_what_only_the_registry_knows_is_told_with_its_line(server: Running, run: Run, tmp_path: Path) -> None:
    """An act that it refuses stands somewhere in the files; nothing of them is done, what is sound included."""
    file = write(tmp_path / "force")
    assert (await run("apply", file))[0] == 0
    both = also("roles", "WM2,auditor,,2023-01-01,", "WM2,administrator,,2023-01-01,")
    file = write(tmp_path / "force", roles=both, cells=also("cells", "dudley,A3,"))
    for way in ("plan", "apply"):
        code, _, told = await run(way, file)
        assert (code, "roles.csv line 3" in told, "cannot be" in told) == (1, True, True), told
    assert await server.store.record(cell_id("marches", "dudley", "A3")) is None
    roles = [span.act for span in server.beatbook.authority.ledger.registry.officers[OfficerId("WM2")].roles]
    assert len(roles) == 1


async def test_nobody_changes_their_own_rights_by_a_file(server: Running, run: Run, tmp_path: Path) -> None:
    """An administrator who stands in the files has another one apply what concerns them."""
    row = "ADM1,Ada,2023-01-01,"
    file = write(
        tmp_path / "force", officers=also("officers", row), roles=also("roles", "ADM1,supervisor,,2023-01-01,")
    )
    code, _, told = await run("apply", file)
    assert (code, "roles.csv line 3" in told, "another administrator applies this" in told) == (1, True, True)
    assert server.beatbook.authority.ledger.registry.units == {}


async def test_only_who_administers_may_plan_and_apply(server: Running, tmp_path: Path) -> None:
    """Whoever else tries is told who could, and what they sent is not done."""
    supervisor = await person(server, "WM5", [Role.SUPERVISOR])
    body = msgspec.to_builtins(read_organisation(write(tmp_path / "force")))
    async with client(server, supervisor) as http:
        for way in ("plan", "apply"):
            refusal(await http.post(f"/v1/organisation/{way}", json=body), 403, "administrator")
    assert server.beatbook.authority.ledger.registry.units == {}


async def test_what_is_sent_past_the_command_is_looked_at_too(
    server: Running, administrator: Caller, tmp_path: Path
) -> None:
    """The server trusts no reader of files: what does not fit together it refuses with where it says it stands."""
    told = read_organisation(write(tmp_path / "force"))
    (first, *_) = told.spans
    twice = msgspec.structs.replace(told, spans=(*told.spans, msgspec.structs.replace(first, where="by hand")))
    async with client(server, administrator) as http:
        detail = refusal(await http.post("/v1/organisation/apply", json=msgspec.to_builtins(twice)), 422)
        assert detail.startswith("by hand: the same is given for the same time at force.toml [[area]] dudley")
        refusal(await http.post("/v1/organisation/apply", json={"force": "M"}), 400, "up to 40 of a-z")


# --- who did it, and all or nothing ----------------------------------------------------------------------------------


async def test_the_administrator_stands_in_the_log(server: Running, run: Run, tmp_path: Path) -> None:
    """As the author of each act, and of each cell with the seat where they were."""
    await run("apply", write(tmp_path / "force"))
    assert await authors(server) == {SERVER, "ADM1"}
    (op,) = await server.store.ops(A1, 0, 10)
    state = merge.from_row(decode_row(await server.store.record(A1) or b""))
    assert (op.id.partition("/")[0], state.cells[next(iter(state.cells))].stamps()[0].author) == (OFFICE, "ADM1")


async def test_the_server_stands_in_the_log_for_its_own_files(server: Running, tmp_path: Path) -> None:
    """What its configuration names it applies itself, and says so."""
    assert await organise(server.beatbook.organising, write(tmp_path / "force"))
    assert await authors(server) == {SERVER}
    assert set(server.beatbook.authority.ledger.registry.officers) == {"WM1", "WM2"}


async def test_a_disk_that_refuses_leaves_everything_as_it_was(
    server: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Acts and cells are one commit: neither is there after a failure, and the same call again does both."""
    file = write(tmp_path / "force")
    server.store.failing = StoreError("the disk is full")
    assert not await organise(server.beatbook.organising, file)
    server.store.failing = None
    assert "stays as it was: the disk is full" in caplog.text
    assert server.beatbook.authority.ledger.registry.units == {}
    assert await server.store.record(A1) is None
    assert await organise(server.beatbook.organising, file)
    assert await server.store.record(A1) is not None


async def test_acts_and_cells_are_handed_in_together(server: Running, tmp_path: Path) -> None:
    """One submission has both, so that no crash between two of them leaves half a force."""
    server.store.groups.clear()
    await organise(server.beatbook.organising, write(tmp_path / "force"))
    (submission,) = (one for group in server.store.groups for one in group if one.ops)
    assert len(submission.ops) == 2
    assert len(submission.entries) == 14


async def test_what_a_power_cut_left_half_done_is_done_by_the_same_call(server: Running, tmp_path: Path) -> None:
    """Cells in the store without the acts that came with the last of them are not made twice; the rest follows."""
    organising, told = server.beatbook.organising, read_organisation(write(tmp_path / "force"))
    plan = await organising.plan(told, SERVER)
    (first, _) = plan.cells
    spec = spec_of(Resource)
    await server.beatbook.authority.ledger.perform(
        ops=[server.beatbook.office.draft(first.record, spec, None, first.changes, AUTHOR)]
    )
    done = await organising.apply(told, SERVER)
    assert (len(done.changes.steps), [one.what for one in done.cells]) == (14, ["cell A2 of dudley"])
    assert (await organising.apply(told, SERVER)).steps == ()


async def test_a_plan_is_of_what_is_durable(server: Running, tmp_path: Path) -> None:
    """It is tried on a registry of its own: sessions never see an act that was only looked at."""
    before = server.beatbook.authority.ledger.registry
    told = read_organisation(write(tmp_path / "force"))
    plan = await server.beatbook.organising.plan(told, "ADM1")
    assert len(plan.steps) == 16
    assert server.beatbook.authority.ledger.registry is before
    assert (before.units, before.officers) == ({}, {})
    assert await journal(server.store, ACT) == []


# --- cells -----------------------------------------------------------------------------------------------------------


async def test_a_cell_that_is_told_no_more_goes_out_of_service_and_comes_back(server: Running, tmp_path: Path) -> None:
    """Its record stays; told again it is in service as it was told first."""
    organising = server.beatbook.organising
    await organising.apply(read_organisation(write(tmp_path)), SERVER)
    fewer = read_organisation(write(tmp_path, cells="suite,cell,note\ndudley,A2,\n"))
    plan = await organising.apply(fewer, SERVER)
    assert [step.what for step in plan.steps] == ["cell A1 of dudley is out of service"]
    cell = await resource(server)
    assert (cell.service.value, cell.note) == ("out-of-service", GONE)
    assert (await organising.apply(fewer, SERVER)).steps == ()
    again = read_organisation(write(tmp_path))
    assert [step.what for step in (await organising.apply(again, SERVER)).steps] == [
        "cell A1 of dudley is in service again"
    ]
    cell = await resource(server)
    assert (cell.service.value, cell.note) == ("in-service", "with camera")
    assert (await organising.apply(again, SERVER)).steps == ()


async def test_a_fault_that_people_wrote_down_is_theirs(server: Running, tmp_path: Path) -> None:
    """The files say that a cell is there, not that it works: applied again they put nothing back into service."""
    organising, told = server.beatbook.organising, read_organisation(write(tmp_path))
    await organising.apply(told, SERVER)
    fault = {"service": "out-of-service", "note": "door jams"}
    row = merge.from_row(decode_row(await server.store.record(A1) or b""))
    op = server.beatbook.office.draft(A1, row.spec, row, fault, OfficerId("WM2"))  # type: ignore[arg-type]  # plain field names
    await server.beatbook.authority.ledger.perform(ops=[op])
    assert (await organising.apply(told, SERVER)).steps == ()
    fewer = read_organisation(write(tmp_path, cells="suite,cell,note\ndudley,A2,\n"))
    assert (await organising.apply(fewer, SERVER)).steps == ()
    cell = await resource(server)
    assert (cell.service.value, cell.note) == ("out-of-service", "door jams")


async def test_a_cell_that_people_made_is_theirs(server: Running, tmp_path: Path) -> None:
    """A cell that a suite has opened by hand is not in the files, and stays in service."""
    by_hand = RecordId(ID.format(7))
    values = {"category": "cell", "name": "A9", "home": "suite:dudley"}
    await server.beatbook.office.bring([Draft(record=by_hand, kind="resource", values=values)], OfficerId("WM2"))  # type: ignore[arg-type]  # plain field names
    await server.beatbook.organising.apply(read_organisation(write(tmp_path)), SERVER)
    fewer = read_organisation(write(tmp_path, cells="suite,cell,note\n"))
    assert len((await server.beatbook.organising.apply(fewer, SERVER)).steps) == 2
    assert (await resource(server, by_hand)).service.value == "in-service"


async def test_a_suite_is_added_at_run_time(server: Running, tmp_path: Path) -> None:
    """Its unit, its cells and its commander are there at once, and nothing that was there is touched."""
    await server.beatbook.organising.apply(read_organisation(write(tmp_path)), SERVER)
    suite = '\n[[suite]]\nname = "brierley"\ntitle = "Brierley"\narea = "dudley"\nfrom = 2023-11-01\n'
    told = read_organisation(write(tmp_path, FORCE + suite, cells=also("cells", "brierley,1,")))
    plan = await server.beatbook.organising.apply(told, SERVER)
    assert [f"{step.sign} {step.what.partition(',')[0]}" for step in plan.steps] == [
        "+ unit suite-brierley: Brierley", "+ WM1 commands suite-brierley", "+ cell 1 of brierley",
    ]  # fmt: skip


# --- the sockets -----------------------------------------------------------------------------------------------------


async def test_a_posting_that_ends_in_the_file_takes_the_records_off_the_handheld(
    server: Running, tmp_path: Path
) -> None:
    """Over its socket, at once; a bad file takes nothing and says why; posted anew, they come back whole."""
    organising, folder = server.beatbook.organising, tmp_path / "force"
    assert await organise(organising, write(folder))
    handheld = AtSeat(server, await person(server, "WM2", ()))
    await handheld.connect()
    record = RecordId(ID.format(1))
    values = incident(1, area="dudley")["values"]
    await server.beatbook.office.bring([Draft(record=record, kind="incident", values=values)], OfficerId("WM5"))  # type: ignore[arg-type]  # plain field names
    await handheld.until(lambda: handheld.holds(record))
    with pytest.raises(OrganisationError, match=r"postings.csv line 3"):
        read_organisation(write(folder, postings=also("postings", "WM2,nowhere,2023-01-01,")))
    assert not await organise(organising, folder / "force.toml")
    await handheld.ping()
    assert handheld.holds(record)
    assert await organise(organising, write(folder, postings=NOBODY))
    await handheld.until(lambda: not handheld.holds(record))
    assert "area:dudley" in {retract.scope for retract in handheld.retracted}
    assert await organise(organising, write(folder))
    await handheld.until(lambda: handheld.holds(record))
    handheld.disconnect()


async def test_a_posting_that_was_told_with_its_end_ends_by_itself(server: Running, tmp_path: Path) -> None:
    """No file needs to be read again for it: the registry knows the moment."""
    until = "collar,unit,from,until\nWM2,dudley-response,2023-01-01,2023-11-20\n"
    assert await organise(server.beatbook.organising, write(tmp_path / "force", postings=until))
    seat = (await person(server, "WM2", ())).seat
    registry = server.beatbook.authority.ledger.registry
    assert "area:dudley" in registry.seats[seat].grants()
    server.clock.now = Millis(1_700_438_400_000)
    await server.beatbook.authority.ledger.pass_time()
    assert "area:dudley" not in registry.seats[DeviceId(seat)].grants()
