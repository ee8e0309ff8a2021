"""The file of February 2014 replayed as calls: each is graded, decided on or overdue, and closed by the rules."""

import functools
from pathlib import Path
from typing import Final

import msgspec
import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, Seq
from schemas.kinds import KINDS, Incident
from schemas.kinds.incident import Category, IncidentStatus
from schemas.ops import Op
from schemas.roles import Role
from schemas.settings import DEFAULTS
from server.importing.areas import Areas
from server.importing.street import rows
from server.office import Draft
from sync import check, entitled, merge
from sync.merge import RecordState
from sync.policing import rulebook
from sync.policing.due import What
from sync.policing.incidents import abuse, contact, recording
from sync.policing.incidents.control import queue
from sync.policing.incidents.dues import dues
from sync.policing.rulebook import RuleError
from sync.replica.writing import sight

REAL_FILE = Path(__file__).parents[4] / "shared" / "data" / "street" / "2014-02-west-midlands-street.csv"
SPEC: Final = KINDS["incident"]
HOUR: Final = 3_600_000
ROLES: Final = frozenset({Role.OFFICER, Role.SUPERVISOR, Role.CONTROL_ROOM})
OFFICER: Final = OfficerId("WM21877")
NEVER_DECIDED: Final = 7
"""Every so many crimes nobody decides on, so that a clock runs out."""
ABUSE_EVERY: Final = 5
"""Every so many reports of violence are taken for domestic abuse: the file does not tell which were."""
PARTS: Final = 13
"""The rows are replayed in so many parts, each within the time that one test has on a busy machine; it shares no
factor with how often a crime is left undecided or a report taken for abuse, so each part has its share of both."""
SORTS: Final = {"Burglary": "burglary", "Robbery": "robbery", "Vehicle crime": "vehicle", "Drugs": "drugs"}
SIX: Final = dict.fromkeys(
    ("threat", "harm", "risk", "investigation", "vulnerability", "engagement"), "As the caller told it."
)


class Call:
    """One row, dealt with by the same checks that a handheld makes before it writes."""

    def __init__(self, draft: Draft) -> None:
        """Begin with nothing."""
        self.record = draft.record
        self.values = draft.values
        self.state: RecordState | None = None
        self._n = 0

    def write(self, changes: dict[str, object], at: int) -> None:
        """Write a change, or raise what is against it."""
        self._n += 1
        named = {FieldName(name): value for name, value in changes.items()}
        op = Op(
            device=DeviceId("desk-1"),
            n=OpNumber(self._n),
            record=self.record,
            kind="incident",
            author=OFFICER,
            create=self.state is None,
            base=Seq(0) if self.state is None else self.state.version,
            hlc=(at, self._n),
            occurred_at=Millis(at),
            wall=Millis(at),
            changes=named,
            saw=sight(SPEC, self.state, named),
        )
        assert not isinstance(check.op_alone(op), check.Refusal)
        refusal = entitled.refusal(op, SPEC, self.state, ROLES) or check.op_on(self.state, op, SPEC)
        if refusal is not None:
            raise PermissionError(refusal.detail)
        after = merge.apply(
            merge.new_state(op, SPEC) if self.state is None else self.state, op, Millis(at), Seq(self._n)
        )
        rulebook.require(op, self.state, after, ROLES, DEFAULTS)
        self.state = after

    @property
    def incident(self) -> Incident:
        """As it stands."""
        assert self.state is not None
        built = self.state.build()
        assert isinstance(built, Incident)
        return built


