"""What a booking says of the person and of where they are; and a booking made from an arrest."""

from typing import Any

import msgspec
import pytest

from schemas.ids import FieldName, named_record_id
from schemas.kinds import CustodyBooking, Incident, spec_of
from schemas.kinds.admission import Basis
from schemas.kinds.care import Care, Check
from schemas.kinds.detention import Step, ref
from schemas.kinds.timed import Corrigible, Timed, standing
from schemas.settings import DEFAULTS
from sync import check as checking
from sync.policing.custody.record import (
    ELSEWHERE,
    Where,
    age_on,
    booking_from_arrest,
    came_at,
    here_since,
    is_child,
    needs_adult,
    stays,
    where_at,
)
from tests.examples import INCIDENT, LEAST
from tests.sync.policing.custody_record.bookings import DAY, at, booking, step

NOWHERE = {
    "arrest", "further-arrest", "entered-country", "authorised", "refused", "questioned-elsewhere", "bail-extended",
    "review", "review-postponed", "extension", "extension-refused", "warrant-applied", "warrant", "warrant-extended",
    "warrant-refused", "charged", "charged-bail-refused", "withdrawn",
}  # fmt: skip
"""The steps that take nobody anywhere."""
GOES = {
    "station-arrest": Where.SUITE,
    "arrival": Where.SUITE,
    "street-bail-return": Where.SUITE,
    "bail-return": Where.SUITE,
    "back-from-hospital": Where.SUITE,
    "transfer-arrived": Where.SUITE,
    "transfer-left": Where.TRAVELLING,
    "left-hospital": Where.TRAVELLING,
    "bail-arrest": Where.TRAVELLING,
    "left-for-hospital": Where.HOSPITAL,
    "at-hospital": Where.HOSPITAL,
    "questioned-in-hospital": Where.HOSPITAL,
    "handed-to-court": Where.COURT,
    "bailed": Where.OUT,
    "released": Where.OUT,
}


@pytest.mark.parametrize("before", ["arrival", "left-for-hospital", "released", "transfer-left"])
@pytest.mark.parametrize("what", [one.value for one in Step])
def test_every_step_takes_the_person_where_it_says(before: str, what: str) -> None:
    """From wherever they were; a step that is not in the table takes nobody anywhere."""
    assert GOES.keys() | NOWHERE == {one.value for one in Step}
    found = stays(booking(detention=[step(before, 0), step(what, 10)]), at(60))
    assert where_at(found, at(10)) is GOES.get(what, GOES[before])
    assert where_at(found, at(9)) is GOES[before]


@pytest.mark.parametrize(
    ("status", "where"),
    [
        ("arrived", Where.SUITE),
        ("detained", Where.SUITE),
        ("hospital", Where.HOSPITAL),
        ("court", Where.COURT),
        ("released", Where.OUT),
    ],
)
def test_a_status_that_no_step_tells_counts(status: str, where: Where) -> None:
    """From the last step on, or from when it was set, where that is known: nobody is in a cell by omission."""
    held = booking(status=status, detention=[step("arrival", 0)])
    assert where_at(stays(held, at(60)), at(30)) is where
    set_at_40 = stays(held, at(60), at(40))
    assert [where_at(set_at_40, at(minutes)) for minutes in (39, 40)] == [Where.SUITE, where]


def test_a_step_that_is_to_come_or_taken_back_moves_nobody() -> None:
    """What was entered in error never happened."""
    away = step("left-for-hospital", 30)
    held = booking(detention=[step("arrival", 0), away])
    assert where_at(stays(held, at(20)), at(31)) is Where.SUITE
    error = step("withdrawn", 30, corrects=ref(held.detention[1]))
    assert here_since(booking(detention=[step("arrival", 0), away, error]), at(60)) == at(0)


