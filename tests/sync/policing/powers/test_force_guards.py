"""What a report of a use of force must say, and who is asked what (scrutiny of powers export)."""

from typing import Any

import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, Seq
from schemas.kinds import KINDS, UseOfForce
from schemas.kinds.force import TASER, TacticUse
from schemas.ops import Stamp
from schemas.settings import DEFAULTS
from sync.merge import RecordState
from sync.policies import Cell, Said
from sync.policing.guards import Look, breaches
from sync.policing.powers.force import GUARDS, used
from sync.policing.rulebook import GUARDS as BOOK
from tests.examples import BOOKING, FORCE, INCIDENT, LEAST, T0

SPEC = KINDS["use-of-force"]
DONE: dict[str, Any] = {
    "reasons": ["protect-self"],
    "tactics": [{"n": 1, "tactic": "handcuffs-compliant", "effective": True}],
}


def built(values: dict[str, Any]) -> UseOfForce:
    """A report of plain values beside the least."""
    found = SPEC.build({FieldName(name): value for name, value in (LEAST["use-of-force"] | values).items()})
    assert isinstance(found, UseOfForce)
    return found


def rules(
    changes: dict[str, Any],
    *,
    author: str = "WM30012",
    said: dict[str, Any] | None = None,
    beside: tuple[RecordState, ...] = (),
) -> list[str]:
    """The rules that are against a change; `said` is what the report said before, None of a new one."""
    look = Look(
        before=None if said is None else built(said),
        after=built((said or {}) | changes),
        changes={FieldName(name): value for name, value in changes.items()},
        author=OfficerId(author),
        roles=None,
        now=Millis(1),
        occurred_at=Millis(1),
        settings=DEFAULTS,
        beside=lambda: beside,
    )
    return [one.rule for one in breaches(GUARDS, look)]


def held(**values: Any) -> RecordState:  # noqa: ANN401  plain values
    """A report that is there already."""
    stamp = Stamp(DeviceId("hh-1"), OpNumber(1), 1, 0, OfficerId("WM30012"), 1, 1, 1)
    cells = {FieldName(name): Cell(said=Said(value, stamp)) for name, value in (LEAST["use-of-force"] | values).items()}
    return RecordState(id=FORCE, spec=SPEC, version=Seq(1), cells=cells)


def test_the_guards_stand_before_the_kind() -> None:
    """On the device, at the desk and over HTTP."""
    assert BOOK["use-of-force"] == GUARDS


def test_a_report_that_says_what_and_why_passes() -> None:
    """The least that is published of one."""
    assert rules(DONE) == []


@pytest.mark.parametrize(
    ("changes", "said", "rule"),
    [
        ({"reasons": ["protect-self"]}, None, "force-incomplete"),
        ({"tactics": DONE["tactics"]}, None, "force-incomplete"),
        (DONE | {"tactics": [{"n": 1, "tactic": "tactical-communications"}]}, None, "force-words-only"),
        (DONE | {"tactics": [{"n": 1, "tactic": "shield"}, {"n": 1, "tactic": "spit-guard"}]}, None, "force-order"),
        (DONE | {"tactics": [{"n": 1, "tactic": "taser-fired"}]}, None, "force-taser"),
        (DONE | {"taser": {"cycles": 1}}, None, "force-taser-unused"),
        ({"subject_injury": "minor"}, DONE, "force-help"),
        ({"subject_injury": "severe", "subject_help_offered": True}, DONE, "force-serious-injury"),
        ({"outcomes": ["arrested"]}, DONE, "force-unlinked"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_told(changes: dict[str, Any], said: dict[str, Any] | None, rule: str) -> None:
    """One rule each, by its name."""
    assert rules(changes, said=said) == [rule]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (DONE | {"tactics": [{"n": 1, "tactic": "taser-fired"}], "taser": {"cycles": 2}}, None),
        (DONE | {"tactics": [{"n": 1, "tactic": "taser-red-dotted"}]}, None),
        ({"subject_injury": "none"}, DONE),
        ({"subject_injury": "minor", "subject_help_offered": False}, DONE),
        ({"outcomes": ["arrested"]}, DONE | {"booking": BOOKING}),
        ({"outcomes": ["arrested"]}, DONE | {"incident": INCIDENT}),
        ({"location": "By the canal"}, {}),
    ],
)
def test_what_is_in_order_is_not_asked_about(changes: dict[str, Any], said: dict[str, Any] | None) -> None:
    """A device that was only shown has no discharge; who writes something else is not asked for the rest."""
    assert rules(changes, said=said) == []


def test_a_death_is_told_of_in_both_places() -> None:
    """And it is passed on, whatever the injury says."""
    assert rules({"outcomes": ["fatality"]}, said=DONE) == ["force-died", "force-serious-injury"]
    assert rules({"outcomes": ["fatality"], "subject_injury": "fatal"}, said=DONE) == ["force-serious-injury"]


def test_where_the_law_leaves_judgement_a_reason_goes_on() -> None:
    """Of a serious injury the log says who was told; that nobody offered help is never passed over."""
    told = {
        "log": [{"text": "Inspector Vale and the duty PSD were told at 22:40.", "overrides": "force-serious-injury"}]
    }
    grave = {"subject_injury": "severe", "subject_help_offered": True}
    assert rules(grave | told, said=DONE) == []
    hurt = {"subject_injury": "minor", "log": [{"text": "No time.", "overrides": "force-help"}]}
    assert rules(hurt, said=DONE) == ["force-help"]


def test_each_officer_reports_for_themselves() -> None:
    """However the collar number is written; somebody else needs a reason, and only when it is made."""
    assert rules(DONE, author="wm30012") == []
    assert rules(DONE, author="WM4") == ["force-own-report"]
    assert rules({"location": "By the canal"}, author="WM4", said=DONE) == []


def test_one_officer_writes_one_report_of_one_person() -> None:
    """Another person, another incident or another hour is another report; so is another officer's."""
    there = (held(subject="subject-1", incident=INCIDENT),)
    same = DONE | {"subject": "subject-1", "incident": INCIDENT}
    assert rules(same, beside=there) == ["force-twice"]
    assert rules(same | {"used_at": T0 + 9 * 60_000}, beside=there) == ["force-twice"]
    for other in ({"subject": "subject-2"}, {"incident": BOOKING}, {"used_at": T0 + 10 * 60_000}):
        assert rules(same | other, beside=there) == []
    assert rules(same | {"officer": "WM4"}, author="WM4", beside=there) == []
    assert rules({"log": [{"text": "More."}]}, said=same, beside=there) == []


def test_nobody_reviews_their_own_use_of_force() -> None:
    """However their collar number is written."""
    review = {"reviews": [{"reviewed_at": 5, "necessary": True, "finding": "On film."}]}
    assert rules(review, author="Wm30012", said=DONE) == ["force-review-own"]
    assert rules(review, author="WM30013", said=DONE) == []


def test_tactics_are_in_order_without_what_was_taken_back() -> None:
    """A correction stands in the place of what it corrects; the old entry stays in the record."""
    wrong = TacticUse(n=1, tactic=TASER[0])
    report = built(
        {
            "tactics": [
                {"n": 3, "tactic": "handcuffs-non-compliant"},
                {"n": 1, "tactic": "taser-drawn"},
                {"n": 2, "tactic": "taser-fired"},
                {"n": 1, "tactic": "taser-aimed", "corrects": wrong.ref()},
            ]
        }
    )
    assert [str(one.tactic.value) for one in used(report)] == ["taser-aimed", "taser-fired", "handcuffs-non-compliant"]
    assert len(report.tactics) == 4
