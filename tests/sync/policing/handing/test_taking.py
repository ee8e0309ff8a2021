"""What a shift hands over and the next takes on: by the same record for all, and told of until somebody has it."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import scopes
from schemas.ids import FieldName, Millis, RecordId, ScopeName
from schemas.kinds import Handover, Kind, spec_of
from schemas.kinds.handover import HandedItem, handover_id
from schemas.roles import Role
from schemas.settings import DEFAULTS
from sync.policing.due import What
from sync.policing.guards import breaches
from sync.policing.handing.shift import compare, items
from sync.policing.handing.taking import GUARDS, dues
from sync.policing.handover import Part, handover
from tests.sync.policing.incidents.cases import HOUR, MINUTE, T0, look, made, number
from tests.sync.policing.test_handover import AREA, KINDS, RESPONSE, SEVEN, SUITE, handed

ITEM: dict[str, Any] = {"record": number(1), "kind": "incident", "part": "incident", "words": "Send a unit."}
OTHER = ITEM | {"record": number(2)}
REF = HandedItem(**ITEM).ref()


def shift(**values: Any) -> Handover:  # noqa: ANN401  plain values
    """The end of a shift of a response team."""
    built = made(Handover, {"audience": RESPONSE, "ends_at": T0} | values)
    assert isinstance(built, Handover)
    return built


def answer(taken: bool, at: int = T0 + 5, note: str | None = "Ours.", item: str = REF) -> dict[str, Any]:  # noqa: FBT001  the word itself
    """Somebody of the next shift answers."""
    return {"item": item, "taken": taken, "at": at, "note": note}


def test_an_item_is_open_until_somebody_has_taken_it_on() -> None:
    """A refusal does not end it; of two answers written without sight of each other the yes stands."""
    assert [one.ref() for one in shift(items=[ITEM]).waiting()] == [REF]
    assert [one.ref() for one in shift(items=[ITEM, ITEM], answers=[answer(taken=False)]).waiting()] == [REF]
    for answers in itertools.permutations([answer(taken=False), answer(taken=True)]):
        assert shift(items=[ITEM], answers=list(answers)).waiting() == ()
    assert (
        shift(items=[ITEM], answers=[answer(taken=False), answer(taken=False, at=T0 + 9)]).refused()[REF].at == T0 + 9
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (answer(taken=True), []),
        (answer(taken=True, note=None), []),
        (answer(taken=False), []),
        (answer(taken=False, note=None), ["handover-refused"]),
        (answer(taken=True, item="0000000000000000"), ["handover-item"]),
    ],
)
def test_an_answer_is_to_something_and_a_no_has_its_reason(one: dict[str, Any], expected: list[str]) -> None:
    """Whoever refuses says why, so that the giver knows what is missing."""
    seen = look(shift(items=[ITEM]), shift(items=[ITEM], answers=[one]), {"answers": [one]})
    assert [each.rule for each in breaches(GUARDS, seen)] == expected


def test_what_nobody_takes_on_raises_an_alarm() -> None:
    """A quarter of an hour after the shift's end; once all is taken on nothing falls due."""
    (due,) = dues(shift(items=[ITEM, OTHER], answers=[answer(taken=True)]), DEFAULTS, Millis(T0))
    assert (due.what, due.at, due.roles, due.then) == (
        What.HANDOVER, T0 + 15 * MINUTE, (Role.SUPERVISOR, Role.CUSTODY_OFFICER), (Role.CONTROL_ROOM,),
    )  # fmt: skip
    assert due.words.startswith("1 handed over and taken on by nobody")
    assert list(dues(shift(items=[ITEM], answers=[answer(taken=True)]), DEFAULTS, Millis(T0))) == []
    assert list(dues(shift(), DEFAULTS, Millis(T0))) == []


