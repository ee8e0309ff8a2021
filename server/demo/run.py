"""The course of events: open, work, lose signal, lose the server, push briefings, get signal back, check."""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from schemas.ids import FieldName, OfficerId, RecordId
from schemas.kinds import KINDS
from server.demo import checks, content
from server.demo.actors import Actor, ControlRoomDesk, CustodyDesk
from server.demo.checks import Verdict
from server.demo.ledger import Ledger, percentile
from server.demo.masts import Mast
from server.demo.stage import Person, Stage
from server.demo.view import View
from server.importing.areas import Areas
from server.importing.street import Unusable, rows
from server.importing.target import open_target
from server.office import Draft

INVENTED_PER_AREA: Final = 12
AUTHOR: Final = OfficerId("control")
SETTLE_TIMEOUT_S: Final = 120.0
CHUNK: Final = 500
ACROSS_EVERY: Final = 5
"""Every fifth officer works across a boundary of areas."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was asked for.

    Attributes:
        seconds: how long the shift lasts.
        devices: how many officers' handhelds.
        seed: of everything random in the demo.
        street: a street file for the shift's incidents, or None for invented ones.
        live: whether to draw.
    """

    seconds: float
    devices: int
    seed: int
    street: Path | None
    live: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo found; its JSON is `--json`'s.

    Attributes:
        devices, desks: officers' handhelds; the custody desk and the control room's.
        ops_made, ops_durable: changes accepted by a handheld; those it was told are on the server's disk.
        ops_lost, ops_twice: of the ops made: not on the server; there more than once.
        replicas_equal: whether replicas with equal grants hold the same as each other and as the server.
        server_kills: how often the server was killed with SIGKILL.
        briefing_ms_p50, briefing_ms_p99: from the control room's call to the briefing in a handheld's replica, for
            handhelds that were connected at that moment.
        catchup_ms_p99: from the return of signal until everything is in and nothing waits.
        plaintext_found: planted words found in files that should be encrypted.
        ops_without_signal, incidents, briefings, seconds: how large the run was.
        holds: whether every promise held.
    """

    devices: int
    desks: int
    ops_made: int
    ops_durable: int
    ops_lost: int
    ops_twice: int
    replicas_equal: bool
    server_kills: int
    briefing_ms_p50: float | None
    briefing_ms_p99: float | None
    catchup_ms_p99: float | None
    plaintext_found: int
    ops_without_signal: int
    incidents: int
    briefings: int
    seconds: float
    holds: bool


async def run(options: Options, console: Console) -> tuple[Report, Verdict]:
    """Run the demo in a temporary folder and remove it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="beatbook-demo-") as name:
        demo = _Demo(options, Path(name), console)
        with demo.view, _temporary_files_in(Path(name) / "tmp"):
            verdict = await demo.play()
        return demo.report(verdict, time.monotonic() - began), verdict


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Have every temporary file of this process, SQLite's included, made where the search looks."""
    folder.mkdir()
    names = ("TMPDIR", "SQLITE_TMPDIR")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(folder)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Demo:
    def __init__(self, options: Options, folder: Path, console: Console) -> None:
        self._options = options
        self._folder = folder
        self._temporary = folder / "tmp"
        self._rng = random.Random(options.seed)
        self._ledger = Ledger()
        self._stage = Stage(folder)
        self._incidents: dict[str, list[RecordId]] = {}
        self._actors: list[Actor] = []
        self._over = False
        self._early = Verdict()
        self._incident_count = 0
        self.view = View(console, self._ledger, live=options.live)

    async def play(self) -> Verdict:
        await self._load()
        async with self._cast() as actors:
            self._actors = actors
            self.view.actors = actors
            await self._settle("every handheld holds its areas")
            await self._shift()
            await self._settle("everything has come to rest")
            return await self._check()

    # --- before ------------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        drafts = self._drafts()
        self.view.say(f"loading {len(drafts)} incidents")
        async with open_target(self._stage.data) as target:
            for start in range(0, len(drafts), CHUNK):
                await target.bring(drafts[start : start + CHUNK], AUTHOR)
        for draft in drafts:
            area = draft.values[FieldName("area")]
            self._incidents.setdefault(f"area:{area}", []).append(draft.record)

    def _drafts(self) -> list[Draft]:
        if self._options.street is not None:
            found = list(rows(self._options.street, Areas.of_west_midlands()))
            unusable = sum(isinstance(one, Unusable) for one in found)
            if unusable:
                self.view.say(f"{unusable} rows of the file are not usable (beatbook import street tells which)")
            return [one for one in found if isinstance(one, Draft)]
        return content.invented_drafts(self._rng, INVENTED_PER_AREA)

    @asynccontextmanager
    async def _cast(self) -> AsyncIterator[list[Actor]]:
        people = self._people()
        for _, person in people:
            self._stage.enrol(person)
        actors: list[Actor] = []
        try:
            await self._stage.start()
            self.view.address = self._stage.base
            self.view.say(f"the server is up at {self._stage.base}")
            for role, person in people:
                mast = Mast("127.0.0.1", self._stage.port)
                await mast.open()
                actor = role(person, mast, self._folder / "devices", random.Random(self._rng.random()), self._ledger)
                actor.hand([record for scope in sorted(person.audiences) for record in self._sample(scope)])
                await actor.open()
                actors.append(actor)
            yield actors
        finally:
            await asyncio.gather(*(actor.close() for actor in actors))
            await asyncio.gather(*(actor.mast.close() for actor in actors))
            await self._stage.stop()

    def _people(self) -> list[tuple[type[Actor], Person]]:
        people: list[tuple[type[Actor], Person]] = []
        for i in range(self._options.devices):
            areas = [content.AREAS[i % len(content.AREAS)]]
            if (i + 1) % ACROSS_EVERY == 0:
                areas.append(content.AREAS[(i + 1) % len(content.AREAS)])
            people.append(
                (Actor, Person(f"hh-{i + 1:03}", f"WM{21_000 + i}", ["force", *(f"area:{area}" for area in areas)]))
            )
        people.append((CustodyDesk, Person("custody-desk", "WM30001", ["force", f"suite:{content.SUITE}"])))
        people.append(
            (ControlRoomDesk, Person("control-desk", "WM30002", ["force", *(f"area:{area}" for area in content.AREAS)]))
        )
        return people

    def _sample(self, scope: str) -> list[RecordId]:
        known = self._incidents.get(scope, [])
        return self._rng.sample(known, min(len(known), 20))

    # --- the shift ---------------------------------------------------------------------------------------------------

    async def _shift(self) -> None:
        self.view.say("the shift begins")
        seconds = self._options.seconds
        working = [asyncio.create_task(actor.work(lambda: self._over)) for actor in self._actors]
        briefings = asyncio.create_task(self._push_briefings(seconds / 10))
        try:
            await asyncio.sleep(seconds * 0.15)
            lost = self._lose_signal()
            await asyncio.sleep(seconds * 0.30)
            await self._kill_server()
            await asyncio.sleep(seconds * 0.20)
            await self._search("with signal lost")
            returned = [asyncio.create_task(self._return_signal(actor)) for actor in lost]
            self.view.say(f"handhelds whose signal returns: {len(lost)}")
            await asyncio.sleep(seconds * 0.35)
            self._over = True
            # A briefing that is on its way is not broken off: it would be missed where nobody had pushed it.
            await asyncio.gather(*working, *returned, briefings)
        finally:
            self._over = True
            briefings.cancel()
            for task in working:
                task.cancel()
            await asyncio.gather(briefings, *working, return_exceptions=True)
        self.view.say("the shift is over")

    def _lose_signal(self) -> list[Actor]:
        handhelds = [actor for actor in self._actors if type(actor) is Actor]
        lost = self._rng.sample(handhelds, -(-len(handhelds) // 3))
        for place, actor in enumerate(lost):
            if place % 3 == 0:
                actor.mast.hush()
            else:
                actor.mast.cut()
        self.view.say(f"handhelds that lose signal: {len(lost)}; their officers go on")
        return lost

    async def _kill_server(self) -> None:
        await self._stage.kill()
        self.view.say("the server is killed (SIGKILL)")
        await self._stage.start()
        self.view.say("the server is up again")

    async def _return_signal(self, actor: Actor) -> None:
        actor.mast.restore()
        actor.handheld.network_returned()
        began = time.monotonic()
        await actor.handheld.wait_until(lambda status: status.connected and status.caught_up and status.waiting == 0)
        self._ledger.catchup_ms.append((time.monotonic() - began) * 1_000)

    async def _push_briefings(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            if self._over:
                return
            title, body = content.briefing(self._rng, content.planted_word(self._rng))
            there = frozenset(
                actor.person.device
                for actor in self._actors
                if actor.mast.has_signal and actor.handheld.status.connected
            )
            record = content.new_id(self._rng)
            self._ledger.briefings[record] = (time.monotonic(), there)
            body_json = {
                "id": record,
                "title": title,
                "body": body,
                "audience": ["force"],
                "author": AUTHOR,
                "urgent": True,
            }
            try:
                await self._stage.post("/v1/briefings", body_json)
                self.view.say(f"briefing pushed: {title}")
            except OSError:
                # The server is down just now: the control room sends it again, as the same record.
                self._ledger.briefings[record] = (time.monotonic(), frozenset())
                await self._again(body_json)

    async def _again(self, body: dict[str, Any]) -> None:
        while True:
            await asyncio.sleep(0.2)
            try:
                await self._stage.post("/v1/briefings", body)
            except OSError:
                continue
            self.view.say(f"briefing pushed once the server was back: {body['title']}")
            return

    # --- after -------------------------------------------------------------------------------------------------------

    async def _settle(self, said: str) -> None:
        """Wait until every handheld holds everything and nothing waits; the checks tell when it never does."""
        try:
            await self._rest()
        except TimeoutError:
            self.view.say(f"no rest after {SETTLE_TIMEOUT_S:.0f} s: not {said}")
        else:
            self.view.say(said)

    async def _rest(self) -> None:
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            await asyncio.gather(
                *(
                    actor.handheld.wait_until(
                        lambda status: status.connected and status.caught_up and status.waiting == 0
                    )
                    for actor in self._actors
                )
            )
            # The server tells nobody when acknowledgements are in: it is asked again a little later.
            while not await self._equal_heads():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _equal_heads(self) -> bool:
        """Whether every device says that it holds the same position of each scope as the furthest does."""
        heads: dict[str, int] = {}
        devices = (await self._stage.get("/v1/devices"))["devices"]
        for device in devices:
            for scope, seq in device["acked"].items():
                heads[scope] = max(heads.get(scope, 0), seq)
        return all(
            device["connected"]
            and all(device["acked"].get(scope, 0) == heads.get(scope, 0) for scope in device["scopes"])
            for device in devices
        )

    async def _search(self, when: str) -> None:
        """Search for planted words while databases and WALs are in use."""
        found = Verdict()
        await asyncio.to_thread(checks.search_plaintext, found, self._actors, self._temporary, self._stage.data)
        self._early = found
        self.view.say(f"searched the replicas' files {when}: {found.plaintext_found} planted words in plain")

    async def _check(self) -> Verdict:
        verdict = Verdict()
        records = {name: await self._stage.all_records(name) for name in KINDS}
        self._incident_count = len(records["incident"])
        checks.check_waiting(verdict, self._actors)
        checks.check_briefings(verdict, self._actors, self._ledger)
        await checks.check_replicas(verdict, self._actors, records)
        await asyncio.to_thread(checks.search_plaintext, verdict, self._actors, self._temporary, self._stage.data)
        verdict.plaintext_found += self._early.plaintext_found
        await self._stage.stop()
        checks.check_ops(verdict, self._ledger, records, self._stage.data / "beatbook.db")
        self.view.say("the promises are checked")
        return verdict

    def report(self, verdict: Verdict, seconds: float) -> Report:
        counts = self._ledger.count()
        return Report(
            devices=self._options.devices,
            desks=len(self._actors) - self._options.devices,
            ops_made=counts["made"],
            ops_durable=counts["durable"],
            ops_lost=verdict.ops_lost,
            ops_twice=verdict.ops_twice,
            replicas_equal=verdict.replicas_equal,
            server_kills=self._stage.kills,
            briefing_ms_p50=percentile(self._ledger.briefing_ms, 50),
            briefing_ms_p99=percentile(self._ledger.briefing_ms, 99),
            catchup_ms_p99=percentile(self._ledger.catchup_ms, 99),
            plaintext_found=verdict.plaintext_found,
            ops_without_signal=counts["without_signal"],
            incidents=self._incident_count,
            briefings=len(self._ledger.briefings),
            seconds=round(seconds, 1),
            holds=verdict.holds,
        )


def summary(report: Report, verdict: Verdict) -> Sequence[str]:
    """The outcome in plain words."""
    search = "the same search finds them on the server" if verdict.search_works else "BUT THE SEARCH ITSELF FAILED"
    lines = [
        f"{report.devices} handhelds and {report.desks} desks worked {report.incidents} incidents.",
        f"In {report.seconds:.0f} s they made {report.ops_made} changes, {report.ops_without_signal} with no signal.",
        f"The server was killed without warning, times: {report.server_kills}.",
        f"Changes lost: {report.ops_lost}. Changes that stand twice: {report.ops_twice}.",
        f"Live briefings pushed: {report.briefings}. Not arrived at a handheld: {verdict.briefings_missing}.",
        f"A briefing took {report.briefing_ms_p50} ms (p50), {report.briefing_ms_p99} ms (p99) when connected.",
        f"A handheld whose signal returned had caught up within {report.catchup_ms_p99} ms (p99).",
        "Replicas with equal grants are equal, and equal to the server."
        if report.replicas_equal
        else f"REPLICAS DIFFER: {'; '.join(verdict.unequal)}",
        f"Planted words found in plain in replicas and temporary files: {report.plaintext_found} ({search}).",
    ]
    if verdict.waiting:
        lines.append(f"{verdict.waiting} changes still wait or are held on a handheld.")
    if verdict.ops_unknown:
        lines.append(f"{verdict.ops_unknown} ops on the server were made by no handheld.")
    lines.append("Every promise held." if verdict.holds else "A PROMISE DID NOT HOLD.")
    return lines
