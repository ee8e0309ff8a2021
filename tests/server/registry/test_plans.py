"""What is recorded for a seat: the difference, once, in generations that are never used again."""

from schemas.ids import DeviceId, Millis
from schemas.limits import SCOPES_PER_DEVICE_MAX
from schemas.roles import Role
from server.registry import acts as a
from server.registry import affected, due, next_change, plan
from tests.server.registry.force import DAY, HOUR, T0, Force


def on_duty() -> tuple[Force, DeviceId]:
    """An officer of Dudley, signed in, with what they hold recorded."""
    force = Force()
    force.unit("dudley", "area:dudley", title="Dudley")
    force.unit("walsall", "area:walsall", title="Walsall")
    force.officer("WM1", Role.OFFICER, unit="dudley")
    seat = force.handheld("WM1", "hh-1")
    force.record(seat)
    return force, seat


def test_the_difference_is_told_with_its_reasons_and_once() -> None:
    """What began has its reason, what ended its generation, and a second look finds nothing to do."""
    force, seat = on_duty()
    force.span(a.Posted, officer="WM1", unit="walsall", until=T0 + DAY)
    act = force.record(seat)
    assert act is not None
    assert [(one.scope, one.gen) for one in act.began] == [
        ("area:walsall", 1),
        ("area:walsall:briefing", 1),
        ("area:walsall:safety", 1),
    ]
    assert act.began[0].why == ("WM1 is officer posted to Walsall, until 2023-11-15T22:13:20Z (by WM9)",)
    assert (act.by, act.ended) == ("server", ())
    assert force.record(seat) is None


def test_a_scope_that_begins_anew_has_a_higher_generation() -> None:
    """However often, and also after everything had ended."""
    force, seat = on_duty()
    for gen in (1, 2, 3):
        span = force.span(a.Assigned, officer="WM1", scope="area:sandwell", why="robbery")
        act = force.record(seat)
        assert act is not None
        assert {one.gen for one in act.began} == {gen}
        force.do(a.SpanEnded, span=span, until=T0, why="over")
        act = force.record(seat)
        assert act is not None
        assert {one.gen for one in act.ended} == {gen}
        assert "area:sandwell" not in force.registry.seats[seat].grants()


def test_another_reason_is_no_new_generation() -> None:
    """What goes on to be held is not sent anew because it now rests on something else."""
    force, seat = on_duty()
    posting = next(one.span for one in force.acts if isinstance(one, a.Posted))
    force.span(a.Assigned, officer="WM1", scope="area:dudley", why="robbery")
    force.do(a.SpanEnded, span=posting, until=T0, why="moved")
    assert force.record(seat) is None
    assert len(force.words(seat, "area:dudley")) == 1


def test_the_next_change_is_named_and_whom_it_concerns() -> None:
    """A clock need only be set to that moment, and only those seats looked at."""
    force, seat = on_duty()
    force.officer("WM2", Role.OFFICER, unit="walsall")
    other = force.handheld("WM2", "hh-2")
    force.span(a.Posted, officer="WM1", unit="walsall", start=T0 + HOUR, until=T0 + DAY)
    assert next_change(force.registry, T0) == T0 + HOUR
    assert next_change(force.registry, Millis(T0 + HOUR)) == T0 + DAY
    assert due(force.registry, T0, Millis(T0 + HOUR - 1)) == set()
    assert due(force.registry, T0, Millis(T0 + HOUR)) == {seat}
    force.do(a.UnitMerged, unit="walsall", into="dudley", start=T0 + 2 * DAY)
    assert due(force.registry, Millis(T0 + DAY), Millis(T0 + 2 * DAY)) == {seat, other}


def test_an_end_that_was_drawn_nearer_is_no_moment_any_more() -> None:
    """Nobody is woken for what is over already."""
    force, _ = on_duty()
    span = force.span(a.Posted, officer="WM1", unit="walsall", until=T0 + DAY)
    force.do(a.SpanEnded, span=span, until=T0 + HOUR, why="x")
    assert next_change(force.registry, Millis(T0 + HOUR)) != T0 + DAY


def test_an_act_that_changes_no_right_concerns_nobody() -> None:
    """A renamed unit, a changed passphrase, a lease."""
    force, _ = on_duty()
    acts: list[a.Act] = [
        force.do(a.UnitRenamed, unit="dudley", title="Black Country West"),
        force.do(a.PassphraseChanged, officer="WM1"),
        force.do(a.LeaseSet, lease_ms=1_000),
    ]
    assert [affected(force.registry, act) for act in acts] == [set()] * 3


