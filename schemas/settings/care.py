"""How people in custody are checked, cared for and let go: what forces differ in, and what the law may change.

Times are in ms. Sources: PACE 1984 Code C (annexes A, B and H, sections 8 and 12.2), the College of
Policing's authorised practice (observation levels), the Mental Health Act 1983 sections 136 to 136C.
"""

from typing import Final

import msgspec

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
SUPERINTENDENT_UP: Final = ("superintendent", "chief-superintendent", "assistant-chief-constable")
INSPECTOR_UP: Final = ("inspector", "chief-inspector", *SUPERINTENDENT_UP)


class CareSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        l1_check_ms, l2_check_ms, l3_check_ms, l4_check_ms: by observation level, the longest time between two checks;
            l1 counts while no level is recorded. Constant observation (l3, l4) is watched all the time: what is due
            then is that it is written down.
        check_warn_ms: how long before a check is due somebody is told; negative is after.
        rouse_every_ms: the longest time between two checks at which somebody under drink or drugs was roused.
        late_entry_ms: a check that is recorded later than this after it was made is shown as entered late.
        early_entry_ms: a check that bears a time so much later than its entry has not been made yet.
        same_note_ms: within this time, one author's same note on several detainees is asked about.
        same_note_chars_min: shorter notes say too little to be compared.
        hospital_words, court_words: words for a place, by which what older programs wrote is understood.
        rights_within_ms: how long after the arrival the rights are to have been given.
        informing_delay_ranks, advice_delay_ranks, codes_delay_ranks: by right, the ranks that may authorise its delay
            (Annex B 1). Nobody may where none is named: Annex B delays no reading of the Codes.
        rights_delay_max_ms: the longest delay, from the relevant time or else the arrival (sections 56(3), 58(5)).
        adult_within_ms: how long after a person came who must have one an appropriate adult is to have arrived.
        health_care_within_ms: how long after a pregnant person came a health care professional is to have been asked.
        meal_every_ms: the longest time without a meal offered.
        day_ms: the day in which meals and rest are counted.
        main_meals, light_meals: how many are offered in that day (Code C 8.6).
        rest_ms: continuous rest in that day (Code C 12.2).
        strip_search_ranks: who may authorise one; empty: any custody officer may (Annex A 12).
        strip_search_people_min: how many are present beside the detainee, where intimate parts are exposed.
        intimate_search_ranks: who may authorise one (section 55(1)).
        place_of_safety_ms: how long a person may be kept under section 136, from their arrival (section 136A).
        place_of_safety_extension_ms: the longest extension, by a registered medical practitioner (section 136B).
        place_of_safety_warn_ms: how long before its end somebody is told.
        released_without_assessment: disposals before which nobody assesses the risk of a release.
        child_age: below this age in years a person is a juvenile (section 37(15)).
        secure_accommodation_age: from this age on, the lack of secure accommodation may keep a child (section 38(6)).
        acknowledge_ms: how long there is to acknowledge a warning.
    """

    l1_check_ms: int = 60 * MINUTE_MS
    l2_check_ms: int = 30 * MINUTE_MS
    l3_check_ms: int = 30 * MINUTE_MS
    l4_check_ms: int = 30 * MINUTE_MS
    check_warn_ms: tuple[int, ...] = (5 * MINUTE_MS, 0, -5 * MINUTE_MS)
    rouse_every_ms: int = 30 * MINUTE_MS
    late_entry_ms: int = 15 * MINUTE_MS
    early_entry_ms: int = 2 * MINUTE_MS
    same_note_ms: int = 10 * MINUTE_MS
    same_note_chars_min: int = 12
    hospital_words: tuple[str, ...] = ("hospital", "a&e", "ward", "ambulance")
    court_words: tuple[str, ...] = ("court", "dock")
    rights_within_ms: int = HOUR_MS
    informing_delay_ranks: tuple[str, ...] = INSPECTOR_UP
    advice_delay_ranks: tuple[str, ...] = SUPERINTENDENT_UP
    codes_delay_ranks: tuple[str, ...] = ()
    rights_delay_max_ms: int = 36 * HOUR_MS
    adult_within_ms: int = 2 * HOUR_MS
    health_care_within_ms: int = HOUR_MS
    meal_every_ms: int = 8 * HOUR_MS
    day_ms: int = 24 * HOUR_MS
    main_meals: int = 1
    light_meals: int = 2
    rest_ms: int = 8 * HOUR_MS
    strip_search_ranks: tuple[str, ...] = ()
    strip_search_people_min: int = 2
    intimate_search_ranks: tuple[str, ...] = INSPECTOR_UP
    place_of_safety_ms: int = 24 * HOUR_MS
    place_of_safety_extension_ms: int = 12 * HOUR_MS
    place_of_safety_warn_ms: tuple[int, ...] = (4 * HOUR_MS, HOUR_MS, 0)
    released_without_assessment: tuple[str, ...] = ("death",)
    child_age: int = 18
    secure_accommodation_age: int = 12
    acknowledge_ms: int = 5 * MINUTE_MS
