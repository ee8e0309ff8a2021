"""How incidents are graded, recorded and closed: what forces differ in. Times are in ms.

Sources: the National Standard for Incident Recording, the Home Office Counting Rules, the grades and status codes of
West Midlands, the published models of the question sets.
"""

from typing import Final

import msgspec

from schemas.ids import MillisInt, OfficerText, SlugText
from schemas.kinds.common import Line
from schemas.settings.questions import CHILD_PROTECTION, DARA, DASH, VULNERABILITY, QuestionSet

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


class Code(msgspec.Struct, frozen=True, array_like=True):
    """One entry of a list of codes: the code, and its meaning."""

    code: SlugText
    meaning: Line


class GradeTarget(msgspec.Struct, frozen=True, array_like=True):
    """Within what time a unit is to be at the scene: the grade, and the time from the report (ms)."""

    grade: SlugText
    within_ms: int


class UnitCode(msgspec.Struct, frozen=True, array_like=True):
    """A status that a unit can have: its code, its meaning, and whether the unit can be sent."""

    code: int
    meaning: Line
    deployable: bool


class Guide(msgspec.Struct, frozen=True, kw_only=True):
    """What an officer who is new to it is led through.

    Attributes:
        when: category of incident, or qualifier, that it is for.
        fields: the fields to fill in, in order.
    """

    when: SlugText
    fields: tuple[SlugText, ...]


class Probation(msgspec.Struct, frozen=True, kw_only=True):
    """An officer whose entries a tutor confirms.

    Attributes:
        officer: collar number.
        until: when the probation ends (ms since 1970); None while that is open.
    """

    officer: OfficerText
    until: MillisInt | None = None


def _codes(**codes: str) -> tuple[Code, ...]:
    return tuple(Code(code.replace("_", "-"), meaning) for code, meaning in codes.items())


class IncidentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        attendance: grade -> within what time a unit is at the scene.
        unit_codes: what a unit's status can be.
        qualifiers: what an incident can be besides its category.
        closing_codes: how an incident can end.
        closing_code_needed: whether an incident closes only with such a code.
        crime_types: the sorts of crime.
        registrar_only: sorts that the Force Crime Registrar alone cancels.
        cancellation_codes: on what grounds a recorded crime is cancelled.
        decision_ms: how long there is to decide whether a report is a crime, from the report (ms).
        decision_warn_ms: how long before that somebody is warned (ms).
        early_entry_ms: by how much the time of an entry may be ahead of the clock of whoever writes it (ms).
        told_ms: how long there is to tell the victim what was decided (ms).
        abuse_qualifier: the qualifier of domestic abuse.
        abuse_sets: the question sets for its victims.
        assessment_ms: how long there is to assess a victim, from the report (ms).
        arrest_assessment_ms: the same where somebody was arrested, from the arrest (ms).
        vulnerability: what is asked at first contact.
        child_protection: what is asked about a child at risk.
        plan_warn_ms: how long before a review of a child's plan somebody is warned (ms).
        repeat_months: how far back somebody or some place counts as met before.
        guides: what new officers are led through.
        probation: the officers whose entries a tutor confirms.
    """

    attendance: tuple[GradeTarget, ...] = (
        GradeTarget("p1", 15 * MINUTE_MS),
        GradeTarget("p2", 60 * MINUTE_MS),
        GradeTarget("scheduled", 2 * DAY_MS),
    )
    unit_codes: tuple[UnitCode, ...] = (
        UnitCode(0, "emergency", False),
        UnitCode(1, "on duty", True),
        UnitCode(2, "on patrol", True),
        UnitCode(3, "at station", True),
        UnitCode(4, "refreshments", False),
        UnitCode(5, "en route", False),
        UnitCode(6, "at scene", False),
        UnitCode(7, "committed, deployable", True),
        UnitCode(8, "committed, not deployable", False),
        UnitCode(9, "prisoner escort", False),
        UnitCode(10, "at court", False),
        UnitCode(11, "off duty", False),
    )
    qualifiers: tuple[Code, ...] = _codes(
        domestic_abuse="domestic abuse",
        hate_crime="hostility towards who somebody is",
        mental_health="mental health",
        child="a child at risk",
        missing_person="somebody is missing",
        weapon="a weapon",
        alcohol="drink",
        drugs="drugs",
        vulnerable_adult="an adult at risk",
        cyber="by computer",
    )
    closing_codes: tuple[Code, ...] = _codes(
        resolved="dealt with",
        crime_recorded="recorded as a crime",
        no_crime="no crime, and why is recorded",
        advice="advice given",
        no_trace="nobody or nothing found",
        duplicate="the same as another incident",
        other_agency="passed to another agency",
        false_call="a false call",
    )
    closing_code_needed: bool = False
    crime_types: tuple[Code, ...] = _codes(
        violence="violence",
        rape="rape",
        sexual="another sexual offence",
        burglary="burglary",
        robbery="robbery",
        theft="theft",
        vehicle="vehicle crime",
        criminal_damage="criminal damage or arson",
        drugs="drugs",
        public_order="public order",
        weapons="weapons",
        stalking="stalking or harassment",
        fraud="fraud",
        other="another crime",
    )
    registrar_only: tuple[SlugText, ...] = ("rape",)
    cancellation_codes: tuple[Code, ...] = _codes(
        c1="transferred to another force",
        c2="additional verifiable information: no crime was committed",
        c3="a duplicate",
        c4="recorded in error",
        c5="self-defence",
    )
    decision_ms: int = DAY_MS
    decision_warn_ms: tuple[int, ...] = (4 * HOUR_MS, 0)
    early_entry_ms: int = 2 * MINUTE_MS
    told_ms: int = 3 * DAY_MS
    abuse_qualifier: SlugText = "domestic-abuse"
    abuse_sets: tuple[QuestionSet, ...] = (DASH, DARA)
    assessment_ms: int = 12 * HOUR_MS
    arrest_assessment_ms: int = 2 * HOUR_MS
    vulnerability: QuestionSet = VULNERABILITY
    child_protection: QuestionSet = CHILD_PROTECTION
    plan_warn_ms: tuple[int, ...] = (2 * DAY_MS, 0)
    repeat_months: int = 12
    guides: tuple[Guide, ...] = (
        Guide(when="crime", fields=("location", "people", "first-contact", "crimes", "investigator", "victims-told")),
        Guide(when="domestic-abuse", fields=("location", "abuse-victims", "assessments", "people", "first-contact")),
        Guide(when="missing-person", fields=("location", "people", "first-contact", "gradings")),
    )
    probation: tuple[Probation, ...] = ()
