"""Uses of force as they are published, a row for each report: no names, no numbers, no account, no place but its area.

The columns are those of the record-level tables that the Metropolitan Police publish from the same form that every
force fills in since April 2017 (London Datastore, use of force; Home Office, annual data requirement), in their order
and wording. Left out are the marks on the body, the second to fourth device, their serial numbers, what duty the
officer had, and what a weapon was: a device's number and a free text can name somebody. `Borough` holds the Local
Policing Area. Words that the source was not seen to use are marked so in docs/howto/formats.md.
"""

from collections.abc import Mapping
from typing import Final

from schemas.kinds import UseOfForce
from schemas.kinds.force import (
    TACTICS_MAX,
    TASER,
    AgeBand,
    Conduct,
    Factor,
    ForceOutcome,
    Injury,
    Reason,
    Setting,
    Tactic,
)
from schemas.kinds.powers import EthnicGroup
from schemas.tokens import Token
from server.exporting import cells
from server.exporting.searches import GENDERS
from sync.policing.powers.force import used

SETTINGS: Final[Mapping[Token, str]] = {
    Setting.STREET: "Street/Highway",
    Setting.PUBLIC_TRANSPORT: "Public Transport",
    Setting.RETAIL: "Retail Premises",
    Setting.OPEN_GROUND: "Open ground (e.g. park, car park, field)",
    Setting.LICENSED: "Licensed Premises",
    Setting.STADIUM: "Sports or Event Stadia",
    Setting.HOSPITAL: "Hospital/A&E (non-mental-health setting)",
    Setting.MENTAL_HEALTH: "Mental Health Setting",
    Setting.CAGED_VEHICLE: "Police vehicle with prisoner handling cage",
    Setting.VEHICLE: "Police vehicle without prisoner handling cage",
    Setting.DWELLING: "Dwelling",
    Setting.STATION: "Police station (excluding custody block)",
    Setting.CUSTODY: "Custody Block",
    Setting.AMBULANCE: "Ambulance",
    Setting.OTHER: "Other",
}
CONDUCTS: Final[Mapping[Token, str]] = {
    Conduct.COMPLIANT: "Compliant",
    Conduct.PASSIVE: "Passive resistance",
    Conduct.VERBAL: "Verbal resistance/gestures",
    Conduct.ACTIVE: "Active resistance",
    Conduct.AGGRESSIVE: "Aggressive resistance",
    Conduct.SERIOUS: "Serious or aggravated resistance",
}
FACTORS: Final[Mapping[Token, str]] = {
    Factor.WEAPON: "Possesion of a weapon",
    Factor.ALCOHOL: "Alcohol",
    Factor.DRUGS: "Drugs",
    Factor.MENTAL_HEALTH: "Mental Health",
    Factor.PRIOR_KNOWLEDGE: "Prior Knowledge",
    Factor.BUILD: "Size/Gender/Build",
    Factor.ACUTE_BEHAVIOUR: "Acute Behavioural Disorder",
    Factor.CROWD: "Crowd",
    Factor.OTHER: "Other",
}
"""Spelt as they are published: who reads such tables looks for these letters."""
REASONS: Final[Mapping[Token, str]] = {
    Reason.PROTECT_SELF: "Protect self",
    Reason.PROTECT_PUBLIC: "Protect Public",
    Reason.PROTECT_SUBJECT: "Protect Subject",
    Reason.PROTECT_OFFICERS: "Protect Other Officers",
    Reason.PREVENT_OFFENCE: "Prevent Offence",
    Reason.SECURE_EVIDENCE: "Secure Evidence",
    Reason.SEARCH: "Effect Search",
    Reason.ARREST: "Effect Arrest",
    Reason.ENTRY: "Method of Entry",
    Reason.REMOVE_HANDCUFFS: "Remove Handcuffs",
    Reason.PREVENT_HARM: "Prevent Harm",
    Reason.PREVENT_ESCAPE: "Prevent Escape",
    Reason.OTHER: "Other",
}
TACTICS: Final[Mapping[Token, str]] = {
    Tactic.COMMUNICATION: "Tactical Communications",
    Tactic.HANDCUFFS_COMPLIANT: "Compliant Handcuffing",
    Tactic.HANDCUFFS: "Non-Compliant Handcuffing",
    Tactic.UNARMED: "Unarmed Skills (including pressure points, strikes, restraints and take-downs)",
    Tactic.GROUND: "Ground Restraint",
    Tactic.LIMBS: "Limb/Body Restraints",
    Tactic.SPIT_GUARD: "Spit Guard",
    Tactic.SHIELD: "Shield",
    Tactic.BATON_DRAWN: "Baton Drawn",
    Tactic.BATON_USED: "Baton Used",
    Tactic.CS_DRAWN: "Irritant Spray - CS Drawn",
    Tactic.CS_USED: "Irritant Spray - CS Used",
    Tactic.PAVA_DRAWN: "Irritant Spray - PAVA Drawn",
    Tactic.PAVA_USED: "Irritant Spray - PAVA Used",
    Tactic.DOG_DEPLOYED: "Dog Deployed",
    Tactic.DOG_BITE: "Dog Bite",
    Tactic.TASER_DRAWN: "CED (Taser) Drawn",
    Tactic.TASER_AIMED: "CED (Taser) Aimed",
    Tactic.TASER_ARCED: "CED (Taser) Arced",
    Tactic.TASER_RED_DOTTED: "CED (Taser) Red-Dotted",
    Tactic.TASER_DRIVE_STUN: "CED (Taser) Drive Stun",
    Tactic.TASER_ANGLE_DRIVE_STUN: "CED (Taser) Angle Drive Stun",
    Tactic.TASER_FIRED: "CED (Taser) Fired",
    Tactic.AEP_AIMED: "AEP Aimed",
    Tactic.AEP_FIRED: "AEP Fired",
    Tactic.FIREARM_AIMED: "Firearm Aimed",
    Tactic.FIREARM_FIRED: "Firearm Fired",
    Tactic.OTHER: "Other/Improvised",
}
AGES: Final[Mapping[Token, str]] = {
    AgeBand.TO_10: "0-10",
    AgeBand.TO_17: "11-17",
    AgeBand.TO_34: "18-34",
    AgeBand.TO_49: "35-49",
    AgeBand.TO_64: "50-64",
    AgeBand.FROM_65: "65 and over",
}
ETHNICITIES: Final[Mapping[Token, str]] = {
    EthnicGroup.ASIAN: "Asian (or Asian British)",
    EthnicGroup.BLACK: "Black (or Black British)",
    EthnicGroup.MIXED: "Mixed",
    EthnicGroup.OTHER: "Other",
    EthnicGroup.WHITE: "White",
}
INJURIES: Final[Mapping[Token, str]] = {
    Injury.NONE: "",
    Injury.MINOR: "Minor",
    Injury.SEVERE: "Severe",
    Injury.FATAL: "Fatal",
}
OUTCOMES: Final[Mapping[Token, str]] = {
    ForceOutcome.MADE_OFF: "Made off/escaped",
    ForceOutcome.ARRESTED: "Arrested",
    ForceOutcome.HOSPITALISED: "Hospitalised",
    ForceOutcome.DETAINED_MENTAL_HEALTH: "Detained - Mental Health Act",
    ForceOutcome.DIED: "Fatality",
    ForceOutcome.OTHER: "Other",
}
_DEVICE: Final[Mapping[Token, str]] = {
    tactic: f"CED {TACTICS[tactic].removeprefix('CED (Taser) ')}" for tactic in TASER
}
COLUMNS: Final = (
    "IncidentDate",
    "IncidentTime",
    *(f"Incident Location: {words}" for words in SETTINGS.values()),
    "Borough",
    "PrimaryConduct",
    "AssaultedBySubject",
    "ThreatenedWithWeapon",
    "AssaultedWithWeapon",
    *(f"Impact Factor: {words}" for words in FACTORS.values()),
    *(f"Reason for Force: {words}" for words in REASONS.values()),
    "SingleCrewed",
    "TrainedCED",
    "CarryingCED",
    *(column for n in range(1, TACTICS_MAX) for column in (f"Tactic {n}", f"Effective {n}")),
    f"Tactic {TACTICS_MAX}",
    f"Tactic Effective {TACTICS_MAX}",
    "CED Used",
    *_DEVICE.values(),
    "CED Fired Total Number Of Cycles",
    "CED Fired Cycle Extended Beyond 5 Secs",
    "CED Fired Miss With One Probe",
    "CED Fired Miss With Both Probes",
    "Firearms Aimed",
    "Firearms Fired",
    "SubjectAge",
    "SubjectGender",
    "SubjectEthnicity",
    "PhysicalDisability",
    "MentalDisability",
    "StaffInjured",
    "StaffInjuryIntentional",
    "StaffInjuryLevel",
    "StaffMedProvided",
    "SubjectInjured",
    "SubjectNatureOfInjury",
    "SubjectMedOffered",
    "SubjectMedProvided",
    *(f"Outcome: {words}" for words in OUTCOMES.values()),
)


