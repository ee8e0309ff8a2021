"""What may not be written in a custody booking, or only with a reason: each rule, and what it leaves alone."""

from typing import Any

import msgspec
import pytest

from schemas.ids import FieldName, OfficerId, named_record_id
from schemas.kinds import KINDS
from schemas.kinds.care import Care, Provision
from schemas.kinds.resource import Category
from sync.policing.custody import guards_detention
from sync.policing.custody.guards import GUARDS
from sync.policing.guards import Look, breaches
from sync.policing.rulebook import GUARDS as ALL
from sync.policing.rulebook import RuleError
from tests.sync.policing.custody_record.bookings import (
    BOOKING,
    DAY,
    HOUR,
    ask,
    at,
    booking,
    check,
    made,
    op,
    rules_against,
    step,
    values,
    written,
)

HOSPITAL = step("left-for-hospital", 30)
BACK = step("back-from-hospital", 90)
PRE_RELEASE = {"at": at(60), "level": "standard", "plan": "Home by bus; sister told."}
ASSESSED = {"at": at(5), "level": "medium"}
STRIP = {
    "at": at(50),
    "extent": "strip",
    "reason": "Drugs seen being hidden.",
    "authority": "WM30012",
    "by": ["WM30013", "WM30014"],
    "same_sex": True,
    "result": "Nothing found.",
}
DELAY = {
    "at": at(10),
    "right": "someone-informed",
    "step": "delayed",
    "authority": "WM40001",
    "rank": "inspector",
    "until": at(10 * HOUR),
    "reason": "Others of the group are still sought.",
}
EXTENSION = {
    "at": at(20 * HOUR),
    "step": "extended",
    "by": "Dr N. Salter",
    "approved_by": "WM5",
    "until": at(30 * HOUR),
}
CHILD: dict[str, Any] = {"born": "2010-09-01"}


