"""The gate of a running server: who is let in with which token, which leases are given, what becomes of a share."""

import pytest

from schemas.errors import PeerError, StoreError
from schemas.ids import DeviceId, Millis, OfficerId, OpNumber
from schemas.limits import CREDIT_BYTES
from schemas.roles import Role
from schemas.wire import PROTO, SCHEMA, HelloBody
from server.authority.gatekeeper import KeptShare
from server.commits import Submission
from server.gate import Seated
from server.registry import acts as a
from server.registry.rules import CUSTODY_LEASE_MS
from tests.server.authority.grants import BOSS, World

HOUR_MS = 60 * 60_000
TOKEN_MS = 15 * 60_000
SEAT = DeviceId("hh-1")


def admit(world: World, device: str, officer: str) -> str:
    """Sign in; the token."""
    opened = world.loop.do(world.house.authority.signing.admit(DeviceId(device), OfficerId(officer), "passphrase"))
    return opened.lease.token


def look(world: World, seat: str, token: str = "", share_no: int = 0) -> Seated:
    """What the gate says of whoever says HELLO so."""
    body = HelloBody(
        proto=PROTO,
        schema=SCHEMA,
        device=DeviceId(seat),
        next_op=OpNumber(1),
        wall=Millis(world.now),
        mono=0,
        credit=CREDIT_BYTES,
        token=token,
        share_no=share_no,
    )
    return world.loop.do(world.house.authority.gatekeeper.look(DeviceId(seat), body))


def refused(world: World, seat: str, token: str = "") -> str:
    """The code with which the gate refuses."""
    with pytest.raises(PeerError) as caught:
        look(world, seat, token)
    return caught.value.spec.code


def test_a_live_sign_in_lets_its_seat_in_until_it_ends(world: World) -> None:
    """The gate says whose key to ask for, and when the sign-in is over."""
    token = admit(world, "hh-1", "WM1")
    seated = look(world, "hh-1", token)
    assert seated.public_key == world.pocket(0).key.public_key().public_bytes_raw()
    assert (seated.officer, seated.welcome, seated.wipe) == ("WM1", True, None)
    assert seated.until == world.now + 12 * HOUR_MS


