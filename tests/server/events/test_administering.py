"""Dead letters over HTTP and with `beatbook events`: listed, tried again, given up; by administrators, and logged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from schemas.ids import DeviceId, OfficerId, RecordId
from schemas.roles import Role
from server.cli import main
from server.cli.access import Access, AccessFile
from server.events.webhooks import LETTERS, Deed, Webhooks
from server.evidence.section62 import Kind, Query, Searched
from server.office import Draft
from tests.server.api import ID, client, incident, refusal
from tests.server.events.station import BACKOFF, FAILED, GONE, TAKEN, Subscriber, subscription
from tests.server.people import Caller, program
from tests.server.running import Running

ONE, TWO = RecordId(ID.format(1)), RecordId(ID.format(2))
WHY = "the receiver is mended"
TURNS_MAX = 100_000
"""Of the event loop; all there is to do takes a few hundred."""


class Desk:
    """A server with one webhook, whose subscriber answers as a test says."""

    def __init__(self, server: Running, administrator: Caller) -> None:
        """Bind it; `open` starts the webhook."""
        self.server = server
        self.administrator = administrator
        self.subscriber = Subscriber()
        beatbook = server.beatbook
        once = msgspec.structs.replace(BACKOFF, tries_max=1)
        beatbook.webhooks = self.webhooks = Webhooks(
            server.store,
            beatbook.committer,
            server.clock,
            [subscription(backoff=once)],
            lambda _subscription, _now: self.subscriber,
        )

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the webhook work until that holds."""
        for _ in range(TURNS_MAX):
            if holds():
                return
            await asyncio.sleep(0)
        raise AssertionError("it did not come to that")

    async def write(self, number: int, **values: object) -> None:
        """Make an incident, or change it."""
        draft = incident(number, **values)
        found: Any = draft["values"]
        await self.server.beatbook.office.bring(
            [Draft(record=RecordId(str(draft["id"])), kind="incident", values=found)], OfficerId("WM1")
        )

    async def give_up(self, number: int) -> None:
        """An event of an incident becomes a dead letter."""
        self.subscriber.answers = lambda _event: FAILED
        before = len(self.webhooks.letters("records"))
        await self.write(number)
        await self.until(lambda: len(self.webhooks.letters("records")) > before)
        self.subscriber.answers = lambda _event: TAKEN

    def http(self, caller: Caller | None = None) -> httpx.AsyncClient:
        """As the administrator, or somebody else."""
        return client(self.server, caller or self.administrator)

    async def deeds(self) -> list[Deed]:
        """What the journal has."""
        entries = await self.server.store.journal(LETTERS, 0, 10)
        return [msgspec.msgpack.decode(one.body or b"", type=Deed) for one in entries]


@pytest.fixture
async def desk(server: Running) -> AsyncIterator[Desk]:
    """One whose webhook runs."""
    found = Desk(server, await program(server, "ADM1", [Role.ADMINISTRATOR], []))
    await found.webhooks.start()
    tasks = [asyncio.create_task(one) for one in found.webhooks.tasks()]
    yield found
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_webhooks_and_dead_letters_are_listed(desk: Desk) -> None:
    """Each with what waits and why; nothing of what an event says, nor of the address but its host."""
    await desk.give_up(1)
    await desk.write(1, grade="p1")
    await desk.until(lambda: desk.webhooks.letters("records")[0].events == 2)
    async with desk.http() as http:
        (standing,) = (await http.get("/v1/events")).json()["webhooks"]
        (letter,) = (await http.get("/v1/events/records/letters")).json()["letters"]
    assert (standing["name"], standing["host"], standing["off"]) == ("records", "records.example", "")
    assert (standing["waiting"], standing["dead_letters"], standing["trouble"]) == (2, 1, "answered 500")
    assert (letter["record"], letter["events"], letter["tries"], letter["why"]) == (ONE, 2, 1, "answered 500")
    assert letter["due_at"] is None
    assert letter["dead_at"] == desk.server.clock.now


async def test_a_dead_letter_is_tried_again_and_the_log_says_by_whom(desk: Desk) -> None:
    """What was behind it follows in its order."""
    await desk.give_up(1)
    await desk.write(1, grade="p1")
    async with desk.http() as http:
        answer = await http.post("/v1/events/records/retries", json={"why": WHY, "record": ONE})
    assert answer.json() == {"count": 1}
    await desk.until(lambda: len(desk.subscriber.taken) == 2)
    assert desk.subscriber.told() == [("created", ONE), ("changed", ONE)]
    (deed,) = await desk.deeds()
    assert (deed.webhook, deed.what, deed.records, deed.by, deed.why) == ("records", "retry", (ONE,), "ADM1", WHY)


async def test_all_dead_letters_are_tried_again_at_once(desk: Desk) -> None:
    """After a receiver was mended nobody wants to name each record."""
    await desk.give_up(1)
    await desk.give_up(2)
    async with desk.http() as http:
        assert (await http.post("/v1/events/records/retries", json={"why": WHY})).json() == {"count": 2}
        await desk.until(lambda: len(desk.subscriber.taken) == 2)
        refusal(await http.post("/v1/events/records/retries", json={"why": WHY}), 422, "has no dead letter")
    (deed,) = await desk.deeds()
    assert deed.records == (ONE, TWO)