def without(entry: dict[str, Any], *parts: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401  parts of an entry
    """An entry without some parts, or with others."""
    return {name: value for name, value in entry.items() if name not in parts} | other


def test_the_guards_of_bookings_are_asked() -> None:
    """They stand in the rulebook, each once."""
    assert ALL["custody-booking"] == (*GUARDS, *guards_detention.GUARDS)
    assert len(set(ALL["custody-booking"])) == len(ALL["custody-booking"])


# --- checks ----------------------------------------------------------------------------------------------------------


def test_checks_are_entered_one_by_one() -> None:
    """Two in one change are refused, whatever reason is given; one is taken."""
    assert rules_against(made(), {"checks": [check(50)]}) == []
    both = {"checks": [check(50), check(55)]}
    assert rules_against(made(), both) == ["custody-one-check"]
    assert rules_against(made(), both | {"log": [{"text": "Busy.", "overrides": "custody-one-check"}]}) == [
        "custody-one-check"
    ]


@pytest.mark.parametrize(
    ("booked", "checked", "rules"),
    [
        ({"detention": [step("arrival", 0), HOSPITAL]}, check(40), ["custody-check-elsewhere"]),
        ({"detention": [step("arrival", 0), HOSPITAL]}, check(40, place="suite"), ["custody-check-elsewhere"]),
        ({"detention": [step("arrival", 0), HOSPITAL]}, check(29), []),
        ({"detention": [step("arrival", 0), HOSPITAL]}, check(40, "Ward 4, hospital"), []),
        ({"detention": [step("arrival", 0), HOSPITAL]}, check(40, "room 2", place="hospital"), []),
        ({"detention": [step("arrival", 0), HOSPITAL, BACK]}, check(91), []),
        ({"detention": [step("arrival", 0), HOSPITAL, BACK]}, check(89), ["custody-check-elsewhere"]),
        ({"detention": [step("arrival", 0), step("released", 30)]}, check(40), ["custody-check-elsewhere"]),
        ({"detention": [step("arrival", 0), step("transfer-left", 30)]}, check(40), ["custody-check-elsewhere"]),
        ({"detention": [step("arrival", 10)]}, check(5), ["custody-check-elsewhere"]),
        ({"status": "hospital"}, check(40), ["custody-check-elsewhere"]),
        ({"status": "court"}, check(40), ["custody-check-elsewhere"]),
        ({"status": "court"}, check(40, "Dock 2"), []),
        ({"status": "released"}, check(40), ["custody-check-elsewhere"]),
        ({"detention": []}, check(40), []),
    ],
)
def test_nobody_is_checked_in_a_cell_where_they_are_not(
    booked: dict[str, Any], checked: dict[str, Any], rules: list[str]
) -> None:
    """In hospital, at court, on the road, gone, or not there yet; a late entry is judged by its own time."""
    assert rules_against(made(**booked), {"checks": [checked]}, minutes=120) == rules


def test_a_check_elsewhere_is_refused_in_words_and_never_overridden() -> None:
    """It says which rule, what the record holds, and how to go on."""
    state = made(detention=[step("arrival", 0), HOSPITAL])
    reason = {"log": [{"text": "I saw them.", "overrides": "custody-check-elsewhere"}]}
    with pytest.raises(RuleError, match=r"says cell, .* \(hospital\)\. Enter where you saw them; .*IOPC 2021"):
        ask(state, {"checks": [check(40)]} | reason)


def test_a_hospital_check_of_somebody_in_the_suite_is_asked_about() -> None:
    """Perhaps nobody has entered the departure yet: it can be gone on with, for a reason."""
    changes = {"checks": [check(40, "hospital")]}
    assert rules_against(made(), changes) == ["custody-check-elsewhere"]
    reason = {"log": [{"text": "They left at 12:35.", "overrides": "custody-check-elsewhere"}]}
    assert rules_against(made(), changes | reason) == []


def test_a_check_that_is_still_to_come_is_refused() -> None:
    """Within what clocks differ by it is taken."""
    assert rules_against(made(), {"checks": [check(63)]}, minutes=60) == ["custody-check-to-come"]
    assert rules_against(made(), {"checks": [check(61)]}, minutes=60) == []


def test_the_same_note_on_another_detainee_within_minutes_is_asked_about() -> None:
    """By the same author; another author's, a short one, an old one and a changed one are nobody's copy."""
    other = made(named_record_id("custody record", "other"), detainee="Sam Example")
    note = "Awake on the bench, spoke to me."
    first = check(50, note=note)
    mine = written(other, op(1, {"checks": [first]}, minutes=50, record=other.id))
    copy = {"checks": [check(55, note="awake on the bench,  spoke to me.")]}
    assert rules_against(made(), copy, beside=[mine]) == ["custody-same-note"]
    said = {"log": [{"text": "Both sat on the bench.", "overrides": "custody-same-note"}]}
    assert rules_against(made(), copy | said, beside=[mine]) == []
    assert rules_against(made(), copy, beside=[mine], author="WM99") == []
    assert rules_against(made(), {"checks": [check(61, note=note)]}, beside=[mine], minutes=61) == []
    assert rules_against(made(), {"checks": [check(55, note="Asleep, breathing calmly.")]}, beside=[mine]) == []
    short = written(other, op(1, {"checks": [check(50, note="Awake.")]}, minutes=50, record=other.id))
    assert rules_against(made(), {"checks": [check(55, note="Awake.")]}, beside=[short]) == []


# --- coming in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["authorised", "refused"])
def test_detention_is_authorised_or_refused_for_grounds(what: str) -> None:
    """In writing (section 37); the rule leaves no judgement."""
    complete = {"risk_assessments": [ASSESSED], "interpreter": "not-needed"}
    bare = {"detention": [step(what, 6)]} | complete
    assert rules_against(made(), bare) == ["custody-grounds"]
    grounds = {"detention": [step(what, 6, reason="To secure evidence.")]} | complete
    assert rules_against(made(), grounds) == []


@pytest.mark.parametrize(
    ("booked", "rules"),
    [
        ({}, ["custody-risk-not-assessed", "custody-interpreter-undetermined"]),
        ({"risk_assessments": [ASSESSED]}, ["custody-interpreter-undetermined"]),
        ({"risk_assessments": [ASSESSED], "interpreter": "not-needed"}, []),
        (
            {"risk_assessments": [ASSESSED], "interpreter": "not-needed", "appropriate_adult": "needed"},
            ["custody-adult-not-asked"],
        ),
        ({"risk_assessments": [ASSESSED], "interpreter": "not-needed", **CHILD}, ["custody-adult-not-asked"]),
        (
            {"risk_assessments": [ASSESSED], "interpreter": "not-needed", "needs": ["vulnerable"]},
            ["custody-adult-not-asked"],
        ),
        (
            {"risk_assessments": [ASSESSED], "interpreter": "not-needed", "needs": ["pregnant"]},
            ["custody-pregnant-no-health-care"],
        ),
        (
            {
                "risk_assessments": [ASSESSED],
                "interpreter": "not-needed",
                "needs": ["pregnant", "vulnerable"],
                "care": [{"at": at(4), "what": "health-care-asked"}],
                "adults": [{"at": at(4), "step": "asked", "name": "Kim Example"}],
            },
            [],
        ),
    ],
)
def test_what_is_seen_to_when_detention_is_authorised_is_prompted(booked: dict[str, Any], rules: list[str]) -> None:
    """Risk, interpreter, adult, health care; each can be gone on without, for a reason."""
    change = {"detention": [step("authorised", 6, reason="To question.")]}
    state = made(**booked)
    assert rules_against(state, change) == rules
    reasons = {"log": [{"text": "The person is violent.", "overrides": rule} for rule in rules]}
    assert rules_against(state, change | (reasons if rules else {})) == []


def test_interpreter_and_language_capture() -> None:
    """Row: interpreter and language capture. The need is determined and recorded, with the language it is for."""
    assert rules_against(made(), {"interpreter": "needed"}) == ["custody-language"]
    assert rules_against(made(), {"interpreter": "needed", "language": "Tigrinya"}) == []
    assert rules_against(made(language="Polish"), {"interpreter": "needed"}) == []
    assert rules_against(made(), {"interpreter": "not-needed"}) == []
    asked = {"interpreting": [{"at": at(9), "step": "asked", "language": "Tigrinya", "by": "telephone"}]}
    state = written(made(), op(1, {"interpreter": "needed", "language": "Tigrinya"} | asked, minutes=9))
    shown = {str(name): value for name, value in state.values().items()}
    assert (shown["interpreter"], shown["language"]) == ("needed", "Tigrinya")
    assert shown["interpreting"] == asked["interpreting"]


# --- rights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        without(DELAY, "authority"),
        without(DELAY, "rank"),
        without(DELAY, rank="sergeant"),
        without(DELAY, "reason"),
        without(DELAY, "until"),
        without(DELAY, until=at(10)),
        without(DELAY, until=at(36 * HOUR + 1)),
        without(DELAY, right="legal-advice"),
        without(DELAY, right="codes", rank="superintendent"),
        without(DELAY, step="denied"),
        without(DELAY, right="of-tomorrow"),
    ],
)
def test_a_right_is_delayed_with_authority_and_for_a_time_or_not_at_all(entry: dict[str, Any]) -> None:
    """Nothing overrides it, and there is no way to record that one was denied."""
    said = {"log": [{"text": "They shouted.", "overrides": "custody-right-delayed"}]}
    assert rules_against(made(), {"rights": [entry]} | said) == ["custody-right-delayed"]


