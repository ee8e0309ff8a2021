"""A large-scale cyber incident: the server is gone for a whole shift, and comes back from an older copy, elsewhere.

Read it as a story: what each one does, hour by hour, and then what must be so when everything has come together.
"""

import shutil
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.ids import Millis, RecordId, ScopeName
from schemas.kinds import Alarm, Briefing, CustodyBooking, Incident
from schemas.kinds.abuse import AbuseVictim
from schemas.kinds.briefing import Priority
from schemas.kinds.common import Arrest
from schemas.kinds.incident import IncidentStatus
from schemas.roles import Role
from schemas.settings import DEFAULTS
from server.demo.stage import Stage
from sync.policing.custody import clocks
from sync.policing.custody.record import booking_from_arrest
from sync.policing.due import What
from tests.e2e.shift import MINUTE, Machine, Mate, all_at_rest
from tests.e2e.shift_cast import CHECKS, CONTROL, DESK, FIRST, HOUR, INSPECTOR, LEASE, SECOND, SHIFT, SIX, SUITE, Force

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
async def force(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Force]:
    """A server, and a shift of five that has signed in, with leases that last for it."""
    machine = Machine(stage, tmp_path, monkeypatch)
    machine.set_clock(SIX)
    await stage.start()
    lease = {"t": "lease-set", "role": Role.CUSTODY_OFFICER.value, "lease_ms": LEASE}
    stage.administration.do("officers", [lease])
    async with AsyncExitStack() as stack:
        mates = []
        for post in (DESK, INSPECTOR, FIRST, SECOND, CONTROL):
            mates.append(mate := Mate(post, tmp_path, SIX))
            await mate.begin(stage)
            stack.push_async_callback(mate.close)
        await all_at_rest(mates)
        yield Force(stage, machine, mates)


def stored_ops(data: Path) -> Counter[str]:
    """Every op in the file of a server that is not running, and how often."""
    with sqlite3.connect(f"file:{data / 'beatbook.db'}?mode=ro", uri=True) as connection:
        return Counter(f"{device}/{n}" for device, n in connection.execute("SELECT device, n FROM op"))


async def comes(mate: Mate, holds: Callable[[], Awaitable[bool]]) -> None:
    """Until something holds on a device, looking again at every change that it tells."""
    changes = mate.handheld.changes()
    while not await holds():
        await anext(changes)


async def holds(mate: Mate, record: RecordId) -> bool:
    """Whether a device holds a record in the server's form."""
    view = await mate.handheld.inspect(record)
    return view is not None and view.version > 0


async def no_check_is_owed(force: Force) -> bool:
    """Whether no alarm of the server's waits for a check of somebody who was seen since."""
    waiting = await force.desk.handheld.find(Alarm, lambda alarm: alarm.open and alarm.what == What.CHECK.value)
    return all(alarm.due_at >= force.now - 30 * MINUTE for _, alarm in waiting)


async def night(force: Force, backup: Path) -> None:
    """Somebody is detained, an incident is open; then a copy of the server is made."""
    desk, control = force.desk, force.control
    booking = CustodyBooking(suite=SUITE, detainee="V. Ashgrove", arrested_at=Millis(SIX - HOUR))
    force.ashgrove = await desk.did(desk.handheld.create(booking))
    await force.detain(force.ashgrove, Millis(SIX - 20 * MINUTE), Millis(SIX - 10 * MINUTE))
    force.quarrel = await force.report(control, "Shouting in a flat, not the first time")
    await all_at_rest(force.mates)
    await force.stage.stop()
    shutil.copytree(force.stage.data, backup)
    force.machine.set_clock(force.now)
    await force.stage.start()