def test_a_token_is_good_for_its_own_seat_alone(world: World) -> None:
    """Not for another officer's on the same device, and not for another device."""
    token = admit(world, "hh-1", "WM1")
    assert [refused(world, seat, token) for seat in ("hh-1-2", "hh-2")] == ["bad_token", "bad_token"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_what_is_no_token_lets_nobody_in(world: World, token: str) -> None:
    """An officer's seat needs one."""
    assert refused(world, "hh-1", token) == "bad_token"


def test_a_token_ends_by_its_time_and_with_its_sign_in(world: World) -> None:
    """After 15 minutes; and at once when somebody else signs in, signs out, or signs in anew."""
    token = admit(world, "hh-2", "WM2")
    world.loop.wait(TOKEN_MS)
    assert refused(world, "hh-2", token) == "bad_token"
    token = admit(world, "hh-1", "WM1")
    admit(world, "hh-1", "WM2")
    assert refused(world, "hh-1", token) == "bad_token"
    first = admit(world, "hh-2", "WM2")
    second = admit(world, "hh-2", "WM2")
    assert refused(world, "hh-2", first) == "bad_token"
    sid = world.house.authority.ledger.registry.seats[DeviceId("hh-2")].sign_in
    assert sid is not None
    world.act(a.SignedOut, sid=sid.sid, why="end of shift")
    assert refused(world, "hh-2", second) == "bad_token"


def test_nobody_knows_a_seat_that_was_never_opened(world: World) -> None:
    """Nor one whose device began anew."""
    assert refused(world, "hh-99") == "unknown_device"


def test_whoever_is_not_trusted_is_let_in_to_remove_what_they_hold(world: World) -> None:
    """A revoked device and an officer who has left, with no token and for nothing else; they hold no scope any more."""
    world.act(a.DeviceRevoked, device="hh-1", why="lost")
    world.act(a.OfficerEnded, officer="WM2", until=world.now, why="left")
    for seat in ("hh-1", "hh-1-2", "hh-2"):
        assert not look(world, seat).welcome
        assert world.house.authority.gatekeeper.grants(DeviceId(seat)) == {}


def test_a_device_that_is_to_be_wiped_is_told_why(world: World) -> None:
    """All its seats are, or the one that was meant."""
    world.wipe("hh-1", "hh-1-2")
    assert look(world, "hh-1-2").wipe == "lost"
    token = admit(world, "hh-1", "WM1")
    assert look(world, "hh-1", token).wipe is None
    world.wipe("hh-1", None)
    assert look(world, "hh-1").wipe == "lost"


def test_what_was_wiped_is_known_and_never_used_again(world: World) -> None:
    """Seat by seat, and the device with the last of them: then it can be enrolled anew. Unasked, it changes nothing."""
    gate, registry = world.house.authority.gatekeeper, world.house.authority.ledger.registry
    world.loop.do(gate.wiped(DeviceId("hh-1"), b"signed"))
    assert not registry.seats[DeviceId("hh-1")].retired
    world.wipe("hh-1", None)
    for seat in ("hh-1", "hh-1-2"):
        assert not registry.devices[DeviceId("hh-1")].wiped
        world.loop.do(gate.wiped(DeviceId(seat), b"signed"))
        assert registry.seats[DeviceId(seat)].retired
        assert refused(world, seat) == "unknown_device"
    assert registry.devices[DeviceId("hh-1")].wiped


def test_a_program_connects_by_its_key_alone_and_gets_no_lease(world: World) -> None:
    """Nobody signs in there; once its device is revoked it is not welcome."""
    seated = look(world, "hh-4")
    assert (seated.welcome, seated.until) == (True, None)
    assert world.loop.do(world.house.authority.gatekeeper.lease(DeviceId("hh-4"))) is None
    world.act(a.DeviceRevoked, device="hh-4", why="stolen")
    assert not look(world, "hh-4").welcome


def test_rights_are_brought_up_to_the_moment_of_contact(world: World) -> None:
    """Whoever is let in has the rights of now, though no timer has looked since they changed."""
    world.span(a.ScopeGranted, 5, 10, seat="hh-4", scope="area:a", why="screen")
    for task in list(world.house._tasks):
        if "Authority.run" in repr(task):
            task.cancel()
    world.loop.wait(5)
    assert "area:a" not in world.house.authority.gatekeeper.grants(DeviceId("hh-4"))
    look(world, "hh-4")
    assert "area:a" in world.house.authority.gatekeeper.grants(DeviceId("hh-4"))


def test_a_lease_is_as_long_as_the_shortest_of_the_roles(world: World) -> None:
    """A custody officer's is 15 minutes, and none outlasts the sign-in."""
    gatekeeper = world.house.authority.gatekeeper
    admit(world, "hh-1", "WM1")
    lease = world.loop.do(gatekeeper.lease(SEAT))
    assert lease is not None
    world.span(a.RoleGiven, 0, None, officer="WM1", role=Role.CUSTODY_OFFICER)
    custody = world.loop.do(gatekeeper.lease(SEAT))
    assert custody is not None
    assert custody.lasts_ms == CUSTODY_LEASE_MS < lease.lasts_ms
    assert set(custody.roles) == {"superintendent", "custody-officer"}
    world.loop.wait(12 * HOUR_MS - 60_000)
    last = world.loop.do(gatekeeper.lease(SEAT))
    assert last is not None
    assert (last.lasts_ms, last.token_lasts_ms) == (60_000, 60_000)
    world.loop.wait(60_000)
    assert world.loop.do(gatekeeper.lease(SEAT)) is None


def test_nobody_who_is_not_entitled_gets_a_lease(world: World) -> None:
    """Not for a seat that is none, a revoked device, an officer who has left, or a replica that is to be destroyed."""
    gatekeeper = world.house.authority.gatekeeper
    for device, officer in (("hh-1", "WM1"), ("hh-2", "WM2"), ("hh-3", "WM3")):
        admit(world, device, officer)
    world.act(a.DeviceRevoked, device="hh-1", why="lost")
    world.act(a.OfficerEnded, officer="WM2", until=world.now, why="left")
    world.wipe("hh-3", None)
    for seat in ("hh-99", "hh-1", "hh-2", "hh-3"):
        assert world.loop.do(gatekeeper.lease(DeviceId(seat))) is None


def test_the_share_before_is_kept_until_the_device_says_it_has_the_new_one(world: World) -> None:
    """Should power go while it wraps its keys anew, one of the two opens them; afterwards the old one is nowhere."""
    gatekeeper = world.house.authority.gatekeeper
    first = world.loop.do(gatekeeper.share(SEAT))
    second = world.loop.do(gatekeeper.new_share(SEAT))
    assert (second.no, second.before) == (first.no + 1, first.share)
    third = world.loop.do(gatekeeper.new_share(SEAT))
    assert third.before == first.share, "the device has never said that it holds the second"
    token = admit(world, "hh-1", "WM1")
    look(world, "hh-1", token, share_no=second.no)
    assert world.loop.do(gatekeeper.share(SEAT)).before == first.share
    look(world, "hh-1", token, share_no=third.no)
    assert world.loop.do(gatekeeper.share(SEAT)) == KeptShare(third.no, third.share)


def test_a_share_that_was_destroyed_stays_destroyed(world: World) -> None:
    """Whatever was about to renew it; and one that was never made is destroyed as well."""
    gatekeeper = world.house.authority.gatekeeper
    for seat in (SEAT, DeviceId("hh-4")):
        world.wipe(seat, seat)
        assert not world.loop.do(gatekeeper.new_share(seat)).share
        assert not world.loop.do(gatekeeper.share(seat)).share
    assert world.loop.do(gatekeeper.lease(SEAT)) is None


def test_a_wipe_destroys_the_share_though_the_device_never_comes(world: World) -> None:
    """From the order on nothing opens the replica, on the device's own seats and on no other."""
    world.wipe("hh-1", None)
    shares = {seat: world.loop.do(world.house.authority.gatekeeper.share(DeviceId(seat))) for seat in ("hh-1", "hh-2")}
    assert not shares["hh-1"].share
    assert shares["hh-2"].share


def test_a_wipe_and_the_end_of_its_share_are_one_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk refuses happens neither; what it takes is both at once, wherever the server is killed."""
    device, authority = DeviceId("hh-2"), world.house.authority
    world.house.cable.failing = True
    with pytest.raises(StoreError):
        world.loop.do(authority.wipe(device, None, BOSS, "lost"))
    world.house.cable.failing = False
    assert authority.ledger.registry.devices[device].wipe is None
    assert world.loop.do(authority.gatekeeper.share(device)).share
    found: list[tuple[bool, bool]] = []
    commit = world.house.committer.commit

    async def watched(submission: Submission) -> object:
        found.append((bool(submission.entries), f"share/{device}" in submission.secrets))
        return await commit(submission)

    monkeypatch.setattr(world.house.committer, "commit", watched)
    world.loop.do(authority.wipe(device, None, BOSS, "lost"))
    assert found == [(True, True)]
    assert not world.loop.do(authority.gatekeeper.share(device)).share


def test_what_an_officer_was_when_they_wrote_counts_as_well(world: World) -> None:
    """The end of a role takes nothing back of what was done in it; before it began nothing counts; revoked, nothing."""
    gatekeeper = world.house.authority.gatekeeper

    def roles(since: int) -> frozenset[Role]:
        held = gatekeeper.roles(SEAT, Millis(since))
        assert held is not None
        return held.every

    world.span(a.RoleGiven, 0, 1_000, officer="WM1", role=Role.CUSTODY_OFFICER)
    during = Millis(world.now + 999)
    world.loop.wait(5_000)
    assert Role.CUSTODY_OFFICER in roles(during)
    assert Role.CUSTODY_OFFICER not in roles(during + 1)
    assert Role.SUPERINTENDENT in roles(world.now + 10**9)
    world.act(a.DeviceRevoked, by=BOSS, device="hh-1", why="lost")
    assert roles(during) == frozenset()
