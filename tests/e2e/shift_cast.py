"""Five people of one area and one suite, and what they do: the cast of `test_cyber_incident`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from schemas.ids import FieldName, Millis, RecordId
from schemas.kinds import Incident, Kind, spec_of
from schemas.kinds.abuse import AbuseAssessment, AbuseRisk, Answered, Reply
from schemas.kinds.admission import InterpreterNeed, RiskAssessment
from schemas.kinds.booking import Check, Response, Risk
from schemas.kinds.common import LogEntry
from schemas.kinds.detention import DetentionEvent, Manner, Outcome, Rank, Step
from schemas.kinds.incident import Category
from schemas.roles import Role
from schemas.settings import DEFAULTS
from server.demo.stage import Stage
from tests.e2e.shift import MINUTE, Machine, Mate, Post

SIX: Final = Millis(int(datetime(2026, 11, 21, 6, tzinfo=UTC).timestamp() * 1_000))
"""When the story begins: both ends of the shift lie in one day, so that its numbers are of one series."""
HOUR: Final = 60 * MINUTE
STEP: Final = 10 * MINUTE
SHIFT: Final = 8 * HOUR
LEASE: Final = 12 * HOUR
SUITE: Final = "perry-barr"
NONE: Final = RecordId("")
CHECKS: Final = FieldName("checks")
HELD_IN_CUSTODY: Final = ("force", "custody", f"suite:{SUITE}", f"suite:{SUITE}:inbox", "area:birmingham")
DESK: Final = Post(device="desk-1", officer="WM30012", role=Role.CUSTODY_OFFICER, holds=HELD_IN_CUSTODY)
INSPECTOR: Final = Post(device="review-1", officer="WM20031", role=Role.REVIEWING_OFFICER, holds=HELD_IN_CUSTODY)
ON_PATROL: Final = ("force", "area:birmingham")
FIRST: Final = Post(device="unit-1", officer="WM21877", role=Role.SUPERVISOR, holds=ON_PATROL)
SECOND: Final = Post(device="unit-2", officer="WM20417", role=Role.OFFICER, holds=ON_PATROL)
CONTROL: Final = Post(
    device="control-1", officer="WM10005", role=Role.CONTROL_ROOM,
    holds=("force", "control", "control:inbox", "area:birmingham", "area:birmingham:inbox"),
)  # fmt: skip


class Force:
    """The people of the story, the time, and what they work on."""

    def __init__(self, stage: Stage, machine: Machine, mates: Iterable[Mate]) -> None:
        """Bind them; `before` begins."""
        self.stage = stage
        self.machine = machine
        self.mates = list(mates)
        self.desk, self.inspector, self.first, self.second, self.control = self.mates
        self.passed = 0
        self.texts: list[str] = []
        self.urns: dict[RecordId, str] = {}
        """The numbers that were given before the server went."""
        self.ashgrove = self.oakhurst = self.quarrel = self.theft = self.van = self.late_review = NONE
        self.offline: list[RecordId] = []
        self.after: list[RecordId] = []

    # --- what people do ----------------------------------------------------------------------------------------------

    @property
    def now(self) -> Millis:
        """True time (ms since 1970)."""
        return Millis(self.desk.clock.wall_ms() - self.desk.clock.off_ms)

    async def report(self, mate: Mate, summary: str) -> RecordId:
        """Somebody makes an incident."""
        made = Incident(opened_at=self.now, area="birmingham", category=Category.PUBLIC_SAFETY, summary=summary)
        return await mate.did(mate.handheld.create(made))

    async def log(self, mate: Mate, record: RecordId, text: str) -> None:
        """Somebody writes into a log."""
        self.texts.append(text)
        await mate.did(mate.handheld.append(record, "log", LogEntry(text=text)))

    async def detain(self, booking: RecordId, arrived: Millis, authorised: Millis) -> None:
        """The custody officer authorises detention, with all that belongs to it."""
        await self.desk.did(
            self.desk.handheld.append(booking, "detention", DetentionEvent(what=Step.ARRIVAL, at=arrived, suite=SUITE))
        )
        await self.desk.did(
            self.desk.handheld.append(booking, "risk_assessments", RiskAssessment(at=authorised, level=Risk.STANDARD))
        )
        await self.desk.did(self.desk.handheld.edit(booking, interpreter=InterpreterNeed.NOT_NEEDED))
        authority = DetentionEvent(
            what=Step.AUTHORISED, at=authorised, by=DESK.officer, rank=Rank.SERGEANT, reason="To question him"
        )
        await self.desk.did(self.desk.handheld.append(booking, "detention", authority))

    async def look_in(self, booking: RecordId) -> None:
        """The custody officer looks at somebody in a cell."""
        self.texts.append(note := f"Looked in, {len(self.texts)}")
        seen = Check(checked_at=self.now, where="cell M4", response=Response.AWAKE, note=note)
        await self.desk.did(self.desk.handheld.append(booking, "checks", seen))

    async def review(self, mate: Mate, booking: RecordId) -> None:
        """The inspector reviews a detention, and it is recorded on one of the devices in the suite."""
        done = DetentionEvent(
            what=Step.REVIEW, at=self.now, by=INSPECTOR.officer, rank=Rank.INSPECTOR, involved=False,
            manner=Manner.IN_PERSON, outcome=Outcome.CONTINUED, reason="Still to be questioned",
        )  # fmt: skip
        await mate.did(mate.handheld.append(booking, "detention", done))

    async def assess(self, mate: Mate, incident: RecordId, name: str) -> None:
        """Somebody assesses the risk to a victim of domestic abuse."""
        asked = DEFAULTS.incidents.abuse_sets[-1]
        answers = tuple(Answered(question=one.id, reply=Reply.NOT_KNOWN) for one in asked.questions)
        assessment = AbuseAssessment(
            name=name, question_set=asked.name, version=asked.version, answers=answers, risk=AbuseRisk.MEDIUM,
            judgement="Frightened; will stay with her sister", assessed_at=self.now,
        )  # fmt: skip
        await mate.did(mate.handheld.append(incident, "assessments", assessment))

    # --- time --------------------------------------------------------------------------------------------------------

    async def pass_until(self, passed: int) -> None:
        """Let time pass for everybody, in steps of ten minutes, until so much of the shift is over (ms)."""
        while self.passed < passed:
            for mate in self.mates:
                await mate.clock.move_on(STEP)
            self.passed += STEP

    # --- looking -----------------------------------------------------------------------------------------------------

    async def on_server(self, kind: type[Kind]) -> dict[RecordId, Kind]:
        """Every record of a kind that the server has."""
        spec = spec_of(kind)
        found = await self.stage.all_records(spec.name)
        return {RecordId(name): spec.build(record["values"]) for name, record in found.items()}

    async def numbers(self) -> dict[RecordId, str]:
        """Incident -> the number that the control room reads on its screen."""
        found = await self.control.handheld.find(Incident)
        return {name: incident.urn for name, incident in found if incident.urn is not None}
