"""What entitles whom to what: the default rules, dates, units with their history, missions, compartments."""

from collections.abc import Callable

import pytest

from schemas.errors import UsageError
from schemas.ids import DeviceId, Millis, OfficerId, ScopeName
from schemas.roles import Role
from server.registry import (
    DEFAULT_RULES,
    Rules,
    held_roles,
    lease_ms,
    may_sign_in,
    rights_of,
    roles_of,
)
from server.registry import acts as a
from tests.server.registry.course import RECORD
from tests.server.registry.entitlement import entitlement_of
from tests.server.registry.force import DAY, HOUR, T0, Force

EVERYBODY = {"force"}


@pytest.fixture
def force() -> Force:
    """Two areas, a suite, a team."""
    made = Force()
    made.unit("birmingham", "area:birmingham", title="Birmingham")
    made.unit("dudley", "area:dudley", title="Dudley")
    made.unit("perry-barr", "suite:perry-barr", title="Perry Barr")
    made.unit("dogs", "team:dogs", title="Dog Unit")
    return made


@pytest.mark.parametrize(
    ("role", "unit", "expected"),
    [
        (Role.OFFICER, "birmingham", {"area:birmingham"}),
        (Role.OFFICER, "dogs", {"team:dogs"}),
        (Role.OFFICER, "perry-barr", set()),
        (Role.SUPERVISOR, "birmingham", {"area:birmingham", "area:birmingham:inbox"}),
        (
            Role.CUSTODY_OFFICER,
            "perry-barr",
            {
                "custody",
                "suite:perry-barr",
                "suite:perry-barr:inbox",
                "suite:perry-barr:medical",
                "suite:perry-barr:medical:inbox",
            },
        ),
        (
            Role.REVIEWING_OFFICER,
            "perry-barr",
            {"suite:perry-barr", "suite:perry-barr:inbox", "suite:perry-barr:medical:inbox"},
        ),
        (Role.SUPERINTENDENT, "perry-barr", {"suite:perry-barr", "suite:perry-barr:inbox"}),
        (
            Role.CONTROL_ROOM,
            None,
            {
                "area:birmingham",
                "area:birmingham:inbox",
                "area:dudley",
                "area:dudley:inbox",
                "control",
                "control:inbox",
                "force:inbox",
                "team:dogs",
                "team:dogs:inbox",
            },
        ),
        (Role.REGISTRAR, None, {"area:birmingham", "area:birmingham:inbox", "area:dudley", "area:dudley:inbox"}),
    ],
)
def test_a_role_gives_its_scopes_where_it_is_held(
    force: Force, role: Role, unit: str | None, expected: set[str]
) -> None:
    """The table of roles, each at a unit; everybody also holds `force` and what names them."""
    force.officer("WM1", role, unit=unit)
    seat = force.handheld("WM1", "hh-1")
    assert force.scopes(seat) == expected | {"force", "officer:wm1"}


def test_briefings_come_along(force: Force) -> None:
    """Who holds an area holds what is addressed to it."""
    force.officer("WM1", Role.OFFICER, unit="birmingham")
    found = rights_of(force.registry, force.handheld("WM1", "hh-1"), T0)
    assert {"area:birmingham:briefing", "force:briefing", "officer:wm1:briefing"} <= set(found)
    assert {"area:birmingham:safety", "force:safety", "officer:wm1:safety"} <= set(found)