@pytest.mark.parametrize(
    "entry",
    [
        DELAY,
        without(DELAY, until=at(36 * HOUR)),
        without(DELAY, right="legal-advice", rank="superintendent"),
        {"at": at(3), "right": "codes", "step": "given"},
        {"at": at(3), "right": "legal-advice", "step": "waived"},
        without(DELAY, "authority", in_error=True, corrects="0123456789abcdef"),
    ],
)
def test_a_right_that_is_given_or_delayed_lawfully_is_written(entry: dict[str, Any]) -> None:
    """An inspector delays that somebody is informed, a superintendent legal advice, 36 hours at most."""
    assert rules_against(made(), {"rights": [entry]}) == []


# --- children, section 136 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("booked", [CHILD, {"juvenile": "under-18"}, {"juvenile": "under-18", "born": "1990-01-01"}])
def test_nobody_under_18_is_without_an_adult_or_held_under_section_136(booked: dict[str, Any]) -> None:
    """Also who only appears to be; nothing overrides it. That somebody is under 18 can always be said."""
    said = {"log": [{"text": "Sure.", "overrides": "custody-child-section-136"}]}
    assert rules_against(made(**booked), {"appropriate_adult": "not-needed"}) == ["custody-child-without-adult"]
    consulted: dict[str, Any] = {"place_of_safety": [{"at": at(-40), "step": "consulted", "by": "Nurse P. Quill"}]}
    state = made(**booked, **consulted)
    assert rules_against(state, {"basis": "section-136"} | said) == ["custody-child-section-136"]
    assert rules_against(None, values(**booked, **consulted, basis="section-136")) == ["custody-child-section-136"]
    assert rules_against(made(basis="section-136", **consulted), booked) == []