def test_a_seat_holds_no_more_than_a_device_can() -> None:
    """What it holds already stays; the rest is named, and comes when there is room."""
    force, seat = on_duty()
    spans = [
        force.span(a.Assigned, officer="WM1", scope=f"team:t-{n:03}", why="x")
        for n in range(SCOPES_PER_DEVICE_MAX // 3)
    ]
    act = force.record(seat)
    assert act is not None
    held = force.registry.seats[seat].grants()
    assert len(held) == SCOPES_PER_DEVICE_MAX
    assert "area:dudley" in held
    assert act.left_out
    assert not set(act.left_out) & set(held)
    assert force.record(seat) is None
    for span in spans[:10]:
        force.do(a.SpanEnded, span=span, until=T0, why="x")
    assert force.record(seat) is not None
    assert set(act.left_out) <= set(force.registry.seats[seat].grants())


def test_a_seat_that_is_gone_is_told_to_end_what_it_held() -> None:
    """Wiped and enrolled anew: the old seat's rights end on record, and the new one begins in generation 1."""
    force, seat = on_duty()
    force.do(a.WipeOrdered, device="hh-1", why="lost")
    force.do(a.Wiped, device="hh-1", receipt=bytes(32))
    force.device("hh-1")
    fresh = force.handheld("WM1", "hh-1")
    assert fresh == "hh-1-2"
    ending, beginning = force.record(seat), force.record(fresh)
    assert ending is not None
    assert beginning is not None
    assert {one.scope for one in ending.ended} == {one.scope for one in beginning.began}
    assert plan(force.registry, seat, T0) is None


def test_a_new_unit_concerns_those_who_see_every_unit() -> None:
    """The control room learns of an area that is added, when it is and when it begins; nobody else is looked at."""
    force, _ = on_duty()
    force.officer("WM2", Role.CONTROL_ROOM)
    desk = force.handheld("WM2", "desk-1")
    force.record(desk)
    act = force.do(a.UnitAdded, unit="solihull", title="Solihull", places=("area:solihull",), start=T0 + DAY)
    assert affected(force.registry, act) == {desk}
    assert due(force.registry, Millis(T0 + DAY - 1), Millis(T0 + DAY)) == {desk}


def test_a_merge_concerns_everybody_on_either_side() -> None:
    """Those of the unit that goes on, of the one that goes up in it, and of one that did so before."""
    force, seat = on_duty()
    force.unit("sandwell", "area:sandwell")
    force.officer("WM2", Role.OFFICER, unit="walsall")
    force.officer("WM3", Role.OFFICER, unit="sandwell")
    seats = {seat, force.handheld("WM2", "hh-2"), force.handheld("WM3", "hh-3")}
    force.do(a.UnitMerged, unit="sandwell", into="walsall", start=T0)
    act = force.do(a.UnitMerged, unit="walsall", into="dudley", start=T0 + DAY)
    assert affected(force.registry, act) == seats
    assert due(force.registry, T0, Millis(T0 + DAY)) == seats


def test_a_sign_in_concerns_nobodys_rights() -> None:
    """It opens the connection and the lease, not the records."""
    force, seat = on_duty()
    act = force.do(a.SignedIn, sid="in-x", seat=seat, method="passphrase", until=T0 + DAY)
    assert affected(force.registry, act) == set()
    assert force.record(seat) is None


def test_the_ends_of_grants_and_of_whoever_holds_them_are_moments() -> None:
    """A direct grant, a posting that ends early, an officer who leaves."""
    force = Force()
    force.unit("dudley", "area:dudley")
    force.officer("WM1", Role.OFFICER)
    seat = force.seat("WM1", "hh-1")
    force.span(a.ScopeGranted, seat=seat, scope="area:dudley", why="x", start=T0 + 1, until=T0 + 2)
    post = force.span(a.Posted, officer="WM1", unit="dudley", start=T0 + 3, until=T0 + 9)
    force.do(a.SpanEnded, span=post, until=T0 + 4, why="x")
    force.do(a.OfficerEnded, officer="WM1", until=T0 + 6, why="retired")
    moments = []
    at = next_change(force.registry, T0)
    while at is not None:
        assert due(force.registry, Millis(at - 1), at) == {seat}
        moments.append(at - T0)
        at = next_change(force.registry, at)
    assert moments == [1, 2, 3, 4, 6]
