"""A review that falls due while the server is gone: the desk warns by itself, and the clocks are right afterwards.

The custody sergeant's desk books a person in whose first review is due in a moment, and the server is killed before it.
The desk raises the alarm from its own replica, and the sergeant takes it up with no signal. The review is carried out
late, and recorded. When the server is back it must have one alarm for that warning, taken up; and both clocks must be
what they were on the desk: nothing counted twice or left out, and the next review not moved by the late one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from schemas.ids import Millis, RecordId
from schemas.kinds import Alarm, CustodyBooking, spec_of
from schemas.kinds.admission import InterpreterNeed, RiskAssessment
from schemas.kinds.alarm import alarm_id
from schemas.kinds.booking import Risk
from schemas.kinds.detention import DetentionEvent, Manner, Outcome, Rank, Step
from schemas.roles import Role
from schemas.settings import DEFAULTS
from server.demo import content
from server.demo.actors import Actor
from server.demo.stage import Stage
from sync.device import Written
from sync.policing.custody import clocks, words
from sync.policing.custody.clocks import Detention
from sync.policing.due import What

MINUTE_MS: Final = 60_000
DUE_IN_MS: Final = 4_000
"""How long after the booking its review falls due (ms): by then the server is gone."""
TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02
_WARNED: Final = (Role.REVIEWING_OFFICER, Role.CUSTODY_OFFICER)


class Found(msgspec.Struct, kw_only=True):
    """What came of it.

    Attributes:
        raised_on_desk: whether the desk raised the alarm while there was no server.
        alarms: how many records the server has of that warning in the end; there must be one.
        taken_up: whether that one says who took it up.
        clock_right: whether both clocks are the same on desk and server, and what the entries say.
        told: the clocks in plain words, line by line.
    """

    raised_on_desk: bool = False
    alarms: int = 0
    taken_up: bool = False
    clock_right: bool = False
    told: tuple[str, ...] = ()


class Script:
    """Has it happen."""

    def __init__(self, desk: Actor, stage: Stage, say: Callable[[str], None]) -> None:
        """Bind it."""
        self.found = Found()
        self._desk = desk
        self._stage = stage
        self._say = say
        self._booking: RecordId | None = None
        self._arrived = self._due = Millis(0)

    @property
    def booking(self) -> RecordId:
        """The person whose review falls due."""
        assert self._booking is not None
        return self._booking

    async def book(self) -> None:
        """Book the person in, and wait until the server has it."""
        desk, settings = self._desk.handheld, DEFAULTS.custody
        self._due = Millis(_now() + DUE_IN_MS)
        authorised = Millis(self._due - settings.review_first_ms)
        self._arrived = Millis(authorised - 25 * MINUTE_MS)
        made = await self._did(
            desk.create(
                CustodyBooking(
                    suite=content.SUITE,
                    detainee="V. Ashgrove",
                    arrested_at=Millis(self._arrived - 35 * MINUTE_MS),
                    detention=(
                        DetentionEvent(what=Step.ARRIVAL, at=self._arrived, suite=content.SUITE),
                        DetentionEvent(
                            what=Step.AUTHORISED,
                            at=authorised,
                            by=self._desk.person.officer,
                            rank=Rank.SERGEANT,
                            reason="To secure evidence, and to obtain it by questioning",
                        ),
                    ),
                    risk_assessments=(RiskAssessment(at=authorised, level=Risk.STANDARD),),
                    interpreter=InterpreterNeed.NOT_NEEDED,
                )
            )
        )
        self._booking = made.record
        await desk.wait_until(lambda status: status.waiting == 0)

    async def outlast(self) -> None:
        """While there is no server: the review falls due, the desk warns, and the sergeant acts on it."""
        desk = self._desk.handheld
        warning = self._warning()
        await _until(self._is_raised)
        self.found.raised_on_desk = await self._is_raised()
        if not self.found.raised_on_desk:
            self._say("NO ALARM on the desk, and a review is due")
            return
        self._say("a review falls due with no server: the desk raises the alarm itself")
        await self._did(desk.acknowledge_alarm(warning, "The inspector is on the way to the suite"))
        await self._did(
            desk.append(
                self.booking,
                "detention",
                DetentionEvent(
                    what=Step.REVIEW,
                    at=_now(),
                    by="Insp. H. Redfern",
                    rank=Rank.INSPECTOR,
                    involved=False,
                    manner=Manner.IN_PERSON,
                    outcome=Outcome.CONTINUED,
                    reason="Carried out as soon as the warning was seen",
                ),
            )
        )

    async def check(self) -> None:
        """Compare desk and server once everything has come to rest."""
        alarms = await self._stage.all_records("alarm")
        spec = spec_of(Alarm)
        same = [
            alarm
            for record in alarms.values()
            if isinstance(alarm := spec.build(record["values"]), Alarm)
            and (alarm.subject, alarm.what, alarm.due_at, alarm.warn_ms)
            == (self.booking, What.REVIEW.value, self._due, 0)
        ]
        self.found.alarms = len(same)
        self.found.taken_up = any(alarm.acknowledged for alarm in same)
        server = (await self._stage.all_records("custody-booking"))[self.booking]
        theirs = spec_of(CustodyBooking).build(server["values"])
        with self._desk.handheld.for_itself():
            ours = await self._desk.handheld.get(CustodyBooking, self.booking)
        assert isinstance(theirs, CustodyBooking)
        now = _now()
        on_server = clocks.of_booking(theirs, DEFAULTS.custody, now)
        on_desk = None if ours is None else clocks.of_booking(ours, DEFAULTS.custody, now)
        self.found.clock_right = on_server == on_desk and self._is_right(on_server, now)
        self.found.told = words.lines(on_server)

    def _is_right(self, found: Detention, now: Millis) -> bool:
        """Against the times as they were written, by nothing of what works the clocks out."""
        settings = DEFAULTS.custody
        return (
            found.relevant.at == self._arrived
            and found.counted_ms == now - self._arrived
            and len(found.reviews.reviews) == 1
            and found.reviews.next_due == self._due + settings.review_then_ms
            and not found.contradictions
        )

    def _warning(self) -> RecordId:
        return alarm_id(self.booking, What.REVIEW.value, "", self._due, 0, tuple(role.value for role in _WARNED))

    async def _is_raised(self) -> bool:
        due = await self._desk.handheld.due_alarms()
        return any(one.alarm == self._warning() and not one.on_server for one in due)

    async def _did(self, change: Awaitable[Written]) -> Written:
        made = await change
        self._desk.note(made, None)
        return made


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Look again until it holds, or the patience ends."""
    ends = time.monotonic() + TIMEOUT_S
    # The desk tells its officer; the script only looks on.
    while not await holds() and time.monotonic() < ends:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)