async def morning(force: Force) -> None:
    """With a server for a last time: what happens now is in no copy, and was told to be durable."""
    desk, control, first, second = force.desk, force.control, force.first, force.second
    force.theft = await force.report(control, "Tools taken from a van")
    for n in range(3):
        await force.report(control, f"Report {n}, before the server went")
    await comes(first, lambda: holds(first, force.theft))
    arrest = Arrest(person="S. Oakhurst", arrested_at=force.now, offence="Theft")
    await first.did(first.handheld.append(force.theft, "arrests", arrest))
    van = Briefing(
        title="Grey van", body="Do not stop it alone.", audience=(ScopeName("force"),), issued_at=force.now,
        priority=Priority.OFFICER_SAFETY,
    )  # fmt: skip
    force.van = await control.did(control.handheld.create(van))
    await second.sign_in_again()
    await comes(second, lambda: holds(second, force.van))

    async def is_known() -> bool:
        incident = await desk.handheld.get(Incident, force.theft)
        return incident is not None and bool(incident.arrests)

    await comes(desk, is_known)
    await all_at_rest(force.mates)
    force.urns = await force.numbers()
    assert len(set(force.urns.values())) == len(force.urns) == 5


async def go(force: Force) -> None:
    """The server and its machine are gone."""
    await force.stage.kill()
    shutil.rmtree(force.stage.data)
    for mate in force.mates:
        await mate.lose_signal()


async def first_half(force: Force) -> None:
    """A booking from an arrest, domestic abuse, a briefing read, a check that is missed; a clock set wrong."""
    desk, control, first, second = force.desk, force.control, force.first, force.second
    await force.pass_until(10 * MINUTE)
    theft = await desk.handheld.get(Incident, force.theft)
    assert theft is not None
    booking = booking_from_arrest(force.theft, theft, theft.arrests[0], suite=SUITE, officer=FIRST.officer)
    force.oakhurst = await desk.did(desk.handheld.create(booking))
    arrived = force.now
    await force.pass_until(20 * MINUTE)
    await force.detain(force.oakhurst, arrived, force.now)

    await force.pass_until(30 * MINUTE)
    await second.did(second.handheld.opened(force.van))
    await second.did(second.handheld.acknowledge(force.van))
    for name in ("Ann Fenwick", "Beth Fenwick"):
        victim = AbuseVictim(name=name, relation="sister")
        await first.did(first.handheld.append(force.quarrel, "abuse_victims", victim))
    await force.look_in(force.ashgrove)
    await first.did(first.handheld.edit(force.quarrel, status=IncidentStatus.ATTENDED, location="Flat 4"))
    await control.did(control.handheld.edit(force.quarrel, location="Flat 4, Elm House"))
    await force.log(control, force.quarrel, "Called back: a second woman is there")

    await force.pass_until(HOUR)
    await force.assess(first, force.quarrel, "Ann Fenwick")
    with pytest.raises(UsageError, match="Beth Fenwick"):
        await first.handheld.edit(force.quarrel, status=IncidentStatus.CLOSED)
    await force.assess(first, force.quarrel, "Beth Fenwick")
    await first.did(first.handheld.edit(force.quarrel, status=IncidentStatus.CLOSED))
    await force.log(first, force.quarrel, "Both have gone to their sister")
    force.offline = [await force.report(control, f"By telephone, {n}") for n in range(2)]
    force.offline.append(await force.report(second, "Seen on patrol"))

    await force.pass_until(80 * MINUTE)
    desk.clock.off_ms = 2 * HOUR
    for who in (force.ashgrove, force.oakhurst):
        await force.look_in(who)
    await force.pass_until(140 * MINUTE)
    # Both were due to be seen by now, or in five minutes. One is, the other is not.
    await force.look_in(force.oakhurst)
    assert desk.heard("check", force.ashgrove)
    await desk.take_up("check", force.ashgrove, "On my way to the cell")
    await force.pass_until(150 * MINUTE)
    await force.look_in(force.ashgrove)
    await force.pass_until(3 * HOUR)
    await second.restart()
    await force.log(second, force.offline[-1], "Still there, after the battery was changed")


