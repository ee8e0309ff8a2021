"""`beatbook inbox` and `beatbook explain` against a running server: what a person sees, and each way it goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from schemas.errors import StoreError
from schemas.ids import named_record_id
from schemas.kinds import CustodyBooking, Resource
from server.cli import main
from server.cli.access import Access, AccessFile
from server.cli.deciding import parsed
from tests.server.disputes import BOOKING, CELL, Disputes
from tests.server.people import Caller
from tests.server.running import NOW, Running

Run = Callable[..., Awaitable[tuple[int, str]]]
WHO = ("--reason", "Looked.")


@pytest.fixture
def folder(server: Running, caller: Caller, tmp_path: Path) -> Path:
    """The access folder of somebody who works with every record."""
    folder = tmp_path / "access"
    Access.make(folder, caller.identity, AccessFile(server=server.url, seat=caller.seat, officer=caller.officer))
    return folder


@pytest.fixture
def run(folder: Path) -> Run:
    """Run a command as whoever has that folder: (exit code, what was printed)."""

    async def run(*arguments: str) -> tuple[int, str]:
        given = arguments if "--folder" in arguments else (*arguments, "--folder", str(folder))
        result = await asyncio.to_thread(CliRunner().invoke, main, given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


async def test_the_inbox_lists_the_most_urgent_first(server: Running, run: Run, disputes: Disputes) -> None:
    """What is overdue is said to be, what is settled comes only when it is asked for."""
    assert await run("inbox", "list") == (0, "0 waiting, 0 overdue\n")
    time, cell = await disputes.over_time(), await disputes.over_cell()
    code, said = await run("inbox", "list")
    assert code == 0
    assert said.index(cell) < said.index(time)
    assert f"    relevant_time of custody-booking {BOOKING} (Ann Example): " in said
    assert f"    hold of resource {CELL} (M1): " in said
    assert "2023-11-14T22:10:00Z | 2023-11-14T22:11:40Z" in said
    assert "held for booking-b | held for booking-a" in said
    assert said.endswith("2 waiting, 0 overdue\n")
    server.clock.advance(11 * 60_000)
    _, said = await run("inbox", "list", "--overdue")
    assert f"{cell}  OVERDUE since" in said
    assert time not in said
    assert cell not in (await run("inbox", "list", "--scope", "suite:oldbury:inbox"))[1]
    await run("inbox", "decide", cell, "--candidate", "desk-b/2", *WHO)
    assert cell not in (await run("inbox", "list"))[1]
    assert f"{cell}  settled" in (await run("inbox", "list", "--all"))[1]


async def test_an_item_is_shown_and_decided_for_a_candidate(run: Run, disputes: Disputes) -> None:
    """By the op's name that the showing tells; afterwards it is shown as decided."""
    item = await disputes.over_time()
    _, said = await run("inbox", "show", item)
    assert "1. 2023-11-14T22:10:00Z, from DESK-B on device desk-b (desk-b/1)" in said
    code, said = await run("inbox", "decide", item, "--candidate", "desk-a/3", *WHO)
    assert (code, f"relevant_time of {BOOKING} is now {NOW - 100_000}." in said) == (0, True), said
    assert "WM1 decided at" in (await run("inbox", "show", item))[1]
    assert await disputes.value(BOOKING, "relevant_time") == NOW - 100_000


async def test_a_decision_may_name_another_value_and_another_cell(run: Run, disputes: Disputes) -> None:
    """Text that is JSON is taken as that, other text as it stands."""
    other = named_record_id("cell", "M2")
    disputes.a.write(other, Resource, create=True, category="cell", name="M2", home="suite:perry-barr")
    cell = await disputes.over_cell()
    text = '{"holder": "booking-b"}'
    code, said = await run("inbox", "decide", cell, "--value", text, "--instead", f"booking-a={other}", *WHO)
    assert (code, f"booking-a has {other} instead." in said) == (0, True), said
    assert await disputes.value(other, "hold") == {"holder": "booking-a"}
    adult = await disputes.differ(BOOKING, CustodyBooking, "appropriate_adult", "not-needed", "needed")
    assert (await run("inbox", "decide", adult, "--value", "needed", *WHO))[0] == 0
    assert await disputes.value(BOOKING, "appropriate_adult") == "needed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("needed", "needed"), ("17", 17), ('"17"', "17"), ("null", None), ("", ""), ('["nuts"]', ["nuts"]), ("{", "{")],
)
def test_a_value_is_json_or_plain_text(text: str, expected: object) -> None:
    """Quotes tell a text of digits from a number."""
    assert parsed(text) == expected


async def test_what_was_not_looked_at_is_said_to_wait(run: Run, disputes: Disputes) -> None:
    """Whoever names what they saw is told that another value came in."""
    item = await disputes.over_time()
    seen = ("--seen", "desk-b/1")
    code, said = await run("inbox", "decide", item, "--value", str(NOW - 200_000), *seen, *WHO)
    assert (code, "a new question waits" in said) == (0, True), said


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("relevant_time", "14:32", "relevant_time of a custody-booking takes a time: ISO 8601 with its offset"),
        ("relevant_time", "2023-11-14T22:10:00", "milliseconds since 1970; or null for nothing"),
        ("relevant_time", "[1]", "takes a time"),
        ("appropriate_adult", "maybe", "takes one of needed, not-needed; or null for nothing"),
        ("appropriate_adult", "7", "takes one of needed, not-needed"),
        ("allergies", "nuts", "takes a JSON list"),
        ("arresting_officer", "17", "takes a text; one of digits in quotes"),
        ("hold", "M2", "takes a JSON object of holder, until (or without); or null for nothing"),
    ],
)
async def test_a_value_that_the_field_cannot_hold_is_told_what_it_takes(
    run: Run, disputes: Disputes, field: str, text: str, words: str
) -> None:
    """In a person's words, and nothing is decided."""
    said: dict[str, tuple[object, object]] = {
        "relevant_time": (NOW, NOW + 1),
        "appropriate_adult": ("needed", "not-needed"),
        "arresting_officer": ("WM1", "WM2"),
    }
    if field == "hold":
        item = await disputes.over_cell()
    elif field == "allergies":
        item = await disputes.care(field, ["nuts"], ["latex"])
    else:
        item = await disputes.differ(BOOKING, CustodyBooking, field, *said[field])
    code, told = await run("inbox", "decide", item, "--value", text, *WHO)
    assert (code, words in told) == (1, True), told
    assert (await run("inbox", "list"))[1].endswith("1 waiting, 0 overdue\n")


