"""Where a person is: every place with every step, written out, with what is told and what the clock leaves out."""

from collections.abc import Mapping
from typing import Final

import pytest

from schemas.ids import Millis
from schemas.kinds.detention import DetentionEvent, Step
from schemas.settings import DEFAULTS
from schemas.settings.custody import HOUR_MS
from sync.policing.custody.events import Held
from sync.policing.custody.intervals import Why
from sync.policing.custody.whereabouts import Place, Whereabouts, walk

T0: Final = 1_760_000_400_000
AT: Final = 5
"""The hour at which the step is entered that a row is about; what led to the place came at 0, 1 and 2."""
LED: Final[Mapping[Place, tuple[Step, ...]]] = {
    Place.NOT_YET: (),
    Place.STATION: (Step.ARRIVAL,),
    Place.HOSPITAL: (Step.ARRIVAL, Step.LEFT_FOR_HOSPITAL),
    Place.ON_BAIL: (Step.ARRIVAL, Step.BAILED),
    Place.BAIL_ARREST: (Step.ARRIVAL, Step.BAILED, Step.BAIL_ARREST),
    Place.RELEASED: (Step.ARRIVAL, Step.RELEASED),
}
NOTHING: Final = """
    arrest further-arrest entered-country refused questioned-elsewhere bail-extended extension-refused warrant-applied
    warrant warrant-extended warrant-refused charged charged-bail-refused
"""
"""Steps that move nobody anywhere, and are possible everywhere."""
TABLE: Final[Mapping[Place, tuple[tuple[str, str, str], ...]]] = {
    # Place: what is entered there, where the person is then, what is told.
    Place.NOT_YET: (
        ("station-arrest arrival street-bail-return authorised transfer-arrived bail-return", "station", ""),
        ("left-for-hospital at-hospital", "hospital", ""),
        ("bailed", "on-bail", ""),
        ("bail-arrest", "bail-arrest", ""),
        ("released handed-to-court", "released", ""),
        ("questioned-in-hospital left-hospital back-from-hospital", "not-yet", ""),
        ("transfer-left review review-postponed extension", "not-yet", ""),
    ),
    Place.STATION: (
        ("station-arrest arrival street-bail-return authorised transfer-left transfer-arrived", "station", ""),
        ("questioned-in-hospital review review-postponed extension", "station", ""),
        ("left-hospital back-from-hospital bail-return bail-arrest", "station", "return-without-leaving"),
        ("left-for-hospital", "hospital", ""),
        ("at-hospital", "hospital", "hospital-journey"),
        ("bailed", "on-bail", ""),
        ("released handed-to-court", "released", ""),
    ),
    Place.HOSPITAL: (
        ("at-hospital questioned-in-hospital left-hospital", "hospital", ""),
        ("authorised review review-postponed extension", "hospital", ""),
        ("left-for-hospital", "hospital", "left-twice"),
        ("back-from-hospital transfer-arrived", "station", ""),
        ("station-arrest arrival street-bail-return bail-return", "station", "return-as-arrival"),
        ("transfer-left bail-arrest", "station", "return-not-recorded"),
        ("bailed", "on-bail", ""),
        ("released handed-to-court", "released", ""),
    ),
    Place.ON_BAIL: (
        ("bail-return", "station", ""),
        ("arrival", "station", "return-as-arrival"),
        ("station-arrest street-bail-return transfer-arrived authorised", "station", "return-not-recorded"),
        ("review review-postponed extension questioned-in-hospital transfer-left", "station", "return-not-recorded"),
        ("left-hospital back-from-hospital", "station", "return-not-recorded return-without-leaving"),
        ("left-for-hospital", "hospital", "return-not-recorded"),
        ("at-hospital", "hospital", "return-not-recorded hospital-journey"),
        ("bail-arrest", "bail-arrest", ""),
        ("bailed", "on-bail", "bailed-twice"),
        ("released handed-to-court", "released", ""),
    ),
    Place.BAIL_ARREST: (
        ("station-arrest arrival street-bail-return transfer-arrived bail-return", "station", ""),
        ("authorised review review-postponed extension", "station", "return-not-recorded"),
        ("questioned-in-hospital transfer-left", "station", "return-not-recorded"),
        ("left-hospital back-from-hospital", "station", "return-not-recorded return-without-leaving"),
        ("left-for-hospital", "hospital", "return-not-recorded"),
        ("at-hospital", "hospital", "return-not-recorded hospital-journey"),
        ("bail-arrest", "bail-arrest", "arrested-twice"),
        ("bailed", "on-bail", ""),
        ("released handed-to-court", "released", ""),
    ),
    Place.RELEASED: (
        ("station-arrest arrival street-bail-return transfer-arrived authorised", "station", "return-not-recorded"),
        ("review review-postponed extension questioned-in-hospital transfer-left", "station", "return-not-recorded"),
        ("left-hospital back-from-hospital", "station", "return-not-recorded return-without-leaving"),
        ("bail-return bail-arrest", "station", "return-not-recorded return-without-leaving"),
        ("left-for-hospital", "hospital", "return-not-recorded"),
        ("at-hospital", "hospital", "return-not-recorded hospital-journey"),
        ("bailed", "on-bail", "released-twice"),
        ("released handed-to-court", "released", "released-twice"),
    ),
}
CELLS: Final = [
    (place, step, then, told)
    for place, rows in TABLE.items()
    for steps, then, told in (*rows, (NOTHING, place.value, ""))
    for step in steps.split()
]


def after(place: Place, step: str) -> Whereabouts:
    """What follows when a step is entered of somebody who is there."""
    led = [DetentionEvent(what=what, at=Millis(T0 + hour * HOUR_MS)) for hour, what in enumerate(LED[place])]
    at = Millis(T0 + AT * HOUR_MS)
    entered = DetentionEvent(what=Step(step), at=at, until=Millis(at + HOUR_MS))
    return walk(Held(events=(*led, entered), contradictions=()), DEFAULTS.custody)


def test_every_place_decides_every_step_once() -> None:
    """A step or a place that is added is a row here before it is anything else; withdrawals are settled before."""
    known = {step.value for step in Step} - {Step.WITHDRAWN.value}
    assert set(TABLE) == set(LED) == set(Place)
    for place in Place:
        assert sorted(step for there, step, *_ in CELLS if there is place) == sorted(known)


@pytest.mark.parametrize(("place", "step", "then", "told"), CELLS)
def test_what_a_step_makes_of_a_place(place: Place, step: str, then: str, told: str) -> None:
    """Where the person is then, since when, and what does not fit; who stays put is there since they came."""
    found = after(place, step)
    assert found.place.value == then
    assert [one.rule for one in found.contradictions] == [f"custody-{one}" for one in told.split()]
    if then != place.value:
        assert found.since == T0 + AT * HOUR_MS
    elif step in NOTHING.split() and place is not Place.NOT_YET:
        assert found.since == T0 + (len(LED[place]) - 1) * HOUR_MS


@pytest.mark.parametrize(("place", "step", "then", "told"), CELLS)
def test_time_is_left_out_of_no_clock_where_a_return_was_not_recorded(
    place: Place, step: str, then: str, told: str
) -> None:
    """On bail or released and shown in detention after all: all of that time counts, whichever step shows it."""
    left_out = {one.why for one in after(place, step).away if not one.counts}
    if "return-not-recorded" in told and place in {Place.ON_BAIL, Place.RELEASED}:
        assert left_out <= {Why.HOSPITAL}
    if place is Place.ON_BAIL and not told:
        assert Why.ON_BAIL in left_out
    if place is Place.STATION and then == "station":
        assert left_out == set()
