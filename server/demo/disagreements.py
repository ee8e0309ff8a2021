"""People who write different things with no signal: a scripted part of the demo's shift, one case for each rule.

Two custody desks and two officers are cut off together. Each pair writes about the same things without seeing what the
other writes. When signal returns, rules settle what rules may settle, and the custody sergeant decides one question.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from schemas.ids import Millis, RecordId
from schemas.kinds import CustodyBooking, InboxItem, Incident, Resource, Suspect
from schemas.kinds.booking import AppropriateAdult, BookingStatus, Risk
from schemas.kinds.common import Arrest
from schemas.kinds.incident import Category as IncidentCategory
from schemas.kinds.incident import Grade, IncidentStatus
from schemas.kinds.resource import Category
from schemas.scopes import suite
from server.demo import content
from server.demo.actors import Actor
from server.demo.stage import Stage
from sync.device import Written

MINUTE_MS: Final = 60_000
SETTLED_BY_RULE: Final = ("latest", "highest", "state")
"""Policies under which the script has a disagreement that a rule settles."""
ASKED: Final = 5
"""Disagreements of the script that go to a person: the cell, the suspect, the relevant time, the adult, the closing."""
ARRIVAL_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.05


class Cast(msgspec.Struct, frozen=True):
    """Who disagrees, and who decides.

    Attributes:
        desk, other_desk: two custody desks of one suite.
        officer, other_officer: two officers of one area.
        sergeant: who decides for the suite.
    """

    desk: Actor
    other_desk: Actor
    officer: Actor
    other_officer: Actor
    sergeant: Actor

    @property
    def cut_off(self) -> tuple[Actor, ...]:
        """Those who lose signal together."""
        return (self.desk, self.other_desk, self.officer, self.other_officer)


class Things(msgspec.Struct, frozen=True):
    """What they disagree about.

    Attributes:
        booking: a detainee whom both desks look after.
        arrivals: two new detainees, one at each desk.
        last_cell: the last free cell.
        incident: an incident that both officers work on.
        suspect: a wanted person.
    """

    booking: RecordId
    arrivals: tuple[RecordId, RecordId]
    last_cell: RecordId
    incident: RecordId
    suspect: RecordId


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the disagreements of the whole shift.

    Attributes:
        by_rule: conflicts settled by rule: policy -> how many.
        in_inbox: conflicts that went to the inbox.
        decided: inbox items that a person decided.
        unexplained: changes that neither stand, nor link to what stands, nor wait in the inbox.
        explained: one of them in plain words, line by line.
    """

    by_rule: Mapping[str, int]
    in_inbox: int
    decided: int
    unexplained: int
    explained: Sequence[str]


