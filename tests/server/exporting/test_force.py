"""Uses of force as they are published, and the report on them (row: scrutiny of powers export)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import FieldName
from schemas.kinds import KINDS, UseOfForce
from schemas.kinds.force import (
    AgeBand,
    Conduct,
    Factor,
    ForceOutcome,
    Injury,
    Reason,
    Setting,
    Tactic,
    TacticUse,
)
from schemas.kinds.powers import EthnicGroup
from server.exporting import force, force_scrutiny, tables
from tests.examples import LEAST

WHOLE: dict[str, Any] = {
    "subject": "kim-example",
    "setting": "dwelling",
    "location": "12 Example Street",
    "position": {"longitude": -1.8985, "latitude": 52.4778},
    "conduct": "aggressive-resistance",
    "assaulted": True,
    "threatened_with_weapon": True,
    "assaulted_with_weapon": False,
    "factors": ["alcohol"],
    "reasons": ["protect-self", "effect-arrest"],
    "single_crewed": False,
    "taser_trained": True,
    "taser_carried": True,
    "tactics": [
        {"n": 2, "tactic": "handcuffs-non-compliant", "effective": True},
        {"n": 1, "tactic": "taser-fired", "effective": False},
    ],
    "taser": {"cycles": 2, "beyond_5_s": False, "missed_one_probe": True},
    "age_band": "35-49",
    "gender": "male",
    "ethnicity": "black",
    "physical_disability": False,
    "mental_disability": True,
    "officer_injury": "minor",
    "officer_injury_meant": True,
    "officer_treated": False,
    "subject_injury": "severe",
    "subject_help_offered": True,
    "subject_treated": True,
    "outcomes": ["arrested", "hospitalised"],
    "reviews": [{"reviewed_at": 5, "necessary": True, "finding": "Seen on film."}],
    "log": [{"text": "Robin Example was there."}],
}


def report(**values: Any) -> UseOfForce:  # noqa: ANN401  plain values
    """A report of plain values beside the least."""
    plain = LEAST["use-of-force"] | values
    found = KINDS["use-of-force"].build({FieldName(name): value for name, value in plain.items()})
    assert isinstance(found, UseOfForce)
    return found


def told(**values: Any) -> dict[str, str]:  # noqa: ANN401  plain values
    """Column -> cell of a report."""
    return dict(zip(force.COLUMNS, force.row(report(**values)), strict=True))


def test_a_whole_report_is_told_in_the_published_words() -> None:
    """Every column that says something else than no, and each in its place."""
    cells = told(**WHOLE)
    assert {name: cell for name, cell in cells.items() if cell not in {"", "No"}} == {
        "IncidentDate": "2025-10-09",
        "IncidentTime": "08:53",
        "Incident Location: Dwelling": "Yes",
        "Borough": "birmingham",
        "PrimaryConduct": "Aggressive resistance",
        "AssaultedBySubject": "Yes",
        "ThreatenedWithWeapon": "Yes",
        "Impact Factor: Alcohol": "Yes",
        "Reason for Force: Protect self": "Yes",
        "Reason for Force: Effect Arrest": "Yes",
        "TrainedCED": "Yes",
        "CarryingCED": "Yes",
        "Tactic 1": "CED (Taser) Fired",
        "Tactic 2": "Non-Compliant Handcuffing",
        "Effective 2": "Yes",
        "CED Used": "Yes",
        "CED Fired": "Yes",
        "CED Fired Total Number Of Cycles": "2",
        "CED Fired Miss With One Probe": "Yes",
        "SubjectAge": "35-49",
        "SubjectGender": "Male",
        "SubjectEthnicity": "Black (or Black British)",
        "MentalDisability": "Yes",
        "StaffInjured": "Yes",
        "StaffInjuryIntentional": "Yes",
        "StaffInjuryLevel": "Minor",
        "SubjectInjured": "Yes",
        "SubjectNatureOfInjury": "Severe",
        "SubjectMedOffered": "Yes",
        "SubjectMedProvided": "Yes",
        "Outcome: Arrested": "Yes",
        "Outcome: Hospitalised": "Yes",
    }
    assert (cells["Effective 1"], cells["CED Drawn"], cells["Firearms Fired"]) == ("No", "No", "No")
    assert cells["CED Fired Miss With Both Probes"] == ""


def test_nobody_is_named_and_no_place_is_told() -> None:
    """Officer, the person's sign, account, address, position, log and reviews stay inside."""
    said = ",".join(force.row(report(**WHOLE))).casefold()
    for inside in ("wm30012", "kim", "robin", "bottle", "example street", "52.4", "1.89", "film"):
        assert inside not in said


def test_what_nobody_answered_is_empty_and_never_no() -> None:
    """A missing answer and a no are not the same thing to whoever counts them."""
    assert {name for name, cell in told().items() if cell} == {"IncidentDate", "IncidentTime", "Borough"}
    unhurt = told(subject_injury="none")
    assert (unhurt["SubjectInjured"], unhurt["SubjectNatureOfInjury"]) == ("No", "")


