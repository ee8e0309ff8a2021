"""Who works in the demo: officers with handhelds, a custody desk, a control room. Each is a real device of its own."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas import scopes
from schemas.errors import UsageError
from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Briefing, Incident, spec_of
from schemas.kinds.booking import BookingStatus, Check, ObservationLevel, Response
from schemas.kinds.common import LogEntry
from schemas.kinds.incident import Grade, IncidentStatus
from server.demo import content
from server.demo.kit import Kit
from server.demo.ledger import Ledger, LedgerLine
from server.demo.masts import Mast
from server.demo.people import OFFICER, Person
from server.demo.stage import Stage
from sync.device import Handheld, Missed, OpDurable, RecordChanged, Written

REPORT_SHARE: Final = 0.12
LOG_SHARE: Final = 0.56
CHANGE_SHARE: Final = 0.24
"""How often an officer reports an incident, writes in a log, changes a field; the rest is reading briefings."""
BOOK_SHARE: Final = 0.15
"""How often a custody desk books a person in."""
PAUSE_S: Final = (0.15, 0.9)
"""Between two things that an officer does: far busier than life, so that a minute holds a shift."""
KNOWN_MAX: Final = 40
"""Incidents that an officer has in hand at most."""


_STATUS: Final = spec_of(Incident).fields[FieldName("status")]
_ANSWERED_FOR: Final = {IncidentStatus.OPEN.value, IncidentStatus.CLOSED.value}
_STATUS_MOVES: Final = {} if _STATUS.flow is None else _STATUS.flow.moves


class Actor:
    """One device and whoever holds it.

    Attributes:
        person: who.
        mast: their radio link.
        folder: of the handheld, with everything it keeps.
        planted: words that this officer wrote and that stand nowhere else.
        gone: whether the device was revoked or wiped in the course of the shift.
    """

    def __init__(self, person: Person, mast: Mast, folder: Path, rng: random.Random, ledger: Ledger) -> None:
        """Bind them; nothing runs yet."""
        self.person = person
        self.mast = mast
        self.folder = folder / person.device
        self.planted: list[str] = []
        self.gone = False
        self._rng = rng
        self._ledger = ledger
        self._incidents: list[RecordId] = []
        self._kit: Kit | None = None
        self._handheld: Handheld | None = None
        self._listening: asyncio.Task[None] | None = None
        self._off_duty = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def kit(self) -> Kit:
        """The handheld as it was issued."""
        assert self._kit is not None
        return self._kit

    @property
    def handheld(self) -> Handheld:
        """The open handheld."""
        assert self._handheld is not None
        return self._handheld

    async def open(self, stage: Stage) -> None:
        """Enrol the device, sign its officer in, and switch it on. All of it goes over the officer's own mast."""
        self._kit = await stage.issue(self.person, self.folder, self.mast.port)
        self._handheld = await self._kit.open()
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Switch it off, however far it came."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._handheld is not None:
            await self._handheld.close()
        if self._kit is not None:
            await self._kit.close()

    def hand(self, incidents: list[RecordId]) -> None:
        """Give the officer incidents to work on."""
        self._incidents = incidents[-KNOWN_MAX:]

    async def work(self, until: Callable[[], bool]) -> None:
        """Do one thing after another until the shift is over, or until they go off duty."""
        self._idle.clear()
        try:
            while not (until() or self._off_duty):
                try:
                    await self.act()
                except UsageError:
                    # What they had in hand may have left with a posting. Anything else is a defect of the demo.
                    if not await self._let_go():
                        raise
                await asyncio.sleep(self._rng.uniform(*PAUSE_S))
        finally:
            self._idle.set()

    async def go_off_duty(self) -> None:
        """Write nothing more; returns once what was begun is done."""
        self._off_duty = True
        await self._idle.wait()

    async def _let_go(self) -> bool:
        """Drop incidents that are not on the handheld any more; whether there were any."""
        with self.handheld.for_itself():
            held = {record for record, _ in await self.handheld.find(Incident)}
        here = [record for record in self._incidents if record in held]
        left = len(here) < len(self._incidents)
        self._incidents = here
        return left

    async def act(self) -> None:
        """Do one thing."""
        if not self._incidents:
            await self._report_incident()
            return
        shares = (REPORT_SHARE, LOG_SHARE, CHANGE_SHARE, 1 - REPORT_SHARE - LOG_SHARE - CHANGE_SHARE)
        (what,) = self._rng.choices(("report", "log", "change", "read"), shares)
        record = self._rng.choice(self._incidents)
        if what == "report":
            await self._report_incident()
        elif what == "log":
            await self._write_log(record)
        elif what == "change":
            await self._change(record)
        else:
            await self._read_briefings()

    async def _report_incident(self) -> None:
        area = self._rng.choice([name for name in content.AREAS if scopes.area(name) in self.person.audiences])
        made = await self.handheld.create(content.incident(self._rng, area, _now()))
        self.note(made, None)
        self._incidents = [*self._incidents, made.record][-KNOWN_MAX:]

    async def _write_log(self, record: RecordId) -> None:
        word = self._plant()
        made = await self.handheld.append(record, "log", LogEntry(text=content.words(self._rng, word)))
        self.note(made, word)

    async def _change(self, record: RecordId) -> None:
        step = await self._next_step(record) if self._rng.choice((True, False)) else None
        if step is not None:
            made = await self.handheld.edit(record, status=step)
        else:
            made = await self.handheld.edit(
                record, grade=self._rng.choice(list(Grade)), why="regraded on what was found"
            )
        self.note(made, None)

    async def _next_step(self, record: RecordId) -> IncidentStatus | None:
        """A step that may follow where the incident stands; None when there is none, or it is not here (any more)."""
        with self.handheld.matter(record, why="works on it"):
            incident = await self.handheld.get(Incident, record)
        if incident is None:
            return None
        moves = _STATUS_MOVES[incident.status.value]
        if self.person.roles == OFFICER:
            # An incident is closed, and taken up anew, by somebody who answers for the work on it.
            closed = incident.status is IncidentStatus.CLOSED
            moves = () if closed else tuple(to for to in moves if to not in _ANSWERED_FOR)
        return IncidentStatus(self._rng.choice(moves)) if moves else None

    async def _read_briefings(self) -> None:
        with self.handheld.matter(why="reads what is new this shift"):
            briefings = await self.handheld.find(Briefing)
        for record, _ in briefings[-1:]:
            made = await self.handheld.acknowledge(record)
            if made is not None:
                self.note(made, None)

    def _plant(self) -> str:
        word = content.planted_word(self._rng)
        self.planted.append(word)
        return word

    def note(self, made: Written, marker: str | None) -> None:
        """Write an own change into the ledger; `marker` is text that stands nowhere else, if it has one."""
        self._ledger.made(
            LedgerLine(
                device=self.person.device,
                op=made.op,
                record=made.record,
                marker=marker,
                durable=False,
                with_signal=self.mast.has_signal,
            )
        )

    async def _listen(self) -> None:
        async for change in self.handheld.changes():
            if isinstance(change, OpDurable):
                self._ledger.told_durable(change.op)
            elif isinstance(change, RecordChanged) and change.kind is Briefing:
                self._ledger.briefing_came(self.person.device, change.record, time.monotonic())
            elif isinstance(change, Missed):
                with self.handheld.for_itself():
                    briefings = await self.handheld.find(Briefing)
                for record, _ in briefings:
                    self._ledger.briefing_came(self.person.device, record, time.monotonic())


