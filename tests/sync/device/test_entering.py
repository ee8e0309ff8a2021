"""`enter`: several fields in one change, and a rule gone against with a reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.ids import Millis
from schemas.kinds import CustodyBooking, Incident, Resource
from schemas.kinds.admission import Need, Risk
from schemas.kinds.booking import BookingStatus, ObservationLevel
from schemas.kinds.call import Grade
from schemas.kinds.common import LogEntry, Marker
from schemas.kinds.leaving import PreRelease
from schemas.kinds.resource import Category
from sync.device import DeviceIdentity, Handheld
from sync.policing.rulebook import RuleError
from tests.sync.device.desks import SUITE, booking
from tests.sync.device.support import NOON, VirtualClock, incident, opened
from tests.sync.device.terminal.desk import briefing


@pytest.fixture
async def alone(tmp_path: Path, identity: DeviceIdentity) -> AsyncIterator[Handheld]:
    """A handheld without a server."""
    async with await opened(tmp_path / "alone", identity, clock=VirtualClock()) as handheld:
        yield handheld


async def test_fields_of_every_sort_are_one_change(alone: Handheld) -> None:
    """A value, entries and tags go into one op, and each is added to what stands there."""
    made = await alone.create(incident())
    await alone.append(made.record, "log", LogEntry(text="Before"))
    waiting = alone.status.waiting
    dog = Marker(warning="dog")
    await alone.enter(made.record, grade=Grade.P1, log=[LogEntry(text="After")], markers=(dog,))
    value = await alone.get(Incident, made.record)
    assert value is not None
    assert (value.grade, [one.text for one in value.log], value.markers) == (Grade.P1, ["Before", "After"], (dog,))
    assert alone.status.waiting == waiting + 1


async def test_a_release_and_its_assessment_are_one_change(alone: Handheld) -> None:
    """What a rule wants to see together can be written together, and not one without the other."""
    made = await alone.create(booking(status=BookingStatus.DETAINED))
    with pytest.raises(RuleError, match="custody-pre-release"):
        await alone.enter(made.record, status=BookingStatus.RELEASED)
    assessed = PreRelease(at=Millis(NOON), level=Risk.STANDARD, plan="Bus ticket; sister told.")
    await alone.enter(made.record, status=BookingStatus.RELEASED, release_assessments=[assessed])
    value = await alone.get(CustodyBooking, made.record)
    assert value is not None
    assert value.status is BookingStatus.RELEASED


async def test_a_reason_stands_with_what_it_is_for(alone: Handheld) -> None:
    """Going on against a rule leaves the rule and the reason in the log, beside what was written there anyway."""
    made = await alone.create(booking(needs=(Need.UNDER_DRINK_OR_DRUGS,)))
    with pytest.raises(RuleError, match="custody-level-too-low"):
        await alone.enter(made.record, observation=ObservationLevel.L1)
    reasons = {"custody-level-too-low": "Sober since the morning."}
    await alone.enter(
        made.record, overriding=reasons, observation=ObservationLevel.L1, log=[LogEntry(text="Seen by the nurse")]
    )
    value = await alone.get(CustodyBooking, made.record)
    assert value is not None
    assert value.observation is ObservationLevel.L1
    said = {(one.overrides, one.text) for one in value.log}
    assert said == {(None, "Seen by the nurse"), ("custody-level-too-low", "Sober since the morning.")}


async def test_what_cannot_be_entered_is_refused_and_leaves_nothing(alone: Handheld) -> None:
    """Nothing at all, an unknown field, a value that is none, a claimed field, a reason where no log is."""
    made = await alone.create(incident())
    cell = await alone.create(Resource(category=Category.CELL, name="M1", home=SUITE))
    told = await alone.create(briefing())
    waiting = alone.status.waiting
    with pytest.raises(UsageError, match="nothing to write"):
        await alone.enter(made.record)
    with pytest.raises(UsageError, match="has no field 'colour'"):
        await alone.enter(made.record, grade=Grade.P1, colour="blue")
    with pytest.raises(UsageError, match="grade cannot be 'soon'"):
        await alone.enter(made.record, grade="soon")
    with pytest.raises(UsageError, match="is claimed"):
        await alone.enter(cell.record, hold="BW31")
    with pytest.raises(UsageError, match="no log in which a reason could stand"):
        await alone.enter(told.record, overriding={"briefing-review": "x"}, title="Grey van")
    assert alone.status.waiting == waiting