@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        (force.SETTINGS, Setting),
        (force.CONDUCTS, Conduct),
        (force.FACTORS, Factor),
        (force.REASONS, Reason),
        (force.TACTICS, Tactic),
        (force.AGES, AgeBand),
        (force.ETHNICITIES, EthnicGroup),
        (force.INJURIES, Injury),
        (force.OUTCOMES, ForceOutcome),
    ],
)
def test_every_token_has_its_published_word(words: Any, tokens: Any) -> None:  # noqa: ANN401  tables of all nine
    """One that is added needs a word before it can leave, and no two have the same."""
    assert words.keys() == set(tokens)
    assert len(set(words.values())) == len(words)


def test_what_only_a_newer_program_knows_is_told() -> None:
    """As it is where a cell holds a word, under other where each word has a column: it is never left out."""
    cells = told(tactics=[{"n": 1, "tactic": "net-thrown"}], reasons=["restore-order"], used_at=2**53)
    assert (cells["Tactic 1"], cells["Reason for Force: Other"], cells["IncidentDate"]) == ("net-thrown", "Yes", "")
    assert cells["Reason for Force: Protect self"] == "No"


def test_a_corrected_tactic_is_published_as_corrected() -> None:
    """The entry that was wrong stays in the record and not in the table; twenty are told at most."""
    wrong = TacticUse(n=1, tactic=Tactic.BATON_USED)
    cells = told(tactics=[{"n": 1, "tactic": "baton-used"}, {"n": 1, "tactic": "baton-drawn", "corrects": wrong.ref()}])
    assert (cells["Tactic 1"], cells["Tactic 2"]) == ("Baton Drawn", "")
    many = [{"n": n, "tactic": "shield" if n < 20 else "dog-bite"} for n in range(1, 21)]
    extra = [{"n": 20, "tactic": "other-improvised"}]
    assert told(tactics=many + extra)["Tactic 20"] in {"Dog Bite", "Other/Improvised"}


@given(area=st.sampled_from(["north", "west-2"]), tactic=st.sampled_from(Tactic), effective=st.none() | st.booleans())
def test_what_is_exported_reads_back_as_the_same_rows(area: str, tactic: Tactic, effective: bool | None) -> None:  # noqa: FBT001  drawn
    """Hardened against formulas and read again, every cell is what it was."""
    uses = [{"n": 1, "tactic": tactic.value, "effective": effective}]
    rows = [force.row(report(area=area, tactics=uses))]
    assert tables.read(tables.written(force.COLUMNS, rows), force.COLUMNS, "x.csv") == rows


def test_a_month_is_that_of_the_published_date() -> None:
    """In UTC, from its first moment to its last."""
    first = 1_759_276_800_000
    assert force.is_of(force.row(report(used_at=first)), "2025-10")
    assert force.is_of(force.row(report(used_at=first - 1)), "2025-09")


def test_scrutiny_counts_reports_and_holds_rates_against_the_readers_numbers() -> None:
    """Two of 1,000 are 2 in a thousand, one of 2,000 is a half: four times as many."""
    rows = [force.row(report(**WHOLE))] * 2 + [
        force.row(report(ethnicity="white", tactics=[{"n": 1, "tactic": "shield"}]))
    ]
    rows.append(force.row(report()))
    found = force_scrutiny.report(rows, {"White": 2_000, "Black": 1_000})
    lines = {line.group: line for line in found.groups}
    assert found.total == 4
    assert (lines["Black"].reports, lines["Black"].taser, lines["Black"].fired, lines["Black"].injured) == (2, 2, 2, 2)
    assert (lines["Black"].per_thousand, lines["Black"].times, lines["White"].times) == (2.0, 4.0, 1.0)
    assert (lines["White"].taser, lines["Not stated"].reports, lines["Asian"].per_thousand) == (0, 1, None)
    assert found.tactics == {"CED (Taser) Fired": 2, "Non-Compliant Handcuffing": 2, "Shield": 1}
    assert found.effective == {"Non-Compliant Handcuffing": 2}
    assert found.reasons == {"Effect Arrest": 2, "Protect self": 2}
    assert found.ages == {"": 2, "35-49": 2}


def test_a_tactic_that_was_used_twice_in_a_report_counts_once_and_works_twice() -> None:
    """As the published statistics count tactics: by report."""
    uses = [{"n": n, "tactic": "unarmed-skills", "effective": True} for n in (1, 2)]
    found = force_scrutiny.report([force.row(report(tactics=uses))], {})
    words = force.TACTICS[Tactic.UNARMED]
    assert (found.tactics[words], found.effective[words]) == (1, 2)
    assert all(line.times is None for line in found.groups)