class CustodyDesk(Actor):
    """A custody desk: books people in and checks on them."""

    def __init__(self, person: Person, mast: Mast, folder: Path, rng: random.Random, ledger: Ledger) -> None:
        """As its base."""
        super().__init__(person, mast, folder, rng, ledger)
        self._bookings: list[RecordId] = []

    async def act(self) -> None:
        """Book a person, or look at one who is there."""
        if not self._bookings or (len(self._bookings) < KNOWN_MAX and self._rng.random() < BOOK_SHARE):
            made = await self.handheld.create(content.booking(self._rng, _now()))
            self.note(made, None)
            self._bookings.append(made.record)
            return
        record = self._rng.choice(self._bookings)
        what = self._rng.choice(("log", "check", "level"))
        if what == "log":
            word = self._plant()
            entry = LogEntry(text=f"Rights and entitlements read and understood ({word})")
            made = await self.handheld.append(record, "log", entry)
            self.note(made, word)
            return
        if what == "check":
            check = Check(
                checked_at=_now(), where=f"M{self._rng.randint(1, 24)}", response=self._rng.choice(list(Response))
            )
            made = await self.handheld.append(record, "checks", check)
        else:
            made = await self.handheld.edit(
                record, status=BookingStatus.DETAINED, observation=self._rng.choice(list(ObservationLevel))
            )
        self.note(made, None)


class ControlRoomDesk(Actor):
    """A position in the control room: sees every area, regrades and notes."""

    async def act(self) -> None:
        """Note something on an incident, or regrade it."""
        if not self._incidents:
            with self.handheld.matter(why="takes over the position"):
                self.hand([record for record, _ in await self.handheld.find(Incident)])
        await super().act()


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)