def test_a_vulnerable_person_without_an_adult_is_asked_about() -> None:
    """That is the custody officer's to judge, with a reason."""
    state = made(needs=["vulnerable"])
    assert rules_against(state, {"appropriate_adult": "not-needed"}) == ["custody-vulnerable-without-adult"]
    reason = {"log": [{"text": "Seen by the nurse.", "overrides": "custody-vulnerable-without-adult"}]}
    assert rules_against(state, {"appropriate_adult": "not-needed"} | reason) == []
    assert rules_against(state, {"appropriate_adult": "needed"}) == []


def test_mental_health_triage_and_section_136_are_asked_about_before_the_person_is_held() -> None:
    """Row: mental-health triage and s.136 clock. Who was consulted is recorded, or why nobody was."""
    assert rules_against(made(), {"basis": "section-136"}) == ["custody-section-136-consultation"]
    triage = {"at": at(-20), "step": "consulted", "by": "Street triage, nurse P. Quill"}
    assert rules_against(made(), {"basis": "section-136", "place_of_safety": [triage]}) == []
    reason = {"log": [{"text": "He was on the parapet.", "overrides": "custody-section-136-consultation"}]}
    assert rules_against(made(), {"basis": "section-136"} | reason) == []


@pytest.mark.parametrize(
    ("entry", "lawful"),
    [
        (EXTENSION, True),
        (without(EXTENSION, until=at(36 * HOUR)), True),
        (without(EXTENSION, until=at(36 * HOUR + 1)), False),
        (without(EXTENSION, until=at(24 * HOUR)), False),
        (without(EXTENSION, "until"), False),
        (without(EXTENSION, "by"), False),
        (without(EXTENSION, "approved_by"), False),
        (without(EXTENSION, at=at(DAY)), False),
    ],
)
def test_section_136_is_extended_lawfully_or_not_at_all(entry: dict[str, Any], lawful: bool) -> None:  # noqa: FBT001
    """By a practitioner, with approval, by twelve hours at most, before the first 24 are over."""
    found = rules_against(made(basis="section-136"), {"place_of_safety": [entry]}, minutes=DAY)
    assert found == ([] if lawful else ["custody-section-136-extension"])


def test_whoever_is_under_drink_or_drugs_is_seen_at_level_2_at_least() -> None:
    """Level 1 is asked about; higher ones, and level 1 of everybody else, are not."""
    state = made(needs=["under-drink-or-drugs"])
    assert rules_against(state, {"observation": "l1"}) == ["custody-level-too-low"]
    assert rules_against(state, {"observation": "l2"}) == []
    assert rules_against(made(), {"observation": "l1"}) == []


# --- searches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "rules"),
    [
        ({"at": at(50), "extent": "outer-clothing"}, []),
        (STRIP, []),
        (without(STRIP, "reason"), ["custody-search"]),
        (without(STRIP, "authority"), ["custody-search"]),
        (without(STRIP, "result"), ["custody-search"]),
        (without(STRIP, "same_sex"), ["custody-search"]),
        (without(STRIP, same_sex=False), ["custody-search"]),
        (without(STRIP, by=["WM30013"]), ["custody-search-people"]),
        (without(STRIP, extent="intimate"), ["custody-search"]),
        (without(STRIP, extent="intimate", rank="inspector"), []),
        (without(STRIP, "reason", "result"), ["custody-search", "custody-search"]),
    ],
)
def test_a_strip_search_is_recorded_as_it_must_be(search: dict[str, Any], rules: list[str]) -> None:
    """Reason, authority, same sex, two people, result; a search of outer clothing needs none of it."""
    assert rules_against(made(), {"searches": [search]}) == rules


