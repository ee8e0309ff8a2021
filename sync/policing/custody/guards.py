"""What a person may not write in a custody booking, or must give a reason for: asked before it is written.

Enforced where it is the law's, prompted where the law leaves judgement (DOMAIN, Custody). What two devices wrote
without sight of each other reaches the record all the same, and is shown with what is wrong with it (`checks.account`).
"""

from collections.abc import Iterator
from typing import Final

from schemas.ids import FieldName
from schemas.kinds import CustodyBooking
from schemas.kinds.admission import InterpreterNeed, Need, RightEntry, RightStep
from schemas.kinds.booking import ObservationLevel
from schemas.kinds.care import Check, Safety, SafetyStep, Search
from schemas.kinds.detention import DetentionEvent, Step
from sync.policing.custody import checks, guards_leaving, juveniles, placing, safety
from sync.policing.custody.checks import contradicts, place_of
from sync.policing.custody.looking import added, booking_of
from sync.policing.custody.record import came_at, is_child, stays, where_at
from sync.policing.custody.rights_given import delay_problem
from sync.policing.custody.searches import search_problems
from sync.policing.guards import Breach, Guard, Look

# --- checks ----------------------------------------------------------------------------------------------------------


def one_check_at_a_time(look: Look) -> Iterator[Breach]:
    """Each observation is made and entered by itself (IOPC 2020, 2021)."""
    if booking_of(look) is not None and look.sets("checks") and len(look.changes[checks.CHECKS]) > 1:
        yield Breach(
            rule="custody-one-check",
            why=f"This enters {len(look.changes[checks.CHECKS])} checks at once.",
            remedy="Enter each check by itself, when it is made.",
            source="PACE Code C 9.3; IOPC 2020, 2021",
        )


def checked_where_they_are(look: Look) -> Iterator[Breach]:
    """Nobody is visited in the cell while they are in hospital, at court, on the road or gone (IOPC 2021)."""
    booking = booking_of(look)
    if booking is None:
        return
    found = stays(booking, look.now)
    for check in added(look, "checks", Check):
        if check.checked_at > look.now + look.settings.care.early_entry_ms:
            yield Breach(
                rule="custody-check-to-come",
                why="This check bears a time that is still to come.",
                remedy="Enter a check when it has been made.",
                source="PACE Code C 2.6A",
            )
        elif contradicts(check, found, look.settings.care):
            was = str(where_at(found, check.checked_at).value).replace("-", " ")
            said = str(place_of(check, look.settings.care).value)
            inside = said in {"cell", "suite"}
            yield Breach(
                rule="custody-check-elsewhere",
                why=f"This check says {said}, and at that time the record has the person elsewhere ({was}).",
                remedy="Enter where you saw them; or enter first when they left or came back, under detention.",
                source="PACE Code C 9.3; IOPC 2021",
                override=not inside,
            )


def not_the_same_note(look: Look) -> Iterator[Breach]:
    """One author, one note, several people within minutes: whether each was looked at is asked (IOPC 2020, 2021)."""
    mine = [one for one in added(look, "checks", Check) if checks.worth_comparing(one, look.settings.care)]
    if not mine:
        return
    for other in look.beside():
        booking = other.build()
        if isinstance(booking, CustodyBooking) and checks.noted_before(other, mine, look.author, look.settings.care):
            yield Breach(
                rule="custody-same-note",
                why=f"Your check of {booking.detainee} minutes ago has the same note.",
                remedy="Say what you saw of this person.",
                source="IOPC 2020, 2021",
                override=True,
            )
            return


# --- coming in -------------------------------------------------------------------------------------------------------


def grounds_are_recorded(look: Look) -> Iterator[Breach]:
    """Detention is authorised or refused for grounds, in writing (PACE 1984 section 37(4), (5))."""
    for event in added(look, "detention", DetentionEvent):
        if event.what in {Step.AUTHORISED, Step.REFUSED} and event.reason is None:
            yield Breach(
                rule="custody-grounds",
                why=f"Detention is {event.what.value} without its grounds.",
                remedy="Enter the grounds, as you told the person.",
                source="PACE 1984 s.37(4) and (5); Code C 3.4",
            )