def test_what_is_refused_is_told_at_once_and_by_itself() -> None:
    """From the moment of the refusal, also where the alarm of the rest was taken up already."""
    (due,) = dues(shift(items=[ITEM], answers=[answer(taken=False)]), DEFAULTS, Millis(T0))
    assert (due.at, REF in due.key, "settle who has it" in due.words) == (T0 + 5, True, True)


def test_the_words_of_an_item_fit_into_its_alarm() -> None:
    """A long line of what is to be done does not keep the alarm from being written."""
    long = ITEM | {"words": "x" * 4_000}
    for answers in ([], [answer(taken=False)]):
        (due,) = dues(shift(items=[long], answers=answers), DEFAULTS, Millis(T0))
        assert len(due.words) < 1_000


def test_what_nobody_took_on_stays_in_the_view() -> None:
    """Of the same audience and of no other, also when the record itself asks for nothing more."""
    records: dict[RecordId, Kind] = {number(9): shift(items=[ITEM, OTHER], answers=[answer(taken=True)])}

    def view(*audiences: ScopeName) -> list[tuple[Part, str]]:
        found = handover(
            records, audiences, until=Millis(T0), settings=DEFAULTS, now=Millis(T0), report=lambda *_: None
        )
        return [(one.part, one.key) for one in found]

    assert view(RESPONSE) == [(Part.HANDED, HandedItem(**OTHER).ref())]
    assert view(AREA) == []


def test_two_who_hand_over_without_signal_write_in_one_record() -> None:
    """Its id follows from whose shift it is and when it ends, and no id of another's making is taken."""
    spec = spec_of(Handover)
    assert spec.named is not None
    values = {FieldName("audience"): "team:response-a", FieldName("ends_at"): T0}
    assert spec.named(values) == handover_id("team:response-a", T0)
    assert (
        handover_id("team:response-a", T0 + 1)
        != handover_id("team:response-b", T0)
        != handover_id("team:response-a", T0)
    )


def test_a_closed_audience_hands_over_in_its_own_record() -> None:
    """What the suite's healthcare staff hand over is in no open scope."""
    closed = scopes.medical("perry-barr")
    assert shift(audience=closed).scopes() == {closed}


@given(
    names=st.lists(st.sampled_from(sorted(KINDS)), max_size=8),
    named=st.sets(st.integers(0, 7)),
    taken=st.sets(st.integers(0, 7)),
    refused=st.sets(st.integers(0, 7)),
)
def test_nothing_is_lost_between_what_waits_what_is_named_and_what_is_taken(
    names: list[str], named: set[int], taken: set[int], refused: set[int]
) -> None:
    """Whatever was handed over, forgotten or refused: it is unnamed, waits, or is taken on; and what waits is shown."""
    records = {number(place): KINDS[name] for place, name in enumerate(names)}
    found = handed(records, SUITE, AREA, now=SEVEN)
    every = items(found)
    given_over = [one for place, one in enumerate(every) if place in named]
    answers = [(one, True) for place, one in enumerate(given_over) if place in taken]
    answers += [(one, False) for place, one in enumerate(given_over) if place in refused]
    record = made(
        Handover,
        {
            "audience": AREA,
            "ends_at": SEVEN,
            "items": [
                {"record": one.record, "kind": one.kind, "part": one.part, "key": one.key, "words": one.words}
                for one in given_over
            ],
            "answers": [answer(taken=yes, item=one.ref(), at=SEVEN + HOUR) for one, yes in answers],
        },
    )
    told = compare(record, found)
    lists = [
        [one.ref() for one in items(told.unnamed)],
        *([one.ref() for one in each] for each in (told.waiting, told.taken)),
    ]
    assert sorted(ref for each in lists for ref in each) == sorted(one.ref() for one in every)
    shown = handed({**records, number(99): record}, SUITE, AREA, now=SEVEN)
    assert {one.key for one in shown if one.part is Part.HANDED} == {one.ref() for one in told.waiting}
    assert {(one.part, one.record, one.key) for one in found} <= {(one.part, one.record, one.key) for one in shown}
    assert items(shown) == every
    assert compare(None, found).unnamed == found