@pytest.mark.parametrize("booked", [CHILD, {"needs": ["vulnerable"]}])
def test_a_strip_search_of_a_child_is_with_their_adult(booked: dict[str, Any]) -> None:
    """Unless they do not want that, or a risk of serious harm does not allow waiting: that is said in the log."""
    state = made(**booked)
    assert rules_against(state, {"searches": [STRIP]}) == ["custody-search-people"]
    for adult in ("present", "declined-by-detainee"):
        assert rules_against(state, {"searches": [without(STRIP, adult=adult)]}) == []
    urgent = {"searches": [without(STRIP, adult="urgent")]}
    assert rules_against(state, urgent) == ["custody-search-people"]
    said = {"log": [{"text": "A blade was seen.", "overrides": "custody-search-people"}]}
    assert rules_against(state, urgent | said) == []


# --- going out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"status": "released"}, {"detention": [step("released", 60)]}, {"detention": [step("bailed", 60)]}],
)
def test_nobody_is_released_without_a_pre_release_risk_assessment(change: dict[str, Any]) -> None:
    """Whichever way it is recorded; nothing overrides it; in the same change it may come."""
    said = {"log": [{"text": "Busy night.", "overrides": "custody-pre-release"}]}
    assert rules_against(made(), change | said) == ["custody-pre-release"]
    assert rules_against(made(), change | {"release_assessments": [PRE_RELEASE]}) == []
    assert rules_against(made(release_assessments=[PRE_RELEASE]), change) == []


@pytest.mark.parametrize("disposal", ["charged-bailed", "bail", "under-investigation", "no-further-action", "caution"])
def test_every_disposal_has_its_own_assessment(disposal: str) -> None:
    """No way out of custody is without one; only where nobody is released (a death) nobody assesses."""
    assert rules_against(made(disposal=disposal), {"status": "released"}) == ["custody-pre-release"]
    assert rules_against(made(disposal="death"), {"status": "released"}) == []


def test_an_assessment_of_an_earlier_stay_is_none() -> None:
    """Who came back from bail is assessed anew."""
    back = [step("arrival", 0), step("bailed", 90), step("bail-return", 3 * DAY)]
    state = made(detention=back, release_assessments=[PRE_RELEASE])
    assert rules_against(state, {"status": "released"}, minutes=3 * DAY + 60) == ["custody-pre-release"]


def test_an_assessment_that_was_taken_back_is_none() -> None:
    """It was entered for somebody else."""
    state = made(release_assessments=[PRE_RELEASE])
    built = state.build().release_assessments[0]  # type: ignore[attr-defined]  # it is a booking
    error = without(PRE_RELEASE, at=at(61), corrects=built.ref(), in_error=True)
    state = written(state, op(1, {"release_assessments": [error]}, minutes=61))
    assert rules_against(state, {"status": "released"}, minutes=70) == ["custody-pre-release"]


def test_things_that_nobody_accounts_for_are_asked_about_at_release() -> None:
    """What was taken is returned, kept as evidence or handed on; otherwise the officer says why not."""
    taken = [{"at": at(8), "step": "taken", "item": item, "bag": "A 11"} for item in ("a watch", "keys")]
    state = made(belongings=taken, release_assessments=[PRE_RELEASE])
    assert rules_against(state, {"status": "released"}) == ["custody-property-outstanding"]
    signed = {"at": at(59), "step": "returned", "item": "a watch", "signature": "signed"}
    kept = {"at": at(59), "step": "kept-as-evidence", "item": "keys"}
    assert rules_against(state, {"status": "released", "belongings": [signed, kept]}) == []