async def second_half(force: Force) -> None:
    """Reviews fall due: one is late, one in time; both who were warned of the late one take it up."""
    desk, inspector = force.desk, force.inspector
    for passed in range(200, 290, 50):
        await force.pass_until(passed * MINUTE)
        for who in (force.ashgrove, force.oakhurst):
            await force.look_in(who)
    await force.pass_until(300 * MINUTE)
    assert len(desk.heard("review", force.ashgrove)) == len(inspector.heard("review", force.ashgrove)) == 1
    for who in (force.ashgrove, force.oakhurst):
        await force.look_in(who)
    await force.pass_until(350 * MINUTE)
    for who in (force.ashgrove, force.oakhurst):
        await force.look_in(who)
    warned = [mate.heard("review", force.ashgrove) for mate in (desk, inspector)]
    assert warned[0] == warned[1]
    assert len(warned[0]) == 3
    force.late_review = await desk.take_up("review", force.ashgrove, "The inspector is on her way")
    assert await inspector.take_up("review", force.ashgrove, "Held up at the other suite") == force.late_review
    await force.pass_until(360 * MINUTE)
    await force.review(inspector, force.ashgrove)
    await force.pass_until(370 * MINUTE)
    # He was booked in at the desk since, so no other device knows of him.
    await force.review(desk, force.oakhurst)
    for passed in (400, 450):
        await force.pass_until(passed * MINUTE)
        for who in (force.ashgrove, force.oakhurst):
            await force.look_in(who)
    await force.pass_until(SHIFT)


async def comes_back(force: Force, backup: Path) -> None:
    """A server on another machine, from the copy that was made in the night; then new reports come in."""
    stage, control = force.stage, force.control
    stage.data = backup.with_name("another-machine")
    shutil.copytree(backup, stage.data)
    force.machine.set_clock(force.now)
    await stage.start()
    told = [len(mate.told) for mate in force.mates]
    # First whoever reported something without a server, so that it is numbered before what had a number.
    force.second.have_signal()
    await comes(force.second, lambda: holds(force.second, force.offline[-1]))
    for mate in force.mates:
        mate.have_signal()
    await all_at_rest(force.mates)
    # It was set back, knows of no check since the night, and warns of them until it has heard what was done.
    await comes(force.desk, lambda: no_check_is_owed(force))
    assert [len(mate.told) for mate in force.mates] == told
    force.after = [await force.report(control, f"Report {n}, after the server came back") for n in range(4)]
    await all_at_rest(force.mates)


async def nothing_is_lost(force: Force) -> None:
    """Promises 1 and 2: each op is on the server's disk once, and each text stands once where it was written."""
    incidents, bookings = await force.on_server(Incident), await force.on_server(CustodyBooking)
    texts = [entry.text for one in incidents.values() if isinstance(one, Incident) for entry in one.log]
    texts += [check.note or "" for one in bookings.values() if isinstance(one, CustodyBooking) for check in one.checks]
    assert Counter(force.texts) == Counter(texts)
    assert set(bookings) == {force.ashgrove, force.oakhurst}
    assert {force.quarrel, force.theft, *force.urns, *force.offline, *force.after} == set(incidents)
    stored = stored_ops(force.stage.data)
    ours = [op for mate in force.mates for op in mate.ops]
    assert len(ours) == len(set(ours))
    assert {op: stored[op] for op in ours} == dict.fromkeys(ours, 1)
    (said,) = (await force.stage.get(f"/v1/briefings/{force.van}/receipts"))["versions"]
    assert (said["on_device"], said["opened"], said["acknowledged"]) == (5, 1, 1)


async def replicas_are_equal(force: Force) -> None:
    """Promise 4: every device that holds a record holds what the server holds."""
    for kind in (Incident, CustodyBooking, Briefing, Alarm):
        there = await force.on_server(kind)
        for mate in force.mates:
            held = dict(await mate.handheld.find(kind))
            assert held.items() <= there.items(), (mate.post.device, kind)
    for mate in force.mates:
        assert {name for name, _ in await mate.handheld.find(Incident)} == set(await force.on_server(Incident))
    for mate in (force.desk, force.inspector):
        assert {name for name, _ in await mate.handheld.find(CustodyBooking)} == {force.ashgrove, force.oakhurst}


