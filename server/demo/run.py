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

from schemas.errors import StoreError
from schemas.ids import FieldName, OfficerId, RecordId
from schemas.kinds import KINDS
from server.demo import checks, content, detention
from server.demo.actors import Actor
from server.demo.cast import DESK, LOST, MOVED, OTHER_DESK, RETURNED, SERGEANT, STOLEN, everybody
from server.demo.checks import Verdict
from server.demo.disagreements import Cast, Disagreements, Outcome
from server.demo.evidence import Evidence
from server.demo.ledger import Ledger, percentile
from server.demo.losses import Losers, Script
from server.demo.masts import Mast
from server.demo.report import Report, summary
from server.demo.stage import Stage
from server.demo.view import View
from server.importing.areas import Areas
from server.importing.street import Unusable, rows
from server.importing.target import open_target
from server.office import Draft

INVENTED_PER_AREA: Final = 12
AUTHOR: Final = OfficerId("control")
SETTLE_TIMEOUT_S: Final = 120.0
CHUNK: Final = 500
_AGAIN_S: Final = 0.2
_LOOK_S: Final = 0.05
ISSUED_AT_ONCE: Final = 6
"""Handhelds that are enrolled and signed in on at the same time: each takes a core for a while (Argon2id)."""


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


async def run(options: Options, console: Console) -> tuple[Report, Sequence[str]]:
    """Run the demo in a temporary folder and remove it. Returns the figures and the summary in plain words."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="beatbook-demo-") as name:
        demo = _Demo(options, Path(name), console)
        with demo.view, _temporary_files_in(Path(name) / "tmp"):
            verdict = await demo.play()
        report = demo.report(verdict, time.monotonic() - began)
        return report, summary(report, verdict, demo.conflicts.explained, demo.clocks)


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
        self._disagreements: Disagreements
        self._losses: Script
        self._detention: detention.Script
        self._evidence = Evidence(self._stage, folder / "evidence")
        self.conflicts: Outcome
        self.clocks: tuple[str, ...] = ()
        self.view = View(console, self._ledger, live=options.live)

    async def play(self) -> Verdict:
        await self._load()
        async with self._cast() as actors:
            self._actors = actors
            self.view.actors = actors
            self._disagreements = Disagreements(self._cast_of_disagreements(), self._stage, self.view.say)
            self._losses = Script(self._losers(), self._stage, self.view.say)
            self._detention = detention.Script(self._sergeant, self._stage, self.view.say)
            await self._settle("every handheld holds its areas")
            await self._shift()
            await self._settle("everything has come to rest")
            await self._disagreements.decide()
            await self._settle("the decision has reached everybody")
            await self._detention.check()
            return await self._check()

    def _cast_of_disagreements(self) -> Cast:
        by_name = {actor.person.device: actor for actor in self._actors}
        officers = self._actors[:2]
        return Cast(by_name[DESK], by_name[OTHER_DESK], officers[0], officers[1], self._sergeant)

    @property
    def _sergeant(self) -> Actor:
        return next(actor for actor in self._actors if actor.person.device == SERGEANT)

    def _losers(self) -> Losers:
        stolen, lost, returned, moved = (self._actors[at] for at in (STOLEN, LOST, RETURNED, MOVED))
        left, joined = moved.person.posts[-1], content.AREAS[(MOVED + 2) % len(content.AREAS)]
        return Losers(stolen, lost, returned, moved, left, joined)

    @property
    def _still_there(self) -> list[Actor]:
        """Those whose handhelds were neither revoked nor wiped."""
        return [actor for actor in self._actors if not actor.gone]

    # --- before ------------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        drafts = self._drafts()
        self.view.say(f"loading {len(drafts)} incidents")
        async with open_target(self._stage.data, self._folder) as target:
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
        actors: list[Actor] = []
        try:
            await self._stage.start()
            self.view.address = self._stage.base
            self.view.say(f"the server is up at {self._stage.base}; its one-time link made an administrator")
            people = everybody(self._options.devices)
            administration = self._stage.administration
            await asyncio.to_thread(administration.do, "organisation", content.organisation())
            await asyncio.to_thread(administration.take_in, [person for _, person in people])
            self.view.say(f"{len(content.AREAS) + 1} units are made, {len(people)} officers have roles and postings")
            for role, person in people:
                mast = Mast("127.0.0.1", self._stage.port)
                await mast.open()
                actor = role(person, mast, self._folder / "devices", random.Random(self._rng.random()), self._ledger)
                actor.hand([record for scope in sorted(person.audiences) for record in self._sample(scope)])
                actors.append(actor)
            await self._switch_on(actors)
            self.view.say("every handheld is enrolled with a one-time code, and its officer signed in on it")
            yield actors
        finally:
            await asyncio.gather(*(actor.close() for actor in actors))
            await asyncio.gather(*(actor.mast.close() for actor in actors))
            await self._stage.stop()

    async def _switch_on(self, actors: Sequence[Actor]) -> None:
        room = asyncio.Semaphore(ISSUED_AT_ONCE)

        async def switch_on(actor: Actor) -> None:
            async with room:
                await actor.open(self._stage)

        async with asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(switch_on(actor))

    def _sample(self, scope: str) -> list[RecordId]:
        known = self._incidents.get(scope, [])
        return self._rng.sample(known, min(len(known), 20))

    # --- the shift ---------------------------------------------------------------------------------------------------

    async def _shift(self) -> None:
        self.view.say("the shift begins")
        await self._disagreements.prepare()
        seconds = self._options.seconds
        working = [asyncio.create_task(actor.work(lambda: self._over)) for actor in self._actors]
        briefings = asyncio.create_task(self._push_briefings(seconds / 10))
        try:
            await asyncio.sleep(seconds * 0.15)
            lost = self._lose_signal()
            await self._evidence.keep_checkpoint()
            await self._disagreements.disagree()
            await asyncio.sleep(seconds * 0.30)
            await self._kill_server()
            await asyncio.sleep(seconds * 0.20)
            await self._losses.happen()
            await self._search("with signal lost")
            returned = [asyncio.create_task(self._return_signal(actor)) for actor in lost if not actor.gone]
            returned.append(asyncio.create_task(self._losses.return_signal()))
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
        losers = self._losses.losers
        handhelds = [actor for actor in self._actors if type(actor) is Actor]
        others = [actor for actor in handhelds if actor not in {*losers.stay_connected, losers.lost}]
        lost = [losers.lost, *self._rng.sample(others, -(-len(handhelds) // 3) - 1)]
        lost += [actor for actor in self._disagreements.cut_off if actor not in lost]
        for place, actor in enumerate(lost):
            if place % 3 == 0:
                actor.mast.hush()
            else:
                actor.mast.cut()
        self.view.say(f"handhelds that lose signal: {len(lost)}; their officers go on")
        return lost

    async def _kill_server(self) -> None:
        await self._detention.book()
        await self._stage.kill()
        self.view.say("the server is killed (SIGKILL)")
        await self._detention.outlast()
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
                if actor.mast.has_signal and actor.handheld.status.connected and not actor.gone
            )
            record = content.new_id(self._rng)
            self._ledger.briefings[record] = (time.monotonic(), there)
            body_json = {
                "id": record,
                "title": title,
                "body": body,
                "audience": ["force"],
                "priority": "officer-safety",
            }
            try:
                await self._stage.post("/v1/briefings", body_json)
                self.view.say(f"briefing pushed: {title}")
            except StoreError:
                # The server is down just now: the control room sends it again, as the same record.
                self._ledger.briefings[record] = (time.monotonic(), frozenset())
                await self._again(body_json)

    async def _again(self, body: dict[str, Any]) -> None:
        while True:
            # Nobody tells a caller when a server that was killed is back: it tries again after a while, as people do.
            await asyncio.sleep(_AGAIN_S)
            try:
                await self._stage.post("/v1/briefings", body)
            except StoreError:
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
                    for actor in self._still_there
                )
            )
            # The server tells nobody when acknowledgements are in: it is asked again a little later.
            while not await self._equal_heads():  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)

    async def _equal_heads(self) -> bool:
        """Whether every device says that it holds the same position of each scope as the furthest does."""
        heads: dict[str, int] = {}
        devices = (await self._stage.get("/v1/devices"))["devices"]
        ours = {actor.person.device for actor in self._still_there}
        seats = [seat for device in devices for seat in device["seats"] if seat["seat"] in ours]
        for seat in seats:
            for scope, seq in seat["acked"].items():
                heads[scope] = max(heads.get(scope, 0), seq)
        return all(
            seat["connected"] and all(seat["acked"].get(scope, 0) == heads.get(scope, 0) for scope in seat["scopes"])
            for seat in seats
        )

    async def _search(self, when: str) -> None:
        """Search for planted words while databases and WALs are in use."""
        found = Verdict()
        records = {"incident": await self._stage.all_records("incident")}
        await asyncio.to_thread(checks.search_plaintext, found, self._actors, self._searched, records)
        self._early = found
        self.view.say(f"searched handhelds and server {when}: {found.plaintext_found} planted words in plain")

    @property
    def _searched(self) -> Sequence[Path]:
        """Where else than on the handhelds no word may stand in plain."""
        return (self._temporary, self._stage.data)

    async def _check(self) -> Verdict:
        verdict, losses = Verdict(), self._losses.found
        records = {name: await self._stage.all_records(name) for name in KINDS}
        self._incident_count = len(records["incident"])
        checks.check_waiting(verdict, self._actors)
        checks.check_briefings(verdict, self._still_there, self._ledger)
        await checks.check_replicas(verdict, self._still_there, records)
        await asyncio.to_thread(checks.search_plaintext, verdict, self._actors, self._searched, records)
        verdict.plaintext_found += self._early.plaintext_found
        verdict.search_works &= self._early.search_works
        self.conflicts = await self._disagreements.outcome()
        checks.check_conflicts(verdict, self.conflicts)
        verdict.revoked_held_after = losses.revoked_held_after
        verdict.wiped_readable_after = losses.wiped_readable_after
        review = self._detention.found
        verdict.review_alarm_on_desk = review.raised_on_desk and review.taken_up
        verdict.review_alarms, verdict.clock_right = review.alarms, review.clock_right
        self.clocks = review.told
        verdict.export_verified = await self._evidence.disclose(self._disagreements.booking)
        await self._stage.stop()
        verdict.log_verified = await self._evidence.verify()
        kept = await self._evidence.kept()
        checks.check_ops(verdict, self._ledger, records, self._stage.data / "beatbook.db", kept)
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
            conflicts_by_rule=sum(self.conflicts.by_rule.values()),
            rules=self.conflicts.by_rule,
            conflicts_in_inbox=self.conflicts.in_inbox,
            unexplained=self.conflicts.unexplained,
            revoked_held_after=verdict.revoked_held_after,
            revoked_ms=self._losses.found.revoked_ms,
            retracted_ms=self._losses.found.retracted_ms,
            wiped_readable_after=verdict.wiped_readable_after,
            quarantined=verdict.quarantined,
            receipts=verdict.receipts,
            log_verified=verdict.log_verified,
            export_verified=verdict.export_verified,
            review_alarm_on_desk=verdict.review_alarm_on_desk,
            review_alarms=verdict.review_alarms,
            clock_right=verdict.clock_right,
            ops_without_signal=counts["without_signal"],
            incidents=self._incident_count,
            briefings=len(self._ledger.briefings),
            seconds=round(seconds, 1),
            holds=verdict.holds,
        )