@pytest.mark.parametrize(
    "change", [{"disposal": "charged-remanded"}, {"detention": [step("charged-bail-refused", 60)]}]
)
@pytest.mark.parametrize(
    ("placement", "lawful"),
    [
        (None, False),
        ({"outcome": "local-authority"}, False),
        ({"outcome": "local-authority", "asked": "Birmingham, duty team"}, True),
        ({"outcome": "impracticable", "asked": "Birmingham"}, False),
        ({"outcome": "impracticable", "asked": "Birmingham", "reason": "Snow."}, False),
        ({"outcome": "impracticable", "asked": "Birmingham", "reason": "Snow.", "certificate": "C 7"}, True),
        ({"outcome": "no-secure-accommodation", "asked": "Dudley", "reason": "None.", "certificate": "C 8"}, True),
    ],
)
def test_a_charged_child_refused_bail_goes_to_the_local_authority(
    change: dict[str, Any],
    placement: dict[str, Any] | None,
    lawful: bool,  # noqa: FBT001
) -> None:
    """Or an exception is recorded with its certificate; of adults nothing is asked."""
    placements = [] if placement is None else [{"at": at(55), **placement}]
    assert rules_against(made(placements=placements, **CHILD), change) == (
        [] if lawful else ["custody-child-accommodation"]
    )
    assert rules_against(made(placements=placements, born="1990-05-05"), change) == []


def test_the_lack_of_secure_accommodation_keeps_no_child_under_12() -> None:
    """Nor one whose age nobody knows (section 38(6)(b))."""
    exception = {
        "at": at(55), "outcome": "no-secure-accommodation", "asked": "Dudley", "reason": "None.", "certificate": "C 8"
    }  # fmt: skip
    young: tuple[dict[str, Any], ...] = ({"born": "2014-07-02"}, {"juvenile": "under-18"})
    for booked in young:
        state = made(placements=[exception], **booked)
        assert rules_against(state, {"disposal": "charged-remanded"}) == ["custody-child-accommodation"]
    assert rules_against(made(placements=[exception], born="2014-07-01"), {"disposal": "charged-remanded"}) == []


HANDED = {"detention": [step("handed-to-court", 60)]}
OUT_SAFELY = {"release_assessments": [PRE_RELEASE]}
CHARGED = [step("arrival", 0), step("charged-bail-refused", 30)]


@pytest.mark.parametrize(
    ("handover", "lawful"),
    [
        (None, False),
        ({"court": "Birmingham Magistrates"}, False),
        ({"court": "Birmingham Magistrates", "escort_record": "PER 4471"}, True),
        ({"court": "Birmingham Magistrates", "escort_record": "PER 4471", "at": at(-400)}, False),
    ],
)
def test_nobody_goes_to_court_without_an_escort_record(handover: dict[str, Any] | None, lawful: bool) -> None:  # noqa: FBT001
    """It may be in the same change; one of another time in custody counts for nothing, and no reason goes on."""
    entries = [] if handover is None else [{"at": at(60), **handover}]
    change = {**HANDED, **OUT_SAFELY, "court_handovers": entries}
    assert rules_against(made(detention=CHARGED), change) == ([] if lawful else ["custody-escort-record"])
    reason = {"log": [{"text": "The van waits.", "overrides": "custody-escort-record"}]}
    assert rules_against(made(detention=CHARGED), change | reason) == ([] if lawful else ["custody-escort-record"])


def test_who_goes_to_court_is_charged_or_held_for_it() -> None:
    """On a warrant or a recall there is no charge here; of anybody else it is asked."""
    handover = {"at": at(60), "court": "Walsall Magistrates", "escort_record": "PER 1"}
    change = {**HANDED, **OUT_SAFELY, "court_handovers": [handover]}
    assert rules_against(made(), change) == ["custody-court-uncharged"]
    for basis in ("warrant", "recall"):
        assert rules_against(made(basis=basis), change) == []
    reason = {"log": [{"text": "Breach of bail, s.7 Bail Act.", "overrides": "custody-court-uncharged"}]}
    assert rules_against(made(), change | reason) == []


def test_who_is_handed_to_a_court_has_their_risk_assessed_and_their_things_accounted_for() -> None:
    """As everybody who leaves: what is known of their risks must not stay behind."""
    handover = {"at": at(60), "court": "Walsall Magistrates", "escort_record": "PER 1"}
    taken = {"at": at(5), "step": "taken", "item": "a watch"}
    state = made(detention=CHARGED, belongings=[taken])
    assert rules_against(state, {**HANDED, "court_handovers": [handover]}) == [
        "custody-pre-release",
        "custody-property-outstanding",
    ]


