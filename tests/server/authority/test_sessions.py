"""What the authority does to sessions that run: leases renewed, shares changed, rights taken, devices sent away."""

from collections.abc import Sequence

import msgspec
import pytest

from schemas import wire
from schemas.codec import decode_down, encode, reread_op
from schemas.ids import DeviceId, Millis, OpNumber
from schemas.roles import Role
from server.alarms import Alarm
from server.intake import KeptReceipt
from server.logbook import ALARM, READS, RECEIPT
from server.registry import acts as a
from sync.session import DeviceSession
from tests.server.authority.grants import World
from tests.server.authority.house import journal
from tests.server.authority.pocket import Pocket

MINUTE_MS = 60_000
SEAT = DeviceId("hh-1")


def heard(pocket: Pocket, kind: type[wire.Down]) -> list[wire.Down]:
    """The messages of one kind that were sent to it."""
    return [message for frame in pocket.sent if isinstance(message := decode_down(frame), kind)]


@pytest.fixture
def pocket(world: World) -> Pocket:
    """The first officer's handheld, in contact and at rest."""
    pocket = world.pocket(0)
    world.connect(pocket)
    world.check()
    assert pocket.live
    return pocket


def receipts(world: World) -> list[KeptReceipt]:
    """Every receipt that is kept."""
    return [
        msgspec.msgpack.decode(body, type=KeptReceipt) for body in world.loop.do(journal(world.house.store, RECEIPT))
    ]


def alarms(world: World) -> list[str]:
    """The codes of the alarms that were raised."""
    return [msgspec.msgpack.decode(body, type=Alarm).code for body in world.loop.do(journal(world.house.store, ALARM))]


def test_a_lease_is_renewed_half_way(world: World, pocket: Pocket) -> None:
    """Before the token ends, with the log's newest checkpoint; not a moment before that."""
    first = pocket.lease
    assert first is not None
    half = first.token_lasts_ms // 2
    world.act(a.CompartmentMade, compartment="oak", title="Another")
    # The server hears from a device that is there; nothing else keeps its session alive for so long.
    pocket.session.tick(10**9)
    pocket.flush()
    world.loop.wait(half - 1)
    world.house.tick()
    assert heard(pocket, wire.NewLease) == []


def test_the_renewal_brings_another_token_and_a_checkpoint_that_continues(world: World, pocket: Pocket) -> None:
    """Asked for at any moment it is as good as half-way: the same share, a longer lease, a log that has grown."""
    first, pinned = pocket.lease, pocket.pinned
    world.act(a.CompartmentMade, compartment="oak", title="Another")
    world.loop.wait(1_000)
    connection = world.house.hub._devices[SEAT]
    connection._renew_at = Millis(world.now)  # type: ignore[attr-defined]  # a Connection
    world.rest()
    assert first is not None
    assert pocket.lease is not None
    assert pocket.lease.until > first.until - 1
    assert (pocket.lease.share, pocket.lease.share_no) == (first.share, first.share_no)
    assert pinned is not None
    assert pocket.pinned is not None
    assert pocket.pinned.size > pinned.size
    assert pocket.faults == []


def test_what_leaves_a_replica_leaves_with_its_share(world: World, pocket: Pocket) -> None:
    """Once the receipt is kept the device gets another share; the one before is told with it until it has taken it."""
    world.make(pocket, 0, 0)
    world.span(a.NamedGrant, 0, 5, officer="WM1", scope="area:b", why="x")
    world.check()
    before = pocket.lease
    assert before is not None
    world.loop.wait(5)
    world.check()
    assert {(one.scope, one.gen) for one in receipts(world)} == {
        ("area:b", 1),
        ("area:b:briefing", 1),
        ("area:b:safety", 1),
    }
    assert all(one.signature for one in receipts(world))
    after = pocket.lease
    assert after is not None
    assert after.share_no > before.share_no
    assert after.share not in (before.share, b"")
    assert after.share_before == before.share
    pocket.cut()
    world.connect(pocket)
    world.rest()
    last = pocket.lease
    assert last is not None
    assert (last.share, last.share_before) == (after.share, b""), "it has said that it holds the new one"