def replayed(number: int, draft: Draft) -> Call:
    """One row from the call to its closing, as far as the rules let it."""
    call, at = Call(draft), int(draft.values[FieldName("opened_at")])
    violent = draft.values[FieldName("summary")] == "Violence and sexual offences"
    crime = draft.values[FieldName("category")] == Category.CRIME.value
    victim = {"name": f"Victim {number}", "relation": "son"}
    made = {str(name): value for name, value in draft.values.items() if name not in {"status", "outcome"}}
    made["grade"] = "p1" if violent else "p2" if crime else "scheduled"
    made["gradings"] = [{**SIX, "grade": made["grade"], "graded_at": at}]
    if violent and number % ABUSE_EVERY == 0:
        made |= {"abuse_victims": [victim], "qualifiers": {"add": [DEFAULTS.incidents.abuse_qualifier]}}
    call.write(made, at)
    arrival = {"call_sign": "BW31", "step": "at-scene", "at": at + HOUR // 6}
    call.write({"status": "attended", "deployments": [arrival]}, at + HOUR)
    if crime and number % NEVER_DECIDED:
        sort = SORTS.get(str(made["summary"]), "other")
        decision = {"crime": "reported", "type": sort, "offence": made["summary"], "by": OFFICER}
        call.write({"crimes": [{**decision, "decided_at": at + 2 * HOUR}]}, at + 2 * HOUR)
    if draft.values[FieldName("status")] == IncidentStatus.CLOSED.value:
        _close(call, victim, at + 3 * HOUR)
    return call


def _close(call: Call, victim: dict[str, str], at: int) -> None:
    """Close it; where a victim has not been assessed that is refused, and done again behind the assessment."""
    closing: dict[str, object] = {"status": "closed", "closing_code": "resolved"}
    if abuse.unassessed(call.incident):
        with pytest.raises(PermissionError, match="assessments is missing"):
            call.write(closing, at)
        asked = DEFAULTS.incidents.abuse_sets[-1]
        answers = [{"question": one.id, "reply": "not-known"} for one in asked.questions]
        judged = {"risk": "medium", "judgement": "As told.", "assessed_at": at}
        said = {"question_set": asked.name, "version": asked.version, "answers": answers}
        call.write({"assessments": [{"name": victim["name"], **said, **judged}]}, at)
    call.write(closing, at)


@functools.cache
def drafts() -> tuple[Draft, ...]:
    """Every row of the file that lies in an area."""
    return tuple(one for one in rows(REAL_FILE, Areas.of_west_midlands()) if isinstance(one, Draft))


@pytest.fixture(scope="module", params=range(PARTS))
def calls(request: pytest.FixtureRequest) -> dict[RecordId, Call]:
    """A part of the rows, replayed; the parts together are all of them."""
    if not REAL_FILE.exists():
        pytest.skip("the real file of February 2014 is not beside this checkout")
    mine = [(n, draft) for n, draft in enumerate(drafts()) if n % PARTS == request.param]
    return {draft.record: replayed(n, draft) for n, draft in mine}


def test_every_row_becomes_a_call(calls: dict[RecordId, Call]) -> None:
    """Thousands of them, each graded by a person's six answers and attended."""
    assert len(calls) >= len(drafts()) // PARTS > 1_000
    assert all(contact.grading(call.incident) is not None for call in calls.values())


def test_no_domestic_abuse_is_closed_unassessed(calls: dict[RecordId, Call]) -> None:
    """DA assessment for all victims: of those that closed each victim is assessed; of those that did not, it is due."""
    abused = [call.incident for call in calls.values() if abuse.is_abuse(call.incident, DEFAULTS.incidents)]
    shut = [one for one in abused if one.status is IncidentStatus.CLOSED]
    assert shut
    assert not any(abuse.unassessed(one) for one in shut)
    for one in abused:
        due = {each.what for each in dues(one, DEFAULTS, Millis(one.opened_at))}
        assert (What.RISK_ASSESSMENT in due) is bool(abuse.unassessed(one))


def test_every_crime_is_decided_on_or_falls_due(calls: dict[RecordId, Call]) -> None:
    """Crime decision within its clock: decided, or there is a due 24 h after the report; and no third thing."""
    overdue = 0
    for call in calls.values():
        one = call.incident
        due = [each for each in dues(one, DEFAULTS, Millis(one.opened_at)) if each.what is What.CRIME_DECISION]
        wanted = one.category is Category.CRIME and not recording.decided(one)
        assert [each.at for each in due] == ([one.opened_at + 24 * HOUR] if wanted else [])
        overdue += wanted
    assert overdue > 50


def test_the_queue_holds_what_is_open_and_nothing_else(calls: dict[RecordId, Call]) -> None:
    """Control-room queue with timers: the whole month at once, the most urgent first."""
    held = {record: call.incident for record, call in calls.items()}
    found = queue(held, DEFAULTS, Millis(max(one.opened_at for one in held.values())))
    assert len(found) == sum(one.status is not IncidentStatus.CLOSED for one in held.values())
    ranks = [contact.URGENCY.index(held[one.record].grade) for one in found]
    assert ranks == sorted(ranks, reverse=True)


def test_a_closing_that_is_refused_leaves_the_call_as_it_was(calls: dict[RecordId, Call]) -> None:
    """What broke a rule was never written: a crime made something else in silence is still a crime."""
    call = next(one for one in calls.values() if one.incident.category is Category.CRIME and not one.incident.crimes)
    before = call.state
    with pytest.raises(RuleError, match="crime-reclassified"):
        call.write({"category": "administration"}, call.incident.opened_at + 4 * HOUR)
    assert call.state is before
    assert msgspec.to_builtins(call.incident)["category"] == "crime"