# --- cells -----------------------------------------------------------------------------------------------------------

WHY_CELL = {"at": at(40), "what": "cell-for-child", "note": "No detention room free; watched at the door."}


def test_a_child_in_a_cell_is_asked_about_until_it_is_said_why() -> None:
    """At a check in a cell (Code C 8.8, 8.10); in a room, of an adult, and once there is a reason, not."""
    seen = {"checks": [check(50, place="cell")]}
    assert rules_against(made(**CHILD), seen) == ["custody-child-cell"]
    assert rules_against(made(juvenile="under-18"), seen) == ["custody-child-cell"]
    assert rules_against(made(**CHILD), {"checks": [check(50, "Room 2", place="suite")]}) == []
    assert rules_against(made(born="1990-05-05"), seen) == []
    assert rules_against(made(care=[WHY_CELL], **CHILD), seen) == []
    assert rules_against(made(**CHILD), seen | {"care": [WHY_CELL]}) == []


def test_a_reason_for_a_child_in_a_cell_is_asked_for_once() -> None:
    """Whoever goes on with a reason is not asked at every check, and the reason stays in the log."""
    reason: dict[str, Any] = {"log": [{"text": "Six in custody, one room.", "overrides": "custody-child-cell"}]}
    seen = {"checks": [check(50, place="cell")]}
    assert rules_against(made(**CHILD), seen | reason) == []
    assert rules_against(made(**CHILD, **reason), {"checks": [check(80, place="cell")]}, minutes=90) == []


def test_a_child_in_a_cell_without_a_reason_is_refused() -> None:
    """The entry is there for the reason; one that was taken back says none."""
    change = {"care": [without(WHY_CELL, "note")]}
    assert rules_against(made(**CHILD), change) == ["custody-child-cell-reason"]
    ref = Care(at=at(40), what=Provision.CELL_FOR_CHILD).ref()
    back = {"at": at(45), "what": "cell-for-child", "corrects": ref, "in_error": True}
    assert rules_against(made(care=[WHY_CELL, back], **CHILD), {"checks": [check(50, place="cell")]}) == [
        "custody-child-cell"
    ]


@pytest.mark.parametrize(
    ("hold", "booked", "refused"),
    [
        ({"holder": BOOKING}, CHILD, True),
        ({"holder": BOOKING}, CHILD | {"care": [WHY_CELL]}, False),
        ({"holder": BOOKING}, {"born": "1990-05-05"}, False),
        ({"holder": BOOKING}, None, False),
        ({"holder": "WM20417"}, CHILD, False),
        (None, CHILD, False),
    ],
)
def test_a_cell_is_not_taken_for_a_child_without_a_reason(
    hold: dict[str, Any] | None,
    booked: dict[str, Any] | None,
    refused: bool,  # noqa: FBT001
) -> None:
    """At the claim, where it is decided; a booking that is not at hand, and who is no booking, is not asked about."""
    plain = {"category": "cell", "name": "M1", "home": "suite:perry-barr"}
    cell = KINDS["resource"].build({FieldName(name): value for name, value in plain.items()})
    look = Look(
        before=cell,
        after=cell,
        changes={FieldName("hold"): hold},
        author=OfficerId("WM21877"),
        roles=None,
        now=at(60),
        occurred_at=at(60),
        find=lambda record: booking(**booked) if record == BOOKING and booked is not None else None,
    )
    assert [one.rule for one in breaches(ALL["resource"], look)] == (["custody-child-cell"] if refused else [])
    vehicle = msgspec.structs.replace(cell, category=Category.VEHICLE)
    assert list(breaches(ALL["resource"], msgspec.structs.replace(look, after=vehicle))) == []


def test_what_has_nothing_to_do_with_a_rule_is_written() -> None:
    """A log entry on a booking with everything missing is refused by none."""
    state = made(status="released", born="2012-01-01", basis="section-136", needs=["pregnant"])
    assert rules_against(state, {"log": [{"text": "Tea."}]}) == []