def test_a_revoked_device_is_sent_away_once_it_has_removed_everything(world: World, pocket: Pocket) -> None:
    """First the retracts and their receipts, then the word that it is trusted no more; its neighbour stays."""
    other = world.pocket(1)
    world.connect(other)
    world.make(pocket, 0, 0)
    world.check()
    held = set(pocket.tables.positions())
    world.act(a.DeviceRevoked, device="hh-1", why="lost")
    world.check()
    assert pocket.ended == "device_revoked"
    assert pocket.rows() == {}
    assert {one.scope for one in receipts(world)} == held
    assert other.live


def test_a_revoked_device_hands_over_its_sealed_edits_before_it_is_sent_away(
    world: World, pocket: Pocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many there are, in HELLO too: it stays until the last is on disk, however late they come."""
    world.make(pocket, 0, 0)
    world.check()
    pocket.cut()
    world.edit(pocket, 0, 0)
    world.edit(pocket, 0, 1)
    edits = {f"hh-1/{n}": [body] for n, body in pocket.made.items() if n > 1}
    world.act(a.DeviceRevoked, device="hh-1", why="lost")
    real, may_send = DeviceSession.quarantine, 0

    def on_a_slow_link(session: DeviceSession, waiting: Sequence[tuple[int, bytes]]) -> int:
        nonlocal may_send
        taken = real(session, waiting[:may_send]) if may_send else 0
        may_send -= taken
        return taken

    monkeypatch.setattr(DeviceSession, "quarantine", on_a_slow_link)
    for to_come in (2, 1):
        world.connect(pocket)
        world.rest()
        world.rest()
        assert pocket.rows() == {}
        assert pocket.live, f"{to_come} edits are still to come"
        may_send = 1
        pocket.flush()
    world.rest()
    world.rest()
    assert pocket.ended == "device_revoked"
    assert pocket.replica.sealed(OpNumber(0), 9) == []
    assert world._quarantine() == edits


def test_a_revoked_device_that_says_nothing_is_sent_away_after_a_while(world: World, pocket: Pocket) -> None:
    """It need not be waited for: five seconds."""
    pocket._reader.cancel()  # type: ignore[union-attr]  # it is connected
    world.act(a.DeviceRevoked, device="hh-1", why="lost")
    world.loop.wait(4_999)
    world.house.tick()
    assert SEAT in world.house.hub.connected()
    world.loop.wait(1)
    world.house.tick()
    assert SEAT not in world.house.hub.connected()


def test_what_was_written_out_of_reach_on_what_was_lost_ends_in_quarantine(world: World, pocket: Pocket) -> None:
    """Sealed, as it was made, once; though the server was killed before it could say so."""
    world.make(pocket, 0, 0)
    world.check()
    pocket.cut()
    world.edit(pocket, 0, 0)
    (n,) = [n for n in pocket.made if n > 1]
    world.act(a.SpanEnded, span="s-2", until=world.now, why="moved")
    for turns in (3, 6, 9, 12):
        world.connect(pocket)
        world.kill(turns)
    world.connect(pocket)
    world.check()
    assert world._quarantine() == {f"hh-1/{n}": [pocket.made[n]]}


def test_a_sign_in_elsewhere_on_the_device_ends_the_session(world: World, pocket: Pocket) -> None:
    """It is in the next officer's hands."""
    world.connect(world.pocket(3))
    world.check()
    assert pocket.ended == "bad_token"
    assert world.pocket(3).live


def test_the_end_of_a_sign_in_ends_the_session(world: World, pocket: Pocket) -> None:
    """What it holds stays for the next sign-in, behind a lease that nobody renews."""
    signed_in = world.house.authority.ledger.registry.seats[SEAT].sign_in
    assert signed_in is not None
    world.act(a.SignedOut, sid=signed_in.sid, why="end of shift")
    world.check()
    assert pocket.ended == "bad_token"
    assert pocket.tables.positions() != {}


def test_an_officer_who_has_left_is_sent_away_at_that_moment(world: World, pocket: Pocket) -> None:
    """Though nobody does anything then; what they held is gone."""
    world.make(pocket, 0, 0)
    world.check()
    world.act(a.OfficerEnded, officer="WM1", until=world.now + 50, why="left")
    world.loop.wait(49)
    world.check()
    assert pocket.live
    world.loop.wait(1)
    world.check()
    assert pocket.ended == "device_revoked"
    assert pocket.rows() == {}


def test_a_device_that_lost_its_read_log_gets_no_lease(world: World, pocket: Pocket) -> None:
    """It is told how many entries the server has, an alarm is raised, and its records still come."""
    world.make(pocket, 0, 0)
    world.check()
    pocket.look_at(*pocket.rows())
    world.check()
    assert pocket.replica.reads.waiting(0, 10) == []
    assert len(world.loop.do(journal(world.house.store, READS))) == 1
    pocket.cut()
    pocket._begin()
    before = pocket.lease
    world.connect(pocket)
    world.rest()
    assert pocket.live
    assert pocket.lease is before
    (notice,) = [one for one in heard(pocket, wire.Notice) if isinstance(one, wire.Notice)]
    assert (notice.code, notice.value) == ("reads_missing", 1)
    assert "reads_missing" in alarms(world)
    assert pocket.rows() != {}


def test_a_wipe_reaches_a_device_at_once_or_at_its_next_contact(world: World, pocket: Pocket) -> None:
    """It destroys everything and signs for that; it is sent away."""
    other = world.pocket(1)
    for each in (pocket, other):
        world.connect(each)
        world.make(each, 0, 0)
    world.check()
    other.cut()
    world.wipe("hh-1", None)
    world.wipe("hh-2", None)
    world.check()
    assert [one.wiped for one in (pocket, other)] == [True, False]
    world.connect(other)
    world.check()
    assert [one.wiped for one in (pocket, other)] == [True, True]
    assert {one.seat for one in receipts(world) if one.scope == ""} == {"hh-1", "hh-2"}


def test_roles_that_end_do_not_end_the_session(world: World, pocket: Pocket) -> None:
    """They take their scopes, and leave the rest."""
    world.span(a.RoleGiven, 0, 10, officer="WM1", role=Role.CONTROL_ROOM)
    world.check()
    assert "control" in pocket.tables.positions()
    world.loop.wait(10)
    world.check()
    assert pocket.live
    assert "control" not in pocket.tables.positions()


def test_a_push_that_breaks_the_chain_is_an_alarm(world: World, pocket: Pocket) -> None:
    """The session ends with the fault, and the journal says of whom: the replica may be a copy."""
    world.make(pocket, 0, 0)
    world.check()
    fork = msgspec.structs.replace(reread_op(pocket.made[OpNumber(1)]), n=OpNumber(2), link=bytes(32))
    assert pocket.pipe is not None
    pocket.pipe.send(encode(wire.Push(ops=(encode(fork),), head=bytes(64))))
    world.rest()
    assert pocket.ended == "chain_broken"
    assert alarms(world) == ["chain_differs"]


def test_a_read_log_that_breaks_its_chain_is_an_alarm(world: World, pocket: Pocket) -> None:
    """Entries that do not follow those that are held: some were dropped, or written anew. The session goes on."""
    assert pocket.pipe is not None
    pocket.pipe.send(encode(wire.Reads(first=2, entries=(b"",))))
    world.rest()
    assert pocket.live
    (notice,) = [one for one in heard(pocket, wire.Notice) if isinstance(one, wire.Notice)]
    assert (notice.code, notice.value) == ("reads_missing", 0)
    assert alarms(world) == ["reads_missing"]
    world.make(pocket, 0, 0)
    world.check()