@pytest.mark.parametrize(
    ("booked", "since"),
    [
        ({}, 0),
        ({"detention": [step("arrival", 0), step("left-for-hospital", 30)]}, None),
        ({"detention": [step("arrival", 0), step("left-for-hospital", 30), step("back-from-hospital", 50)]}, 50),
        ({"detention": [step("arrival", 0), step("transfer-left", 30), step("transfer-arrived", 50)]}, 50),
        ({"detention": [], "arrived_at": at(-5)}, -5),
        ({"detention": [], "status": "released"}, None),
        ({"detention": [step("arrival", 0), step("bailed", 30), step("bail-return", 50)], "status": "released"}, 50),
        ({"detention": [step("arrival", 0), step("bailed", 30)], "status": "released"}, None),
        ({"detention": [], "detention_authorised_at": at(7)}, 7),
        ({"detention": []}, -30),
    ],
)
def test_since_when_the_person_is_in_the_suite(booked: dict[str, Any], since: float | None) -> None:
    """Without a break; of what an older program wrote, as far as that tells."""
    assert here_since(booking(**booked), at(60)) == (None if since is None else at(since))


def test_before_anybody_came_nobody_is_there() -> None:
    """The first arrival counts; until it is recorded, the arrest."""
    held = booking(detention=[step("arrival", 10), step("left-for-hospital", 20), step("back-from-hospital", 40)])
    assert where_at(stays(held, at(60)), at(9)) is Where.NOT_YET
    assert came_at(held, at(60)) == at(10)
    assert came_at(booking(detention=[]), at(60)) == at(-30)
    assert frozenset(Where) - {Where.SUITE} == ELSEWHERE


@pytest.mark.parametrize(
    ("born", "age", "child"),
    [("2008-07-01", 18, False), ("2008-07-02", 17, True), ("1966-07-02", 59, False), (None, None, False)],
)
def test_a_person_is_a_child_until_their_eighteenth_birthday(born: str | None, age: int | None, child: bool) -> None:  # noqa: FBT001
    """Counted in days of England."""
    held = booking(born=born)
    assert age_on(born, at(0)) == age
    assert is_child(held, DEFAULTS, at(0)) is child
    assert needs_adult(held, DEFAULTS, at(0)) is child


def test_a_birthday_begins_at_midnight_in_england() -> None:
    """In summer an hour before it does by universal time."""
    midnight = at(12 * 60)
    assert age_on("2008-07-02", at(12 * 60 - 1)) == 17
    assert age_on("2008-07-02", midnight) == 18


@pytest.mark.parametrize(
    ("booked", "needed"),
    [
        ({"appropriate_adult": "needed"}, True),
        ({"needs": ["vulnerable"]}, True),
        ({"needs": ["vulnerable"], "appropriate_adult": "not-needed"}, False),
        ({"juvenile": "under-18", "born": "1980-01-01"}, True),
        ({"juvenile": "under-18", "appropriate_adult": "not-needed"}, True),
        ({"juvenile": "adult", "born": "2012-01-01"}, True),
        ({"juvenile": "adult"}, False),
        ({"needs": ["pregnant"]}, False),
    ],
)
def test_who_must_have_an_appropriate_adult(booked: dict[str, Any], needed: bool) -> None:  # noqa: FBT001
    """Whoever is or appears to be under 18, and whoever may be vulnerable until a custody officer judges otherwise."""
    assert needs_adult(booking(**booked), DEFAULTS, at(0)) is needed


# --- corrections -----------------------------------------------------------------------------------------------------


def care(minutes: float, what: str = "main-meal", **more: Any) -> Care:  # noqa: ANN401  parts of an entry
    """An entry of care."""
    return msgspec.convert({"at": at(minutes), "what": what, **more}, Care)


def test_a_correction_replaces_the_entry_that_it_names_in_any_order() -> None:
    """The old one stays in the record and holds no longer; a correction of a correction likewise."""
    first = care(10)
    second = care(20, corrects=first.ref())
    third = care(25, corrects=second.ref())
    for entries in ((first, second, third), (third, second, first), (second, third, first, first)):
        assert standing(entries) == (third,)