def test_a_role_is_an_audience_of_exactly_those_who_hold_it(force: Force) -> None:
    """Wherever they are posted and whatever the role gives else, from its start to its end; nobody is granted it."""
    wanted = {"role:custody-officer:briefing", "role:custody-officer:safety"}
    force.officer("WM1", Role.OFFICER, unit="perry-barr")
    force.officer("WM2")
    force.span(a.RoleGiven, officer="WM2", role=Role.CUSTODY_OFFICER, until=T0 + DAY)
    without, holder = force.handheld("WM1", "hh-1"), force.handheld("WM2", "hh-2")
    assert not wanted & set(rights_of(force.registry, without, T0))
    assert wanted <= set(rights_of(force.registry, holder, T0))
    assert not wanted & set(rights_of(force.registry, holder, Millis(T0 + DAY)))
    for give in (a.Assigned, a.NamedGrant):
        with pytest.raises(UsageError, match="whoever is given the role"):
            force.span(give, officer="WM1", scope="role:custody-officer", why="help out")


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR])
def test_who_runs_or_audits_the_system_sees_nothing_of_it(force: Force, role: Role) -> None:
    """No way that entitles others gives an administrator or an auditor an operational scope."""
    force.do(a.CompartmentMade, compartment="larch", title="Larch")
    force.do(a.MissionBegun, mission="castle", title="Castle", places=("area:dudley",), start=T0)
    force.officer("WM1", Role.SUPERVISOR, role, unit="birmingham")
    seat = force.handheld("WM1", "hh-1")
    force.span(a.Assigned, officer="WM1", scope="area:dudley", why="robbery")
    force.span(a.NamedGrant, officer="WM1", scope="team:dogs", why="handler")
    force.span(a.Cleared, officer="WM1", compartment="larch", why="vetted")
    force.span(a.MissionJoined, officer="WM1", mission="castle")
    force.span(a.ScopeGranted, seat=seat, scope="area:dudley", why="trial")
    assert force.scopes(seat) == set()
    assert roles_of(force.registry, OfficerId("WM1"), T0) == {Role.SUPERVISOR, role}


def test_a_reason_ends_where_its_holder_goes_over_to_audit(force: Force) -> None:
    """What is told to last until further notice does; and it begins anew only when the audit is over."""
    force.officer("WM1", Role.OFFICER, unit="dudley")
    force.span(a.RoleGiven, officer="WM1", role=Role.AUDITOR, start=T0 + DAY, until=T0 + 2 * DAY)

    def stretch(at: int) -> list[tuple[int, int | None]]:
        found = entitlement_of(force.registry, OfficerId("WM1"), Millis(at))
        return [(one.since, one.until) for one in found.get(ScopeName("area:dudley"), ())]

    assert stretch(T0) == [(T0, T0 + DAY)]
    assert stretch(T0 + DAY) == []
    assert stretch(T0 + 2 * DAY) == [(T0 + 2 * DAY, None)]


@pytest.mark.parametrize(("first", "second"), [(Role.AUDITOR, Role.ADMINISTRATOR), (Role.ADMINISTRATOR, Role.AUDITOR)])
def test_nobody_is_administrator_and_auditor_at_once(force: Force, first: Role, second: Role) -> None:
    """Refused while the times overlap, in either order; one after the other can be."""
    force.officer("WM1")
    span = force.span(a.RoleGiven, officer="WM1", role=first, until=T0 + DAY)
    with pytest.raises(UsageError, match=f"is {first.value} .* cannot be {second.value} at the same time"):
        force.span(a.RoleGiven, officer="WM1", role=second, start=T0 + DAY - 1)
    force.span(a.RoleGiven, officer="WM1", role=second, start=T0 + DAY)
    force.do(a.SpanEnded, span=span, until=T0, why="mistake")
    force.span(a.RoleGiven, officer="WM1", role=second)


@pytest.mark.parametrize("kind", ["role", "clearance"])
def test_nobody_raises_themselves(force: Force, kind: str) -> None:
    """A role and a clearance come from somebody else."""
    force.officer("WM1")
    force.do(a.CompartmentMade, compartment="larch", title="Larch")
    gives: dict[str, Callable[[], object]] = {
        "role": lambda: force.span(a.RoleGiven, officer="WM1", role=Role.SUPERVISOR, by="WM1"),
        "clearance": lambda: force.span(a.Cleared, officer="WM1", compartment="larch", why="I say so", by="WM1"),
    }
    with pytest.raises(UsageError, match="cannot give this to themselves"):
        gives[kind]()


def test_every_right_has_its_first_and_its_last_moment(force: Force) -> None:
    """Start belongs to a posting, its end does not."""
    force.officer("WM1", Role.OFFICER)
    seat = force.handheld("WM1", "hh-1")
    force.span(a.Posted, officer="WM1", unit="dudley", start=T0 + DAY, until=T0 + 2 * DAY)
    held = [
        at for at in (T0 + DAY - 1, T0 + DAY, T0 + 2 * DAY - 1, T0 + 2 * DAY) if "area:dudley" in force.scopes(seat, at)
    ]
    assert held == [T0 + DAY, T0 + 2 * DAY - 1]