class Disagreements:
    """The scripted part: prepare with signal, write without, decide when it is back."""

    def __init__(self, cast: Cast, stage: Stage, say: Callable[[str], None]) -> None:
        """Bind it."""
        self._cast = cast
        self._stage = stage
        self._say = say
        self._things: Things | None = None

    @property
    def cut_off(self) -> tuple[Actor, ...]:
        """Those who lose signal together."""
        return self._cast.cut_off

    @property
    def booking(self) -> RecordId:
        """The detainee whom both desks look after."""
        return self._made().booking

    async def prepare(self) -> None:
        """Make what they will disagree about, and wait until each holds it."""
        cast, now = self._cast, _now()
        desk = cast.desk
        booking = await self._do(
            desk,
            desk.handheld.create(
                CustodyBooking(
                    suite=content.SUITE,
                    detainee="R. Pemberley",
                    arrested_at=Millis(now - 40 * MINUTE_MS),
                    arrived_at=now,
                    risk=Risk.MEDIUM,
                )
            ),
        )
        first = await self._book_in(cast.desk, "S. Oakhurst")
        second = await self._book_in(cast.other_desk, "T. Fenwick")
        cell = await self._do(desk, desk.handheld.create(_cell("M12")))
        held = await self._do(desk, desk.handheld.create(_cell("M11")))
        await self._do(desk, desk.handheld.claim(held, booking))
        officer = cast.officer
        incident = await self._do(
            officer,
            officer.handheld.create(
                Incident(
                    opened_at=now,
                    area=content.AREAS[0],
                    category=IncidentCategory.CRIME,
                    summary="Disturbance outside a club, two people hurt",
                    status=IncidentStatus.ATTENDED,
                )
            ),
        )
        suspect = await self._do(
            officer,
            officer.handheld.create(
                Suspect(name="L. Carrowmore", wanted_for="Failed to appear at court", area=content.AREAS[0])
            ),
        )
        self._things = Things(booking, (first, second), cell, incident, suspect)
        await _until(self._all_hold)

    async def disagree(self) -> None:
        """Write without sight of each other. Everyone concerned is without signal."""
        cast, things, now = self._cast, self._made(), _now()
        desk, other_desk = cast.desk, cast.other_desk
        # The last cell, booked twice.
        await self._do(desk, desk.handheld.claim(things.last_cell, things.arrivals[0]))
        await self._do(other_desk, other_desk.handheld.claim(things.last_cell, things.arrivals[1]))
        # A risk that goes up on one desk and down on the other.
        await self._do(desk, desk.handheld.edit(things.booking, risk=Risk.HIGH, why="Says he will hurt himself"))
        await self._do(
            other_desk, other_desk.handheld.edit(things.booking, risk=Risk.STANDARD, why="Calm since arrival")
        )
        # Two relevant times, and two views of whether an adult is needed.
        await self._do(desk, desk.handheld.edit(things.booking, relevant_time=now))
        await self._do(other_desk, other_desk.handheld.edit(things.booking, relevant_time=Millis(now - 12 * MINUTE_MS)))
        await self._do(
            desk, desk.handheld.edit(things.booking, appropriate_adult=AppropriateAdult.NOT_NEEDED, why="Is 34")
        )
        await self._do(
            other_desk,
            other_desk.handheld.edit(
                things.booking, appropriate_adult=AppropriateAdult.NEEDED, why="Does not follow what is read to him"
            ),
        )
        # One moves the detainee on, the other too.
        await self._do(desk, desk.handheld.edit(things.booking, status=BookingStatus.DETAINED))
        await self._do(other_desk, other_desk.handheld.edit(things.booking, status=BookingStatus.HOSPITAL))
        officer, other = cast.officer, cast.other_officer
        # An incident closed by one while the other adds an arrest.
        await self._do(officer, officer.handheld.edit(things.incident, status=IncidentStatus.CLOSED))
        await self._do(
            other,
            other.handheld.append(
                things.incident, "arrests", Arrest(person="L. Carrowmore", arrested_at=now, offence="Affray")
            ),
        )
        await self._do(officer, officer.handheld.edit(things.incident, grade=Grade.SCHEDULED, why="They have parted"))
        await self._do(other, other.handheld.edit(things.incident, grade=Grade.P2, why="One of them is still shouting"))
        # The same text, written twice; the same suspect, claimed twice.
        await self._do(officer, officer.handheld.edit(things.incident, outcome="Words of advice given"))
        await self._do(other, other.handheld.edit(things.incident, outcome="One arrested for affray"))
        await self._do(officer, officer.handheld.claim(things.suspect, officer.person.officer))
        await self._do(other, other.handheld.claim(things.suspect, other.person.officer))
        self._say("two desks and two officers without signal write different things about the same people")

    async def decide(self) -> None:
        """The sergeant decides whether an adult is needed. What else is open stays open: people take their time."""
        things, sergeant = self._made(), self._cast.sergeant
        item = await self._item(things.booking, "appropriate_adult")
        reason = "Spoke to him: an adult is called"
        for made in await sergeant.handheld.decide(item, AppropriateAdult.NEEDED, reason):
            sergeant.note(made, None)
        self._say("the custody sergeant decides one question in the inbox")

    async def outcome(self) -> Outcome:
        """What the server says of all the conflicts of the shift."""
        found = await self._stage.get("/v1/conflicts")
        booking = self._made().booking
        told = await self._stage.get(f"/v1/records/{booking}/explanation?field=appropriate_adult")
        return Outcome(
            by_rule=found["by_rule"],
            in_inbox=found["conflicts_in_inbox"],
            decided=found["decided"],
            unexplained=found["unexplained"],
            explained=[line for field in told["fields"] for line in field["words"]],
        )

    async def _book_in(self, desk: Actor, who: str) -> RecordId:
        now = _now()
        return await self._do(
            desk,
            desk.handheld.create(
                CustodyBooking(suite=content.SUITE, detainee=who, arrested_at=Millis(now - 30 * MINUTE_MS))
            ),
        )

    async def _do(self, actor: Actor, change: Awaitable[Written]) -> RecordId:
        made = await change
        actor.note(made, None)
        return made.record

    async def _all_hold(self) -> bool:
        """Whether everyone concerned holds the server's form of what is theirs."""
        things, cast = self._made(), self._cast
        custody = (things.booking, *things.arrivals, things.last_cell)
        held = [(desk, record) for desk in (cast.desk, cast.other_desk) for record in custody]
        outside = (things.incident, things.suspect)
        held += [(officer, record) for officer in (cast.officer, cast.other_officer) for record in outside]
        for actor, record in held:
            with actor.handheld.for_itself():
                view = await actor.handheld.inspect(record)
            if view is None or not view.version or view.pending:
                return False
        return True

    async def _item(self, record: RecordId, field: str) -> RecordId:
        """The inbox item about a field, once it is on the sergeant's desk."""
        found: list[RecordId] = []

        async def came() -> bool:
            sergeant = self._cast.sergeant.handheld
            with sergeant.matter(record, why="decides what people differ about"):
                items = await sergeant.find(InboxItem, subject=record, field=field)
            found.extend(item for item, _ in items)
            return bool(found)

        await _until(came)
        return found[0]

    def _made(self) -> Things:
        assert self._things is not None
        return self._things


def _cell(name: str) -> Resource:
    return Resource(category=Category.CELL, name=name, home=suite(content.SUITE))


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
        # Several replicas are looked at, and none of them tells of the others.
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)