@pytest.mark.parametrize("text", ["2023-11-14T22:10:00.250Z", '"2023-11-14T23:10:00.250+01:00"', "1699999800250"])
async def test_a_time_may_be_given_as_people_write_it(run: Run, disputes: Disputes, text: str) -> None:
    """ISO 8601 with its offset, or milliseconds."""
    item = await disputes.over_time()
    code, said = await run("inbox", "decide", item, "--value", text, *WHO)
    assert code == 0, said
    assert await disputes.value(BOOKING, "relevant_time") == 1_699_999_800_250


async def test_an_explanation_is_printed_in_words(run: Run, disputes: Disputes) -> None:
    """Of one field or of all of which anything was said."""
    await disputes.over_time()
    code, said = await run("explain", BOOKING, "relevant_time")
    assert code == 0
    assert said.startswith(f"custody-booking {BOOKING}\n\nrelevant time of this custody-booking: 2023-11-14T22:10:00Z.")
    assert "DESK-A on device desk-a said 2023-11-14T22:11:40Z" in said
    assert "arrested at of this" not in said
    assert "arrested at of this" in (await run("explain", BOOKING))[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "x"), "'x' is no record id"),
        (("explain", named_record_id("nobody")), "there is no record"),
        (("explain", BOOKING, "colour"), "field='colour': a custody-booking has suite, detainee"),
        (("inbox", "show", "x"), "'x' is no inbox item"),
        (("inbox", "show", CELL), "there is no inbox item"),
        (("inbox", "decide", CELL, "--value", "1", *WHO), "there is no inbox item"),
        (("inbox", "decide", CELL, *WHO), "either --candidate OP or --value VALUE"),
        (("inbox", "decide", CELL, "--value", "1", "--candidate", "a-b/1", *WHO), "either --candidate"),
        (("inbox", "decide", CELL, "--value", "1", "--instead", "M2", *WHO), "give HOLDER=RECORD"),
        (("inbox", "decide", CELL, "--value", "1", "--reason", "  "), "say in words why"),
        (("inbox", "decide", CELL, "--value", "1", "--reason", ""), "say in words why"),
        (("inbox", "decide", CELL, "--value", "1", "--seen", "foo", *WHO), "'foo' is no op: give device/number"),
        (("inbox", "list", "--scope", "garbage"), "'garbage': no such family of scopes"),
        (("inbox", "list", "--folder", "nowhere"), "nowhere holds no access to a server"),
    ],
)
async def test_what_cannot_be_is_one_clear_line(
    run: Run, disputes: Disputes, arguments: tuple[str, ...], words: str
) -> None:
    """What, where, what to do; no traceback."""
    code, said = await run(*arguments)
    assert (code, words in said) == (1, True), said


async def test_a_candidate_that_is_none_is_refused_with_those_there_are(run: Run, disputes: Disputes) -> None:
    """The names are told, so that the next attempt is right; what is decided already is told too."""
    item = await disputes.over_time()
    code, said = await run("inbox", "decide", item, "--candidate", "desk-z/9", *WHO)
    assert (code, "the item has desk-b/1 and desk-a/3" in said) == (1, True), said
    await run("inbox", "decide", item, "--candidate", "desk-b/1", *WHO)
    code, said = await run("inbox", "decide", item, "--candidate", "desk-b/1", *WHO)
    assert (code, "is decided already by WM1" in said) == (1, True), said


async def test_a_server_that_is_not_there_is_told(run: Run, folder: Path) -> None:
    """By its address; what is kept in the folder stays as it is."""
    access = Access.open(folder)
    access.keep(msgspec.structs.replace(access.file, server="http://127.0.0.1:1"))
    code, said = await run("inbox", "list")
    assert (code, "http://127.0.0.1:1 cannot be reached" in said) == (1, True), said
    assert Access.open(folder).file.seat == access.file.seat


async def test_a_server_that_fails_is_told(server: Running, run: Run) -> None:
    """A failing store is the server's fault, and what it says is passed on."""
    server.store.failing_reads = StoreError("disk is gone")
    code, said = await run("explain", BOOKING)
    assert (code, "nothing was lost; ask again" in said) == (1, True), said