def test_a_span_ends_earlier_and_never_later(force: Force) -> None:
    """An end can be drawn nearer, down to its start; what is to last longer begins anew."""
    force.officer("WM1", Role.OFFICER)
    seat = force.handheld("WM1", "hh-1")
    span = force.span(a.Posted, officer="WM1", unit="dudley", until=T0 + DAY)
    with pytest.raises(UsageError, match=r"ends already .* can only come earlier"):
        force.do(a.SpanEnded, span=span, until=T0 + 2 * DAY, why="longer")
    with pytest.raises(UsageError, match=r"cannot end .* before it began"):
        force.do(a.SpanEnded, span=span, until=T0 - 1, why="never was")
    force.do(a.SpanEnded, span=span, until=T0 + HOUR, why="back home")
    assert "area:dudley" in force.scopes(seat, T0 + HOUR - 1)
    assert "area:dudley" not in force.scopes(seat, T0 + HOUR)


def test_a_shift_elsewhere_gives_that_unit_for_its_hours(force: Force) -> None:
    """Who helps out at another unit sees it while the shift lasts, in their role."""
    force.officer("WM1", Role.SUPERVISOR, unit="birmingham")
    seat = force.handheld("WM1", "hh-1")
    force.span(a.ShiftSet, officer="WM1", unit="dudley", until=T0 + 8 * HOUR)
    assert {"area:birmingham", "area:dudley", "area:dudley:inbox"} <= force.scopes(seat)
    assert "area:dudley" not in force.scopes(seat, T0 + 8 * HOUR)


def test_a_force_can_bind_a_role_to_the_shift() -> None:
    """Where the rules say so, a role gives nothing off duty, and a shift without a unit is one where posted."""
    rules = Rules(roles=DEFAULT_RULES.roles, on_shift=frozenset({Role.OFFICER}))
    force = Force(rules)
    force.unit("dudley", "area:dudley")
    force.officer("WM1", Role.OFFICER, unit="dudley")
    seat = force.handheld("WM1", "hh-1")
    force.span(a.ShiftSet, officer="WM1", start=T0 + HOUR, until=T0 + 9 * HOUR)
    held = [hour for hour in range(11) if "area:dudley" in force.scopes(seat, T0 + hour * HOUR)]
    assert held == list(range(1, 9))
    assert "force" in force.scopes(seat), "what everybody holds does not hang on a shift"


def test_a_role_that_covers_a_unit_needs_no_posting_and_counts_only_there(force: Force) -> None:
    """A superintendent covers a suite without sitting in it, and is nothing where they are merely posted."""
    force.officer("WM1", unit="birmingham")
    force.span(a.RoleGiven, officer="WM1", role=Role.SUPERINTENDENT, unit="perry-barr")
    seat = force.handheld("WM1", "hh-1")
    assert force.scopes(seat) == {"force", "officer:wm1", "suite:perry-barr", "suite:perry-barr:inbox"}
    covering = {
        scope: held_roles(force.registry, OfficerId("WM1"), T0).among([ScopeName(scope)])
        for scope in ("suite:perry-barr:medical:inbox", "suite:perry-barr", "area:birmingham")
    }
    assert covering == {
        "suite:perry-barr:medical:inbox": {Role.SUPERINTENDENT},
        "suite:perry-barr": {Role.SUPERINTENDENT},
        "area:birmingham": frozenset(),
    }
    assert roles_of(force.registry, OfficerId("WM1"), T0) == {Role.SUPERINTENDENT}