def test_what_was_entered_in_error_is_taken_back() -> None:
    """Neither it nor what takes it back holds; everything else does."""
    wrong, right = care(10), care(10, "drink")
    error = care(11, in_error=True, corrects=wrong.ref())
    assert standing((wrong, right, error)) == (right,)


def test_a_correction_that_is_taken_back_gives_back_what_it_replaced() -> None:
    """The wrong entry was corrected: saying so leaves no hole, and taking that back in turn corrects again."""
    first = care(10)
    second = care(20, corrects=first.ref())
    back = care(30, in_error=True, corrects=second.ref())
    assert standing((back, first, second)) == (first,)
    again = care(40, in_error=True, corrects=back.ref())
    assert standing((first, again, second, back)) == (second,)
    instead = care(35, corrects=back.ref())
    assert standing((first, second, back, instead)) == (second, instead)


def test_a_long_chain_of_corrections_ends_at_the_last() -> None:
    """As many as a field may hold: each corrects the one before."""
    chain = [care(0)]
    for n in range(1_023):
        chain.append(care(n + 1, corrects=chain[-1].ref()))
    assert standing(tuple(reversed(chain))) == (chain[-1],)


def test_an_entry_has_the_name_that_every_program_gives_it() -> None:
    """It comes from what it is about and when, and from nothing that a newer program adds."""
    one = care(10, note="A sandwich.")
    assert one.ref() == care(10).ref() == "52d86e00e760bb63"
    assert care(10, "drink").ref() != one.ref()
    assert Check(checked_at=at(10), where="M7", response="awake").ref() != one.ref()  # type: ignore[arg-type]


def test_an_entry_must_say_when_it_happened() -> None:
    """A sort of entry that does not is a defect, told by its name."""
    with pytest.raises(TypeError, match="Corrigible does not say when"):
        Corrigible().ref()
    assert Timed(at=at(1)).happened() == at(1)


# --- arrest to booking -----------------------------------------------------------------------------------------------


def incident(**more: Any) -> Incident:  # noqa: ANN401  plain values of any field
    """An incident with one arrest."""
    arrest = {"person": "Robin Example", "arrested_at": at(-30), "offence": "theft"}
    values = LEAST["incident"] | {"arrests": [arrest]} | more
    found = spec_of(Incident).build({FieldName(name): value for name, value in values.items()})
    assert isinstance(found, Incident)
    return found


def test_arrest_to_booking_without_rekeying() -> None:
    """Row: arrest→booking without rekeying. All that the arrest says is there, with the way back to the incident."""
    about = incident()
    suspect = named_record_id("custody record", "suspect")
    made = booking_from_arrest(
        INCIDENT, about, about.arrests[0], suite="perry-barr", officer="WM21877", suspect=suspect
    )
    assert isinstance(made, CustodyBooking)
    assert (made.detainee, made.arrested_at, made.offence) == ("Robin Example", at(-30), "theft")
    assert (made.arresting_officer, made.suite, made.basis) == ("WM21877", "perry-barr", Basis.ARREST)
    assert (made.incident, made.suspect) == (INCIDENT, suspect)
    plain = checking.changed_fields({FieldName(name): getattr(made, name) for name in ("incident", "arrested_at")})
    assert plain == {"incident": INCIDENT, "arrested_at": at(-30)}


def test_nothing_of_a_compartment_comes_along_but_the_person() -> None:
    """That the incident exists is told to nobody outside it: the booking does not name it."""
    about = incident(compartment="larch")
    made = booking_from_arrest(INCIDENT, about, about.arrests[0], suite="perry-barr", officer="WM1", suspect=INCIDENT)
    assert (made.incident, made.suspect, made.detainee) == (None, None, "Robin Example")


def test_a_day_of_birth_may_be_of_any_year() -> None:
    """A moment far from now has a day as well."""
    assert age_on("1900-02-28", at(200 * 365 * DAY)) is not None
