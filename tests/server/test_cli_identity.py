"""From the printed link to a wiped handheld with the commands alone, against a running server."""

import asyncio
import getpass
import stat
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from schemas.errors import UsageError
from schemas.ids import DeviceId, OfficerId, RecordId
from schemas.roles import Role
from server.cli import main
from server.cli.access import ACCESS, IDENTITY, Access
from server.cli.joining import ask
from server.cli.remote import PENDING
from server.federation import links
from server.office import Draft
from tests.server.api import ID
from tests.server.people import program
from tests.server.running import Running, running
from tests.server.test_http_oversight import quarantined, values

Run = Callable[..., Awaitable[tuple[int, str, str]]]
OWN = "seven grey herons"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server whose sockets too are let in by the authority."""
    async with running(tmp_path / "server", real=True) as server:
        yield server


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command: (exit code, standard output, standard error). The passphrases come from the environment."""

    async def run(folder: str, *arguments: str, passphrase: str = OWN, new: str = OWN) -> tuple[int, str, str]:
        secrets = {"BEATBOOK_PASSPHRASE": passphrase, "BEATBOOK_NEW_PASSPHRASE": new}
        given = [*arguments, "--folder", str(tmp_path / folder)]
        result = await asyncio.to_thread(CliRunner(env=secrets).invoke, main, given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
async def administrator(server: Running, run: Run) -> str:
    """The access folder of the first administrator."""
    code = await server.beatbook.authority.enrolling.first_link()
    assert code is not None
    link = links.address(f"{server.url}/setup", code)
    who = ("--officer", "ADM1", "--name", "Ada", "--device", "admin-01")
    done = await run("admin", "setup", link, "--server", server.url, *who)
    assert done[0] == 0, done
    return "admin"


async def test_a_link_that_is_opened_in_a_browser_says_what_it_is_for(server: Running) -> None:
    """The secret stands behind the `#` and is not sent; the page loads and runs nothing."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        page = await http.get("/setup")
    assert (page.status_code, "beatbook setup" in page.text) == (200, True)
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_without_a_terminal_it_is_said_where_a_passphrase_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, before anything is read in the open."""

    def warns(_prompt: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=1)
        return "read in the open"

    monkeypatch.setattr("click.termui.hidden_prompt_func", warns)
    with pytest.raises(UsageError, match="into the variable BEATBOOK_PASSPHRASE, or into a file"):
        ask("Passphrase", None)


async def test_other_roles_leave_the_first_link_open(server: Running) -> None:
    """Officers may be there before anybody administers; from the first administrator on there is no link."""
    enrolling = server.beatbook.authority.enrolling
    await program(server, "WM1", [Role.SUPERVISOR])
    assert await enrolling.first_link() is not None
    await program(server, "ADM1", [Role.ADMINISTRATOR])
    assert await enrolling.first_link() is None


async def test_a_deployment_is_set_up_with_commands(
    server: Running, run: Run, administrator: str, tmp_path: Path
) -> None:
    """A unit, an officer, a device; they sign in, and are told why a record is on it; grants end, and it is wiped."""
    assert (await run("admin", "unit", "add", "dudley", "--title", "Dudley", "--place", "area:dudley"))[0] == 0
    code, once, _ = await run(
        "admin", "officer", "add", "WM1", "--name", "Jo", "--role", "supervisor", "--unit", "dudley"
    )
    assert code == 0
    code, one_time, _ = await run("admin", "code", "hh-01")
    assert code == 0
    enrolled = await run("hh", "enrol", one_time.strip(), "--server", server.url)
    assert enrolled[0] == 0, enrolled
    alone = await run("hh", "sign-in", "--officer", "WM1", passphrase=once.strip())
    assert (alone[0], "choose a new passphrase" in alone[2]) == (1, True), alone
    signed_in = await run("hh", "sign-in", "--officer", "WM1", "--choose", passphrase=once.strip())
    assert (signed_in[0], "roles: supervisor" in signed_in[1]) == (0, True), signed_in
    assert "area:dudley" in (await run("hh", "who"))[1]
    draft = Draft(record=RecordId(ID.format(1)), kind="incident", values=values(area="dudley"))
    await server.beatbook.office.bring([draft], OfficerId("WM5"))
    code, told, _ = await run("hh", "why", ID.format(1), "hh-01")
    assert (code, "hh-01 (WM1): by area:dudley, generation 1" in told, "Dudley" in told) == (0, True, True), told
    listed = (await run("admin", "officer", "list"))[1]
    span = next(line.split(":")[0].strip() for line in listed.splitlines() if ": posted " in line)
    assert (await run("admin", "grant", "end", span, "--why", "moved on"))[0] == 0
    told = (await run("admin", "why", ID.format(1), "hh-01"))[1]
    assert "was there by area:dudley, generation 1, until 20" in told
    assert "no receipt yet" in told
    assert (await run("admin", "device", "list"))[1].count("trusted") == 2
    assert (await run("admin", "wipe", "hh-01", "--why", "stolen"))[0] == 0
    assert "to be wiped" in (await run("admin", "device", "list"))[1]
    ended = await run("hh", "who")
    assert ended[0] == 1, ended


async def test_what_is_kept_is_for_its_owner_and_holds_no_passphrase(
    run: Run, administrator: str, tmp_path: Path
) -> None:
    """Key and token, mode 0600; nothing of an enrolment that is over."""
    files = {path.name: path for path in (tmp_path / "admin").iterdir()}
    assert files.keys() == {IDENTITY, ACCESS}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    assert all(OWN.encode() not in path.read_bytes() for path in files.values())


async def test_an_enrolment_whose_answer_was_lost_is_taken_up_again(
    server: Running, run: Run, administrator: str, tmp_path: Path
) -> None:
    """The key that was made is kept until the server has answered; the same code then works once more for it alone."""
    _, code, _ = await run("admin", "code", "hh-01")
    down = await run("hh", "enrol", code.strip(), "--server", "http://127.0.0.1:1")
    assert (down[0], "cannot be reached" in down[2]) == (1, True), down
    pending = (tmp_path / "hh" / PENDING).read_bytes()
    assert (await run("hh", "enrol", code.strip(), "--server", server.url))[0] == 0
    identity = Access.open(tmp_path / "hh").identity
    assert identity.device == DeviceId("hh-01")
    # As if the answer had not come: the key waits, and nothing else is there.
    (tmp_path / "again").mkdir(mode=0o700)
    (tmp_path / "again" / PENDING).write_bytes(pending)
    (tmp_path / "again" / PENDING).chmod(0o600)
    assert (await run("again", "enrol", code.strip(), "--server", server.url))[0] == 0
    assert Access.open(tmp_path / "again").identity.public_key == identity.public_key
    other = await run("other", "enrol", code.strip(), "--server", server.url)
    assert (other[0], "used already" in other[2]) == (1, True), other


async def test_a_program_is_let_in_with_commands(server: Running, run: Run, administrator: str) -> None:
    """Its code, its seat, its scope; it fetches tokens with its key, and loses what is ended."""
    await run("admin", "officer", "add", "FEED", "--name", "The council's screen", "--role", "control-room")
    _, code, _ = await run("admin", "code", "feed-01")
    assert (await run("feed", "enrol", code.strip(), "--server", server.url, "--seat", "feed-01"))[0] == 0
    assert (await run("admin", "seat", "feed-01", "--officer", "FEED"))[0] == 0
    give = ("grant", "give", "feed-01", "--seat", "--scope", "area:dudley", "--why", "the contract")
    given = await run("admin", *give)
    assert given[0] == 0, given
    assert "area:dudley" in (await run("feed", "who"))[1]


async def test_quarantine_is_settled_with_commands(server: Running, run: Run, administrator: str) -> None:
    """Listed, looked into with a reason, adopted; and what is asked wrongly is one clear line."""
    await run("admin", "officer", "add", "SUP1", "--name", "Sam", "--role", "supervisor")
    _, code, _ = await run("admin", "code", "desk-01")
    await run("desk", "enrol", code.strip(), "--server", server.url, "--seat", "desk-01")
    await run("admin", "seat", "desk-01", "--officer", "SUP1")
    await run("admin", "grant", "give", "desk-01", "--seat", "--scope", "area:birmingham", "--why", "the desk")
    draft = Draft(record=RecordId(ID.format(1)), kind="incident", values=values())
    await server.beatbook.office.bring([draft], OfficerId("WM5"))
    await quarantined(server, 1, ID.format(1), log=[{"text": "Towards the canal."}])
    code_, told, _ = await run("desk", "quarantine", "list")
    assert (code_, told.endswith("1 waiting\n")) == (0, True), told
    key = told.split("  ")[0]
    opened = await run("desk", "quarantine", "open", key, "--why", "a check")
    assert (opened[0], "Towards the canal." in opened[1]) == (0, True), opened
    assert (await run("desk", "quarantine", "adopt", key, "--why", "it is true"))[0] == 0
    again = await run("desk", "quarantine", "discard", key, "--why", "no")
    assert (again[0], "decided already" in again[2]) == (1, True), again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("revoke", "--why", "x"), "either DEVICE or --officer"),
        (("revoke", "hh-404", "--why", "x"), "there is no device"),
        (("wipe", "hh-404", "--why", "x"), "there is no device"),
        (("officer", "add", "WM1", "--name", "Jo", "--unit", "nowhere"), "there is no unit"),
        (("officer", "unlock", "ADM1", "--why", "x"), "is not locked"),
        (("grant", "give", "WM1"), "say one thing that is given"),
        (("grant", "give", "WM1", "--role", "officer", "--mission", "castle"), "say one thing that is given"),
        (("grant", "give", "feed-01", "--seat", "--role", "officer"), "give --scope alone"),
        (("grant", "end", "nothing", "--why", "x"), "there is no role"),
        (("unit", "merge", "east", "west"), "there is no unit"),
        (("why", "x", "hh-01"), "is no record id"),
        (("inbox", "list"), "this is for whoever is"),
        (("quarantine", "list"), "this is for whoever is supervisor"),
        (("enrol", "x", "--server", "http://127.0.0.1:1"), "holds the key of a device already"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_one_clear_line(
    run: Run, administrator: str, arguments: tuple[str, ...], words: str
) -> None:
    """What, where, what to do; no traceback."""
    code, _, errors = await run("admin", *arguments)
    assert (code, words in errors) == (1, True), errors
    assert errors.startswith("Error: ")