def test_what_an_officer_was_at_any_of_some_moments_is_told_with_its_places(force: Force) -> None:
    """A role here now and there then counts in both; one that counts everywhere is bound to nothing."""
    force.unit("oldbury", "suite:oldbury")
    force.officer("WM1", Role.OFFICER)
    custody = {"officer": "WM1", "role": Role.CUSTODY_OFFICER}
    force.span(a.RoleGiven, unit="perry-barr", until=T0 + HOUR, **custody)
    force.span(a.RoleGiven, unit="oldbury", start=T0 + DAY, **custody)
    force.span(a.RoleGiven, unit="oldbury", officer="WM1", role=Role.OFFICER)
    then, now = T0, Millis(T0 + DAY)
    told = [held_roles(force.registry, OfficerId("WM1"), *moments) for moments in ((then,), (now,), (then, now))]
    suites = [{"suite:perry-barr"}, {"suite:oldbury"}, {"suite:perry-barr", "suite:oldbury"}]
    assert [one.bound for one in told] == [{Role.CUSTODY_OFFICER: places} for places in suites]
    assert {one.everywhere for one in told} == {frozenset({Role.OFFICER})}
    force.do(a.OfficerEnded, officer="WM1", until=now, why="left")
    assert held_roles(force.registry, OfficerId("WM1"), now).every == frozenset()
    assert held_roles(force.registry, OfficerId("WM1"), then, now) == told[0]


def test_the_last_who_administers_stays(force: Force) -> None:
    """Neither role nor officer ends while nobody else administers until further notice; a day's deputy is nobody."""
    force.officer("WM1")
    last = force.span(a.RoleGiven, officer="WM1", role=Role.ADMINISTRATOR)
    force.officer("WM2")
    deputy = force.span(a.RoleGiven, officer="WM2", role=Role.ADMINISTRATOR, until=T0 + DAY)
    leaving: tuple[tuple[type[a.BaseAct], dict[str, str]], ...] = (
        (a.SpanEnded, {"span": last}),
        (a.OfficerEnded, {"officer": "WM1"}),
    )
    for kind, whose in leaving:
        with pytest.raises(UsageError, match="the last who administers until further notice"):
            force.do(kind, until=T0 + HOUR, why="moves on", **whose)
    force.do(a.SpanEnded, span=deputy, until=T0 + HOUR, why="the day is over")
    force.officer("WM3", Role.ADMINISTRATOR)
    for kind, whose in leaving:
        force.do(kind, until=T0 + HOUR, why="moves on", **whose)
    assert roles_of(force.registry, OfficerId("WM1"), Millis(T0 + HOUR)) == frozenset()


# --- units with their history ------------------------------------------------------------------------------------


@pytest.fixture
def merged(force: Force) -> Force:
    """Birmingham East goes up in Birmingham ten days from now."""
    force.unit("birmingham-east", "area:birmingham-east", title="Birmingham East")
    force.officer("WM1", Role.OFFICER, unit="birmingham")
    force.officer("WM2", Role.OFFICER, unit="birmingham-east")
    force.handheld("WM1", "hh-1")
    force.handheld("WM2", "hh-2")
    force.do(a.UnitMerged, unit="birmingham-east", into="birmingham", start=T0 + 10 * DAY)
    return force


def test_an_old_units_records_roll_up(merged: Force) -> None:
    """From the merge on, and not before, who is posted to Birmingham also holds what is in Birmingham East."""
    before, after = T0 + 10 * DAY - 1, T0 + 10 * DAY
    both = {"area:birmingham", "area:birmingham-east"}
    assert merged.scopes("hh-1", before) & both == {"area:birmingham"}
    assert merged.scopes("hh-2", before) & both == {"area:birmingham-east"}
    assert merged.scopes("hh-1", after) & both == both
    assert merged.scopes("hh-2", after) & both == both, "a posting to the old unit goes on in the new one"


def test_the_reason_tells_the_history(merged: Force) -> None:
    """An officer reads which unit took which one in, and since when that counts."""
    after = T0 + 10 * DAY
    assert merged.words("hh-1", "area:birmingham-east", after) == [
        "WM1 is officer posted to Birmingham, which took in Birmingham East, until further notice (by WM9)"
    ]
    assert merged.words("hh-2", "area:birmingham", after) == [
        "WM2 is officer posted to Birmingham East, now Birmingham, until further notice (by WM9)"
    ]
    for seat, scope in [("hh-1", "area:birmingham-east"), ("hh-2", "area:birmingham")]:
        (reason,) = rights_of(merged.registry, DeviceId(seat), Millis(after))[ScopeName(scope)]
        assert (reason.since, reason.until) == (after, None)


