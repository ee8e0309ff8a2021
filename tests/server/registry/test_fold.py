"""An act that cannot be is refused before it is committed, in words; what was committed folds into the same state."""

import re
from collections.abc import Callable

import pytest

from schemas.errors import StoreError, UsageError
from schemas.ids import DeviceId, Generation, Millis, ScopeName
from schemas.roles import Role
from server.registry import Registry, live_sign_in
from server.registry import acts as a
from tests.server.registry.course import RECORD, course
from tests.server.registry.force import DAY, HOUR, T0, Force, digest

Deed = Callable[[Force], object]


@pytest.fixture
def force() -> Force:
    """An officer at a handheld, a device without seats, and a unit."""
    made = Force()
    made.unit("dudley", "area:dudley")
    made.officer("WM1", Role.OFFICER, unit="dudley")
    made.handheld("WM1", "hh-1")
    made.device("hh-2")
    return made


REFUSED: dict[str, tuple[Deed, str]] = {
    # What is referred to must be there.
    "unit": (lambda f: f.span(a.Posted, officer="WM1", unit="mars"), "there is no unit 'mars'; add it first"),
    "role unit": (lambda f: f.span(a.RoleGiven, officer="WM1", role=Role.OFFICER, unit="mars"), "no unit 'mars'"),
    "shift unit": (lambda f: f.span(a.ShiftSet, officer="WM1", unit="mars"), "there is no unit 'mars'"),
    "officer": (lambda f: f.span(a.Posted, officer="WM7", unit="dudley"), "no officer 'WM7'; add the officer first"),
    "mission": (lambda f: f.span(a.MissionJoined, officer="WM1", mission="x"), "no mission 'x'; begin it first"),
    "compartment": (
        lambda f: f.span(a.Cleared, officer="WM1", compartment="x", why="x"),
        "no compartment 'x'; make it first",
    ),
    "span": (lambda f: f.do(a.SpanEnded, span="s-99", until=T0, why="x"), "'s-99'; give the name it began with"),
    "device": (lambda f: f.do(a.DeviceRevoked, device="hh-9", why="x"), "no device 'hh-9'; enrol it first"),
    "seat": (lambda f: f.sign_in("hh-9"), "there is no seat 'hh-9'; open one"),
    "sign-in": (lambda f: f.do(a.SignedOut, sid="in-99", why="x"), "there is no sign-in 'in-99'"),
    "code": (lambda f: f.do(a.CodeUsed, code=digest("x")), "there is no code 2d711642b726…; issue one"),
    "end a unit": (lambda f: f.do(a.UnitEnded, unit="mars", until=T0, why="x"), "there is no unit 'mars'"),
    "merge into": (lambda f: f.do(a.UnitMerged, unit="dudley", into="mars", start=T0), "there is no unit 'mars'"),
    "rename": (lambda f: f.do(a.UnitRenamed, unit="mars", title="x"), "there is no unit 'mars'"),
    "end a mission": (lambda f: f.do(a.MissionEnded, mission="x", until=T0, why="x"), "there is no mission 'x'"),
    "passphrase": (lambda f: f.do(a.PassphraseChanged, officer="WM7"), "there is no officer 'WM7'"),
    "lock": (lambda f: f.do(a.SignInLocked, officer="WM7"), "there is no officer 'WM7'"),
    # Names are for ever.
    "unit again": (lambda f: f.unit("dudley", "area:dudley"), "unit 'dudley' exists already; choose another name"),
    "officer again": (lambda f: f.officer("WM1"), "officer 'WM1' exists already; a collar number is one person's"),
    "officer alike": (lambda f: f.officer("wm1"), "'wm1' cannot be told from officer 'WM1'"),
    "span again": (lambda f: f.span(a.Posted, officer="WM1", unit="dudley", span="s-1"), "'s-1' exists already"),
    "server": (lambda f: f.officer("server"), "is the server's own name"),
    # Times.
    "empty": (lambda f: f.span(a.Posted, officer="WM1", unit="dudley", until=T0), "would end .* before it begins"),
    "mission times": (
        lambda f: f.do(a.MissionBegun, mission="x", title="x", places=(), start=T0, until=T0),
        "would end .* before it begins",
    ),
    "nothing left": (lambda f: f.do(a.OfficerReturned, officer="WM1", start=T0), "has not left by"),
    "sign-in times": (lambda f: f.sign_in("hh-1", hours=0), "would end .* before it begins"),
    # Places and scopes.
    "place": (lambda f: f.unit("x", "force"), "'force' is no place to serve; give an area, a suite or a team"),
    "medical place": (lambda f: f.unit("x", "suite:x:medical"), "is no place to serve"),
    "inbox place": (lambda f: f.unit("x", "area:x:inbox"), "is no place to serve"),
    "place twice": (lambda f: f.unit("x", "area:x", "area:x"), "a place comes twice"),
    "scope": (lambda f: f.span(a.Assigned, officer="WM1", scope="moon:x", why="x"), "no such family of scopes"),
    # Codes and devices.
    "code expired": (lambda f: f.do(a.CodeIssued, code=digest("x"), expires_at=T0), "would have expired"),
    "enrolled": (lambda f: f.device("hh-1"), "'hh-1' is enrolled already; revoke it first"),
    "own name": (lambda f: f.device("control-room"), "is the server's own name for what it writes"),
    "no wipe": (lambda f: f.do(a.Wiped, device="hh-1", receipt=digest("x")), "and nobody ordered that; look into it"),
    "other's seat": (
        lambda f: f.do(a.WipeOrdered, device="hh-2", seat="hh-1", why="x"),
        "seat 'hh-1' is on device 'hh-1', not on 'hh-2'",
    ),
    # Seats.
    "second seat": (lambda f: f.seat("WM1", "hh-1"), "officer 'WM1' has seat 'hh-1' on device 'hh-1'; use that one"),
    "seat's name": (
        lambda f: f.do(a.SeatOpened, seat="hh-7", device="hh-2", officer="WM1"),
        "seat 'hh-7' does not say its device; open it as 'hh-2'",
    ),
    "seat taken": (
        lambda f: f.do(a.SeatOpened, seat="hh-1", device="hh-2", officer="WM1"),
        "seat 'hh-1' exists already; open it as 'hh-2'",
    ),
    "not locked": (lambda f: f.do(a.SignInUnlocked, officer="WM1", why="x"), "is not locked; nothing is left to do"),
    # Records.
    "unreviewed": (lambda f: f.do(a.RecordErased, record=RECORD, why="x"), "nobody has proposed to erase it"),
    "kept for ever": (
        lambda f: f.do(a.RetentionReviewed, record=RECORD, outcome="keep", why="x"),
        "say until when it is kept",
    ),
    "no lease": (lambda f: f.do(a.LeaseSet, lease_ms=0), "a lease lasts at least 1 ms"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(force: Force, case: str) -> None:
    """The text says what and what to do; afterwards everything is as it was."""
    deed, words = REFUSED[case]
    before = len(force.acts)
    with pytest.raises(UsageError, match=words):
        deed(force)
    assert len(force.acts) == before
    assert "area:dudley" in force.scopes("hh-1")


def test_a_code_is_good_once_in_time_and_for_its_device(force: Force) -> None:
    """Used, expired, withdrawn, for another device, or for no device: refused, and the device is not enrolled."""

    def enrol(device: str, code: str) -> None:
        key = digest(f"key {device} {code}")
        force.do(a.DeviceEnrolled, device=device, public_key=key, certificate=b"x", code=digest(code))

    for code, device in {"used": "hh-3", "late": "hh-4", "withdrawn": "hh-5", "admin": None}.items():
        force.do(a.CodeIssued, code=digest(code), device=device, expires_at=T0 + HOUR)
    with pytest.raises(UsageError, match="is not for device 'hh-9'"):
        enrol("hh-9", "used")
    with pytest.raises(UsageError, match="is for enrolling device 'hh-3'"):
        force.do(a.CodeUsed, code=digest("used"))
    enrol("hh-3", "used")
    force.do(a.CodeWithdrawn, code=digest("withdrawn"), why="read aloud")
    force.do(a.CodeUsed, code=digest("admin"))
    force.now += HOUR
    for code, device, words in [
        ("used", "hh-3", "the code was used"),
        ("withdrawn", "hh-5", "the code was withdrawn"),
        ("late", "hh-4", "the code has expired"),
        ("admin", "hh-6", "the code was used"),
    ]:
        with pytest.raises(UsageError, match=words):
            enrol(device, code)
    with pytest.raises(UsageError, match="the code was used"):
        force.do(a.CodeWithdrawn, code=digest("used"), why="too late")
    assert set(force.registry.devices) == {"hh-1", "hh-2", "hh-3"}


def test_a_key_is_one_devices_for_ever(force: Force) -> None:
    """A key that any device ever had is taken, also after the device was revoked."""
    old = force.registry.devices[DeviceId("hh-1")].public_key
    force.do(a.KeyRenewed, device="hh-1", public_key=digest("new"), certificate=b"x")
    force.do(a.DeviceRevoked, device="hh-1", why="lost")
    for key in (old, digest("new")):
        with pytest.raises(UsageError, match="is or was device 'hh-1'"):
            force.do(a.DeviceEnrolled, device="hh-1", public_key=key, certificate=b"x")
    with pytest.raises(UsageError, match="is revoked"):
        force.do(a.KeyRenewed, device="hh-1", public_key=digest("newer"), certificate=b"x")
    with pytest.raises(UsageError, match="is revoked already"):
        force.do(a.DeviceRevoked, device="hh-1", why="again")


def test_a_seats_name_and_a_devices_are_never_the_same_word_for_two_things(force: Force) -> None:
    """A second seat of one device cannot be another device, in whichever order they come."""
    force.officer("WM2")
    assert force.seat("WM2", "hh-1") == "hh-1-2"
    with pytest.raises(UsageError, match="'hh-1-2' is a seat on device 'hh-1'"):
        force.device("hh-1-2")
    with pytest.raises(UsageError, match="'hh-1-2' is a seat on device 'hh-1'"):
        force.do(a.CodeIssued, code=digest("x"), device="hh-1-2", expires_at=T0 + 1)
    force.device("hh-1-3")
    force.officer("WM3")
    with pytest.raises(UsageError, match="'hh-1-3' is another device; open the seat as 'hh-1-4'"):
        force.do(a.SeatOpened, seat="hh-1-3", device="hh-1", officer="WM3")
    assert force.seat("WM3", "hh-1") == "hh-1-4"


def test_one_pair_of_hands_at_a_time(force: Force) -> None:
    """A shared handheld changes hands: whoever signs in ends the other's sign-in."""
    force.officer("WM2")
    other = force.seat("WM2", "hh-1")
    first = force.registry.seats[DeviceId("hh-1")].sign_in
    force.sign_in(other)
    assert first is not None
    assert first.ended
    with pytest.raises(UsageError, match="has ended already"):
        force.do(a.SignedOut, sid=first.sid, why="x")


def test_a_wipe_is_ordered_once_and_ends_the_seat(force: Force) -> None:
    """Ordered, confirmed, never used again; the officer gets another seat."""
    force.do(a.WipeOrdered, device="hh-1", seat="hh-1", why="left the team")
    with pytest.raises(UsageError, match="is to be wiped already"):
        force.do(a.WipeOrdered, device="hh-1", seat="hh-1", why="again")
    with pytest.raises(UsageError, match="wait for the device's contact"):
        force.sign_in("hh-1")
    force.do(a.Wiped, device="hh-1", seat="hh-1", receipt=digest("w"))
    with pytest.raises(UsageError, match="is never used again"):
        force.sign_in("hh-1")
    assert force.handheld("WM1", "hh-1") == "hh-1-2"
    force.do(a.WipeOrdered, device="hh-1", why="stolen")
    with pytest.raises(UsageError, match="is to be wiped"):
        force.sign_in("hh-1-2")
    force.do(a.Wiped, device="hh-1", receipt=digest("w"))
    with pytest.raises(UsageError, match="is wiped already; enrol it again"):
        force.do(a.WipeOrdered, device="hh-1", why="again")


def test_who_returns_begins_with_nothing(force: Force) -> None:
    """Neither a posting nor a sign-in from before comes back with an officer; what was arranged since counts."""
    force.do(a.OfficerEnded, officer="WM1", until=T0 + HOUR, why="seconded")
    force.now += DAY
    force.span(a.RoleGiven, officer="WM1", role=Role.OFFICER)
    force.do(a.OfficerReturned, officer="WM1", start=force.now)
    assert live_sign_in(force.registry, DeviceId("hh-1"), Millis(force.now)) is None
    assert force.scopes("hh-1") == {"force", "officer:wm1"}
    force.span(a.Posted, officer="WM1", unit="dudley")
    assert "area:dudley" in force.scopes("hh-1")


def test_nothing_is_erased_by_one_person_alone(force: Force) -> None:
    """Whoever proposed it cannot carry it out; a later decision to keep takes the proposal back; then it is final."""
    force.do(a.RetentionReviewed, record=RECORD, outcome="erase", why="over")
    with pytest.raises(UsageError, match="somebody else must erase it"):
        force.do(a.RecordErased, record=RECORD, why="over")
    force.do(a.RetentionReviewed, record=RECORD, outcome="keep", until=T0 + DAY, why="appeal")
    with pytest.raises(UsageError, match="nobody has proposed"):
        force.do(a.RecordErased, by="WM8", record=RECORD, why="over")
    force.do(a.RetentionReviewed, record=RECORD, outcome="erase", why="over")
    force.do(a.RecordErased, by="WM8", record=RECORD, why="over")
    for again in (a.RecordErased, a.Disclosed, a.RetentionReviewed):
        values: dict[str, object] = {"record": RECORD, "why": "x"}
        if again is a.Disclosed:
            values |= {"recipients": ("x",), "export": digest("x")}
        if again is a.RetentionReviewed:
            values["outcome"] = "erase"
        with pytest.raises(UsageError, match="is erased; nothing is left of it"):
            force.do(again, **values)


def test_recorded_rights_are_looked_at_too(force: Force) -> None:
    """A change of rights that does not lead on from what is recorded is refused: a generation is never used again."""
    force.record("hh-1")
    area, walsall, gen = ScopeName("area:dudley"), ScopeName("area:walsall"), Generation(1)
    ended, began = a.Ended(scope=area, gen=gen), a.Began(scope=area, gen=gen, why=("x",))
    cases: list[tuple[dict[str, object], str]] = [
        ({"began": (began,)}, "is no new generation"),
        ({"ended": (a.Ended(scope=area, gen=Generation(2)),)}, "does not hold 'area:dudley' 2"),
        ({"ended": (a.Ended(scope=walsall, gen=gen),)}, "does not hold 'area:walsall' 1"),
        ({"ended": (ended, ended)}, "a scope comes twice"),
    ]
    for values, words in cases:
        with pytest.raises(UsageError, match=words):
            force.do(a.SeatRights, seat="hh-1", **values)
    force.do(a.SeatRights, seat="hh-1", ended=(ended,))
    with pytest.raises(UsageError, match="is no new generation"):
        force.do(a.SeatRights, seat="hh-1", began=(began,))


def test_the_acts_are_all_there_is() -> None:
    """Folded anew from their bytes, they give the same state as when they were made."""
    force = course()
    again = Registry.of(a.decode(a.encode(act)) for act in force.acts)
    for name in ("codes", "devices", "leases", "missions", "officers", "reviews", "erased", "units", "keys"):
        assert _plain(getattr(again, name)) == _plain(getattr(force.registry, name)), name
    assert {name: seat.held for name, seat in again.seats.items()} == {
        name: seat.held for name, seat in force.registry.seats.items()
    }


def _plain(value: object) -> str:
    """A state as text, without where in memory it lies."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:100_000]


@pytest.mark.parametrize("missing", range(len(course().acts)))
def test_acts_of_which_one_is_missing_are_told(missing: int) -> None:
    """Whichever it is: the rest folds without it, or the text says which act has nothing to stand on."""
    acts = course().acts
    told = ""
    try:
        Registry.of(acts[:missing] + acts[missing + 1 :])
    except StoreError as error:
        told = str(error)
    assert not told or ("administrative act" in told and "acts are missing; restore the data folder" in told)