async def alarms_are_one(force: Force) -> None:
    """No device tells an alarm twice, the server has one record of each, and nobody's word on one is lost."""
    there = await force.on_server(Alarm)
    alarms = {name: alarm for name, alarm in there.items() if isinstance(alarm, Alarm)}
    named = [(one.subject, one.what, one.key, one.due_at, one.warn_ms) for one in alarms.values()]
    assert len(named) == len(set(named))
    for mate in force.mates:
        told = Counter(one.alarm for one in mate.told)
        assert [one.about for one in mate.told if told[one.alarm] > 1] == []
        for taken in mate.taken:
            assert taken in alarms, "an alarm that was taken up is not on the server"
    late = alarms[force.late_review]
    assert sorted(note.note or "" for note in late.acknowledged) == [
        "Held up at the other suite", "The inspector is on her way",
    ]  # fmt: skip
    assert not late.open


async def clocks_are_right(force: Force) -> None:
    """Both clocks of both detentions, and the time of every device: one answer everywhere, and the true one."""
    there, now = await force.on_server(CustodyBooking), force.now
    for booking, arrived, review_due, late in (
        # A late review does not move the next, one in time does (PACE section 40(3)).
        (force.ashgrove, SIX - 20 * MINUTE, SIX + 350 * MINUTE + 9 * HOUR, True),
        (force.oakhurst, SIX + 10 * MINUTE, SIX + 370 * MINUTE + 9 * HOUR, False),
    ):
        on_server = there[booking]
        assert isinstance(on_server, CustodyBooking)
        found = clocks.of_booking(on_server, DEFAULTS.custody, now)
        for mate in (force.desk, force.inspector):
            held = await mate.handheld.get(CustodyBooking, booking)
            assert held is not None
            assert clocks.of_booking(held, DEFAULTS.custody, now) == found
        assert found.relevant.at == pytest.approx(arrived, abs=2 * MINUTE)
        assert found.counted_ms == now - found.relevant.at
        assert found.reviews.next_due == pytest.approx(review_due, abs=2 * MINUTE)
        assert [one.late_ms > 0 for one in found.reviews.reviews] == [late]
        assert found.contradictions == ()
    for booking in (force.ashgrove, force.oakhurst):
        view = await force.inspector.handheld.inspect(booking)
        assert view is not None
        for entry in view.entries[CHECKS]:
            # Whatever the desk's own clock showed by then.
            assert entry.stamp.ms == pytest.approx(entry.value.checked_at, abs=MINUTE)
    for mate in force.mates:
        assert mate.handheld._time.now() == pytest.approx(force.now, abs=MINUTE)


async def numbers_name_one_each(force: Force) -> None:
    """What was on paper before the server went names no other incident afterwards, and none goes without a number."""
    after = await force.numbers()
    assert set(after) == set(await force.on_server(Incident))
    assert len(set(after.values())) == len(after)
    before = {urn: name for name, urn in force.urns.items()}
    assert [urn for name, urn in after.items() if before.get(urn, name) != name] == []


async def test_the_server_is_gone_and_a_full_shift_goes_on_and_reconciles(force: Force, tmp_path: Path) -> None:
    """Row "large-scale cyber incident: server gone, a full shift goes on and reconciles".

    Eight hours of bookings, checks, reviews, incidents, briefings and alarms with no server. Then one on another
    machine, from a copy older than the shift: nothing is lost or doubled, replicas are equal, no alarm comes twice, the
    clocks are right everywhere, nothing is unexplained, and no number names two incidents.
    """
    backup = tmp_path / "backup"
    await night(force, backup)
    await morning(force)
    await go(force)
    await first_half(force)
    await second_half(force)
    await comes_back(force, backup)
    await nothing_is_lost(force)
    await replicas_are_equal(force)
    await alarms_are_one(force)
    await clocks_are_right(force)
    await numbers_name_one_each(force)
    assert (await force.stage.get("/v1/conflicts"))["unexplained"] == 0