def test_merges_follow_each_other(merged: Force) -> None:
    """A unit of units: each merge counts from its own date, in whatever order they come."""
    merged.unit("central", "area:central")
    merged.do(a.UnitMerged, unit="birmingham", into="central", start=T0 + 5 * DAY)
    merged.officer("WM3", Role.OFFICER, unit="central")
    seat = merged.handheld("WM3", "hh-3")
    areas = {"area:birmingham", "area:birmingham-east", "area:central"}
    assert merged.scopes(seat, T0 + 5 * DAY - 1) & areas == {"area:central"}
    assert merged.scopes(seat, T0 + 5 * DAY) & areas == {"area:central", "area:birmingham"}


def test_a_unit_goes_up_in_one_that_is_there(merged: Force) -> None:
    """Neither in itself by a detour, nor in one that has ended, nor twice."""
    with pytest.raises(UsageError, match="goes up in 'birmingham' itself"):
        merged.do(a.UnitMerged, unit="birmingham", into="birmingham", start=T0 + DAY)
    with pytest.raises(UsageError, match="goes up in 'birmingham' itself"):
        merged.do(a.UnitMerged, unit="birmingham", into="birmingham-east", start=T0 + DAY)
    with pytest.raises(UsageError, match="is not there at"):
        merged.do(a.UnitMerged, unit="dudley", into="birmingham-east", start=T0 + 10 * DAY)
    with pytest.raises(UsageError, match="goes up in 'birmingham' already"):
        merged.do(a.UnitMerged, unit="birmingham-east", into="dudley", start=T0 + DAY)


def test_a_unit_that_ends_gives_nothing_more(force: Force) -> None:
    """No other unit takes it over; the control room still sees what happened there."""
    force.officer("WM1", Role.OFFICER, unit="dudley")
    force.officer("WM2", Role.CONTROL_ROOM)
    force.handheld("WM1", "hh-1")
    force.handheld("WM2", "desk-1")
    force.do(a.UnitEnded, unit="dudley", until=T0 + DAY, why="reorganised")
    assert "area:dudley" in force.scopes("hh-1", T0 + DAY - 1)
    assert "area:dudley" not in force.scopes("hh-1", T0 + DAY)
    assert "area:dudley" in force.scopes("desk-1", T0 + DAY)


# --- missions, named officers, compartments ----------------------------------------------------------------------


def test_a_mission_cuts_across_areas(force: Force) -> None:
    """Its members see its places from the later start to the earlier end; who decides holds its inbox."""
    places = ("area:birmingham", "area:dudley")
    force.do(a.MissionBegun, mission="castle", title="Castle", places=places, start=T0 + DAY, until=T0 + 9 * DAY)
    force.officer("WM1", Role.OFFICER, unit="dogs")
    seat = force.handheld("WM1", "hh-1")
    force.span(a.MissionJoined, officer="WM1", mission="castle", decides=True, until=T0 + 5 * DAY)
    whole = {"mission:castle", "mission:castle:inbox", *places}
    seen = [force.scopes(seat, T0 + day * DAY) & whole for day in (0, 1, 4, 5)]
    assert seen == [set(), whole, whole, set()]
    assert force.words(seat, "area:dudley", T0 + DAY) == [
        "WM1 is on mission Castle, until 2023-11-19T22:13:20Z (by WM9)"
    ]
    force.do(a.MissionEnded, mission="castle", until=T0 + 2 * DAY, why="done")
    assert force.scopes(seat, T0 + 2 * DAY) & whole == set()