def seen_to_at_authorisation(look: Look) -> Iterator[Breach]:
    """What is assessed, asked and determined when detention is authorised (Code C 3.5, 3.6)."""
    if not any(event.what == Step.AUTHORISED for event in added(look, "detention", DetentionEvent)):
        return
    booking = booking_of(look)
    if booking is None:
        return
    if not booking.risk_assessments:
        yield Breach(
            rule="custody-risk-not-assessed",
            why="The person's risk has not been assessed.",
            remedy="Enter a risk assessment.",
            source="PACE Code C 3.6",
            override=True,
        )
    if booking.interpreter is None:
        yield Breach(
            rule="custody-interpreter-undetermined",
            why="It has not been determined whether the person needs an interpreter.",
            remedy="Determine it, and enter it.",
            source="PACE Code C 3.5(c)(ii), 13.1",
            override=True,
        )
    for prompt in juveniles.prompts(booking, look.settings, look.now):
        yield Breach(rule=prompt.rule, why=prompt.why, remedy=prompt.remedy, source=prompt.source, override=True)


def language_is_known(look: Look) -> Iterator[Breach]:
    """An interpreter for which language? It is recorded with the need (Code C 13.1)."""
    booking = booking_of(look)
    if booking is None:
        return
    if look.sets("interpreter") and booking.interpreter == InterpreterNeed.NEEDED and booking.language is None:
        yield Breach(
            rule="custody-language",
            why="An interpreter is needed, and no language is recorded.",
            remedy="Enter the language that the person understands best.",
            source="PACE Code C 13.1",
            override=True,
        )


def rights_are_delayed_lawfully(look: Look) -> Iterator[Breach]:
    """A right is delayed with authority, for grounds and for a time; never denied (sections 56, 58, Annex B)."""
    booking = booking_of(look)
    if booking is None:
        return
    start = booking.relevant_time or came_at(booking, look.now)
    for entry in added(look, "rights", RightEntry):
        name = str(entry.right.value).replace("-", " ")
        problem = delay_problem(entry, start, look.settings.care) if entry.step == RightStep.DELAYED else None
        if not entry.step.known or not entry.right.known:
            problem = "a right is given, exercised, waived or delayed: no other step is known"
        if problem is not None:
            yield Breach(
                rule="custody-right-delayed",
                why=f"The delay of a right ({name}) cannot stand: {problem}.",
                remedy="Give the right, or enter the delay with its authority, grounds and end.",
                source="PACE 1984 ss.56, 58; Code C annex B",
            )


def children_have_an_adult(look: Look) -> Iterator[Breach]:
    """Nobody under 18 is without an appropriate adult; of whoever may be vulnerable it is asked (Code C 1.4, 1.5)."""
    booking = booking_of(look)
    if booking is None or not look.sets("appropriate_adult"):
        return
    if juveniles.adult_denied(booking, look.settings, look.now):
        yield Breach(
            rule="custody-child-without-adult",
            why="This person is treated as under 18, and the record would say that no appropriate adult is needed.",
            remedy="Ask an appropriate adult; or enter the clear evidence of age, as a correction of the day of birth.",
            source="PACE Code C 1.5, 1.7(a)",
        )
    elif look.changes[FieldName("appropriate_adult")] == "not-needed" and Need.VULNERABLE in booking.needs:
        yield Breach(
            rule="custody-vulnerable-without-adult",
            why="This person is recorded as vulnerable, and the record would say that no adult is needed.",
            remedy="Ask an appropriate adult.",
            source="PACE Code C 1.4",
            override=True,
        )