@pytest.mark.parametrize(("every", "told"), [(False, [("changed", ONE)]), (True, [])])
async def test_a_dead_letter_is_given_up(desk: Desk, *, every: bool, told: list[tuple[str, str]]) -> None:
    """Alone, and what is behind it goes on; or with everything that waits of its record."""
    await desk.give_up(1)
    await desk.write(1, grade="p1")
    await desk.until(lambda: desk.webhooks.letters("records")[0].events == 2)
    async with desk.http() as http:
        answer = await http.post("/v1/events/records/drops", json={"record": ONE, "why": WHY, "every": every})
    assert answer.json() == {"count": 2 if every else 1}
    await desk.until(lambda: not desk.webhooks.letters("records") and len(desk.subscriber.taken) == len(told))
    assert desk.subscriber.told() == told
    assert [deed.what for deed in await desk.deeds()] == ["drop-all" if every else "drop"]


async def test_a_subscriber_who_was_gone_is_turned_on_again(desk: Desk) -> None:
    """It goes on where it was; one that is on cannot be turned on."""
    desk.subscriber.answers = lambda _event: GONE
    await desk.write(1)
    await desk.until(lambda: desk.webhooks.standings()[0].off != "")
    desk.subscriber.answers = lambda _event: TAKEN
    async with desk.http() as http:
        (standing,) = (await http.get("/v1/events")).json()["webhooks"]
        assert (standing["off"], standing["off_at"]) == ("answered 410", desk.server.clock.now)
        assert (await http.post("/v1/events/records/turning-on", json={"why": WHY})).status_code == 200
        await desk.until(lambda: desk.subscriber.told() == [("created", ONE)])
        refusal(await http.post("/v1/events/records/turning-on", json={"why": WHY}), 422, "is not off")
    assert [deed.what for deed in await desk.deeds()] == ["turn-on"]


async def test_nobody_but_an_administrator_sees_or_does_any_of_it(desk: Desk) -> None:
    """Whoever works with records has no say in where they go."""
    officer = await program(desk.server, "WM1")
    async with desk.http(officer) as http:
        refusal(await http.get("/v1/events"), 403)
        refusal(await http.get("/v1/events/records/letters"), 403)
        for path in ("retries", "drops", "turning-on"):
            refusal(await http.post(f"/v1/events/records/{path}", json={"why": WHY, "record": ONE}), 403)
    assert await desk.deeds() == []


async def test_what_is_not_there_is_told_and_nothing_is_done(desk: Desk) -> None:
    """No such webhook, no such dead letter, no reason."""
    async with desk.http() as http:
        refusal(await http.get("/v1/events/others/letters"), 404, "no webhook 'others'")
        refusal(await http.get("/v1/events/records/letters?which=some"), 422, "give one of dead, all")
        refusal(await http.post("/v1/events/records/drops", json={"record": ONE, "why": WHY}), 422, "no dead letter of")
        refusal(await http.post("/v1/events/records/retries", json={"why": ""}), 400)
    assert await desk.deeds() == []


async def test_the_commands_say_the_same(desk: Desk, tmp_path: Path) -> None:
    """Each of `beatbook events`, as an administrator types it."""
    administrator = desk.administrator
    folder = tmp_path / "access"
    file = AccessFile(server=desk.server.url, seat=administrator.seat, officer=administrator.officer)
    Access.make(folder, administrator.identity, file)

    async def run(*words: str) -> tuple[int, str]:
        given = ["events", *words, "--folder", str(folder)]
        result = await asyncio.to_thread(CliRunner().invoke, main, given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    assert await run("list") == (0, "records (records.example)  0 waiting, 0 dead letters; goes well\n1 webhooks\n")
    await desk.give_up(1)
    await desk.give_up(2)
    assert "2 waiting, 2 dead letters; answered 500" in (await run("list"))[1]
    said = (await run("letters", "records", "--all"))[1]
    assert f"{ONE}  1 waiting, 1 tries, given up 2023-11-14T22:13:20Z: answered 500" in said
    assert said.endswith("2 records\n")
    assert await run("drop", "records", ONE, "--every", "--why", WHY) == (0, "1 events are given up\n")
    assert await run("retry", "records", TWO, "--why", WHY) == (0, "1 records are tried again\n")
    code, said = await run("turn-on", "records", "--why", WHY)
    assert (code, "is not off" in said) == (1, True)
    code, said = await run("letters", "a/b")
    assert (code, "is no name of a webhook" in said) == (1, True)
    assert [deed.what for deed in await desk.deeds()] == ["drop-all", "retry"]


def test_the_schema_of_a_kinds_events_is_printed() -> None:
    """For whoever writes a receiver; a kind that is none is told."""
    result = CliRunner().invoke(main, ["events", "schema", "incident"])
    assert '"$id": "urn:beatbook:v' in result.output
    assert ":event:incident" in result.output
    assert "there is no kind 'x'" in CliRunner().invoke(main, ["events", "schema", "x"]).output


async def test_whoever_searches_the_log_finds_to_whom_a_record_was_told(desk: Desk) -> None:
    """A webhook discloses: to whom, which fields, since when; once for a record, also when it is erased since."""
    for grade in ("p2", "p1"):
        await desk.write(1, grade=grade)
        await desk.until(lambda: desk.webhooks.standings()[0].waiting == 0)
    await desk.until(lambda: len(desk.subscriber.taken) == 2)
    beatbook = desk.server.beatbook
    search = Searched(
        officer=OfficerId("AUD1"), seat=DeviceId("desk-1"), at=beatbook.now(), after="", why="a complaint",
        query=Query(record=ONE, kinds=(Kind.DISCLOSURE,)),
    )  # fmt: skip
    (event,) = (await beatbook.section62.search(search)).events
    assert event.recipients == ("records (records.example)",)
    assert event.why == "webhook records: grade, summary, urn, from then on"
    assert event.at == desk.server.clock.now