def test_an_uncleared_person_learns_nothing_of_a_compartment(force: Force) -> None:
    """Neither a scope nor a word of it reaches anybody else, not even the control room."""
    force.do(a.CompartmentMade, compartment="larch", title="Operation Larch")
    force.officer("WM1", Role.OFFICER, unit="birmingham")
    force.officer("WM2", Role.CONTROL_ROOM, Role.SUPERINTENDENT, Role.REGISTRAR, unit="birmingham")
    force.handheld("WM1", "hh-1")
    force.handheld("WM2", "desk-1")
    force.span(a.Cleared, officer="WM1", compartment="larch", why="source handler", until=T0 + DAY)
    assert force.words("hh-1", "compartment:larch") == [
        "WM1 is cleared for Operation Larch (source handler), until 2023-11-15T22:13:20Z (by WM9)"
    ]
    told = repr(rights_of(force.registry, DeviceId("desk-1"), T0)).lower()
    assert "larch" not in told
    assert "compartment" not in told
    assert "compartment:larch:inbox" not in force.scopes("hh-1")
    assert "compartment:larch" not in force.scopes("hh-1", T0 + DAY)


@pytest.mark.parametrize("kind", ["assigned", "named", "direct"])
@pytest.mark.parametrize("scope", ["compartment:larch", "compartment:larch:inbox", "officer:wm2"])
def test_nothing_but_clearance_opens_a_compartment(force: Force, kind: str, scope: str) -> None:
    """An assignment, a named grant and a direct grant are refused; so is what names another officer."""
    force.do(a.CompartmentMade, compartment="larch", title="Larch")
    force.officer("WM1")
    seat = force.seat("WM1", "hh-1")
    gives: dict[str, Callable[[], object]] = {
        "assigned": lambda: force.span(a.Assigned, officer="WM1", scope=scope, why="x"),
        "named": lambda: force.span(a.NamedGrant, officer="WM1", scope=scope, why="x"),
        "direct": lambda: force.span(a.ScopeGranted, seat=seat, scope=scope, why="x"),
    }
    with pytest.raises(UsageError, match="cannot be granted: clear the officer"):
        gives[kind]()


def test_an_officer_is_named_for_a_scope_and_for_no_single_record(force: Force) -> None:
    """A scope is held; what names a record is refused, and says what shares one record."""
    force.officer("WM1")
    seat = force.handheld("WM1", "hh-1")
    force.span(a.NamedGrant, officer="WM1", scope="suite:perry-barr:medical", why="on call", until=T0 + DAY)
    assert "suite:perry-barr:medical" in force.scopes(seat)
    for given in ({}, {"record": RECORD}, {"record": RECORD, "scope": "area:dudley"}):
        with pytest.raises(UsageError, match="its own field `named`"):
            force.span(a.NamedGrant, officer="WM1", why="owns the case", **given)


# --- seats and sign-ins ------------------------------------------------------------------------------------------


def test_a_programs_seat_has_what_it_was_granted_and_nothing_else(force: Force) -> None:
    """An integrator's seat needs no sign-in, and the rights of its officer are not its own."""
    force.officer("WM1", Role.CONTROL_ROOM)
    seat = force.seat("WM1", "feed-1", unattended=True)
    force.span(a.ScopeGranted, seat=seat, scope="area:dudley", why="the council's screen", until=T0 + DAY)
    assert force.scopes(seat) == {"area:dudley"}
    assert force.words(seat, "area:dudley:briefing") == [
        "seat feed-1 was granted it (the council's screen), until 2023-11-15T22:13:20Z (by WM9)"
    ]
    assert force.scopes(seat, T0 + DAY) == set()
    with pytest.raises(UsageError, match="is a program's, nobody signs in there"):
        force.sign_in(seat)


@pytest.mark.parametrize("how", ["revoked", "wiped", "seat wiped", "left"])
def test_rights_end_with_what_carries_them(force: Force, how: str) -> None:
    """A revoked or wiped device and an officer who has left hold nothing, at no time."""
    force.officer("WM1", Role.OFFICER, unit="dudley")
    seat = force.seat("WM1", "hh-1")
    assert "area:dudley" in force.scopes(seat)
    match how:
        case "revoked":
            force.do(a.DeviceRevoked, device="hh-1", why="lost on a train")
        case "wiped":
            force.do(a.WipeOrdered, device="hh-1", why="stolen")
        case "seat wiped":
            force.do(a.WipeOrdered, device="hh-1", seat=seat, why="left the team")
        case _:
            force.do(a.OfficerEnded, officer="WM1", until=T0, why="retired")
    assert force.scopes(seat) == set()
    if how != "left":
        assert force.scopes(seat, T0 - DAY) == set(), "a clock set back brings nothing back"


