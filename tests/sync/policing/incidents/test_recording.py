"""Crimes: the decision and its clock, what stands of what was recorded, and how sound the cancelled ones are."""

from typing import Any

import pytest

from schemas.ids import DeviceId, FieldName, Millis, OfficerId, OpNumber, RecordId, Seq
from schemas.kinds import KINDS
from schemas.ops import Op
from schemas.settings import DEFAULTS
from sync import merge
from sync.merge import RecordState
from sync.policing.incidents import recording
from tests.sync.policing.incidents.cases import DAY, LEAST, T0, cancellation, crime, incident, number

SETTINGS = DEFAULTS.incidents


def state(n: int, *changes: tuple[str, dict[str, Any]]) -> RecordState:
    """The n-th incident as these authors wrote it, a commit each; the first makes it."""
    held: RecordState | None = None
    for at, (author, values) in enumerate(changes, 1):
        op = Op(
            device=DeviceId(f"hh-{author.lower()}"),
            n=OpNumber(at),
            record=number(n),
            kind="incident",
            author=OfficerId(author),
            create=held is None,
            hlc=(T0 + at, 0),
            occurred_at=Millis(T0 + at),
            wall=Millis(T0 + at),
            changes={FieldName(name): value for name, value in values.items()},
        )
        held = merge.apply(merge.new_state(op, KINDS["incident"]) if held is None else held, op, Millis(T0), Seq(at))
    assert held is not None
    return held


@pytest.mark.parametrize(
    ("values", "due"),
    [
        ({"category": "crime"}, T0 + DAY),
        ({"category": "crime", "status": "closed"}, T0 + DAY),
        ({"category": "crime", "crimes": [crime()]}, None),
        ({"category": "crime", "not_crimes": [{"reason": "Lent.", "by": "WM1", "decided_at": T0}]}, None),
        ({"category": "administration"}, None),
    ],
)
def test_a_crime_is_decided_on_within_its_clock(values: dict[str, Any], due: int | None) -> None:
    """Crime decision within its clock: 24 h from the report, closed or not, until it is recorded or said why not."""
    assert recording.decide_by(incident(**values), SETTINGS) == due


def test_what_is_cancelled_no_longer_stands() -> None:
    """Of two crimes one is cancelled: the other stands, and both keep their entries."""
    held = incident(crimes=[crime("theft"), crime("damage", "criminal-damage")], cancellations=[cancellation("theft")])
    assert set(recording.standing(held, SETTINGS)) == {"damage"}
    assert set(recording.cancelled(held, SETTINGS)) == {"theft"}
    assert len(held.crimes) == 2


@pytest.mark.parametrize(
    ("field", "sorts", "counts"),
    [
        ("cancellations", ["theft"], True),
        ("cancellations", ["rape"], False),
        ("cancellations", ["rape", "other"], False),
        ("cancellations", ["other", "rape"], False),
        ("registrar_cancellations", ["rape"], True),
        ("registrar_cancellations", ["theft"], True),
    ],
)
def test_a_rape_is_cancelled_by_the_registrar_alone(field: str, sorts: list[str], *, counts: bool) -> None:
    """Whatever was written, in whatever order and under whatever later name: another's cancellation does not count."""
    held = incident(crimes=[crime(sort=sort) for sort in sorts], **{field: [cancellation()]})
    assert bool(recording.cancelled(held, SETTINGS)) is counts


def test_cancelled_crime_accuracy() -> None:
    """Cancelled-crime accuracy: by what is recorded and who in truth wrote it, with a reason for each that is wrong."""
    sound = state(1, ("WM1", LEAST | {"crimes": [crime(by="WM1")]}), ("WM9", {"cancellations": [cancellation()]}))
    own = state(2, ("WM1", LEAST | {"crimes": [crime(by="WM1")]}), ("WM1", {"cancellations": [cancellation()]}))
    disguised = state(3, ("WM1", LEAST | {"crimes": [crime(by="WM5")]}), ("WM1", {"cancellations": [cancellation()]}))
    rape = state(
        4, ("WM1", LEAST | {"crimes": [crime(sort="rape", by="WM1")]}), ("WM9", {"cancellations": [cancellation()]})
    )
    strange = state(5, ("WM1", LEAST), ("WM9", {"cancellations": [cancellation(code="c9")]}))
    held: dict[RecordId, RecordState] = {one.id: one for one in (sound, own, disguised, rape, strange)}
    found = recording.accuracy(held, SETTINGS)
    assert (found.recorded, found.cancelled, found.sound) == (4, 5, 1)
    told: dict[RecordId, list[str]] = {}
    for one in found.findings:
        told.setdefault(one.incident, []).append(one.why)
    assert told.keys() == {number(n) for n in (2, 3, 4, 5)}
    assert told[number(2)] == told[number(3)] == ["Whoever cancelled it investigates or recorded it."]
    assert "Registrar alone" in told[number(4)][0]
    assert len(told[number(5)]) == 2


def test_the_investigator_is_not_independent() -> None:
    """Nor is whoever recorded it; collar numbers are compared without regard to capitals."""
    held = incident(crimes=[crime(by="wm1")], investigator="WM2")
    assert recording.involved_in(held, "theft") == {"wm1", "wm2"}
    assert recording.involved_in(held, "other") == {"wm2"}