def row(report: UseOfForce) -> list[str]:
    """What is published of a report: a cell for each of `COLUMNS`, "" where nothing is said."""
    told = used(report)
    tactics = {one.tactic for one in told}
    taser = report.taser
    date, _, time = cells.moment(report.used_at).partition("T")
    ordered = [cell for one in told for cell in (cells.word(TACTICS, one.tactic), cells.yes(one.effective))]
    return [
        date,
        time[:5],
        *_each(SETTINGS, () if report.setting is None else (report.setting,)),
        cells.line(report.area),
        cells.word(CONDUCTS, report.conduct),
        cells.yes(report.assaulted),
        cells.yes(report.threatened_with_weapon),
        cells.yes(report.assaulted_with_weapon),
        *_each(FACTORS, report.factors),
        *_each(REASONS, report.reasons),
        cells.yes(report.single_crewed),
        cells.yes(report.taser_trained),
        cells.yes(report.taser_carried),
        *(ordered + [""] * (2 * TACTICS_MAX))[: 2 * TACTICS_MAX],
        cells.yes(None if not tactics else not tactics.isdisjoint(TASER)),
        *_each(_DEVICE, tuple(tactics)),
        "" if taser is None else str(taser.cycles),
        cells.yes(None if taser is None else taser.beyond_5_s),
        cells.yes(None if taser is None else taser.missed_one_probe),
        cells.yes(None if taser is None else taser.missed_both_probes),
        *_each({Tactic.FIREARM_AIMED: "", Tactic.FIREARM_FIRED: ""}, tuple(tactics)),
        cells.word(AGES, report.age_band),
        cells.word(GENDERS, report.gender),
        cells.word(ETHNICITIES, report.ethnicity),
        cells.yes(report.physical_disability),
        cells.yes(report.mental_disability),
        _hurt(report.officer_injury),
        cells.yes(report.officer_injury_meant),
        cells.word(INJURIES, report.officer_injury),
        cells.yes(report.officer_treated),
        _hurt(report.subject_injury),
        cells.word(INJURIES, report.subject_injury),
        cells.yes(report.subject_help_offered),
        cells.yes(report.subject_treated),
        *_each(OUTCOMES, report.outcomes),
    ]


def is_of(row_cells: list[str], month: str) -> bool:
    """Whether a row is of a month, by its date in UTC."""
    return row_cells[0].startswith(f"{month}-")


def _each(words: Mapping[Token, str], said: tuple[Token, ...]) -> list[str]:
    """A column for each word: yes or no, or nothing where nothing at all is said.

    What only a newer program knows stands under the last of them, which is `Other` wherever there is one.
    """
    if not said:
        return [""] * len(words)
    answers = [token in said for token in words]
    if words[tuple(words)[-1]] == "Other" and any(one not in words for one in said):
        answers[-1] = True
    return [cells.yes(one) for one in answers]


def _hurt(injury: Token | None) -> str:
    return cells.yes(None if injury is None else injury != Injury.NONE)