def test_who_is_signed_in_changes_nobodys_rights(force: Force) -> None:
    """The end of a shift takes nothing from a handheld that the next one would send again; the lease shuts it."""
    force.officer("WM1", Role.OFFICER, unit="dudley")
    force.officer("WM2", Role.OFFICER, unit="dudley")
    seat, other = force.seat("WM1", "hh-1"), force.seat("WM2", "hh-1")
    before = force.scopes(seat)
    sid = force.sign_in(seat, hours=8)
    force.do(a.SignedOut, sid=sid, why="end of shift")
    force.sign_in(other)
    assert before == force.scopes(seat) == force.scopes(seat, int(T0) + 9 * HOUR)
    assert "area:dudley" in before


@pytest.mark.parametrize("kind", [a.DeviceRevoked, a.WipeOrdered])
def test_a_program_loses_its_rights_with_its_device(force: Force, kind: type[a.BaseAct]) -> None:
    """Nobody signs in there, so it is the device alone that counts."""
    force.officer("WM1")
    seat = force.seat("WM1", "feed-1", unattended=True)
    force.span(a.ScopeGranted, seat=seat, scope="area:dudley", why="the council's screen")
    force.do(kind, device="feed-1", why="lost")
    assert force.scopes(seat) == set()


def test_entitlement_ends_when_its_officer_leaves(force: Force) -> None:
    """What an officer could see is known before they have any device, and is nothing once they have left."""
    force.officer("WM1", Role.OFFICER, unit="dudley")
    assert "area:dudley" in entitlement_of(force.registry, OfficerId("WM1"), T0)
    force.do(a.OfficerEnded, officer="WM1", until=T0 + DAY, why="retired")
    assert entitlement_of(force.registry, OfficerId("WM1"), Millis(T0 + DAY)) == {}
    assert roles_of(force.registry, OfficerId("WM1"), Millis(T0 + DAY)) == frozenset()


def test_who_may_sign_in(force: Force) -> None:
    """An officer who serves and is not locked out, on a device that is trusted; else the reason in words."""
    force.officer("WM1")
    force.device("hh-1")

    def wrong(officer: str = "WM1", device: str = "hh-1", at: int = T0) -> str:
        return may_sign_in(force.registry, OfficerId(officer), DeviceId(device), Millis(at)) or "fine"

    assert wrong() == "fine"
    assert "there is no officer 'WM7'" in wrong(officer="WM7")
    assert "there is no device 'hh-7'" in wrong(device="hh-7")
    assert "does not serve" in wrong(at=T0 - 1)
    force.do(a.SignInLocked, officer="WM1", until=T0 + HOUR)
    assert "is locked" in wrong(at=T0 + HOUR - 1)
    assert wrong(at=T0 + HOUR) == "fine"
    force.do(a.SignInLocked, officer="WM1")
    assert "is locked" in wrong(at=T0 + 99 * DAY)
    force.do(a.SignInUnlocked, officer="WM1", why="seen in person")
    assert wrong() == "fine"
    force.do(a.WipeOrdered, device="hh-1", why="lost")
    assert "is to be wiped" in wrong()
    force.do(a.DeviceRevoked, device="hh-1", why="lost")
    assert "is revoked" in wrong()


def test_a_lease_is_the_shortest_of_the_roles(force: Force) -> None:
    """A shift by default, 15 minutes for custody, and what an act sets instead."""
    force.officer("WM1", Role.OFFICER)
    force.officer("WM2", Role.OFFICER, Role.CUSTODY_OFFICER)

    def minutes(officer: str) -> float:
        return lease_ms(force.registry, OfficerId(officer), T0) / 60_000

    assert (minutes("WM1"), minutes("WM2")) == (12 * 60, 15)
    force.do(a.LeaseSet, role=Role.OFFICER, lease_ms=10 * 60_000)
    assert (minutes("WM1"), minutes("WM2")) == (10, 10)