def observed_as_they_must_be(look: Look) -> Iterator[Breach]:
    """Whoever is under drink or drugs is seen at level 2 at least, and roused (Code C annex H)."""
    booking = booking_of(look)
    if booking is None:
        return
    general = booking.observation == ObservationLevel.L1
    if look.sets("observation") and general and Need.UNDER_DRINK_OR_DRUGS in booking.needs:
        yield Breach(
            rule="custody-level-too-low",
            why="This person is under drink or drugs, and level 1 checks them hourly.",
            remedy="Set level 2 at least.",
            source="PACE Code C 9.3, annex H",
            override=True,
        )


# --- section 136 -----------------------------------------------------------------------------------------------------


def no_child_under_section_136(look: Look) -> Iterator[Breach]:
    """A police station is no place of safety for anybody under 18 (Mental Health Act 1983 section 136A(1)).

    That somebody held is under 18 after all is never refused: it must be said, and they must be taken elsewhere.
    """
    booking = booking_of(look)
    if booking is None:
        return
    here = look.sets("basis") or any(
        entry.step in {SafetyStep.ARRIVED, SafetyStep.EXTENDED} for entry in added(look, "place_of_safety", Safety)
    )
    if here and safety.applies(booking) and is_child(booking, look.settings, look.now):
        yield Breach(
            rule="custody-child-section-136",
            why="This person is treated as under 18: a police station is no place of safety for them.",
            remedy="Take them to a health-based place of safety.",
            source="Mental Health Act 1983 s.136A(1)",
        )


def section_136_was_considered(look: Look) -> Iterator[Breach]:
    """Before a removal somebody of a health profession is consulted, where practicable (section 136(1C))."""
    booking = booking_of(look)
    if booking is None:
        return
    if (
        look.sets("basis")
        and safety.applies(booking)
        and not any(entry.step == SafetyStep.CONSULTED for entry in booking.place_of_safety)
    ):
        yield Breach(
            rule="custody-section-136-consultation",
            why="No doctor, nurse or mental health professional is recorded as consulted before the removal; and a "
            "police station is for exceptional cases only.",
            remedy="Enter who was consulted, under place of safety.",
            source="Mental Health Act 1983 ss.136(1C), 136A(2); Places of Safety Regulations 2017",
            override=True,
        )


def extended_lawfully(look: Look) -> Iterator[Breach]:
    """Twelve hours at most, by a registered medical practitioner, before the first 24 are over (section 136B)."""
    booking = booking_of(look)
    if booking is None:
        return
    start = safety.began_at(booking, look.now)
    for entry in added(look, "place_of_safety", Safety):
        problem = safety.extension_problem(entry, start, look.settings.care)
        if entry.step == SafetyStep.EXTENDED and problem is not None:
            yield Breach(
                rule="custody-section-136-extension",
                why=f"This extension cannot stand: {problem}.",
                remedy="Enter it as the practitioner gave it; otherwise let the person go, or have them taken on.",
                source="Mental Health Act 1983 s.136B",
            )


# --- searches --------------------------------------------------------------------------------------------------------


def searched_lawfully(look: Look) -> Iterator[Breach]:
    """What a strip search and an intimate search must have (Code C Annex A)."""
    booking = booking_of(look)
    if booking is None:
        return
    protected = is_child(booking, look.settings, look.now) or Need.VULNERABLE in booking.needs
    for search in added(look, "searches", Search):
        for problem, urgent in search_problems(search, look.settings.care, protected=protected):
            yield Breach(
                rule="custody-search" if not urgent else "custody-search-people",
                why=f"This search is not recorded as it must be: {problem}.",
                remedy="Enter what is missing.",
                source="PACE Code C annex A",
                override=urgent,
            )


GUARDS: Final[tuple[Guard, ...]] = (
    one_check_at_a_time,
    checked_where_they_are,
    not_the_same_note,
    grounds_are_recorded,
    seen_to_at_authorisation,
    language_is_known,
    rights_are_delayed_lawfully,
    children_have_an_adult,
    observed_as_they_must_be,
    no_child_under_section_136,
    section_136_was_considered,
    extended_lawfully,
    searched_lawfully,
    placing.child_seen_in_a_cell,
    *guards_leaving.GUARDS,
)
"""In the order in which an officer is told."""
