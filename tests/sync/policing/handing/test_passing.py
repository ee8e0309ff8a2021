"""The rules of an incident that passes between teams: what is refused, what falls due, and whose handover it is in."""

from typing import Any

import pytest

from schemas import scopes
from schemas.ids import Millis, RecordId
from schemas.kinds import Kind
from schemas.roles import Role
from schemas.settings import DEFAULTS
from schemas.settings.handover import HandoverSettings
from sync.policing.due import What
from sync.policing.guards import breaches
from sync.policing.handing.passing import GUARDS, dues
from sync.policing.handover import Part, handover, nobodys
from tests.sync.policing.incidents.cases import MINUTE, T0, change, incident, number

RESPONSE, INVESTIGATION = scopes.team("response-a"), scopes.team("investigation-a")


def step(
    what: str,
    at: int = T0,
    giver: str = "response-a",
    to: str = "investigation-a",
    **more: Any,  # noqa: ANN401  plain values
) -> dict[str, Any]:
    """A step of a passing, with its reason."""
    return {"step": what, "giver": giver, "to": to, "offered_at": T0, "at": at, "why": "Statements taken.", **more}


OFFER = step("offered")
YES, NO = step("accepted", T0 + 5), step("refused", T0 + 5)
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[str]]] = {
    "offering what was never offered": ([], {"passing": [OFFER]}, []),
    "offering without saying why": ([], {"passing": [step("offered", why=None)]}, ["passing-why"]),
    "offering without saying why, with a reason for that": (
        [],
        {"passing": [step("offered", why=None)], "log": [{"text": "By radio.", "overrides": "passing-why"}]},
        [],
    ),
    "offering to oneself": ([], {"passing": [step("offered", to="response-a")]}, ["passing-own"]),
    "offering what another team has": (
        [OFFER, YES],
        {"passing": [step("offered", T0 + 9, to="cid", offered_at=T0 + 9)]},
        ["passing-giver"],
    ),
    "offering on what was accepted": (
        [OFFER, YES],
        {"passing": [step("offered", T0 + 9, "investigation-a", "cid", offered_at=T0 + 9)]},
        [],
    ),
    "offering to a second team while the first has not answered": (
        [OFFER],
        {"passing": [step("offered", T0 + 9, to="cid", offered_at=T0 + 9)]},
        ["passing-open"],
    ),
    "accepting": ([OFFER], {"passing": [YES]}, []),
    "accepting what was answered": ([OFFER, NO], {"passing": [YES]}, ["passing-answer"]),
    "accepting what was never offered": ([], {"passing": [YES]}, ["passing-answer"]),
    "refusing with a reason": ([OFFER], {"passing": [NO]}, []),
    "refusing without one": ([OFFER], {"passing": [step("refused", T0 + 5, why=None)]}, ["passing-refused"]),
    "withdrawing": ([OFFER], {"passing": [step("withdrawn", T0 + 5, why=None)]}, []),
    "closing while it is offered": ([OFFER], {"status": "closed"}, ["passing-closed"]),
    "closing once it is answered": ([OFFER, NO], {"status": "closed"}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_would_leave_in_doubt_whose_it_is_is_refused(case: str) -> None:
    """Each rule both ways; where the matter leaves judgement, a reason goes on."""
    before, changes, expected = CASES[case]
    assert [one.rule for one in breaches(GUARDS, change({"passing": before}, changes))] == expected


def test_a_refusal_says_who_has_it() -> None:
    """Whoever writes in error learns with whom to speak."""
    (breach,) = breaches(GUARDS, change({"passing": [OFFER, YES]}, {"passing": [YES]}))
    assert "investigation-a" in breach.remedy


def test_an_offer_that_nobody_answers_falls_due() -> None:
    """After the force's time the receiving team's supervisors are warned, then the control room; an answer ends it."""
    (due,) = dues(incident(passing=[OFFER]), DEFAULTS, Millis(T0))
    assert (due.what, due.at, due.roles, due.then) == (
        What.ACCEPTANCE, T0 + 30 * MINUTE, (Role.SUPERVISOR,), (Role.CONTROL_ROOM,),
    )  # fmt: skip
    assert "response-a has it" in due.words
    for answer in (YES, NO, step("withdrawn", T0 + 5)):
        assert list(dues(incident(passing=[OFFER, answer]), DEFAULTS, Millis(T0))) == []
    assert list(dues(incident(passing=[OFFER], status="closed"), DEFAULTS, Millis(T0))) == []


def test_a_second_offer_falls_due_for_itself() -> None:
    """It is another due time, so that the warning of the first does not silence it."""
    again = step("offered", T0 + 9, offered_at=T0 + 9)
    (due,) = dues(incident(passing=[OFFER, NO, again]), DEFAULTS, Millis(T0))
    assert due.at == T0 + 9 + HandoverSettings().accept_ms


def test_two_teams_that_both_accepted_are_told_to_settle_it() -> None:
    """Offers made without sight of each other, both taken up: both teams see it until one passes it on."""
    other = step("offered", T0 + 1, to="cid", offered_at=T0 + 1)
    both = incident(passing=[OFFER, other, YES, step("accepted", T0 + 6, to="cid", offered_at=T0 + 1)])
    (due,) = dues(both, DEFAULTS, Millis(T0))
    assert (due.at, due.key) == (T0 + 6, "two teams")
    assert "cid and investigation-a" in due.words


def test_hub_handover_of_response_and_investigation_by_acceptance() -> None:
    """Row: hub handover of response and investigation. It is a task for whom it is offered to, and never nobody's."""
    teams = {"response": [RESPONSE], "investigation": [INVESTIGATION]}
    quiet = {"grade": "no-deployment", "status": "attended"}
    seen = []
    for steps in ([OFFER], [OFFER, NO], [OFFER, YES]):
        records: dict[RecordId, Kind] = {number(1): incident(passing=steps, teams=[], **quiet)}
        view = {
            name: [
                one.part
                for one in handover(
                    records, at, until=Millis(T0), settings=DEFAULTS, now=Millis(T0), report=lambda *_: None
                )
            ]
            for name, at in teams.items()
        }
        seen.append((view["response"], view["investigation"]))
        left = nobodys(records, teams, until=Millis(T0), settings=DEFAULTS, now=Millis(T0), report=lambda *_: None)
        assert left == ()
    assert seen == [
        ([Part.INCIDENT], [Part.INCIDENT, Part.OFFER]),
        ([Part.INCIDENT], []),
        ([], [Part.INCIDENT]),
    ]
